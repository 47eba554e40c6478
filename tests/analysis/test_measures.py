"""Scales, factors, agreement and change: R's numbers, closed forms, known truth, and reasons where there is none."""

import doctest
import importlib
import json
import pkgutil
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis.measures
import analysis.ordinal
from analysis.errors import BadData
from analysis.measures import floor_ceiling, reliable_change
from analysis.measures.agreement import Agreement, Weights, icc_agreement, kappa
from analysis.measures.convergent import Convergence, convergence
from analysis.measures.efa import FactorAnalysis, minres
from analysis.measures.floor_ceiling import FloorCeiling
from analysis.measures.group_agreement import GroupAgreement, group_agreement, within_group_agreement
from analysis.measures.one_factor import OneFactor, one_factor
from analysis.measures.parallel_analysis import ParallelAnalysis, parallel_analysis
from analysis.measures.reliability import Reliability, reliability
from analysis.measures.reliable_change import ReliableChange
from analysis.measures.then_test import ThenTest, then_test
from analysis.results import Effect, NotEstimable, Ratio
from tests.analysis.cases import REFERENCES, table

# Both sides are closed formulae; R's answers are written to 13 digits.
CLOSED = 1e-8
# lavaan's optimiser stops at a relative 1e-10 of its criterion, which leaves 1e-6 in a loading.
LAVAAN = 1e-5
# psych's fa stops at a relative 1e-8 of the criterion or earlier, which leaves 1e-3 in a loading and a rotation's angle.
PSYCH_FA = 5e-3
# The same criterion run to the end in R by nlminb, which leaves 1e-6.
MINRES = 1e-5
SCALES = ("forty_people_four_items", "ceiling_six_items", "missing_three_items", "seven_answers_eight_items")


@cache
def wanted() -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((REFERENCES / "measures.json").read_text())
    return answers


@cache
def groups() -> pd.DataFrame:
    return table("measures_groups")


def column(name: str) -> Any:
    return groups()[name].to_numpy(float)


def sites() -> Any:
    return groups()["site"].to_numpy(np.intp) - 1


def reason(value: object) -> str:
    assert isinstance(value, NotEstimable)
    return value.reason


@pytest.mark.parametrize("scale", SCALES)
def test_reliability_is_that_of_psych_and_lavaan(scale: str) -> None:
    got, want = reliability(table(f"measures_{scale}")), wanted()["scales"][scale]
    assert isinstance(got, Reliability)
    assert (got.n, got.alpha) == pytest.approx((want["n"], want["alpha"]), abs=CLOSED)
    assert got.alpha_ci == pytest.approx(want["ci"], abs=CLOSED)
    assert got.omega == pytest.approx(want["omega"], abs=LAVAAN)
    assert {k: v.item_rest for k, v in got.items.items()} == pytest.approx(want["item_rest"], abs=CLOSED)
    assert {k: v.alpha_if_dropped for k, v in got.items.items()} == pytest.approx(want["alpha_if_dropped"], abs=CLOSED)


@pytest.mark.parametrize("scale", SCALES)
def test_loadings_of_one_factor_are_those_of_lavaan(scale: str) -> None:
    got = one_factor(table(f"measures_{scale}").dropna().cov().to_numpy())
    assert isinstance(got, OneFactor)
    assert np.abs(got.loadings) == pytest.approx(np.abs(wanted()["scales"][scale]["loadings"]), abs=LAVAAN)


def factors(of: int, **options: Any) -> FactorAnalysis:
    found = minres(table("measures_two_factors"), of, **options)
    assert isinstance(found, FactorAnalysis)
    return found


def aligned(got: Any, want: Any) -> Any:
    """Columns of `want` in the order and with the signs of `got`."""
    want = np.asarray(want)
    order = np.abs(got.T @ want).argmax(axis=1)
    return want[:, order] * np.sign((got * want[:, order]).sum(axis=0))


def test_factors_are_those_of_psych_and_gparotation() -> None:
    want = wanted()["two_factors"]
    plain, rotated = factors(2, rotation="none"), factors(2)
    assert plain.loadings == pytest.approx(aligned(plain.loadings, want["unrotated"]), abs=MINRES)
    assert rotated.loadings == pytest.approx(aligned(rotated.loadings, want["loadings"]), abs=MINRES)
    assert rotated.correlations[0, 1] == pytest.approx(abs(want["phi"][0][1]), abs=MINRES)
    assert rotated.loadings == pytest.approx(aligned(rotated.loadings, want["psych_loadings"]), abs=PSYCH_FA)
    assert rotated.correlations[0, 1] == pytest.approx(want["psych_phi"][0][1], abs=PSYCH_FA)
    assert rotated.communalities == pytest.approx(want["psych_communality"], abs=PSYCH_FA)
    one = factors(1)
    assert one.loadings[:, 0] == pytest.approx(np.abs(want["one_exact"]), abs=MINRES)
    assert one.loadings[:, 0] == pytest.approx(want["one"], abs=PSYCH_FA)


def test_rotation_moves_no_communality_and_no_residual() -> None:
    plain, rotated = factors(2, rotation="none"), factors(2)
    assert rotated.communalities == pytest.approx(plain.communalities, abs=1e-10)
    assert rotated.residual == pytest.approx(plain.residual, abs=1e-12)


def test_the_structure_that_was_put_in_is_found() -> None:
    """4,000 people of two correlated factors with normal answers; loadings within three standard errors (0.05)."""
    rng = np.random.default_rng(1)
    loadings = np.array([[0.8, 0], [0.7, 0], [0.6, 0], [0, 0.7], [0, 0.8], [0, 0.5]])
    f = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], 4000)
    answers = f @ loadings.T + rng.normal(size=(4000, 6)) * np.sqrt(1 - (loadings**2).sum(axis=1))
    got = minres(pd.DataFrame(answers), 2)
    assert isinstance(got, FactorAnalysis)
    assert got.loadings == pytest.approx(aligned(got.loadings, loadings), abs=0.05)
    assert got.correlations[0, 1] == pytest.approx(0.3, abs=0.06)


def test_random_eigenvalues_are_those_of_r_and_two_factors_are_found() -> None:
    got = parallel_analysis(table("measures_two_factors"), np.random.default_rng(1))
    assert isinstance(got, ParallelAnalysis)
    want = wanted()["two_factors"]
    assert got.eigenvalues == pytest.approx(want["eigenvalues"], abs=CLOSED)
    # Monte Carlo on both sides: 500 draws leave about 0.008 in a 95 % quantile, 4,000 a third of it.
    assert got.limits == pytest.approx(want["random"], abs=0.025)
    assert got.factors == 2
    assert got == parallel_analysis(table("measures_two_factors"), np.random.default_rng(1))


def test_independent_items_have_no_factor() -> None:
    found = [
        parallel_analysis(pd.DataFrame(np.random.default_rng(s).normal(size=(200, 6))), np.random.default_rng(s), 200)
        for s in range(20)
    ]
    assert sum(one.factors > 0 for one in found if isinstance(one, ParallelAnalysis)) <= 4  # 5 % of 20, and chance


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_is_that_of_psych_and_its_interval_that_of_the_delta_method(weights: Weights) -> None:
    frame, want = table("measures_raters"), wanted()["kappa"]
    got = kappa(frame.facilitator.to_numpy(float), frame.observer.to_numpy(float), (0.0, 1.0, 2.0), weights)
    assert isinstance(got, Agreement)
    assert got.value.value == pytest.approx(want[weights], abs=CLOSED)
    assert got.value.ci == pytest.approx(want[f"{weights}_ci"], abs=CLOSED)


def test_kappa_of_two_raters_who_always_agree_is_one_and_of_chance_is_zero() -> None:
    a = np.array([0.0, 1, 2, 1, 0, 2])
    same, chance = kappa(a, a), kappa(np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 0, 1]))
    assert isinstance(same, Agreement)
    assert isinstance(chance, Agreement)
    assert same.value == Ratio(1.0, (1.0, 1.0))
    assert chance.value.value == pytest.approx(0.0, abs=1e-12)


def test_quadratic_kappa_of_raters_with_equal_means_and_spreads_is_their_correlation() -> None:
    rng = np.random.default_rng(3)
    a = rng.integers(0, 4, 400).astype(float)
    b = np.roll(a, 1)
    got = kappa(a, b, weights="quadratic")
    assert isinstance(got, Agreement)
    assert got.value.value == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)


def test_agreement_of_scores_is_that_of_psych() -> None:
    got, want = icc_agreement(table("measures_scores").to_numpy(float)), wanted()["icc_agreement"]
    assert isinstance(got, Agreement)
    assert got.value.value == pytest.approx(want["value"], abs=CLOSED)
    assert got.value.ci == pytest.approx(want["ci"], abs=CLOSED)


def test_a_rater_who_always_scores_higher_costs_agreement() -> None:
    scores = np.random.default_rng(1).normal(50, 10, (40, 1)) + np.random.default_rng(2).normal(0, 3, (40, 2))
    fair, severe = icc_agreement(scores), icc_agreement(scores + np.array([0.0, 8.0]))
    assert isinstance(fair, Agreement)
    assert isinstance(severe, Agreement)
    assert severe.value.value < fair.value.value - 0.1


def test_agreement_within_groups_is_the_analysis_of_variance_written_out_in_r() -> None:
    got, want = group_agreement(column("before"), sites()), wanted()["groups"]
    assert isinstance(got, GroupAgreement)
    assert (got.icc1.value, got.icc2.value, got.people_a_group) == pytest.approx(
        (want["icc1"], want["icc2"], want["n0"]), abs=CLOSED
    )
    assert got.icc1.ci == pytest.approx(want["icc1_ci"], abs=CLOSED)
    assert got.icc2.ci == pytest.approx(want["icc2_ci"], abs=CLOSED)


def test_the_mean_of_a_group_is_as_reliable_as_spearman_and_brown_say() -> None:
    got = group_agreement(
        np.random.default_rng(1).normal(size=60) + np.repeat(np.arange(12), 5), np.repeat(range(12), 5)
    )
    assert isinstance(got, GroupAgreement)
    assert got.icc2.value == pytest.approx(5 * got.icc1.value / (1 + 4 * got.icc1.value), abs=1e-12)


def test_r_wg_is_that_of_the_formula_and_one_where_a_group_agrees() -> None:
    items = groups()[["i1", "i2", "i3"]].to_numpy(float)
    got = within_group_agreement(items, sites(), 1, 5)
    assert got[1] == pytest.approx(max(wanted()["rwg"], 0.0), abs=CLOSED)
    assert within_group_agreement(np.full((3, 2), 4.0), np.zeros(3, dtype=np.intp), 1, 5) == {0: 1.0}


def test_response_shift_is_the_t_test_of_site_means_and_parts_add_up() -> None:
    got = then_test(column("before"), column("then"), column("after"), sites(), column("arm"))
    assert isinstance(got, ThenTest)
    for name in ("shift", "adjusted", "observed"):
        one, want = getattr(got, name), wanted()["then_test"][name]
        assert isinstance(one, Effect)
        assert [one.estimate, one.df, one.p] == pytest.approx([want["estimate"], want["df"], want["p"]], abs=CLOSED)
        assert one.ci == pytest.approx(want["ci"], abs=CLOSED)
    assert isinstance(got.shift_by_arm, Effect)
    want = wanted()["then_test"]["by_arm"]
    assert got.shift_by_arm.estimate == pytest.approx(want["estimate"], abs=CLOSED)
    assert got.shift_by_arm.se == pytest.approx(want["se"], abs=CLOSED)
    assert got.shift_by_arm.df == pytest.approx(want["df"], abs=1e-6)
    assert got.shift.estimate + got.adjusted.estimate == pytest.approx(got.observed.estimate)  # type: ignore[union-attr]


def test_reliable_change_is_that_of_jacobson_and_truax() -> None:
    got = reliable_change.reliable_change(column("before"), column("after"), 0.85)
    assert isinstance(got, ReliableChange)
    want = wanted()["reliable_change"]
    assert got.index == pytest.approx(want["index"], abs=CLOSED)
    assert (got.smallest, got.improved, got.worsened) == pytest.approx(
        (want["smallest"], want["improved"], want["worsened"]), abs=CLOSED
    )
    assert got.improved + got.worsened + got.unchanged == pytest.approx(1.0)
    turned = reliable_change.reliable_change(column("before"), column("after"), 0.85, higher_is_better=False)
    assert isinstance(turned, ReliableChange)
    assert (turned.improved, turned.worsened) == (got.worsened, got.improved)


def test_of_people_who_did_not_change_five_in_a_hundred_seem_to() -> None:
    rng = np.random.default_rng(2)
    true = rng.normal(0, 0.8**0.5, 20_000)
    before, after = (true + rng.normal(0, 0.2**0.5, 20_000) for _ in range(2))
    got = reliable_change.reliable_change(before, after, 0.8)
    assert isinstance(got, ReliableChange)
    assert 1 - got.unchanged == pytest.approx(0.05, abs=0.006)


def test_correlations_and_their_intervals_are_those_written_out_in_r() -> None:
    frame = groups()
    got = convergence(frame[["i1", "i2", "i3"]], frame[["j1", "j2", "j3", "j4"]], sites())
    assert isinstance(got, Convergence)
    assert isinstance(got.corrected, Ratio)
    want = wanted()["convergence"]
    assert (got.observed.value, got.corrected.value) == pytest.approx((want["observed"], want["corrected"]), abs=CLOSED)
    assert got.observed.ci == pytest.approx(want["observed_ci"], abs=CLOSED)
    assert got.corrected.ci == pytest.approx(want["corrected_ci"], abs=CLOSED)


def test_correcting_for_attenuation_finds_the_correlation_of_what_is_measured() -> None:
    rng = np.random.default_rng(5)
    f = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 3000)
    one, other = (pd.DataFrame(f[:, [k]] + rng.normal(size=(3000, 3))) for k in range(2))
    got = convergence(one, other, np.repeat(np.arange(30), 100))
    assert isinstance(got, Convergence)
    assert isinstance(got.corrected, Ratio)
    assert got.observed.value < 0.5
    assert got.corrected.value == pytest.approx(0.6, abs=0.05)


def test_a_scale_of_one_item_cannot_be_corrected() -> None:
    frame = groups()
    got = convergence(frame[["i1"]], frame[["j1", "j2"]], sites())
    assert isinstance(got, Convergence)
    assert "one item" in reason(got.corrected)


def test_people_at_the_ends_of_a_scale_are_counted() -> None:
    got = floor_ceiling.floor_ceiling(np.array([0.0, 20, 100, 100, 60, np.nan]), 0, 100)
    assert isinstance(got, FloorCeiling)
    assert (got.floor, got.ceiling, got.n) == pytest.approx((0.2, 0.4, 5))
    assert got.missing == pytest.approx(1 / 6)
    assert got.has_ceiling_effect
    with pytest.raises(BadData, match="120"):
        floor_ceiling.floor_ceiling(np.array([120.0]), 0, 100)
    assert "nobody" in reason(floor_ceiling.floor_ceiling(np.array([np.nan]), 0, 100))


def test_no_number_without_a_reason() -> None:
    nan, ones = np.full(5, np.nan), np.ones(5)
    code = np.zeros(5, dtype=np.intp)
    items = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 4)), columns=list("abcd"))
    assert "both raters" in reason(kappa(nan, ones))
    assert "same score" in reason(kappa(ones, ones))
    assert "two of each" in reason(icc_agreement(np.ones((1, 2))))
    assert "does not differ" in reason(icc_agreement(np.ones((5, 2))))
    assert "two groups" in reason(group_agreement(ones, code))
    assert "all answer the same" in reason(group_agreement(np.array([1.0, 1, 2, 2]), np.array([0, 0, 1, 1])))
    assert "reliability" in reason(reliable_change.reliable_change(ones, ones, 1.0))
    assert "nobody" in reason(reliable_change.reliable_change(nan, ones, 0.8))
    assert "do not vary" in reason(reliable_change.reliable_change(ones, ones, 0.8))
    assert "nobody" in reason(then_test(nan, ones, ones, code))
    assert "one site" in reason(then_test(ones, ones, ones, code))
    assert "three sites" in reason(convergence(items[["a", "b"]], items[["c", "d"]], np.arange(20) % 2))
    assert "tell 3 factors apart" in reason(minres(items, 3))
    assert "more people" in reason(minres(items.head(4)))
    assert '"b"' in reason(minres(items.assign(b=1.0)))
    assert "determined" in reason(minres(items.assign(b=items.a)))
    assert "more people" in reason(parallel_analysis(items.head(3), np.random.default_rng(1)))
    assert '"b"' in reason(parallel_analysis(items.assign(b=1.0), np.random.default_rng(1)))
    with pytest.raises(BadData, match="none of the categories"):
        kappa(np.array([0.0, 3]), np.array([0.0, 1]), (0.0, 1.0, 2.0))


@pytest.mark.parametrize(
    "name",
    [
        f"{package.__name__}.{module.name}"
        for package in (analysis.measures, analysis.ordinal)
        for module in pkgutil.iter_modules(package.__path__)
    ],
)
def test_the_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
