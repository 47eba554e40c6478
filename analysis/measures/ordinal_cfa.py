"""One factor of ordered answers: polychoric correlations, diagonally weighted least squares, robust test."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.measures.moment_fit import ChiSquare, Moments, fit_moments
from analysis.measures.polychoric import PolychoricMoments, polychoric_moments
from analysis.measures.reliability import read_items
from analysis.results import Codes, Floats, NotEstimable
from analysis.threads import one_thread

FEW_PEOPLE = 200


@dataclass(frozen=True)
class OrdinalFactor:
    """loadings : of standardised latent responses, by item; se : robust.    thresholds : by item.

    test, baseline : scaled and shifted χ² of the model and of items that do not go together.    cfi, rmsea : from
    them.    srmr : root mean square residual correlation.    n : complete cases.
    """

    loadings: dict[str, float]
    se: dict[str, float]
    thresholds: dict[str, tuple[float, ...]]
    test: ChiSquare
    baseline: ChiSquare
    cfi: float
    rmsea: float | NotEstimable
    srmr: float
    n: int
    warnings: tuple[str, ...]


def ordinal_factor(items: pd.DataFrame) -> OrdinalFactor | NotEstimable:
    """Fit one factor to ordered answers.

    items : one column an item, keyed one way, NaN where missing; complete cases count; the answers given are an item's
    categories, two to ten of them. Three items have a factor but no test; with fewer there is none.
    People are taken as drawn one by one: among people of few sites the test rejects too often.

    >>> rng = np.random.default_rng(1)
    >>> latent = rng.normal(size=(300, 1)) + rng.normal(size=(300, 4))
    >>> items = pd.DataFrame(np.digitize(latent, [-1.5, 0.0, 1.5]), columns=list("abcd"))
    >>> found = ordinal_factor(items)
    >>> found.test.df, found.cfi > 0.95
    (2, True)
    """
    names = tuple(str(name) for name in items.columns)
    if len(names) < 3:
        return NotEstimable("one factor needs three items or more")
    table = read_items(items, None, None)
    complete = table[~np.isnan(table).any(axis=1)]
    if len(complete) < 3 * len(names):
        return NotEstimable(f"{len(complete)} people answered every item; a factor of {len(names)} needs more")
    places, categories = categorise(complete)
    reason = unusable(categories, names)
    if reason is not None:
        return NotEstimable(reason)
    with one_thread():
        moments = polychoric_moments(places, categories, names)
        if isinstance(moments, NotEstimable):
            return moments
        return _fit(moments, names)


def categorise(answers: Floats) -> tuple[Codes, tuple[int, ...]]:
    """Each column's values as places in their order, (N, K), and how many there are in each."""
    places = np.empty(answers.shape, dtype=np.intp)
    counts = []
    for k in range(answers.shape[1]):
        values, places[:, k] = np.unique(answers[:, k], return_inverse=True)
        counts.append(len(values))
    return places, tuple(counts)


def unusable(categories: tuple[int, ...], names: tuple[str, ...]) -> str | None:
    """Why answers are no ordered categories, if they are none."""
    for name, count in zip(names, categories, strict=True):
        if count < 2:
            return f'everybody gave the same answer to "{name}"'
        if count > 10:
            return f'"{name}" has {count} different answers; ordered categories are at most ten'
    return None


def start_loadings(correlations: Floats) -> Floats:
    """Loadings of the first principal axis, drawn towards the middle."""
    roots, vectors = np.linalg.eigh(correlations)
    first: Floats = vectors[:, -1] * math.sqrt(float(roots[-1]))
    return np.clip(0.85 * first * (1.0 if first.sum() >= 0.0 else -1.0), -0.9, 0.9)


def fit_indices(test: ChiSquare, baseline: ChiSquare, n: int, groups: int = 1) -> tuple[float, float | NotEstimable]:
    """CFI = 1 − max(T − df, 0)/max(T − df, T_b − df_b, 0) and RMSEA = √(G · max(T − df, 0)/((n − G)df))."""
    excess, alone = max(test.statistic - test.df, 0.0), max(baseline.statistic - baseline.df, 0.0)
    cfi = 1.0 if max(excess, alone) == 0.0 else 1.0 - excess / max(excess, alone)
    if test.df == 0:
        return cfi, NotEstimable("no degrees of freedom: three items always fit")
    return cfi, math.sqrt(groups * excess / ((n - groups) * test.df))


def _fit(found: PolychoricMoments, names: tuple[str, ...]) -> OrdinalFactor | NotEstimable:
    items = len(names)
    count = sum(len(cuts) for cuts in found.thresholds)
    rows, columns = np.triu_indices(items, 1)
    # Thresholds are free, so they fit exactly and only the correlations are modelled.
    moments = Moments(
        found.vector[count:], found.covariance[count:, count:], np.full(len(rows), float(found.n)), found.n, 1
    )
    pair = np.arange(len(rows))

    def model(loadings: Floats) -> tuple[Floats, Floats]:
        slopes = np.zeros((len(rows), items))
        slopes[pair, rows] = loadings[columns]
        slopes[pair, columns] = loadings[rows]
        return loadings[rows] * loadings[columns], slopes

    fit = fit_moments(moments, model, start_loadings(found.correlations))
    if isinstance(fit, NotEstimable):
        return fit
    loadings = fit.parameters * (1.0 if fit.parameters.sum() >= 0.0 else -1.0)
    weights = np.diag(moments.weights)
    baseline = ChiSquare.adjusted(moments.distance(moments.estimates), len(rows), weights @ moments.covariance)
    cfi, rmsea = fit_indices(fit.test, baseline, found.n)
    left = moments.estimates - loadings[rows] * loadings[columns]
    notes = []
    beyond = [name for name, value in zip(names, loadings, strict=True) if abs(value) >= 1.0]
    if beyond:
        notes.append(f'a Heywood case: the loading of "{beyond[0]}" is one or more')
    if found.n < FEW_PEOPLE:
        notes.append(f"{found.n} people; a factor of ordered answers wants {FEW_PEOPLE} or more")
    return OrdinalFactor(
        loadings=dict(zip(names, loadings.tolist(), strict=True)),
        se=dict(zip(names, np.sqrt(fit.covariance.diagonal()).tolist(), strict=True)),
        thresholds={name: tuple(cuts.tolist()) for name, cuts in zip(names, found.thresholds, strict=True)},
        test=fit.test,
        baseline=baseline,
        cfi=cfi,
        rmsea=rmsea,
        srmr=float((left @ left) / (items * (items + 1) / 2)) ** 0.5,
        n=found.n,
        warnings=tuple(notes),
    )
