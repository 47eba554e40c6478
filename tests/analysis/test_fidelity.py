"""Fidelity: who scored, what is missing, and when a review is of high fidelity."""

import math
from typing import Any

import pandas as pd
import pytest

from analysis.errors import BadData
from analysis.measures.fidelity import CRITERIA, fidelity


def scorer(kind: str, score: Any = 2, review: str = "a", **changes: Any) -> dict[str, Any]:
    return {"review": review, "scorer": kind, **dict.fromkeys(CRITERIA, score), **changes}


def of(*rows: dict[str, Any]) -> dict[str, Any]:
    return dict(fidelity(pd.DataFrame(rows)).iloc[0])


@pytest.mark.parametrize(
    ("rows", "score", "high", "why"),
    [
        ([scorer("facilitator")], 100, 100, "everything fully there"),
        ([scorer("observer", 0)], 0, 0, "nothing there"),
        ([scorer("facilitator", FID2=0, FID3=0)], 20 / 24 * 100, 100, "83.3, and no essential criterion at 0"),
        ([scorer("facilitator", FID2=0, FID3=0, FID5=1)], 19 / 24 * 100, 0, "79.2 is below 80"),
        ([scorer("facilitator", FID4=0)], 22 / 24 * 100, 0, "an essential criterion at 0"),
        ([scorer("facilitator"), scorer("observer", FID9=0)], (100 + 22 / 24 * 100) / 2, 0, "0 to the observer alone"),
        ([scorer("facilitator", FID4=None)], 100, None, "an essential criterion not scored: not known"),
        ([scorer("facilitator", 1, FID4=None)], 50, 0, "low, whatever the missing one would be"),
        ([scorer("facilitator", FID2=None, FID3=None, FID5=None)], 100, 100, "nine of twelve scored"),
        ([scorer("facilitator", FID2=None, FID3=None, FID5=None, FID6=None)], None, None, "eight: no score"),
        ([scorer("observer"), scorer("observer", 1), scorer("facilitator", 0)], 37.5, 0, "two observers count as one"),
    ],
)
def test_a_review_s_fidelity(rows: list[dict[str, Any]], score: float | None, high: float | None, why: str) -> None:
    found = of(*rows)
    for name, wanted in (("fidelity", score), ("high_fidelity", high)):
        assert math.isnan(found[name]) if wanted is None else found[name] == pytest.approx(wanted), f"{why}: {name}"


def test_both_scorers_are_shown_apart_and_doubles_are_counted() -> None:
    found = fidelity(pd.DataFrame([scorer("facilitator"), scorer("observer", 1), scorer("observer", 0, review="b")]))
    assert list(found["double"]) == [True, False]
    assert list(found["facilitator"].fillna(-1)) == [100, -1]
    assert list(found["observer"]) == [50, 0]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([scorer("facilitator", FID7=3)], 'column "FID7" holds 3'),
        ([scorer("neighbour")], 'column "scorer" holds "neighbour"'),
        ([{"review": "a", "scorer": "observer"}], 'no column "FID1"'),
    ],
)
def test_what_is_no_score_is_refused_in_one_line(rows: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(BadData, match=says):
        fidelity(pd.DataFrame(rows))
