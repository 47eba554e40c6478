"""Cluster-robust errors, weighted or not, tests of several contrasts and what each site does: R's answers, identities."""

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.errors import BadData
from analysis.model_matrix import ModelMatrix, model_matrix
from analysis.results import Effect, Floats, NotEstimable
from analysis.robust.cluster_robust import Kind, SiteScores, Working, cluster_robust, site_scores
from analysis.robust.influence import Influence, site_influence
from analysis.robust.wald import FTest, aht_test
from tests.analysis.cases import REFERENCES, trial

# Both sides are closed formulae, so only rounding differs.
CLOSED = 1e-8
few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)

R: dict[str, dict[str, Any]] = json.loads((REFERENCES / "robust.json").read_text())
PEOPLE = pd.read_csv(REFERENCES / "robust.csv")
WEIGHTED = [case for case, answer in R.items() if answer["weighted"]]
KINDS: tuple[Kind, ...] = ("cr0", "cr1", "cr1s", "cr2", "cr3")


@cache
def scores(case: str, working: Working = "identity") -> SiteScores:
    people = PEOPLE[PEOPLE.case == case]
    columns = [(name, people[name].to_numpy(float)) for name in R[case]["columns"]]
    weights = people.weight.to_numpy(float) if R[case]["weighted"] else None
    matrix = model_matrix(people.outcome.to_numpy(float), columns)
    return site_scores(matrix, people.site.to_numpy(np.intp) - 1, weights, working)


def arm(found: SiteScores) -> int:
    return found.matrix.names.index("arm")


def effect(found: SiteScores, kind: Kind, satterthwaite: bool | None = None) -> Effect:
    result = cluster_robust(found, arm(found), kind, satterthwaite=satterthwaite)
    assert isinstance(result, Effect)
    return result


@pytest.mark.parametrize("case", R)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_its_satterthwaite_df_are_those_of_clubsandwich(case: str, kind: Kind) -> None:
    found, want = scores(case), R[case]
    got = effect(found, kind, satterthwaite=True)
    assert got.estimate == pytest.approx(want["estimate"], abs=CLOSED)
    assert got.se == pytest.approx(want[kind]["se"], rel=CLOSED)
    assert got.df == pytest.approx(want[kind]["df"], rel=CLOSED)


@pytest.mark.parametrize("case", WEIGHTED)
def test_weights_of_precision_give_the_cr2_of_the_inverse_working_model(case: str) -> None:
    got, want = effect(scores(case, "inverse"), "cr2"), R[case]["cr2_inverse"]
    assert got.se == pytest.approx(want["se"], rel=CLOSED)
    assert got.df == pytest.approx(want["df"], rel=CLOSED)


@pytest.mark.parametrize("case", [case for case in R if "all_zero" in R[case]])
def test_several_contrasts_at_once_are_those_of_clubsandwich(case: str) -> None:
    found, want = scores(case), R[case]
    names = found.matrix.names
    asked: dict[str, Any] = {"all_zero": range(1, len(names))}
    if "roles_zero" in want:
        asked["roles_zero"] = [names.index("manager"), names.index("parent")]
        equal = np.zeros((2, len(names)))
        equal[0, [names.index("manager"), names.index("parent")]] = 1, -1
        equal[1, [names.index("parent"), names.index("arm")]] = 1, -1
        asked["roles_and_arm_equal"] = equal
    for name, contrasts in asked.items():
        got = aht_test(found, contrasts if isinstance(contrasts, np.ndarray) else list(contrasts))
        assert isinstance(got, FTest)
        assert got.statistic == pytest.approx(want[name]["statistic"], rel=CLOSED), name
        assert got.df == pytest.approx(want[name]["df"], rel=CLOSED), name
        assert got.p == pytest.approx(want[name]["p"], rel=1e-7), name  # p moves faster than its df


@pytest.mark.parametrize("case", R)
def test_without_each_site_the_estimate_is_that_of_refitting(case: str) -> None:
    found = scores(case)
    labels = [f"site {k}" for k in range(len(found.score))]
    got = site_influence(found, arm(found), labels)
    assert isinstance(got, Influence)
    assert [one.site for one in got.sites] == labels
    assert [one.estimate for one in got.sites] == pytest.approx(R[case]["without"], rel=CLOSED, abs=CLOSED)
    assert got.se == pytest.approx(effect(found, "cr3").se, rel=CLOSED)
    assert sum(one.leverage for one in got.sites) == pytest.approx(found.matrix.rank)


@few
@given(seeds, st.integers(5, 12), st.sampled_from(["inverse", "identity"]))
def test_weights_that_are_all_the_same_change_nothing(seed: int, sites: int, working: Working) -> None:
    matrix, site = of(trial(seed, sites=sites))
    plain, weighted = site_scores(matrix, site), site_scores(matrix, site, np.full(len(site), 3.0), working)
    for kind in KINDS:
        one, other = effect(plain, kind), effect(weighted, kind)
        assert (other.se, other.df) == pytest.approx((one.se, one.df), rel=1e-8), kind


@few
@given(seeds)
def test_the_unit_of_weights_changes_nothing(seed: int) -> None:
    matrix, site = of(trial(seed))
    weights = np.random.default_rng(seed).uniform(0.2, 5, len(site))
    for working in ("inverse", "identity"):
        one, other = (effect(site_scores(matrix, site, w, working), "cr2") for w in (weights, 1e6 * weights))
        assert (other.estimate, other.se, other.df) == pytest.approx((one.estimate, one.se, one.df), rel=1e-9)


@few
@given(seeds)
def test_the_weighted_cr2_is_that_of_the_whole_matrices(seed: int) -> None:
    frame = trial(seed, sites=6, reviews=1)
    matrix, site = of(frame)
    w = np.random.default_rng(seed).uniform(0.3, 3, len(site))
    x = np.column_stack((np.ones(len(site)), frame.baseline, frame.arm))
    y = frame.outcome.to_numpy(float)
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    left = np.eye(len(y)) - x @ bread @ (x * w[:, None]).T
    columns, variance = [], 0.0
    for k in range(6):
        mine = site == k
        values, vectors = np.linalg.eigh(left[mine] @ left[mine].T)
        weights = (vectors / np.sqrt(values)) @ vectors.T @ (w[mine, None] * x[mine]) @ bread[:, 2]
        variance += float(weights @ (left @ y)[mine]) ** 2
        columns.append(left[mine].T @ weights)
    gram = np.array(columns) @ np.array(columns).T
    got = effect(site_scores(matrix, site, w, "identity"), "cr2")
    assert got.se == pytest.approx(variance**0.5, rel=1e-8)
    assert got.df == pytest.approx(gram.trace() ** 2 / (gram * gram).sum(), rel=1e-8)


@few
@given(seeds, st.integers(5, 14))
def test_with_one_contrast_the_test_of_several_is_the_t_test(seed: int, sites: int) -> None:
    matrix, site = of(trial(seed, sites=sites))
    found = site_scores(matrix, site)
    one, several = effect(found, "cr2"), aht_test(found, [arm(found)])
    assert isinstance(several, FTest)
    assert several.statistic == pytest.approx(one.statistic**2)
    assert several.df == pytest.approx((1.0, one.df))
    assert several.p == pytest.approx(one.p)


@few
@given(seeds)
def test_a_test_of_several_contrasts_does_not_depend_on_how_they_are_written(seed: int) -> None:
    matrix, site = of(trial(seed, sites=9))
    found = site_scores(matrix, site)
    one = aht_test(found, [1, 2])
    other = aht_test(found, np.array([[0.0, 1.0, 2.0], [0.0, -3.0, 1.0]]))
    assert isinstance(one, FTest)
    assert isinstance(other, FTest)
    assert (other.statistic, *other.df) == pytest.approx((one.statistic, *one.df), rel=1e-8)


def test_the_site_that_decides_is_named() -> None:
    frame = trial(2, sites=8, effect=-0.3)
    odd = int(frame.site[frame.arm == 1].iloc[0])
    frame.loc[frame.site == odd, "outcome"] += 40.0
    matrix, site = of(frame)
    got = site_influence(site_scores(matrix, site), 2, [f"site {k}" for k in range(8)])
    assert isinstance(got, Influence)
    assert got.largest.site == f"site {odd}"
    assert [one.site for one in got.turning()] == [f"site {odd}"]
    assert got.largest.dfbeta is not None
    assert abs(got.largest.dfbeta) == max(abs(one.dfbeta or 0.0) for one in got.sites)


def test_a_site_that_alone_holds_the_treatment_has_no_estimate_without_it() -> None:
    frame = trial(2, sites=6).assign(arm=lambda f: (f.site == 3).astype(int))
    matrix, site = of(frame)
    got = site_influence(site_scores(matrix, site), 2, list("abcdef"))
    assert isinstance(got, Influence)
    assert got.sites[3].estimate is None
    assert got.largest.site == "d"
    assert got.se is None
    assert json.loads(json.dumps(got.to_dict(), allow_nan=False))["sites"][3]["change"] is None


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_weights_that_are_none_are_refused_with_their_rows(wrong: float) -> None:
    matrix, site = of(trial(1))
    weights = np.ones(len(site))
    weights[3] = wrong
    with pytest.raises(BadData, match="row 5"):
        site_scores(matrix, site, weights)


def test_more_contrasts_than_sites_can_judge_are_refused() -> None:
    rng = np.random.default_rng(1)
    matrix = model_matrix(rng.normal(size=42), [(str(k), rng.normal(size=7).repeat(6)) for k in range(4)])
    got = aht_test(site_scores(matrix, np.repeat(np.arange(7), 6)), [1, 2, 3, 4])
    assert isinstance(got, NotEstimable)
    assert "4 contrasts" in got.reason


def test_contrasts_that_repeat_one_another_are_refused() -> None:
    matrix, site = of(trial(1))
    got = aht_test(site_scores(matrix, site), np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]))
    assert isinstance(got, NotEstimable)
    with pytest.raises(ValueError, match="intercept"):
        aht_test(site_scores(matrix, site), np.array([[1.0, 1.0, 0.0]]))


def test_an_outcome_that_the_columns_explain_whole_has_no_influence_and_no_test() -> None:
    frame = trial(1).assign(outcome=lambda f: 2 * f.baseline)
    matrix, site = of(frame)
    found = site_scores(matrix, site)
    assert isinstance(aht_test(found, [1, 2]), NotEstimable)
    assert isinstance(site_influence(found, 2, [str(k) for k in range(8)]), NotEstimable)


def of(frame: pd.DataFrame) -> tuple[ModelMatrix, NDArray[np.intp]]:
    covariates: list[tuple[str, Floats]] = [("baseline", frame.baseline.to_numpy(float))]
    covariates.append(("arm", frame.arm.to_numpy(float)))
    return model_matrix(frame.outcome.to_numpy(float), covariates), frame.site.to_numpy(np.intp)
