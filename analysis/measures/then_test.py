"""The then-test: did people's yardstick move? (Howard et al. 1979; Schwartz & Sprangers 1999, Soc. Sci. & Med. 48)

After the review people say how they now think they were before it (`then`). then − before is response shift
(recalibration, with recall in it), after − then the change on today's yardstick, after − before the observed change.
"""

import math
from dataclasses import dataclass

import numpy as np

from analysis.model_matrix import site_means
from analysis.results import Codes, Effect, Floats, NotEstimable, t_effect
from analysis.robust.did import site_difference

CAUTION = "recall bias and response shift cannot be told apart by a then-test"


@dataclass(frozen=True)
class ThenTest:
    """Each a mean with its t(S − 1) interval over site means, in score points.

    shift : then − before.    adjusted : after − then.    observed : after − before, the sum of the two.
    shift_by_arm : treatment − control, CR2 on site means; None where no arms were given.
    n, sites : people with all three scores, and their sites.
    """

    shift: Effect | NotEstimable
    adjusted: Effect | NotEstimable
    observed: Effect | NotEstimable
    shift_by_arm: Effect | NotEstimable | None
    n: int
    sites: int


def then_test(
    before: Floats, then: Floats, after: Floats, site: Codes, arm: Floats | None = None, level: float = 0.95
) -> ThenTest | NotEstimable:
    """Response shift among people with all three scores.

    before, then, after : (N,) scores of the same people on the same scale, NaN where missing.    site : (N,) codes.
    arm : (N,) 1 and 0, one value a site. Every site weighs the same; a shift that differs between arms biases a
    comparison of observed changes by as much.

    >>> before, then = np.array([50.0, 60, 55, 65, 40, 45]), np.array([45.0, 55, 48, 62, 39, 41])
    >>> after, site = np.array([60.0, 66, 63, 73, 50, 52]), np.array([0, 0, 1, 1, 2, 2])
    >>> found = then_test(before, then, after, site)
    >>> round(found.shift.estimate, 3), round(found.adjusted.estimate, 3)
    (-4.167, 12.333)
    """
    kept = ~(np.isnan(before) | np.isnan(then) | np.isnan(after))
    if not kept.any():
        return NotEstimable("nobody has all three scores")
    _, code = np.unique(site[kept], return_inverse=True)
    sites = int(code.max()) + 1
    if sites < 2:
        return NotEstimable("one site has all three scores; two are needed")
    b, t, a = before[kept], then[kept], after[kept]
    by_arm: Effect | NotEstimable | None = None
    if arm is not None:
        site_arm = np.bincount(code, weights=arm[kept]) / np.bincount(code)
        if min(int((site_arm == 1).sum()), int((site_arm == 0).sum())) < 2:
            by_arm = NotEstimable("fewer than two sites in an arm")
        else:
            by_arm = site_difference(site_means(t - b, code), site_arm, None, level)
    return ThenTest(
        shift=_mean(t - b, code, level, (CAUTION,)),
        adjusted=_mean(a - t, code, level),
        observed=_mean(a - b, code, level),
        shift_by_arm=by_arm,
        n=int(kept.sum()),
        sites=sites,
    )


def _mean(values: Floats, site: Codes, level: float, warnings: tuple[str, ...] = ()) -> Effect | NotEstimable:
    means = site_means(values, site)
    return t_effect(
        float(means.mean()), float(means.std(ddof=1)) / math.sqrt(len(means)), len(means) - 1, level, warnings
    )
