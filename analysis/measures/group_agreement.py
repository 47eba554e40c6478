"""Whether people of one group (a review, a site) answer alike: ICC(1), ICC(2) and r_wg.

They decide whether a mean of people may stand for their group (Bliese 2000, in Klein & Kozlowski). The REML ICCs of
the trial's own model are in `analysis.measures.icc`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from analysis.results import Codes, Floats, NotEstimable, Ratio


@dataclass(frozen=True)
class GroupAgreement:
    """icc1 : reliability of one person as a judge of the group.    icc2 : of the mean of the group's people.

    people_a_group : n₀ of the analysis of variance, the mean size less what uneven sizes cost.
    """

    icc1: Ratio
    icc2: Ratio
    groups: int
    people: int
    people_a_group: float


def group_agreement(values: Floats, group: Codes, level: float = 0.95) -> GroupAgreement | NotEstimable:
    """ICC(1) and ICC(2) from a one-way analysis of variance.

    values : (N,), NaN where missing (left out).    group : (N,) codes.
    ICC(1) = (MSB − MSW)/(MSB + (n₀ − 1)MSW), ICC(2) = (MSB − MSW)/MSB, n₀ = (N − Σn²/N)/(J − 1); either may be
    negative. Intervals from F = MSB/MSW, exact for equal sizes (Searle 1971; McGraw & Wong 1996, case 1).

    >>> found = group_agreement(np.array([4.0, 5, 4, 2, 1, 2]), np.array([0, 0, 0, 1, 1, 1]))
    >>> round(found.icc1.value, 3)
    0.912
    """
    kept = ~np.isnan(values)
    y = values[kept]
    _, code, sizes = np.unique(group[kept], return_inverse=True, return_counts=True)
    groups, people = len(sizes), len(y)
    if groups < 2 or people <= groups:
        return NotEstimable(f"{people} people in {groups} groups; two groups and two people in one are needed")
    means = np.bincount(code, weights=y) / sizes
    within = float(((y - means[code]) ** 2).sum()) / (people - groups)
    between = float((sizes * (means - y.mean()) ** 2).sum()) / (groups - 1)
    if within <= 1e-24 * float((y**2).mean()):
        return NotEstimable("people of one group all answer the same, so there is no spread to compare with")
    n0 = (people - float((sizes.astype(np.float64) ** 2).sum()) / people) / (groups - 1)
    f = between / within
    low = f / float(fdtri(groups - 1, people - groups, 0.5 + level / 2))
    high = f / float(fdtri(groups - 1, people - groups, 0.5 - level / 2))
    if f == 0.0:
        return NotEstimable("groups have exactly the same mean")
    return GroupAgreement(
        icc1=Ratio((f - 1.0) / (f + n0 - 1.0), ((low - 1.0) / (low + n0 - 1.0), (high - 1.0) / (high + n0 - 1.0))),
        icc2=Ratio(1.0 - 1.0 / f, (1.0 - 1.0 / low, 1.0 - 1.0 / high)),
        groups=groups,
        people=people,
        people_a_group=n0,
    )


def within_group_agreement(items: Floats, group: Codes, lowest: float, highest: float) -> dict[int, float]:
    """r_wg(J) of each group with two people or more (James, Demaree & Wolf 1984, J. Applied Psychology 69, 85–98).

    items : (N, J), one column an item (or one scale of one item), answers a whole step apart; rows with NaN are left
    out.    group : (N,) codes.    lowest, highest : of the answers.
    With σ² = ((highest − lowest + 1)² − 1)/12 of answers given at random and s̄² the mean variance of the group's
    answers: J(1 − s̄²/σ²)/(J(1 − s̄²/σ²) + s̄²/σ²), 0 where s̄² exceeds σ².

    >>> agreed = within_group_agreement(np.array([[4.0], [5], [4], [2], [1], [5]]), np.array([0, 0, 0, 1, 1, 1]), 1, 5)
    >>> {group: round(value, 3) for group, value in agreed.items()}
    {0: 0.833, 1: 0.0}
    """
    random = ((highest - lowest + 1.0) ** 2 - 1.0) / 12.0
    complete = ~np.isnan(items).any(axis=1)
    found: dict[int, float] = {}
    for code in np.unique(group[complete]):
        answers = items[complete & (group == code)]
        if len(answers) < 2:
            continue
        share = min(float(answers.var(axis=0, ddof=1).mean()) / random, 1.0)
        agreed = items.shape[1] * (1.0 - share)
        found[int(code)] = agreed / (agreed + share)
    return found
