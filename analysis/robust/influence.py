"""What each site does to the estimate: leave it out and look (the cluster jackknife).

β without site i is β − K(I − S_i)⁻¹K X_i'e_i, so all S refits cost one pass (Bell & McCaffrey 2002; MacKinnon, Nielsen
& Webb 2023, Journal of Applied Econometrics 38, 671–694). The squared changes add up to the CR3 variance.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT
from analysis.results import NotEstimable
from analysis.robust.cluster_robust import SiteScores, without_each_site


@dataclass(frozen=True)
class WithoutSite:
    """The estimate without one site; None where the others alone cannot give it.

    change : estimate without the site − estimate with all.   dfbeta : the change in jackknife standard errors.
    leverage : trace of S_i, the columns of the model a site determines; sums to their number over sites.
    """

    site: str
    estimate: float | None
    change: float | None
    dfbeta: float | None
    leverage: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "site": self.site,
            "estimate": self.estimate,
            "change": self.change,
            "dfbeta": self.dfbeta,
            "leverage": self.leverage,
        }


@dataclass(frozen=True)
class Influence:
    """The estimate with all sites and without each, in the order of the site codes.

    se : jackknife standard error √Σ(change²), that of CR3; None where a site alone determines the estimate.
    """

    estimate: float
    se: float | None
    sites: tuple[WithoutSite, ...]

    @property
    def largest(self) -> WithoutSite:
        """The site whose absence moves the estimate most; one that it cannot do without comes first."""
        return max(self.sites, key=lambda one: math.inf if one.change is None else abs(one.change))

    def turning(self) -> tuple[WithoutSite, ...]:
        """Sites without which the estimate has the other sign."""
        return tuple(one for one in self.sites if one.estimate is not None and one.estimate * self.estimate < 0)

    def to_dict(self) -> dict[str, Any]:
        return {"estimate": self.estimate, "se": self.se, "sites": [one.to_dict() for one in self.sites]}


def site_influence(scores: SiteScores, column: int, labels: list[str]) -> Influence | NotEstimable:
    """The estimate of one model column without each site, in original units.   labels : (S,) names by site code.

    >>> from analysis.model_matrix import model_matrix
    >>> from analysis.robust.cluster_robust import site_scores
    >>> outcome = np.array([3.0, 5.0, 4.0, 6.0, 9.0, 6.0])
    >>> arm = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    >>> found = site_influence(site_scores(model_matrix(outcome, [("arm", arm)]), np.arange(6)), 1, list("ABCDEF"))
    >>> found.largest.site, round(found.estimate, 3), round(found.largest.estimate, 3)
    ('E', 3.0, 2.0)
    """
    if scores.unexplained < NOTHING_LEFT:
        return NotEstimable(ALL_EXPLAINED)
    contrast = scores.root[:, column]
    unit = scores.matrix.unit(column)
    estimate = float(contrast @ scores.beta) * unit
    changes = -(without_each_site(scores) @ contrast) * unit
    total = float(np.sqrt(np.sum(changes**2)))
    se = total if math.isfinite(total) else None
    traces = np.trace(scores.leverage, axis1=1, axis2=2).tolist()
    sites = []
    for label, change, leverage in zip(labels, changes.tolist(), traces, strict=True):
        if math.isnan(change):
            sites.append(WithoutSite(label, None, None, None, leverage))
        else:
            dfbeta = change / se if se else None
            sites.append(WithoutSite(label, estimate + change, change, dfbeta, leverage))
    return Influence(estimate, se, tuple(sites))
