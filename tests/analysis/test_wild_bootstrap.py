"""The wild cluster bootstrap: R's loops of refits, NumPy's, and what must be so of its p and interval."""

import json
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.compare import compare
from analysis.model_matrix import model_matrix
from analysis.resampling.wild_bootstrap import WEBB, WildBootstrap, p_of_effect, wild_bootstrap
from analysis.results import Floats, NotEstimable
from analysis.robust.cluster_robust import SiteScores, site_scores
from tests.analysis.cases import CASES, REFERENCES, question, table, trial

CLOSED = 1e-8  # rounding alone
few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)

R: dict[str, dict[str, Any]] = json.loads((REFERENCES / "wild_bootstrap.json").read_text())
PEOPLE = pd.read_csv(REFERENCES / "robust.csv")


def reference(case: str) -> tuple[SiteScores, int]:
    people = table(case) if case in CASES else PEOPLE[PEOPLE.case == case]
    columns = [(name, people[name].to_numpy(float)) for name in R[case]["columns"]]
    matrix = model_matrix(people.outcome.to_numpy(float), columns)
    return site_scores(matrix, pd.factorize(people.site, sort=True)[0].astype(np.intp)), len(columns)


def signs(sites: int) -> Floats:
    return np.array(list(product((1.0, -1.0), repeat=sites)))


def scores_of(frame: pd.DataFrame) -> SiteScores:
    covariates: list[tuple[str, Floats]] = [(name, frame[name].to_numpy(float)) for name in ("baseline", "arm")]
    return site_scores(model_matrix(frame.outcome.to_numpy(float), covariates), frame.site.to_numpy(np.intp))


def drawn(seed: int, sites: int, **facts: Any) -> SiteScores:
    return scores_of(trial(seed, sites=sites, **facts))


def bootstrap(scores: SiteScores, column: int = 2, **choices: Any) -> WildBootstrap:
    found = wild_bootstrap(scores, column, rng=np.random.default_rng(1), **choices)
    assert isinstance(found, WildBootstrap)
    return found


@pytest.mark.parametrize("case", R)
def test_p_of_every_effect_is_that_of_refitting_in_r(case: str) -> None:
    scores, arm = reference(case)
    want = R[case]
    v = signs(len(scores.score)) if want["codes"] is None else WEBB[np.array(want["codes"])]
    for effect, p in zip([0.0, *want["deltas"]], [want["p"], *want["p_of_deltas"]], strict=True):
        got = p_of_effect(scores, arm, effect, v, observed_among=want["codes"] is None)
        assert got == pytest.approx(p, abs=1e-12)  # counts of draws over their number


@pytest.mark.parametrize("case", [case for case in R if R[case]["codes"] is None])
def test_with_few_sites_every_sign_change_is_counted_as_in_r(case: str) -> None:
    scores, arm = reference(case)
    got, want = bootstrap(scores, arm), R[case]
    assert got.exact
    assert got.draws == 2 ** len(scores.score)
    assert got.p == pytest.approx(want["p"], abs=1e-12)
    assert (got.estimate, got.se, got.statistic) == pytest.approx(
        (want["estimate"], want["se"], want["statistic"]), rel=CLOSED
    )
    if "ci" in want:
        assert got.ci == pytest.approx(want["ci"], rel=2e-7)  # R's bisection ends at 1e-7


@few
@given(seeds, st.integers(6, 22), st.sampled_from([-0.7, 0.0, 0.4]))
def test_p_is_that_of_refitting_every_draw(seed: int, sites: int, effect: float) -> None:
    frame = trial(seed, sites=sites, reviews=2)
    x = np.column_stack((np.ones(len(frame)), frame.baseline, frame.arm))
    y, site = frame.outcome.to_numpy(float), frame.site.to_numpy(np.intp)
    bread = np.linalg.inv(x.T @ x)

    def t(values: Floats) -> float:
        beta = bread @ x.T @ values
        score = np.array([x[site == k].T @ (values - x @ beta)[site == k] for k in range(sites)]) @ bread[:, 2]
        return float((beta[2] - effect) / (score @ score) ** 0.5)

    less, target = x[:, :2], y - effect * x[:, 2]
    residuals = target - less @ np.linalg.lstsq(less, target)[0]
    v = WEBB[np.random.default_rng(seed).integers(0, 6, (40, sites))]
    extreme = sum(abs(t(y - residuals + residuals * row[site])) >= abs(t(y)) for row in v)
    got = p_of_effect(drawn(seed, sites, reviews=2), 2, effect, v, observed_among=False)
    assert got == pytest.approx((1 + extreme) / 41)


@few
@given(seeds, st.integers(6, 16), st.sampled_from([0.9, 0.95]))
def test_effects_beyond_the_interval_are_rejected_and_its_ends_are_where_p_crosses(
    seed: int, sites: int, level: float
) -> None:
    scores = drawn(seed, sites, effect=0.4)
    got = bootstrap(scores, level=level, draws=999)
    low, high = got.ci
    alpha = 1 - level
    webb = WEBB[np.random.default_rng(1).integers(0, 6, (999, sites), dtype=np.uint8)]
    v = signs(sites) if sites <= 12 else webb

    def p(effect: float) -> float:
        return p_of_effect(scores, 2, effect, v, observed_among=sites <= 12)

    assert p(got.estimate) == pytest.approx(1.0)
    assert p(0.0) == pytest.approx(got.p)
    for end, outward in ((low, -1.0), (high, 1.0)):
        if end is None:
            assert p(got.estimate + outward * 1e6 * got.se) > alpha
            continue
        assert p(end - outward * 1e-6 * got.se) > alpha
        for step in (1e-6, 0.01, 0.3, 2.0, 50.0):
            assert p(end + outward * step * got.se) <= alpha + 1e-12


@few
@given(seeds, st.floats(-100, 100), st.floats(0.01, 100))
def test_units_of_the_outcome_scale_the_interval_and_leave_p(seed: int, shift: float, scale: float) -> None:
    frame = trial(seed, effect=0.3)
    moved = frame.assign(outcome=shift + scale * frame.outcome)
    one, other = (bootstrap(scores_of(f)) for f in (frame, moved))
    assert other.p == one.p
    for end, moved_end in zip(one.ci, other.ci, strict=True):
        assert (end is None) == (moved_end is None)
        if end is not None:
            assert moved_end == pytest.approx(scale * end, rel=1e-6, abs=1e-6 * scale)


@few
@given(seeds)
def test_names_of_sites_and_order_of_rows_change_nothing_where_signs_are_enumerated(seed: int) -> None:
    frame = trial(seed, effect=0.3)
    other = frame.assign(site=(5 * frame.site + 3) % 8).sample(frac=1, random_state=seed)
    one, again = bootstrap(scores_of(frame)), bootstrap(scores_of(other))
    assert again.p == one.p
    assert again.ci == pytest.approx(one.ci, rel=1e-6)


def test_compare_gives_it_with_the_seed_of_the_question() -> None:
    frame = trial(2, sites=22, effect=0.3)
    one, other = (compare(frame, question(methods=("wild_bootstrap",), seed=s)).methods for s in (1, 2))
    found = one["wild_bootstrap"]
    assert isinstance(found, WildBootstrap)
    assert found == wild_bootstrap(scores_of(frame), 2, rng=np.random.default_rng(1))
    assert found != other["wild_bootstrap"]
    assert found.to_dict()["df"] is None


def test_the_smallest_p_is_that_of_the_trial_and_its_mirror_never_zero() -> None:
    scores = drawn(3, 8, effect=50.0)
    assert bootstrap(scores).p == pytest.approx(2 / 2**8)
    beyond = drawn(3, 30, effect=50.0)
    assert bootstrap(beyond).p == pytest.approx(1 / 10_000)


def test_with_four_sites_no_effect_can_be_rejected_and_the_interval_has_no_ends() -> None:
    got = bootstrap(drawn(3, 4, effect=50.0))
    assert got.p >= 2 / 2**4
    assert got.ci == (None, None)
    assert any("smallest p" in note for note in got.warnings)


@pytest.mark.parametrize(("sites", "said"), [(8, True), (19, True), (20, False)])
def test_below_twenty_sites_it_is_said_to_be_liberal(sites: int, said: bool) -> None:
    assert any("liberal" in note for note in bootstrap(drawn(1, sites)).warnings) == said


def test_random_signs_and_the_same_seed_give_the_same_answer_and_another_seed_one_close_by() -> None:
    scores = drawn(1, 24, effect=0.2)
    one, again = (wild_bootstrap(scores, 2, rng=np.random.default_rng(7), weights="rademacher") for _ in range(2))
    other = wild_bootstrap(scores, 2, rng=np.random.default_rng(8), weights="rademacher")
    assert one == again
    assert isinstance(one, WildBootstrap)
    assert isinstance(other, WildBootstrap)
    assert not one.exact
    assert 0 < abs(other.p - one.p) < 0.03  # Monte-Carlo standard error of a p is below 0.005


def test_webb_weights_may_be_asked_for_with_few_sites() -> None:
    got = bootstrap(drawn(1, 8), weights="webb")
    assert (got.exact, got.draws) == (False, 9_999)


def test_without_an_effect_few_trials_of_twenty_sites_reject() -> None:
    rng = np.random.default_rng(3)
    arm_of, rejected = np.arange(20) % 2, 0
    for _ in range(300):
        site = np.repeat(np.arange(20), rng.integers(3, 30, 20))
        arm, between = arm_of[site].astype(float), rng.normal(0, 0.3, 20)[site]
        scores = site_scores(model_matrix(between + rng.normal(size=len(site)), [("arm", arm)]), site)
        rejected += bootstrap(scores, 1, draws=399).p < 0.05
    assert 0.02 <= rejected / 300 <= 0.11  # 6.2 per cent in 5,000 trials; three Monte-Carlo errors of 1.4


def test_where_nothing_is_left_to_explain_there_is_a_reason() -> None:
    scores = scores_of(trial(1).assign(outcome=lambda f: 2 * f.baseline - f.arm))
    assert isinstance(wild_bootstrap(scores, 2, rng=np.random.default_rng(1)), NotEstimable)
