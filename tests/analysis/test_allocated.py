"""The allocation record makes the reference set: constrained sets and minimisation as they were, silent sites included."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.allocated import allocated, drawn, scheme_of
from analysis.compare import Comparison, compare
from analysis.errors import BadData
from analysis.report.beside import Adjusted
from analysis.report.document import plan_from_dict
from analysis.report.run import run_plan
from analysis.resampling.allocations import Constrained, Minimised, Stratified
from analysis.resampling.randomisation import NO_SITE, RandomisationTest, randomisation_test
from analysis.results import Floats, NotEstimable
from tests.analysis.cases import question, trial


def recorded(seed: int = 3, sites: int = 10) -> pd.DataFrame:
    """A trial with what its allocation used: the size and the country of each site, and the order of entry."""
    frame = trial(seed, sites=sites, effect=0.4)
    rng = np.random.default_rng(seed)
    size, entry = rng.integers(3, 40, sites), rng.permutation(sites)
    return frame.assign(
        size=size[frame.site], country=np.array(["wales", "england"])[frame.site % 2], entry=entry[frame.site]
    )


def balanced(frame: pd.DataFrame, best: float) -> tuple[Floats, Floats]:
    """Every equal allocation whose difference in mean size is among the best share, one by one; and the sizes."""
    size = frame.groupby("site")["size"].first().to_numpy(float)
    sites = len(size)
    arms = np.zeros((0, sites))
    for members in combinations(range(sites), sites // 2):
        arms = np.vstack((arms, np.isin(np.arange(sites), members)))
    apart = np.abs(np.array([size[arm == 1].mean() - size[arm == 0].mean() for arm in arms]))
    return arms[apart <= np.quantile(apart, best, method="inverted_cdf") * (1 + 1e-12)], size


def acceptable(seed: int = 3) -> pd.DataFrame:
    """A trial whose arms are one of the acceptable allocations."""
    frame = recorded(seed)
    arms, _ = balanced(frame, 0.2)
    return frame.assign(arm=arms[seed % len(arms)][frame.site].astype(int))


def reallocated(frame: pd.DataFrame, **changes: Any) -> RandomisationTest:
    found = answered(frame, **changes).methods["randomisation"]
    assert isinstance(found, RandomisationTest)
    return found


def answered(frame: pd.DataFrame, **changes: Any) -> Comparison:
    return compare(frame, question(methods=("randomisation",), planned_sites=10, **{"baseline": None, **changes}))


def test_a_constrained_set_is_the_best_balanced_share_and_p_is_over_it_alone() -> None:
    frame = acceptable()
    arms, _ = balanced(frame, 0.2)
    got = reallocated(frame, allocation="constrained", balance=("size",), best=0.2)
    means = frame.groupby("site").outcome.mean().to_numpy()
    apart = np.abs([means[arm == 1].mean() - means[arm == 0].mean() for arm in arms])
    observed = frame.groupby("site").arm.first().to_numpy()
    mine = abs(means[observed == 1].mean() - means[observed == 0].mean())
    assert got.exact
    assert got.allocations == len(arms)
    assert got.p == np.mean(apart >= mine * (1 - 1e-10))
    assert got.p != reallocated(frame).p


def test_an_allocation_less_balanced_than_was_acceptable_is_refused() -> None:
    frame = acceptable()
    size = frame.groupby("site")["size"].first()
    apart = size.rank(method="first") > 5  # the five largest sites in one arm: the worst balanced of all
    found = answered(
        frame.assign(arm=frame.site.map(apart).astype(int)), allocation="constrained", balance=("size",), best=0.2
    )
    result = found.methods["randomisation"]
    assert isinstance(result, NotEstimable)
    assert "not one that the scheme could have made" in result.reason


def test_where_there_are_too_many_acceptable_ones_are_drawn_with_the_one_that_was_made() -> None:
    frame = recorded(5, sites=24)
    size = frame.groupby("site")["size"].first().sort_values()
    turns = np.tile([0, 1, 1, 0], 6)  # as balanced as can be
    frame = frame.assign(arm=frame.site.map(dict(zip(size.index, turns, strict=True))))
    asked = question(allocation="constrained", balance=("size",), seed=4)
    record = allocated(frame, asked)
    plan = scheme_of(record, asked)
    assert drawn(record, asked)
    assert isinstance(plan, Constrained)
    assert plan.could_make(record.arm)
    got = reallocated(frame, allocation="constrained", balance=("size",), seed=4)
    assert any("drawn by the seed" in one for one in got.warnings)


def test_minimised_sites_enter_in_their_order_and_the_procedure_is_run_again() -> None:
    frame = recorded()
    asked = question(allocation="minimised", balance=("country",), order="entry", coin=0.7)
    record = allocated(frame, asked)
    entry = frame.groupby("site").entry.first()
    assert list(record.labels) == [str(site) for site in entry.sort_values().index]
    plan = scheme_of(record, asked)
    assert isinstance(plan, Minimised)
    assert plan.probability == 0.7
    assert (plan.factors[:, -1] == 0).all()  # the arms' sizes are balanced too
    got = reallocated(frame, allocation="minimised", balance=("country",), order="entry")
    assert (got.allocations, got.exact) == (None, False)
    assert any("country, which the comparison does not adjust for" in one for one in got.warnings)
    assert not any("complete randomisation assumed" in one for one in got.warnings)


def test_a_site_without_answers_is_allocated_again_with_the_others() -> None:
    frame = acceptable()
    arms, _ = balanced(frame, 0.2)
    silent = 2
    frame.loc[frame.site == silent, "outcome"] = np.nan
    got = reallocated(frame, allocation="constrained", balance=("size",), best=0.2)
    means = frame.groupby("site").outcome.mean().to_numpy()
    there = np.arange(10) != silent
    apart = np.abs([means[(arm == 1) & there].mean() - means[(arm == 0) & there].mean() for arm in arms])
    observed = frame.groupby("site").arm.first().to_numpy()
    mine = abs(means[(observed == 1) & there].mean() - means[(observed == 0) & there].mean())
    assert got.allocations == len(arms)
    assert got.p == np.mean(apart >= mine * (1 - 1e-10))
    assert got.estimate == pytest.approx(means[(observed == 1) & there].mean() - means[(observed == 0) & there].mean())


def test_an_allocation_that_is_not_recorded_has_no_reference_set() -> None:
    found = answered(acceptable(), allocation="unrecorded").methods["randomisation"]
    assert isinstance(found, NotEstimable)
    assert "does not hold how sites were drawn" in found.reason


def test_an_arm_that_some_allocation_leaves_without_answers_has_no_test() -> None:
    arm = np.array([1.0, 1.0, 0.0, 0.0])
    means = np.array([1.0, np.nan, 2.0, np.nan])
    found = randomisation_test(Stratified((np.arange(4),), (2,)), arm, means, arm, rng=np.random.default_rng(1))
    assert found == NotEstimable(NO_SITE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"allocation": "constrained"}, "without balance"),
        ({"allocation": "minimised", "balance": ("country",)}, "needs the order"),
        ({"allocation": "constrained", "balance": ("size",), "order": "entry"}, "needs the order"),
        ({"balance": ("size",)}, "say which: constrained, minimised"),
        ({"allocation": "stratified"}, "without strata"),
        ({"allocation": "pairs"}, "without pairs"),
        ({"allocation": "complete", "strata": "country"}, "name one or the other"),
        ({"allocation": "constrained", "balance": ("size",), "design": "nonrandomised"}, "sites that chose"),
        ({"allocation": "constrained", "balance": ("outcome",)}, "cannot be what the allocation of sites used"),
        ({"allocation": "constrained", "balance": ("size",), "best": 0.0}, "best is 0"),
        ({"allocation": "minimised", "balance": ("country",), "order": "entry", "coin": 0.5}, "the coin is 0.5"),
        ({"allocation": "drawn lots"}, "it is one of complete"),
    ],
)
def test_an_allocation_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words):
        question(**changes)


@pytest.mark.parametrize(
    ("spoil", "asked", "words"),
    [
        (lambda f: f.assign(size=f["size"].where(f.site != 4)), {"balance": ("size",)}, "site 4 has no value"),
        (lambda f: f.assign(size=np.arange(len(f))), {"balance": ("size",)}, "in more than one value"),
        (
            lambda f: f.assign(entry=f.entry.replace(3, 4)),
            {"allocation": "minimised", "balance": ("country",), "order": "entry"},
            "two sites have the same place",
        ),
    ],
)
def test_a_record_with_gaps_or_contradictions_is_refused_in_one_line(
    spoil: Any, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadData, match=words):
        answered(spoil(acceptable()), **{"allocation": "constrained", **asked})


def planned(**changes: Any) -> dict[str, Any]:
    outcomes = [
        {"code": "a", "label": "A", "column": "outcome", "family": "primary", "method": "randomisation"},
        {"code": "b", "label": "B", "column": "other", "family": "secondary", "method": "cluster_summary"},
    ]
    columns = {"arm": "arm", "site": "site", "participant": "participant"}
    return {
        "title": "A trial", "estimand": "Everyone, as allocated.", "design": "randomised", "planned_sites": [5, 5],
        "adjust": "westfall_young", "tipping": False, "columns": columns, "outcomes": outcomes, **changes,
    }  # fmt: skip


def test_a_plan_may_name_a_constrained_allocation_for_its_test_and_its_family() -> None:
    frame = acceptable().assign(other=lambda f: f.outcome + np.sin(f.participant))
    recorded_in = {**planned()["columns"], "balance": ["size"]}
    plan = plan_from_dict(planned(allocation="constrained", best=0.2, columns=recorded_in))
    assert plan_from_dict(plan.to_dict()) == plan
    report = run_plan(plan, frame)
    arms, _ = balanced(frame, 0.2)
    found = next(one.result for one in report.entries if one.method == "randomisation")
    assert isinstance(found, RandomisationTest)
    assert found.allocations == len(arms)
    assert isinstance(report.secondary, Adjusted)
    means = frame.groupby("site").other.mean().to_numpy()
    pooled = [float(stats.ttest_ind(means[arm == 1], means[arm == 0]).statistic) for arm in arms]
    mine = frame.groupby("site").arm.first().to_numpy()
    observed = float(stats.ttest_ind(means[mine == 1], means[mine == 0]).statistic)
    assert report.secondary.p["b"] == pytest.approx(np.mean(np.abs(pooled) >= abs(observed) * (1 - 1e-9)))


def test_a_plan_that_has_no_use_for_them_keeps_the_hash_it_had() -> None:
    written = plan_from_dict(planned()).to_dict()
    assert not {"best", "coin"} & set(written)
    assert not {"balance", "order"} & set(written["columns"])


def test_a_minimised_plan_needs_the_order_of_entry() -> None:
    with pytest.raises(BadData, match="order in which sites entered"):
        plan_from_dict(planned(allocation="minimised", columns={**planned()["columns"], "balance": ["country"]}))
