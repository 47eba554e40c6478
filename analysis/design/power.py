"""Power, smallest detectable effect and sites required of a cluster trial, in closed form.

The difference of the arms' means varies by (1/k₁ + 1/k₀) v, where v is the variance of a site's mean in squared SD:

    v = ρ_s f_s + ρ_r f_r / n_r + (1 − ρ_s − ρ_r) f_p / (n_r m),

with ρ_s and ρ_r the shares of the variance between sites and between the reviews of a site, n_r reviews a site and m
people a review. f is what a level keeps after the baseline and over several waves. The test is a t with S − 2 degrees of
freedom less one for each covariate of the site, so power is that of the noncentral t (Hayes & Moulton, Cluster Randomised
Trials, 2nd ed., chapter 7; Hooper et al. 2016, Statistics in Medicine 35, 4718–4728, for repeated measures).

Everything is in SD of the outcome; `risk_difference` and `win_probability` bring other outcomes to that scale.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import stdtrit

from analysis.design.noncentral_t import noncentral_t_cdf
from analysis.errors import BadData

Analysis = Literal["after", "adjusted", "change"]
MOST_SITES = 20_000
# Beyond it everybody is in the highest category, but for one in ten million million.
_LARGEST_LOG_ODDS = 30.0


@dataclass(frozen=True)
class TrialDesign:
    """A two-arm cluster trial as planned.

    sites        : in all.    treated : sites in the treatment arm, half of them (rounded down) unless given.
    reviews      : a site.    people : recruited a review, before attrition. Both are averages.
    icc_site     : site variance over total.    icc_review : (site + review variance) over total.
    cv           : coefficient of variation of people per site.
    attrition    : share of people lost.    site_attrition : share of sites lost; whole sites are left.
    baseline_r   : correlation of the outcome over waves, of people within reviews; baseline_r_review and baseline_r_site
                   of reviews' and sites' means, equal to it unless given. The site's is the cluster autocorrelation.
    analysis     : "after" compares the wave after; "adjusted" with the baseline as covariate; "change" the differences
                   from it, as difference-in-differences does. Without a correlation the baseline is of no use.
    waves        : equally correlated waves after the baseline whose mean is compared.
    site_covariates : columns that describe sites (strata included), each of which costs a degree of freedom.
    variance_ratio  : variance in the treatment arm over the control arm's, at every level.
    """

    sites: int
    reviews: float
    people: float
    icc_site: float
    icc_review: float
    treated: int | None = None
    cv: float = 0.0
    attrition: float = 0.0
    site_attrition: float = 0.0
    baseline_r: float = 0.0
    baseline_r_review: float | None = None
    baseline_r_site: float | None = None
    analysis: Analysis = "adjusted"
    waves: int = 1
    site_covariates: int = 0
    variance_ratio: float = 1.0

    def __post_init__(self) -> None:
        if self.sites < 2:
            raise BadData(f"sites: {self.sites} cannot make two arms; give the total, 2 or more")
        if self.treated is not None and not 0 < self.treated < self.sites:
            raise BadData(
                f"treated: {self.treated} of {self.sites} sites leaves an arm empty; give 1 to {self.sites - 1}"
            )
        for name, count in (("reviews", self.reviews), ("people", self.people), ("waves", self.waves)):
            if not (math.isfinite(count) and count >= 1):
                raise BadData(f"{name}: {count:g} is not a number of 1 or more")
        for name, share in (
            ("icc-site", self.icc_site),
            ("icc-review", self.icc_review),
            ("attrition", self.attrition),
            ("site-attrition", self.site_attrition),
        ):
            if not 0 <= share < 1:
                raise BadData(f"{name}: {share:g} is not a proportion from 0 to below 1")
        if self.review_share < -1e-12:
            raise BadData(
                f"icc-review: {self.icc_review:g} is below icc-site, {self.icc_site:g}; it is (site + review variance) "
                "over the total, so give at least icc-site"
            )
        if not (math.isfinite(self.cv) and self.cv >= 0):
            raise BadData(f"cv: {self.cv:g} is not a coefficient of variation of 0 or more")
        for r in (self.baseline_r, self.baseline_r_review, self.baseline_r_site):
            if r is not None and not -1 < r < 1:
                raise BadData(f"baseline-r: {r:g} is not a correlation between -1 and 1")
        if not (math.isfinite(self.variance_ratio) and self.variance_ratio > 0):
            raise BadData(f"variance-ratio: {self.variance_ratio:g} is not a number above 0")
        if self.site_covariates < 0:
            raise BadData(f"site-covariates: {self.site_covariates} is not a number of 0 or more")

    @property
    def review_share(self) -> float:
        """Variance between the reviews of a site over the total."""
        return self.icc_review - self.icc_site

    @property
    def in_treatment(self) -> int:
        """Sites allocated to treatment."""
        return self.sites // 2 if self.treated is None else self.treated

    @property
    def sites_left(self) -> int:
        """Sites with follow-up."""
        return math.floor(self.sites * (1.0 - self.site_attrition) + 1e-9)

    @property
    def people_left(self) -> float:
        """People a review with follow-up, on average."""
        return self.people * (1.0 - self.attrition)

    @property
    def df(self) -> int:
        """Degrees of freedom of the test, of the sites that are left; below 1 there is no test."""
        return self.sites_left - 2 - self.site_covariates


def design_effect(design: TrialDesign) -> float:
    """Variance of the difference over that of as many people randomised one by one, without any baseline.

    1 + (m* − 1) ICC_review + (n_r − 1) m* ICC_site, with m* = (1 + CV²) times the people left a review: each person
    weighs the same, which is the worst that varying numbers do (Eldridge, Ashby & Kerry 2006, International Journal of
    Epidemiology 35, 1292–1300). A mixed model loses a little less.

    >>> round(design_effect(TrialDesign(20, 4, 6, 0.03, 0.08)), 6)
    1.94
    """
    met = design.people_left * (1.0 + design.cv**2)
    return 1.0 + (met - 1.0) * design.icc_review + (design.reviews - 1.0) * met * design.icc_site


def standard_error(design: TrialDesign) -> float:
    """Of the difference of the arms' means, in SD of the outcome (in the control arm)."""
    r_review = design.baseline_r if design.baseline_r_review is None else design.baseline_r_review
    r_site = design.baseline_r if design.baseline_r_site is None else design.baseline_r_site
    size_per_person = 1.0 + design.cv**2
    site = design.icc_site * size_per_person
    review = design.review_share * size_per_person / design.reviews
    person = (1.0 - design.icc_review) / (design.reviews * design.people_left)
    a_site = site * _kept(design, r_site) + review * _kept(design, r_review) + person * _kept(design, design.baseline_r)
    left = design.sites_left / design.sites
    treated, control = design.in_treatment * left, (design.sites - design.in_treatment) * left
    return math.sqrt(a_site * (design.variance_ratio / treated + 1.0 / control))


def _kept(design: TrialDesign, r: float) -> float:
    """Share of a level's variance that is left in what is compared (Frison & Pocock 1992, Stat Med 11, 1685–1704)."""
    after = (1.0 + (design.waves - 1) * r) / design.waves
    match design.analysis:
        case "after":
            return after
        case "adjusted":
            return after - r * r
        case "change":
            return after + 1.0 - 2.0 * r


def power(design: TrialDesign, effect: float, alpha: float = 0.05) -> float:
    """Probability that the two-sided t test rejects, an effect in SD being true.

    >>> round(power(TrialDesign(20, 4, 6, 0.02, 0.07), 0.35), 2)
    0.79
    """
    if not math.isfinite(effect):
        raise BadData(f"delta: {effect:g} is not a number; give the difference in SD of the outcome")
    return _power_at(abs(effect) / standard_error(design), _df(design), _proportion(alpha, "alpha"))


def smallest_effect(design: TrialDesign, target: float = 0.8, alpha: float = 0.05) -> float:
    """Minimum detectable effect (MDES) in SD: that at which the power is the target.

    >>> round(smallest_effect(TrialDesign(20, 4, 6, 0.02, 0.07)), 2)
    0.35
    """
    _proportion(target, "power")
    if target <= alpha:
        raise BadData(f"power: {target:g} is not above alpha, {alpha:g}, which no effect at all has")
    df = _df(design)
    # The central-t approximation is an upper end once doubled; power rises with the noncentrality.
    low, high = 0.0, 2.0 * float(stdtrit(df, 1.0 - alpha / 2) + max(stdtrit(df, target), 0.0)) + 2.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2.0
        if middle in {low, high}:
            break
        low, high = (middle, high) if _power_at(middle, df, alpha) < target else (low, middle)
    return (low + high) / 2.0 * standard_error(design)


def sites_required(design: TrialDesign, effect: float, target: float = 0.8, alpha: float = 0.05) -> int:
    """Smallest total number of sites with at least the target power, arms kept in the design's proportion.

    With equal arms the number is even.

    >>> sites_required(TrialDesign(20, 4, 6, 0.02, 0.07), 0.36)
    20
    """
    _proportion(target, "power")
    if not abs(effect) > 0:
        raise BadData("delta: no number of sites detects an effect of 0; give the difference worth detecting")
    share = design.in_treatment / design.sites
    equal = 2 * design.in_treatment == design.sites

    def enough(sites: int) -> bool:
        treated = min(max(round(sites * share), 1), sites - 1)
        grown = replace(design, sites=sites, treated=treated)
        return grown.df >= 1 and power(grown, effect, alpha) >= target

    step = 2 if equal else 1
    most = step
    while not enough(2 * most):
        most *= 2
        if most > MOST_SITES:
            raise BadData(
                f"delta: an effect of {effect:g} SD needs more than {MOST_SITES} sites; it is too small to plan for"
            )
    low, high = most, 2 * most  # multiples of the step, as most is a power of two
    while high - low > step:
        middle = (low + high) // 2 // step * step
        low, high = (low, middle) if enough(middle) else (middle, high)
    # Power may fall a little from a total to the next where arms are rounded or lost sites are whole.
    return next(sites for sites in range(max(step, low - 4 * step), high + step, step) if sites >= 2 and enough(sites))


def risk_difference(treated: float, control: float, share: float = 0.5) -> float:
    """The effect in SD of a yes/no outcome with these proportions; share : of sites in the treatment arm.

    The SD is that which the two arms' variances p(1 − p) give the difference.

    >>> round(risk_difference(0.6, 0.4), 4)
    0.4082
    """
    for name, p in (("risk-treated", treated), ("risk-control", control)):
        if not 0 <= p <= 1:
            raise BadData(f"{name}: {p:g} is not a proportion from 0 to 1")
    spread = (1.0 - share) * treated * (1.0 - treated) + share * control * (1.0 - control)
    if spread == 0:
        raise BadData("risk-treated: both arms give everyone the same answer; give proportions between 0 and 1")
    return (treated - control) / math.sqrt(spread)


def smallest_risk(design: TrialDesign, control: float, target: float = 0.8, alpha: float = 0.05) -> float | None:
    """Smallest proportion above the control arm's whose difference has the target power; None where even 1 has not."""
    share = design.in_treatment / design.sites
    goal = smallest_effect(design, target, alpha)
    if risk_difference(1.0, control, share) < goal:
        return None
    low, high = control, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if risk_difference(middle, control, share) < goal else (low, middle)
    return high


def win_probability(treated: Sequence[float], control: Sequence[float]) -> tuple[float, float]:
    """θ of an ordered outcome, and the effect in SD that has its power.

    treated, control : probabilities of the categories from lowest to highest, each summing to 1. θ is the probability
    that one from the treatment arm is higher, ties counted half. Its variance without an effect is
    (1/n₁ + 1/n₀)(1 − Σ p̄³)/12 with p̄ the mean probabilities (Noether 1987, JASA 82, 645–647; Whitehead 1993,
    Statistics in Medicine 12, 2257–2271, for the ties).

    >>> tuple(round(value, 4) for value in win_probability([0.1, 0.3, 0.6], [0.2, 0.4, 0.4]))
    (0.61, 0.4186)
    """
    if len(treated) != len(control) or len(treated) < 2:
        raise BadData("categories: give as many probabilities for both arms, two or more")
    for probabilities in (treated, control):
        if min(probabilities) < 0 or abs(math.fsum(probabilities) - 1.0) > 1e-6:
            raise BadData("categories: an arm's probabilities are 0 or more and sum to 1")
    below = 0.0
    wins = 0.0
    for p, q in zip(treated, control, strict=True):
        wins += p * (below + q / 2.0)
        below += q
    left = 1.0 - math.fsum(((p + q) / 2.0) ** 3 for p, q in zip(treated, control, strict=True))
    if left <= 0:
        raise BadData("categories: everyone is in one category; give probabilities in two or more")
    return wins, (wins - 0.5) / math.sqrt(left / 12.0)


def proportional_odds(control: Sequence[float], odds_ratio: float) -> tuple[float, ...]:
    """The treatment arm's probabilities where the odds of each category or higher are `odds_ratio` times the control's.

    >>> [round(p, 4) for p in proportional_odds([0.5, 0.3, 0.2], 2.0)]
    [0.3333, 0.3333, 0.3333]
    """
    if not 0 < odds_ratio < math.inf:
        raise BadData(f"odds-ratio: {odds_ratio:g} is not a number above 0")
    higher = [1.0]
    for k in range(1, len(control)):
        p = math.fsum(control[k:])
        higher.append(odds_ratio * p / (1.0 - p + odds_ratio * p))
    return tuple(a - b for a, b in zip(higher, [*higher[1:], 0.0], strict=True))


def smallest_odds_ratio(
    design: TrialDesign, control: Sequence[float], target: float = 0.8, alpha: float = 0.05
) -> float | None:
    """Smallest odds ratio above 1 that has the target power; None where even all in the highest category had not.

    control : probabilities of the categories in the control arm, from lowest to highest; odds as `proportional_odds`.

    >>> found = smallest_odds_ratio(TrialDesign(20, 4, 6, 0.02, 0.07), [0.2, 0.4, 0.4])
    >>> round(found, 2), round(win_probability(proportional_odds([0.2, 0.4, 0.4], found), [0.2, 0.4, 0.4])[0], 3)
    (1.97, 0.593)
    """
    goal = smallest_effect(design, target, alpha)

    def worth(odds_ratio: float) -> float:
        return win_probability(proportional_odds(control, odds_ratio), control)[1]

    win_probability(control, control)  # refuses what are no probabilities
    low, high = 0.0, 1.0  # of the logarithm
    while worth(math.exp(high)) < goal:
        low, high = high, 2.0 * high
        if high > _LARGEST_LOG_ODDS:
            return None
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if worth(math.exp(middle)) < goal else (low, middle)
    return math.exp(high)


def _df(design: TrialDesign) -> int:
    if design.df < 1:
        raise BadData(
            f"sites: {design.sites_left} with follow-up leave {design.df} degrees of freedom after two arms and "
            f"{design.site_covariates} site covariates; plan more sites or fewer covariates"
        )
    return design.df


def _power_at(noncentrality: float, df: float, alpha: float) -> float:
    bound = float(stdtrit(df, 1.0 - alpha / 2))
    return 1.0 - noncentral_t_cdf(bound, df, noncentrality) + noncentral_t_cdf(-bound, df, noncentrality)


def _proportion(value: float, name: str) -> float:
    if not 0 < value < 1:
        raise BadData(f"{name}: {value:g} is not a proportion between 0 and 1")
    return value
