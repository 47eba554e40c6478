"""Hedges g as the What Works Clearinghouse computes it where whole clusters were assigned.

Supplement to the WWC Procedures Handbook 4.1 (2021), cluster-level assignment: with S the pooled SD of people within
arms, n their mean number in a cluster and ρ the ICC, g = ω (b/S) √γ, γ = 1 − 2(n − 1)ρ/(N − 2), ω = 1 − 3/(4h − 1),
h = [(N − 2) − 2(n − 1)ρ]² / [(N − 2)(1 − ρ)² + n(N − 2n)ρ² + 2(N − 2n)ρ(1 − ρ)] (after Hedges 2007, JEBS 32, 341–370).
`hedges_g` estimates the total SD from the model instead; both are told apart by name wherever they are shown.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.errors import BadData
from analysis.results import Codes, Effect, Floats, Interval, NotEstimable


@dataclass(frozen=True)
class WwcG:
    """g with its interval, that of the effect times the same factor, so that it never contradicts the test.   df : h."""

    value: float
    ci: Interval
    df: float

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "ci": list(self.ci), "df": self.df}


def wwc_g(effect: Effect, outcome: Floats, arm: Floats, site: Codes, icc: float) -> WwcG | NotEstimable:
    """g of an effect in outcome units.

    outcome, arm (1 treatment) : (N,), none missing, unadjusted.   site : (N,) codes 0…S−1.   icc : of sites, 0 up to 1; the
    handbook's own where none is known is 0.20 for achievement and 0.10 for other outcomes.

    >>> from analysis.results import t_effect
    >>> outcome, arm = np.array([1.0, 3.0, 2.0, 4.0, 3.0, 5.0, 4.0, 6.0]), np.repeat([0.0, 1.0], 4)
    >>> found = wwc_g(t_effect(2.0, 0.8, 2.0, 0.95), outcome, arm, np.repeat(np.arange(4), 2), 0.1)
    >>> round(found.value, 4)
    1.3225
    """
    if not 0.0 <= icc < 1.0:
        raise BadData(f"the ICC is {icc:g}; give a proportion from 0 to below 1")
    total, treated = len(outcome), outcome[arm == 1.0]
    control = outcome[arm == 0.0]
    if min(len(treated), len(control)) < 2:
        return NotEstimable("fewer than two people in an arm")
    if min(len(np.unique(site[arm == one])) for one in (0.0, 1.0)) < 2:
        return NotEstimable("fewer than two sites in an arm")
    squares = float(((treated - treated.mean()) ** 2).sum() + ((control - control.mean()) ** 2).sum())
    if not squares > 0.0:
        return NotEstimable("everyone of an arm has the same value")
    size = total / len(np.unique(site))
    left = (total - 2) - 2.0 * (size - 1.0) * icc
    spread = (
        (total - 2) * (1.0 - icc) ** 2
        + size * (total - 2.0 * size) * icc**2
        + 2.0 * (total - 2.0 * size) * icc * (1.0 - icc)
    )
    if not (left > 0.0 and spread > 0.0 and 4.0 * left**2 / spread > 4.0):
        return NotEstimable("too few sites to know the total standard deviation")
    df = left**2 / spread
    factor = (1.0 - 3.0 / (4.0 * df - 1.0)) * (left / (total - 2)) ** 0.5 / (squares / (total - 2)) ** 0.5
    low, high = effect.ci
    return WwcG(
        factor * effect.estimate, (None if low is None else factor * low, None if high is None else factor * high), df
    )
