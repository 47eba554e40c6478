"""Comparing site means: the plain t test of them, nothing else, and a reason where there is none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import BadData
from analysis.question import Question
from analysis.results import Effect, NotEstimable
from analysis.two_stage.site_level import compare_sites

ASKED = Question(
    outcome="outcome", arm="arm", site="site", review="review", participant="participant", treatment="new",
    design="randomised", planned_sites=16,
)  # fmt: skip


def reviews(sites: int = 8, *, effect: float = 0.0, spread: float = 1.0, seed: int = 1) -> pd.DataFrame:
    """One to four reviews a site, uneven on purpose."""
    rng = np.random.default_rng(seed)
    rows = [
        {"site": f"{arm}{number}", "arm": arm, "review": f"{arm}{number}-{label}", "outcome": float(value)}
        for arm in ("new", "old")
        for number in range(sites)
        for label, value in enumerate(rng.normal(effect if arm == "new" else 0, spread, size=1 + number % 4))
    ]
    return pd.DataFrame(rows).assign(participant=lambda frame: frame["review"])


def test_it_is_the_t_test_of_unweighted_site_means() -> None:
    frame = reviews(effect=1.0)
    found = compare_sites(frame, ASKED).primary_result
    means = frame.groupby(["arm", "site"])["outcome"].mean()
    plain = stats.ttest_ind(means["new"], means["old"])
    low, high = plain.confidence_interval()
    assert isinstance(found, Effect)
    assert [found.estimate, found.p, *found.ci] == pytest.approx(
        [means["new"].mean() - means["old"].mean(), plain.pvalue, low, high], rel=1e-10
    )  # the same formula, so to rounding
    assert found.df == 14


def test_a_difference_of_log_days_is_the_ratio_of_geometric_means() -> None:
    frame = reviews()
    days = np.exp(frame["outcome"])
    found = compare_sites(frame.assign(outcome=np.log(days)), ASKED).primary_result
    of_sites = np.log(days).groupby([frame["arm"], frame["site"]]).mean()
    assert isinstance(found, Effect)
    assert np.exp(found.estimate) == pytest.approx(
        np.exp(of_sites["new"].mean()) / np.exp(of_sites["old"].mean()), rel=1e-10
    )


def test_it_counts_reviews_and_people_and_says_what_it_cannot_know() -> None:
    frame = reviews()
    frame.loc[1, "outcome"] = np.nan
    found = compare_sites(frame, ASKED)
    assert found.counts.sites == (8, 8)
    assert sum(found.counts.reviews or ()) == found.counts.analysed == len(frame) - 1
    assert found.counts.excluded == {"missing outcome": 1}
    assert isinstance(found.variance, NotEstimable)
    assert found.icc == {"site": None, "review": None}
    assert set(found.methods) == {"cluster_summary", "randomisation"}


@pytest.mark.parametrize(
    ("planned", "decides", "tag"),
    [(24, "cluster_summary", "pre-specified"), (4, "cluster_summary", "pre-specified"), (3, None, "pre-specified"),
     (None, "cluster_summary", "exploratory")],
)  # fmt: skip
def test_the_planned_sites_choose_and_few_are_described(planned: int | None, decides: str | None, tag: str) -> None:
    asked: dict[str, Any] = {**vars(ASKED), "planned_sites": planned}
    found = compare_sites(reviews(), Question(**asked))
    assert (found.primary.method, found.primary.tag) == (decides, tag)


def test_sites_not_allocated_by_chance_are_compared_as_they_are() -> None:
    asked = Question(**{**vars(ASKED), "design": "nonrandomised"})
    by_chance, not_by_chance = (compare_sites(reviews(effect=1), one).primary_result for one in (ASKED, asked))
    assert isinstance(by_chance, Effect)
    assert isinstance(not_by_chance, Effect)
    assert not_by_chance.estimate == pytest.approx(by_chance.estimate, rel=1e-12)


def test_where_no_site_differs_from_another_there_is_no_number() -> None:
    with pytest.raises(BadData):
        compare_sites(reviews().assign(outcome=1.0), ASKED)
    apart = reviews().assign(outcome=lambda frame: (frame["arm"] == "new") * 100.0)
    assert isinstance(compare_sites(apart, ASKED).primary_result, NotEstimable)


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """200 trials of ten sites: 95 % of intervals, give or take 3 % (two standard errors of the simulation)."""
    asked = Question(**{**vars(ASKED), "planned_sites": 10})
    held = 0
    for seed in range(200):
        found = compare_sites(reviews(5, effect=0.7, seed=seed), asked).primary_result
        assert isinstance(found, Effect)
        low, high = found.ci
        held += low is not None and high is not None and low <= 0.7 <= high
    assert held / 200 == pytest.approx(0.95, abs=0.03)
