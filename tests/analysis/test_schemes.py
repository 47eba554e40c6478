"""A scheme allocates and is the reference set: what it makes, what it could have made, and the tests made of that."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.compare import compare
from analysis.errors import BadData
from analysis.resampling.allocations import (
    AllocationScheme,
    Constrained,
    Minimised,
    Stratified,
    complete,
    constrained,
    matched_pairs,
    stratified,
)
from analysis.resampling.randomisation import NOT_OF_THE_SCHEME, RandomisationTest, randomisation_test
from analysis.resampling.studentised import studentised_test
from analysis.results import Floats, NotEstimable
from tests.analysis.cases import question
from tests.analysis.cases import trial as people

# Relative; statistics closer than this are ties, in the tests as in the method.
TIE = 1e-10


def every_allocation(plan: AllocationScheme) -> Floats:
    """Asked of the scheme one by one."""
    arms = np.array(list(product([0.0, 1.0], repeat=plan.sites)))
    return arms[[plan.could_make(arm) for arm in arms]]


def difference(values: Floats, arm: Floats) -> float:
    return abs(float(values[arm == 1].mean() - values[arm == 0].mean()))


def welch(values: Floats, arm: Floats) -> float:
    """Absolute Welch statistic; infinite for one site in an arm."""
    one, other = values[arm == 1], values[arm == 0]
    if min(len(one), len(other)) < 2:
        return math.inf
    return difference(values, arm) / math.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))


def brute_p(statistic, arms: Floats, arm: Floats, values: Floats) -> float:  # type: ignore[no-untyped-def]
    observed = statistic(values, arm)
    return float(np.mean([statistic(values, a) >= observed - TIE * max(observed, 1e-6) for a in arms]))


def some_candidates(rng: np.random.Generator, sites: int, count: int) -> Constrained:
    """Allocations of differing sizes of arm, most without their mirror."""
    arms = np.unique(rng.integers(0, 2, (4 * count, sites)), axis=0)
    arms = arms[(arms.sum(axis=1) > 1) & (arms.sum(axis=1) < sites - 1)]
    return Constrained(rng.permutation(arms)[:count].astype(np.int8))


def schemes(seed: int) -> list[AllocationScheme]:
    rng = np.random.default_rng(seed)
    return [
        complete(7, 3),
        complete(8),
        stratified(np.array([0, 0, 0, 0, 1, 1, 1, 1, 1]), (2, 2)),
        matched_pairs(np.arange(12) // 2),
        some_candidates(rng, 8, 37),
        constrained(complete(8), rng.normal(size=(8, 2)), rng, best=0.4),
    ]


def trial(plan: AllocationScheme, seed: int) -> tuple[Floats, Floats, Floats]:
    """Arm, outcome means and arm means residualised on a covariate."""
    rng = np.random.default_rng(seed)
    arm = plan.allocate(rng)
    covariate = rng.normal(size=len(arm))
    covariate -= covariate.mean()
    arm_means = arm - float(covariate @ arm / (covariate @ covariate)) * covariate
    return arm, rng.normal(size=len(arm)) + 0.8 * arm, arm_means


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize(("test", "statistic"), [(randomisation_test, difference), (studentised_test, welch)])
def test_p_and_interval_are_those_of_brute_enumeration(test, statistic, which: int, seed: int) -> None:  # type: ignore[no-untyped-def]
    plan = schemes(seed)[which]
    arm, outcome, arm_means = trial(plan, seed)
    arms = every_allocation(plan)
    got = test(plan, arm, outcome, arm_means, rng=np.random.default_rng(1), level=0.8)
    assert isinstance(got, RandomisationTest)
    assert got.exact
    assert got.allocations == len(arms) == plan.count
    assert got.p == pytest.approx(brute_p(statistic, arms, arm, outcome), abs=1e-12)
    low, high = (far if end is None else end for end, far in zip(got.ci, (-math.inf, math.inf), strict=True))
    ends = [end + side for end in (low, high) if math.isfinite(end) for side in (-5.0, -1e-6, 1e-6, 5.0)]
    for effect in [*ends, got.estimate, -1e3, 1e3, *np.linspace(max(low, -20), min(high, 20), 25)[1:-1]]:
        p = brute_p(statistic, arms, arm, outcome - effect * arm_means)
        inside = low < effect < high
        assert (p > 0.2) == inside or (inside and any("some effects inside" in note for note in got.warnings))
        if not inside:
            assert p <= 0.2


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.2, 0.4]))
def test_every_effect_inside_has_p_above_alpha_and_none_outside(seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    plan = [complete(6), complete(7, 3), some_candidates(rng, 6, 15), matched_pairs(np.arange(8) // 2)][seed % 4]
    arm, outcome, _ = trial(plan, seed)
    arms = every_allocation(plan)
    got = randomisation_test(plan, arm, outcome, arm, rng=rng, level=1 - alpha)
    assert isinstance(got, RandomisationTest)
    assert not any("inside" in note for note in got.warnings)  # without covariates there are no gaps
    low, high = got.ci
    for effect in np.concatenate((rng.normal(got.estimate, 2, 8), [got.estimate, -1e4, 1e4])):
        p = brute_p(difference, arms, arm, outcome - effect * arm)
        assert (p > alpha) == ((low is None or effect > low) and (high is None or effect < high))


@pytest.mark.parametrize("test", [randomisation_test, studentised_test])
def test_six_sites_cannot_close_an_interval_at_five_per_cent(test) -> None:  # type: ignore[no-untyped-def]
    plan = complete(6)
    arm, outcome, _ = trial(plan, 1)
    got = test(plan, arm, outcome, arm, rng=np.random.default_rng(1))
    assert got.ci == (None, None)
    assert got.p >= plan.smallest_p() == pytest.approx(0.1)
    assert any("smallest p" in note for note in got.warnings)


def test_a_set_without_the_mirror_of_an_allocation_can_give_a_smaller_p() -> None:
    one_way = Constrained(complete(6).every_sum(np.eye(6)).astype(np.int8)[:13])
    mirrored = complete(6).every_sum(np.eye(6)).astype(np.int8)
    assert one_way.smallest_p() == pytest.approx(1 / 13)
    assert Constrained(mirrored).smallest_p() == pytest.approx(2 / 20) == complete(6).smallest_p()
    arm = one_way.allocate(np.random.default_rng(3))
    assert not one_way.could_make(1.0 - arm)
    got = randomisation_test(one_way, arm, 10.0 * arm, arm, rng=np.random.default_rng(1))
    assert isinstance(got, RandomisationTest)
    assert got.p == pytest.approx(1 / 13)


def test_an_allocation_the_scheme_could_not_make_is_refused() -> None:
    arm = np.array([1.0, 1, 0, 0, 1, 0, 1, 0])
    for plan in (matched_pairs(np.arange(8) // 2), complete(8, 3)):
        for test in (randomisation_test, studentised_test):
            assert test(plan, arm, np.arange(8.0), arm, rng=np.random.default_rng(1)) == NotEstimable(NOT_OF_THE_SCHEME)


@pytest.mark.parametrize("which", range(6))
def test_what_a_scheme_allocates_it_could_have_made_each_equally_often(which: int) -> None:
    plan = schemes(1)[which]
    rng = np.random.default_rng(5)
    made = np.array([plan.allocate(rng) for _ in range(4000)])
    assert all(plan.could_make(arm) for arm in made)
    assert plan.count is not None
    _, times = np.unique(made, axis=0, return_counts=True)
    assert len(times) == plan.count
    # The chi-squared statistic is within five of its standard deviations of its mean.
    expected = 4000 / plan.count
    excess = float(((times - expected) ** 2 / expected).sum()) - (plan.count - 1)
    assert abs(excess) < 5 * math.sqrt(2 * (plan.count - 1))


def test_a_constrained_set_is_the_best_balanced_share() -> None:
    covariates = np.random.default_rng(2).normal(size=(8, 2))
    plan = constrained(complete(8), covariates, np.random.default_rng(1), best=0.1)

    def imbalance(arm: Floats) -> float:
        gap = covariates[arm == 1].mean(axis=0) - covariates[arm == 0].mean(axis=0)
        return float((gap**2 / covariates.var(axis=0)).sum())

    values = sorted(imbalance(arm) for arm in every_allocation(complete(8)))
    kept = sorted(imbalance(arm) for arm in every_allocation(plan))
    # Allocations and their mirrors are equally balanced, so a tenth of 70 is 7 or, with its tie, 8.
    assert kept == pytest.approx(values[: len(kept)])
    assert len(kept) in {7, 8}


def test_a_constrained_set_of_many_sites_is_drawn_and_holds_no_allocation_twice() -> None:
    covariates = np.random.default_rng(2).normal(size=(60, 3))
    base = stratified(np.arange(60) % 2, (15, 15))
    plan = constrained(base, covariates, np.random.default_rng(1), best=0.05, candidates=20_000)
    assert plan.count == 1000
    assert (plan.candidates.sum(axis=1) == 30).all()
    assert all(base.could_make(arm.astype(float)) for arm in plan.candidates)
    assert plan.tied_sites == []


def test_a_set_too_narrow_names_the_sites_it_ties() -> None:
    plan = Constrained(np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]], dtype=np.int8))
    assert plan.tied_sites == [(0, 1), (2, 3)]


def minimised(sites: int = 8, probability: float = 0.8) -> Minimised:
    rng = np.random.default_rng(4)
    return Minimised(np.column_stack((np.zeros(sites, int), rng.integers(0, 2, sites))), probability)


def test_minimisation_sends_a_site_to_the_arm_with_less_imbalance() -> None:
    # By hand: after one treated site of the same level, control leaves less imbalance.
    plan = Minimised(np.array([[0], [0], [1], [1]]), probability=0.7)
    assert plan.chance(np.array([1.0, 0, 1, 0])) == pytest.approx(0.5 * 0.7 * 0.5 * 0.7)
    assert plan.chance(np.array([1.0, 1, 0, 0])) == pytest.approx(0.5 * 0.3 * 0.5 * 0.3)
    certain = Minimised(np.array([[0], [0], [1], [1]]), probability=1.0)
    assert not certain.could_make(np.array([1.0, 1, 0, 0]))
    # Each of the four certain allocations has a quarter, as has its mirror.
    assert certain.smallest_p() == pytest.approx(0.5)


def test_minimised_allocations_come_as_often_as_their_chance() -> None:
    plan = minimised(6)
    made = plan.made_anew(40_000, np.random.default_rng(1))
    arms = every_allocation(plan)
    chances = np.array([plan.chance(arm) for arm in arms])
    both = (arms.sum(axis=1) > 0) & (arms.sum(axis=1) < 6)
    arms, chances = arms[both], chances[both] / chances[both].sum()
    shares = np.array([(made == arm).all(axis=1).mean() for arm in arms])
    assert np.abs(shares - chances).max() < 5 * math.sqrt(chances.max() / 40_000)
    assert plan.smallest_p() == pytest.approx(2 * chances.min())
    assert (shares[(arms.sum(axis=1) == 3)]).sum() > 0.5  # the constant factor keeps arms alike in size


@pytest.mark.parametrize(("test", "statistic"), [(randomisation_test, difference), (studentised_test, welch)])
def test_p_of_a_minimised_trial_is_that_of_its_chances(test, statistic) -> None:  # type: ignore[no-untyped-def]
    plan = minimised(8)
    arm, outcome, _ = trial(plan, 2)
    arms = every_allocation(plan)
    chances = np.array([plan.chance(a) for a in arms])
    both = (arms.sum(axis=1) > 0) & (arms.sum(axis=1) < 8)
    arms, chances = arms[both], chances[both] / chances[both].sum()
    extreme = [statistic(outcome, a) >= statistic(outcome, arm) * (1 - TIE) for a in arms]
    p = float(chances @ extreme)
    got, again = (test(plan, arm, outcome, arm, rng=np.random.default_rng(1)) for _ in range(2))
    assert got == again
    assert not got.exact
    assert got.allocations is None
    assert got.p == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / 20_000) + 1 / 20_000)


def test_the_studentised_test_is_the_plain_one_where_arms_are_equal_and_nothing_is_adjusted_for() -> None:
    """Within arms of equal size the statistics order allocations alike, as the total spread is fixed."""
    plan = complete(10)
    arm, outcome, _ = trial(plan, 3)
    one, other = (
        test(plan, arm, outcome, arm, rng=np.random.default_rng(1)) for test in (randomisation_test, studentised_test)
    )
    assert isinstance(one, RandomisationTest)
    assert isinstance(other, RandomisationTest)
    assert one.p == pytest.approx(other.p, abs=1e-12)
    assert one.ci == pytest.approx(other.ci, rel=1e-8)


def test_the_studentised_test_nears_its_level_where_the_small_arm_varies_more() -> None:
    """6 sites against 14 with a quarter of the variance: the plain test rejects more than twice too often."""
    rng = np.random.default_rng(8)
    arm = np.repeat([1.0, 0.0], [6, 14])
    plan, trials = complete(20, 6), 600
    rejected = {"plain": 0, "studentised": 0}
    for _ in range(trials):
        values = rng.normal(size=20) * np.where(arm == 1, 2.0, 1.0)
        for name, test in (("plain", randomisation_test), ("studentised", studentised_test)):
            options = {"draws": 199, "enumerate_up_to": 0} | ({"count_up_to_sites": 0} if name == "plain" else {})
            got = test(plan, arm, values, arm, rng=rng, **options)
            assert isinstance(got, RandomisationTest)
            rejected[name] += got.p < 0.05
    assert rejected["plain"] / trials > 0.1
    assert rejected["studentised"] / trials < 0.6 * rejected["plain"] / trials


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: complete(6, 7), "7 of 6 sites"),
        (lambda: complete(6, 0), "an arm has no sites"),
        (lambda: matched_pairs(np.array([0, 0, 1])), "pair 1"),
        (lambda: stratified(np.array([0, 0, 1, 1]), (1,)), "1 numbers of treated sites for 2 strata"),
        (lambda: Constrained(np.array([[1, 0], [1, 0]], dtype=np.int8)), "given twice"),
        (lambda: Constrained(np.array([[1, 0], [1, 1]], dtype=np.int8)), "row 2"),
        (lambda: Constrained(np.array([[1, 2]], dtype=np.int8)), "0 and 1"),
        (lambda: Minimised(np.zeros((4, 1), int), probability=0.5), "0.5 is not above"),
        (lambda: Minimised(np.zeros(4, int)), "one row a site"),
        (lambda: Minimised(np.zeros((4, 1), int), weights=(1.0, 2.0)), "one number above 0"),
        (lambda: minimised().every_sum(np.eye(8)), "drawn"),
        (lambda: constrained(complete(4), np.ones((4, 1)), np.random.default_rng(1)), "same at every site"),
        (lambda: constrained(complete(4), np.ones((3, 1)), np.random.default_rng(1)), "4 rows"),
        (lambda: constrained(complete(4), np.eye(4), np.random.default_rng(1), best=0), "0 is not a proportion"),
    ],
)
def test_a_scheme_that_cannot_be_is_refused_in_one_line(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadData, match=words) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_forty_sites_in_strata_are_drawn_and_say_so() -> None:
    plan: Stratified = stratified(np.arange(40) % 2, (10, 10))
    arm, outcome, _ = trial(plan, 1)
    for test in (randomisation_test, studentised_test):
        got = test(plan, arm, outcome, arm, rng=np.random.default_rng(1), draws=999)
        assert isinstance(got, RandomisationTest)
        assert not got.exact
        assert "999 random allocations" in got.warnings[-1]


def test_a_wild_small_arm_is_shown_the_studentised_test_and_a_tame_one_is_not() -> None:
    frame = people(4, sites=10)
    keep = [s for s in range(10) if s not in frame[frame.arm == 1].site.unique()[:2]]
    frame = frame[frame.site.isin(keep)]
    wild = frame.assign(outcome=frame.outcome + 3.0 * frame.site * (frame.arm == 1))
    for table, called_for in ((wild, True), (people(4, sites=10), False)):
        result = compare(table, question(baseline=None)).methods["randomisation"]
        assert isinstance(result, RandomisationTest)
        assert (result.studentised is not None) == called_for == ("studentised" in result.to_dict())


def test_changes_where_sites_were_not_randomised_are_studentised() -> None:
    """As difference-in-differences is; its estimate is that of `did`."""
    found = compare(people(1), question(design="nonrandomised", planned_sites=8)).methods
    result = found["randomisation"]
    assert isinstance(result, RandomisationTest)
    assert result.studentised is not None
    assert result.studentised.estimate == pytest.approx(found["did"].estimate)  # type: ignore[union-attr]
    assert any("as if they had been" in note for note in result.warnings)
