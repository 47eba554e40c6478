"""How many people in ten reach a score that was fixed beforehand, by arm, with an interval that knows of sites.

The share is Σ above / Σ people over the sites of an arm, its variance that of a ratio, S/(S−1) Σ (above_i − p n_i)² / N²
(Cochran 1977, Sampling Techniques, section 3.12). The interval is Clopper and Pearson's for as many independent people as the
sites are worth, p(1 − p)/variance × (t_{N−1}/t_{S−1})², no more than N (Korn & Graubard 1998, Survey Methodology 24,
193–201): it stays within 0 and 1. Where everybody or nobody reaches the cut the variance says nothing, and each site counts
as one person.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv, stdtrit

from analysis.errors import BadData
from analysis.results import Codes, Floats, Interval, NotEstimable


@dataclass(frozen=True)
class Reached:
    """share : of people at or above the cut; ten times it is "in ten".   effective : independent people they are worth."""

    share: float
    ci: Interval
    people: int
    sites: int
    effective: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "share": self.share,
            "ci": list(self.ci),
            "people": self.people,
            "sites": self.sites,
            "effective": self.effective,
        }


@dataclass(frozen=True)
class PeopleInTen:
    """By arm.   cut : fixed in the plan; chosen after the answers it would flatter one arm."""

    cut: float
    treatment: Reached | NotEstimable
    control: Reached | NotEstimable

    def to_dict(self) -> dict[str, Any]:
        return {"cut": self.cut, "treatment": self.treatment.to_dict(), "control": self.control.to_dict()}


def people_in_ten(
    outcome: Floats, site: Codes, site_arm: Floats, cut: float, level: float = 0.95
) -> PeopleInTen | NotEstimable:
    """Shares at or above a cut.

    outcome : (N,), none missing.   site : (N,) codes 0…S−1, every one present.   site_arm : (S,) 1 for treatment.
    Description alone: the difference between the arms is `analysis.marginal.standardised`'s.

    >>> outcome = np.array([60.0, 40, 70, 80, 30, 20, 55, 45])
    >>> found = people_in_ten(outcome, np.repeat(np.arange(4), 2), np.array([1.0, 1.0, 0.0, 0.0]), 50.0)
    >>> found.treatment.share, found.control.share
    (0.75, 0.25)
    """
    if not np.isfinite(cut):
        raise BadData(f"the cut is {cut:g}; give a score, fixed before the answers are seen")
    if float(outcome.max()) < cut or float(outcome.min()) >= cut:
        return NotEstimable("everyone is on the same side of the cut, in both arms")
    treated = site_arm[site] == 1.0
    return PeopleInTen(
        cut,
        _reached(outcome[treated] >= cut, site[treated], level),
        _reached(outcome[~treated] >= cut, site[~treated], level),
    )


def _reached(above: "np.typing.NDArray[np.bool_]", site: Codes, level: float) -> Reached | NotEstimable:
    _, code = np.unique(site, return_inverse=True)
    sizes = np.bincount(code).astype(np.float64)
    sites, people = len(sizes), len(above)
    if sites < 2:
        return NotEstimable("fewer than two sites in the arm: nothing can be said of how sites differ")
    counts = np.bincount(code, weights=above.astype(np.float64))
    share = float(counts.sum()) / people
    variance = sites / (sites - 1) * float(((counts - share * sizes) ** 2).sum()) / people**2
    tail = (1.0 - level) / 2.0
    if share in (0.0, 1.0):
        worth = float(sites)
    elif variance == 0.0:
        worth = float(people)
    else:
        narrower = float(stdtrit(people - 1, 1.0 - tail) / stdtrit(sites - 1, 1.0 - tail)) ** 2
        worth = min(float(people), share * (1.0 - share) / variance * narrower)
    reached = share * worth
    low = 0.0 if share == 0.0 else float(betaincinv(reached, worth - reached + 1.0, tail))
    high = 1.0 if share == 1.0 else float(betaincinv(reached + 1.0, worth - reached, 1.0 - tail))
    return Reached(share, (low, high), people, sites, worth)
