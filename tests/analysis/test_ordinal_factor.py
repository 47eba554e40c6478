"""One factor of ordered answers and its invariance: lavaan's numbers, closed forms, known truth, and reasons."""

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from analysis.measures.invariance import STEPS, Invariance, invariance
from analysis.measures.moment_fit import ChiSquare
from analysis.measures.ordinal_cfa import OrdinalFactor, categorise, ordinal_factor
from analysis.measures.polychoric import PolychoricMoments, bivariate_normal, polychoric_moments
from analysis.results import NotEstimable
from tests.analysis.cases import REFERENCES, table

# Thresholds are quantiles of shares; lavaan finds each correlation to about 1e-7.
THRESHOLD = 1e-8
CORRELATION = 1e-5
# lavaan's optimiser leaves 1e-6 in a loading, and its χ², whose derivative in loadings is not zero, 1e-5 of itself.
LOADING = 1e-5
STANDARD_ERROR = 1e-5
CHI_SQUARE = 3e-5
INDEX = 1e-5
CASES = ("ceiling_six_items", "two_factors", "seven_answers_eight_items", "agreeableness")
GROUPS = (("two_arms", "arm"), ("three_waves", "wave"))


@cache
def wanted() -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((REFERENCES / "measures.json").read_text())
    return answers


def items(case: str) -> pd.DataFrame:
    if case == "agreeableness":
        return table("scale_agreeableness").dropna().head(1000)
    return table(f"measures_{case}")


@cache
def factor(case: str) -> OrdinalFactor:
    found = ordinal_factor(items(case))
    assert isinstance(found, OrdinalFactor)
    return found


@cache
def compared(case: str, group: str) -> Invariance:
    frame = table(f"measures_{case}")
    found = invariance(frame.drop(columns=group), frame[group])
    assert isinstance(found, Invariance)
    return found


def reason(value: object) -> str:
    assert isinstance(value, NotEstimable)
    return value.reason


def answers(
    seed: int,
    people: int,
    loadings: tuple[float, ...] = (0.8, 0.7, 0.6, 0.7),
    cuts: tuple[float, ...] = (-1.0, 0.0, 0.9),
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    pull = np.array(loadings)
    latent = rng.normal(size=(people, 1)) * pull + rng.normal(size=(people, len(pull))) * np.sqrt(1 - pull**2)
    return pd.DataFrame(np.searchsorted(cuts, latent), columns=[f"i{k}" for k in range(len(pull))]).astype(float)


def test_bivariate_normal_probabilities_are_those_of_scipy() -> None:
    h, k = np.array([-2.0, 0.3, 1.7]), np.array([-1.0, 0.0, 2.5])
    for rho in (-0.95, -0.4, 0.0, 0.6, 0.99):
        cdf = multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf
        assert bivariate_normal(h, k, rho) == pytest.approx(np.array([[cdf([a, b]) for b in k] for a in h]), abs=1e-7)
    # Sheppard's closed form at the origin.
    zero = np.zeros(1)
    assert bivariate_normal(zero, zero, 0.5)[0, 0] == pytest.approx(0.25 + np.arcsin(0.5) / (2 * np.pi), abs=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_thresholds_and_polychoric_correlations_are_those_of_lavaan(case: str) -> None:
    places, categories = categorise(items(case).to_numpy(float))
    got = polychoric_moments(places, categories, tuple(items(case).columns))
    assert isinstance(got, PolychoricMoments)
    want = wanted()["ordinal_factor"][case]
    assert np.concatenate(got.thresholds) == pytest.approx(want["thresholds"], abs=THRESHOLD)
    upper = got.correlations[np.triu_indices(len(categories), 1)]
    assert upper == pytest.approx(want["correlations"], abs=CORRELATION)


@pytest.mark.parametrize("case", CASES)
def test_one_factor_of_ordered_answers_is_that_of_lavaan(case: str) -> None:
    got, want = factor(case), wanted()["ordinal_factor"][case]
    assert got.loadings == pytest.approx(want["loadings"], abs=LOADING)
    assert got.se == pytest.approx(want["se"], abs=STANDARD_ERROR)
    fits = want["indices"]
    assert got.test.df == fits["df.scaled"]
    assert got.test.statistic == pytest.approx(fits["chisq.scaled"], rel=CHI_SQUARE)
    assert got.test.p == pytest.approx(fits["pvalue.scaled"], abs=INDEX)
    assert got.baseline.statistic == pytest.approx(fits["baseline.chisq.scaled"], rel=CHI_SQUARE)
    assert (got.cfi, got.rmsea, got.srmr) == pytest.approx(
        (fits["cfi.scaled"], fits["rmsea.scaled"], fits["srmr"]), abs=INDEX
    )


@pytest.mark.parametrize(("case", "group"), GROUPS)
def test_every_step_of_invariance_is_that_of_lavaan(case: str, group: str) -> None:
    got, want = compared(case, group), wanted()["invariance"][case]
    assert got.stopped is None
    assert [step.name for step in got.steps] == list(STEPS)
    for step, fits in zip(got.steps, want["steps"], strict=True):
        assert step.test.df == fits["df.scaled"]
        assert step.test.statistic == pytest.approx(fits["chisq.scaled"], rel=CHI_SQUARE)
        assert (step.cfi, step.rmsea) == pytest.approx((fits["cfi.scaled"], fits["rmsea.scaled"]), abs=INDEX)
    for step, test in zip(got.steps[1:], want["differences"], strict=True):
        if test["df"] == 0:
            assert "nothing is restricted" in reason(step.against_last)
            continue
        assert isinstance(step.against_last, ChiSquare)
        assert step.against_last.df == test["df"]
        assert step.against_last.statistic == pytest.approx(test["statistic"], rel=CHI_SQUARE)
        assert step.against_last.p == pytest.approx(test["p"], abs=INDEX)
    means, errors = zip(*got.factor_means.values(), strict=True)
    assert list(means) == pytest.approx(np.atleast_1d(want["factor_means"]).tolist(), abs=LOADING)
    assert list(errors) == pytest.approx(np.atleast_1d(want["factor_means_se"]).tolist(), abs=STANDARD_ERROR)


def test_the_item_that_moved_is_caught_at_the_step_it_breaks() -> None:
    """In both references one item was made to differ: by its cuts between arms, by its loading between waves."""
    arms, waves = compared("two_arms", "arm").steps, compared("three_waves", "wave").steps
    assert isinstance(arms[3].against_last, ChiSquare)
    assert isinstance(waves[2].against_last, ChiSquare)
    assert arms[3].against_last.p < 0.001  # cuts moved together are a mean that the factor does not explain
    assert waves[2].against_last.p < 0.01


def test_the_robust_test_rejects_one_true_factor_in_twenty() -> None:
    """120 samples of 300 people; the rate within three binomial standard errors of 5 %."""
    rejected = 0
    for seed in range(120):
        found = ordinal_factor(answers(seed, 300))
        assert isinstance(found, OrdinalFactor)
        rejected += found.test.p < 0.05
    assert rejected / 120 == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / 120) ** 0.5)


def test_the_loadings_that_were_put_in_are_found() -> None:
    found = ordinal_factor(answers(1, 8000))
    assert isinstance(found, OrdinalFactor)
    assert list(found.loadings.values()) == pytest.approx([0.8, 0.7, 0.6, 0.7], abs=0.04)  # about three errors
    assert found.cfi > 0.99


def test_equal_groups_pass_every_step_and_a_higher_mean_is_a_higher_mean() -> None:
    one, other = answers(1, 1500), answers(2, 1500, cuts=(-1.4, -0.4, 0.5))
    found = invariance(
        pd.concat([one, other], ignore_index=True), pd.Series(["control"] * 1500 + ["appreciative"] * 1500)
    )
    assert isinstance(found, Invariance)
    for step in found.steps[1:3]:
        assert isinstance(step.against_last, ChiSquare)
        assert step.against_last.p > 0.01
    assert found.factor_means["appreciative"][0] > 0.3


def test_labels_of_answers_and_order_of_people_change_nothing() -> None:
    frame = answers(3, 300)
    one, other = ordinal_factor(frame), ordinal_factor(10 * frame.sample(frac=1, random_state=1) - 7)
    assert isinstance(one, OrdinalFactor)
    assert isinstance(other, OrdinalFactor)
    assert other.loadings == pytest.approx(one.loadings, abs=1e-8)
    assert other.test.statistic == pytest.approx(one.test.statistic, rel=1e-6)


def test_an_item_keyed_the_other_way_turns_the_sign_of_its_loading_alone() -> None:
    frame = answers(4, 300)
    one, other = ordinal_factor(frame), ordinal_factor(frame.assign(i2=3 - frame.i2))
    assert isinstance(one, OrdinalFactor)
    assert isinstance(other, OrdinalFactor)
    assert other.loadings["i2"] == pytest.approx(-one.loadings["i2"], abs=1e-7)
    assert other.loadings["i0"] == pytest.approx(one.loadings["i0"], abs=1e-7)


def test_three_items_have_a_factor_but_no_test() -> None:
    found = ordinal_factor(answers(5, 300, (0.8, 0.7, 0.6)))
    assert isinstance(found, OrdinalFactor)
    assert found.test.df == 0
    assert "no degrees of freedom" in reason(found.rmsea)


def test_few_people_are_warned_of() -> None:
    assert any("200" in note for note in factor("ceiling_six_items").warnings)
    assert factor("two_factors").warnings == ()


def test_no_factor_without_a_reason() -> None:
    frame = answers(6, 100)
    assert "three items" in reason(ordinal_factor(frame[["i0", "i1"]]))
    assert "11 people" in reason(ordinal_factor(frame.head(11)))
    assert "same answer" in reason(ordinal_factor(frame.assign(i1=2.0)))
    assert "at most ten" in reason(ordinal_factor(frame.assign(i1=np.arange(100.0))))
    assert "determine each other" in reason(ordinal_factor(frame.assign(i1=frame.i0)))


def test_no_invariance_without_a_reason() -> None:
    frame, half = answers(7, 200), pd.Series(["a", "b"] * 100)
    assert "two groups" in reason(invariance(frame, pd.Series(["a"] * 200)))
    assert "three items" in reason(invariance(frame[["i0", "i1"]], half))
    assert "two answers" in reason(invariance(frame.clip(upper=1), half))
    assert "of b" in reason(invariance(frame, pd.Series(["a"] * 195 + ["b"] * 5)))
    absent = frame.assign(i1=frame.i1.where((half == "a") | (frame.i1 > 0), 1.0))
    assert 'in b: nobody gave answer 1 to "i1"' in reason(invariance(absent, half))
