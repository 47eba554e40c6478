"""Figures in numbers: means by arm and wave, site means, counts of answers. No test, no model."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.errors import BadData
from analysis.results import Codes, Floats

ONE_SITE = "fewer than two sites, so no interval can be given"
ONE_UNIT = "one review or person, so no interval can be given"
SAME = "no variation, so no interval can be given"


@dataclass(frozen=True)
class WaveMean:
    """Mean of site means in one arm at one wave, each site weighing the same.

    sd : between people.    lower, upper : t interval over site means, None with the reason where there is none.
    """

    arm: str
    wave: str
    n_people: int
    n_sites: int
    mean: float
    sd: float | None
    lower: float | None
    upper: float | None
    reason: str | None


@dataclass(frozen=True)
class SiteMean:
    """Mean of one site's people.

    lower, upper : t interval over the means of the site's reviews, each review weighing by its people; over people
    where there are no reviews or only one. None, with the reason, where there is none.
    """

    site: str
    arm: str
    n_people: int
    n_reviews: int | None
    mean: float
    lower: float | None
    upper: float | None
    reason: str | None


@dataclass(frozen=True)
class Count:
    """How many people of an arm gave a code, or fell in [low, high) (the last bin holds its upper end)."""

    arm: str
    low: float
    high: float
    people: int
    share: float


def wave_means(
    frame: pd.DataFrame, value: str, arm: str, wave: str, site: str, level: float = 0.95
) -> tuple[WaveMean, ...]:
    """Means by arm and wave.

    frame : one row a person and wave, with columns for the value (number), arm, wave and site; rows that lack one
    are left out. In order of arm, then of first appearance of the wave. Raises BadData for a missing column.

    >>> table = pd.DataFrame({"arm": [0, 0, 1, 1], "wave": 1, "site": [1, 2, 3, 4], "score": [1.0, 3.0, 4.0, 8.0]})
    >>> [(one.arm, one.mean) for one in wave_means(table, "score", "arm", "wave", "site")]
    [('0', 2.0), ('1', 6.0)]
    """
    rows = _complete(frame, [value, arm, wave, site])
    waves = list(dict.fromkeys(rows[wave]))
    found = []
    for arm_label in sorted(rows[arm].unique(), key=str):
        for wave_label in waves:
            group = rows[(rows[arm] == arm_label) & (rows[wave] == wave_label)]
            if group.empty:
                continue
            means = group.groupby(site, sort=False)[value].mean().to_numpy(dtype=np.float64)
            lower, upper, reason = _interval(means, level, ONE_SITE)
            found.append(
                WaveMean(
                    arm=str(arm_label),
                    wave=str(wave_label),
                    n_people=len(group),
                    n_sites=len(means),
                    mean=float(means.mean()),
                    sd=float(group[value].std(ddof=1)) if len(group) > 1 else None,
                    lower=lower,
                    upper=upper,
                    reason=reason,
                )
            )
    return tuple(found)


def site_means(
    frame: pd.DataFrame, value: str, arm: str, site: str, review: str | None = None, level: float = 0.95
) -> tuple[SiteMean, ...]:
    """Site means with intervals, for a forest plot.

    frame : one row a person; the value may be a score, a change, or a score less what covariates explain. Rows that
    lack a column are left out. In order of arm, then of mean. Raises BadData for a missing column.
    """
    columns = [value, arm, site] + ([review] if review else [])
    rows = _complete(frame, columns)
    found = []
    for (arm_label, site_label), group in rows.groupby([arm, site], sort=False):
        values = group[value].to_numpy(dtype=np.float64)
        reviews = group[review].nunique() if review else None
        mean = float(values.mean())
        if review and reviews and reviews > 1:
            lower, upper, reason = _clustered_interval(values, group[review].factorize()[0], level)
        else:
            lower, upper, reason = _interval(values, level, ONE_UNIT)
        found.append(SiteMean(str(site_label), str(arm_label), len(values), reviews, mean, lower, upper, reason))
    return tuple(sorted(found, key=lambda one: (one.arm, one.mean, one.site)))


def code_counts(frame: pd.DataFrame, value: str, arm: str, codes: tuple[float, ...]) -> tuple[Count, ...]:
    """People of each arm giving each code of a closed question; codes nobody gave count 0.

    frame : one row a person; rows that lack a column are left out. Raises BadData for a value that is no code.
    """
    rows = _complete(frame, [value, arm])
    strange = rows.loc[~rows[value].isin(codes), value]
    if len(strange):
        raise BadData(f'column "{value}" holds {strange.iloc[0]:g}, which is none of its codes')
    found = []
    for arm_label in sorted(rows[arm].unique(), key=str):
        values = rows.loc[rows[arm] == arm_label, value].to_numpy(dtype=np.float64)
        for code in codes:
            people = int((values == code).sum())
            found.append(Count(str(arm_label), float(code), float(code), people, people / len(values)))
    return tuple(found)


def bin_counts(frame: pd.DataFrame, value: str, arm: str, edges: tuple[float, ...]) -> tuple[Count, ...]:
    """People of each arm with scores in each bin.

    edges : increasing, from the least to the greatest possible score; a bin holds its lower end, the last one its
    upper end too. Rows that lack a column are left out. Raises BadData for a score outside the edges.
    """
    if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
        raise BadData("the edges of bins must increase, and be two or more")
    rows = _complete(frame, [value, arm])
    outside = rows.loc[(rows[value] < edges[0]) | (rows[value] > edges[-1]), value]
    if len(outside):
        raise BadData(f'column "{value}" holds {outside.iloc[0]:g}, outside {edges[0]:g} to {edges[-1]:g}')
    found: list[Count] = []
    for arm_label in sorted(rows[arm].unique(), key=str):
        values = rows.loc[rows[arm] == arm_label, value].to_numpy(dtype=np.float64)
        counts, _ = np.histogram(values, bins=np.asarray(edges, dtype=np.float64))
        found.extend(
            Count(str(arm_label), low, high, int(people), int(people) / len(values))
            for low, high, people in zip(edges[:-1], edges[1:], counts, strict=True)
        )
    return tuple(found)


def _complete(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    for column in columns:
        if column not in frame.columns:
            raise BadData(f'there is no column "{column}"')
    rows: pd.DataFrame = frame[columns].dropna()
    if not pd.api.types.is_numeric_dtype(rows[columns[0]]):
        raise BadData(f'column "{columns[0]}" does not hold numbers')
    if len(rows) and not np.isfinite(rows[columns[0]].to_numpy(dtype=np.float64)).all():
        raise BadData(f'column "{columns[0]}" holds infinite values')
    return rows


def _interval(values: Floats, level: float, too_few: str) -> tuple[float | None, float | None, str | None]:
    """t interval of the mean of independent values."""
    count = len(values)
    if count < 2:
        return None, None, too_few
    se = float(values.std(ddof=1)) / math.sqrt(count)
    return _bounds(float(values.mean()), se, count - 1, level)


def _clustered_interval(values: Floats, review: Codes, level: float) -> tuple[float | None, float | None, str | None]:
    """t interval of the mean of people whose answers go together by review, df reviews − 1.

    The ratio estimator of survey sampling (Cochran 1977, section 9A): residual totals of reviews.
    """
    mean = float(values.mean())
    totals = np.bincount(review, weights=values - mean)
    reviews = len(totals)
    se = math.sqrt(reviews / (reviews - 1) * float(totals @ totals)) / len(values)
    return _bounds(mean, se, reviews - 1, level)


def _bounds(mean: float, se: float, df: int, level: float) -> tuple[float | None, float | None, str | None]:
    if se <= 1e-12 * abs(mean):
        return None, None, SAME
    half = float(stdtrit(df, 0.5 + level / 2)) * se
    return mean - half, mean + half, None
