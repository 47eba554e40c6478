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

from analysis.resampling.allocations import Scheme, drawn_sums, every_sum, smallest_p
from analysis.resampling.meet_in_the_middle import MOST_SITES, tail_counts
from analysis.results import Floats, Interval, NotEstimable

ENUMERATE_UP_TO = 1_000_000
DRAWS = 19_999
# Bisection on exact p(δ) where one exact p takes a few milliseconds.
BISECT_UP_TO_SITES = 30
_TIE = 1e-10


@dataclass(frozen=True)
class RandomisationTest:
    """p of no effect, and the effects that are not rejected; a bound is None where none on its side is.

    allocations : how many could have been made.    exact : whether p is over all of them or over a random
    draw.
    estimate    : the effect at which the observed difference is zero.
    """

    estimate: float
    p: float
    ci: Interval
    allocations: int
    exact: bool
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "p": self.p,
            "ci": list(self.ci),
            "allocations": self.allocations,
            "exact": self.exact,
            "warnings": list(self.warnings),
        }


def randomisation_test(
    plan: Scheme,
    site_arm: Floats,
    outcome_means: Floats,
    arm_means: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
    enumerate_up_to: int = ENUMERATE_UP_TO,
) -> RandomisationTest | NotEstimable:
    """Test and interval.

    site_arm      : (S,) 1 for treatment.
    outcome_means : (S,) unweighted site means of the outcome, residualised on covariates without arm.
    arm_means     : (S,) the same of the arm indicator.
    Up to `enumerate_up_to` allocations all are enumerated. Beyond, p is exact by meeting in the middle
    for complete randomisation of up to 40 sites, with an exact interval up to 30; otherwise p = (1 +
    #)/(1 + draws).
    """
    treated = float(site_arm.sum())
    # Statistic in terms of the sum over treated sites: A = weight · sum − shift.
    weight = 1.0 / treated + 1.0 / (len(site_arm) - treated)
    scores = np.column_stack((outcome_means, arm_means))
    scores = scores - scores.mean(axis=0)  # shift is then zero
    observed, slope = (float(v) for v in weight * (site_arm @ scores))
    if not slope > 1e-9:
        return NotEstimable("the covariates determine the arm")
    estimate = observed / slope
    warnings: list[str] = []
    alpha = round(1.0 - level, 12)
    least = smallest_p(plan)
    if least >= alpha:
        warnings.append(f"the smallest p these allocations can give is {least:.3g}")
    if plan.count <= enumerate_up_to:
        a, b = (weight * every_sum(plan, scores)).T
        test = _Reference(a, b, observed, slope, extra=0)
        return RandomisationTest(estimate, test.p(), test.interval(alpha), plan.count, True, tuple(warnings))

    a, b = (weight * drawn_sums(plan, scores, draws, rng)).T
    test = _Reference(a, b, observed, slope, extra=1)
    p, ci, exact = test.p(), test.interval(alpha), False
    sites = len(site_arm)
    if len(plan.strata) == 1 and sites <= MOST_SITES:
        exact = True
        p = _exact_p(scores, site_arm, 0.0)
        if sites <= BISECT_UP_TO_SITES:
            ci = _bisected(scores, site_arm, estimate, ci, alpha)
        else:
            warnings.append(f"interval from {draws} random allocations")
    else:
        warnings.append(f"p and interval from {draws} random allocations")
    return RandomisationTest(estimate, p, ci, plan.count, exact, tuple(warnings))


@dataclass(frozen=True)
class _Reference:
    """Statistics of the reference set; `extra` counts an observed allocation that is not among them."""

    a: Floats
    b: Floats
    observed: float
    slope: float
    extra: int

    def p(self) -> float:
        extreme = int((np.abs(self.a) >= abs(self.observed) * (1.0 - _TIE)).sum())
        return (self.extra + extreme) / (self.extra + len(self.a))

    def interval(self, alpha: float) -> Interval:
        """All δ with p(δ) > alpha, from the ends of each allocation's own interval."""
        minus, plus = self.a - self.observed, self.a + self.observed
        b_minus, b_plus = self.b - self.slope, self.b + self.slope
        size = max(float(np.abs(self.a).max()), abs(self.observed), 1e-300)
        zero_minus, zero_plus = np.abs(minus) <= _TIE * size, np.abs(plus) <= _TIE * size
        flat_minus, flat_plus = np.abs(b_minus) <= _TIE * self.slope, np.abs(b_plus) <= _TIE * self.slope
        always = (zero_minus & flat_minus) | (zero_plus & flat_plus)
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = minus / b_minus, plus / b_plus
        # One flat factor leaves a ray: it keeps the sign of the flat factor's constant.
        first = np.where(flat_minus, np.where(minus > 0, -np.inf, np.inf), first)
        second = np.where(flat_plus, np.where(plus > 0, np.inf, -np.inf), second)
        low, high = np.minimum(first, second), np.maximum(first, second)
        outside = ~always & ~flat_minus & ~flat_plus & (b_minus * b_plus > 0.0)
        inside = ~always & ~outside
        estimate = self.observed / self.slope
        total = self.extra + len(self.a)
        needed = math.floor(alpha * total * (1.0 + 1e-12)) + 1
        base = self.extra + int(always.sum()) + int(outside.sum())
        holes = np.column_stack((low[outside], high[outside]))
        lower = _outer_bound(low[inside], holes[holes[:, 1] <= estimate], base, needed)
        upper = _outer_bound(-high[inside], -holes[holes[:, 0] >= estimate][:, ::-1], base, needed)
        return lower, (None if upper is None else -upper)


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
    bound = abs(float(site_arm @ values)) * (1.0 - _TIE)
    total = math.comb(len(site_arm), treated)
    if bound <= _TIE * float(np.abs(values).sum()):
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
