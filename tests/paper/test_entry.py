"""A paper typed in by two people: agreed, settled or held, and stored as any response is; nothing lost, nothing leaked."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import get_args

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from evalapp import audit, db, responses, roster, withdrawals
from evalapp.db import Base
from evalapp.models import Assignment, Audit, Membership, Paper, PaperEntry, Response, Score, StaffUser, Trial
from evalapp.paper import entry, keys, questionnaire
from evalapp.paper.entry import Typed
from evalapp.responses import BLANK, Given
from evalapp.shelf import shelf
from evalapp.vault import Vault
from instruments import Instrument, Kind, library, visible
from tests import make
from tests.conftest import NOW
from tests.security import visitors

DAY = date(2026, 2, 27)
SECRET = "the planted words"


@dataclass
class Desk:
    """A paper that came back, and three people who may type it."""

    session: Session
    vault: Vault
    paper: Paper
    assignment: Assignment
    ann: StaffUser
    bob: StaffUser
    cyd: StaffUser

    @property
    def held(self) -> entry.Held:
        found = entry.of_id(self.session, self.paper.id)
        assert found is not None
        return found

    @property
    def response(self) -> Response | None:
        return responses.of_assignment(self.session, self.assignment.id)

    def whole(self, consent: str = "yes", **changed: Given) -> Typed:
        """Everything on the paper: every first box ticked, but for what is named."""
        given = {
            item.code: Given(make.plain_answer(item)) for item in questionnaire.asked(self.held.instrument, words_read=True)
        }  # fmt: skip
        return Typed(consent, DAY, {**given, **changed} if consent == "yes" else {})

    def types(self, who: StaffUser, typed: Typed | None = None) -> str:
        entry.begin(self.session, self.paper.id, who.id, vault=self.vault, now=NOW)
        entry.keep(self.session, self.paper.id, who.id, typed or self.whole(), vault=self.vault, now=NOW)
        return self.finish(who)

    def finish(self, who: StaffUser) -> str:
        return entry.finish(self.session, self.paper.id, who.id, vault=self.vault, now=NOW)

    def both(self) -> tuple[Typed, Typed]:
        found = entry.two_entries(self.session, self.paper.id, vault=self.vault)
        assert found is not None
        return found

    def settle(self, chosen: Typed) -> str:
        shown = entry.basis(self.paper.id, self.both(), vault=self.vault)
        return entry.settle(self.session, self.paper.id, chosen, shown, actor=self.cyd.id, vault=self.vault, now=NOW)

    def stored(self) -> dict[str, Given]:
        assert self.response is not None
        return responses.answers(self.session, self.response.id, vault=self.vault)

    def count(self, table: type[Base]) -> int:
        return self.session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def desk(session: Session, vault: Vault) -> Desk:
    review = make.review(session, make.site(session, make.trial(session)))
    assignment = make.assignment(session, make.person(session, review))
    staff = [visitors.member(session, role) for role in ("coordinator", "coordinator", "evaluator")]
    paper = entry.issue(session, assignment, language="en", actor="system", now=NOW)
    session.commit()
    return Desk(session, vault, paper, assignment, *staff)


def test_two_people_who_agree_make_a_response_on_paper_and_leave_nothing_else(desk: Desk) -> None:
    assert desk.types(desk.ann) == "waiting"
    assert desk.response is None
    assert desk.types(desk.bob) == "stored"
    found = desk.response
    assert found is not None
    assert (found.mode, found.state, found.consent_version) == ("paper", "submitted", questionnaire.INFORMATION)
    assert found.submitted_on == DAY
    applying = visible(desk.held.instrument, responses.values_of(desk.whole().given))
    assert set(desk.stored()) == {item.code for item in applying if item.kind != "information"}
    assert desk.count(PaperEntry) == 0
    assert desk.count(Score) == len(desk.held.instrument.scales)
    assert (desk.held.paper.state, desk.held.paper.kept) == ("stored", None)


def test_a_paper_scores_as_the_same_answers_given_in_a_browser_do(desk: Desk, session: Session) -> None:
    desk.types(desk.ann)
    desk.types(desk.bob)
    other = make.assignment(
        session, make.person(session, make.review(session, make.site(session, make.trial(session, "other"))))
    )
    same = make.answered(session, other, desk.vault, {code: one.value for code, one in desk.whole().given.items()})
    assert desk.response is not None

    def scores(response: Response) -> dict[str, float | None]:
        rows = session.execute(select(Score.scale, Score.value).where(Score.response_id == response.id))
        return {scale: value for scale, value in rows}  # noqa: C416

    assert scores(desk.response) == scores(same)


def test_refusals_and_blanks_are_kept_apart(desk: Desk) -> None:
    typed = desk.whole(BLG1=Given(None, "prefer_not"), BLG2=BLANK)
    desk.types(desk.ann, typed)
    assert desk.types(desk.bob, typed) == "stored"
    assert (desk.stored()["BLG1"], desk.stored()["BLG2"]) == (Given(None, "prefer_not"), BLANK)


def test_the_same_account_is_never_its_own_second_pair_of_eyes(desk: Desk, session: Session) -> None:
    desk.types(desk.ann)
    again = entry.begin(session, desk.paper.id, desk.ann.id, vault=desk.vault, now=NOW)
    assert (again.place, again.finished) == (1, True)
    assert desk.finish(desk.ann) == "waiting"
    assert desk.response is None
    session.commit()
    session.add(PaperEntry(paper_id=desk.paper.id, place=2, staff_id=desk.ann.id, sealed=b"", touched_at=NOW))
    with pytest.raises(IntegrityError):  # nor by any other way into the table
        session.flush()


def test_what_differs_is_found_in_the_order_of_the_paper_and_settled_by_whoever_decides(desk: Desk) -> None:
    desk.types(desk.ann, desk.whole(BLG3=Given(1), BLG1=Given(5)))
    assert desk.types(desk.bob, desk.whole(BLG3=BLANK, BLG1=Given(None, "prefer_not"))) == "differs"
    assert entry.differing(desk.held, *desk.both()) == ["BLG1", "BLG3"]
    assert desk.response is None
    with pytest.raises(entry.Unfinished):
        desk.settle(Typed(given={"BLG1": Given(5)}))
    assert desk.settle(Typed(given={"BLG1": Given(5), "BLG3": Given(2)})) == "stored"
    assert (desk.stored()["BLG1"], desk.stored()["BLG3"]) == (Given(5), Given(2))
    assert desk.count(PaperEntry) == 0


def test_only_what_differs_can_be_settled(desk: Desk) -> None:
    """What two people agree on is not changed by a third."""
    desk.types(desk.ann, desk.whole(BLG3=Given(1)))
    desk.types(desk.bob, desk.whole(BLG3=Given(2), BLG1=desk.whole().given["BLG1"]))
    desk.settle(Typed(given={"BLG3": Given(2), "BLG1": Given(5)}))
    assert desk.stored()["BLG1"] == desk.whole().given["BLG1"]


def test_entries_changed_since_the_page_was_shown_are_not_settled(desk: Desk, session: Session) -> None:
    desk.types(desk.ann, desk.whole(BLG3=Given(1)))
    desk.types(desk.bob)
    with pytest.raises(entry.ChangedMeanwhile):
        entry.settle(session, desk.paper.id, desk.whole(), "old", actor=desk.cyd.id, vault=desk.vault, now=NOW)
    assert desk.response is None


def test_a_no_on_paper_is_recorded_and_final(desk: Desk, session: Session) -> None:
    desk.types(desk.ann, desk.whole("no"))
    assert desk.types(desk.bob, desk.whole("no")) == "stored"
    assert desk.response is not None
    assert (desk.response.state, desk.response.mode) == ("declined", "paper")
    assert desk.stored() == {}
    with pytest.raises(responses.AlreadyAnswered):
        responses.begin(
            session, desk.assignment.id, language="en", mode="own_link", consent_version="1", agreed=True, today=DAY
        )


def test_without_a_tick_there_is_no_consent_and_no_response(desk: Desk) -> None:
    desk.types(desk.ann, desk.whole("none"))
    assert desk.types(desk.bob, desk.whole("none")) == "unused"
    assert desk.response is None
    assert desk.count(PaperEntry) == 0


def test_a_yes_one_person_overlooked_is_typed_by_a_second_before_it_counts(desk: Desk) -> None:
    desk.types(desk.ann)
    assert desk.types(desk.bob, desk.whole("none")) == "differs"
    assert entry.differing(desk.held, *desk.both()) == ["consent"]
    assert desk.settle(Typed(consent="yes")) == "waiting"
    assert [one.staff_id for one in entry.entries_of(desk.session, desk.paper.id)] == [desk.ann.id]
    assert desk.types(desk.bob) == "stored"


def test_a_yes_one_person_mistook_is_settled_as_no(desk: Desk) -> None:
    desk.types(desk.ann)
    desk.types(desk.bob, desk.whole("no"))
    assert desk.settle(Typed(consent="no")) == "stored"
    assert desk.response is not None
    assert desk.response.state == "declined"


@pytest.mark.parametrize("online", ["open", "submitted", "declined"])
def test_where_the_person_answered_in_another_way_too_both_are_kept(desk: Desk, session: Session, online: str) -> None:
    if online == "submitted":
        make.answered(session, desk.assignment, desk.vault)
    else:
        responses.begin(
            session, desk.assignment.id, language="en", mode="own_link", consent_version="1",
            agreed=online == "open", today=DAY,
        )  # fmt: skip
    before = desk.stored()
    desk.types(desk.ann)
    assert desk.types(desk.bob) == "held"
    assert desk.response is not None
    assert (desk.response.state, desk.response.mode, desk.stored()) == (online, "own_link", before)
    assert desk.held.paper.kept is not None
    assert desk.count(PaperEntry) == 0


def test_nobody_learns_that_somebody_answered_by_typing_half_a_paper(desk: Desk, session: Session) -> None:
    assert desk.types(desk.ann) == "waiting"
    entry.start_again(session, desk.paper.id, desk.ann.id, now=NOW)
    make.answered(session, desk.assignment, desk.vault)
    assert desk.types(desk.ann) == "waiting"


def decide(desk: Desk, paper_counts: bool) -> str:
    return entry.decide(
        desk.session, desk.paper.id, paper_counts=paper_counts, actor=desk.cyd.id, vault=desk.vault, now=NOW
    )


def test_when_the_other_answers_count_the_paper_s_are_deleted(desk: Desk, session: Session) -> None:
    make.answered(session, desk.assignment, desk.vault)
    desk.types(desk.ann)
    desk.types(desk.bob)
    assert decide(desk, paper_counts=False) == "unused"
    assert desk.held.paper.kept is None
    assert desk.response is not None
    assert desk.response.mode == "own_link"


def test_when_the_paper_counts_the_other_answers_are_kept_sealed_with_it(desk: Desk, session: Session) -> None:
    make.answered(session, desk.assignment, desk.vault, {"BLG1": 1})
    desk.types(desk.ann, desk.whole(BLG1=Given(5)))
    desk.types(desk.bob, desk.whole(BLG1=Given(5)))
    assert decide(desk, paper_counts=True) == "stored"
    assert desk.response is not None
    assert (desk.response.mode, desk.stored()["BLG1"]) == ("paper", Given(5))
    assert desk.count(Response) == 1
    kept = desk.held.paper.kept
    assert kept is not None
    assert '"BLG1":[1,null]' in desk.vault.unseal(kept, f"paper|{desk.paper.id}|kept")
    with pytest.raises(entry.Settled):
        decide(desk, paper_counts=False)


def test_a_no_given_in_another_way_is_never_set_aside(desk: Desk, session: Session) -> None:
    responses.begin(
        session, desk.assignment.id, language="en", mode="own_link", consent_version="1", agreed=False, today=DAY
    )
    desk.types(desk.ann)
    desk.types(desk.bob)
    session.commit()
    with pytest.raises(responses.AlreadyAnswered):
        decide(desk, paper_counts=True)
    session.rollback()
    assert desk.held.paper.state == "held"
    assert decide(desk, paper_counts=False) == "unused"


def test_a_finish_pressed_twice_stores_once(desk: Desk) -> None:
    desk.types(desk.ann)
    assert desk.finish(desk.ann) == "waiting"
    assert desk.types(desk.bob) == "stored"
    with pytest.raises(entry.Settled):
        desk.finish(desk.bob)
    assert desk.count(Response) == 1


def test_two_people_who_finish_at_one_moment_make_one_response(desk: Desk, session: Session, engine: Engine) -> None:
    for who in (desk.ann, desk.bob):
        entry.begin(session, desk.paper.id, who.id, vault=desk.vault, now=NOW)
        entry.keep(session, desk.paper.id, who.id, desk.whole(), vault=desk.vault, now=NOW)
    session.commit()
    ready = threading.Barrier(6)

    def finish(staff_id: str) -> str:
        with db.writing(engine) as own:
            entry.entries_of(own, desk.paper.id)  # as a page does before it holds the paper
            own.commit()
            ready.wait()
            try:
                stands = entry.finish(own, desk.paper.id, staff_id, vault=desk.vault, now=NOW)
            except entry.Settled:
                return "settled"
            own.commit()
            return stands

    with ThreadPoolExecutor(6) as people:
        found = list(people.map(finish, [desk.ann.id, desk.bob.id] * 3))
    assert found.count("stored") == 1
    assert set(found) <= {"waiting", "stored", "settled"}
    session.expire_all()
    assert (desk.count(Response), desk.count(PaperEntry)) == (1, 0)


def test_a_paper_is_not_finished_while_something_on_it_is_not_typed(desk: Desk, session: Session) -> None:
    entry.begin(session, desk.paper.id, desk.ann.id, vault=desk.vault, now=NOW)
    missing = {code: one for code, one in desk.whole().given.items() if code != "BLG1"}
    entry.keep(session, desk.paper.id, desk.ann.id, Typed("yes", DAY, missing), vault=desk.vault, now=NOW)
    with pytest.raises(entry.Unfinished):
        desk.finish(desk.ann)


def test_an_entry_nobody_touched_for_a_day_gives_its_place_to_somebody_else(desk: Desk, session: Session) -> None:
    entry.begin(session, desk.paper.id, desk.ann.id, vault=desk.vault, now=NOW)
    desk.types(desk.bob)
    with pytest.raises(entry.TypedByOthers):
        entry.begin(session, desk.paper.id, desk.cyd.id, vault=desk.vault, now=NOW)
    later = NOW + timedelta(days=1, minutes=1)
    assert entry.begin(session, desk.paper.id, desk.cyd.id, vault=desk.vault, now=later).place == 1
    assert {one.staff_id for one in entry.entries_of(session, desk.paper.id)} == {desk.bob.id, desk.cyd.id}


def test_what_is_typed_is_sealed_and_in_no_row_of_the_record(desk: Desk, session: Session) -> None:
    words = next(one.code for one in desk.held.instrument.items if one.kind == "long_text")
    desk.types(desk.ann, desk.whole(**{words: Given(SECRET)}))
    rows = session.scalars(select(PaperEntry)).all()
    assert SECRET.encode() not in rows[0].sealed
    assert SECRET in desk.vault.unseal(rows[0].sealed, f"paper_entry|{desk.paper.id}|1")
    desk.types(desk.bob, desk.whole(**{words: Given("something else")}))
    desk.settle(Typed(given={words: Given(SECRET)}))
    record = [(row.action, f"{row.object} {row.detail}") for row in session.scalars(select(Audit))]
    assert not [about for _, about in record if SECRET in about or "BLG" in about or words in about]
    assert [action for action, about in record if about.startswith("paper ")] == [
        "paper printed", *["paper entry begun", "paper entry finished"] * 2, "paper differences settled", "paper stored",
    ]  # fmt: skip
    assert audit.first_break(session) is None


def test_a_question_that_was_not_to_be_answered_is_not_stored(desk: Desk) -> None:
    """Paper cannot hide a question; what was written at one that does not apply is dropped, as in a browser."""
    hidden = next(one for one in desk.held.instrument.items if one.show_if is not None)
    asks = hidden.show_if.item  # type: ignore[union-attr]
    desk.types(desk.ann, desk.whole(**{asks: Given("no"), hidden.code: Given(make.plain_answer(hidden))}))
    desk.types(desk.bob, desk.whole(**{asks: Given("no"), hidden.code: Given(make.plain_answer(hidden))}))
    assert hidden.code not in desk.stored()


def test_a_paper_being_typed_keeps_what_it_is_of(desk: Desk, session: Session) -> None:
    """As a response begun does: a review whose days are taken out takes back only what nobody began to answer."""
    desk.types(desk.ann)
    place = session.get_one(make.Membership, desk.assignment.membership_id)
    review = session.get_one(make.Review, place.review_id)
    review.starts_on, review.ends_on = None, None
    session.flush()
    roster.assign(session, place)
    assert session.get(Assignment, desk.assignment.id) is not None
    entry.start_again(session, desk.paper.id, desk.ann.id, now=NOW)
    roster.assign(session, place)
    session.expire_all()
    assert session.get(Assignment, desk.assignment.id) is None
    assert desk.count(Paper) == 0


def test_after_a_death_a_paper_that_must_not_be_asked_is_not_typed(session: Session, vault: Vault) -> None:
    review = make.review(session, make.site(session, make.trial(session)))
    assignment = make.assignment_of(session, make.person(session, review, "parent"), "after")
    staff = visitors.member(session, "coordinator")
    paper = entry.issue(session, assignment, language="en", actor="system", now=NOW)
    review.outcome = "death"
    session.commit()
    with pytest.raises(entry.NotAsked):
        entry.begin(session, paper.id, staff.id, vault=vault, now=NOW)


def test_a_serial_is_found_however_it_is_typed_or_scanned(desk: Desk, session: Session) -> None:
    serial = desk.paper.serial
    scanned = questionnaire.square(desk.held.instrument, entry.spaced(serial))
    for typed in (serial, entry.spaced(serial).lower(), f" {serial[:4]} {serial[4:]} ".replace("0", "o"), scanned):
        found = entry.of_serial(session, typed)
        assert found is not None, typed
        assert found.id == desk.paper.id
    for typed in ("", "0000-0000", serial[:-1], "x" * 500):
        assert entry.of_serial(session, typed) is None


def test_a_live_trial_without_a_reader_prints_no_box_for_words_and_no_draft(session: Session, vault: Vault) -> None:
    place = make.person(session, make.review(session, make.site(session, make.trial(session, kind="live"))))
    assignment = make.assignment(session, place)
    paper = entry.issue(session, assignment, language="en", actor="system", now=NOW)
    assert paper.words_read is False
    instrument = entry.in_language(session, assignment, "cy")
    assert instrument.language in {"en", *instrument.approved_languages}
    assert not [one for one in questionnaire.asked(instrument, words_read=False) if one.kind in responses.TEXT_KINDS]
    session.scalars(select(Trial)).one().text_reader = "A named reader"
    assert entry.words_read(session, assignment)


# keys


def everything() -> list[Instrument]:
    return [one.in_language(language) for one in library() if one.asked for language in one.languages]


def test_every_kind_of_question_can_be_typed() -> None:
    assert {*keys.READERS, "information"} == set(get_args(Kind))


def test_what_is_typed_for_any_answer_of_any_question_reads_back_as_that_answer() -> None:
    count = 0
    for instrument in everything():
        for item in questionnaire.asked(instrument, words_read=True):
            given = [BLANK, *(Given(None, str(box.code)) for box in questionnaire.refusals(instrument, item))]
            if item.kind == "several":
                given += [Given([code]) for code in item.codes] + [Given(list(item.codes))]
            elif item.options:
                given += [Given(code) for code in item.codes]
            else:
                given += [Given(make.plain_answer(item))]
            for one in given:
                assert keys.read(instrument, item, keys.shown(instrument, item, one)) == one
                assert keys.in_words(instrument, item, one)
                count += 1
    assert count > 2000


def test_no_two_boxes_of_a_question_have_one_key() -> None:
    for instrument in everything():
        for item in questionnaire.asked(instrument, words_read=True):
            both = [box.key for box in (*questionnaire.boxes(item), *questionnaire.refusals(instrument, item))]
            assert len({*both, questionnaire.BLANK}) == len(both) + 1


@pytest.mark.parametrize(
    ("code", "typed"),
    [("BLG1", "6"), ("BLG1", "x"), ("BLG1", "1 2"), ("BLG1", "agree"), ("BLG1", "０"), ("BLG1", "1.0")],
)
def test_what_is_not_on_the_paper_is_not_taken(code: str, typed: str) -> None:
    instrument = shelf().latest("practitioner_before")
    with pytest.raises(ValueError, match="Type one of 1, 2, 3, 4, 5"):
        keys.read(instrument, instrument.item(code), typed)


@pytest.mark.parametrize(("typed", "day"), [("27 3 2026", date(2026, 3, 27)), ("1/12/2025", date(2025, 12, 1)),
                                            ("2026-03-27", date(2026, 3, 27))])  # fmt: skip
def test_a_day_is_read_as_people_write_it(typed: str, day: date) -> None:
    assert keys.read_day(typed) == day


@pytest.mark.parametrize("typed", ["30 2 2026", "27 3 26", "3 27 2026", "today", "", "１ 3 2026x"])
def test_a_day_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="Type a day"):
        keys.read_day(typed)


def young_and_parent(session: Session) -> tuple[Membership, Membership]:
    review = make.review(session, make.site(session, make.trial(session)))
    young, parent = make.person(session, review, "young_person"), make.person(session, review, "parent")
    roster.link(session, young, parent, actor="coordinator", now=NOW)
    return young, parent


def test_no_paper_is_printed_for_a_young_person_before_a_parent_s_yes_and_none_typed_in_after_a_no(
    session: Session, vault: Vault
) -> None:
    young, parent = young_and_parent(session)
    assignment = make.assignment(session, young, "after")
    with pytest.raises(entry.NotAsked):
        entry.issue(session, assignment, language="en", actor="system", now=NOW)
    said = {"consent_version": "x", "today": DAY}
    roster.say(session, young.id, parent.id, agreed=True, **said)
    paper = entry.issue(session, assignment, language="en", actor="system", now=NOW)
    ann = visitors.member(session, "coordinator")
    entry.begin(session, paper.id, ann.id, vault=vault, now=NOW)
    roster.say(session, young.id, parent.id, agreed=False, **said)
    entry.keep(session, paper.id, ann.id, Typed("no", assignment.opens_on), vault=vault, now=NOW)
    with pytest.raises(entry.NotAsked):
        entry.finish(session, paper.id, ann.id, vault=vault, now=NOW)


@pytest.mark.parametrize("choice", ["keep", "delete"])
def test_who_withdraws_has_no_paper_typed_in_and_none_printed(desk: Desk, session: Session, choice: str) -> None:
    desk.types(desk.ann)
    place = session.get_one(Membership, desk.assignment.membership_id)
    withdrawals.withdraw(session, place.person_id, choice, vault=desk.vault, now=NOW, today=NOW.date())
    session.commit()
    session.expire_all()
    assert desk.count(PaperEntry) == 0
    assert desk.held.paper.state == "unused"
    with pytest.raises(entry.Settled):
        entry.begin(session, desk.paper.id, desk.bob.id, vault=desk.vault, now=NOW)
    with pytest.raises(entry.NotAsked):
        entry.issue(session, desk.assignment, language="en", actor="system", now=NOW)
    assert desk.response is None
