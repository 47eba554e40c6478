"""The intraclass correlation from mean squares, which may be negative, and the design effect that follows from one.

ICC = (MSB − MSW) / (MSB + (n₀ − 1) MSW), n₀ = (N − Σn²/N) / (k − 1), MSB and MSW being the mean squares between and
within k clusters (Donner & Koval 1980, Biometrics 36, 19–25). The interval turns the F ratio over: exact where clusters
are of one size (Searle 1971, Linear Models, section 9.9), approximate with n₀ otherwise. Unlike REML's, this estimate
is not held at zero: a negative one says that people of a cluster are less alike than chance would have them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from analysis.model_matrix import NOTHING_LEFT
from analysis.results import Codes, Floats, NotEstimable, Ratio


@dataclass(frozen=True)
class DesignEffect:
    """effect : variance of a mean beside that of as many independent people.   effective : people it is worth."""

    effect: float
    effective: float


def anova_icc(values: Floats, cluster: Codes, level: float = 0.95) -> Ratio | NotEstimable:
    """ICC of people within clusters by analysis of variance.

    values : (N,), in any unit, none missing.   cluster : (N,) codes.

    >>> anova_icc(np.array([1.0, 2.0, 4.0, 5.0, 7.0, 8.0]), np.array([0, 0, 1, 1, 2, 2])).value.__round__(4)
    0.9459
    """
    _, code, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    people, clusters = len(values), len(sizes)
    if clusters < 2:
        return NotEstimable("one cluster: nothing can be said of how clusters differ")
    if people == clusters:
        return NotEstimable("every cluster has one person, so nobody can be compared within one")
    centred = values - values.mean()
    means = np.bincount(code, weights=centred) / sizes
    between = float(sizes @ means**2) / (clusters - 1)
    within = float(((centred - means[code]) ** 2).sum()) / (people - clusters)
    if float(centred @ centred) <= NOTHING_LEFT * people * max(1.0, float(np.abs(values).max()) ** 2):
        return NotEstimable("everyone has the same value")
    n0 = (people - float((sizes**2).sum()) / people) / (clusters - 1)
    value = (between - within) / (between + (n0 - 1.0) * within)
    if within == 0.0:
        return NotEstimable(
            "people of a cluster are all alike, so there is no variance within clusters to compare with"
        )
    ratio, tail = between / within, (1.0 - level) / 2.0
    ends = [ratio / float(fdtri(clusters - 1, people - clusters, quantile)) for quantile in (1.0 - tail, tail)]
    low, high = ((end - 1.0) / (end + n0 - 1.0) for end in ends)
    return Ratio(value, (low, high))


def design_effect(icc: float, sizes: Floats) -> DesignEffect | NotEstimable:
    """What clustering of uneven sizes costs: 1 + ((1 + CV²) m̄ − 1) ICC (Eldridge, Ashby & Kerry 2006, IJE 35, 1292–1300).

    icc : of two people of one cluster.   sizes : (k,) people in each cluster; CV is their SD (over k) by their mean.

    >>> design_effect(0.05, np.full(20, 21.0))
    DesignEffect(effect=2.0, effective=210.0)
    """
    if len(sizes) == 0 or float(sizes.min()) <= 0:
        return NotEstimable("every cluster needs at least one person")
    mean = float(sizes.mean())
    effect = 1.0 + ((1.0 + (float(sizes.std()) / mean) ** 2) * mean - 1.0) * icc
    if effect <= 0.0:
        return NotEstimable("an intraclass correlation this far below zero has no design effect at these sizes")
    return DesignEffect(effect, float(sizes.sum()) / effect)
