"""One factor by maximum likelihood (Jöreskog 1967, Psychometrika 32, 443–482; derivatives of Clarke 1970).

Σ = λλ' + Ψ with Ψ diagonal. For given Ψ the best loadings follow from the largest eigenvalue of
Ψ^(−1/2) S Ψ^(−1/2), so the search is over log Ψ alone: F = Σ over the other eigenvalues γ of (γ − log γ − 1).
"""

import math
from dataclasses import dataclass

import numpy as np

from analysis.results import Floats, NotEstimable

# A unique variance, as a share of its item's variance, below which it is taken to have fallen to zero.
_HEYWOOD = 1e-6


@dataclass(frozen=True)
class OneFactor:
    """loadings, uniquenesses : (K,), in units of the items and of their squares; loadings sum to zero or more.

    discrepancy : F at the optimum, so (n − 1)F is the likelihood-ratio statistic against any covariance.
    """

    loadings: Floats
    uniquenesses: Floats
    discrepancy: float


def one_factor(covariance: Floats, names: tuple[str, ...] = ()) -> OneFactor | NotEstimable:
    """Fit one factor to a covariance matrix (K, K) of three items or more.

    names : of the items, for the reason. Not estimable where a unique variance falls to zero (a Heywood case),
    where items are copies of each other, or with fewer than three items.

    >>> found = one_factor(np.array([[1, 0.56, 0.48], [0.56, 1, 0.42], [0.48, 0.42, 1]]))
    >>> found.loadings.round(6).tolist()
    [0.8, 0.7, 0.6]
    """
    items = len(covariance)
    if items < 3:
        return NotEstimable("one factor needs three items or more")
    sd = np.sqrt(covariance.diagonal())
    if not (sd > 0.0).all():
        return NotEstimable("an item does not vary")
    correlation = covariance / np.outer(sd, sd)
    spectrum = np.linalg.eigvalsh(correlation)
    if spectrum[0] < 1e-10 * spectrum[-1]:
        return NotEstimable("some items are determined by the others, so no factor can be told from their noise")
    # 1 − R²/2 is the usual start: half of what the other items explain is taken to be common.
    at = _value(correlation, np.log(0.5 / np.linalg.inv(correlation).diagonal()))
    for _ in range(500):
        lowest = int(at.log_psi.argmin())
        if at.log_psi[lowest] < math.log(_HEYWOOD):
            who = f'"{names[lowest]}"' if names else f"number {lowest + 1}"
            return NotEstimable(
                f"a Heywood case: the unique variance of item {who} falls to zero, so one factor does not describe "
                "these answers"
            )
        if float(np.abs(at.gradient).max()) < 1e-11:
            break
        step = _descent(at)
        fraction = min(1.0, 3.0 / float(np.abs(step).max()))
        while True:
            trial = _value(correlation, at.log_psi + fraction * step)
            if trial.value <= at.value + 1e-14 * (1.0 + abs(at.value)):
                break
            fraction /= 4.0
            if fraction < 1e-10:
                break
        if fraction < 1e-10:
            break
        at = trial
    if float(np.abs(at.gradient).max()) > 1e-7:
        return NotEstimable("the likelihood of one factor has no optimum that could be found")
    psi = np.exp(at.log_psi)
    loadings = np.sqrt(psi) * at.vectors[:, -1] * math.sqrt(max(float(at.roots[-1]) - 1.0, 0.0)) * sd
    if loadings.sum() < 0.0:
        loadings = -loadings
    return OneFactor(loadings, psi * sd**2, at.value)


@dataclass(frozen=True)
class _Point:
    log_psi: Floats
    value: float
    gradient: Floats
    roots: Floats
    vectors: Floats


def _value(correlation: Floats, log_psi: Floats) -> _Point:
    half = np.exp(-0.5 * log_psi)
    roots, vectors = np.linalg.eigh(half[:, None] * correlation * half)
    roots = np.maximum(roots, 1e-300)
    rest = roots[:-1]
    value = float((rest - np.log(rest) - 1.0).sum())
    gradient = vectors[:, :-1] ** 2 @ (1.0 - rest)
    return _Point(log_psi, value, gradient, roots, vectors)


def _descent(at: _Point) -> Floats:
    """Newton's step, with directions of little or negative curvature held to a safe length."""
    rest, first = at.roots[:-1], float(at.roots[-1])
    inner, outer = at.vectors[:, :-1], at.vectors[:, -1]
    # Σ_kl ½(γ_k + γ_l) ω_ik ω_il ω_jk ω_jl over the rest, and the terms that pair each with the first.
    projection, weighted = inner @ inner.T, (inner * rest) @ inner.T
    pairs = (inner * ((1.0 - rest) * (rest + first) / np.maximum(first - rest, 1e-12))) @ inner.T
    hessian = projection * weighted + np.outer(outer, outer) * pairs
    curvature, directions = np.linalg.eigh(hessian)
    curvature = np.maximum(np.abs(curvature), 1e-8)
    step: Floats = -directions @ ((directions.T @ at.gradient) / curvature)
    return step
