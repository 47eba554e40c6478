"""The minimum of a profiled REML criterion over variance ratios θ ≥ 0, for any number of levels.

Newton steps on the observed curvature, or with average or expected information where that is not positive (Gilmour,
Thompson & Cullis 1995), on the levels that may move; a level whose step would pass zero stops there and the others'
steps are found again, given that.
"""

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from analysis.results import Floats


class Point(Protocol):
    """A criterion with its derivatives at θ, in the order of the model's levels (see `longitudinal.Evaluation`)."""

    @property
    def theta(self) -> Floats: ...
    @property
    def criterion(self) -> float: ...
    @property
    def trace(self) -> Floats: ...
    @property
    def quad(self) -> Floats: ...
    @property
    def fisher(self) -> Floats: ...
    @property
    def average(self) -> Floats: ...


P = TypeVar("P", bound=Point)


def gradient(at: Point, dof: int) -> Floats:
    """First derivatives of the profile criterion."""
    return at.trace - dof * at.quad


def curvatures(at: Point, dof: int) -> tuple[Floats, Floats, Floats]:
    """Observed, average and expected second derivatives of the profile criterion."""
    product = np.outer(at.quad, at.quad)
    observed = dof * (2.0 * at.average - product) - at.fisher
    return observed, dof * (at.average - product), at.fisher - np.outer(at.trace, at.trace) / dof


def decrement(at: Point, levels: tuple[int, ...], dof: int) -> float:
    """How much lower a quadratic through the point would reach: near zero at a minimum, boundary included."""
    return _step(at.theta[list(levels)], gradient(at, dof), curvatures(at, dof))[0]


def minimum(
    evaluate: Callable[[Floats], P], start: Floats, levels: tuple[int, ...], dof: int, most: int = 200
) -> tuple[P, int]:
    """The point where no step leads further down, and the number of evaluations.

    >>> from analysis.lmm import longitudinal
    >>> from analysis.lmm.longitudinal import SITE, Sample
    >>> from analysis.model_matrix import model_matrix
    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(6), 10)
    >>> matrix = model_matrix(rng.normal(size=60) + np.repeat(rng.normal(size=6), 10), [])
    >>> sums = longitudinal.wave_sums(matrix, np.zeros(60, int), site, site, np.arange(60), 1)
    >>> at, evaluations = minimum(lambda theta: longitudinal.evaluate(sums, (SITE,), theta), np.zeros(5), (SITE,), 59)
    >>> bool(abs(gradient(at, 59)[0]) < 1e-6)
    True
    """
    places = list(levels)
    at = evaluate(start)
    evaluations = 1
    while evaluations < most:
        inside = at.theta[places]
        left, step = _step(inside, gradient(at, dof), curvatures(at, dof))
        if left < 1e-13:
            break
        fraction = 1.0
        while True:
            theta = at.theta.copy()
            theta[places] = np.maximum(0.0, inside + fraction * step)
            if np.array_equal(theta, at.theta):
                return at, evaluations
            trial = evaluate(theta)
            evaluations += 1
            if trial.criterion <= at.criterion + 1e-12 * abs(at.criterion):
                break
            fraction /= 4.0
            if fraction < 1e-9:
                return at, evaluations
        at = trial
    return at, evaluations


def _step(inside: Floats, slope: Floats, tables: tuple[Floats, ...]) -> tuple[float, Floats]:
    """The decrement and the step of the first table that is positive on the levels that may move."""
    free = (inside > 0.0) | (slope < 0.0)
    if not free.any():
        return 0.0, np.zeros_like(inside)
    for table in tables:
        step = _bounded(inside, slope, table, free)
        if step is not None:
            return -float(slope @ step), step
    return math.inf, np.where(free, -slope, 0.0)


def _bounded(inside: Floats, slope: Floats, table: Floats, free: np.typing.NDArray[np.bool_]) -> Floats | None:
    """Newton's step on `free` levels, none below zero; None where the table is not positive or the step not down."""
    free = free.copy()
    step = np.zeros_like(inside)
    for _ in range(len(inside)):
        places = np.flatnonzero(free)
        block = table[np.ix_(places, places)]
        size = np.sqrt(np.abs(block.diagonal()))
        try:
            # Scaled, so that positive means positive in every direction and not only in the largest.
            if np.linalg.cholesky(block / np.outer(size, size)).diagonal().min() < 1e-6:
                return None
        except np.linalg.LinAlgError:
            return None
        step[places] = -np.linalg.solve(block, (slope + table @ np.where(free, 0.0, step))[places])
        past = free & (inside + step < 0.0)
        if not past.any():
            break
        step[past] = -inside[past]
        free &= ~past
        if not free.any():
            break
    return step if slope @ step <= 0.0 else None
