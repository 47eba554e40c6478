"""The smallest difference a trial of this size could see, from planning values: a word of caution beside a result."""

import math
from dataclasses import dataclass

from scipy.special import nctdtrinc, stdtrit

from analysis.results import NotEstimable


@dataclass(frozen=True)
class Planning:
    """Values taken for granted before the answers are seen.

    icc_site : share of the variance between sites.    icc_review : between reviews of a site.
    baseline_r : correlation with the baseline, 0 where there is none; it takes r² of the variance away at each level.
    sd : of people, in points, which turns standard deviations into points.
    """

    icc_site: float = 0.035
    icc_review: float = 0.10
    baseline_r: float = 0.5
    sd: float = 20.0


def smallest_visible(
    sites: tuple[int, int],
    reviews: float,
    people: float,
    planning: Planning = Planning(),
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    central: bool = False,
) -> float | NotEstimable:
    """The difference, in standard deviations of people, that would be seen with the power asked for.

    sites : in each arm.   reviews : a site, on average.   people : a review, on average, who answer.
    The standardised variance of an arm's mean is (ρₛ + ρᵣ/nᵣ + (1 − ρₛ − ρᵣ)/(nᵣ m)) / k (Donner & Klar 2000, chapter 5),
    the test a t test of site means with S − 2 degrees of freedom. By the noncentral t; `central` takes the textbook sum
    of two quantiles of the central t instead, which lies within a few per cent of it.

    >>> round(smallest_visible((10, 10), 4, 6, Planning(0.05, 0.15, 0.0), central=True), 2)
    0.46
    """
    if min(sites) < 2:
        return NotEstimable("a group needs two sites before any difference could be told from one between sites")
    if reviews <= 0 or people <= 0:
        return NotEstimable("nobody has answered, so there is no size to judge by")
    df = sum(sites) - 2
    left = 1 - planning.icc_site - planning.icc_review
    variance = planning.icc_site + planning.icc_review / reviews + left / (reviews * people)
    se = math.sqrt((1 / sites[0] + 1 / sites[1]) * variance * (1 - planning.baseline_r**2))
    beyond = float(stdtrit(df, 1 - alpha / 2))
    reach = beyond + float(stdtrit(df, power)) if central else float(nctdtrinc(df, 1 - power, beyond))
    return reach * se
