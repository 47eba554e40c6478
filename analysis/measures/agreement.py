"""Agreement of two raters who scored the same reviews: kappa for categories, ICC for scores."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.special import fdtri, ndtri

from analysis.errors import BadData
from analysis.results import Floats, NotEstimable, Ratio

Weights = Literal["none", "linear", "quadratic"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)


@dataclass(frozen=True)
class Agreement:
    """value : kappa or ICC with its interval.    n : scored by every rater.    observed : share of exact agreement."""

    value: Ratio
    n: int
    observed: float


def kappa(
    first: Floats,
    second: Floats,
    categories: tuple[float, ...] | None = None,
    weights: Weights = "none",
    level: float = 0.95,
) -> Agreement | NotEstimable:
    """Cohen's kappa of two raters, (N,) scores each, NaN where one did not score.

    categories : every score that could be given, in order; without them those that were given. They matter where
    disagreement is weighted: by 1 − |i − j|/(C − 1) (linear) or 1 − (i − j)²/(C − 1)² (quadratic).
    κ = (p_o − p_e)/(1 − p_e) (Cohen 1960, 1968); the interval rests on the large-sample standard error of Fleiss,
    Cohen & Everitt 1969 (Psychological Bulletin 72, 323–327), cut at −1 and 1. Raises BadData for a score that is no
    category.

    >>> kappa(np.array([0.0, 1, 2, 2, 0]), np.array([0.0, 1, 2, 1, 0])).value.value.__round__(4)
    0.7059
    """
    if weights not in WEIGHTS:
        raise ValueError(f"there are no weights {weights!r}")
    both = ~(np.isnan(first) | np.isnan(second))
    a, b = first[both], second[both]
    n = len(a)
    if n < 2:
        return NotEstimable(f"{n} scored by both raters; two are needed")
    given = np.unique(np.concatenate((a, b)))
    codes = given if categories is None else np.asarray(categories, dtype=np.float64)
    strange = ~np.isin(given, codes)
    if strange.any():
        raise BadData(f"a rater gave {given[strange][0]:g}, which is none of the categories; correct it or add it")
    count = len(codes)
    if len(given) < 2:
        return NotEstimable("both raters gave everybody the same score, so chance alone explains their agreement")
    place = {float(code): k for k, code in enumerate(codes)}
    table = np.zeros((count, count))
    np.add.at(table, ([place[float(v)] for v in a], [place[float(v)] for v in b]), 1.0 / n)
    gap = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) / (count - 1)
    w = {"none": (gap == 0).astype(np.float64), "linear": 1.0 - gap, "quadratic": 1.0 - gap**2}[weights]
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    observed, expected = float((w * table).sum()), float(rows @ w @ columns)
    value = (observed - expected) / (1.0 - expected)
    averages = np.add.outer(w @ columns, w.T @ rows)
    second_moment = float((table * (w - averages * (1.0 - value)) ** 2).sum())
    variance = (second_moment - (value - expected * (1.0 - value)) ** 2) / (n * (1.0 - expected) ** 2)
    half = float(ndtri(0.5 + level / 2)) * math.sqrt(max(variance, 0.0))
    return Agreement(Ratio(value, (max(-1.0, value - half), min(1.0, value + half))), n, float(np.trace(table)))


def icc_agreement(scores: Floats, level: float = 0.95) -> Agreement | NotEstimable:
    """Absolute agreement of single scores, two-way random: ICC(A,1) of McGraw & Wong 1996 (Psych. Methods 1, 30–46).

    scores : (N, K), one row a review, one column a rater; rows with NaN are left out.
    (MS_r − MS_e)/(MS_r + (K−1)MS_e + K(MS_c − MS_e)/N), which may be negative; the interval is theirs, by
    Satterthwaite's degrees of freedom.

    >>> round(icc_agreement(np.array([[60.0, 62], [75, 74], [50, 55], [88, 86]])).value.value, 3)
    0.982
    """
    complete = scores[~np.isnan(scores).any(axis=1)]
    n, k = complete.shape
    if n < 2 or k < 2:
        return NotEstimable(f"{n} scored by all of {k} raters; two of each are needed")
    grand = float(complete.mean())
    of_row, of_column = complete.mean(axis=1), complete.mean(axis=0)
    ms_r = k * float(((of_row - grand) ** 2).sum()) / (n - 1)
    ms_c = n * float(((of_column - grand) ** 2).sum()) / (k - 1)
    residual = complete - of_row[:, None] - of_column + grand
    ms_e = float((residual**2).sum()) / ((n - 1) * (k - 1))
    below = ms_r + (k - 1) * ms_e + k * (ms_c - ms_e) / n
    size = float((complete**2).mean()) * 1e-24
    if ms_r <= size:
        return NotEstimable("what was scored does not differ, so agreement on differences has no meaning")
    value = (ms_r - ms_e) / below
    exact = float((np.ptp(complete, axis=1) == 0).mean())
    if ms_e <= size and ms_c <= size:
        return Agreement(Ratio(1.0, (1.0, 1.0)), n, exact)
    a = k * value / (n * (1.0 - value))
    b = 1.0 + k * value * (n - 1) / (n * (1.0 - value))
    df = (a * ms_c + b * ms_e) ** 2 / ((a * ms_c) ** 2 / (k - 1) + (b * ms_e) ** 2 / ((n - 1) * (k - 1)))
    upper = float(fdtri(n - 1, df, 0.5 + level / 2))
    lower = float(fdtri(df, n - 1, 0.5 + level / 2))
    spread = k * ms_c + (k * n - k - n) * ms_e
    return Agreement(
        Ratio(
            value,
            (
                n * (ms_r - upper * ms_e) / (upper * spread + n * ms_r),
                n * (lower * ms_r - ms_e) / (spread + n * lower * ms_r),
            ),
        ),
        n,
        exact,
    )
