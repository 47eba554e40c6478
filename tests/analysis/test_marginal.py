"""Estimating equations, standardised risks and estimands: R's answers, identities, and what is refused and why."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.compare import compare
from analysis.marginal.estimands import Estimands, estimands
from analysis.marginal.gee import Correction, Correlation, GeeFit, Link, Variance, gee, gee_fit
from analysis.marginal.jackknife import jackknife
from analysis.marginal.standardised import StandardisedRisks, standardised_risks
from analysis.model_matrix import model_matrix
from analysis.results import Effect, Floats, NotEstimable
from analysis.robust.cluster_robust import Kind, cluster_robust, site_scores
from analysis.robust.did import site_difference
from tests.analysis.cases import CASES, REFERENCES, question, table, trial

# Under independence both sides solve the same equations to rounding.
CLOSED = 1e-8
# geepack stops when a step of β or of the correlation is below its epsilon, here 1e-14, and ours at 1e-10 standard
# errors; a correlation found by alternating steps gains about one digit a step, so the last two digits are open.
ITERATED = 1e-8
few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)

R: dict[str, Any] = json.loads((REFERENCES / "marginal.json").read_text())
PEOPLE = pd.read_csv(REFERENCES / "robust.csv")
CORRECTIONS: tuple[Correction, ...] = ("liang_zeger", "mancl_derouen", "kauermann_carroll", "fay_graubard")


def columns_of(frame: pd.DataFrame, names: list[str]) -> list[tuple[str, Floats]]:
    return [(name, frame[name].to_numpy(float)) for name in names]


def fit(
    frame: pd.DataFrame,
    names: list[str],
    outcome: str = "outcome",
    link: Link = "identity",
    variance: Variance = "gaussian",
    correlation: Correlation = "exchangeable",
) -> GeeFit | NotEstimable:
    site = pd.factorize(frame.site)[0].astype(np.intp)
    y = frame[outcome].to_numpy(float)
    return gee_fit(y, columns_of(frame, names), site, link=link, variance=variance, correlation=correlation)


def solved(frame: pd.DataFrame, names: list[str], **choices: Any) -> GeeFit:
    found = fit(frame, names, **choices)
    assert isinstance(found, GeeFit), found
    return found


def effect(found: Effect | NotEstimable) -> Effect:
    assert isinstance(found, Effect), found
    return found


def title(want: dict[str, Any]) -> str:
    return "-".join(want[key] for key in ("case", "variance", "link", "correlation"))


@pytest.mark.parametrize("want", R["gee"], ids=title)
def test_estimates_and_every_variance_are_those_of_r(want: dict[str, Any]) -> None:
    frame = table(want["case"]) if want["case"] in CASES else PEOPLE[PEOPLE.case == want["case"]]
    choices = {name: want[name] for name in ("outcome", "link", "variance", "correlation")}
    got = solved(frame, want["columns"], **choices)
    near = CLOSED if want["correlation"] == "independence" else ITERATED
    assert got.names == ("(intercept)", *want["columns"])
    assert got.beta == pytest.approx(want["beta"], rel=near)
    assert got.scale == pytest.approx(want["phi"], rel=near)
    assert got.correlation == pytest.approx(want["rho"], abs=near)
    assert np.sqrt(np.diag(got.covariance("liang_zeger"))) == pytest.approx(want["robust"], rel=near)
    for correction in CORRECTIONS:
        se = np.sqrt(np.diag(got.covariance(correction)))
        assert se == pytest.approx(want["by_hand"][correction], rel=near), correction


def test_the_effect_is_judged_by_sites_less_columns() -> None:
    frame = trial(3, sites=9, effect=0.5)
    found = solved(frame, ["baseline", "arm"])
    got = effect(gee(found, "arm"))
    assert got.df == 9 - 3
    assert got.se == pytest.approx(float(found.covariance("mancl_derouen")[2, 2]) ** 0.5)
    whole = effect(gee(found, "arm", level=0.5))
    assert got.ci[0] is not None
    assert whole.ci[0] is not None
    assert got.ci[0] < whole.ci[0]


@few
@given(seeds, st.integers(5, 14))
def test_under_independence_the_four_variances_are_those_of_least_squares(seed: int, sites: int) -> None:
    frame = trial(seed, sites=sites)
    found = solved(frame, ["baseline", "arm"], correlation="independence")
    matrix = model_matrix(frame.outcome.to_numpy(float), columns_of(frame, ["baseline", "arm"]))
    scores = site_scores(matrix, frame.site.to_numpy(np.intp))
    pairs: dict[Correction, Kind] = {"liang_zeger": "cr0", "kauermann_carroll": "cr2", "mancl_derouen": "cr3"}
    for correction, kind in pairs.items():
        want = effect(cluster_robust(scores, 2, kind))
        got = effect(gee(found, "arm", correction))
        assert (got.estimate, got.se) == pytest.approx((want.estimate, want.se), rel=1e-8), correction


@few
@given(seeds, st.integers(5, 12))
def test_mancl_derouen_under_independence_is_the_jackknife_without_its_factor(seed: int, sites: int) -> None:
    frame = trial(seed, sites=sites)
    names = ["baseline", "arm"]
    whole = solved(frame, names, correlation="independence").beta
    without = [solved(frame[frame.site != k], names, correlation="independence").beta for k in range(sites)]
    squared = sum((one - whole) ** 2 for one in without)
    found = solved(frame, names, correlation="independence")
    assert np.diag(found.covariance("mancl_derouen")) == pytest.approx(squared, rel=1e-8)


@few
@given(seeds, st.floats(-100, 100), st.floats(0.01, 100))
def test_units_order_and_names_change_nothing(seed: int, shift: float, scale: float) -> None:
    frame = trial(seed, effect=0.4)
    moved = frame.assign(outcome=shift + scale * frame.outcome, site=frame.site.map(lambda s: f"s{(5 * s) % 8}"))
    one = effect(gee(solved(frame, ["baseline", "arm"]), "arm"))
    other = effect(gee(solved(moved.sample(frac=1, random_state=seed), ["baseline", "arm"]), "arm"))
    assert other.estimate == pytest.approx(scale * one.estimate, rel=1e-6, abs=1e-8 * scale)
    assert (other.se, other.df) == pytest.approx((scale * one.se, one.df), rel=1e-6)


def test_a_negative_correlation_is_said_and_an_impossible_one_not_used() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(8, 10))
    alike = noise - 0.7 * noise.mean(axis=1, keepdims=True)
    frame = pd.DataFrame({"site": np.repeat(np.arange(8), 10), "arm": np.repeat(np.arange(8) % 2, 10)})
    found = solved(frame.assign(outcome=alike.ravel()), ["arm"])
    assert -1 / 9 < found.correlation < 0
    assert any("negative" in note for note in found.notes)
    # One large site whose people differ less from site to site than is possible for so many.
    uneven = pd.concat([frame, pd.DataFrame({"site": 7, "arm": 1, "outcome": rng.normal(size=60)})])
    uneven["outcome"] = np.concatenate(((noise - noise.mean(axis=1, keepdims=True)).ravel(), rng.normal(size=60)))
    refused = solved(uneven, ["arm"])
    plain = solved(uneven, ["arm"], correlation="independence")
    assert refused.correlation == 0
    assert any("independence was used" in note for note in refused.notes)
    assert refused.beta == pytest.approx(plain.beta)


def yes_or_no(seed: int = 1, sites: int = 8) -> pd.DataFrame:
    frame = trial(seed, sites=sites, effect=0.3)
    return frame.assign(outcome=(frame.outcome > 0).astype(int))


BINARY: dict[str, Any] = {"link": "logit", "variance": "binomial"}


@pytest.mark.parametrize(
    ("frame", "choices", "words"),
    [
        (yes_or_no().assign(outcome=lambda f: f.outcome | f.arm), BINARY, ["separation", "arm"]),
        (yes_or_no().assign(outcome=lambda f: f.arm), BINARY, ["separation", "arm"]),
        (yes_or_no().assign(outcome=lambda f: (f.baseline > 0.2) * 1), BINARY, ["separation", "baseline"]),
        (yes_or_no().assign(outcome=1), BINARY, ["outcome is 1 for everyone"]),
        (trial(1), BINARY, ["other than 0 and 1"]),
        (yes_or_no().assign(outcome=lambda f: f.outcome * 2), BINARY, ["other than 0 and 1"]),
        (trial(1), {"link": "log", "variance": "poisson"}, ["negative"]),
        (
            yes_or_no().assign(outcome=lambda f: f.outcome * f.arm),
            {"link": "log", "variance": "poisson"},
            ["separation", "arm"],
        ),
        (
            yes_or_no().assign(outcome=lambda f: ((f.baseline + 0.1 * f.outcome) > 0.3) * 1),
            {"link": "identity", "variance": "binomial"},
            ["identity link"],
        ),
        (trial(1).assign(outcome=lambda f: 3 * f.baseline + 1), {}, ["unexplained"]),
    ],
)
def test_what_cannot_be_estimated_has_a_reason(frame: pd.DataFrame, choices: dict[str, Any], words: list[str]) -> None:
    found = fit(frame, ["baseline", "arm"], **choices)
    assert isinstance(found, NotEstimable)
    for word in words:
        assert word in found.reason


def test_a_rare_outcome_is_not_taken_for_separation() -> None:
    frame = yes_or_no(4, sites=20)
    frame["outcome"] = 0
    frame.loc[frame.groupby("site").head(1).index[::4], "outcome"] = 1
    assert isinstance(fit(frame, ["baseline", "arm"], **BINARY), GeeFit)


def test_too_few_sites_or_a_column_that_others_determine_leave_no_effect() -> None:
    three = solved(trial(1, sites=3), ["baseline", "arm"])
    found = gee(three, "arm")
    assert isinstance(found, NotEstimable)
    assert "3 sites" in found.reason
    twice = solved(trial(1).assign(twin=lambda f: f.arm), ["twin", "arm"])
    assert isinstance(gee(twice, "arm"), NotEstimable)


def test_compare_gives_the_exchangeable_identity_fit_with_mancl_derouen_errors() -> None:
    frame = trial(2, sites=12, effect=0.4)
    got = effect(compare(frame, question(methods=("gee",))).methods["gee"])  # type: ignore[arg-type]
    want = effect(gee(solved(frame, ["baseline", "arm"]), "arm", "mancl_derouen"))
    assert (got.estimate, got.se, got.df, got.p) == pytest.approx((want.estimate, want.se, want.df, want.p))


def null_trial(rng: np.random.Generator, sites: int) -> tuple[Floats, Floats, Floats, NDArray[np.intp]]:
    """Outcome, baseline, arm and site of an uneven trial without an effect."""
    arm_of = rng.permutation(np.arange(sites) % 2)
    site = np.repeat(np.arange(sites), rng.integers(4, 40, sites))
    baseline = rng.normal(size=len(site))
    between = rng.normal(0, 0.05**0.5, sites)
    outcome = between[site] + 0.5 * baseline + rng.normal(0, 0.7**0.5, len(site))
    return outcome, baseline, arm_of[site].astype(float), site


@pytest.mark.parametrize("sites", [8, 16])
def test_without_an_effect_the_small_sample_errors_seldom_reject_and_the_plain_ones_often(sites: int) -> None:
    rng = np.random.default_rng(sites)
    rejected = dict.fromkeys(CORRECTIONS, 0)
    for _ in range(400):
        outcome, baseline, arm, site = null_trial(rng, sites)
        found = gee_fit(outcome, [("baseline", baseline), ("arm", arm)], site)
        assert isinstance(found, GeeFit), found
        for correction in CORRECTIONS:
            rejected[correction] += effect(gee(found, "arm", correction)).p < 0.05
    # 400 trials: Monte-Carlo standard error 1.1 per cent at 5.
    assert rejected["mancl_derouen"] <= 400 * (0.05 + 3 * 0.011)
    assert rejected["mancl_derouen"] <= rejected["fay_graubard"] <= rejected["liang_zeger"]
    assert rejected["mancl_derouen"] <= rejected["kauermann_carroll"] <= rejected["liang_zeger"]
    assert rejected["liang_zeger"] > 400 * 0.06


def risks(frame: pd.DataFrame, names: list[str], weight: str = "people", **choices: Any) -> Any:
    site = pd.factorize(frame.site)[0].astype(np.intp)
    weights = None if weight == "people" else 1.0 / np.bincount(site)[site]
    labels = [str(k) for k in range(int(site.max()) + 1)]
    outcome = choices.pop("outcome", "outcome")
    covariates = columns_of(frame, [name for name in names if name != "arm"])
    arm, y = frame.arm.to_numpy(float), frame[outcome].to_numpy(float)
    return standardised_risks(y, arm, covariates, site, labels, weights=weights, **choices)


@pytest.mark.parametrize("want", R["standardised"], ids=lambda want: f"{want['case']}-{want['weight']}")
def test_standardised_risks_and_their_jackknife_are_those_of_refitting_in_r(want: dict[str, Any]) -> None:
    got = risks(PEOPLE[PEOPLE.case == want["case"]], want["columns"], want["weight"], outcome="yes")
    assert isinstance(got, StandardisedRisks)
    assert got.risks == pytest.approx(want["risks"], rel=CLOSED)
    for name in ("difference", "log_ratio"):
        one = effect(getattr(got, name))
        assert one.estimate == pytest.approx(want[name]["estimate"], rel=CLOSED, abs=CLOSED)
        assert one.se == pytest.approx(want[name]["se"], rel=1e-7)  # differences of nearly equal estimates


def test_without_covariates_the_standardised_risks_are_shares_of_the_arms() -> None:
    frame = yes_or_no(2, sites=10)
    got = risks(frame, ["arm"])
    assert isinstance(got, StandardisedRisks)
    shares = frame.groupby("arm").outcome.mean()
    assert got.risks == pytest.approx((shares[1], shares[0]))
    assert effect(got.difference).df == 8
    low, high = effect(got.log_ratio).ci
    assert low is not None
    assert high is not None
    assert not isinstance(got.ratio, NotEstimable)
    assert (got.ratio.value, *got.ratio.ci) == pytest.approx((shares[1] / shares[0], np.exp(low), np.exp(high)))
    assert json.loads(json.dumps(got.to_dict(), allow_nan=False))["risks"] == list(got.risks)


def test_columns_of_sites_take_degrees_of_freedom_and_columns_of_people_do_not() -> None:
    frame = yes_or_no(2, sites=12).assign(region=lambda f: f.site % 3 == 0)
    assert effect(risks(frame, ["baseline", "arm"]).difference).df == 10
    assert effect(risks(frame, ["baseline", "region", "arm"]).difference).df == 9


def test_the_only_site_with_events_in_an_arm_is_named() -> None:
    frame = yes_or_no(2, sites=8)
    treated = frame[frame.arm == 1].site.iloc[0]
    frame.loc[(frame.arm == 1) & (frame.site != treated), "outcome"] = 0
    frame.loc[frame.site == treated, "outcome"] = np.arange((frame.site == treated).sum()) % 2
    got = risks(frame, ["arm"])
    assert isinstance(got, NotEstimable)
    assert f"without site {pd.factorize(frame.site)[1].get_loc(treated)}" in got.reason
    assert "separation" in got.reason


def averages(frame: pd.DataFrame, names: list[str], **choices: Any) -> Estimands:
    site = pd.factorize(frame.site)[0].astype(np.intp)
    review = frame.review.to_numpy(np.intp) if "review" in frame else None
    covariates = columns_of(frame, [name for name in names if name != "arm"])
    got = estimands(frame.outcome.to_numpy(float), frame.arm.to_numpy(float), covariates, site, review, **choices)
    assert isinstance(got, Estimands)
    return got


@pytest.mark.parametrize("case", R["estimands"])
def test_averages_over_people_and_sites_and_their_difference_are_those_of_r(case: str) -> None:
    want = R["estimands"][case]
    got = averages(PEOPLE[PEOPLE.case == case], want["columns"])
    assert got.review is None
    for name in ("person", "site"):
        one = effect(getattr(got, name))
        expected = want[name]
        assert (one.estimate, one.se, one.df) == pytest.approx(
            (expected["estimate"], expected["se"], expected["df"]), rel=CLOSED
        )
    one = effect(got.informative)
    assert one.estimate == pytest.approx(want["informative"]["estimate"], rel=CLOSED, abs=CLOSED)
    assert one.se == pytest.approx(want["informative"]["se"], rel=CLOSED)


@few
@given(seeds, st.integers(6, 12))
def test_without_covariates_sites_alike_is_the_t_test_of_site_means_and_reviews_alike_that_of_review_means(
    seed: int, sites: int
) -> None:
    frame = trial(seed, sites=sites)
    got = averages(frame, ["arm"])
    means = frame.groupby("site")[["outcome", "arm"]].mean()
    want = effect(site_difference(means.outcome.to_numpy(), means.arm.to_numpy()))
    one = effect(got.site)
    assert (one.estimate, one.se, one.df) == pytest.approx((want.estimate, want.se, want.df), rel=1e-8)
    each = frame.groupby(["site", "review"])[["outcome", "arm"]].mean().reset_index()
    matrix = model_matrix(each.outcome.to_numpy(), [("arm", each.arm.to_numpy())])
    want = effect(cluster_robust(site_scores(matrix, each.site.to_numpy(np.intp)), 1, "cr2"))
    assert got.review is not None
    one = effect(got.review)
    assert (one.estimate, one.se, one.df) == pytest.approx((want.estimate, want.se, want.df), rel=1e-8)


def informative(seed: int, slope: float) -> pd.DataFrame:
    """A trial whose larger sites have larger effects, by `slope` a person."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(30), rng.permutation(np.repeat([4, 8, 12, 24, 36], 6)))
    arm = (rng.permutation(30) % 2)[site]
    size = np.bincount(site)[site]
    outcome = arm * (0.2 + slope * (size - 16.8)) + rng.normal(size=30)[site] * 0.2 + rng.normal(size=len(site))
    return pd.DataFrame({"site": site, "arm": arm, "outcome": outcome})


def test_informative_size_is_found_where_it_is_and_seldom_where_it_is_not() -> None:
    there = [averages(informative(seed, 0.04), ["arm"]) for seed in range(40)]
    absent = [averages(informative(seed, 0.0), ["arm"]) for seed in range(200)]
    assert sum(effect(one.informative).p < 0.05 for one in there) > 20
    assert sum(effect(one.by_size).p < 0.05 for one in there) > 20
    assert sum(effect(one.informative).p < 0.05 for one in absent) <= 200 * 0.05 + 3 * 3.1
    assert sum(effect(one.by_size).p < 0.05 for one in absent) <= 200 * 0.05 + 3 * 3.1
    slope = np.mean([effect(one.by_size).estimate for one in there])
    assert slope == pytest.approx(0.04, abs=0.005)  # 40 trials, standard error of the mean below 0.002
    apart = np.mean([effect(one.informative).estimate for one in there])
    # Weights by people and by sites give effects (Σn²/Σn − mean n)·0.04 apart.
    sizes = np.repeat([4, 8, 12, 24, 36], 6)
    assert apart == pytest.approx(0.04 * ((sizes**2).sum() / sizes.sum() - sizes.mean()), abs=0.06)


def test_where_sites_have_as_many_people_the_averages_are_one() -> None:
    got = averages(trial(1, uneven=False), ["baseline", "arm"])
    assert effect(got.person).estimate == pytest.approx(effect(got.site).estimate)
    assert isinstance(got.informative, NotEstimable)
    assert isinstance(got.by_size, NotEstimable)
    assert "same number" in got.informative.reason
    assert json.dumps(got.to_dict(), allow_nan=False)


def test_covariates_that_determine_the_arm_leave_no_estimand() -> None:
    frame = trial(1)
    site = frame.site.to_numpy(np.intp)
    arm = frame.arm.to_numpy(float)
    found = estimands(frame.outcome.to_numpy(float), arm, [("twin", 1.0 - arm)], site)
    assert isinstance(found, NotEstimable)
    binary = standardised_risks((frame.outcome > 0).to_numpy(float), arm, [("twin", arm)], site, ["a"] * 8)
    assert isinstance(binary, NotEstimable)
    assert "determine the arm" in binary.reason


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=9)
    got = effect(jackknife(float(values.mean()), (values.sum() - values) / 8, 8.0))
    assert got.se == pytest.approx(values.std(ddof=1) / 3)
    assert isinstance(jackknife(1.0, np.ones(9), 8.0), NotEstimable)
