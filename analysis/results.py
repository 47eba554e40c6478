"""Results that cross boundaries: estimates with their uncertainty, or the reason there is none."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class NotEstimable:
    """A result that says why there is no number."""

    reason: str

    def to_dict(self) -> dict[str, Any]:
        return {"not_estimable": self.reason}


@dataclass(frozen=True)
class Effect:
    """An estimated difference, treatment − control, in the outcome's own units.

    `ci` is at the level asked for; `df` are the degrees of freedom of the t distribution behind `p` and `ci`.
    """

    estimate: float
    se: float
    df: float
    statistic: float
    p: float
    ci: Interval
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "estimate": self.estimate,
            "se": self.se,
            "df": self.df,
            "statistic": self.statistic,
            "p": self.p,
            "ci": list(self.ci),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Ratio:
    """A descriptive quantity with its interval (an ICC, an effect size)."""

    value: float
    ci: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "ci": list(self.ci)}


def t_effect(
    estimate: float, se: float, df: float, level: float, warnings: tuple[str, ...] = ()
) -> Effect | NotEstimable:
    """Two-sided t test of no difference, and the interval that agrees with it.

    Returns NotEstimable where the standard error or its degrees of freedom are zero or not finite.

    >>> found = t_effect(2.0, 1.0, 10.0, 0.95)
    >>> round(found.p, 4), [round(end, 3) for end in found.ci]
    (0.0734, [-0.228, 4.228])
    >>> t_effect(2.0, 0.0, 10.0, 0.95)
    NotEstimable(reason='the standard error is zero or not finite: the sites do not vary')
    """
    if not (math.isfinite(estimate) and math.isfinite(se) and se > 0):
        return NotEstimable("the standard error is zero or not finite: the sites do not vary")
    if not (math.isfinite(df) and df > 0):
        return NotEstimable("no degrees of freedom are left to judge the difference by")
    statistic = estimate / se
    half = float(stdtrit(df, 0.5 + level / 2)) * se
    if not math.isfinite(half):
        return NotEstimable("too few degrees of freedom for an interval")
    p = float(2 * stdtr(df, -abs(statistic)))
    return Effect(estimate, se, df, statistic, p, (estimate - half, estimate + half), warnings)
