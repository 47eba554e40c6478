"""Hedges g for a cluster trial, on the total standard deviation (Hedges 2007, JEBS 32, 341–370)."""

import numpy as np

from analysis.lmm.kenward_roger import parameter_covariance
from analysis.lmm.reml import REVIEW, SITE, RemlFit
from analysis.results import Effect, NotEstimable, Ratio


def hedges_g(effect: Effect, unadjusted: RemlFit) -> Ratio | NotEstimable:
    """g = J · estimate / S_T, S_T² being all the variance of outcome ~ arm without baseline.

    J = 1 − 3/(4h − 1), h = 2S_T⁴/Var(S_T²), the variance from the expected information with zero
    components kept. The interval is that of the effect times J/S_T, so g and the test never disagree.

    >>> from analysis.lmm import reml
    >>> from analysis.lmm.kenward_roger import kenward_roger
    >>> from analysis.model_matrix import model_matrix
    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(8), 12)
    >>> arm = (site % 2).astype(float)
    >>> outcome = 10 * (rng.normal(size=96) + np.repeat(rng.normal(size=8), 12) + arm)
    >>> fitted = reml.fit(model_matrix(outcome, [("arm", arm)]), site)
    >>> effect = kenward_roger(fitted, 1)
    >>> g = hedges_g(effect, fitted)
    >>> round(g.value, 3), round(g.value / effect.estimate, 6) == round(g.ci[0] / effect.ci[0], 6)
    (1.907, True)
    """
    theta = unadjusted.at.theta
    # Total variance in the parameters (V, levels…): V's own diagonal is 1 + θ_r + θ_s.
    total = 1.0 + theta[REVIEW] + theta[SITE]
    gradient = np.array([total, *(1.0 for _ in unadjusted.levels)])
    try:
        variance = float(gradient @ parameter_covariance(unadjusted) @ gradient)
    except np.linalg.LinAlgError:
        return NotEstimable("the variances of sites and reviews cannot be told apart")
    h = 2.0 * total**2 / variance
    if not 4.0 * h > 4.0:
        return NotEstimable("too few sites to know the total standard deviation")
    factor = (1.0 - 3.0 / (4.0 * h - 1.0)) / unadjusted.total**0.5
    low, high = effect.ci
    return Ratio(
        factor * effect.estimate,
        (None if low is None else factor * low, None if high is None else factor * high),
    )
