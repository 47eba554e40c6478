"""Randomisation test of the difference of site means over its standard error, unequal variances allowed.

The test of the plain difference is exact only of "no effect at any site"; with unequal arms and unequal variances it
rejects "no average effect" too often. Dividing by Welch's standard error mends that as the number of sites grows, and
keeps the test exact of no effect at any site (Chung & Romano 2013, Annals of Statistics 41, 484–507; Wu & Ding 2021,
JASA 116, 1898–1913).

Interval: with site values r − δm, both the squared difference and the squared standard error of an allocation are
quadratic in δ. An allocation is at least as extreme as the observed one where one quartic is not negative, so the
effects that are not rejected are read off sorted roots, with no search.
"""

import math

import numpy as np

from analysis.resampling.allocations import AllocationScheme
from analysis.resampling.randomisation import DRAWS, GAPS, NOT_OF_THE_SCHEME, TIE, RandomisationTest, too_few
from analysis.results import Floats, Interval, NotEstimable

# An allocation costs four roots of a quartic: a second for all 184,756 of 20 sites.
ENUMERATE_UP_TO = 200_000
_CHUNK = 50_000


def studentised_test(
    plan: AllocationScheme,
    site_arm: Floats,
    outcome_means: Floats,
    arm_means: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
    enumerate_up_to: int = ENUMERATE_UP_TO,
) -> RandomisationTest | NotEstimable:
    """Test and interval; arguments as `randomisation_test`. Allocations with one site in an arm count as extreme.

    >>> arm = np.array([1.0, 1, 1, 1, 0, 0, 0, 0])
    >>> means = np.array([7.0, 6, 8, 5, 3, 4, 2, 1])
    >>> from analysis.resampling.allocations import complete
    >>> studentised_test(complete(8), arm, means, arm, rng=np.random.default_rng(1)).p == 2 / 70
    True
    """
    if not plan.could_make(site_arm):
        return NotEstimable(NOT_OF_THE_SCHEME)
    if np.isnan(outcome_means).any():
        return NotEstimable("a site that was allocated has no answers, so its part in the standard error is unknown")
    sites, treated = len(site_arm), float(site_arm.sum())
    if min(treated, sites - treated) < 2:
        return NotEstimable("one site in an arm: its variance is unknown")
    r, m = outcome_means - outcome_means.mean(), arm_means - arm_means.mean()
    slope = float(m @ site_arm) * (1.0 / treated + 1.0 / (sites - treated))
    if not slope > 1e-9:
        return NotEstimable("the covariates determine the arm")
    estimate = float(r @ site_arm) * (1.0 / treated + 1.0 / (sites - treated)) / slope
    # In units in which the estimate is 0 and site values vary by about 1.
    r = r - estimate * m
    unit = float(np.sqrt(r @ r / sites))
    if unit <= 1e-12 * float(np.abs(outcome_means).max()):
        return NotEstimable("the sites of an arm do not differ, so there is no error to judge by")
    r, m = r / unit, m / slope
    columns = np.column_stack((np.ones(sites), r, m, r * r, r * m, m * m))
    totals = columns.sum(axis=0)
    exact = plan.enumerated(enumerate_up_to)
    sums = plan.every_sum(columns) if exact else plan.drawn_sums(columns, draws, rng)
    observed = _Quadratics(site_arm[None] @ columns, totals)
    reference = _Quadratics(sums, totals)
    extra = 0 if exact else 1
    needed = math.floor(round(1.0 - level, 12) * (extra + len(sums)) * (1.0 + 1e-12)) + 1
    at_zero = -estimate * slope / unit
    p = (extra + int(reference.as_extreme(observed, at_zero).sum())) / (extra + len(sums))
    (low, high), gaps = _interval(reference, observed, extra, needed)
    warnings = list(too_few(plan, round(1.0 - level, 12), draws))
    if gaps:
        warnings.append(GAPS)
    if not exact:
        warnings.append(f"p and interval from {draws} random allocations")
    ci = tuple(None if end is None else estimate + end * unit / slope for end in (low, high))
    return RandomisationTest(estimate, p, (ci[0], ci[1]), plan.count, exact, tuple(warnings))


class _Quadratics:
    """Difference A − uB and squared standard error v₀ + v₁u + v₂u² of allocations, from sums over the treated sites.

    sums : (n, 6) of 1, r, m, r², rm, m².   totals : (6,) the same over all sites.
    """

    def __init__(self, sums: Floats, totals: Floats) -> None:
        rest = totals - sums
        self.a = sums[:, 1] / sums[:, 0] - rest[:, 1] / rest[:, 0]
        self.b = sums[:, 2] / sums[:, 0] - rest[:, 2] / rest[:, 0]
        self.variance = np.zeros((len(sums), 3))
        self.single = np.minimum(sums[:, 0], rest[:, 0]) < 2
        for part in (sums, rest):
            n, r, m, rr, rm, mm = part.T
            degrees = np.where(n < 2, 1.0, n * (n - 1.0))
            self.variance += (
                np.column_stack((rr - r * r / n, -2.0 * (rm - r * m / n), mm - m * m / n)) / degrees[:, None]
            )

    def as_extreme(self, observed: "_Quadratics", u: float) -> np.typing.NDArray[np.bool_]:
        """Whether the statistic of each is at least the observed one's at effect u."""
        powers = np.array([1.0, u, u * u])
        ours, theirs = self.variance @ powers, float(observed.variance[0] @ powers)
        d, d_observed = self.a - u * self.b, float(observed.a[0] - u * observed.b[0])
        return np.asarray(self.single | (d * d * theirs >= d_observed**2 * ours * (1.0 - 2.0 * TIE)))

    def quartics(self, observed: "_Quadratics") -> Floats:
        """Coefficients (n, 5), constant first, of (A − uB)² V_observed − u² V, where A_observed = 0, B_observed = 1."""
        square = np.column_stack((self.a**2, -2.0 * self.a * self.b, self.b**2))
        found = np.zeros((len(self.a), 5))
        for power, value in enumerate(observed.variance[0]):
            found[:, power : power + 3] += value * square
        found[:, 2:] -= self.variance
        return found


def _interval(reference: _Quadratics, observed: _Quadratics, extra: int, needed: int) -> tuple[Interval, bool]:
    """The outermost u at which enough allocations are as extreme, and whether there are gaps between."""
    quartics = reference.quartics(observed)
    size = np.abs(reference.variance).sum(axis=1) + np.abs(observed.variance[0]).sum()
    always = reference.single | (np.abs(quartics).max(axis=1) <= TIE * size)
    moving = quartics[~always]
    places, steps, starts = [np.empty(0)], [np.empty(0)], 0
    for chunk in range(0, len(moving), _CHUNK):
        at, states = _sign_changes(moving[chunk : chunk + _CHUNK])
        starts += int(states[:, 0].sum())
        change = np.diff(states.astype(np.int8), axis=1)
        changed = change != 0
        places.append(at[changed])
        steps.append(change[changed].astype(np.float64))
    place, step = np.concatenate(places), np.concatenate(steps)
    order = np.lexsort((-step, place))
    place = place[order]
    counts = np.concatenate(([0.0], np.cumsum(step[order]))) + extra + int(always.sum()) + starts
    enough = np.flatnonzero(counts >= needed)
    # counts[k] holds between place[k − 1] and place[k].
    first, last = int(enough[0]), int(enough[-1])
    low = None if first == 0 else float(place[first - 1])
    high = None if last == len(place) else float(place[last])
    inner = counts[first : last + 1]
    wide = np.diff(place[first:last], prepend=-np.inf if low is None else low) > 1e-9
    gaps = bool((inner[: len(wide)][wide] < needed).any())
    return (low, high), gaps


def _sign_changes(quartics: Floats) -> tuple[Floats, np.typing.NDArray[np.bool_]]:
    """Possible roots (n, 4) in order, and whether each quartic is ≥ 0 before, between and after them (n, 5).

    Real parts of complex roots are among them: the sign does not change there.
    """
    # The companion matrix is that of the polynomial or of its reverse, whichever leading coefficient is larger.
    turned = np.abs(quartics[:, 0]) > np.abs(quartics[:, 4])
    ordered = np.where(turned[:, None], quartics[:, ::-1], quartics)
    leading = ordered[:, 4]
    leading = np.where(np.abs(leading) < 1e-300, 1e-300, leading)
    companion = np.zeros((len(quartics), 4, 4))
    companion[:, [1, 2, 3], [0, 1, 2]] = 1.0
    companion[:, :, 3] = -ordered[:, :4] / leading[:, None]
    roots = np.linalg.eigvals(companion)
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.where(turned[:, None], 1.0 / roots, roots)
    at = np.sort(np.clip(np.nan_to_num(roots.real, nan=1e12, posinf=1e12, neginf=-1e12), -1e12, 1e12), axis=1)
    probes = np.column_stack(
        (at[:, 0] - 1.0 - np.abs(at[:, 0]), (at[:, 1:] + at[:, :-1]) / 2.0, at[:, 3] + 1.0 + np.abs(at[:, 3]))
    )
    value = np.zeros_like(probes)
    for power in range(4, -1, -1):
        value = value * probes + quartics[:, [power]]
    return at, value >= 0.0
