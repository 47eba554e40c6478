"""How two scales go together, as measured and as if both were measured without error (Spearman 1904)."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.measures.reliability import read_items
from analysis.results import Codes, Floats, NotEstimable, Ratio

_BELOW_ONE = 1.0 - 1e-12


@dataclass(frozen=True)
class Convergence:
    """observed : correlation of the two scores.    corrected : over √(alpha·alpha); it may exceed 1, and then says
    that the scales measure one thing, or that alpha is too low.    n : people with every item.    sites : of them.
    """

    observed: Ratio
    corrected: Ratio | NotEstimable
    n: int
    sites: int
    warnings: tuple[str, ...]


def convergence(one: pd.DataFrame, other: pd.DataFrame, site: Codes, level: float = 0.95) -> Convergence | NotEstimable:
    """Correlation of the sums of two scales' items, with intervals that know of sites.

    one, other : items of each scale on the same rows, keyed one way, NaN where missing; people with every item count.
    site : (N,) codes. Intervals leave out one site at a time: θ ± t(S − 1)·√((S−1)/S Σ(θ₋ₛ − θ̄)²), the observed
    correlation on Fisher's scale atanh r, the corrected one with both alphas computed anew each time.
    A scale of one item has no alpha, so its correlation cannot be corrected.

    >>> rng = np.random.default_rng(1)
    >>> items = pd.DataFrame(rng.normal(size=(60, 1)) + rng.normal(size=(60, 4)), columns=list("abcd"))
    >>> found = convergence(items[["a", "b"]], items[["c", "d"]], np.repeat(np.arange(6), 10))
    >>> found.observed.value < found.corrected.value
    True
    """
    x, y = read_items(one, None, None), read_items(other, None, None)
    kept = ~(np.isnan(x).any(axis=1) | np.isnan(y).any(axis=1))
    x, y = x[kept], y[kept]
    _, code = np.unique(site[kept], return_inverse=True)
    n, sites = len(x), len(np.unique(code))
    if n < 4 or sites < 3:
        return NotEstimable(f"{n} people of {sites} sites answered every item; four people of three sites are needed")
    whole = _correlations(x, y)
    if whole is None:
        return NotEstimable("one of the scales does not vary")
    without = [_correlations(x[code != s], y[code != s]) for s in range(sites)]
    if any(part is None for part in without):
        return NotEstimable("without one of the sites a scale does not vary, so there is no interval")
    parts = np.array([part for part in without if part is not None])
    t = float(stdtrit(sites - 1, 0.5 + level / 2))
    z = np.arctanh(np.clip(parts[:, 0], -_BELOW_ONE, _BELOW_ONE))
    half = t * _jackknife(z)
    centre = math.atanh(max(-_BELOW_ONE, min(_BELOW_ONE, whole[0])))
    observed = Ratio(whole[0], (math.tanh(centre - half), math.tanh(centre + half)))
    notes: tuple[str, ...] = ()
    corrected: Ratio | NotEstimable
    if not math.isfinite(whole[1]) or not np.isfinite(parts[:, 1]).all():
        corrected = NotEstimable("a scale of one item, or whose alpha is not positive, cannot be corrected for")
    else:
        half = t * _jackknife(parts[:, 1])
        corrected = Ratio(whole[1], (whole[1] - half, whole[1] + half))
        if abs(whole[1]) > 1.0:
            notes = ("the corrected correlation exceeds 1: the scales may measure one thing, or alpha is too low",)
    return Convergence(observed, corrected, n, sites, notes)


def _correlations(x: Floats, y: Floats) -> tuple[float, float] | None:
    """Observed and corrected; None without variation, NaN where it cannot be corrected."""
    if len(x) < 3:
        return None
    sums = x.sum(axis=1), y.sum(axis=1)
    if any(float(np.ptp(total)) <= 1e-12 * float(np.abs(total).max()) for total in sums):
        return None
    observed = float(np.corrcoef(*sums)[0, 1])
    alphas = _alpha(x) * _alpha(y) if _alpha(x) > 0.0 and _alpha(y) > 0.0 else math.nan
    return observed, observed / math.sqrt(alphas)


def _alpha(items: Floats) -> float:
    count = int(items.shape[1])
    if count < 2:
        return math.nan
    return count / (count - 1) * (1.0 - float(items.var(axis=0).sum()) / float(items.sum(axis=1).var()))


def _jackknife(values: Floats) -> float:
    return math.sqrt((len(values) - 1) * float(values.var()))
