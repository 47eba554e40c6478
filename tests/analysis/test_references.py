"""Our numbers are R's numbers, on three data sets and for every method R was asked."""

import json

import pytest

from analysis.compare import Comparison
from analysis.resampling.randomisation import RandomisationTest
from analysis.results import Effect
from tests.analysis.cases import CASES, answers_of_r, ours

# Where both sides are closed formulae only rounding differs.
CLOSED = 1e-8
# R's optimiser stops at a relative 1e-10 of the criterion, which leaves about 1e-6 in a variance; estimates are flat
# in the variances, standard errors and degrees of freedom are not.
REML_ESTIMATE = 1e-6
REML_SPREAD = 1e-5
# lmerTest differentiates numerically.
SATTERTHWAITE_DF = 1e-3


def effect(result: Comparison, method: str) -> Effect:
    found = result.methods[method]
    assert isinstance(found, Effect)
    return found


@pytest.mark.parametrize("case", CASES)
def test_kenward_roger_is_that_of_pbkrtest(case: str) -> None:
    got, want = effect(ours(case), "lmm_kenward_roger"), answers_of_r(case)["lmm_kenward_roger"]
    assert got.estimate == pytest.approx(want["estimate"], abs=REML_ESTIMATE)
    assert got.se == pytest.approx(want["se"], rel=REML_SPREAD)
    assert got.df == pytest.approx(want["df"], rel=REML_SPREAD)
    assert got.p == pytest.approx(want["p"], rel=1e-4)  # p moves about ten times as fast as the standard error
    assert got.ci == pytest.approx(want["ci"], abs=REML_SPREAD)


@pytest.mark.parametrize("case", CASES)
def test_satterthwaite_is_that_of_lmertest(case: str) -> None:
    got, want = effect(ours(case), "lmm_satterthwaite"), answers_of_r(case)["lmm_satterthwaite"]
    assert got.estimate == pytest.approx(want["estimate"], abs=REML_ESTIMATE)
    assert got.se == pytest.approx(want["se"], rel=REML_SPREAD)
    assert got.df == pytest.approx(want["df"], rel=SATTERTHWAITE_DF)
    assert got.ci == pytest.approx(want["ci"], abs=REML_SPREAD)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["cr1s", "cr2", "cr3"])
def test_cluster_robust_errors_are_those_of_clubsandwich(case: str, kind: str) -> None:
    got, want = effect(ours(case), kind), answers_of_r(case)[kind]
    assert got.estimate == pytest.approx(want["estimate"], abs=CLOSED)
    assert got.se == pytest.approx(want["se"], abs=CLOSED)
    assert got.df == pytest.approx(want["df"], rel=CLOSED)


@pytest.mark.parametrize("case", CASES)
def test_the_cluster_summary_is_the_pooled_t_test(case: str) -> None:
    got, want = effect(ours(case), "cluster_summary"), answers_of_r(case)["cluster_summary"]
    assert (got.estimate, got.df, got.p) == pytest.approx((want["estimate"], want["df"], want["p"]), abs=CLOSED)
    assert got.ci == pytest.approx(want["ci"], abs=CLOSED)


@pytest.mark.parametrize("case", CASES)
def test_variances_and_the_likelihood_are_those_of_lme4(case: str) -> None:
    got, want = ours(case).to_dict()["variance"], answers_of_r(case)
    assert got["reml_loglik"] == pytest.approx(want["reml_loglik"], abs=1e-6)
    assert got["reml_loglik"] >= want["reml_loglik"] - 1e-9
    assert got["residual"] == pytest.approx(want["variance"]["Residual"], rel=REML_SPREAD)
    assert got["review"] == pytest.approx(want["variance"]["review:site"], abs=1e-6)
    assert got["site"] == pytest.approx(want["variance"]["site"], abs=1e-6)
    assert got["boundary"] == (["site"] if want["variance"]["site"] == 0 else [])


@pytest.mark.parametrize("case", ["tvsfp", "eight_sites_zero_variance"])
def test_intraclass_correlations_follow_from_the_variances(case: str) -> None:
    got, want = ours(case).to_dict()["icc"], answers_of_r(case)["icc"]
    assert got["site"]["value"] == pytest.approx(want["site"], abs=1e-6)
    assert got["review"]["value"] == pytest.approx(want["review"], abs=1e-6)


@pytest.mark.parametrize("case", ["eight_sites_zero_variance", "twenty_sites_uneven"])
def test_the_randomisation_p_is_over_all_allocations(case: str) -> None:
    got, want = ours(case).methods["randomisation"], answers_of_r(case)["randomisation_exact"]
    assert isinstance(got, RandomisationTest)
    assert got.exact
    assert got.allocations == want["allocations"]
    assert got.p == pytest.approx(want["p"], abs=1e-12)


# Each interval was found once by scanning δ over all allocations; ends are exact ratios, given to six decimals.
@pytest.mark.parametrize(
    ("case", "interval"),
    [("eight_sites_zero_variance", (0.173911, 0.943518)), ("twenty_sites_uneven", (0.149450, 0.440502))],
)
def test_the_randomisation_interval_is_the_exact_inversion(case: str, interval: tuple[float, float]) -> None:
    got = ours(case).methods["randomisation"]
    assert isinstance(got, RandomisationTest)
    assert got.ci == pytest.approx(interval, abs=1e-6)


def test_forty_million_allocations_of_28_schools_are_counted_exactly() -> None:
    got = ours("tvsfp").methods["randomisation"]
    assert isinstance(got, RandomisationTest)
    assert got.exact
    assert got.allocations == 40_116_600
    assert got.p == pytest.approx(0.000888360, abs=1e-9)  # the reference is given to nine decimals


def test_hedges_g_is_on_the_total_standard_deviation_and_agrees_with_the_test() -> None:
    got = ours("tvsfp").to_dict()
    assert got["effect_size"]["hedges_g"] == pytest.approx(0.3479, abs=5e-5)
    ratio = got["effect_size"]["hedges_g"] / got["methods"]["lmm_kenward_roger"]["estimate"]
    assert got["effect_size"]["ci"] == pytest.approx([ratio * end for end in got["methods"]["lmm_kenward_roger"]["ci"]])


@pytest.mark.parametrize(
    ("case", "primary"),
    [
        ("tvsfp", "lmm_kenward_roger"),
        ("eight_sites_zero_variance", "cluster_summary"),
        ("twenty_sites_uneven", "lmm_kenward_roger"),
    ],
)
def test_the_planned_number_of_sites_chooses_the_primary(case: str, primary: str) -> None:
    assert ours(case).primary.method == primary


@pytest.mark.parametrize("case", CASES)
def test_the_json_holds_neither_nan_nor_infinity(case: str) -> None:
    assert json.loads(json.dumps(ours(case).to_dict(), allow_nan=False))["outcome"] == "outcome"
