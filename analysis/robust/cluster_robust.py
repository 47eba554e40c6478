"""Cluster-robust standard errors of least squares: CR0, CR1, CR1S, CR2 with Bell–McCaffrey df, CR3; weighted or not.

Bell & McCaffrey 2002 (Survey Methodology 28, 169–181); Pustejovsky & Tipton 2018 (JBES 36, 672–683). With
M = (X'X)⁻¹, K = M^½ and S_i = K X_i'X_i K, every n_i × n_i matrix of those papers has its p × p counterpart:
X_i'(I − X_i M X_i')^a = K⁻¹ (I − S_i)^a K X_i', so a site costs O(p³) whatever its number of people.

Weights: the standard errors of CR0, CR1, CR1S and CR3 depend on no working model; CR2, and every Satterthwaite df, on one of:
"inverse"  : errors have variance 1/w (weights of precision, or means weighted alike). It is the CR2 of the rows
multiplied by √w; clubSandwich's `target = 1/w, inverse_var = FALSE` where weights are the same within a site.
"identity" : errors have the same variance (weights that say whom a person stands for); clubSandwich's default for
`lm(weights = w)`.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from analysis.errors import BadData
from analysis.labels import rows
from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT, ModelMatrix
from analysis.results import Codes, Effect, Floats, NotEstimable, t_effect
from analysis.robust.equal_variance import EqualVariance, equal_variance

Kind = Literal["cr0", "cr1", "cr1s", "cr2", "cr3"]
Working = Literal["inverse", "identity"]

# Power of (I − S_i) applied to a site's score; CR3 is then the delete-one-site jackknife.
_POWER = {"cr0": 0.0, "cr1": 0.0, "cr1s": 0.0, "cr2": -0.5, "cr3": -1.0}
_LIBERAL = "liberal below about 40 sites; for comparison"
_WARNINGS: dict[str, tuple[str, ...]] = {
    "cr0": (_LIBERAL,),
    "cr1": (_LIBERAL,),
    "cr1s": (_LIBERAL,),
    "cr2": (),
    "cr3": ("degrees of freedom are sites − 1; conservative standard error",),
}


@dataclass(frozen=True)
class SiteScores:
    """Least squares and each site's part in it, in the basis where X'X (weighted: X'WX) = I.

    matrix : the model it came from.   beta : (p,) standardised coefficients in that basis.
    leverage : (S, p, p), S_i.   score : (S, p), K X_i'(y_i − Xβ).   root : (p, p), K.
    unexplained : residual variance as a share of the outcome's.
    equal_variance : what CR2 needs where weights do not tell the precision; None otherwise.
    """

    matrix: ModelMatrix
    beta: Floats
    leverage: Floats
    score: Floats
    root: Floats
    unexplained: float
    equal_variance: EqualVariance | None = None


def site_scores(
    matrix: ModelMatrix, site: Codes, weights: Floats | None = None, working: Working = "inverse"
) -> SiteScores:
    """Reduce people to sites.

    site : (N,) codes counted from 0.   weights : (N,) above zero, in any unit; None weighs people alike.
    working : what the weights say of the errors, for CR2; see the module. Raises BadData where a weight is missing,
    infinite or not above zero.
    """
    p = matrix.rank
    columns = matrix.columns
    if weights is not None:
        weights = _relative(weights)
        columns = columns * np.sqrt(weights)[:, None]
    if (site[1:] < site[:-1]).any():
        order = np.argsort(site, kind="stable")
        columns, site = columns[order], site[order]
        weights = None if weights is None else weights[order]
    ends = [0, *(np.flatnonzero(site[1:] != site[:-1]) + 1).tolist(), len(site)]
    cross = np.empty((len(ends) - 1, p + 1, p + 1))
    for place, (start, end) in enumerate(pairwise(ends)):
        people = columns[start:end]
        cross[place] = people.T @ people
    values, vectors = np.linalg.eigh(cross[:, :p, :p].sum(axis=0))
    root = (vectors / np.sqrt(values)) @ vectors.T
    leverage = root @ cross[:, :p, :p] @ root
    projected = cross[:, :p, p] @ root
    beta = projected.sum(axis=0)
    unexplained = float(cross[:, p, p].sum() - beta @ beta) / len(columns)
    equal = None
    if weights is not None and working == "identity":
        plain = columns / np.sqrt(weights)[:, None]
        residuals = plain[:, p] - plain[:, :p] @ (root @ beta)
        equal = equal_variance(plain[:, :p] @ root, residuals, weights, np.array(ends[:-1]))
    return SiteScores(matrix, beta, leverage, projected - leverage @ beta, root, unexplained, equal)


def _relative(weights: Floats) -> Floats:
    """Weights with mean one."""
    wrong = ~(np.isfinite(weights) & (weights > 0.0))
    if wrong.any():
        raise BadData(f"weights are missing, infinite or not above zero in {rows(wrong)}; leave those people out")
    relative: Floats = weights / weights.mean()
    return relative


def cluster_robust(
    scores: SiteScores, column: int, kind: Kind, level: float = 0.95, satterthwaite: bool | None = None
) -> Effect | NotEstimable:
    """Test and interval for one model column, in original units.

    CR0, CR1, CR1S and CR3 have S − 1 df, CR2 the Satterthwaite df of Bell & McCaffrey under the working model
    of equal, independent errors; `satterthwaite` True asks for them, False refuses them, whatever the kind.
    CR1 is CR0 · S/(S − 1), CR1S that times (N − 1)/(N − p), CR3 the sum over sites of the squared changes
    that leaving each out makes. Where a site alone determines a coefficient, CR2 and CR3 use the generalised
    inverse.

    >>> from analysis.model_matrix import model_matrix
    >>> outcome = np.array([3.0, 4.0, 5.0, 2.0, 4.0, 6.0, 7.0, 5.0])
    >>> arm = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    >>> scores = site_scores(model_matrix(outcome, [("arm", arm)]), np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    >>> effect = cluster_robust(scores, 1, "cr2")
    >>> round(effect.estimate, 3), round(effect.se, 3), round(effect.df, 3)
    (2.0, 0.5, 2.0)
    """
    if scores.unexplained < NOTHING_LEFT:
        return NotEstimable(ALL_EXPLAINED)
    sites, p = scores.score.shape
    people = scores.matrix.rows
    contrast = scores.root[:, column]
    unit = scores.matrix.unit(column)
    estimate = float(contrast @ scores.beta) * unit
    df = float(sites - 1)
    if kind == "cr2" and scores.equal_variance is not None:
        influence, covariance = scores.equal_variance.terms(contrast[:, None])
        influence = influence[:, 0]
        if satterthwaite is not False:
            df = _satterthwaite(covariance[0, 0])
    else:
        adjusted = leverage_power(scores.leverage, _POWER[kind]) @ contrast
        influence = (adjusted * scores.score).sum(axis=1)
        if satterthwaite or (satterthwaite is None and kind == "cr2"):
            df = _satterthwaite(_covariance(scores, adjusted))
    variance = float(influence @ influence)
    if kind in {"cr1", "cr1s"}:
        variance *= sites / (sites - 1)
    if kind == "cr1s":
        variance *= (people - 1) / (people - p)
    return t_effect(estimate, math.sqrt(variance) * unit, df, level, _WARNINGS[kind])


def cr2_terms(scores: SiteScores, contrasts: Floats) -> tuple[Floats, Floats]:
    """What each site adds to q contrasts, adjusted as in CR2, and the covariance of that under the working model.

    contrasts : (p, q) of coefficients in the basis of the scores (K times standardised contrasts).
    Returns influence (S, q) and covariance (q, q, S, S): [s, t, i, j] of contrast s at site i with contrast t at
    site j, in units of the error variance.
    """
    if scores.equal_variance is not None:
        return scores.equal_variance.terms(contrasts)
    adjusted = leverage_power(scores.leverage, -0.5) @ contrasts
    influence = np.einsum("ipq,ip->iq", adjusted, scores.score)
    crossed = scores.leverage @ adjusted
    covariance = -np.einsum("ips,jpt->stij", crossed, crossed)
    each = np.arange(len(crossed))
    covariance[:, :, each, each] += np.einsum("ips,ipt->sti", adjusted, crossed)
    return influence, covariance


def without_each_site(scores: SiteScores) -> Floats:
    """Coefficients, in the basis of the scores, less those without each site: (S, p); NaN where that site alone
    determines one of them."""
    values, vectors = np.linalg.eigh(scores.leverage)
    left = 1.0 - values
    free = left > _ALONE
    turned = np.einsum("ipk,ip->ik", vectors, scores.score) / np.where(free, left, 1.0)
    change = np.einsum("ipk,ik->ip", vectors, turned)
    change[~free.all(axis=1)] = np.nan
    return np.asarray(change)


# What a site leaves to the others of a direction of the coefficients, below which it is taken to determine it alone.
_ALONE = 1e-8


def leverage_power(leverage: Floats, exponent: float) -> Floats:
    """(I − S_i)^exponent for every site, zero in the directions a site determines alone."""
    values, vectors = np.linalg.eigh(leverage)
    left = 1.0 - values
    free = left > _ALONE
    powered = np.where(free, np.where(free, left, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * powered[:, None, :]) @ np.swapaxes(vectors, 1, 2))


def _covariance(scores: SiteScores, adjusted: Floats) -> Floats:
    """Covariance of the terms of the estimator, (S, S); `adjusted` is (S, p), (I − S_i)^−½ K c.

    With a_i = A_i X_i M c it is δ_ij a_i'a_i − a_i'X_i M X_j'a_j.
    """
    if scores.equal_variance is not None:
        return np.asarray(scores.equal_variance.covariance(adjusted[:, :, None])[0, 0])
    crossed = (scores.leverage @ adjusted[:, :, None])[:, :, 0]
    own = (adjusted * crossed).sum(axis=1)
    return np.asarray(np.diag(own) - crossed @ crossed.T)


def _satterthwaite(covariance: Floats) -> float:
    """Degrees of freedom 2E²/Var of a sum of squares of terms with this covariance."""
    return float(covariance.trace() ** 2 / (covariance * covariance).sum())
