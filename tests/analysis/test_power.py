"""Power in closed form: R's on cluster means, the planning table's, Whitehead's, and what simulated trials show."""

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from analysis.design.noncentral_t import noncentral_t_cdf
from analysis.design.power import (
    TrialDesign,
    design_effect,
    power,
    proportional_odds,
    risk_difference,
    sites_required,
    smallest_effect,
    smallest_risk,
    standard_error,
    win_probability,
)
from analysis.design.simulate import simulated_power
from analysis.errors import BadData
from tests.analysis.cases import REFERENCES

R: dict[str, Any] = json.loads((REFERENCES / "design.json").read_text())
# R's pt() sums its series to 1e-12.
NONCENTRAL_T = 3e-12
# R's power is that of pt(); its delta is a root found to 1e-12.
POWER = 1e-9

USUAL = TrialDesign(20, 4, 6, 0.02, 0.07)


def rows(columns: dict[str, list[float]]) -> list[dict[str, float]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def test_the_noncentral_t_is_rs_beyond_where_scipy_gives_none() -> None:
    cases = rows(R["noncentral_t"])
    assert sum(case["ncp"] > 12 for case in cases) > 40
    for case in cases:
        ours = noncentral_t_cdf(case["t"], case["df"], case["ncp"])
        assert ours == pytest.approx(case["p"], abs=NONCENTRAL_T), case


def test_power_is_that_of_rs_t_test_of_cluster_means() -> None:
    for case in rows(R["cluster_means"]):
        design = replace(USUAL, sites=2 * int(case["k"]))
        assert power(design, case["delta"]) == pytest.approx(case["power"], abs=POWER), case


def test_the_smallest_effect_and_the_sites_required_are_those_of_r() -> None:
    for case in rows(R["detected"]):
        design = replace(USUAL, sites=2 * int(case["k"]))
        assert smallest_effect(design) == pytest.approx(case["mdes"], abs=POWER), case
    for case in rows(R["required"]):
        assert sites_required(USUAL, case["delta"]) == 2 * case["per_arm"], case


# The planning table of the trial: sites an arm; smallest effects at site ICC .02 and review share .05 with 2 and 4 reviews,
# then at .05 and .15. It was made with the central t, (t(.975) + t(.8)) × SE.
PLANNED = {
    3: (1.06, 0.81, 1.33, 1.06),
    4: (0.83, 0.63, 1.04, 0.82),
    6: (0.63, 0.48, 0.79, 0.62),
    8: (0.53, 0.40, 0.66, 0.52),
    10: (0.46, 0.35, 0.58, 0.46),
    15: (0.37, 0.28, 0.46, 0.37),
    20: (0.32, 0.24, 0.40, 0.32),
}


def test_the_planning_table_comes_out() -> None:
    columns = [(site, share, reviews) for site, share in ((0.02, 0.05), (0.05, 0.15)) for reviews in (2, 4)]
    for k, effects in PLANNED.items():
        for (site, share, reviews), effect in zip(columns, effects, strict=True):
            design = TrialDesign(2 * k, reviews, 6, site, site + share)
            central = float(stdtrit(2 * k - 2, 0.975) + stdtrit(2 * k - 2, 0.8)) * standard_error(design)
            assert central == pytest.approx(effect, abs=0.00501)
            # What the approximation leaves out: 1.4 % with three sites an arm, nothing to speak of with ten.
            assert smallest_effect(design) == pytest.approx(central, rel=0.015 if k == 3 else 0.006)


def test_a_baseline_correlated_one_half_takes_a_quarter_of_the_variance_away() -> None:
    adjusted = smallest_effect(replace(USUAL, baseline_r=0.5))
    assert adjusted / smallest_effect(USUAL) == pytest.approx(math.sqrt(0.75))


def test_the_design_effect_is_that_of_two_levels_and_of_three() -> None:
    # By hand: 1 + (6 − 1) × .08 + (4 − 1) × 6 × .03.
    assert design_effect(TrialDesign(20, 4, 6, 0.03, 0.08)) == pytest.approx(1 + 5 * 0.08 + 18 * 0.03)
    assert design_effect(TrialDesign(20, 1, 20, 0.05, 0.05)) == pytest.approx(1 + 19 * 0.05)
    # Eldridge, Ashby & Kerry 2006: 1 + ((1 + CV²) m − 1) ICC.
    assert design_effect(TrialDesign(20, 1, 20, 0.05, 0.05, cv=0.6)) == pytest.approx(1 + (1.36 * 20 - 1) * 0.05)
    assert design_effect(TrialDesign(20, 4, 6, 0.0, 0.0)) == 1.0


def test_variance_is_the_design_effect_over_the_number_of_people() -> None:
    design = replace(USUAL, cv=0.5, attrition=0.2)
    people = 4 * 6 * 0.8 * 10
    assert standard_error(design) == pytest.approx(math.sqrt(2 / people * design_effect(design)))


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        # Variance of what is compared over that of one wave after, where every level correlates r over waves.
        ({"analysis": "after", "baseline_r": 0.6}, 1.0),
        ({"analysis": "adjusted", "baseline_r": 0.6}, 1 - 0.36),
        ({"analysis": "change", "baseline_r": 0.6}, 2 * (1 - 0.6)),
        # Frison & Pocock 1992: three waves after and one before.
        ({"analysis": "after", "baseline_r": 0.6, "waves": 3}, (1 + 2 * 0.6) / 3),
        ({"analysis": "adjusted", "baseline_r": 0.6, "waves": 3}, (1 + 2 * 0.6) / 3 - 0.36),
        ({"analysis": "change", "baseline_r": 0.6, "waves": 3}, (1 + 2 * 0.6) / 3 + 1 - 1.2),
    ],
)
def test_what_the_baseline_and_further_waves_leave(changes: dict[str, Any], factor: float) -> None:
    assert standard_error(replace(USUAL, **changes)) ** 2 == pytest.approx(factor * standard_error(USUAL) ** 2)


def test_the_cluster_autocorrelation_decides_what_changes_of_sites_are_worth() -> None:
    """Hooper et al. 2016: a site's mean correlates r = (m ICC π + (1 − ICC) τ)/(1 + (m − 1) ICC); change 2(1 − r)."""
    m, icc, between, within = 30, 0.05, 0.8, 0.5
    design = TrialDesign(20, 1, m, icc, icc, analysis="change", baseline_r=within, baseline_r_site=between)
    r = (m * icc * between + (1 - icc) * within) / (1 + (m - 1) * icc)
    after = replace(design, analysis="after")
    assert standard_error(design) ** 2 == pytest.approx(2 * (1 - r) * standard_error(after) ** 2)


def test_unequal_arms_cost_what_their_reciprocals_say() -> None:
    third = replace(USUAL, sites=18, treated=6)
    assert standard_error(third) ** 2 / standard_error(replace(USUAL, sites=18)) ** 2 == pytest.approx(
        (1 / 6 + 1 / 12) / (2 / 9)
    )


def test_lost_sites_cost_degrees_of_freedom_and_so_do_site_covariates() -> None:
    design = replace(USUAL, site_attrition=0.12, site_covariates=2)
    assert (design.sites_left, design.df) == (17, 13)
    assert standard_error(design) == pytest.approx(standard_error(USUAL) * math.sqrt(20 / 17))


def test_power_at_no_effect_is_alpha_and_grows_to_one_without_a_gap() -> None:
    assert power(USUAL, 0.0) == pytest.approx(0.05, abs=1e-12)
    assert power(USUAL, -0.4) == power(USUAL, 0.4)
    values = [power(USUAL, 0.05 * k) for k in range(80)]
    assert all(a <= b + 1e-13 for a, b in pairwise(values))
    assert values[-1] == pytest.approx(1.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(4, 80), st.floats(0.5, 0.95), st.floats(0, 0.2), st.floats(0, 0.2))
def test_the_smallest_effect_has_the_power_asked_for(sites: int, target: float, site: float, share: float) -> None:
    design = TrialDesign(sites, 3, 6, site, site + share)
    assert power(design, smallest_effect(design, target)) == pytest.approx(target, abs=1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(0.25, 1.2), st.booleans())
def test_the_sites_required_are_enough_and_fewer_are_not(effect: float, equal: bool) -> None:
    design = USUAL if equal else replace(USUAL, treated=5)
    needed = sites_required(design, effect)
    step = 2 if equal else 1
    shares = [(n, replace(design, sites=n, treated=min(max(round(n * design.in_treatment / 20), 1), n - 1)))
              for n in (needed, needed - step)]  # fmt: skip
    assert power(shares[0][1], effect) >= 0.8
    assert shares[1][1].df < 1 or power(shares[1][1], effect) < 0.8


def test_a_risk_difference_has_the_power_of_its_two_variances() -> None:
    # By hand: (.6 − .4)/√(½ × .24 + ½ × .24).
    assert risk_difference(0.6, 0.4) == pytest.approx(0.2 / math.sqrt(0.24))
    # Variances p(1 − p)/k of each arm, for k₁ : k₀ = 1 : 2.
    se = math.sqrt(0.6 * 0.4 / 5 + 0.2 * 0.8 / 10)
    assert 0.4 / risk_difference(0.6, 0.2, share=1 / 3) * math.sqrt(1 / 5 + 1 / 10) == pytest.approx(se)
    found = smallest_risk(USUAL, 0.4)
    assert found is not None
    assert power(USUAL, risk_difference(found, 0.4)) == pytest.approx(0.8, abs=1e-9)
    assert smallest_risk(replace(USUAL, sites=4), 0.9) is None


def test_ordered_answers_have_the_power_whitehead_gives_them() -> None:
    """His is of log odds, ours of the win probability: the same test in the limit of small effects, 2 points apart here."""
    for case in R["ordinal"]:
        treated = proportional_odds((0.2, 0.3, 0.3, 0.2), case["ratio"])
        assert sorted(treated) == pytest.approx(sorted(case["treated"]), abs=1e-12)
        _, effect = win_probability(treated, (0.2, 0.3, 0.3, 0.2))
        people_one_by_one = TrialDesign(case["n"], 1, 1, 0.0, 0.0)
        assert power(people_one_by_one, effect) == pytest.approx(case["power"], abs=0.02)


def test_the_win_probability_counts_ties_half() -> None:
    theta, _ = win_probability((0.0, 0.0, 1.0), (0.5, 0.5, 0.0))
    assert theta == 1.0
    assert win_probability((0.2, 0.5, 0.3), (0.2, 0.5, 0.3)) == (pytest.approx(0.5), pytest.approx(0.0))


def test_closed_form_and_lme4_and_our_simulation_agree() -> None:
    design = TrialDesign(20, 3, 8, 0.05, 0.10, baseline_r=0.5)
    formula = power(design, R["simulated"]["effect"])
    theirs = R["simulated"]["rejected"] / R["simulated"]["trials"]
    ours = simulated_power(design, R["simulated"]["effect"], 400, seed=5)
    # Three Monte Carlo standard errors of each; Kenward–Roger is near its formula at 20 sites and these ICCs.
    error = math.sqrt(formula * (1 - formula))
    assert theirs == pytest.approx(formula, abs=3 * error / math.sqrt(R["simulated"]["trials"]))
    assert ours.rejected == pytest.approx(formula, abs=3 * error / math.sqrt(400))
    assert ours.estimate == pytest.approx(R["simulated"]["effect"], abs=3 * standard_error(design) / math.sqrt(400))


@pytest.mark.parametrize(
    "changes",
    [
        {"sites": 10},
        {"sites": 9, "treated": 3},
        {"cv": 0.6},
        {"attrition": 0.3, "site_attrition": 0.1},
        {"baseline_r": 0.6},
    ],
    ids=str,
)
def test_the_formula_is_what_simulated_trials_show(changes: dict[str, Any]) -> None:
    design = replace(TrialDesign(12, 2, 8, 0.05, 0.12), **changes)
    effect = smallest_effect(design, 0.75)
    found = simulated_power(design, effect, 300, seed=2)
    # Three Monte Carlo standard errors, and 3 points for what methods differ from the formula with so few sites.
    assert found.rejected == pytest.approx(0.75, abs=3 * 0.025 + 0.03)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sites": 1}, "sites: 1"),
        ({"treated": 20}, "leaves an arm empty"),
        ({"reviews": 0}, "reviews: 0"),
        ({"people": math.nan}, "people: nan"),
        ({"icc_site": -0.1}, "icc-site: -0.1"),
        ({"icc_review": 0.01}, "give at least icc-site"),
        ({"attrition": 1.0}, "attrition: 1"),
        ({"site_attrition": 1.2}, "site-attrition: 1.2"),
        ({"cv": -1}, "cv: -1"),
        ({"baseline_r": 1.0}, "baseline-r: 1"),
        ({"waves": 0}, "waves: 0"),
        ({"variance_ratio": 0.0}, "variance-ratio: 0"),
        ({"site_covariates": -1}, "site-covariates: -1"),
        ({"sites": 4, "site_covariates": 2}, "0 degrees of freedom"),
        ({"site_attrition": 0.95}, "-1 degrees of freedom"),
    ],
)
def test_a_design_that_cannot_be_is_refused_in_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words) as refused:
        power(replace(USUAL, **changes), 0.4)
    assert "\n" not in str(refused.value)


def test_questions_without_an_answer_are_refused() -> None:
    for ask, words in (
        (lambda: sites_required(USUAL, 0.0), "no number of sites detects"),
        (lambda: sites_required(USUAL, 1e-5), "too small to plan for"),
        (lambda: smallest_effect(USUAL, 0.04), "not above alpha"),
        (lambda: power(USUAL, math.nan), "delta: nan"),
        (lambda: power(USUAL, 0.4, alpha=1.0), "alpha: 1"),
        (lambda: risk_difference(1.2, 0.4), "risk-treated: 1.2"),
        (lambda: risk_difference(1.0, 1.0), "the same answer"),
        (lambda: win_probability((0.5, 0.5), (0.2, 0.3, 0.5)), "as many probabilities"),
        (lambda: win_probability((0.5, 0.6), (0.5, 0.5)), "sum to 1"),
        (lambda: win_probability((1.0, 0.0), (1.0, 0.0)), "one category"),
        (lambda: proportional_odds((0.5, 0.5), 0.0), "odds-ratio: 0"),
    ):
        with pytest.raises(BadData, match=words):
            ask()
