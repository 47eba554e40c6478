"""Intraclass correlations with profile REML-likelihood intervals.

icc_site = site / total is the correlation of two people of one site in different reviews; icc_review =
(site + review) / total that of two people of one review. The interval holds the values whose profile REML
likelihood is within half a χ²₁ quantile of the maximum, so it stays within [0, 1) and is not symmetric.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import chdtri

from analysis.lmm.reml import REVIEW, SITE, RemlFit, criteria
from analysis.results import Floats, NotEstimable, Ratio

_HIGHEST = 0.999


def icc_site(fit: RemlFit, level: float = 0.95) -> Ratio:
    """Site variance as a share of the total.

    >>> from analysis.lmm import reml
    >>> from analysis.model_matrix import model_matrix
    >>> site = np.repeat(np.arange(6), 10)
    >>> rng = np.random.default_rng(1)
    >>> fitted = reml.fit(model_matrix(rng.normal(size=60) + np.repeat(rng.normal(size=6), 10), []), site)
    >>> found = icc_site(fitted)
    >>> round(found.value, 3), round(fitted.site / (fitted.site + fitted.sigma2), 3)
    (0.279, 0.279)
    >>> found.ci[0] < found.value < found.ci[1]
    True
    """

    def ratios(icc: float, share: Floats) -> tuple[Floats, Floats]:
        """θ when the site has `icc` of the total and reviews `share` of the rest."""
        residual = (1.0 - icc) * (1.0 - share)
        return share / (1.0 - share), icc / residual

    value = fit.site / fit.total
    if REVIEW not in fit.levels:
        return Ratio(value, _profile(fit, value, ratios, np.zeros(1), level))
    return Ratio(value, _profile(fit, value, ratios, _grid(0.0, _HIGHEST), level))


def icc_review(fit: RemlFit, level: float = 0.95) -> Ratio | NotEstimable:
    """Site and review variance together as a share of the total."""
    if REVIEW not in fit.levels:
        return NotEstimable("the model has no review level")

    def ratios(icc: float, share: Floats) -> tuple[Floats, Floats]:
        """θ when sites and reviews have `icc` of the total, `share` of which is the sites'."""
        both = icc / (1.0 - icc)
        return both * (1.0 - share), both * share

    theta = fit.at.theta
    value = (theta[REVIEW] + theta[SITE]) / (1.0 + theta[REVIEW] + theta[SITE])
    return Ratio(value, _profile(fit, value, ratios, _grid(0.0, 1.0), level))


def _grid(low: float, high: float) -> Floats:
    # Denser towards both ends, where a variance share usually lies.
    return low + (high - low) * (1.0 - np.cos(np.linspace(0.0, np.pi, 13))) / 2.0


def _profile(
    fit: RemlFit,
    value: float,
    ratios: Callable[[float, Floats], tuple[Floats, Floats]],
    grid: Floats,
    level: float,
) -> tuple[float, float]:
    """Ends of {icc : profile criterion ≤ minimum + χ²₁ quantile}, the nuisance share minimised over."""
    allowed = fit.at.criterion + float(chdtri(1, 1.0 - level))

    def excess(icc: float) -> float:
        shares = grid
        values = criteria(fit.sums, *ratios(icc, shares))
        # The criterion is smooth in the share: five zooms on the best point place it to 1e-6 of its range,
        # and the criterion, flat there, to 1e-12.
        for _ in range(5 if len(grid) > 1 else 0):
            best = int(values.argmin())
            shares = np.linspace(shares[max(best - 1, 0)], shares[min(best + 1, len(shares) - 1)], 13)
            values = criteria(fit.sums, *ratios(icc, shares))
        return float(values.min()) - allowed

    lower = 0.0 if value == 0.0 or excess(0.0) <= 0.0 else _crossing(excess, value, 0.0)
    upper = _HIGHEST if excess(_HIGHEST) <= 0.0 else _crossing(excess, value, _HIGHEST)
    return float(lower), float(upper)


def _crossing(excess: Callable[[float], float], inside: float, outside: float) -> float:
    """Where `excess` turns positive between a point below zero and one above, by the Illinois method.

    (SciPy's root finders would do; importing them costs more than all the rest.)
    """
    low, high = excess(inside), excess(outside)
    side = 0
    for _ in range(100):
        if abs(outside - inside) < 1e-10:
            break
        middle = (inside * high - outside * low) / (high - low)
        if not min(inside, outside) < middle < max(inside, outside):
            middle = (inside + outside) / 2
        value = excess(middle)
        if abs(value) < 1e-8:
            return middle
        if value < 0.0:
            inside, low, high, side = middle, value, high / 2 if side < 0 else high, -1
        else:
            outside, high, low, side = middle, value, low / 2 if side > 0 else low, 1
    return (inside + outside) / 2
