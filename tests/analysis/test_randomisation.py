"""The randomisation test counts what brute enumeration counts, and its interval is its p-value turned round."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.resampling.allocations import Stratified, scheme
from analysis.resampling.meet_in_the_middle import tail_counts
from analysis.resampling.randomisation import RandomisationTest, randomisation_test
from analysis.results import Floats, NotEstimable


def allocations(arm: Floats, stratum: np.typing.NDArray[np.intp] | None = None) -> list[Floats]:
    """Every allocation with the same number of treated sites in each stratum."""
    stratum = np.zeros(len(arm), dtype=np.intp) if stratum is None else stratum
    found = []
    for chosen in combinations(range(len(arm)), int(arm.sum())):
        other = np.zeros(len(arm))
        other[list(chosen)] = 1.0
        if all(other[stratum == k].sum() == arm[stratum == k].sum() for k in set(stratum.tolist())):
            found.append(other)
    return found


def brute_p(arms: list[Floats], arm: Floats, outcome: Floats, arm_means: Floats, effect: float = 0.0) -> float:
    values = outcome - effect * arm_means

    def difference(a: Floats) -> float:
        return abs(float(values[a == 1].mean() - values[a == 0].mean()))

    observed = difference(arm)
    return sum(difference(a) >= observed - 1e-10 * max(observed, np.abs(values).max()) for a in arms) / len(arms)


def run(arm: Floats, outcome: Floats, arm_means: Floats | None = None, **options: object) -> RandomisationTest:
    stratum = options.pop("stratum", None)
    result = randomisation_test(
        scheme(arm, stratum),  # type: ignore[arg-type]
        arm,
        outcome,
        arm if arm_means is None else arm_means,
        rng=np.random.default_rng(1),
        **options,  # type: ignore[arg-type]
    )
    assert isinstance(result, RandomisationTest)
    return result


def sites(seed: int, treated: int, control: int) -> tuple[Floats, Floats, Floats]:
    """Arm, outcome means and arm means (residualised on a covariate) of some sites."""
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.repeat([1.0, 0.0], [treated, control]))
    covariate = rng.normal(size=len(arm))
    covariate -= covariate.mean()
    slope = float(covariate @ arm / (covariate @ covariate))
    return arm, rng.normal(size=len(arm)) + 0.8 * arm, arm - slope * covariate


@pytest.mark.parametrize(("treated", "control"), [(2, 2), (3, 3), (4, 4), (2, 5), (5, 3), (6, 5)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p_is_that_of_brute_enumeration(seed: int, treated: int, control: int) -> None:
    arm, outcome, arm_means = sites(seed, treated, control)
    got = run(arm, outcome, arm_means)
    assert got.allocations == math.comb(treated + control, treated)
    assert got.p == pytest.approx(brute_p(allocations(arm), arm, outcome, arm_means), abs=1e-12)


@pytest.mark.parametrize(("treated", "control"), [(4, 4), (3, 6), (5, 4), (6, 5)])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_interval_is_where_p_exceeds_alpha(seed: int, treated: int, control: int) -> None:
    arm, outcome, arm_means = sites(seed, treated, control)
    got = run(arm, outcome, arm_means, level=0.9)
    arms = allocations(arm)
    low, high = got.ci
    assert low is not None
    assert high is not None
    width = high - low
    for effect in np.linspace(low - width, high + width, 61):
        if min(abs(effect - low), abs(effect - high)) > 1e-9 * width:
            p = brute_p(arms, arm, outcome, arm_means, float(effect))
            assert (p > 0.1) == (low < effect < high)
    assert brute_p(arms, arm, outcome, arm_means, got.estimate) == 1.0


def test_the_interval_reaches_the_outermost_accepted_effects_where_a_covariate_nearly_is_the_arm() -> None:
    """Then other allocations carry more of the arm than the observed one, and accepted effects may have gaps."""
    rng = np.random.default_rng(11)
    gaps = 0
    for _ in range(60):
        arm = rng.permutation(np.repeat([1.0, 0.0], 4))
        arm_means = 0.3 * (arm - 0.5) + rng.normal(0, 0.25, 8)
        if arm @ (arm_means - arm_means.mean()) < 0.05:
            continue
        outcome = rng.normal(size=8)
        got, arms = run(arm, outcome, arm_means, level=0.6), allocations(arm)
        for end, side in zip(got.ci, (-1.0, 1.0), strict=True):
            far = got.estimate + side * 1e6
            if end is None:
                assert brute_p(arms, arm, outcome, arm_means, far) > 0.4
                continue
            inside = [end - side * gap * (abs(end) + 1) for gap in (1e-7, 1e-3, 0.1)]
            beyond = [end + side * gap * (abs(end) + 1) for gap in (1e-7, 1e-3, 0.1, 1.0, 1e4)]
            assert brute_p(arms, arm, outcome, arm_means, inside[0]) > 0.4
            assert all(brute_p(arms, arm, outcome, arm_means, effect) <= 0.4 for effect in beyond)
            steps = np.linspace(got.estimate, end, 14)[1:-1]
            gaps += any(brute_p(arms, arm, outcome, arm_means, float(effect)) <= 0.4 for effect in steps)
    assert gaps > 0  # otherwise nothing was tried here that the plain cases do not try


def test_an_interval_that_no_allocation_can_close_is_open() -> None:
    arm, outcome, arm_means = sites(1, 3, 3)
    got = run(arm, outcome, arm_means)
    assert got.ci == (None, None)
    assert "smallest p" in got.warnings[0]


def test_strata_and_pairs_only_swap_within_themselves() -> None:
    arm = np.array([1.0, 0, 1, 0, 1, 0, 0, 1, 0, 1])
    outcome = np.random.default_rng(5).normal(size=10) + arm
    for stratum in (np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1]), np.arange(10) // 2):
        arms = allocations(arm, stratum)
        got = run(arm, outcome, stratum=stratum)
        assert got.allocations == len(arms)
        assert got.p == pytest.approx(brute_p(arms, arm, outcome, arm), abs=1e-12)


def test_the_smallest_p_is_known_before_there_are_answers() -> None:
    assert scheme(np.repeat([1.0, 0.0], 3)).smallest_p() == pytest.approx(0.1)
    assert scheme(np.repeat([1.0, 0.0], 4)).smallest_p() == pytest.approx(2 / 70)
    assert scheme(np.repeat([1.0, 0.0], [3, 5])).smallest_p() == pytest.approx(1 / 56)
    pairs = Stratified(tuple(np.array([2 * k, 2 * k + 1]) for k in range(6)), (1,) * 6)
    assert pairs.smallest_p() == pytest.approx(2 / 2**6)


@pytest.mark.parametrize(("treated", "control"), [(6, 6), (4, 7)])
def test_meeting_in_the_middle_counts_what_enumeration_counts(treated: int, control: int) -> None:
    arm, outcome, arm_means = sites(3, treated, control)
    whole = run(arm, outcome, arm_means)
    halves = run(arm, outcome, arm_means, enumerate_up_to=0)
    assert halves.exact
    assert halves.p == pytest.approx(whole.p, abs=1e-12)
    assert halves.ci == pytest.approx(whole.ci, rel=1e-7)  # bisection stops at 1e-9 of the width


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=4, max_size=9), st.integers(1, 3), st.integers(-6, 6))
def test_tails_with_ties_are_counted_whole(values: list[int], treated: int, bound: int) -> None:
    sums = [sum(chosen) for chosen in combinations(values, treated)]
    below, above = tail_counts(np.array(values, dtype=float), treated, bound - 0.5, bound - 0.5)
    assert below == sum(total <= bound - 0.5 for total in sums)
    assert above == sum(total >= bound - 0.5 for total in sums)


def test_forty_sites_are_counted_exactly_and_agree_with_a_draw() -> None:
    arm, outcome, arm_means = sites(1, 20, 20)
    got = run(arm, outcome - 0.4 * arm, arm_means)
    assert got.exact
    assert got.allocations == math.comb(40, 20)
    rng = np.random.default_rng(7)
    scores = (outcome - 0.4 * arm)[:, None] - (outcome - 0.4 * arm).mean()
    drawn = np.abs(scheme(arm).drawn_sums(scores, 40_000, rng)[:, 0])
    p = float((drawn >= abs(float(arm @ scores[:, 0]))).mean())
    assert got.p == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / 40_000))  # five Monte Carlo standard errors


def test_a_drawn_p_is_never_zero_and_comes_again_from_its_seed() -> None:
    arm = np.tile([1.0, 0.0], 22)
    stratum = np.arange(44) // 22
    outcome = np.random.default_rng(2).normal(size=44) + 50 * arm
    first, second = (run(arm, outcome, stratum=stratum, draws=999) for _ in range(2))
    assert not first.exact
    assert first.p == 1 / 1000
    assert first == second


def test_every_allocation_is_enumerated_once() -> None:
    plan = scheme(np.array([1.0, 1, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1, 1]))
    powers = 2.0 ** np.arange(6)[:, None]
    sums = plan.every_sum(powers)[:, 0]
    assert len(set(sums.tolist())) == plan.count == len(sums) == 9


def test_drawn_allocations_treat_each_site_equally_often() -> None:
    plan = scheme(np.array([1.0, 1, 0, 0, 0]))
    draws = plan.drawn_sums(np.eye(5), 20_000, np.random.default_rng(3))
    assert (draws.sum(axis=1) == 2).all()
    assert draws.mean(axis=0) == pytest.approx(np.full(5, 0.4), abs=5 * math.sqrt(0.24 / 20_000))


def test_an_arm_that_covariates_determine_is_not_estimable() -> None:
    arm = np.tile([1.0, 0.0], 4)
    result = randomisation_test(scheme(arm), arm, np.arange(8.0), np.zeros(8), rng=np.random.default_rng(1))
    assert isinstance(result, NotEstimable)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-100, 100), st.floats(0.01, 100))
def test_p_does_not_change_with_the_units_of_the_outcome(seed: int, shift: float, scale: float) -> None:
    arm, outcome, arm_means = sites(seed, 4, 4)
    one, other = run(arm, outcome, arm_means), run(arm, shift + scale * outcome, arm_means)
    assert other.p == one.p
    for end, scaled in zip(one.ci, other.ci, strict=True):
        assert (end is None) == (scaled is None)
        if end is not None:
            assert scaled == pytest.approx(scale * end, rel=1e-7, abs=1e-9)
