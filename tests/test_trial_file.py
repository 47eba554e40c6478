"""A trial brought in from a CSV is the trial the command line compares, and a bad file changes nothing."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from analysis.compare import Question, compare
from analysis.errors import BadData
from evalapp import responses
from evalapp.exchange import trial_file
from evalapp.models import Response, Trial
from evalapp.vault import Vault
from tests.conftest import NOW

REFERENCES = Path(__file__).parent / "references"
MAP = {"site": "site", "review": "review", "participant": "participant", "arm": "arm", "baseline": "baseline"} | {
    "outcome": "outcome"
}
SAID = trial_file.Described(slug="brought-in", title="Brought in", label="Knowledge", treatment="1", planned_sites=8)


def small(**changes: object) -> pd.DataFrame:
    """Two sites an arm, two people each."""
    rows = [
        {
            "site": site,
            "review": "a",
            "participant": n,
            "arm": site // 2,
            "baseline": 2.0 + n,
            "outcome": 3.0 + site + n,
        }
        for site in range(4)
        for n in range(2)
    ]
    return pd.DataFrame(rows).assign(**changes)


def test_the_comparison_of_a_trial_brought_in_is_that_of_its_file(session: Session, vault: Vault) -> None:
    table = pd.read_csv(REFERENCES / "eight_sites_zero_variance.csv")
    trial_file.bring_in(session, table, MAP, SAID, vault=vault, now=NOW)
    trial = session.scalars(select(Trial)).one()
    frame = responses.scores_frame(session, trial.id, "MEASURE", ["before", "after"])
    wide = frame.pivot(index=["site", "review", "participant", "arm"], columns="wave", values="value").reset_index()
    asked = Question(
        outcome="after", arm="arm", site="site", review="review", participant="participant", baseline="before",
        treatment="1", design="randomised", planned_sites=8, methods=("lmm_kenward_roger", "cluster_summary"),
    )  # fmt: skip
    brought = compare(wide, asked).to_dict()
    direct = compare(table, replace(asked, outcome="outcome", baseline="baseline")).to_dict()
    for count in ("analysed", "sites", "reviews", "participants"):
        assert brought["n"][count] == direct["n"][count]
    for method in asked.methods:
        for key in ("estimate", "se", "df", "p"):
            if key in direct["methods"][method]:
                assert brought["methods"][method][key] == pytest.approx(direct["methods"][method][key], rel=1e-9)


def test_a_missing_value_is_a_person_without_that_answer(session: Session, vault: Vault) -> None:
    table = small()
    table.loc[0, "outcome"] = None
    brought = trial_file.bring_in(session, table, MAP, SAID, vault=vault, now=NOW)
    assert brought == trial_file.Brought(sites=4, reviews=4, people=8, answers=15, left_out={"no outcome": 1})
    trial = session.scalars(select(Trial)).one()
    states = responses.people_frame(session, trial.id).groupby(["wave", "state"]).size().to_dict()
    assert states == {("before", "submitted"): 8, ("after", "submitted"): 7, ("after", "expected"): 1}


BAD = [
    ({"outcome": ["x"] * 8}, MAP, "column 'outcome' must hold numbers; see rows 2, 3, 4 and 5 more"),
    ({"outcome": [float("inf")] + [1.0] * 7}, MAP, "column 'outcome' must hold numbers; see row 2"),
    ({"arm": 1}, MAP, "must hold two labels, not 1"),
    ({"arm": [0, 0, 1, 1, 2, 2, 1, 1]}, MAP, "must hold two labels, not 3"),
    ({"arm": [0, 1, 0, 0, 1, 1, 1, 1]}, MAP, "site '0' is in two arms"),
    ({"participant": 1}, MAP, "names a person twice in rows 2, 3, 4 and 5 more"),
    ({"site": [None] + [1] * 7}, MAP, "column 'site' is empty in row 2"),
    ({}, MAP | {"outcome": "score"}, "there is no column 'score'; the columns are site, review"),
]


@pytest.mark.parametrize(("changes", "columns", "words"), BAD)
def test_a_bad_file_is_refused_with_what_to_do_and_nothing_stays(
    session: Session, vault: Vault, changes: dict[str, object], columns: dict[str, str], words: str
) -> None:
    with pytest.raises(BadData, match="^.*" + words.replace("(", r"\(")):
        trial_file.bring_in(session, small(**changes), columns, SAID, vault=vault, now=NOW)
    assert session.scalar(select(func.count()).select_from(Response)) == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"treatment": "2"}, "--treatment '2' is not an arm; the arms are 0 and 1"),
        ({"slug": "No spaces"}, "small letters, numbers and dashes"),
    ],
)
def test_what_is_said_of_a_file_is_checked(session: Session, vault: Vault, said: dict[str, str], words: str) -> None:
    with pytest.raises(BadData, match=words):
        trial_file.bring_in(session, small(), MAP, replace(SAID, **said), vault=vault, now=NOW)


def test_the_same_trial_twice_is_refused(session: Session, vault: Vault) -> None:
    trial_file.bring_in(session, small(), MAP, SAID, vault=vault, now=NOW)
    with pytest.raises(BadData, match="there is a trial 'brought-in' already"):
        trial_file.bring_in(session, small(), MAP, SAID, vault=vault, now=NOW)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (("site=a,arm=b",), "does not say which column is the outcome"),
        (("site",), "is not MEANING=COLUMN"),
        (("colour=c",), "is not MEANING=COLUMN"),
    ],
)
def test_a_map_says_what_it_lacks(pairs: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadData, match=words):
        trial_file.read_map(pairs)
