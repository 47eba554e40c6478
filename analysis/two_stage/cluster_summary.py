"""Two-stage cluster-summary t test (Hayes & Moulton, Cluster Randomised Trials, 2nd ed., chapter 11).

Stage one takes from each person what the covariates explain, without looking at the arm; stage two
compares the unweighted site means of what is left. Because stage one may take a little of the effect with
it when arms differ in a covariate by chance, the difference is attenuated by 1–4 % in trials of this
size; its coverage is nominal.
"""

import math

import numpy as np

from analysis.model_matrix import NOTHING_LEFT, ModelMatrix, model_matrix, site_means
from analysis.results import Codes, Effect, Floats, NotEstimable, t_effect
from analysis.robust.did import stratum_columns

ATTENUATED = "adjusting without the arm attenuates the difference by 1–4 %"


def site_residual_means(matrix: ModelMatrix, site: Codes) -> Floats:
    """Unweighted site means of the residuals of the outcome on the covariates, in outcome units: (N,) to (S,).

    `matrix` must hold no arm column.
    """
    x, y = matrix.columns[:, :-1], matrix.columns[:, -1]
    residuals = (y - x @ np.linalg.solve(x.T @ x, x.T @ y)) * matrix.scale[-1]
    return site_means(residuals, site)


def cluster_summary(
    means: Floats,
    site_arm: Floats,
    site_stratum: Codes | None = None,
    level: float = 0.95,
    warnings: tuple[str, ...] = (ATTENUATED,),
) -> Effect | NotEstimable:
    """Pooled t test of site means between arms; df = S − 2, less one for each stratum beyond the first.

    means : (S,) one value a site.   site_arm : (S,) 1 for treatment.   site_stratum : (S,) strata or
    matched pairs; with pairs this is the paired t test, df = pairs − 1. Every site weighs the same.

    >>> means, arm = np.array([5.0, 7.0, 6.0, 2.0, 3.0, 4.0]), np.array([1.0, 1, 1, 0, 0, 0])
    >>> found = cluster_summary(means, arm)
    >>> found.estimate, found.df, round(found.statistic, 4), round(float(3 / np.sqrt(2 / 3)), 4)
    (3.0, 4.0, 3.6742, 3.6742)
    """
    matrix = model_matrix(means, [*stratum_columns(site_stratum), ("arm", site_arm)])
    column = matrix.index("arm")
    if column is None:
        return NotEstimable("the strata determine the arm")
    df = matrix.rows - matrix.rank
    if df < 1:
        return NotEstimable("no degrees of freedom are left to judge the difference by")
    x, y = matrix.columns[:, :-1], matrix.columns[:, -1]
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    residuals = y - x @ beta
    if float(residuals @ residuals) < NOTHING_LEFT * matrix.rows:
        return NotEstimable("the sites of an arm do not differ, so there is no error to judge by")
    se = math.sqrt(float(residuals @ residuals) / df * float(inverse[column, column]))
    unit = matrix.unit(column)
    return t_effect(float(beta[column]) * unit, se * unit, float(df), level, warnings)
