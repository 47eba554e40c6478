"""The allocations that could have been made: one object allocates, and is the reference set of the test.

`Stratified` fixes how many sites of each stratum are treated: one stratum is complete randomisation, strata of two with
one treated are matched pairs. `Constrained` holds an explicit set of acceptable allocations, all equally likely (Moulton
2004, Clinical Trials 1, 297–305; Raab & Butcher 2001, Statistics in Medicine 20, 351–365). `Minimised` allocates sites
in their order of entry (Taves 1974; Pocock & Simon 1975, Biometrics 31, 103–115); its allocations are not equally
likely, and are had again by running it again (Simon 1979, Biometrics 35, 503–512).

A test statistic needs only sums of scores over the treated sites, so where it can be helped an allocation is never
stored. Allocating uses `Generator.random` alone, whose stream for PCG64 does not change between versions of NumPy.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from analysis.errors import BadData
from analysis.results import Codes, Floats

Allocations = np.typing.NDArray[np.int8]

ENUMERATE_UP_TO = 1_000_000
# Allocations that a constrained set is chosen from; of more, that many are drawn.
CANDIDATES = 100_000
# Sites whose allocation fits one float exactly, as a sum of powers of two.
_SITES_A_CODE = 50


class AllocationScheme(ABC):
    """How sites were, or will be, allocated to two arms.

    An allocation is (S,) of 1 treatment and 0 control, in the scheme's order of sites.
    """

    @property
    @abstractmethod
    def sites(self) -> int:
        """S, the number of sites."""

    @property
    @abstractmethod
    def count(self) -> int | None:
        """Number of allocations, where they are equally likely; None where they are not."""

    @abstractmethod
    def allocate(self, rng: np.random.Generator) -> Floats:
        """One allocation, (S,)."""

    @abstractmethod
    def could_make(self, arm: Floats) -> bool:
        """Whether an allocation (S,) is one of the scheme's."""

    @abstractmethod
    def smallest_p(self, draws: int = 19_999) -> float:
        """Smallest two-sided p the test can give, known before there are answers.

        An allocation and its mirror are equally extreme. `draws` : re-allocations where they cannot be enumerated.
        """

    @abstractmethod
    def every_sum(self, scores: Floats) -> Floats:
        """Sums of scores (S, m) over the treated sites, for every allocation: (count, m)."""

    @abstractmethod
    def drawn_sums(self, scores: Floats, draws: int, rng: np.random.Generator) -> Floats:
        """The same sums for `draws` allocations made anew: (draws, m)."""

    def enumerated(self, up_to: int = ENUMERATE_UP_TO) -> bool:
        """Whether all allocations are gone through, or a draw of them."""
        return self.count is not None and self.count <= up_to


@dataclass(frozen=True, eq=False)
class Stratified(AllocationScheme):
    """strata : for each stratum, the positions of its sites.    treated : how many of them are treated."""

    strata: tuple[Codes, ...]
    treated: tuple[int, ...]

    def __post_init__(self) -> None:
        for members, treated in zip(self.strata, self.treated, strict=True):
            if not 0 <= treated <= len(members):
                raise BadData(
                    f"{treated} of {len(members)} sites cannot be treated; give a number from 0 to their number"
                )
        if not 0 < sum(self.treated) < self.sites:
            raise BadData("an arm has no sites; give both arms at least one")

    @property
    def sites(self) -> int:
        return sum(len(members) for members in self.strata)

    @property
    def count(self) -> int:
        return math.prod(math.comb(len(s), k) for s, k in zip(self.strata, self.treated, strict=True))

    def allocate(self, rng: np.random.Generator) -> Floats:
        arm = np.zeros(self.sites)
        for members, treated in zip(self.strata, self.treated, strict=True):
            arm[members[np.argsort(rng.random(len(members)), kind="stable")[:treated]]] = 1.0
        return arm

    def could_make(self, arm: Floats) -> bool:
        return _is_allocation(arm, self.sites) and all(
            float(arm[members].sum()) == treated for members, treated in zip(self.strata, self.treated, strict=True)
        )

    def smallest_p(self, draws: int = 19_999) -> float:  # noqa: ARG002 (a count, whether or not it is gone through)
        mirrored = all(2 * k == len(s) for s, k in zip(self.strata, self.treated, strict=True))
        return min(1.0, (2.0 if mirrored else 1.0) / self.count)

    def every_sum(self, scores: Floats) -> Floats:
        sums = np.zeros((1, scores.shape[1]))
        for members, treated in zip(self.strata, self.treated, strict=True):
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

    def drawn_sums(self, scores: Floats, draws: int, rng: np.random.Generator) -> Floats:
        sums = np.zeros((draws, scores.shape[1]))
        for members, treated in zip(self.strata, self.treated, strict=True):
            size = len(members)
            if treated in {0, size}:
                sums += scores[members].sum(axis=0) * (treated > 0)
                continue
            keys = rng.random((draws, size))
            threshold = np.partition(keys, treated, axis=1)[:, treated]
            sums += (keys < threshold[:, None]).astype(np.float64) @ scores[members]
        return sums


@dataclass(frozen=True, eq=False)
class Constrained(AllocationScheme):
    """candidates : (count, S) of 0 and 1, every allocation that may be made, none twice, each with both arms."""

    candidates: Allocations
    _places: dict[bytes, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = self.candidates.shape
        if len(shape) != 2 or 0 in shape or not np.isin(self.candidates, (0, 1)).all():
            raise BadData("candidates: a table of 0 and 1 is needed, one row an allocation and one column a site")
        treated = self.candidates.sum(axis=1, dtype=np.intp)
        if ((treated == 0) | (treated == shape[1])).any():
            place = int(np.flatnonzero((treated == 0) | (treated == shape[1]))[0])
            raise BadData(f"candidates: row {place + 1} has an arm without sites; leave it out")
        places = {row.tobytes(): place for place, row in enumerate(np.ascontiguousarray(self.candidates, np.int8))}
        if len(places) < shape[0]:
            raise BadData("candidates: an allocation is given twice; give each once")
        object.__setattr__(self, "_places", places)

    @property
    def sites(self) -> int:
        return int(self.candidates.shape[1])

    @property
    def count(self) -> int:
        return int(self.candidates.shape[0])

    def allocate(self, rng: np.random.Generator) -> Floats:
        return np.asarray(self.candidates[int(rng.random() * self.count)], dtype=np.float64)

    def could_make(self, arm: Floats) -> bool:
        return _is_allocation(arm, self.sites) and arm.astype(np.int8).tobytes() in self._places

    def smallest_p(self, draws: int = 19_999) -> float:  # noqa: ARG002 (a count, whether or not it is gone through)
        return min(1.0, (2.0 if self._mirrored else 1.0) / self.count)

    @cached_property
    def _mirrored(self) -> bool:
        """Whether every allocation's mirror is one too."""
        return all((1 - row).astype(np.int8).tobytes() in self._places for row in self.candidates)

    def every_sum(self, scores: Floats) -> Floats:
        return np.asarray(self.candidates.astype(np.float64) @ scores)

    def drawn_sums(self, scores: Floats, draws: int, rng: np.random.Generator) -> Floats:
        return np.asarray(self.candidates[rng.integers(self.count, size=draws)].astype(np.float64) @ scores)

    @property
    def tied_sites(self) -> list[tuple[int, int]]:
        """Pairs of sites (positions) that share an arm in every allocation, or in none: the set is then too narrow."""
        signs = 2.0 * self.candidates - 1.0
        together = np.abs(signs.T @ signs)
        first, second = np.nonzero(np.triu(together == self.count, k=1))
        return list(zip(first.tolist(), second.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Minimised(AllocationScheme):
    """Minimisation with a biased coin, sites in their order of entry.

    factors     : (S, F) codes of the factors to balance, one row a site; a constant column balances the arms' sizes.
    probability : with which a site goes to the arm that leaves less imbalance (1: always; ties are fair coins).
    weights     : (F,) of the factors in the imbalance; each factor's is the difference of the arms among its level.

    The procedure is run again until both arms have a site.
    """

    factors: Codes
    probability: float = 0.8
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.factors.ndim != 2 or self.factors.shape[0] < 2 or self.factors.shape[1] < 1:
            raise BadData("factors: a table is needed, one row a site (two or more) and one column a factor")
        if not 0.5 < self.probability <= 1.0:
            raise BadData(f"probability: {self.probability:g} is not above 0.5 and up to 1")
        if self.weights and (len(self.weights) != self.factors.shape[1] or min(self.weights) <= 0):
            raise BadData("weights: one number above 0 is needed for each factor")

    @property
    def sites(self) -> int:
        return int(self.factors.shape[0])

    @property
    def count(self) -> None:
        return None

    def allocate(self, rng: np.random.Generator) -> Floats:
        return np.asarray(self.made_anew(1, rng)[0])

    def could_make(self, arm: Floats) -> bool:
        return _is_allocation(arm, self.sites) and self.chance(arm) > 0.0

    def smallest_p(self, draws: int = 19_999) -> float:
        # Treatment and control are interchangeable in the procedure: a mirror is as likely as its image.
        return min(1.0, max(1.0 / (1.0 + draws), 2.0 * self._rarest))

    @cached_property
    def _rarest(self) -> float:
        """Probability of the least likely allocation; 0 where there are too many to go through."""
        sequences = np.zeros((1, 0))
        chances = np.ones(1)
        for _ in range(self.sites):
            lean = self._chance_of_treatment(sequences)
            sequences = np.column_stack((np.repeat(sequences, 2, axis=0), np.tile([1.0, 0.0], len(sequences))))
            chances = np.repeat(chances, 2) * np.column_stack((lean, 1.0 - lean)).ravel()
            sequences, chances = sequences[chances > 0.0], chances[chances > 0.0]
            if len(chances) > 2**15:
                return 0.0
        both = (sequences.sum(axis=1) > 0) & (sequences.sum(axis=1) < self.sites)
        return float(chances[both].min() / chances[both].sum())

    def every_sum(self, scores: Floats) -> Floats:  # noqa: ARG002 (the promise of every scheme)
        raise BadData("minimised allocations are not equally likely, so they are drawn and not enumerated")

    def drawn_sums(self, scores: Floats, draws: int, rng: np.random.Generator) -> Floats:
        return np.asarray(self.made_anew(draws, rng) @ scores)

    def made_anew(self, draws: int, rng: np.random.Generator) -> Floats:
        """The procedure run `draws` times: (draws, S)."""
        made = np.empty((0, self.sites))
        while len(made) < draws:
            runs = draws - len(made)
            coins = rng.random((runs, self.sites))
            arms = np.zeros((runs, 0))
            for site in range(self.sites):
                lean = self._chance_of_treatment(arms)
                arms = np.column_stack((arms, (coins[:, site] < lean).astype(np.float64)))
            treated = arms.sum(axis=1)
            made = np.concatenate((made, arms[(treated > 0) & (treated < self.sites)]))
        return made

    def chance(self, arm: Floats) -> float:
        """Probability that one run of the procedure makes this allocation, (S,)."""
        chance = 1.0
        for site in range(self.sites):
            lean = float(self._chance_of_treatment(arm[None, :site])[0])
            chance *= lean if arm[site] == 1.0 else 1.0 - lean
        return chance

    def _chance_of_treatment(self, arms: Floats) -> Floats:
        """For the next site after sequences (n, s) of arms: (n,)."""
        place = arms.shape[1]
        alike = (self.factors[:place] == self.factors[place]).astype(np.float64)
        lead = (2.0 * arms - 1.0) @ alike  # treated less control among sites of the same level, by factor
        weights = np.array(self.weights or (1.0,) * self.factors.shape[1])
        more = np.sign(np.round((np.abs(lead + 1.0) - np.abs(lead - 1.0)) @ weights, 12))
        return np.asarray(0.5 - more * (self.probability - 0.5))


def complete(sites: int, treated: int | None = None) -> Stratified:
    """Complete randomisation of a number of sites, half of them treated unless said otherwise.

    >>> plan = complete(8)
    >>> plan.count, round(plan.smallest_p(), 4)
    (70, 0.0286)
    >>> matched_pairs(np.array([0, 0, 1, 1, 2, 2])).count  # two ways each
    8
    """
    return Stratified((np.arange(sites),), (sites // 2 if treated is None else treated,))


def stratified(stratum: Codes, treated: tuple[int, ...]) -> Stratified:
    """Randomisation within strata.   stratum : (S,) codes 0…K−1.   treated : (K,) sites to treat in each."""
    strata = tuple(np.flatnonzero(stratum == k) for k in range(int(stratum.max()) + 1))
    if len(strata) != len(treated):
        raise BadData(f"{len(treated)} numbers of treated sites for {len(strata)} strata; give one for each")
    return Stratified(strata, treated)


def matched_pairs(pair: Codes) -> Stratified:
    """One site of each pair is treated.   pair : (S,) codes 0…S/2−1, each twice."""
    sizes = np.bincount(pair)
    if (sizes != 2).any():
        raise BadData(f"pair {int(np.flatnonzero(sizes != 2)[0])} does not have two sites; a pair is two sites")
    return stratified(pair, (1,) * len(sizes))


def scheme(site_arm: Floats, site_stratum: Codes | None = None) -> Stratified:
    """The scheme an allocation belongs to: its own numbers of treated sites in each stratum, (S,) arrays."""
    stratum = np.zeros(len(site_arm), dtype=np.intp) if site_stratum is None else site_stratum
    members = tuple(np.flatnonzero(stratum == k) for k in range(int(stratum.max()) + 1))
    members = tuple(m for m in members if len(m))
    return Stratified(members, tuple(int(site_arm[m].sum()) for m in members))


def constrained(
    base: Stratified,
    covariates: Floats,
    rng: np.random.Generator,
    *,
    best: float = 0.1,
    weights: tuple[float, ...] = (),
    candidates: int = CANDIDATES,
) -> Constrained:
    """The best balanced share of a stratified scheme's allocations, as an explicit set.

    covariates : (S, c) of the sites, none missing.   weights : (c,), equal unless given.
    Imbalance is Σ weight × (difference of the arms' means)² / variance (Raab & Butcher 2001); the allocations up to its
    `best` quantile are kept, ties included. Up to `candidates` allocations all are looked at; of more, that number is
    drawn and repeats are taken once.
    """
    if covariates.ndim != 2 or covariates.shape[0] != base.sites or not np.isfinite(covariates).all():
        raise BadData(f"covariates: a table of {base.sites} rows without gaps is needed, one row a site")
    if not 0 < best <= 1:
        raise BadData(f"best: {best:g} is not a proportion above 0 and up to 1")
    spread = covariates.var(axis=0)
    if (spread == 0).any():
        raise BadData("covariates: one is the same at every site; leave it out")
    weight = np.array(weights or (1.0,) * covariates.shape[1])
    if len(weight) != covariates.shape[1] or (weight <= 0).any():
        raise BadData("weights: one number above 0 is needed for each covariate")
    scores = _balance_scores(covariates, weights)
    keys = _keys(base.sites)
    columns = np.column_stack((keys, scores))
    if base.count <= candidates:
        sums = base.every_sum(columns)
    else:
        sums = base.drawn_sums(columns, candidates, rng)
        codes, first = np.unique(sums[:, : keys.shape[1]], axis=0, return_index=True)
        sums = np.column_stack((codes, sums[first, keys.shape[1] :]))
    # Both arms' means differ by the sum over the treated times a constant, as the scores are centred.
    imbalance = (sums[:, keys.shape[1] :] ** 2).sum(axis=1)
    cut = float(np.quantile(imbalance, best, method="inverted_cdf"))
    kept = sums[imbalance <= cut + 1e-10 * float(imbalance.max()), : keys.shape[1]]
    return Constrained(_allocations(kept, base.sites))


def imbalance(candidates: Allocations, covariates: Floats, weights: tuple[float, ...] = ()) -> Floats:
    """Of each allocation (count, S) of the same numbers of sites, up to a constant, as `constrained` has it: (count,).

    >>> size = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> apart, together = imbalance(np.array([[1, 1, 0, 0], [1, 0, 0, 1]], dtype=np.int8), size)
    >>> float(together), bool(apart > 1)
    (0.0, True)
    """
    return np.asarray(((candidates.astype(np.float64) @ _balance_scores(covariates, weights)) ** 2).sum(axis=1))


def _balance_scores(covariates: Floats, weights: tuple[float, ...]) -> Floats:
    weight = np.array(weights or (1.0,) * covariates.shape[1])
    return np.asarray((covariates - covariates.mean(axis=0)) * np.sqrt(weight / covariates.var(axis=0)))


def subset_sums(scores: Floats) -> list[Floats]:
    """Sums over all subsets of the rows of (n, m), listed by size of subset: sizes 0…n, each (C(n, k), m)."""
    sums = [np.zeros((1, scores.shape[1]))]
    for row in scores:
        grown = [np.concatenate((sums[k], sums[k - 1] + row)) for k in range(1, len(sums))]
        sums = [sums[0], *grown, sums[-1] + row]
    return sums


def _is_allocation(arm: Floats, sites: int) -> bool:
    return arm.shape == (sites,) and bool(np.isin(arm, (0.0, 1.0)).all())


def _keys(sites: int) -> Floats:
    """Powers of two, (S, ⌈S/50⌉): their sums over the treated sites tell allocations apart."""
    keys = np.zeros((sites, -(-sites // _SITES_A_CODE)))
    places = np.arange(sites)
    keys[places, places // _SITES_A_CODE] = 2.0 ** (places % _SITES_A_CODE)
    return keys


def _allocations(codes: Floats, sites: int) -> Allocations:
    """The allocations whose keys sum to codes (n, ⌈S/50⌉): (n, S)."""
    places = np.arange(sites)
    whole = codes.astype(np.int64)[:, places // _SITES_A_CODE]
    return ((whole >> (places % _SITES_A_CODE)) & 1).astype(np.int8)
