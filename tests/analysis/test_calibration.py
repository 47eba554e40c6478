"""Trials of known truth: where there is no effect, one test in twenty says there is."""

import numpy as np
import pytest

from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.lmm.reml import RemlFit
from analysis.model_matrix import model_matrix
from analysis.resampling.allocations import scheme
from analysis.resampling.randomisation import RandomisationTest, randomisation_test
from analysis.results import Effect
from analysis.robust.cluster_robust import cluster_robust, site_scores
from analysis.threads import one_thread
from analysis.two_stage.cluster_summary import cluster_summary, site_residual_means
from tests.analysis.cases import trial

TRIALS = 500
# Rejections in per cent, (least, most) allowed: three Monte Carlo standard errors (about 1.0 each at 500 trials) about
# the rates of 5,000 trials. At 8 sites those were Kenward–Roger 2.8, cluster summary 4.3, CR2 4.9, randomisation 3.0
# (its p comes in steps of 2/70); at 12 sites 4.9, 5.4, 6.1 and 5.5.
ALLOWED = {
    8: {"kenward_roger": (0.6, 5.0), "cluster_summary": (1.6, 7.0), "cr2": (2.0, 7.8), "randomisation": (0.7, 5.3)},
    12: {"kenward_roger": (2.0, 7.8), "cluster_summary": (2.4, 8.4), "cr2": (2.9, 9.3), "randomisation": (2.4, 8.6)},
}


def p_values(seed: int, sites: int, effect: float = 0.0) -> dict[str, float]:
    frame = trial(seed, sites=sites, effect=effect)
    outcome, arm = frame.outcome.to_numpy(float), frame.arm.to_numpy(float)
    baseline = ("baseline", frame.baseline.to_numpy(float))
    site, review = frame.site.to_numpy(np.intp), frame.review.to_numpy(np.intp)
    matrix = model_matrix(outcome, [baseline, ("arm", arm)])
    fit = reml.fit(matrix, site, review)
    assert isinstance(fit, RemlFit)
    site_arm = np.bincount(site, arm) / np.bincount(site)
    means = site_residual_means(model_matrix(outcome, [baseline]), site)
    results = {
        "kenward_roger": kenward_roger(fit, 2),
        "cluster_summary": cluster_summary(means, site_arm),
        "cr2": cluster_robust(site_scores(matrix, site), 2, "cr2"),
        "randomisation": randomisation_test(
            scheme(site_arm),
            site_arm,
            means,
            site_residual_means(model_matrix(arm, [baseline]), site),
            rng=np.random.default_rng(seed),
        ),
    }
    found = {}
    for name, result in results.items():
        assert isinstance(result, Effect | RandomisationTest)
        found[name] = result.p
    return found


@pytest.mark.parametrize("sites", [8, 12])
def test_without_an_effect_one_test_in_twenty_rejects(sites: int) -> None:
    with one_thread():
        found = [p_values(1000 * sites + k, sites) for k in range(TRIALS)]
    for name, (least, most) in ALLOWED[sites].items():
        rejected = 100 * sum(p[name] < 0.05 for p in found) / TRIALS
        assert least <= rejected <= most, (name, rejected)


def test_with_a_large_effect_most_tests_reject() -> None:
    with one_thread():
        found = [p_values(k, 12, effect=0.8) for k in range(60)]
    for name in found[0]:
        assert sum(p[name] < 0.05 for p in found) > 40, name
