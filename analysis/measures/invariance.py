"""Does a scale measure alike across arms or waves? One factor of ordered answers in several groups, ever more equal.

Steps in the order of Wu & Estabrook 2016 (Psychometrika 81, 1014–1045), each identified on its own:
  configural  one factor in every group, nothing equal;
  thresholds  the same thresholds; means and spreads of latent responses free but in the first group;
  loadings    the same loadings too; the spread of the factor free but in the first group;
  intercepts  latent responses differ in mean through the factor alone, whose mean is free but in the first group.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from analysis.labels import coded
from analysis.measures.moment_fit import ChiSquare, MomentFit, Moments, difference, fit_moments
from analysis.measures.ordinal_cfa import FEW_PEOPLE, categorise, fit_indices, start_loadings, unusable
from analysis.measures.polychoric import PolychoricMoments, polychoric_moments
from analysis.measures.reliability import read_items
from analysis.results import Floats, NotEstimable
from analysis.threads import one_thread

StepName = Literal["configural", "thresholds", "loadings", "intercepts"]
STEPS: tuple[StepName, ...] = get_args(StepName)


@dataclass(frozen=True)
class InvarianceStep:
    """test : scaled and shifted χ² of the model.    against_last : of what this step makes equal, given the last.

    cfi_change, rmsea_change : from the last step; a CFI that falls by more than .010 with an RMSEA that rises by .015
    is the usual sign of a difference (Chen 2007, Structural Equation Modeling 14, 464–504).
    """

    name: StepName
    test: ChiSquare
    cfi: float
    rmsea: float | NotEstimable
    against_last: ChiSquare | NotEstimable | None
    cfi_change: float | None
    rmsea_change: float | None


@dataclass(frozen=True)
class Invariance:
    """steps : in order, up to the first that could not be fitted.    stopped : why there are no more, if so.

    n : people by group.    factor_means : of the last step, in SDs of the first group's factor, with robust standard
    errors; meaningful only where that step holds.
    """

    steps: tuple[InvarianceStep, ...]
    stopped: NotEstimable | None
    n: dict[str, int]
    factor_means: dict[str, tuple[float, float]]
    warnings: tuple[str, ...]


def invariance(items: pd.DataFrame, group: "pd.Series[object]") -> Invariance | NotEstimable:
    """Fit the four steps and test each against the one before.

    items : one column an item of three ordered answers or more, keyed one way, NaN where missing; complete cases
    count. group : labels (arm, wave) on the same rows; the first in order of appearance is the reference; rows
    without a label are left out. Every answer must have been given in every group.
    The tests take people as drawn one by one, and groups as different people: among few sites, or where waves hold
    the same people, rely on the changes of fit and read p as a description.

    >>> rng = np.random.default_rng(1)
    >>> latent = rng.normal(size=(600, 1)) + rng.normal(size=(600, 4))
    >>> items = pd.DataFrame(np.digitize(latent, [-1.5, 0.0, 1.5]), columns=list("abcd"))
    >>> found = invariance(items, pd.Series(["control", "appreciative"] * 300))
    >>> [(step.name, step.test.df) for step in found.steps]
    [('configural', 4), ('thresholds', 8), ('loadings', 11), ('intercepts', 14)]
    """
    names = tuple(str(name) for name in items.columns)
    table = read_items(items, None, None)
    codes, labels = coded(group)
    kept = ~np.isnan(table).any(axis=1) & (codes >= 0)
    answers, code = table[kept], codes[kept]
    present = list(dict.fromkeys(code.tolist()))
    people = {labels[k]: int((code == k).sum()) for k in present}
    if len(present) < 2:
        return NotEstimable("fewer than two groups answered every item")
    if len(names) < 3:
        return NotEstimable("one factor needs three items or more")
    places, categories = categorise(answers)
    reason = unusable(categories, names)
    if reason is None and min(categories) < 3:
        reason = f'"{names[categories.index(min(categories))]}" has two answers; steps need three or more'
    small = next((label for label, n in people.items() if n < 3 * len(names)), None)
    if reason is None and small is not None:
        reason = f"{people[small]} people of {small} answered every item; a factor of {len(names)} needs more"
    if reason is not None:
        return NotEstimable(reason)
    with one_thread():
        found = []
        for k in present:
            part = polychoric_moments(places[code == k], categories, names)
            if isinstance(part, NotEstimable):
                return NotEstimable(f"in {labels[k]}: {part.reason}")
            found.append(part)
        return _steps(found, [labels[k] for k in present], people)


@dataclass(frozen=True)
class _Shape:
    """item : which item each threshold is of.    rows, columns : of the pairs of items."""

    groups: int
    items: int
    item: np.typing.NDArray[np.intp]
    rows: np.typing.NDArray[np.intp]
    columns: np.typing.NDArray[np.intp]

    @property
    def thresholds(self) -> int:
        return len(self.item)

    @property
    def structure(self) -> int:
        """Length of one group's structure: thresholds, means, log spreads, loadings, log factor variance."""
        return self.thresholds + 3 * self.items + 1


def _group_moments(shape: _Shape, u: Floats) -> tuple[Floats, Floats]:
    """Standardised thresholds (τ − ν)/σ and correlations λλφ/σσ of one group, and their derivatives in u."""
    t, k = shape.thresholds, shape.items
    tau, mean, log_sd, loading, log_phi = np.split(u, [t, t + k, t + 2 * k, t + 3 * k])
    sd = np.exp(log_sd)
    standard = (tau - mean[shape.item]) / sd[shape.item]
    share = np.exp(log_phi[0]) / (sd[shape.rows] * sd[shape.columns])
    rho = loading[shape.rows] * loading[shape.columns] * share
    slopes = np.zeros((t + len(rho), shape.structure))
    at, pair = np.arange(t), np.arange(len(rho))
    slopes[at, at] = 1.0 / sd[shape.item]
    slopes[at, t + shape.item] = -1.0 / sd[shape.item]
    slopes[at, t + k + shape.item] = -standard
    slopes[t + pair, t + k + shape.rows] = -rho
    slopes[t + pair, t + k + shape.columns] = -rho
    slopes[t + pair, t + 2 * k + shape.rows] = loading[shape.columns] * share
    slopes[t + pair, t + 2 * k + shape.columns] = loading[shape.rows] * share
    slopes[t + pair, -1] = rho
    return np.concatenate((standard, rho)), slopes


@dataclass(frozen=True)
class _Layout:
    """Where a step's parameters stand, by group: places of thresholds, means, log spreads, loadings, log variance in
    the parameter vector, −1 where fixed at zero.    factor_mean : place of each group's, −1 where zero.
    """

    places: tuple[np.typing.NDArray[np.intp], ...]
    factor_mean: tuple[int, ...]
    length: int

    def structure(self, shape: _Shape, parameters: Floats, group: int) -> tuple[Floats, Floats]:
        """One group's u and its derivatives in the parameters."""
        places = self.places[group]
        free = np.flatnonzero(places >= 0)
        u, slopes = np.zeros(shape.structure), np.zeros((shape.structure, self.length))
        u[free] = parameters[places[free]]
        slopes[free, places[free]] = 1.0
        if self.factor_mean[group] >= 0:
            factor = float(parameters[self.factor_mean[group]])
            means = shape.thresholds + np.arange(shape.items)
            loadings = means + 2 * shape.items
            u[means] = u[loadings] * factor
            slopes[means] = slopes[loadings] * factor
            slopes[means, self.factor_mean[group]] = u[loadings]
        return u, slopes


def _layout(shape: _Shape, step: StepName) -> _Layout:
    t, k = shape.thresholds, shape.items
    rank = STEPS.index(step)
    taken = 0

    def take(count: int) -> np.typing.NDArray[np.intp]:
        nonlocal taken
        taken += count
        return np.arange(taken - count, taken)

    fixed = np.full(k, -1, dtype=np.intp)
    places, means = [], []
    thresholds, loadings = take(t), take(k)
    for group in range(shape.groups):
        later = group > 0
        own = take(t) if later and rank < 1 else thresholds
        mean = take(k) if later and 1 <= rank < 3 else fixed
        spread = take(k) if later and rank >= 1 else fixed
        loading = take(k) if later and rank < 2 else loadings
        variance = take(1) if later and rank >= 2 else fixed[:1]
        means.append(int(take(1)[0]) if later and rank >= 3 else -1)
        places.append(np.concatenate((own, mean, spread, loading, variance)))
    return _Layout(tuple(places), tuple(means), taken)


def _model(shape: _Shape, layout: _Layout) -> Callable[[Floats], tuple[Floats, Floats]]:
    def model(parameters: Floats) -> tuple[Floats, Floats]:
        moments, slopes = [], []
        for group in range(shape.groups):
            u, inner = layout.structure(shape, parameters, group)
            implied, outer = _group_moments(shape, u)
            moments.append(implied)
            slopes.append(outer @ inner)
        return np.concatenate(moments), np.concatenate(slopes)

    return model


def _start(shape: _Shape, layout: _Layout, found: list[PolychoricMoments]) -> Floats:
    """Each group's thresholds and loadings where it has its own, the first group's where they are shared."""
    start = np.zeros(layout.length)
    for group in range(shape.groups - 1, -1, -1):
        t, k = shape.thresholds, shape.items
        own = np.zeros(shape.structure)
        own[:t] = np.concatenate(found[group].thresholds)
        own[t + 2 * k : t + 3 * k] = start_loadings(found[group].correlations)
        free = layout.places[group] >= 0
        start[layout.places[group][free]] = own[free]
    return start


def _steps(found: list[PolychoricMoments], labels: list[str], people: dict[str, int]) -> Invariance | NotEstimable:
    first = found[0]
    item = np.repeat(np.arange(len(first.thresholds)), [len(cuts) for cuts in first.thresholds])
    rows, columns = np.triu_indices(len(first.thresholds), 1)
    shape = _Shape(len(found), len(first.thresholds), item, rows, columns)
    moments = Moments(
        np.concatenate([one.vector for one in found]),
        block_diag(*(one.covariance for one in found)),
        np.concatenate([np.full(len(one.vector), float(one.n)) for one in found]),
        sum(one.n for one in found),
        len(found),
    )
    correlation = np.tile(np.arange(shape.thresholds + len(rows)) >= shape.thresholds, len(found))
    alone = replace(
        moments,
        estimates=moments.estimates[correlation],
        covariance=moments.covariance[np.ix_(correlation, correlation)],
        people=moments.people[correlation],
    )
    baseline = ChiSquare.adjusted(
        alone.distance(alone.estimates), len(alone.estimates), alone.weights[:, None] * alone.covariance
    )
    steps: list[InvarianceStep] = []
    last: MomentFit | None = None
    stopped: NotEstimable | None = None
    means: dict[str, tuple[float, float]] = {}
    for name in STEPS:
        layout = _layout(shape, name)
        fit = fit_moments(moments, _model(shape, layout), _start(shape, layout, found))
        if isinstance(fit, NotEstimable):
            stopped = NotEstimable(f"{name}: {fit.reason}")
            break
        cfi, rmsea = fit_indices(fit.test, baseline, moments.n, len(found))
        before = steps[-1] if steps else None
        rise = None
        if before is not None and not isinstance(rmsea, NotEstimable) and not isinstance(before.rmsea, NotEstimable):
            rise = rmsea - before.rmsea
        steps.append(
            InvarianceStep(
                name=name,
                test=fit.test,
                cfi=cfi,
                rmsea=rmsea,
                against_last=None if last is None else difference(moments, fit, last),
                cfi_change=None if before is None else cfi - before.cfi,
                rmsea_change=rise,
            )
        )
        last = fit
        if name == "intercepts":
            means = {
                label: (float(fit.parameters[place]), math.sqrt(float(fit.covariance[place, place])))
                for label, place in zip(labels, layout.factor_mean, strict=True)
                if place >= 0
            }
    if not steps:
        return stopped or NotEstimable("no step could be fitted")
    few = [label for label, n in people.items() if n < FEW_PEOPLE]
    notes = (f"fewer than {FEW_PEOPLE} people in {', '.join(few)}: too few to trust the tests",) if few else ()
    return Invariance(tuple(steps), stopped, people, means, notes)
