"""Agreement on fidelity: the coefficients are the analysis's own, of reviews that both scored, and a gap has its reason."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.measures.agreement import Agreement, icc_agreement, kappa
from evalapp import create_app, db, measures
from evalapp.config import Settings
from evalapp.dashboard import agreement
from evalapp.figures import Estimate, Missing
from evalapp.models import Trial
from tests.conftest import NOW, SECRETS, Clock
from tests.dashboard import truths
from tests.security import visitors


def page_of(app: Flask, session: Session, path: str) -> str:
    who = visitors.staff_browser(app, session, visitors.member(session, "evaluator"))
    answer = who.get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


@pytest.fixture(scope="module")
def known(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a trial whose reviews were scored, some by both, and one in which nobody scored anything."""
    path = tmp_path_factory.mktemp("agreement") / "agreement.db"
    shutil.copy(migrated_file, path)
    engine = db.make_engine(f"sqlite:///{path}")
    with db.writing(engine) as opened:
        truths.build(opened, "four", now=NOW)
        truths.build(opened, "empty", now=NOW)
        opened.commit()
    engine.dispose()
    return f"sqlite:///{path}"


@pytest.fixture
def session(known: str) -> Iterator[Session]:
    engine = db.make_engine(known)
    with db.writing(engine) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def app(known: str, asset_folder: Path) -> Iterator[Flask]:
    settings = Settings(
        database_url=known, secret_key=SECRETS["EVALAPP_SECRET_KEY"], root_key=SECRETS["EVALAPP_ROOT_KEY"],
        assets=asset_folder, https=True, hosts=("127.0.0.1", "localhost"),
    )  # fmt: skip
    made = create_app(settings, clock=Clock())
    made.testing = False
    yield made
    made.extensions["evalapp"].engine.dispose()


@pytest.fixture
def trial(session: Session) -> Trial:
    return session.scalars(select(Trial).where(Trial.slug == "four")).one()


def test_the_coefficients_are_the_analysis_s_own_over_reviews_scored_by_both(session: Session, trial: Trial) -> None:
    found = agreement.found(session, trial, 0.95, by_arm=True)
    reviews = measures.fidelities(session, trial.id)
    both = reviews[reviews["facilitator"].notna() & reviews["observer"].notna()]
    assert (found.reviews, found.double) == (len(reviews), len(both))
    by_hand = icc_agreement(both[["facilitator", "observer"]].to_numpy(dtype=float))
    assert found.scores[0].result == by_hand
    given = measures.scorings(session, trial.id).set_index(["review", "scorer"])["FID6"].unstack()
    apart = kappa(given["facilitator"].to_numpy(float), given["observer"].to_numpy(float), (0.0, 1.0, 2.0), "quadratic")
    assert isinstance(apart, Agreement)
    assert found.criteria[5].result == apart
    assert found.criteria[5].both == apart.n


def test_groups_are_apart_only_once_results_are_open(app: Flask, session: Session, trial: Trial) -> None:
    assert "Whole score, Appreciative group" in page_of(app, session, "/dashboard/four/fidelity")
    trial.results_open_at = NOW + timedelta(days=9)
    session.commit()
    page = page_of(app, session, "/dashboard/four/fidelity")
    trial.results_open_at = NOW - timedelta(days=1)
    session.commit()
    assert "Whole score, all reviews" in page
    assert "ppreciative group" not in page
    assert "The groups are kept together for now" in page


def test_those_who_led_score_above_those_who_watched(session: Session, trial: Trial) -> None:
    above = agreement.found(session, trial, 0.95, by_arm=True).above
    assert isinstance(above, Estimate)
    assert above.low < 6 < above.high  # what the demonstration's answers are drawn with


@pytest.mark.parametrize(
    ("both", "says"),
    [
        (0, "no review was scored by both, and 10 are needed"),
        (1, "one review was scored by both, and 10 are needed"),
        (9, "9 reviews were scored by both, and 10 are needed"),
    ],
)
def test_a_gap_has_its_reason(both: int, says: str) -> None:
    scores = pd.DataFrame({"facilitator": np.arange(both) * 10.0, "observer": np.arange(both) * 9.0})
    line = agreement._score("Whole score", scores, 0.95)
    assert (line.result, line.reason) == (None, says)
    found = agreement.Found(30, both, 0, (line,), (), Missing("-"))
    assert not found.known
    assert says in agreement.finding(found)
    assert agreement.table(found).rows[0][-1] == says
    assert ("Nobody has scored the same review twice" in agreement.coverage(found)) is (both == 0)
    if both:
        assert ("fewer than the design asks for" in agreement.coverage(found)) is (both < 6)


def test_before_anyone_scored_the_page_says_so(app: Flask, session: Session) -> None:
    page = page_of(app, session, "/dashboard/empty/fidelity")
    assert "Agreement cannot be worked out yet" in page
    assert "No review has been scored yet." in page
    assert "<svg" not in page
    who = visitors.staff_browser(app, session, visitors.member(session, "evaluator"))
    rows = list(csv.reader(io.StringIO(who.get("/dashboard/empty/fidelity.csv").get_data(as_text=True))))
    assert all("no review was scored by both" in row[-1] for row in rows[1:])


def graded(*rows: tuple[str, str, dict[str, Any]]) -> pd.DataFrame:
    blank = dict.fromkeys([f"FID{number}" for number in range(1, 13)], np.nan)
    return pd.DataFrame([{"review": review, "scorer": scorer, **blank, **given} for review, scorer, given in rows])


def test_a_review_with_two_of_a_kind_is_left_out_of_the_criteria_and_counted() -> None:
    pairs, several = agreement._pairs(
        graded(
            ("a", "facilitator", {"FID1": 2}), ("a", "observer", {"FID1": 1}), ("b", "facilitator", {"FID1": 0}),
            ("c", "facilitator", {"FID1": 1}), ("c", "observer", {"FID1": 1}), ("c", "observer", {"FID1": 2}),
        )
    )  # fmt: skip
    assert list(pairs.index) == ["a"]
    assert several == 1
    assert pairs.loc["a", ("FID1", "facilitator")] == 2
    assert pairs.loc["a", ("FID1", "observer")] == 1


def test_when_everyone_gives_one_grade_there_is_no_number() -> None:
    rows = [(str(k), who, {"FID1": 2.0}) for k in range(12) for who in ("facilitator", "observer")]
    pairs, _ = agreement._pairs(graded(*rows))
    line = agreement._criterion("1", pairs, "FID1", 0.95)
    assert line.result is None
    assert "gave everybody the same score" in line.reason
