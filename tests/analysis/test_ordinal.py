"""Ordered outcomes: R's numbers in seven trials, known equalities, known truth, and reasons where there is no number."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from analysis.compare import compare
from analysis.ordinal.clmm import Clmm, clmm
from analysis.ordinal.ordered import Ordered, ordered
from analysis.ordinal.proportional_odds import VARIANCES, ProportionalOdds, Variance, proportional_odds
from analysis.ordinal.win_probability import advises_win_probability, win_fractions, win_probability
from analysis.results import Effect, Floats, NotEstimable
from tests.analysis.cases import REFERENCES, question, table, trial

CASES = (
    "six_sites",
    "eight_sites_ceiling",
    "twelve_sites_three_categories",
    "twenty_sites_seven_categories",
    "forty_sites_four_categories",
    "sixty_sites_no_variance",
    "tvsfp",
)
# polr stops at a relative 1e-15 of the deviance, which leaves about 1e-7 in an estimate.
POLR = 1e-6
# Scores by hand, polished by Newton's method with a numerical derivative.
SANDWICH = 1e-8
# Each of the jackknife's fits is polr's, unpolished.
JACKKNIFE = 1e-6
# clmm stops at a gradient of up to 3e-3 (it warns), which leaves 5e-5 in an estimate and 1e-6 in the log-likelihood;
# ours is then the higher of the two. clmm2's Laplace stops 1e-4 away with twenty sites.
CLMM_LOGLIK = 2e-6
CLMM_ESTIMATE = 2e-4
# R's variances of random effects come to rest up to 1e-4 above zero where ours are zero.
CLMM_SD = 2e-4
# As for every mixed model: R's optimiser leaves 1e-8 in variances.
LMM = 1e-6


@cache
def wanted() -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((REFERENCES / "ordinal.json").read_text())
    return answers


@cache
def columns(case: str) -> dict[str, Any]:
    frame = table(case) if case == "tvsfp" else table("ordinal").query("case == @case")
    found: dict[str, Any] = {name: frame[name].to_numpy(float) for name in ("outcome", "arm", "baseline")}
    found["site"] = frame.site.factorize()[0].astype(np.intp)
    found["review"] = frame.review.factorize()[0].astype(np.intp)
    return found


def odds(case: str, variance: Variance = "jackknife") -> ProportionalOdds:
    of = columns(case)
    found = proportional_odds(of["outcome"], of["arm"], of["site"], [("baseline", of["baseline"])], variance)
    assert isinstance(found, ProportionalOdds)
    return found


@cache
def mixed(case: str, nested: bool = True, nodes: int = 1) -> Clmm:
    of = columns(case)
    review = of["review"] if nested else None
    found = clmm(of["outcome"], of["arm"], of["site"], review, [("baseline", of["baseline"])], nodes)
    assert isinstance(found, Clmm)
    return found


def reason(value: object) -> str:
    assert isinstance(value, NotEstimable)
    return value.reason


def simulated(seed: int, sites: int = 12, ceiling: bool = True, effect: float = 0.0) -> tuple[Floats, Floats, Any]:
    """Five categories, ten people a site, site SD 0.4 on the logit scale; (outcome, arm, site)."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(sites), 10)
    arm_of = rng.permutation(np.arange(sites) % 2)
    eta = rng.normal(0, 0.4, sites)[site] + effect * arm_of[site] + rng.logistic(size=len(site))
    cuts = np.array([-3.0, -2.0, -1.0, 0.0]) if ceiling else np.array([-2.0, -0.7, 0.7, 2.0])
    return (eta[:, None] > cuts).sum(axis=1).astype(float), arm_of[site].astype(float), site


@pytest.mark.parametrize("case", CASES)
def test_proportional_odds_are_those_of_polr(case: str) -> None:
    got, want = odds(case), wanted()[case]["proportional_odds"]
    assert got.effect.estimate == pytest.approx(want["polr"]["arm"], abs=POLR)
    assert got.effect.estimate == pytest.approx(want["estimate"], abs=SANDWICH)
    assert got.coefficients["baseline"] == pytest.approx(want["polr"]["baseline"], abs=POLR)
    assert got.thresholds == pytest.approx(want["thresholds"], abs=POLR)
    assert got.loglik == pytest.approx(want["loglik"], abs=1e-8)
    assert got.effect.df == want["df"]
    assert got.odds_ratio == pytest.approx(np.exp(want["estimate"]))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_variance_by_site_is_the_sandwich_written_out_in_r(case: str, variance: Variance) -> None:
    tolerance = JACKKNIFE if variance == "jackknife" else SANDWICH
    want = wanted()[case]["proportional_odds"][variance]
    assert odds(case, variance).effect.se == pytest.approx(want, abs=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_the_mixed_model_is_that_of_clmm(case: str) -> None:
    got, want = mixed(case), wanted()[case]["mixed"]["clmm"]
    assert got.loglik == pytest.approx(want["loglik"], abs=CLMM_LOGLIK)
    assert got.loglik >= want["loglik"] - 1e-8
    assert got.effect.estimate == pytest.approx(want["arm"], abs=CLMM_ESTIMATE)
    assert got.thresholds == pytest.approx(want["thresholds"], abs=CLMM_ESTIMATE)
    assert got.sd_site == pytest.approx(want["sd_site"], abs=CLMM_SD)
    assert got.sd_review == pytest.approx(want["sd_review"], abs=CLMM_SD)
    assert got.effect.se == pytest.approx(want["se"], abs=1e-5)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("nodes", "name"), [(1, "laplace"), (7, "quadrature")])
def test_one_level_is_that_of_clmm2_by_laplace_and_by_quadrature(case: str, nodes: int, name: str) -> None:
    if nodes > 1 and case == "tvsfp":
        case = "twenty_sites_seven_categories"  # 1,600 people by seven nodes take seconds and show nothing more
    got, want = mixed(case, nested=False, nodes=nodes), wanted()[case]["mixed"][name]
    assert got.loglik == pytest.approx(want["loglik"], abs=CLMM_LOGLIK)
    assert got.loglik >= want["loglik"] - 1e-8
    assert got.effect.estimate == pytest.approx(want["arm"], abs=CLMM_ESTIMATE)
    assert got.sd_site == pytest.approx(want["sd_site"], abs=CLMM_SD)


@pytest.mark.parametrize("case", CASES)
def test_the_win_probability_is_that_of_lme4_and_pbkrtest_on_win_fractions(case: str) -> None:
    of, want = columns(case), wanted()[case]["win_probability"]
    got = win_probability(of["outcome"], of["arm"], of["site"], of["review"], of["baseline"])
    assert isinstance(got, Effect)
    assert got.estimate == pytest.approx(want["estimate"], abs=LMM)
    assert got.se == pytest.approx(want["se"], rel=1e-5)
    assert got.df == pytest.approx(want["df"], rel=1e-5)
    assert win_fractions(of["outcome"], of["arm"])[of["arm"] == 1].mean() == pytest.approx(want["plain"], abs=1e-12)


def test_win_fractions_are_the_mann_whitney_count() -> None:
    outcome, arm, _ = simulated(1)
    theta = np.mean([(a > b) + 0.5 * (a == b) for a in outcome[arm == 1] for b in outcome[arm == 0]])
    fractions = win_fractions(outcome, arm)
    assert fractions[arm == 1].mean() == pytest.approx(theta, abs=1e-12)
    assert fractions[arm == 0].mean() == pytest.approx(1 - theta, abs=1e-12)


def test_only_the_order_of_answers_matters_and_turning_it_turns_the_chance() -> None:
    outcome, arm, site = simulated(2, effect=0.5)
    one, cubed, turned = (win_probability(y, arm, site) for y in (outcome, outcome**3, -outcome))
    assert isinstance(one, Effect)
    assert isinstance(cubed, Effect)
    assert isinstance(turned, Effect)
    assert cubed == one
    assert turned.estimate == pytest.approx(1 - one.estimate, abs=1e-9)
    assert turned.p == pytest.approx(one.p, rel=1e-6)
    assert one.statistic == pytest.approx((one.estimate - 0.5) / one.se)


def test_the_interval_and_p_agree_and_the_interval_is_of_chances() -> None:
    for seed in range(20):
        outcome, arm, site = simulated(seed, sites=6, effect=1.5)
        got = win_probability(outcome, arm, site)
        assert isinstance(got, Effect)
        low, high = got.ci
        assert low is not None
        assert high is not None
        assert 0.0 <= low < high <= 1.0
        assert (got.p < 0.05) == (not low <= 0.5 <= high)


def test_with_nobody_better_off_five_in_a_hundred_trials_say_otherwise() -> None:
    """250 null trials of 12 sites, 50 % at the ceiling: at most 6.5 % and three binomial standard errors."""
    rejected = 0
    for seed in range(250):
        found = win_probability(*simulated(seed))
        assert isinstance(found, Effect)
        rejected += found.p < 0.05
    assert 0.01 < rejected / 250 < 0.065 + 3 * (0.05 * 0.95 / 250) ** 0.5


def test_the_standard_error_is_that_of_leaving_sites_out() -> None:
    """The delete-one-site jackknife knows nothing of the model; at 60 sites the two agree within a tenth."""
    outcome, arm, site = simulated(5, sites=60, effect=0.4)
    found = win_probability(outcome, arm, site)
    assert isinstance(found, Effect)

    def theta(kept: Any) -> float:
        return float(win_fractions(outcome[kept], arm[kept])[arm[kept] == 1].mean())

    without = np.array([theta(site != s) for s in range(60)])
    assert found.se == pytest.approx((59 * without.var()) ** 0.5, rel=0.1)


def test_a_covariate_that_differs_between_arms_is_adjusted_for_whole() -> None:
    """A binary outcome made of a binary covariate and luck: the difference the covariate makes is taken out."""
    rng = np.random.default_rng(6)
    site = np.repeat(np.arange(40), 25)
    arm = (site % 2).astype(float)
    severe = (rng.uniform(size=1000) < 0.3 + 0.4 * arm).astype(float)
    outcome = (rng.uniform(size=1000) < 0.2 + 0.5 * severe).astype(float)
    plain, adjusted = (win_probability(outcome, arm, site, covariates=c) for c in (None, [("severe", severe)]))
    assert isinstance(plain, Effect)
    assert isinstance(adjusted, Effect)
    assert plain.estimate == pytest.approx(0.6, abs=0.05)  # half of 0.4 × 0.5 above one half
    assert adjusted.estimate == pytest.approx(0.5, abs=3 * adjusted.se)
    assert adjusted.estimate < 0.55


def test_the_mixed_model_finds_the_effect_that_was_put_in() -> None:
    """Mean of 12 trials of 60 sites, whose standard error is about 0.05: 0.7 lies within two."""
    estimates = []
    for seed in range(12):
        outcome, arm, site = simulated(seed, sites=60, ceiling=False, effect=0.7)
        found = clmm(outcome, arm, site)
        assert isinstance(found, Clmm)
        estimates.append(found.effect.estimate)
    assert np.mean(estimates) == pytest.approx(0.7, abs=0.1)


def test_quadrature_of_one_node_is_laplace() -> None:
    """The same function by two roads: `_quadrature` at one node against the Laplace formula."""
    from analysis.ordinal.clmm import _laplace, _Modes, _People, _quadrature

    of = columns("eight_sites_ceiling")
    data = ordered(of["outcome"], of["arm"], of["site"], None)
    assert isinstance(data, Ordered)
    people = _People.sorted(data, of["site"], None)
    parameters = np.array([-4.0, -3.0, -2.0, -0.5, 0.4, 0.7])
    modes = _Modes(np.zeros(8), np.zeros(8))
    value = _laplace(people, parameters, modes)
    assert value is not None
    assert _quadrature(people, parameters, modes, 1) == pytest.approx(value[0], abs=1e-10)


def test_units_of_covariates_and_labels_of_categories_change_no_odds_ratio() -> None:
    of = columns("six_sites")
    outcome, baseline = 10 * of["outcome"] - 3, 100 + 7 * of["baseline"]
    odd = proportional_odds(outcome, of["arm"], of["site"], [("baseline", baseline)])
    mixture = clmm(outcome, of["arm"], of["site"], of["review"], [("baseline", baseline)])
    assert isinstance(odd, ProportionalOdds)
    assert isinstance(mixture, Clmm)
    assert odd.effect.estimate == pytest.approx(odds("six_sites").effect.estimate, abs=1e-9)
    assert mixture.effect.estimate == pytest.approx(mixed("six_sites").effect.estimate, abs=1e-5)


def test_a_variance_estimated_as_zero_is_kept_and_named() -> None:
    got = mixed("six_sites")
    assert got.boundary == ("site", "review")
    assert any("estimated as zero" in note for note in got.effect.warnings)
    assert got.effect.df == 3  # of sites, never of people


def test_the_jackknife_rejects_five_null_trials_in_a_hundred_and_the_sandwich_more() -> None:
    """100 null trials of eight sites: the jackknife within three binomial errors of 5 %, never above CR1 or CR0."""
    rejected = dict.fromkeys(VARIANCES, 0)
    for seed in range(100):
        for variance in VARIANCES:
            found = proportional_odds(*simulated(seed, sites=8), variance=variance)
            assert isinstance(found, ProportionalOdds)
            rejected[variance] += found.effect.p < 0.05
    assert rejected["jackknife"] <= rejected["cr1"] <= rejected["cr0"]
    assert rejected["jackknife"] / 100 < 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5


def test_one_review_a_site_leaves_the_review_level_out_and_says_so() -> None:
    outcome, arm, site = simulated(3)
    found = clmm(outcome, arm, site, site)
    assert isinstance(found, Clmm)
    assert found.sd_review is None
    assert any("exactly one review" in note for note in found.effect.warnings)


def test_no_odds_ratio_without_a_reason() -> None:
    outcome, arm, site = simulated(4)
    assert "one category" in reason(proportional_odds(np.ones(120), arm, site))
    few, three = site < 4, [(f"c{k}", np.random.default_rng(k).normal(size=40)) for k in range(3)]
    assert "too few" in reason(proportional_odds(outcome[:40], np.repeat([1.0, 0, 1, 0], 10), site[:40], three))
    assert "two sites in an arm" in reason(proportional_odds(outcome[few], (site[few] == 0).astype(float), site[few]))
    assert "arm does not vary" in reason(proportional_odds(outcome, np.ones(120), site))
    assert "determine" in reason(proportional_odds(outcome, arm, site, [("again", 2 * arm)]))
    assert "finite" in reason(proportional_odds(arm, arm, site))
    assert "finite" in reason(clmm(arm, arm, site))
    assert "50" in reason(clmm(np.arange(120.0), arm, site))
    assert "one person" in reason(clmm(outcome[::10], arm[::10], site[::10]))
    assert "do not vary within reviews" in reason(win_probability(arm, arm, site))
    assert "determine the arm" in reason(win_probability(outcome, arm, site, covariates=[("again", arm)]))


def test_comparisons_hold_the_win_probability_with_the_baseline_by_order() -> None:
    result = compare(table("tvsfp"), question(planned_sites=28))
    got = result.methods["win_probability"]
    assert isinstance(got, Effect)
    want = wanted()["tvsfp"]["win_probability"]
    assert (got.estimate, got.df) == pytest.approx((want["estimate"], want["df"]), rel=1e-5)
    assert any("0.5 is no difference" in note for note in got.warnings)


@pytest.mark.parametrize(
    ("shares", "advised"),
    [((0, 0, 1, 2, 3), True), ((2, 2, 2, 2, 2), False), ((5, 3, 2), True), ((1, 1, 1, 3, 4), False)],
)
def test_ceilings_and_few_categories_advise_the_win_probability(shares: tuple[int, ...], advised: bool) -> None:
    outcome = np.repeat(np.arange(len(shares), dtype=float), 10 * np.array(shares))
    assert (advises_win_probability(outcome) is not None) == advised


def test_a_comparison_of_an_outcome_at_its_ceiling_says_so() -> None:
    frame = trial(1)
    assert not any("win probability is advised" in note for note in compare(frame, question()).warnings)
    topped = frame.assign(outcome=frame.outcome.clip(upper=0).round())
    assert any("win probability is advised" in note for note in compare(topped, question()).warnings)
