"""ICCs from mean squares, design effects, and whether a difference is too small to matter: R's numbers, and identities."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.equivalence import equivalence, noninferiority
from analysis.errors import BadData
from analysis.measures.anova_icc import DesignEffect, anova_icc, design_effect
from analysis.results import Effect, NotEstimable, Ratio, t_effect
from tests.analysis.cases import REFERENCES

ANSWERS: dict[str, Any] = json.loads((REFERENCES / "effects.json").read_text())
CLOSED = 1e-9  # closed formulae on both sides


def effect(estimate: float, se: float = 2.0, df: float = 20.0) -> Effect:
    found = t_effect(estimate, se, df, 0.95)
    assert isinstance(found, Effect)
    return found


@pytest.mark.parametrize("case", ANSWERS["anova_icc"])
def test_the_anova_icc_and_its_interval_are_r_s(case: dict[str, Any]) -> None:
    found = anova_icc(np.array(case["values"], dtype=float), np.array(case["cluster"]))
    assert isinstance(found, Ratio)
    assert found.value == pytest.approx(case["icc"], abs=CLOSED)
    assert found.ci == pytest.approx(case["ci"], abs=CLOSED)


def test_an_anova_icc_may_be_negative() -> None:
    found = anova_icc(np.array([-1.0, 1.0, -2.0, 2.0, -1.5, 1.5]), np.array([0, 0, 1, 1, 2, 2]))
    assert isinstance(found, Ratio)
    assert found.value == pytest.approx(-1.0)  # clusters of two whose means are all alike


@pytest.mark.parametrize(
    ("values", "cluster", "why"),
    [
        ([1, 2, 3], [0, 0, 0], "one cluster"),
        ([1, 2, 3], [0, 1, 2], "one person"),
        ([4, 4, 4, 4], [0, 0, 1, 1], "same value"),
        ([1, 1, 2, 2], [0, 0, 1, 1], "all alike"),
    ],
)
def test_an_icc_that_cannot_be_had_says_why(values: list[float], cluster: list[int], why: str) -> None:
    found = anova_icc(np.array(values, dtype=float), np.array(cluster))
    assert isinstance(found, NotEstimable)
    assert why in found.reason


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-100, 100))
def test_an_icc_does_not_depend_on_unit_origin_or_order(seed: int, unit: float, origin: float) -> None:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(5), rng.integers(2, 7, 5))
    values = rng.normal(size=5)[cluster] + rng.normal(size=len(cluster))
    order = rng.permutation(len(cluster))
    one, other = anova_icc(values, cluster), anova_icc((origin + unit * values)[order], 7 - cluster[order])
    assert isinstance(one, Ratio)
    assert isinstance(other, Ratio)
    assert (one.value, *one.ci) == pytest.approx((other.value, *other.ci), abs=1e-8)


def test_the_design_effect_is_one_plus_what_a_cluster_adds() -> None:
    assert design_effect(0.1, np.full(10, 11.0)) == DesignEffect(2.0, 55.0)
    uneven = design_effect(0.1, np.array([1.0, 21.0]))
    assert isinstance(uneven, DesignEffect)
    # Variance of a mean of clusters of sizes m: Σ m(1 + (m − 1) ρ) / N², beside 1/N.
    assert uneven.effect == pytest.approx((1 + 21 * (1 + 20 * 0.1)) / 22)
    assert isinstance(design_effect(0.1, np.array([0.0, 5.0])), NotEstimable)
    assert isinstance(design_effect(-0.5, np.full(4, 10.0)), NotEstimable)


@pytest.mark.parametrize("case", ANSWERS["equivalence"])
def test_two_one_sided_tests_are_r_s(case: dict[str, Any]) -> None:
    of = effect(case["estimate"], case["se"], case["df"])
    found = equivalence(of, case["margin"], case["alpha"])
    assert found.p == pytest.approx(case["p"], abs=1e-10)
    assert found.ci == pytest.approx(case["ci"], abs=1e-9)
    one_sided = noninferiority(of, case["margin"], higher_is_better=True, alpha=case["alpha"])
    assert one_sided.p == pytest.approx(case["noninferiority_p"], abs=1e-10)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.floats(-20, 20), st.floats(0.5, 5), st.floats(2, 60), st.floats(0.5, 15))
def test_the_interval_and_the_tests_never_disagree(estimate: float, se: float, df: float, margin: float) -> None:
    of = effect(estimate, se, df)
    found = equivalence(of, margin)
    low, high = found.ci
    assert low is not None
    assert high is not None
    assert (found.conclusion == "equivalent") == (-margin < low and high < margin)
    up, down = (noninferiority(of, margin, higher_is_better=better) for better in (True, False))
    assert (up.conclusion == "not worse") == (up.bound > -margin)
    assert (down.conclusion == "not worse") == (down.bound < margin)
    assert max(up.p, down.p) == pytest.approx(found.p)


@pytest.mark.parametrize(("margin", "alpha"), [(0.0, 0.05), (-1.0, 0.05), (float("inf"), 0.05), (1.0, 0.0), (1.0, 0.5)])
def test_a_margin_or_alpha_that_means_nothing_is_refused(margin: float, alpha: float) -> None:
    with pytest.raises(BadData):
        equivalence(effect(1.0), margin, alpha)
    with pytest.raises(BadData):
        noninferiority(effect(1.0), margin, higher_is_better=True, alpha=alpha)
