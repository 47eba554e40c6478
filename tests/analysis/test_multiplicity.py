"""Several outcomes: Holm and Hochberg are R's; Westfall–Young is what enumerating the allocations says."""

import json
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import BadData
from analysis.multiplicity import hochberg, holm
from analysis.resampling.allocations import Minimised, complete, stratified
from analysis.resampling.randomisation import NOT_OF_THE_SCHEME, RandomisationTest, randomisation_test
from analysis.resampling.westfall_young import WestfallYoung, westfall_young
from analysis.results import Floats, NotEstimable
from tests.analysis.cases import REFERENCES

R: dict[str, Any] = json.loads((REFERENCES / "design.json").read_text())


@pytest.mark.parametrize("case", R["adjusted"], ids=lambda case: f"{np.size(case['p'])} outcomes")
def test_adjusted_p_values_are_those_of_r(case: dict[str, Any]) -> None:
    p = np.atleast_1d(case["p"])
    for method, name in ((holm, "holm"), (hochberg, "hochberg")):
        assert method(p) == pytest.approx(np.atleast_1d(case[name]), abs=1e-14)
        assert method(p, case["family"]) == pytest.approx(np.atleast_1d(case[f"{name}_of_more"]), abs=1e-14)


def test_a_test_that_could_not_be_made_has_no_adjusted_p() -> None:
    case = R["with_gap"]
    p, want = np.array(case["p"], dtype=float), np.array(case["holm"], dtype=float)
    assert np.isnan(p[1])
    np.testing.assert_allclose(holm(p), want, atol=1e-14)
    np.testing.assert_allclose(hochberg(p), np.array(case["hochberg"], dtype=float), atol=1e-14)


@settings(max_examples=50, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_hochberg_loses_no_more_than_holm_and_neither_more_than_bonferroni(values: list[float]) -> None:
    p = np.array(values)
    bonferroni = np.minimum(1.0, p * len(p))
    assert (p <= hochberg(p)).all()
    assert (hochberg(p) <= holm(p)).all()
    assert (holm(p) <= bonferroni).all()


def test_what_is_no_p_value_or_no_family_is_refused() -> None:
    with pytest.raises(BadData, match="between 0 and 1"):
        holm(np.array([0.2, 1.2]))
    with pytest.raises(BadData, match="family of 2"):
        hochberg(np.array([0.1, 0.2, 0.3]), family=2)


def pooled_t(values: Floats, arm: Floats) -> float:
    there = ~np.isnan(values)
    one, other = values[there & (arm == 1)], values[there & (arm == 0)]
    if min(len(one), len(other)) < 2:
        return np.inf
    squares = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
    pooled = squares / (len(one) + len(other) - 2)
    return float(abs(one.mean() - other.mean()) / np.sqrt(pooled * (1 / len(one) + 1 / len(other))))


def brute(arms: list[Floats], arm: Floats, outcomes: Floats) -> tuple[list[float], list[float]]:
    """Raw and step-down adjusted p, straight from the definition."""
    observed = np.array([pooled_t(y, arm) for y in outcomes.T])
    drawn = np.array([[pooled_t(y, a) for y in outcomes.T] for a in arms])
    bound = observed * (1 - 1e-10)
    raw = (drawn >= bound).mean(axis=0)
    order = np.argsort(-observed)
    adjusted = np.empty(len(observed))
    so_far = 0.0
    for place, k in enumerate(order):
        so_far = max(so_far, float((drawn[:, order[place:]].max(axis=1) >= bound[k]).mean()))
        adjusted[k] = so_far
    return raw.tolist(), adjusted.tolist()


def related(seed: int, sites: int, outcomes: int = 4) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(sites, outcomes)) + rng.normal(size=(sites, 1))


def every(sites: int, treated: int) -> list[Floats]:
    return [np.isin(np.arange(sites), chosen).astype(float) for chosen in combinations(range(sites), treated)]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(("sites", "treated"), [(8, 4), (9, 3)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_adjusted_p_is_that_of_brute_enumeration(seed: int, sites: int, treated: int, missing: bool) -> None:
    outcomes = related(seed, sites)
    arm = complete(sites, treated).allocate(np.random.default_rng(seed))
    outcomes[:, 1] += 2 * arm
    if missing:
        # Of each arm one site lacks the second outcome; some allocations then leave it one site in an arm.
        outcomes[[int(np.flatnonzero(arm == 1)[0]), int(np.flatnonzero(arm == 0)[0])], 1] = np.nan
        outcomes[int(np.flatnonzero(arm == 0)[1]), 3] = np.nan
    got = westfall_young(complete(sites, treated), arm, outcomes, rng=np.random.default_rng(1))
    assert isinstance(got, WestfallYoung)
    assert got.exact
    raw, adjusted = brute(every(sites, treated), arm, outcomes)
    assert got.p == pytest.approx(raw, abs=1e-12)
    assert got.adjusted_p == pytest.approx(adjusted, abs=1e-12)


def test_one_outcome_is_not_adjusted_and_has_the_p_of_its_randomisation_test() -> None:
    plan = stratified(np.arange(10) % 2, (2, 3))
    arm = plan.allocate(np.random.default_rng(2))
    values = related(5, 10, 1) + arm[:, None]
    got = westfall_young(plan, arm, values, rng=np.random.default_rng(1))
    alone = randomisation_test(plan, arm, values[:, 0], arm, rng=np.random.default_rng(1))
    assert isinstance(got, WestfallYoung)
    assert isinstance(alone, RandomisationTest)
    assert got.p == got.adjusted_p == pytest.approx((alone.p,))


def test_outcomes_that_say_the_same_cost_nothing_and_unrelated_ones_no_more_than_holm() -> None:
    plan = complete(10)
    arm = plan.allocate(np.random.default_rng(3))
    one = related(4, 10, 1) + arm[:, None]
    same = westfall_young(plan, arm, np.column_stack((one, 3 * one + 1, -one)), rng=np.random.default_rng(1))
    assert isinstance(same, WestfallYoung)
    assert same.adjusted_p == pytest.approx(same.p)
    other = westfall_young(plan, arm, related(6, 10, 5) + arm[:, None], rng=np.random.default_rng(1))
    assert isinstance(other, WestfallYoung)
    # Of a discrete statistic maxT may exceed Holm by a little; here it does not.
    assert (np.array(other.adjusted_p, float) <= holm(np.array(other.p, float)) + 1e-12).all()


def test_a_draw_is_near_the_enumeration_comes_again_and_is_never_zero() -> None:
    plan = complete(12)
    arm = plan.allocate(np.random.default_rng(3))
    outcomes = related(7, 12) + np.array([9.0, 0, 0.5, 1]) * arm[:, None]
    whole = westfall_young(plan, arm, outcomes, rng=np.random.default_rng(1))
    one, other = (
        westfall_young(plan, arm, outcomes, rng=np.random.default_rng(1), enumerate_up_to=0, draws=9_999)
        for _ in range(2)
    )
    assert one == other
    assert isinstance(one, WestfallYoung)
    assert isinstance(whole, WestfallYoung)
    assert not one.exact
    assert min(p for p in one.p if p is not None) >= 1 / 10_000
    # Five Monte Carlo standard errors at p = ½.
    assert one.adjusted_p == pytest.approx(whole.adjusted_p, abs=5 * 0.5 / 100)


def test_an_outcome_that_cannot_be_judged_has_no_p_and_does_not_disturb_the_others() -> None:
    plan = complete(8)
    arm = plan.allocate(np.random.default_rng(3))
    outcomes = related(8, 8, 2)
    alike, absent = np.full(8, 1.1), np.where(arm == 1, np.nan, 1.0 + np.arange(8.0))
    alone = westfall_young(plan, arm, outcomes, rng=np.random.default_rng(1))
    got = westfall_young(plan, arm, np.column_stack((alike, outcomes, absent)), rng=np.random.default_rng(1))
    assert isinstance(got, WestfallYoung)
    assert isinstance(alone, WestfallYoung)
    assert got.adjusted_p == (None, *alone.adjusted_p, None)
    assert westfall_young(plan, arm, alike[:, None], rng=np.random.default_rng(1)) == NotEstimable(
        "no outcome has two sites in each arm that differ"
    )
    assert westfall_young(complete(8, 3), arm, outcomes, rng=np.random.default_rng(1)) == NotEstimable(
        NOT_OF_THE_SCHEME
    )


def test_minimised_trials_are_judged_by_running_the_procedure_again() -> None:
    plan = Minimised(np.zeros((10, 1), int), probability=0.7)
    arm = plan.allocate(np.random.default_rng(1))
    got = westfall_young(plan, arm, related(9, 10), rng=np.random.default_rng(1), draws=499)
    assert isinstance(got, WestfallYoung)
    assert got.allocations is None
    assert "499 random allocations" in got.warnings[0]


def test_among_true_nulls_some_outcome_is_claimed_in_one_trial_of_twenty_at_most() -> None:
    plan, trials = complete(8), 300
    rng = np.random.default_rng(12)
    claimed = 0
    for _ in range(trials):
        arm = plan.allocate(rng)
        got = westfall_young(plan, arm, rng.normal(size=(8, 5)) + rng.normal(size=(8, 1)), rng=rng)
        assert isinstance(got, WestfallYoung)
        claimed += min(p for p in got.adjusted_p if p is not None) <= 0.05
    assert claimed / trials <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5
