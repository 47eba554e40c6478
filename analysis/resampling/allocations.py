"""The allocations that could have been made: counted, enumerated, or drawn.

A scheme fixes how many sites of each stratum are treated. One stratum is complete randomisation; strata
of two with one treated are matched pairs. The test statistics need only the sum of a score over the
treated sites, so an
allocation is never stored: sums over subsets are built directly.
"""

import math
from dataclasses import dataclass

import numpy as np

from analysis.results import Codes, Floats


@dataclass(frozen=True)
class Scheme:
    """strata : for each stratum, the positions of its sites.    treated : how many of them are treated."""

    strata: tuple[Codes, ...]
    treated: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of allocations, all equally likely."""
        return math.prod(math.comb(len(s), k) for s, k in zip(self.strata, self.treated, strict=True))


def scheme(site_arm: Floats, site_stratum: Codes | None = None) -> Scheme:
    """The scheme an allocation belongs to: its own numbers of treated sites in each stratum, (S,) arrays."""
    stratum = np.zeros(len(site_arm), dtype=np.intp) if site_stratum is None else site_stratum
    members = tuple(np.flatnonzero(stratum == k) for k in range(int(stratum.max()) + 1))
    members = tuple(m for m in members if len(m))
    return Scheme(members, tuple(int(site_arm[m].sum()) for m in members))


def smallest_p(plan: Scheme) -> float:
    """Smallest two-sided p the test can give: the observed allocation, and its mirror if there is one."""
    mirrored = all(2 * k == len(s) for s, k in zip(plan.strata, plan.treated, strict=True))
    return min(1.0, (2.0 if mirrored else 1.0) / plan.count)


def every_sum(plan: Scheme, scores: Floats) -> Floats:
    """Sums of scores (S, m) over the treated sites, for every allocation: (count, m)."""
    sums = np.zeros((1, scores.shape[1]))
    for members, treated in zip(plan.strata, plan.treated, strict=True):
        half = len(members) // 2
        left = subset_sums(scores[members[:half]])
        right = subset_sums(scores[members[half:]])
        within = np.concatenate(
            [
                (left[k][:, None] + right[treated - k][None]).reshape(-1, scores.shape[1])
                for k in range(max(0, treated - len(right) + 1), min(treated, len(left) - 1) + 1)
            ]
        )
        sums = (sums[:, None] + within[None]).reshape(-1, scores.shape[1])
    return sums


def subset_sums(scores: Floats) -> list[Floats]:
    """Sums over all subsets of the rows of (n, m), listed by size of subset: sizes 0…n, each (C(n, k), m)."""
    sums = [np.zeros((1, scores.shape[1]))]
    for row in scores:
        grown = [np.concatenate((sums[k], sums[k - 1] + row)) for k in range(1, len(sums))]
        sums = [sums[0], *grown, sums[-1] + row]
    return sums


def drawn_sums(plan: Scheme, scores: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Sums over the treated sites for `draws` random allocations: (draws, m)."""
    sums = np.zeros((draws, scores.shape[1]))
    for members, treated in zip(plan.strata, plan.treated, strict=True):
        size = len(members)
        if treated in {0, size}:
            sums += scores[members].sum(axis=0) * (treated > 0)
            continue
        keys = rng.random((draws, size))
        threshold = np.partition(keys, treated, axis=1)[:, treated]
        sums += (keys < threshold[:, None]).astype(np.float64) @ scores[members]
    return sums
