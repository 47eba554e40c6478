"""Randomisation test of the difference of unweighted site means, with its interval by exact inversion.

Under "the effect is δ for everyone", outcome − δ·arm would have been the same whatever the allocation. Its
covariate-adjusted site means are r − δm, linear in δ, so the statistic of allocation a is |A_a − δB_a|
and the set of δ at which a is at least as extreme as the observed allocation lies between two ratios:
p(δ) is a count of intervals, and {δ : p(δ) > 1 − level} is read off sorted ends, with no search
(Garthwaite 1996, Biometrics 52, 1387–1393, for the problem; Ernst 2004, Statistical Science 19, 676–685).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.resampling.allocations import ENUMERATE_UP_TO, AllocationScheme, Stratified
from analysis.resampling.meet_in_the_middle import MOST_SITES, tail_counts
from analysis.results import Floats, Interval, NotEstimable

DRAWS = 19_999
# Bisection on exact p(δ) where one exact p takes a few milliseconds.
BISECT_UP_TO_SITES = 30
TIE = 1e-10
NOT_OF_THE_SCHEME = "the allocation is not one that the scheme could have made"
NO_SITE = "in some of the allocations an arm has no site with answers"
GAPS = "some effects inside the interval are rejected too: its ends are the outermost that are not"


@dataclass(frozen=True)
class RandomisationTest:
    """p of no effect, and the effects that are not rejected; a bound is None where none on its side is.

    allocations : how many could have been made; None where they are not equally likely (minimisation).
    exact       : whether p is over all of them or over a random draw.
    estimate    : the effect at which the observed difference is zero.
    studentised : the same test of the difference over its standard error, where that is called for.
    """

    estimate: float
    p: float
    ci: Interval
    allocations: int | None
    exact: bool
    warnings: tuple[str, ...] = ()
    studentised: "RandomisationTest | None" = None

    def to_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = {
            "p": self.p,
            "ci": list(self.ci),
            "allocations": self.allocations,
            "exact": self.exact,
            "warnings": list(self.warnings),
        }
        return values if self.studentised is None else {**values, "studentised": self.studentised.to_dict()}


def randomisation_test(
    plan: AllocationScheme,
    site_arm: Floats,
    outcome_means: Floats,
    arm_means: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
    enumerate_up_to: int = ENUMERATE_UP_TO,
    count_up_to_sites: int = MOST_SITES,
) -> RandomisationTest | NotEstimable:
    """Test and interval.

    plan          : how the sites were allocated; never taken from the arms alone.
    site_arm      : (S,) 1 for treatment, an allocation of the plan.
    outcome_means : (S,) unweighted site means of the outcome, residualised on covariates without arm; NaN where a site
    that was allocated has no answers: it is re-allocated with the others, and counts in no mean.
    arm_means     : (S,) the same of the arm indicator.
    Up to `enumerate_up_to` allocations all are enumerated. Beyond, p is exact by meeting in the middle
    for complete randomisation of up to `count_up_to_sites` sites (at most 40), with an exact interval up to
    30; otherwise p = (1 + #)/(1 + draws).

    >>> arm = np.array([1.0, 1, 1, 1, 0, 0, 0, 0])
    >>> means = np.array([7.0, 6, 8, 5, 3, 4, 2, 1])
    >>> from analysis.resampling.allocations import complete
    >>> result = randomisation_test(complete(8), arm, means, arm, rng=np.random.default_rng(1))
    >>> round(result.p, 4), result.ci, result.allocations
    (0.0286, (1.0, 7.0), 70)
    """
    if not plan.could_make(site_arm):
        return NotEstimable(NOT_OF_THE_SCHEME)
    there = ~np.isnan(outcome_means)
    scores = np.column_stack((outcome_means, arm_means))
    scores = np.where(there[:, None], scores - scores[there].mean(axis=0), 0.0)
    treated, answered = float(site_arm @ there), int(there.sum())
    if not 0 < treated < answered:
        return NotEstimable(NO_SITE)
    weight = _weight(treated, answered)
    observed, slope = (float(v) for v in weight * (site_arm @ scores))
    if not slope > 1e-9:
        return NotEstimable("the covariates determine the arm")
    estimate = observed / slope
    alpha = round(1.0 - level, 12)
    warnings = list(too_few(plan, alpha, draws))
    exact = plan.enumerated(enumerate_up_to)
    found = _differences(plan, scores, there, None if exact else draws, rng)
    if found is None:
        return NotEstimable(NO_SITE)
    a, b = found
    test = _Reference(a, b, observed, slope, extra=0 if exact else 1)
    p, ci = test.p(), test.interval(alpha)
    if test.has_gaps(alpha, ci):
        warnings.append(GAPS)
    if not exact:
        countable = isinstance(plan, Stratified) and len(plan.strata) == 1 and bool(there.all())
        if countable and plan.sites <= min(count_up_to_sites, MOST_SITES):
            exact = True
            p = _exact_p(scores, site_arm, 0.0)
            if plan.sites <= BISECT_UP_TO_SITES:
                ci = _bisected(scores, site_arm, estimate, ci, alpha)
            else:
                warnings.append(f"interval from {draws} random allocations")
        else:
            warnings.append(f"p and interval from {draws} random allocations")
    return RandomisationTest(estimate, p, ci, plan.count, exact, tuple(warnings))


def too_few(plan: AllocationScheme, alpha: float, draws: int) -> tuple[str, ...]:
    """What to say where no allocation could give a p below alpha."""
    least = plan.smallest_p(draws)
    return (f"the smallest p these allocations can give is {least:.3g}",) if least >= alpha else ()


def _weight(treated: float, sites: int) -> float:
    """Of the sum of a centred score over the treated sites, in the difference of the arms' means."""
    return 1.0 / treated + 1.0 / (sites - treated)


def _differences(
    plan: AllocationScheme,
    scores: Floats,
    there: np.typing.NDArray[np.bool_],
    draws: int | None,
    rng: np.random.Generator,
) -> Floats | None:
    """Differences of the arms' means of centred scores (S, m) in every allocation, or in draws: (m, n).

    there : (S,) sites with answers; scores are 0 elsewhere. None where an allocation leaves an arm without any of them.
    """
    if isinstance(plan, Stratified) and there.all():
        sums = plan.every_sum(scores) if draws is None else plan.drawn_sums(scores, draws, rng)
        return _weight(float(sum(plan.treated)), plan.sites) * sums.T
    columns = np.column_stack((scores, there.astype(np.float64)))
    sums = plan.every_sum(columns) if draws is None else plan.drawn_sums(columns, draws, rng)
    treated, answered = sums[:, -1], float(there.sum())
    if treated.min() < 0.5 or treated.max() > answered - 0.5:
        return None
    return np.asarray((1.0 / treated + 1.0 / (answered - treated)) * sums[:, :-1].T)


@dataclass(frozen=True)
class _Reference:
    """Statistics of the reference set; `extra` counts an observed allocation that is not among them."""

    a: Floats
    b: Floats
    observed: float
    slope: float
    extra: int

    def p(self) -> float:
        extreme = int((np.abs(self.a) >= abs(self.observed) * (1.0 - TIE)).sum())
        return (self.extra + extreme) / (self.extra + len(self.a))

    def interval(self, alpha: float) -> Interval:
        """The outermost δ with p(δ) > alpha, from the ends of each allocation's own interval."""
        low, high, holes, always = self._ends()
        estimate = self.observed / self.slope
        base = self.extra + always + len(holes)
        lower = _outer_bound(low, holes[holes[:, 1] <= estimate], base, self._needed(alpha))
        upper = _outer_bound(-high, -holes[holes[:, 0] >= estimate][:, ::-1], base, self._needed(alpha))
        return lower, (None if upper is None else -upper)

    def has_gaps(self, alpha: float, within: Interval) -> bool:
        """Whether p(δ) ≤ alpha somewhere inside an interval; only where an allocation carries more of the arm."""
        low, high, holes, always = self._ends()
        if not len(holes):
            return False  # every allocation's δ hold the estimate, so p falls on both sides of it
        places = np.concatenate((low, high, holes[:, 0], holes[:, 1]))
        steps = np.repeat([1, -1, -1, 1], [len(low), len(high), len(holes), len(holes)])
        order = np.argsort(places, kind="stable")
        places, counts = places[order], self.extra + always + len(holes) + np.cumsum(steps[order])
        least = -math.inf if within[0] is None else within[0]
        most = math.inf if within[1] is None else within[1]
        between = (places[:-1] >= least) & (places[1:] <= most) & (np.diff(places) > TIE * np.abs(places[1:]))
        return bool((counts[:-1][between] < self._needed(alpha)).any())

    def _needed(self, alpha: float) -> int:
        """Allocations, the observed one included, that put p above alpha."""
        return math.floor(alpha * (self.extra + len(self.a)) * (1.0 + 1e-12)) + 1

    def _ends(self) -> tuple[Floats, Floats, Floats, int]:
        """Where each allocation counts: (low,), (high,) of those that do within; (h, 2) of those that do outside;
        and how many always do."""
        minus, plus = self.a - self.observed, self.a + self.observed
        b_minus, b_plus = self.b - self.slope, self.b + self.slope
        size = max(float(np.abs(self.a).max()), abs(self.observed), 1e-300)
        zero_minus, zero_plus = np.abs(minus) <= TIE * size, np.abs(plus) <= TIE * size
        flat_minus, flat_plus = np.abs(b_minus) <= TIE * self.slope, np.abs(b_plus) <= TIE * self.slope
        always = (zero_minus & flat_minus) | (zero_plus & flat_plus)
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = minus / b_minus, plus / b_plus
        # One flat factor leaves a ray: it keeps the sign of the flat factor's constant.
        first = np.where(flat_minus, np.where(minus > 0, -np.inf, np.inf), first)
        second = np.where(flat_plus, np.where(plus > 0, np.inf, -np.inf), second)
        low, high = np.minimum(first, second), np.maximum(first, second)
        outside = ~always & ~flat_minus & ~flat_plus & (b_minus * b_plus > 0.0)
        inside = ~always & ~outside
        holes = np.column_stack((low[outside], high[outside]))
        return low[inside], high[inside], holes, int(always.sum())


def _outer_bound(enters: Floats, holes: Floats, base: int, needed: int) -> float | None:
    """Smallest δ at which `needed` allocations count, coming from −∞; None where they already do there.

    enters : where each allocation begins to count.    holes : (h, 2), where one stops counting and begins
    again.
    """
    base += int(np.isneginf(enters).sum())
    if base >= needed:
        return None
    enters = enters[np.isfinite(enters)]
    if not len(holes):
        return float(np.partition(enters, needed - base - 1)[needed - base - 1])
    places = np.concatenate((enters, holes[:, 1], holes[:, 0]))
    steps = np.concatenate((np.ones(len(enters) + len(holes)), -np.ones(len(holes))))
    order = np.lexsort((-steps, places))
    reached = np.flatnonzero(base + np.cumsum(steps[order]) >= needed)
    return float(places[order][reached[0]])


def _exact_p(scores: Floats, site_arm: Floats, effect: float) -> float:
    """p(δ) over every complete allocation."""
    values = scores[:, 0] - effect * scores[:, 1]
    treated = int(site_arm.sum())
    bound = abs(float(site_arm @ values)) * (1.0 - TIE)
    total = math.comb(len(site_arm), treated)
    if bound <= TIE * float(np.abs(values).sum()):
        return 1.0
    below, above = tail_counts(values, treated, -bound, bound)
    return (below + above) / total


def _bisected(scores: Floats, site_arm: Floats, estimate: float, near: Interval, alpha: float) -> Interval:
    """Both ends of {δ : exact p(δ) > alpha}, found by bisection from the ends of a drawn interval."""

    def end(bound: float | None) -> float | None:
        if bound is None:
            return None
        inside, width = estimate, bound - estimate
        outside = estimate + 1.1 * width
        for _ in range(60):
            if _exact_p(scores, site_arm, outside) <= alpha:
                break
            inside, outside = outside, outside + width
        else:
            return None
        # The draw is close, so one probe just inside it halves the work of the bisection.
        probe = estimate + 0.9 * width
        if _exact_p(scores, site_arm, probe) > alpha:
            inside = probe
        while abs(outside - inside) > 1e-9 * abs(width):
            middle = (inside + outside) / 2
            if _exact_p(scores, site_arm, middle) > alpha:
                inside = middle
            else:
                outside = middle
        return inside

    return end(near[0]), end(near[1])
