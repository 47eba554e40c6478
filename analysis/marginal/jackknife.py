"""The cluster jackknife of any estimate: from its values without each site to a standard error, test and interval."""

import math

import numpy as np

from analysis.results import Effect, Floats, NotEstimable, t_effect


def jackknife(estimate: float, without: Floats, df: float, level: float = 0.95) -> Effect | NotEstimable:
    """t test from delete-one-site estimates.

    without : (S,) the estimate without each site.   The variance is (S − 1)/S Σ (θ₍ᵢ₎ − mean θ₍ᵢ₎)² (Efron & Stein 1981,
    Annals of Statistics 9, 586–596), a little less than CR3's Σ (θ₍ᵢ₎ − θ)².

    >>> sites = np.array([1.0, 3.0, 2.0, 6.0])
    >>> without = (sites.sum() - sites) / 3
    >>> round(jackknife(3.0, without, 3.0).se, 4), round(float(sites.std(ddof=1)) / 2, 4)  # that of a mean
    (1.0801, 1.0801)
    """
    sites = len(without)
    spread = without - without.mean()
    # Differences of rounding alone are none.
    if float(np.abs(spread).max()) <= 1e-12 * max(abs(estimate), float(np.abs(without).max())):
        return NotEstimable("leaving out any site gives the same estimate, so there is no error to judge by")
    return t_effect(estimate, math.sqrt((sites - 1) / sites * float(spread @ spread)), df, level)
