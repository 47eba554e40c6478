"""Cluster-robust standard errors of least squares: CR1S, CR2 with Bell–McCaffrey df, CR3.

Bell & McCaffrey 2002 (Survey Methodology 28, 169–181); Pustejovsky & Tipton 2018 (JBES 36, 672–683). With
M = (X'X)⁻¹, K = M^½ and S_i = K X_i'X_i K, every n_i × n_i matrix of those papers has its p × p counterpart:
X_i'(I − X_i M X_i')^a = K⁻¹ (I − S_i)^a K X_i', so a site costs O(p³) whatever its number of people.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT, ModelMatrix
from analysis.results import Codes, Effect, Floats, NotEstimable, t_effect

Kind = Literal["cr1s", "cr2", "cr3"]

# Power of (I − S_i) applied to a site's score; CR3 is then the delete-one-site jackknife.
_POWER = {"cr1s": 0.0, "cr2": -0.5, "cr3": -1.0}
_WARNINGS: dict[str, tuple[str, ...]] = {
    "cr1s": ("liberal below about 40 sites; for comparison",),
    "cr2": (),
    "cr3": ("degrees of freedom are sites − 1; conservative standard error",),
}


@dataclass(frozen=True)
class SiteScores:
    """Least squares and each site's part in it, in the basis where X'X = I.

    matrix : the model it came from.   beta : (p,) standardised coefficients in that basis.
    leverage : (S, p, p), S_i.   score : (S, p), K X_i'(y_i − Xβ).   root : (p, p), K.
    unexplained : residual variance as a share of the outcome's.
    """

    matrix: ModelMatrix
    beta: Floats
    leverage: Floats
    score: Floats
    root: Floats
    unexplained: float


def site_scores(matrix: ModelMatrix, site: Codes) -> SiteScores:
    """Reduce people to sites.   site : (N,) codes counted from 0."""
    p = matrix.rank
    columns = matrix.columns
    if (site[1:] < site[:-1]).any():
        order = np.argsort(site, kind="stable")
        columns, site = columns[order], site[order]
    ends = [0, *(np.flatnonzero(site[1:] != site[:-1]) + 1).tolist(), len(site)]
    cross = np.empty((len(ends) - 1, p + 1, p + 1))
    for place, (start, end) in enumerate(pairwise(ends)):
        rows = columns[start:end]
        cross[place] = rows.T @ rows
    values, vectors = np.linalg.eigh(cross[:, :p, :p].sum(axis=0))
    root = (vectors / np.sqrt(values)) @ vectors.T
    leverage = root @ cross[:, :p, :p] @ root
    projected = cross[:, :p, p] @ root
    beta = projected.sum(axis=0)
    unexplained = float(cross[:, p, p].sum() - beta @ beta) / len(columns)
    return SiteScores(matrix, beta, leverage, projected - leverage @ beta, root, unexplained)


def cluster_robust(scores: SiteScores, column: int, kind: Kind, level: float = 0.95) -> Effect | NotEstimable:
    """Test and interval for one model column, in original units.

    CR1S and CR3 have S − 1 df, CR2 the Satterthwaite df of Bell & McCaffrey under a working model of
    independence. Where a site alone determines a coefficient, CR2 and CR3 use the generalised inverse.
    """
    if scores.unexplained < NOTHING_LEFT:
        return NotEstimable(ALL_EXPLAINED)
    sites, p = scores.score.shape
    rows = scores.matrix.rows
    contrast = scores.root[:, column]
    unit = scores.matrix.unit(column)
    estimate = float(contrast @ scores.beta) * unit
    adjust = _power(scores.leverage, _POWER[kind])
    adjusted = adjust @ contrast
    influence = (adjusted * scores.score).sum(axis=1)
    variance = float(influence @ influence)
    df = float(sites - 1)
    if kind == "cr1s":
        variance *= sites / (sites - 1) * (rows - 1) / (rows - p)
    if kind == "cr2":
        df = _bell_mccaffrey(scores.leverage, adjusted)
    return t_effect(estimate, math.sqrt(variance) * unit, df, level, _WARNINGS[kind])


def _power(leverage: Floats, exponent: float) -> Floats:
    """(I − S_i)^exponent for every site, zero in the directions a site determines alone."""
    values, vectors = np.linalg.eigh(leverage)
    left = 1.0 - values
    free = left > 1e-8
    powered = np.where(free, np.where(free, left, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * powered[:, None, :]) @ np.swapaxes(vectors, 1, 2))


def _bell_mccaffrey(leverage: Floats, adjusted: Floats) -> float:
    """Degrees of freedom 2E²/Var of the variance estimator; `adjusted` is (S, p), (I − S_i)^−½ K c.

    With a_i = A_i X_i M c, the covariance of the terms of the estimator is δ_ij a_i'a_i − a_i'X_i M X_j'a_j.
    """
    crossed = (leverage @ adjusted[:, :, None])[:, :, 0]
    own = (adjusted * crossed).sum(axis=1)
    covariance = np.diag(own) - crossed @ crossed.T
    return float(covariance.trace() ** 2 / (covariance * covariance).sum())
