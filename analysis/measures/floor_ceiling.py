"""How many people are at the ends of a scale, where it can no longer tell them apart."""

from dataclasses import dataclass

import numpy as np

from analysis.errors import BadData
from analysis.results import Floats, NotEstimable

# More than 15 % at an end is a floor or ceiling effect (Terwee et al. 2007, J. Clinical Epidemiology 60, 34–42).
EFFECT = 0.15


@dataclass(frozen=True)
class FloorCeiling:
    """Shares at the lowest and highest possible score of those scored; missing : share of everybody."""

    floor: float
    ceiling: float
    missing: float
    n: int
    has_floor_effect: bool
    has_ceiling_effect: bool


def floor_ceiling(scores: Floats, lowest: float, highest: float) -> FloorCeiling | NotEstimable:
    """scores : (N,), NaN where missing.    lowest, highest : possible scores; BadData for one beyond them.

    >>> floor_ceiling(np.array([0.0, 50, 100, 100, np.nan]), 0, 100).ceiling
    0.5
    """
    if not lowest < highest:
        raise BadData(f"the lowest score is {lowest:g} and the highest {highest:g}; the highest must be the greater")
    known = scores[~np.isnan(scores)]
    if len(known) == 0:
        return NotEstimable("nobody has a score")
    if known.min() < lowest or known.max() > highest:
        beyond = known[(known < lowest) | (known > highest)][0]
        raise BadData(f"a score is {beyond:g}, outside {lowest:g} to {highest:g}; correct the scores or the range")
    floor, ceiling = float((known == lowest).mean()), float((known == highest).mean())
    missing = 1.0 - len(known) / len(scores)
    return FloorCeiling(floor, ceiling, missing, len(known), floor > EFFECT, ceiling > EFFECT)
