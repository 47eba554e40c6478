"""Satterthwaite inference for one fixed effect as usually coded: zero variances dropped.

Here to be compared with, not to be believed: where a variance is estimated as zero the degrees of freedom
jump (Fai & Cornelius 1996; the form is that of lmerTest, whose derivatives at a zero standard deviation
vanish).
"""

import math

import numpy as np

from analysis.lmm.reml import RemlFit
from analysis.results import Effect, NotEstimable, t_effect


def satterthwaite(fit: RemlFit, column: int, level: float = 0.95) -> Effect | NotEstimable:
    """Test and interval for the coefficient of one model column, in original units.

    >>> from analysis.lmm import reml
    >>> from analysis.model_matrix import model_matrix
    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(8), 12)
    >>> arm = (site % 2).astype(float)
    >>> outcome = rng.normal(size=96) + np.repeat(rng.normal(size=8), 12) + arm
    >>> fitted = reml.fit(model_matrix(outcome, [("arm", arm)]), site)
    >>> round(satterthwaite(fitted, 1).df, 3)  # balanced: sites − 2
    6.0
    """
    p, at = fit.sums.rank, fit.at
    dof = fit.sums.rows - p
    levels = [k for k in fit.levels if at.theta[k] > 0.0]
    contrast = at.lower[:p, column]
    variance = float(contrast @ contrast)
    gradient = np.array([variance, *(float(contrast @ at.n1[k][:p, :p] @ contrast) for k in levels)])
    observed = np.empty((1 + len(levels), 1 + len(levels)))
    observed[0, 0] = dof
    observed[0, 1:] = observed[1:, 0] = [2.0 * dof * at.quad[k] - at.trace[k] for k in levels]
    observed[1:, 1:] = [[2.0 * dof * at.average[k][m] - at.fisher[k][m] for m in levels] for k in levels]
    try:
        spread = 2.0 * float(gradient @ np.linalg.solve(observed, gradient))
    except np.linalg.LinAlgError:
        spread = 0.0
    if not spread > 0.0:
        return NotEstimable("the likelihood is flat at its optimum")
    warnings = ["for comparison only: liberal where a variance is estimated as zero"]
    sigma = math.sqrt(fit.sigma2) / float(fit.matrix.scale[column])
    return t_effect(
        fit.coefficient(column),
        math.sqrt(variance) * sigma,
        2.0 * variance**2 / spread,
        level,
        tuple(warnings),
    )
