"""Answers counted by the database are the answers of the same people, on SQLite and on PostgreSQL."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from flask import Flask
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from evalapp import db, findings, measures, responses, roster
from evalapp.dashboard import items
from evalapp.models import Membership, Person, Trial
from tests import make
from tests.dashboard import asked, crowd
from tests.dashboard.test_items import AT, BLG, FILES, PAGES, PRACTITIONER
from tests.dashboard.test_pages import evaluator, text_of

# Everything that is read of a whole trial.
READ: dict[str, Callable[[Session, Trial], Any]] = {
    "scores": lambda session, of: responses.scores_frame(session, of.id, "BLG", ["before", "month3"]),
    "answers": lambda session, of: responses.answers_frame(session, of.id, "practitioner_month3", BLG),
    "people": lambda session, of: responses.people_frame(session, of.id),
    "board": lambda session, of: responses.board_tally(session, of.id),
    "people of a site": lambda session, of: responses.people_expected(session, of.id, "site", {"wave": "month3"}),
    "people of a wave": lambda session, of: responses.people_expected(session, of.id, "wave", {}),
    "asked": lambda session, of: responses.asked_of(session, of.id),
    "questionnaires": lambda session, of: responses.questionnaires_of(session, of.id),
    "score counts": lambda session, of: responses.scores_tally(session, of.id, "BLG", PRACTITIONER),
    "answer counts": lambda session, of: responses.answers_tally(session, of.id, PRACTITIONER, BLG, by_arm=True),
    "patterns": lambda session, of: responses.patterns_tally(session, of.id, PRACTITIONER, BLG),
    "turnout": lambda session, of: responses.turnout_tally(session, of.id, date(2026, 3, 2)),
    "blanks": lambda session, of: responses.blanks_tally(session, of.id),
    "clean": lambda session, of: findings._is_clean(session, of.id, "before"),
    "invited": lambda session, of: measures.invited(session, of.id, "practitioner", "after"),
}


def in_reviews_of_two_sites(session: Session, of: Trial) -> None:
    """Someone who answered at a site and, in an earlier review, at another of a later name."""
    late, early = (
        make.site(session, of, "Aytown", arm="traditional"),
        make.site(session, of, "Zedtown", arm="traditional"),
    )
    second = make.person(session, make.review(session, late, starts_on=crowd.LONG_AGO + timedelta(days=9)))
    first = roster.add_person(
        session, make.review(session, early, starts_on=crowd.LONG_AGO), "practitioner",
        person=session.get_one(Person, second.person_id),
    )  # fmt: skip
    for place, value in ((second, 2), (first, 4)):
        asked.answer(session, place, "month3", {"BLG1": 6 - value, "BLG2": 6 - value, "BLG3": value, "BLG4": value})


def lines_of(found: Any) -> list[str]:
    """What was read, whatever its kind, a line a row in order."""
    if not isinstance(found, pd.DataFrame):
        return sorted(
            map(repr, found.items() if isinstance(found, dict) else found if isinstance(found, list) else [found])
        )
    return sorted(map(repr, found.astype(object).where(found.notna(), None).itertuples(index=False, name=None)))


@pytest.mark.parametrize("read", READ.values(), ids=list(READ))
def test_what_is_read_some_sites_at_a_time_is_what_is_read_at_once(
    session: Session, read: Callable[[Session, Trial], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=2, reviews=2, each=2)
    in_two_reviews(session, of)
    in_reviews_of_two_sites(session, of)
    session.commit()
    whole = lines_of(read(session, of))
    assert whole
    monkeypatch.setattr(responses, "PLACES", {"sqlite": 1, "postgresql": 1})
    assert lines_of(read(session, of)) == whole


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("read", READ.values(), ids=list(READ))
def test_sqlite_reads_a_site_s_people_and_no_more(
    session: Session, engine: Engine, read: Callable[[Session, Trial], Any]
) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=1, reviews=1, each=2)
    session.commit()
    said: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _k, text, given, *_: said.append((text, given)))
    with db.reading(engine) as reader:
        read(reader, reader.get_one(Trial, of.id))
    with engine.connect() as connection:
        steps = [
            (step[3], text)
            for text, given in list(said)
            if "FROM" in text and "membership" in text
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)
        ]
    assert steps
    large = ("assignment", "response", "answer", "score")
    for step, text in steps:
        assert not any(index in step for index in ("ix_response_instrument", "ix_assignment_wave", "ix_score")), text
        assert not any(step.startswith(f"SCAN {table}") for table in large), (step, text)


def test_somebody_who_sends_does_not_wait_for_a_whole_trial_to_be_read(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=2, reviews=1, each=2)
    session.commit()
    monkeypatch.setattr(responses, "PLACES", {"sqlite": 1, "postgresql": 1})
    with db.reading(engine) as reader:
        query = select(Membership.id).where(responses.at_its_sites())
        rows = responses.site_by_site(reader, of.id, query)
        assert next(rows)
        with db.writing(engine) as writer:  # held until its time is up, if anything still read the file
            writer.get_one(Trial, of.id).title = "Sent meanwhile"
            writer.commit()
        assert len(list(rows)) == 2 * 2 * 2 - 1


def in_two_reviews(session: Session, of: Trial) -> Membership:
    """Someone who answered in a review and again in a later one of the same site."""
    site = make.site(session, of, "Twicetown", arm="appreciative")
    first = make.person(session, make.review(session, site, "First", starts_on=crowd.LONG_AGO))
    later = make.review(session, site, "Later", starts_on=crowd.LONG_AGO + timedelta(days=30))
    second = roster.add_person(session, later, "practitioner", person=session.get_one(Person, first.person_id))
    for place, value in ((second, 1), (first, 5)):
        asked.answer(session, place, "month3", {"BLG1": 6 - value, "BLG2": 6 - value, "BLG3": value, "BLG4": value})
    session.commit()
    return first


def test_scores_counted_by_the_database_are_the_scores_of_the_same_people(session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of)
    in_two_reviews(session, of)
    rows = responses.scores_frame(session, of.id, "BLG", ["before", "after", "month3"])
    tally = responses.scores_tally(session, of.id, "BLG", PRACTITIONER)
    frame, unscored = items.people_of(tally)
    keys = ["site", "review", "wave", "value"]
    there = Counter(rows.loc[rows["value"].notna(), keys].itertuples(index=False, name=None))
    assert Counter(frame.itertuples(index=False, name=None)) == there
    assert sum(unscored.values()) == int(rows["value"].isna().sum())


def test_answers_counted_by_the_database_are_the_answers_of_the_same_people(session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of)
    in_two_reviews(session, of)
    tally = responses.answers_tally(session, of.id, PRACTITIONER, BLG, by_arm=True)
    rows = responses.answers_frame(session, of.id, "practitioner_month3", BLG)
    first = rows.sort_values("review").drop_duplicates(["participant", "item"])  # the same number in either review
    there = Counter((row.item, row.arm, None if pd.isna(row.reason) else row.reason) for row in first.itertuples())
    here: Counter[Any] = Counter()
    for row in tally[tally["wave"] == "month3"].itertuples():
        here[row.item, row.arm, row.reason] += row.people
    assert here == there
    pooled = responses.answers_tally(session, of.id, PRACTITIONER, BLG, by_arm=False)
    assert pooled["arm"].isna().all()
    assert pooled["people"].sum() == tally["people"].sum()


def test_someone_in_two_reviews_counts_in_the_first(session: Session) -> None:
    of = crowd.trial(session)
    first = in_two_reviews(session, of)
    tally = responses.scores_tally(session, of.id, "BLG", PRACTITIONER)
    assert tally["review"].tolist() == [first.review_id]
    assert tally["value"].tolist() == [100.0]
    answers = responses.answers_tally(session, of.id, PRACTITIONER, ["BLG3"], by_arm=False)
    assert (answers["value"].tolist(), answers["people"].tolist()) == ([5], [1])
    assert responses.patterns_tally(session, of.id, PRACTITIONER, ["BLG3"])["people"].tolist() == [1]


def test_another_trial_s_answers_are_in_no_count(session: Session) -> None:
    mine, other = crowd.trial(session), make.trial(session, "other")
    asked.people(session, mine, sites=1, reviews=1, each=2, waves=["before"])
    asked.people(session, other, sites=1, reviews=1, each=3, waves=["before"], seed=8)
    assert responses.scores_tally(session, mine.id, "BLG", PRACTITIONER)["people"].sum() == 4
    assert responses.answers_tally(session, mine.id, PRACTITIONER, ["BLG1"], by_arm=True)["people"].sum() == 4
    assert responses.patterns_tally(session, mine.id, PRACTITIONER, BLG)["people"].sum() == 4
    assert responses.turnout_tally(session, mine.id, date(2026, 3, 2))["expected"].sum() == 4 * 3
    assert responses.blanks_tally(session, mine.id)["shown"].sum() == 4 * 4


def test_kinds_of_answers_are_read_as_they_were_given(session: Session) -> None:
    of = crowd.trial(session)
    site = make.site(session, of, arm="appreciative")
    place = make.person(session, make.review(session, site, starts_on=crowd.LONG_AGO))
    given = {"BLG1": 4, "BLG2": None, "BLG4": asked.REFUSED, "A": "word", "B": ["b", "a"], "C": 2.5}
    asked.answer(session, place, "before", given)
    tally = responses.answers_tally(session, of.id, PRACTITIONER, list(given), by_arm=False).set_index("item")
    assert tally["value"].to_dict() == {"BLG1": 4, "BLG2": None, "BLG4": None, "A": "word", "B": ("b", "a"), "C": 2.5}
    numbers = responses.answers_tally(session, of.id, PRACTITIONER, ["BLG1", "BLG2"], by_arm=False)
    assert set(numbers["value"]) == {4, None}  # never a NaN beside the numbers
    assert tally["reason"].to_dict()["BLG4"] == asked.REFUSED


def test_every_page_and_file_of_a_question_is_there(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=2, reviews=1, each=3)
    who = evaluator(app, session)
    for path in (*(AT + path for path in (*PAGES, *FILES)), "/dashboard/trial/questions", "/dashboard/trial/missing"):
        text_of(who, path)
