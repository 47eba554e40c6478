"""Reference cases and simulated trials for the tests of statistics."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.compare import Comparison, Question, compare

REFERENCES = Path(__file__).parent.parent / "references"
CASES = ("tvsfp", "eight_sites_zero_variance", "twenty_sites_uneven")
PLANNED = {"tvsfp": 28, "eight_sites_zero_variance": 8, "twenty_sites_uneven": 20}


def table(case: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCES / f"{case}.csv")


@cache
def answers_of_r(case: str) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((REFERENCES / f"{case}.json").read_text())
    return answers


def question(**changes: Any) -> Question:
    usual = {
        "outcome": "outcome",
        "arm": "arm",
        "site": "site",
        "review": "review",
        "participant": "participant",
        "baseline": "baseline",
        "design": "randomised",
    }
    return Question(**{**usual, **changes})


@cache
def ours(case: str) -> Comparison:
    return compare(table(case), question(planned_sites=PLANNED[case]))


def trial(
    seed: int = 1,
    sites: int = 8,
    reviews: int = 3,
    people: int = 6,
    uneven: bool = True,
    effect: float = 0.0,
    icc_site: float = 0.05,
    icc_review: float = 0.03,
) -> pd.DataFrame:
    """A simulated trial with equal arms, total variance 1 and a baseline correlated 0.5 with the outcome."""
    rng = np.random.default_rng(seed)
    arm_of = rng.permutation(np.arange(sites) % 2)
    rows = []
    for site in range(sites):
        site_effect = rng.normal(0, icc_site**0.5)
        for review in range(int(rng.integers(1, 2 * reviews)) if uneven else reviews):
            cluster = site_effect + rng.normal(0, icc_review**0.5)
            size = int(rng.integers(2, 2 * people - 1)) if uneven else people
            baseline = rng.normal(size=size)
            residual = (1 - icc_site - icc_review) ** 0.5 * (0.5 * baseline + 0.75**0.5 * rng.normal(size=size))
            outcome = cluster + effect * arm_of[site] + residual
            rows.append(
                pd.DataFrame(
                    {"site": site, "review": review, "arm": arm_of[site], "baseline": baseline, "outcome": outcome}
                )
            )
    frame = pd.concat(rows, ignore_index=True)
    frame["participant"] = np.arange(len(frame))
    return frame
