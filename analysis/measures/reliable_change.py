"""Whose change is more than the error of the measure (Jacobson & Truax 1991, J. Consulting & Clinical Psych. 59)."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analysis.results import Floats, NotEstimable


@dataclass(frozen=True)
class ReliableChange:
    """index : (N,) change over the standard error of a difference, NaN where either score is missing.

    smallest : the change, in score points, beyond which error alone is unlikely.    improved, worsened, unchanged :
    shares of those with both scores.
    """

    index: Floats
    smallest: float
    n: int
    improved: float
    worsened: float
    unchanged: float


def reliable_change(
    before: Floats,
    after: Floats,
    reliability: float,
    sd: float | None = None,
    level: float = 0.95,
    higher_is_better: bool = True,
) -> ReliableChange | NotEstimable:
    """Each person's (after − before)/(√2 · SD · √(1 − r)), and the shares beyond the quantile of the level.

    before, after : (N,) scores of the same people, NaN where missing.    reliability : r of the measure among such
    people (alpha, omega or retest).    sd : of the score among such people; without it that of `before`.
    A share says how many people changed, not that the programme changed them: without a change in the other arm to
    compare with it is a description.

    >>> change = reliable_change(np.array([40.0, 50, 60]), np.array([70.0, 50, 40]), reliability=0.8, sd=10.0)
    >>> np.round(change.index, 3).tolist()
    [4.743, 0.0, -3.162]
    """
    if not 0.0 < reliability < 1.0:
        return NotEstimable(f"a reliability of {reliability:g} leaves no error of measurement to judge a change by")
    both = ~(np.isnan(before) | np.isnan(after))
    n = int(both.sum())
    if n == 0:
        return NotEstimable("nobody has both scores")
    if sd is None:
        known = before[~np.isnan(before)]
        sd = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    if not sd > 0.0:
        return NotEstimable("scores before do not vary")
    error = sd * math.sqrt(2.0 * (1.0 - reliability))
    bound = float(ndtri(0.5 + level / 2))
    index = (after - before) / error
    up, down = (index[both] > bound).mean(), (index[both] < -bound).mean()
    improved, worsened = (up, down) if higher_is_better else (down, up)
    return ReliableChange(index, bound * error, n, float(improved), float(worsened), float(1.0 - up - down))
