"""What people write waits for a named reader, and who asks to be rung is kept apart: sealed, recorded, off without a reader."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from evalapp import audit, readers
from evalapp.models import Audit, Base, CallBack, StaffUser, WordsDecision
from tests.conftest import NOW, Clock
from tests.security import visitors
from tests.security.visitors import Browser
from tests.survey.conftest import World
from tests.survey.person import Somebody
from tests.survey.test_journey import sent

PLANTED = "A planted danger at Mill Lane"


@pytest.fixture
def reader(world: World) -> StaffUser:
    """A coordinator whom an admin named."""
    user = visitors.member(world.session, "coordinator", email="lead@example.org")
    admin = visitors.staff_browser(world.app, world.session, visitors.member(world.session, "admin"))
    path, chosen = f"/staff/trials/{world.trial.id}/readers", user.id
    world.session.rollback()
    assert "lead@example.org" in admin.get(path).get_data(as_text=True)
    assert admin.post(path, {"reader": chosen}).status_code == 303
    return user


def desk(world: World, user: StaffUser) -> Browser:
    return visitors.staff_browser(world.app, world.session, user)


def written(world: World) -> Somebody:
    person, _, _ = world.started(instrument="every_kind")
    return person.next(1).next(2).next(4).next(5, lines=PLANTED)


def actions(world: World) -> list[str]:
    found = list(world.session.scalars(select(Audit.action).order_by(Audit.id)))
    assert audit.first_break(world.session) is None
    world.session.rollback()
    return found


def held_at(world: World) -> str:
    row = world.session.execute(text("SELECT response_id, item FROM free_text")).one()
    world.session.rollback()
    return f"/staff/words/{row.response_id}/{row.item}"


def test_words_wait_from_the_moment_they_are_sent_and_each_look_is_recorded(
    world: World, reader: StaffUser, clock: Clock
) -> None:
    who = desk(world, reader)
    person = written(world)
    assert "Nothing is held" in who.get("/staff/words").get_data(as_text=True)  # not what was not sent
    person.send("/check")
    page = who.get("/staff/words").get_data(as_text=True)
    assert PLANTED not in page  # the list tells where, not what
    assert "today" in page
    assert "words read" not in actions(world)
    assert PLANTED in who.post(held_at(world)).get_data(as_text=True)
    assert actions(world).count("words read") == 1
    assert not [row for row in world.session.scalars(select(Audit.detail)) if PLANTED in str(row)]
    world.session.rollback()


def test_words_that_wait_too_long_are_marked(world: World, reader: StaffUser, clock: Clock) -> None:
    written(world).send("/check")
    clock.now += timedelta(days=4)
    session = visitors.staff_browser(world.app, world.session, reader, since=clock.now)
    page = session.get("/staff/words").get_data(as_text=True)
    assert "4 days" in page
    assert "overdue" in page


@pytest.mark.parametrize(
    ("sent_form", "kept", "words"),
    [
        ({"decision": "release", "released": "A planted danger"}, "release", "A planted danger"),
        ({"decision": "withhold", "released": PLANTED}, "withhold", None),
        ({"decision": "acted_on", "released": PLANTED}, "acted_on", None),
    ],
)
def test_a_decision_is_kept_sealed_and_recorded(
    world: World, reader: StaffUser, sent_form: dict[str, str], kept: str, words: str | None
) -> None:
    written(world).send("/check")
    who = desk(world, reader)
    who.get("/staff/words")
    path = held_at(world)
    assert who.post(path, {"decide": "1", **sent_form}).status_code == 303
    row = world.session.query(WordsDecision).one()
    assert (row.decision, row.decided_by) == (kept, reader.id)
    place = f"words_decision|{row.response_id}|{row.item}"
    assert (row.sealed and world.vault.unseal(row.sealed, place)) == words
    world.session.rollback()
    assert "Nothing is held" in who.get("/staff/words").get_data(as_text=True)
    assert who.post(path).status_code == 404
    assert "words decided on" in actions(world)
    evaluator = desk(world, visitors.member(world.session, "evaluator")).get("/staff/words/released")
    assert PLANTED not in evaluator.get_data(as_text=True)
    assert ("A planted danger" in evaluator.get_data(as_text=True)) is (kept == "release")


@pytest.mark.parametrize("sent_form", [{}, {"decision": "publish"}, {"decision": "release", "released": "  "}])
def test_without_a_decision_words_stay_held(world: World, reader: StaffUser, sent_form: dict[str, str]) -> None:
    written(world).send("/check")
    who = desk(world, reader)
    who.get("/staff/words")
    assert who.post(held_at(world), {"decide": "1", **sent_form}).status_code == 422
    assert world.count(WordsDecision) == 0


def test_a_coordinator_who_is_not_named_reads_nothing(world: World, reader: StaffUser) -> None:
    written(world).send("/check")
    other = desk(world, visitors.member(world.session, "coordinator"))
    assert "You are not named as a reader" in other.get("/staff/words").get_data(as_text=True)
    assert other.post(held_at(world)).status_code == 404
    assert "words read" not in actions(world)


@pytest.mark.parametrize("role", ["admin", "evaluator", "funder"])
def test_nobody_but_a_coordinator_can_be_named(world: World, role: str) -> None:
    user = visitors.member(world.session, role)
    readers.appoint(world.session, world.trial, [user.id], actor="system", now=NOW)
    assert readers.readers_of(world.session, world.trial.id) == set()
    assert world.trial.text_reader is None
    world.session.rollback()


def ring(world: World) -> Somebody:
    person, _, _ = world.started(instrument="every_kind")
    return person.open("/help")


def test_who_asks_to_be_rung_is_kept_sealed_and_tells_of_nobody(world: World, reader: StaffUser) -> None:
    person = ring(world)
    assert "Ask someone to ring you" in person.words
    person.open("/call-back").send("/call-back", reach="07700 900123", name="Planted Name", when="not after six")
    assert "Someone will ring you" in person.words
    dump = [
        str(value)
        for table in Base.metadata.sorted_tables
        for row in world.session.execute(text(f'SELECT * FROM "{table.name}"'))  # noqa: S608  (our own tables' names)
        for value in row
    ]
    assert not [one for one in dump if "900123" in one or "Planted Name" in one]
    assert set(CallBack.__table__.c.keys()) == {"id", "trial_id", "sealed", "asked_on"}  # no person, no time of day
    world.session.rollback()
    who = desk(world, reader)
    page = who.get("/staff/words").get_data(as_text=True)
    assert "900123" not in page
    call = world.session.scalars(select(CallBack.id)).one()
    world.session.rollback()
    shown = who.post(f"/staff/call-backs/{call}").get_data(as_text=True)
    assert "07700 900123" in shown
    assert "Planted Name" in shown
    assert who.post(f"/staff/call-backs/{call}", {"done": "1"}).status_code == 303
    assert world.count(CallBack) == 0
    assert actions(world)[-2:] == ["call-back read", "call-back done"]


def test_without_a_reader_nobody_is_offered_a_call(world: World) -> None:
    person = ring(world)
    assert "Ask someone to ring you" not in person.words
    assert person.open("/call-back").path == "/help"
    token = dict(person.page.forms["/exit"])["csrf_token"]
    person.post("/call-back", {"csrf_token": token, "reach": "07700 900123"})
    assert person.path == "/help"
    assert world.count(CallBack) == 0


def test_a_call_needs_a_number_and_keeps_what_was_typed(world: World, reader: StaffUser) -> None:
    person = ring(world).open("/call-back").send("/call-back", name="Sam", reach=" ")
    assert person.status == 422
    assert ("name", "Sam") in person.page.forms["/call-back"]
    assert person.send("/call-back", reach="7" * 201).status == 422
    assert world.count(CallBack) == 0


def test_naming_a_reader_opens_the_boxes_of_a_real_trial_and_the_last_one_gone_closes_them(real: World) -> None:
    user = visitors.member(real.session, "coordinator")
    readers.appoint(real.session, real.trial, [user.id], actor="system", now=NOW)
    real.session.commit()
    person, _, _ = real.started(instrument="every_kind")
    person.next(1).next(2).next(4)
    assert person.path == "/q/5"
    assert "In an emergency, ring 999" in person.words
    readers.appoint(real.session, real.trial, [], actor="system", now=NOW)
    real.session.commit()
    assert sent(person.open("/go")).path == "/done"


def test_whose_account_is_closed_is_a_reader_no_more_and_nobody_writes_to_them_in_vain(
    world: World, reader: StaffUser
) -> None:
    place, _ = world.person()
    admin = visitors.staff_browser(
        world.app, world.session, visitors.member(world.session, "admin", email="second@example.org")
    )
    person_id, user_id = place.person_id, reader.id
    assert readers.rings_back(world.session, person_id)
    world.session.rollback()
    assert admin.post(f"/staff/accounts/{user_id}/close", {}).status_code == 303
    world.session.expire_all()
    assert not readers.rings_back(world.session, person_id)
    assert world.trial.text_reader is None
    world.session.rollback()
