"""Exploratory factor analysis: minimum residuals (Harman & Jones 1966), oblimin rotation (Jennrich 2002)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.measures.reliability import read_items
from analysis.results import Floats, NotEstimable
from analysis.threads import one_thread

Rotation = Literal["none", "oblimin"]
# The least share of an item's variance that is left to itself.
LEAST = 0.005


@dataclass(frozen=True)
class FactorAnalysis:
    """loadings : (K, M) pattern.    correlations : (M, M) of the factors.    communalities : (K,).

    residual : root mean square of the off-diagonal residual correlations.    heywood : items whose unique variance
    came to rest at its bound.    n : complete cases.
    """

    loadings: Floats
    correlations: Floats
    communalities: Floats
    residual: float
    heywood: tuple[str, ...]
    names: tuple[str, ...]
    n: int


def minres(items: pd.DataFrame, factors: int = 1, rotation: Rotation = "oblimin") -> FactorAnalysis | NotEstimable:
    """Loadings that leave the smallest sum of squared off-diagonal residuals of the correlation matrix.

    items : one column an item, NaN where missing; complete cases count.    factors : M.    rotation : oblique, or none;
    of one factor there is none. Factors come with the most variance first, each with a positive sum of loadings.

    >>> rng = np.random.default_rng(1)
    >>> items = pd.DataFrame(rng.normal(size=(200, 1)) + rng.normal(size=(200, 4)), columns=list("abcd"))
    >>> bool((minres(items).loadings > 0.5).all())
    True
    """
    names = tuple(str(name) for name in items.columns)
    table = read_items(items, None, None)
    complete = table[~np.isnan(table).any(axis=1)]
    n, count = complete.shape
    # The parameters less the rotations must not outnumber the correlations.
    if factors < 1 or (count - factors) ** 2 < count + factors:
        return NotEstimable(f"{count} items cannot tell {factors} factors apart")
    if n <= count:
        return NotEstimable(f"{n} people answered all of {count} items; more people than items are needed")
    constant = np.ptp(complete, axis=0) == 0
    if constant.any():
        return NotEstimable(f'everybody gave the same answer to "{names[int(constant.argmax())]}"')
    with one_thread():
        correlation = np.asarray(np.corrcoef(complete, rowvar=False))
        if np.linalg.eigvalsh(correlation)[0] < 1e-10:
            return NotEstimable("some items are determined by the others")
        psi = _uniquenesses(correlation, factors)
        loadings = _loadings(correlation, psi, factors)
        phi = np.eye(factors)
        if factors > 1 and rotation == "oblimin":
            loadings, phi = oblimin(loadings)
        order = np.argsort(-np.diag(phi @ loadings.T @ loadings), kind="stable")
        sign = np.where(loadings.sum(axis=0) < 0.0, -1.0, 1.0)[order]
        loadings, phi = loadings[:, order] * sign, phi[np.ix_(order, order)] * np.outer(sign, sign)
    common = loadings @ phi @ loadings.T
    left = (correlation - common)[np.triu_indices(count, 1)]
    heywood = tuple(name for name, value in zip(names, psi, strict=True) if value <= LEAST * (1 + 1e-9))
    return FactorAnalysis(loadings, phi, common.diagonal().copy(), float((left**2).mean()) ** 0.5, heywood, names, n)


def _loadings(correlation: Floats, psi: Floats, factors: int) -> Floats:
    roots, vectors = np.linalg.eigh(correlation - np.diag(psi))
    first: Floats = vectors[:, -factors:][:, ::-1] * np.sqrt(np.maximum(roots[-factors:][::-1], 0.0))
    return first


def _uniquenesses(correlation: Floats, factors: int) -> Floats:
    """The minimum over Ψ of ½ Σ θ², θ the eigenvalues of R − Ψ but for the largest M."""
    # scipy.optimize costs a third of a second to import, which only factor analysis should wait for.
    from scipy.optimize import minimize  # noqa: PLC0415

    def value(psi: Floats) -> tuple[float, Floats]:
        roots, vectors = np.linalg.eigh(correlation - np.diag(psi))
        rest = roots[:-factors]
        return 0.5 * float(rest @ rest), -(vectors[:, :-factors] ** 2) @ rest

    start = np.clip(1.0 / np.linalg.inv(correlation).diagonal(), LEAST, 1.0)
    bounds = [(LEAST, 1.0)] * len(start)
    run = minimize(value, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-16, "gtol": 1e-9})
    psi = np.asarray(run.x, dtype=np.float64)
    for _ in range(20):
        # L-BFGS-B stops where the value no longer changes, which leaves half of the digits: Newton finds the others.
        inside = (psi > LEAST) & (psi < 1.0)
        roots, vectors = np.linalg.eigh(correlation - np.diag(psi))
        rest, tail, head = roots[:-factors], vectors[:, :-factors], vectors[:, -factors:]
        hessian = (tail @ tail.T) ** 2
        for root, vector in zip(roots[-factors:], head.T, strict=True):
            hessian += 2.0 * np.outer(vector, vector) * ((tail * (rest / (rest - root))) @ tail.T)
        gradient = -(tail**2) @ rest
        step = np.zeros_like(psi)
        step[inside] = -np.linalg.lstsq(hessian[np.ix_(inside, inside)], gradient[inside], rcond=1e-12)[0]
        trial = np.clip(psi + step, LEAST, 1.0)
        if value(trial)[0] > value(psi)[0] + 1e-15 or float(np.abs(trial - psi).max()) < 1e-13:
            break
        psi = trial
    return psi


def oblimin(loadings: Floats, starts: int = 8) -> tuple[Floats, Floats]:
    """Oblique rotation with γ = 0 (quartimin), the least of several starts: pattern (K, M) and correlations (M, M).

    Gradient projection of Jennrich 2002 (Psychometrika 67, 7–19): L = A T⁻¹ˈ with columns of T of length one.
    """
    factors = loadings.shape[1]
    # The starts are fixed, so that the same items always give the same factors.
    rng = np.random.default_rng(0)
    turns = [np.eye(factors), *(np.linalg.qr(rng.normal(size=(factors, factors)))[0] for _ in range(starts - 1))]
    value, turn = min((_rotate(loadings, t) for t in turns), key=lambda found: found[0])
    del value
    return loadings @ np.linalg.inv(turn).T, turn.T @ turn


def _rotate(loadings: Floats, turn: Floats) -> tuple[float, Floats]:
    others = 1.0 - np.eye(loadings.shape[1])

    def criterion(t: Floats) -> tuple[float, Floats]:
        inverse = np.linalg.inv(t)
        pattern = loadings @ inverse.T
        cross = pattern**2 @ others
        return float((pattern**2 * cross).sum()) / 4.0, -((pattern.T @ (pattern * cross) @ inverse).T)

    value, gradient = criterion(turn)
    size = 1.0
    for _ in range(2000):
        projected = gradient - turn * (turn * gradient).sum(axis=0)
        length = float(np.linalg.norm(projected))
        if length < 1e-9:
            break
        size *= 2.0
        for _ in range(30):
            trial = turn - size * projected
            trial = trial / np.linalg.norm(trial, axis=0)
            reached, slope = criterion(trial)
            if reached < value - 0.5 * length**2 * size:
                break
            size /= 2.0
        else:
            break
        turn, value, gradient = trial, reached, slope
    return value, turn
