"""Difference-in-differences: least squares of site mean changes on arm, CR2 with Bell–McCaffrey df.

The primary where sites were matched or chose for themselves (Donald & Lang 2007, REStat 89, 221–233):
each site is one observation, so its CR2 is HC2, and unequal variances in the arms do no harm.
"""

import numpy as np

from analysis.model_matrix import model_matrix, site_means
from analysis.results import Codes, Effect, Floats, NotEstimable
from analysis.robust.cluster_robust import cluster_robust, site_scores


def did(
    change: Floats,
    site: Codes,
    site_arm: Floats,
    site_stratum: Codes | None = None,
    level: float = 0.95,
) -> Effect | NotEstimable:
    """Difference between arms in mean change.

    change   : (N,) each person's outcome − baseline, none missing.    site : (N,) codes 0…S−1, every site
    present.
    site_arm : (S,) 1 for treatment.    site_stratum : (S,) allocation strata or matched pairs, entered as
    columns. Every site weighs the same, whatever its number of people.

    >>> change = np.array([3.0, 5.0, 1.0, 3.0, 2.0, 0.0, 1.0, 1.0])
    >>> found = did(change, np.array([0, 0, 1, 1, 2, 2, 3, 3]), np.array([1.0, 1.0, 0.0, 0.0]))
    >>> round(found.estimate, 6), round(found.df, 6)  # (4 + 2)/2 − (1 + 1)/2
    (2.0, 2.0)
    """
    return site_difference(site_means(change, site), site_arm, site_stratum, level)


def site_difference(
    values: Floats, site_arm: Floats, site_stratum: Codes | None = None, level: float = 0.95
) -> Effect | NotEstimable:
    """The same regression on one value a site, (S,)."""
    strata = stratum_columns(site_stratum)
    matrix = model_matrix(values, [*strata, ("arm", site_arm)])
    column = matrix.index("arm")
    if column is None:
        return NotEstimable("the strata determine the arm")
    scores = site_scores(matrix, np.arange(len(values)))
    return cluster_robust(scores, column, "cr2", level)


def stratum_columns(stratum: Codes | None) -> list[tuple[str, Floats]]:
    """Indicator columns for every stratum but the first."""
    if stratum is None:
        return []
    return [(f"stratum {k}", (stratum == k).astype(np.float64)) for k in range(1, int(stratum.max()) + 1)]
