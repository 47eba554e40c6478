"""The mixed model agrees with its definition, finds boundaries, and says when it cannot be fitted."""

import numpy as np
import pandas as pd
import pytest

from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.lmm.reml import RemlFit, criteria, evaluate
from analysis.measures.icc import icc_review, icc_site
from analysis.model_matrix import model_matrix
from analysis.results import Effect, NotEstimable, Ratio
from tests.analysis.cases import trial
from tests.analysis.dense import Dense

ARM = 2


def fitted(frame: pd.DataFrame) -> RemlFit:
    matrix = model_matrix(
        frame.outcome.to_numpy(float),
        [("baseline", frame.baseline.to_numpy(float)), ("arm", frame.arm.to_numpy(float))],
    )
    fit = reml.fit(matrix, frame.site.to_numpy(np.intp), frame.review.to_numpy(np.intp))
    assert isinstance(fit, RemlFit)
    return fit


def dense(frame: pd.DataFrame) -> Dense:
    x = np.column_stack((np.ones(len(frame)), frame.baseline, frame.arm))
    return Dense(frame.outcome.to_numpy(float), x, frame.site.to_numpy(np.intp), frame.review.to_numpy(np.intp))


# Seeds chosen to hold an interior optimum, a zero site variance, a zero review variance and both.
@pytest.mark.parametrize("seed", [2, 3, 5, 8])
def test_the_fit_is_the_optimum_of_the_likelihood_written_out_in_full(seed: int) -> None:
    frame = trial(seed, sites=6, reviews=2, people=4)
    fit, whole = fitted(frame), dense(frame)
    variances = np.array([fit.sigma2, fit.review or 0.0, fit.site])
    assert -2 * fit.loglik == pytest.approx(whole.deviance(variances), abs=1e-8)
    other = whole.fit()
    assert -2 * fit.loglik <= whole.deviance(other) + 1e-7
    # The simplex search stops where the criterion is flat to 1e-11, a few 1e-5 from the optimum in the variances.
    assert variances == pytest.approx(other, abs=2e-4)


@pytest.mark.parametrize("seed", [2, 3, 5, 8])
def test_kenward_roger_is_the_paper_written_out_in_full(seed: int) -> None:
    frame = trial(seed, sites=6, reviews=2, people=4)
    fit = fitted(frame)
    got = kenward_roger(fit, ARM)
    assert isinstance(got, Effect)
    want = dense(frame).kenward_roger(np.array([fit.sigma2, fit.review or 0.0, fit.site]), ARM)
    assert (got.estimate, got.se, got.df) == pytest.approx(want, rel=1e-8)


def test_a_variance_estimated_as_zero_is_kept_and_said() -> None:
    frame = next(f for f in (trial(seed, icc_site=0.0) for seed in range(50)) if fitted(f).site == 0.0)
    fit = fitted(frame)
    got = kenward_roger(fit, ARM)
    assert isinstance(got, Effect)
    assert "site" in fit.boundary
    assert any("estimated as zero" in note for note in got.warnings)
    assert got.df < len(frame) / 4  # residual degrees of freedom are not handed to a site-level effect


def test_derivatives_are_those_of_the_criterion() -> None:
    sums, theta, step = fitted(trial(3)).sums, (0.07, 0.11), 1e-5
    dof = sums.rows - sums.rank
    at = evaluate(sums, *theta)
    for k in (0, 1):
        up, down = (tuple(t + s * step * (j == k) for j, t in enumerate(theta)) for s in (1, -1))
        slope = (evaluate(sums, *up).criterion - evaluate(sums, *down).criterion) / (2 * step)
        assert at.trace[k] - dof * at.quad[k] == pytest.approx(slope, rel=1e-5)
        for m in (0, 1):
            bends = [e.trace[m] - dof * e.quad[m] for e in (evaluate(sums, *up), evaluate(sums, *down))]
            bend = (bends[0] - bends[1]) / (2 * step)
            observed = dof * (2 * at.average[k][m] - at.quad[k] * at.quad[m]) - at.fisher[k][m]
            assert observed == pytest.approx(bend, rel=1e-5)


def test_many_criteria_at_once_are_the_same_criteria() -> None:
    sums = fitted(trial(4)).sums
    review, site = np.array([0.0, 0.0, 0.3, 2.0]), np.array([0.0, 0.5, 0.0, 1.0])
    one_by_one = [evaluate(sums, float(r), float(s)).criterion for r, s in zip(review, site, strict=True)]
    assert criteria(sums, review, site) == pytest.approx(one_by_one, rel=1e-12)


def test_every_criterion_on_the_boundary_is_no_better_than_the_fit() -> None:
    grid = np.geomspace(1e-4, 10, 60)
    for seed in range(20):
        fit = fitted(trial(seed))
        edges = np.concatenate((criteria(fit.sums, grid, 0 * grid), criteria(fit.sums, 0 * grid, grid)))
        assert fit.at.criterion <= edges.min() + 1e-9


def test_one_review_a_site_leaves_the_review_level_out_and_says_so() -> None:
    frame = trial(1).assign(review=lambda f: f.site)
    fit = fitted(frame)
    assert fit.review is None
    assert "exactly one review" in fit.notes[0]


def test_one_person_a_review_leaves_the_review_level_out_and_says_so() -> None:
    frame = trial(1).assign(review=lambda f: f.participant)
    fit = fitted(frame)
    assert fit.review is None
    assert "exactly one person" in fit.notes[0]


def test_one_person_a_site_is_not_estimable() -> None:
    frame = trial(1, sites=12).groupby("site").head(1)
    matrix = model_matrix(frame.outcome.to_numpy(float), [("arm", frame.arm.to_numpy(float))])
    fit = reml.fit(matrix, np.arange(len(frame)))
    assert isinstance(fit, NotEstimable)


def test_answers_that_never_differ_within_a_review_are_not_estimable() -> None:
    frame = trial(1)
    frame["outcome"] = frame.groupby(["site", "review"]).outcome.transform("mean")
    matrix = model_matrix(frame.outcome.to_numpy(float), [("arm", frame.arm.to_numpy(float))])
    fit = reml.fit(matrix, frame.site.to_numpy(np.intp), frame.review.to_numpy(np.intp))
    assert isinstance(fit, NotEstimable)


def test_a_nearly_total_site_variance_is_still_found() -> None:
    frame = trial(1, sites=10)
    frame["outcome"] += frame.site.map(dict(enumerate(np.random.default_rng(1).normal(0, 1000, 10))))
    fit = fitted(frame)
    assert fit.site / fit.total == pytest.approx(1.0, abs=1e-4)
    assert isinstance(kenward_roger(fit, ARM), Effect)


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_icc_intervals_hold_what_the_profile_likelihood_allows(seed: int) -> None:
    """At each end the restricted likelihood, maximised over the rest, is half a χ²₁ quantile below its top."""
    frame = trial(seed, sites=6, reviews=2, people=4)
    fit, whole = fitted(frame), dense(frame)
    total = np.linspace(0.2, 3.0, 141)
    share = np.linspace(0.0, 0.999, 101)

    def profile(site: bool, icc: float) -> float:
        if site:
            thetas = share / (1 - share), icc / ((1 - icc) * (1 - share))
        else:
            thetas = icc / (1 - icc) * (1 - share), icc / (1 - icc) * share
        best = int(criteria(fit.sums, *thetas).argmin())
        shape = np.array([1.0, thetas[0][best], thetas[1][best]])
        return min(whole.deviance(scale * fit.sigma2 * shape) for scale in total)

    top = -2 * fit.loglik
    for site, ratio in ((True, icc_site(fit)), (False, icc_review(fit))):
        assert isinstance(ratio, Ratio)
        for end in ratio.ci:
            assert end is not None
            if 0.0 < end < 0.999:
                assert profile(site, end) - top == pytest.approx(3.841459, abs=0.02)  # the width of the grids
            elif end == 0.0:
                assert profile(site, 0.0) - top <= 3.85
