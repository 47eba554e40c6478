"""A tablet handed from person to person: nothing of one remains for the next, and it opens nothing but questionnaires."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from evalapp import pins, responses, roster, tablets
from evalapp.models import Audit, Membership, ParticipantSession, Person, Response, Site, StaffSession, TabletSession
from evalapp.responses import Given
from tests import make
from tests.conftest import NOW, Clock
from tests.security import visitors
from tests.survey.conftest import World
from tests.survey.person import HOME, SAME, Somebody
from tests.survey.test_journey import sent, through

STAFF_PAGES = (
    "/staff/", "/staff/sign-in", "/staff/accept", "/staff/people", "/staff/accounts", "/dashboard/", "/funder/",
)  # fmt: skip


@pytest.fixture
def tablet(world: World) -> Somebody:
    """A device that a coordinator made the tablet of the review everybody here is in."""
    user = visitors.member(world.session, "coordinator")
    lent = visitors.staff_browser(world.app, world.session, user)
    review = world._review.id
    world.session.rollback()
    assert lent.fill(f"/staff/people/{review}/tablet", {}).location == "/"
    made = world.somebody()
    made.client = lent.client
    cookie = lent.client.get_cookie("__Host-evalapp", domain="127.0.0.1")
    assert cookie is not None
    made.client.set_cookie("__Host-evalapp", cookie.value, secure=True)
    return made.open("/")


def test_opening_a_tablet_ends_the_staff_s_session_on_it(world: World, tablet: Somebody) -> None:
    assert world.count(StaffSession) == 0
    with tablet.client.session_transaction(base_url=HOME) as kept:
        assert set(kept) <= {"tablet", "csrf_token"}
    assert tablet.path == "/"
    assert "This tablet is shared" in tablet.words
    actions = world.session.scalars(Audit.__table__.select().with_only_columns(Audit.action)).all()
    assert "tablet opened" in actions
    world.session.rollback()


@pytest.mark.parametrize("path", STAFF_PAGES)
def test_a_tablet_opens_no_page_of_the_staff(tablet: Somebody, path: str) -> None:
    assert tablet.open(path).path == "/"
    answer = tablet.client.post(path, base_url=HOME, headers=SAME, data={"email": "a@example.org", "password": "x"})
    assert answer.location == "/" or answer.status_code == 405


def test_a_staff_key_brought_to_a_tablet_opens_nothing_on_it(world: World, tablet: Somebody) -> None:
    lent = visitors.staff_browser(world.app, world.session, visitors.member(world.session, "admin"))
    with lent.client.session_transaction(base_url=visitors.HOME) as kept:
        key = kept["staff"]
    with tablet.client.session_transaction(base_url=HOME) as kept:
        kept["staff"] = key
    assert tablet.open("/staff/").path == "/"


def test_one_after_another_answers_and_the_mode_is_kept(world: World, tablet: Somebody) -> None:
    people = [world.person(instrument="every_kind") for _ in range(2)]
    for place, code in people:
        sent(tablet.enter(code).agree())
        assert tablet.path == "/done"
        tablet.open("/")
        found = world.response(place)
        assert found is not None
        assert (found.state, found.mode) == ("submitted", "tablet")
        assert world.count(ParticipantSession) == 0


def finished(person: Somebody) -> Somebody:
    return through(person).send("/check").open("/")


def stopped(person: Somebody) -> Somebody:
    return person.next(4, go="stop")


def left(person: Somebody) -> Somebody:
    return person.send("/exit")


def walked_off(person: Somebody) -> Somebody:
    return person.open("/?away=1")


def back_at_the_code(person: Somebody) -> Somebody:
    return person.open("/")


@pytest.mark.parametrize("goes", [finished, stopped, left, walked_off, back_at_the_code])
def test_however_one_person_goes_the_next_finds_nothing(
    world: World, tablet: Somebody, goes: Callable[[Somebody], Somebody]
) -> None:
    place, code = world.person(instrument="every_kind")
    tablet.enter(code).agree().next(1, agree=5, go="language-cy").next(1).next(2, one="red", go="language-en")
    goes(tablet.next(2))
    assert world.stored(place)["one"] == Given("red")  # what was saved is kept
    assert world.count(ParticipantSession) == 0
    with tablet.client.session_transaction(base_url=HOME) as kept:
        assert "visit" not in kept
    for path in ("/go", "/q/1", "/q/2", "/check", "/done", "/about", "/consent"):
        tablet.open(path)
        assert tablet.path.startswith("/?again=1")
        assert "Red" not in tablet.text


@pytest.mark.parametrize("goes", [finished, stopped, left, walked_off])
def test_the_browser_is_asked_to_forget_but_to_stay_a_tablet(
    world: World, tablet: Somebody, goes: Callable[[Somebody], Somebody]
) -> None:
    cleared: list[str | None] = []
    _, code = world.person(instrument="every_kind")
    tablet.enter(code).agree().next(1).next(2)
    client, real = tablet.client, tablet.client.open

    def watched(*args: object, **more: object) -> object:
        answer = real(*args, **more)  # type: ignore[arg-type]
        cleared.append(answer.headers.get("Clear-Site-Data"))
        return answer

    client.open = watched  # type: ignore[method-assign, assignment]
    goes(tablet)
    assert '"cache", "storage"' in cleared
    assert not [one for one in cleared if one and "cookies" in one]
    assert "This tablet is shared" in tablet.open("/").words


def test_the_next_person_s_pages_start_in_the_usual_language(world: World, tablet: Somebody) -> None:
    _, code = world.person()
    tablet.enter(code).send("/language", go="language-cy").open("/")
    assert tablet.page.attributes["lang"] == "en"


def test_a_page_of_the_person_before_is_refused_whole(world: World, tablet: Somebody) -> None:
    place, code = world.person(instrument="every_kind")
    _, other = world.person(instrument="every_kind")
    tablet.enter(code).agree()
    old = tablet.filled("/q/1", go="next", **{"a-agree": 5})
    tablet.open("/").enter(other).agree()
    tablet.post("/q/1", old)
    assert tablet.status in {400, 409}
    token = dict(tablet.open("/q/1").page.forms["/q/1"])["csrf_token"]
    tablet.post("/q/1", [*[(n, v) for n, v in old if n != "csrf_token"], ("csrf_token", token)])
    assert tablet.status == 409
    assert world.stored(place) == {}


def test_ten_minutes_untouched_end_a_visit_and_keep_what_was_saved(
    world: World, tablet: Somebody, clock: Clock
) -> None:
    place, code = world.person(instrument="every_kind")
    tablet.enter(code).agree().next(1, agree=5)
    clock.now += timedelta(minutes=9)
    assert tablet.open("/q/2").path == "/q/2"  # reading keeps it alive
    clock.now += timedelta(minutes=11)
    assert tablet.open("/q/2").path == "/?again=1"
    assert world.stored(place)["agree"] == Given(5)
    assert tablet.enter(code).path == "/q/2"


def test_a_person_of_another_review_is_told_kindly_and_not_let_in(world: World, tablet: Somebody) -> None:
    elsewhere = make.person(
        world.session, make.review(world.session, make.site(world.session, world.trial, "Southport"))
    )
    code = make.card(world.session, elsewhere, world.vault)
    world.session.commit()
    for _ in range(6):  # a right code is no guess, however often
        tablet.enter(code)
        assert tablet.status == 422
        assert "This tablet is for another group. Your code works on your own phone" in tablet.words
    assert world.count(ParticipantSession) == 0
    assert world.somebody().enter(code).path == "/about"


def test_somebody_of_two_reviews_is_asked_about_this_one_alone(world: World, tablet: Somebody) -> None:
    place, code = world.person()
    other = make.review(world.session, make.site(world.session, world.trial, "Southport"), starts_on=date(2026, 3, 5))
    person = world.session.get_one(make.roster.Person, place.person_id)
    make.roster.add_person(world.session, other, "parent", person=person)
    world.session.commit()
    assert "until 9 March 2026" in tablet.enter(code).words  # elsewhere what closes on the fourth comes first
    sent(tablet.agree())
    assert "There are more questions" not in tablet.words


def test_wrong_and_never_given_codes_are_one_page_on_a_tablet_too(world: World, tablet: Somebody) -> None:
    _, code = world.person()
    wrong = make.Code(code.selector, "0000000")
    first = tablet.enter(wrong).answer
    second = tablet.enter(make.Code("ZZZZ", "ZZZZZZZ")).answer
    assert (first.status_code, first.data) == (second.status_code, second.data)


def closed_from_afar(world: World, clock: Clock) -> None:
    lent = visitors.staff_browser(world.app, world.session, visitors.member(world.session, "coordinator"))
    review = world._review.id
    world.session.rollback()
    lent.get(f"/staff/people/{review}/tablet")
    assert lent.post(f"/staff/people/{review}/tablets/close").status_code == 303


def twelve_hours_on(world: World, clock: Clock) -> None:
    clock.now += timedelta(hours=12, seconds=1)


@pytest.mark.parametrize("ends", [closed_from_afar, twelve_hours_on])
def test_a_tablet_ends_when_staff_close_it_and_after_twelve_hours(
    world: World, tablet: Somebody, clock: Clock, ends: Callable[[World, Clock], None]
) -> None:
    place, code = world.person(instrument="every_kind")
    tablet.enter(code).agree().next(1, agree=5)
    ends(world, clock)
    assert tablet.open("/q/2").path.startswith("/?again=1")
    assert "This tablet is closed" in tablet.words
    answer = tablet.client.post("/", base_url=HOME, headers=SAME, data={"code": str(code)})
    assert answer.status_code == 409
    assert world.count(ParticipantSession) in {0, 1}
    assert world.stored(place)["agree"] == Given(5)
    assert tablet.open("/staff/sign-in").status == 200  # so that staff can open it again


def close(tablet: Somebody, email: str, password: str = make.PASSWORD) -> Somebody:
    tablet.open("/tablet/close")
    return tablet.send("/tablet/close", email=email, password=password, follow=False)


def test_leaving_tablet_mode_needs_the_password_of_somebody_who_may(world: World, tablet: Somebody) -> None:
    make.staff(world.session, "coordinator")
    make.staff(world.session, "evaluator")
    world.session.commit()
    for email, password in (("coordinator@example.org", "a bad guess"), ("evaluator@example.org", make.PASSWORD)):
        assert close(tablet, email, password).status == 422
        assert password not in tablet.text
        assert world.count(TabletSession) == 1
        assert world.count(StaffSession) == 0
        assert tablet.open("/staff/").path == "/"
    close(tablet, "coordinator@example.org")
    assert tablet.status == 303
    assert world.count(TabletSession) == 0
    assert tablet.open("/staff/people").path == "/staff/people"


def test_a_dump_of_the_tablets_opens_nothing(world: World, tablet: Somebody) -> None:
    with tablet.client.session_transaction(base_url=HOME) as kept:
        key = kept["tablet"]
    row = world.session.query(TabletSession).one()
    assert key not in {row.key_hash, row.review_id}
    assert tablets.find(world.session, row.key_hash, now=NOW) is None
    assert tablets.find(world.session, key, now=NOW) is not None
    world.session.rollback()


@pytest.mark.parametrize(
    ("expected", "finished", "shown"),
    [(9, 9, None), (10, 0, 0), (10, 4, 0), (10, 5, 5), (19, 17, 15), (20, 20, 20)],
)
def test_the_count_of_those_finished_comes_in_fives_and_not_for_a_few(
    expected: int, finished: int, shown: int | None
) -> None:
    assert tablets.in_steps(expected, finished) == shown


def declined(world: World, place: Membership) -> None:
    asked = world.assignment(place)
    session, how = world.session, {"language": "en", "mode": "tablet", "consent_version": "1"}
    responses.begin(session, asked.id, agreed=False, today=asked.opens_on, **how)  # type: ignore[arg-type]
    session.commit()


def test_a_no_counts_as_finished_so_that_no_count_says_who_answered(world: World, tablet: Somebody) -> None:
    places = [world.person()[0] for _ in range(10)]
    assert "At least 0 of 10 people have finished" in tablet.open("/").words
    for place in places[:4]:
        make.answered(world.session, world.assignment(place), world.vault)
        world.session.commit()
        assert "At least 0 of 10" in tablet.open("/").words  # one more changes nothing
    declined(world, places[4])
    assert "At least 5 of 10 people have finished" in tablet.open("/").words
    assert world.count(Response) == 5


def test_a_small_group_is_shown_no_count(world: World, tablet: Somebody) -> None:
    for _ in range(9):
        world.person()
    assert "people have finished" not in tablet.open("/").words


def test_a_tablet_lets_nobody_choose_a_pin_that_would_show_what_was_saved_for_another_review(
    world: World, tablet: Somebody
) -> None:
    place, code = world.person(instrument="every_kind")
    elsewhere = make.review(world.session, world.session.get_one(Site, place.site_id), "Review 2")
    person = world.session.get_one(Person, place.person_id)
    other = roster.add_person(world.session, elsewhere, "practitioner", person=person)
    one = make.assignment(world.session, other)
    begun = responses.begin(
        world.session, one.id, language="en", mode="own_link", consent_version="x", agreed=True, today=NOW.date()
    )
    first = next(item for item in responses.instrument_of(begun).items if item.options)
    responses.save(world.session, begun.id, {first.code: Given(make.plain_answer(first))}, vault=world.vault)
    world.session.commit()
    tablet.enter(code).agree().next(1, go="pin", agree=5)
    assert "/pin/new" not in tablet.page.forms
    world.session.rollback()
    assert not pins.has_pin(world.session, place.person_id)
    world.session.rollback()
