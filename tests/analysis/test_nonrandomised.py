"""Weighted sites are balanced as R balances them, and what is said of arms that chance did not make is worded so."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.errors import BadData
from analysis.nonrandomised.evalue import EValue, e_value
from analysis.nonrandomised.weighted_did import WeightedComparison, weighted_did, weighted_difference
from analysis.nonrandomised.weights import (
    APPROXIMATE,
    SiteWeights,
    balance_table,
    effective_sites,
    entropy_weights,
    most_covariates,
    overlap_weights,
    site_weights,
)
from analysis.question import Question
from analysis.results import Effect, Floats, NotEstimable, Ratio
from analysis.robust.did import site_difference
from tests.analysis.cases import REFERENCES, question

R = json.loads((REFERENCES / "sensitivity.json").read_text())
TABLE = pd.read_csv(REFERENCES / "sensitivity.csv")

# Both solve the same equations to rounding; R writes 12 digits.
OVERLAP = 1e-8
# R's optimiser stops where the balance is off by about 1e-8 of an SD.
ENTROPY = 1e-6


def asked(**changes: object) -> Question:
    return question(design="nonrandomised", participant=None, **changes)


def case(name: str) -> pd.DataFrame:
    return TABLE[TABLE.case == name].reset_index(drop=True)


def compared(name: str, kind: str, covariates: list[str]) -> WeightedComparison:
    found = weighted_did(case(name), asked(), covariates, kind)  # type: ignore[arg-type]
    assert isinstance(found, WeightedComparison), found
    return found


def in_order(found: WeightedComparison) -> list[int]:
    """Places of the sites in R's order, by number."""
    return sorted(range(len(found.sites)), key=lambda k: int(found.sites[k]))


@pytest.mark.parametrize("name", R["overlap"])
def test_overlap_weights_and_the_weighted_difference_are_r_s(name: str) -> None:
    want = R["overlap"][name]
    names = want["covariates"] if isinstance(want["covariates"], list) else [want["covariates"]]
    found = compared(name, "overlap", names)
    assert found.weights.propensity is not None
    assert found.weights.propensity[in_order(found)] == pytest.approx(want["propensity"], abs=OVERLAP)
    assert (found.effect.estimate, found.effect.se, found.effect.df) == pytest.approx(
        (want["estimate"], want["se"], want["df"]), rel=OVERLAP
    )
    rows = found.balance.covariates
    assert [one.difference for one in rows] == pytest.approx(np.atleast_1d(want["before"]), rel=OVERLAP)
    assert [one.weighted_difference for one in rows] == pytest.approx(np.zeros(len(names)), abs=1e-9)
    assert found.balance.effective_sites == pytest.approx(want["effective"], rel=OVERLAP)


@pytest.mark.parametrize("name", R["entropy"])
def test_entropy_weights_and_the_weighted_difference_are_r_s(name: str) -> None:
    want = R["entropy"][name]
    found = compared(name, "entropy", [want["covariates"]])
    assert found.weights.weights[in_order(found)] == pytest.approx(want["weights"], abs=ENTROPY)
    assert (found.effect.estimate, found.effect.se, found.effect.df) == pytest.approx(
        (want["estimate"], want["se"], want["df"]), rel=ENTROPY
    )
    assert found.balance.covariates[0].weighted_difference == pytest.approx(0.0, abs=1e-9)
    assert found.balance.effective_sites == pytest.approx(want["effective"], rel=ENTROPY)


def test_arms_told_apart_completely_get_r_s_penalised_propensity_and_are_told_so() -> None:
    want = R["firth"]
    found = overlap_weights(np.array(want["arm"], dtype=float), np.array(want["x"])[:, None])
    assert isinstance(found, SiteWeights)
    assert found.propensity == pytest.approx(want["propensity"], abs=OVERLAP)
    assert found.warnings == (APPROXIMATE,)


@pytest.mark.parametrize("want", R["e_value"], ids=lambda one: str(one["d"]))
def test_the_e_value_is_the_formula_s(want: dict[str, float]) -> None:
    assert e_value(Ratio(want["d"], (None, None))).estimate == pytest.approx(want["e"], rel=1e-10)


def test_an_outlying_site_is_not_taken_for_arms_told_apart() -> None:
    outlying = np.array([-0.6, -0.2, -0.3, 30.0, -0.4, -0.7, 0.1, 0.4, 0.2, -0.1, 0.3, -0.5])
    arm = np.array([0.0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1])
    found = overlap_weights(arm, outlying[:, None])
    assert isinstance(found, SiteWeights)
    assert found.warnings == ()
    assert (found.weights[arm == 1] @ outlying[arm == 1]) == pytest.approx(found.weights[arm == 0] @ outlying[arm == 0])


def test_an_interval_that_includes_no_difference_needs_no_unmeasured_cause() -> None:
    assert e_value(Ratio(0.4, (-0.1, 0.9))).interval_end == 1.0
    assert e_value(Ratio(-0.4, (-0.9, 0.1))).interval_end == 1.0
    below, above = e_value(Ratio(-0.4, (-0.9, -0.1))), e_value(Ratio(0.4, (0.1, 0.9)))
    assert below == above == EValue(above.estimate, e_value(Ratio(0.1, (0.0, 1.0))).estimate)
    assert e_value(Ratio(0.4, (None, 0.9))).interval_end is None


def sites(count: int, covariates: int, seed: int = 4) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.permutation(np.arange(count) % 2).astype(float), rng.normal(size=(count, covariates))


@pytest.mark.parametrize("kind", ["overlap", "entropy"])
@pytest.mark.parametrize(("count", "most"), [(6, 1), (19, 1), (20, 2), (40, 4)])
def test_weights_balance_at_most_a_tenth_as_many_covariates_as_sites(kind: str, count: int, most: int) -> None:
    assert most_covariates(count) == most
    arm, columns = sites(count, most + 1)
    assert isinstance(site_weights(kind, arm, columns[:, :most]), SiteWeights)  # type: ignore[arg-type]
    refused = site_weights(kind, arm, columns)  # type: ignore[arg-type]
    assert isinstance(refused, NotEstimable)
    assert f"at most {most}" in refused.reason


@pytest.mark.parametrize("kind", ["overlap", "entropy"])
def test_weights_do_not_depend_on_units_or_on_the_order_of_sites(kind: str) -> None:
    arm, columns = sites(24, 2)
    found = site_weights(kind, arm, columns)  # type: ignore[arg-type]
    moved = site_weights(kind, arm, columns * [1000.0, -0.01] + [5.0, 7.0])  # type: ignore[arg-type]
    order = np.random.default_rng(1).permutation(24)
    shuffled = site_weights(kind, arm[order], columns[order])  # type: ignore[arg-type]
    assert isinstance(found, SiteWeights)
    assert isinstance(moved, SiteWeights)
    assert isinstance(shuffled, SiteWeights)
    assert moved.weights == pytest.approx(found.weights, abs=1e-9)
    assert shuffled.weights == pytest.approx(found.weights[order], abs=1e-9)


def test_equal_weights_give_the_plain_difference_in_differences_whatever_their_unit() -> None:
    arm, columns = sites(12, 1)
    values = columns[:, 0] + arm
    plain = site_difference(values, arm)
    assert isinstance(plain, Effect)
    for weights in (np.ones(12), np.where(arm == 1, 7.0, 0.1)):
        found = weighted_difference(values, arm, weights)
        assert isinstance(found, Effect)
        assert (found.estimate, found.se, found.df) == pytest.approx((plain.estimate, plain.se, plain.df), rel=1e-9)
        assert effective_sites(weights, arm) == pytest.approx((6.0, 6.0))


def test_treated_sites_beyond_every_control_site_are_a_reason_not_a_weight() -> None:
    arm = np.repeat([1.0, 0.0], 5)
    beyond = entropy_weights(arm, np.concatenate((np.arange(10.0, 15), np.arange(5.0)))[:, None])
    assert isinstance(beyond, NotEstimable)
    assert "beyond the control sites" in beyond.reason


@pytest.mark.parametrize("kind", ["overlap", "entropy"])
def test_weights_that_lean_on_fewer_than_two_sites_of_an_arm_are_refused(kind: str) -> None:
    arm = np.repeat([1.0, 0.0], 4)
    covariate = np.array([9.0, 10, 11, 12, 11.5, 1, 2, 1.5])[:, None]
    refused = site_weights(kind, arm, covariate)  # type: ignore[arg-type]
    assert isinstance(refused, NotEstimable)
    assert "fewer than two" in refused.reason


def test_entropy_weights_are_found_wherever_the_treated_mean_lies_within_the_control_sites() -> None:
    """A search that stops at rounding error would refuse some of these; 300 draws of 20 sites."""
    rng = np.random.default_rng(2)
    arm = np.repeat([1.0, 0.0], 10)
    for _ in range(300):
        values = rng.normal(size=20) + arm * rng.uniform(0, 1.5)
        inside = values[10:].min() < values[:10].mean() < values[10:].max()
        found = entropy_weights(arm, values[:, None])
        beyond = isinstance(found, NotEstimable) and "beyond" in found.reason
        assert inside != beyond


def test_weights_that_all_but_vanish_are_still_weights() -> None:
    covariate = np.concatenate((np.arange(10) * 1.0, np.arange(9) * 1.0, [2000.0]))[:, None]
    found = entropy_weights(np.repeat([1.0, 0.0], 10), covariate)
    assert isinstance(found, SiteWeights)
    assert (found.weights > 0).all()
    assert isinstance(weighted_difference(covariate[:, 0], np.repeat([1.0, 0.0], 10), found.weights), Effect)


def test_what_cannot_be_balanced_is_refused_with_its_reason() -> None:
    arm, columns = sites(20, 1)
    doubled = overlap_weights(arm, np.column_stack((columns, 2 * columns)))
    assert isinstance(doubled, NotEstimable)
    assert "determined by the others" in doubled.reason
    constant = overlap_weights(arm, np.ones((20, 1)))
    assert isinstance(constant, NotEstimable)
    lonely = overlap_weights(np.array([1.0, 0, 0, 0]), np.arange(4.0)[:, None])
    assert isinstance(lonely, NotEstimable)
    with pytest.raises(BadData, match="missing or infinite"):
        overlap_weights(arm, np.where(columns > 1, np.nan, columns))
    with pytest.raises(BadData, match="no site covariate"):
        overlap_weights(arm, np.empty((20, 0)))
    with pytest.raises(BadData, match="no weighting"):
        site_weights("matching", arm, columns)  # type: ignore[arg-type]
    with pytest.raises(BadData, match="tells them apart"):
        balance_table(["arm"], arm[:, None], arm, np.ones(20))


def test_weights_are_refused_where_sites_were_randomised() -> None:
    found = weighted_did(case("ten"), question(participant=None), ["x1"])
    assert isinstance(found, NotEstimable)
    assert "not randomised" in found.reason


def test_without_a_baseline_there_is_no_change() -> None:
    assert isinstance(weighted_did(case("ten"), asked(baseline=None), ["x1"]), NotEstimable)


def test_the_result_says_associated_and_holds_no_p_value_of_balance() -> None:
    found = compared("ten", "overlap", ["x1"])
    assert any("associated with the arm, never caused" in note for note in found.effect.warnings)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert not [key for key in written["balance"]["covariates"][0] if key.startswith("p")]
    assert written["e_value"]["estimate"] > 1.0


def test_the_baseline_may_be_what_is_balanced() -> None:
    found = compared("ten", "overlap", ["baseline"])
    assert found.balance.covariates[0].weighted_difference == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(BadData, match="no column"):
        weighted_did(case("ten"), asked(), ["nowhere"])


def test_weighting_removes_what_a_measured_cause_does_and_covers_the_truth() -> None:
    """500 trials of 24 sites; a site covariate moves both the arm chosen and the change, by 1 an SD; truth 0.5.

    Monte-Carlo: bias 0.026 (SE of the mean), coverage 1 point.
    """
    rng = np.random.default_rng(11)
    plain, weighted, covered, made = [], [], 0, 0
    for _ in range(500):
        x = rng.normal(size=24)
        arm = (0.8 * x + rng.logistic(size=24) > 0).astype(float)
        change = 0.5 * arm + 1.0 * x + 0.5 * rng.normal(size=24)
        weights = overlap_weights(arm, x[:, None])
        if not isinstance(weights, SiteWeights):
            continue
        found = weighted_difference(change, arm, weights.weights)
        assert isinstance(found, Effect)
        assert found.ci[0] is not None
        assert found.ci[1] is not None
        made += 1
        covered += found.ci[0] <= 0.5 <= found.ci[1]
        weighted.append(found.estimate)
        plain.append(change[arm == 1].mean() - change[arm == 0].mean())
    assert made > 450
    assert np.mean(plain) > 1.0
    assert np.mean(weighted) == pytest.approx(0.5, abs=0.06)
    assert covered / made > 0.93
