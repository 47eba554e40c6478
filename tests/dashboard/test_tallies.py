"""Answers counted by the database are the answers of the same people, on SQLite and on PostgreSQL."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pandas as pd
from flask import Flask
from sqlalchemy.orm import Session

from evalapp import responses, roster
from evalapp.dashboard import items
from evalapp.models import Membership, Person, Trial
from tests import make
from tests.dashboard import asked, crowd
from tests.dashboard.test_items import AT, BLG, FILES, PAGES, PRACTITIONER
from tests.dashboard.test_pages import evaluator, text_of


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
