"""What people are to be sent: when it falls due, when it stops, and never more than twice."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import letters, outbox, responses, roster, withdrawals
from evalapp.letters import letter
from evalapp.models import Assignment, Membership, Message
from evalapp.outbox import Due, Outcome
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW

EVERYBODY: Callable[[str], bool] = lambda _: True  # noqa: E731
TODAY = NOW.date()


@pytest.fixture
def place(session: Session, vault: Vault) -> Membership:
    """Somebody with a card, whose first questionnaire opened twenty days ago and is open for a week more."""
    made = make.person(session, make.review(session, make.site(session, make.trial(session))))
    make.card(session, made, vault)
    return made


def opened(session: Session, place: Membership) -> date:
    return make.assignment(session, place, "before").opens_on


def messages(session: Session) -> list[tuple[str, int, str]]:
    rows = session.scalars(select(Message).order_by(Message.number, Message.kind)).all()
    return [(one.kind, one.number, one.state) for one in rows]


def test_the_usual_messages_fall_due_on_their_days(session: Session, place: Membership) -> None:
    start = opened(session, place)
    for day in range(28):
        outbox.plan(session, reachable=EVERYBODY, today=start + timedelta(days=day))
    assert messages(session) == [("opening", 0, "waiting"), ("reminder", 1, "waiting"), ("reminder", 2, "waiting")]
    days = [(one.due_on - start).days for one in session.scalars(select(Message).order_by(Message.number))]
    assert days == [0, 7, 14]


def test_planning_twice_a_day_adds_nothing(session: Session, place: Membership) -> None:
    start = opened(session, place)
    assert outbox.plan(session, reachable=EVERYBODY, today=start) == 1
    assert outbox.plan(session, reachable=EVERYBODY, today=start) == 0


def test_days_nobody_ran_it_on_are_not_made_up_for(session: Session, place: Membership) -> None:
    outbox.plan(session, reachable=EVERYBODY, today=opened(session, place) + timedelta(days=16))
    assert messages(session) == [("reminder", 2, "waiting")]


def test_a_trial_sets_its_own_days(session: Session, vault: Vault) -> None:
    quiet = make.trial(session, "quiet", reminder_days=[])
    made = make.person(session, make.review(session, make.site(session, quiet)))
    make.card(session, made, vault)
    start = opened(session, made)
    assert outbox.plan(session, reachable=EVERYBODY, today=start + timedelta(days=3)) == 0


def test_before_and_after_the_window_nothing_falls_due(session: Session, place: Membership) -> None:
    one = make.assignment(session, place, "before")
    assert outbox.plan(session, reachable=EVERYBODY, today=one.opens_on - timedelta(days=1)) == 0
    assert outbox.plan(session, reachable=EVERYBODY, today=one.closes_on + timedelta(days=1)) == 0


def test_who_cannot_be_reached_or_has_no_card_is_passed_over(session: Session, vault: Vault, place: Membership) -> None:
    start = opened(session, place)
    assert outbox.plan(session, reachable=lambda person_id: person_id != place.person_id, today=start) == 0
    make.person(session, session.get_one(roster.Review, place.review_id))  # no card: nothing to type
    assert outbox.plan(session, reachable=EVERYBODY, today=start) == 1


@pytest.mark.parametrize("agreed", [True, False])
def test_reminders_stop_on_an_answer_whatever_it_is(
    session: Session, vault: Vault, place: Membership, *, agreed: bool
) -> None:
    one = make.assignment(session, place, "before")
    if agreed:
        make.answered(session, one, vault)
    else:
        responses.begin(
            session, one.id, language="en", mode="own_link", consent_version="1", agreed=False, today=one.opens_on
        )
    assert outbox.plan(session, reachable=EVERYBODY, today=one.opens_on) == 0


def test_an_answer_given_after_planning_stops_the_message_too(
    session: Session, vault: Vault, place: Membership
) -> None:
    one = make.assignment(session, place, "before")
    outbox.plan(session, reachable=EVERYBODY, today=one.opens_on)
    message = session.scalars(select(Message)).one()
    make.answered(session, one, vault)
    assert outbox.take(session, message.id, vault=vault, today=one.opens_on) is None
    assert (message.state, message.reason) == ("dropped", "answered")


def test_one_message_a_day_however_many_questionnaires(session: Session, vault: Vault) -> None:
    site = make.site(session, make.trial(session))
    first, second = make.review(session, site), make.review(session, site, "Review 2")
    place = make.person(session, first)
    roster.add_person(session, second, "practitioner", person=session.get_one(roster.Person, place.person_id))
    make.card(session, place, vault)
    assert outbox.plan(session, reachable=EVERYBODY, today=opened(session, place)) == 1
    assert [state for _, _, state in messages(session)] == ["waiting", "dropped"] or [
        state for _, _, state in messages(session)
    ] == ["dropped", "waiting"]


def test_an_invitation_carries_the_code_until_it_is_sent_and_no_longer(
    session: Session, vault: Vault, place: Membership
) -> None:
    code = make.card(session, place, vault)
    message = outbox.invite(session, place.person_id, code, vault=vault, today=TODAY)
    assert str(code).encode() not in bytes(message.sealed or b"")
    due = outbox.take(session, message.id, vault=vault, today=TODAY)
    assert due is not None
    assert due.code == str(code)
    outbox.note(session, message.id, Outcome.SENT, now=NOW)
    session.flush()
    assert (message.state, message.sealed) == ("sent", None)


def test_an_invitation_whose_card_was_replaced_is_not_sent(session: Session, vault: Vault, place: Membership) -> None:
    code = make.card(session, place, vault)
    message = outbox.invite(session, place.person_id, code, vault=vault, today=TODAY)
    make.card(session, place, vault)
    assert outbox.take(session, message.id, vault=vault, today=TODAY) is None
    assert (message.state, message.reason, message.sealed) == ("dropped", "replaced", None)


def test_a_second_invitation_takes_the_place_of_one_that_waits(
    session: Session, vault: Vault, place: Membership
) -> None:
    first = outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    second = outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    assert (first.state, first.sealed, second.state, second.number) == ("dropped", None, "waiting", 2)


def test_a_message_nobody_knows_the_end_of_is_handed_over_once_more_and_marked(
    session: Session, vault: Vault, place: Membership
) -> None:
    message = outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    for again in (False, True):  # the process dies each time, just after it began to hand over
        due = outbox.take(session, message.id, vault=vault, today=TODAY)
        assert due is not None
        assert due.again == again
        outbox.handing_over(session, due)
    assert outbox.take(session, message.id, vault=vault, today=TODAY) is None
    assert (message.state, message.sealed) == ("unsure", None)


def test_a_worker_that_dies_before_it_hands_over_costs_no_try(
    session: Session, vault: Vault, place: Membership
) -> None:
    message = outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    for _ in range(5):
        due = outbox.take(session, message.id, vault=vault, today=TODAY)
        assert due is not None
        assert not due.again


@pytest.mark.parametrize("begun", [True, False])
def test_a_try_that_was_certainly_not_sent_does_not_count(
    session: Session, vault: Vault, place: Membership, *, begun: bool
) -> None:
    message = outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    for _ in range(20):
        due = outbox.take(session, message.id, vault=vault, today=TODAY)
        assert due is not None
        assert not due.again
        if begun:
            outbox.handing_over(session, due)
        outbox.note(session, message.id, Outcome.LATER, now=NOW, due=due if begun else None)
    assert message.retry_at == NOW + timedelta(hours=1)  # the longest wait
    assert outbox.waiting(session, now=NOW) == []
    assert outbox.waiting(session, now=NOW + timedelta(hours=1)) == [(message.id, 20)]


def test_a_try_that_may_have_been_sent_counts_whatever_comes_after(
    session: Session, vault: Vault, place: Membership
) -> None:
    message = outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    first = outbox.take(session, message.id, vault=vault, today=TODAY)
    assert first is not None
    outbox.handing_over(session, first)
    outbox.note(session, message.id, Outcome.UNKNOWN, now=NOW, due=first)
    for begun in (True, False):
        second = outbox.take(session, message.id, vault=vault, today=TODAY)
        assert second is not None
        assert second.again
        if begun:
            outbox.handing_over(session, second)
        outbox.note(session, message.id, Outcome.LATER, now=NOW, due=second if begun else None)


def test_an_invitation_that_cannot_be_sent_for_two_weeks_is_given_up(
    session: Session, vault: Vault, place: Membership
) -> None:
    message = outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    assert outbox.take(session, message.id, vault=vault, today=TODAY + timedelta(days=15)) is None
    assert (message.state, message.reason) == ("dropped", "closed")


def test_counts_count_each_message_once(session: Session, vault: Vault) -> None:
    trial = make.trial(session)
    site = make.site(session, trial)
    place = make.person(session, make.review(session, site))
    roster.add_person(
        session, make.review(session, site, "Review 2"), "manager",
        person=session.get_one(roster.Person, place.person_id),
    )  # fmt: skip
    outbox.invite(session, place.person_id, make.card(session, place, vault), vault=vault, today=TODAY)
    assert outbox.counts(session, trial.id) == {("invitation", "waiting"): 1}


@pytest.mark.parametrize("language", sorted(letters.texts()))
@pytest.mark.parametrize("kind", ["invitation", "opening", "reminder"])
def test_a_letter_is_neutral_and_whole_in_every_language(language: str, kind: str) -> None:
    code = "ABCD-EFGH-JKM0" if kind == "invitation" else None
    code = str(make_code()) if code else None
    due = Due("m" * 16, "p" * 16, kind, code, date(2026, 3, 9), again=False)
    written = letter(
        due, language, door="https://q.example.org", stop="https://q.example.org/stop/x", demonstration=True
    )
    whole = f"{written.subject}\n{written.sender}\n{written.body}".lower()
    for word in ("safeguard", "child", "review", "abuse", "police", "social", "plant", "diogel", "dzieck", "طفل"):
        assert word not in whole
    assert "{" not in whole
    assert ("/j#" in whole) == (kind == "invitation")
    assert written.language == language


def test_a_draft_translation_is_not_sent_in_a_real_trial() -> None:
    due = Due("m" * 16, "p" * 16, "opening", None, None, again=False)
    assert letter(due, "cy", door="https://q.example.org", stop="x").language == "en"
    assert letter(due, "xx", door="https://q.example.org", stop="x", demonstration=True).language == "en"


def make_code() -> object:
    from evalapp.codes import new_code

    return new_code()


def test_every_language_says_the_same_things() -> None:
    shapes = {language: set(words) - {"draft"} for language, words in letters.texts().items()}
    assert all(shape == shapes["en"] for shape in shapes.values())


def test_a_withdrawn_assignment_takes_its_messages_along(session: Session, place: Membership) -> None:
    one = make.assignment(session, place, "before")
    outbox.plan(session, reachable=EVERYBODY, today=one.opens_on)
    session.delete(session.get_one(Assignment, one.id))
    session.flush()
    session.expire_all()
    assert messages(session) == []


# Only what a person would be shown: the same rule as the pages go by (`asking`).


def asked_parent(session: Session, vault: Vault) -> Membership:
    parent = make.person(session, make.review(session, make.site(session, make.trial(session))), "parent")
    make.card(session, parent, vault)
    return parent


def keep_open(session: Session, place: Membership, wave: str) -> Assignment:
    """Begin a questionnaire, so that it is not taken back when it may not be asked any more."""
    one = make.assignment(session, place, wave)
    responses.begin(
        session, one.id, language="en", mode="own_link", consent_version="x", agreed=True, today=one.opens_on
    )
    return one


def test_a_young_person_is_written_to_once_a_parent_said_yes_and_no_more_after_a_no(
    session: Session, vault: Vault
) -> None:
    review = make.review(session, make.site(session, make.trial(session)))
    parent, young = make.person(session, review, "parent"), make.person(session, review, "young_person")
    make.card(session, young, vault)
    roster.link(session, young, parent, actor="coordinator", now=NOW)
    one = make.assignment(session, young, "after")
    assert outbox.plan(session, reachable=EVERYBODY, today=one.opens_on) == 0
    said = {"consent_version": "x", "today": one.opens_on}
    roster.say(session, young.id, parent.id, agreed=True, **said)
    assert outbox.plan(session, reachable=EVERYBODY, today=one.opens_on) == 1
    roster.say(session, young.id, parent.id, agreed=False, **said)
    message = session.scalars(select(Message)).one()
    assert outbox.take(session, message.id, vault=vault, today=one.opens_on) is None
    assert (message.state, message.reason) == ("dropped", "closed")


@pytest.mark.parametrize("learnt", ["death", "not safe"])
def test_nobody_is_reminded_of_what_they_may_not_be_asked_any_more(session: Session, vault: Vault, learnt: str) -> None:
    parent = asked_parent(session, vault)
    one = keep_open(session, parent, "after")
    assert outbox.plan(session, reachable=EVERYBODY, today=one.opens_on) == 1
    if learnt == "death":
        session.get_one(roster.Review, parent.review_id).outcome = "death"
    else:
        roster.decide(session, parent, roster.Gate(safe=False, lawful=True, kind=True), actor="lead", now=NOW)
    session.flush()
    message = session.scalars(select(Message)).one()
    assert outbox.take(session, message.id, vault=vault, today=one.opens_on) is None
    assert (message.state, message.reason) == ("dropped", "closed")
    assert outbox.plan(session, reachable=EVERYBODY, today=one.opens_on + timedelta(days=7)) == 0


def test_an_invitation_that_waits_is_not_sent_once_a_lead_decided_that_it_is_not_safe(
    session: Session, vault: Vault
) -> None:
    parent = asked_parent(session, vault)
    message = outbox.invite(session, parent.person_id, make.card(session, parent, vault), vault=vault, today=TODAY)
    roster.decide(session, parent, roster.Gate(safe=False, lawful=True, kind=True), actor="lead", now=NOW)
    assert outbox.take(session, message.id, vault=vault, today=TODAY) is None
    assert (message.state, message.reason, message.sealed) == ("dropped", "closed", None)


@pytest.mark.parametrize("choice", ["no_contact", "delete"])
def test_who_withdraws_at_the_last_moment_is_sent_nothing(
    session: Session, vault: Vault, place: Membership, choice: str
) -> None:
    outbox.plan(session, reachable=EVERYBODY, today=opened(session, place))
    message = session.scalars(select(Message)).one()
    due = outbox.take(session, message.id, vault=vault, today=opened(session, place))
    assert due is not None
    withdrawals.withdraw(session, place.person_id, choice, vault=vault, now=NOW, today=TODAY)
    session.commit()
    session.expire_all()
    with pytest.raises(outbox.NotAnyMore):
        outbox.handing_over(session, due)
    outbox.note(
        session, due.id, Outcome.UNKNOWN, now=NOW
    )  # a job that broke off says so, and finds nothing to say it of
    found = session.get(Message, due.id)
    assert found is None or found.state == "dropped"
