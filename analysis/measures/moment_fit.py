"""A model of estimated moments by diagonally weighted least squares, with its mean- and variance-adjusted test.

Muthén, du Toit & Spisic 1997; the scaled and shifted statistic of Asparouhov & Muthén 2010 ("WLSMV"); difference of
nested models after Satorra 2000.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from analysis.results import Floats, NotEstimable

Model = Callable[[Floats], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Moments:
    """estimates : (Q,).    covariance : (Q, Q) of the estimates.    people : (Q,) in the group of each.

    n, groups : people altogether, and groups of them. As is usual for these statistics, people are counted as n − 1
    in each group, and as n − groups altogether.
    """

    estimates: Floats
    covariance: Floats
    people: Floats
    n: int
    groups: int

    @property
    def weights(self) -> Floats:
        return 1.0 / self.covariance.diagonal()

    def distance(self, left: Floats) -> float:
        """Weighted sum of squares of residual moments."""
        return float(((self.people - 1.0) / self.people * self.weights) @ left**2)


@dataclass(frozen=True)
class ChiSquare:
    """A statistic scaled and shifted to have the mean and variance of χ² on df."""

    statistic: float
    df: int
    p: float

    @classmethod
    def adjusted(cls, raw: float, df: int, product: Floats) -> "ChiSquare":
        """raw, and UΓ: a·raw + df − a·tr(UΓ), a = √(df/tr((UΓ)²))."""
        if df == 0:
            return cls(0.0, 0, 1.0)
        a = math.sqrt(df / float(np.einsum("ij,ji->", product, product)))
        statistic = a * raw + df - a * float(np.trace(product))
        return cls(statistic, df, float(chdtrc(df, max(statistic, 0.0))))


@dataclass(frozen=True)
class MomentFit:
    """parameters : (P,), their robust covariance (P, P), and d moments / d parameters there (Q, P).

    raw : the weighted sum of squares.    test : of the model against any moments.
    """

    parameters: Floats
    covariance: Floats
    slopes: Floats
    raw: float
    test: ChiSquare


def fit_moments(moments: Moments, model: Model, start: Floats) -> MomentFit | NotEstimable:
    """Least squares by Levenberg and Marquardt's method.

    model : parameters to (implied moments (Q,), their derivatives (Q, P)).

    >>> seen = Moments(np.array([1.0, 3.0]), np.diag([0.1, 0.1]), np.array([50.0, 50.0]), 50, 1)
    >>> one_mean = lambda mean: (np.repeat(mean, 2), np.ones((2, 1)))
    >>> found = fit_moments(seen, one_mean, np.zeros(1))
    >>> found.parameters.round(6).tolist(), found.test.df
    ([2.0], 1)
    """
    root = np.sqrt(moments.weights)
    at = start
    implied, slopes = model(at)
    left = root * (moments.estimates - implied)
    damping = 1e-3
    for _ in range(500):
        scaled = root[:, None] * slopes
        gradient, curvature = scaled.T @ left, scaled.T @ scaled
        if float(np.abs(gradient).max()) < 1e-9 * (1.0 + float(left @ left)):
            break
        step = np.linalg.solve(curvature + damping * np.diag(curvature.diagonal() + 1e-12), gradient)
        implied, moved = model(at + step)
        trial = root * (moments.estimates - implied)
        if not np.isfinite(trial).all() or trial @ trial > left @ left * (1.0 + 1e-14):
            damping *= 10.0
            if damping > 1e12:
                break
            continue
        small = float(np.abs(step).max()) < 1e-11
        at, slopes, left, damping = at + step, moved, trial, max(damping / 10.0, 1e-15)
        if small:
            break
    scaled = root[:, None] * slopes
    curvature = scaled.T @ scaled
    if float(np.abs(scaled.T @ left).max()) > 1e-4 * (1.0 + float(left @ left)):
        return NotEstimable("least squares found no optimum")
    spectrum = np.linalg.eigvalsh(curvature / np.sqrt(np.outer(curvature.diagonal(), curvature.diagonal())))
    if spectrum[0] < 1e-10:
        return NotEstimable("the model is not identified by these answers")
    influence = np.linalg.solve(curvature, slopes.T * moments.weights)
    raw = moments.distance(left / root)
    df = len(moments.estimates) - len(at)
    residual = np.diag(moments.weights) - (moments.weights[:, None] * slopes) @ influence
    test = ChiSquare.adjusted(raw, df, residual @ moments.covariance)
    spread = influence @ moments.covariance @ influence.T * (moments.n / (moments.n - moments.groups))
    return MomentFit(at, spread, slopes, raw, test)


def difference(moments: Moments, restricted: MomentFit, free: MomentFit) -> ChiSquare | NotEstimable:
    """Test of a model nested in another.

    With H the restricted model's directions within the free one's and A its complement, UΓ is that of
    WΔP⁻¹A'(AP⁻¹A')⁻¹AP⁻¹Δ'W, Δ of the free model and P = Δ'WΔ.
    """
    df = restricted.test.df - free.test.df
    if df <= 0:
        return NotEstimable("nothing is restricted: both models have the same number of parameters")
    delta, w = free.slopes, moments.weights
    within = np.linalg.lstsq(delta, restricted.slopes, rcond=None)[0]
    complement = np.linalg.svd(within, full_matrices=True)[0][:, within.shape[1] :].T
    spread = np.linalg.inv(delta.T @ (w[:, None] * delta))
    left = (w[:, None] * delta) @ spread @ complement.T
    u = left @ np.linalg.solve(complement @ spread @ complement.T, left.T)
    return ChiSquare.adjusted(restricted.raw - free.raw, df, u @ moments.covariance)
