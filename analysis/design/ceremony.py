"""Allocation as a ceremony that anyone can check afterwards.

1. Before: somebody independent draws a seed and a salt, keeps both, and publishes `commitment(seed, salt)` with the
   `Ceremony`: which sites, in which order, by which scheme. From then on nothing can be chosen.
2. `hold` reveals seed and salt, allocates, and gives a `Certificate`.
3. Anyone runs `faults(certificate)`: it checks the commitment, allocates again, and names whatever differs.

Sites are named by their labels in the trial, never by people.
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from analysis.errors import BadData
from analysis.resampling.allocations import (
    AllocationScheme,
    Constrained,
    Minimised,
    complete,
    constrained,
    matched_pairs,
    stratified,
)

Kind = Literal["complete", "stratified", "matched", "constrained", "minimised"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Changes whenever the same seed would allocate otherwise.
ALGORITHM = "evalapp-allocation-1"
SHORTEST_SALT = 32


@dataclass(frozen=True)
class Ceremony:
    """All that decides an allocation but the seed; published before it is revealed.

    sites      : labels, in order (of entry, for minimisation).    kind : of scheme.
    strata     : for each site its stratum ("stratified", and "constrained" where allocation is within strata), its pair
                 ("matched"), else empty.
    treated    : sites to treat, (label of stratum, number) for each; ("", number) where there are no strata; empty for
                 pairs and minimisation.
    factors    : "minimised": for each site its level of each factor.
    covariates : "constrained": for each site the numbers to balance.
    best       : "constrained": share of allocations, best balanced first, that are acceptable.
    probability: "minimised": with which a site goes to the arm that leaves less imbalance.
    commitment : of the seed.
    """

    sites: tuple[str, ...]
    kind: Kind
    commitment: str
    strata: tuple[str, ...] = ()
    treated: tuple[tuple[str, int], ...] = ()
    factors: tuple[tuple[str, ...], ...] = ()
    covariates: tuple[tuple[float, ...], ...] = ()
    best: float = 0.1
    probability: float = 0.8
    algorithm: str = ALGORITHM

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadData(f'kind: "{self.kind}" is not a scheme; choose from {", ".join(KINDS)}')
        twice = [label for label, times in Counter(self.sites).items() if times > 1]
        if twice:
            raise BadData(f'sites: "{twice[0]}" is there twice; name each site once')
        if len(self.sites) < 2:
            raise BadData("sites: two or more are needed for two arms")
        for name, values in (("strata", self.strata), ("factors", self.factors), ("covariates", self.covariates)):
            if values and len(values) != len(self.sites):
                raise BadData(f"{name}: {len(values)} values for {len(self.sites)} sites; give one for each")
            if not values and name in _NEEDS[self.kind]:
                raise BadData(f"{name}: {self.kind} allocation needs one for each site")
        for name, rows in (("factors", self.factors), ("covariates", self.covariates)):
            if len({len(row) for row in rows}) > 1:
                raise BadData(f"{name}: some sites have more of them than others; give every site the same")
        if self.algorithm != ALGORITHM:
            raise BadData(f'algorithm: this version allocates by "{ALGORITHM}", not "{self.algorithm}"')

    def sha256(self) -> str:
        """Hash of everything above, to be published with it."""
        return _hash(asdict(self))


# What each kind needs besides the sites.
_NEEDS: dict[Kind, tuple[str, ...]] = {
    "complete": (),
    "stratified": ("strata",),
    "matched": ("strata",),
    "constrained": ("covariates",),
    "minimised": ("factors",),
}


@dataclass(frozen=True)
class Certificate:
    """A ceremony that was held.

    seed, salt : as revealed.    treatment : labels of the sites allocated to treatment, in the ceremony's order.
    allocations : how many could have been made, None where they were not equally likely.
    sha256 : of all the rest.
    """

    ceremony: Ceremony
    seed: int
    salt: str
    treatment: tuple[str, ...]
    allocations: int | None
    sha256: str

    def to_json(self) -> str:
        """The certificate as text; `Certificate.from_json` reads it back to an equal one."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Certificate":
        """Read a certificate without believing it; BadData where it is none."""
        try:
            values = json.loads(text)
            ceremony = values.pop("ceremony")
            return cls(
                ceremony=Ceremony(
                    **{
                        **ceremony,
                        "sites": tuple(ceremony["sites"]),
                        "strata": tuple(ceremony["strata"]),
                        "treated": tuple((str(label), int(count)) for label, count in ceremony["treated"]),
                        "factors": tuple(tuple(row) for row in ceremony["factors"]),
                        "covariates": tuple(tuple(row) for row in ceremony["covariates"]),
                    }
                ),
                **{**values, "treatment": tuple(values["treatment"])},
            )
        except BadData:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadData(f"this is not a certificate of an allocation ({type(error).__name__}: {error})") from None


def new_seed() -> tuple[int, str]:
    """A seed and its salt, from the operating system's randomness."""
    return secrets.randbits(128), secrets.token_hex(SHORTEST_SALT)


def commitment(seed: int, salt: str) -> str:
    """SHA-256 of seed and salt: says nothing of the seed, and fits no other.

    >>> commitment(7, "0" * 32)[:16]
    '6ca63bd58b078125'
    """
    if seed < 0:
        raise BadData(f"seed: {seed} is not a whole number from 0 upwards")
    if len(salt) < SHORTEST_SALT:
        raise BadData(f"salt: {len(salt)} characters can be guessed; give {SHORTEST_SALT} or more, drawn at random")
    return hashlib.sha256(f"{ALGORITHM}:{seed}:{salt}".encode()).hexdigest()


def scheme_of(ceremony: Ceremony, rng: np.random.Generator) -> AllocationScheme:
    """The scheme of a ceremony, which is also the reference set of the trial's randomisation test.

    rng : draws the candidates of a constrained set where there are too many to go through.
    """
    if ceremony.kind == "minimised":
        columns = zip(*ceremony.factors, strict=True)
        codes = [np.unique(column, return_inverse=True)[1] for column in columns]
        # Every site is of one level of a last factor, so that the arms' sizes are balanced too.
        return Minimised(np.column_stack((*codes, np.zeros(len(ceremony.sites), np.intp))), ceremony.probability)
    if ceremony.kind == "matched":
        return matched_pairs(np.unique(ceremony.strata, return_inverse=True)[1])
    counts = dict(ceremony.treated)
    if not ceremony.strata:
        if set(counts) - {""}:
            raise BadData("treated: there are no strata, so one number is enough, under an empty label")
        base = complete(len(ceremony.sites), counts.get(""))
    else:
        labels, codes_of = np.unique(ceremony.strata, return_inverse=True)
        if set(counts) != set(labels.tolist()):
            raise BadData(f"treated: give a number of sites for each stratum ({', '.join(labels)})")
        base = stratified(codes_of, tuple(counts[label] for label in labels))
    if ceremony.kind != "constrained":
        return base
    return constrained(base, np.array(ceremony.covariates, dtype=np.float64), rng, best=ceremony.best)


def hold(ceremony: Ceremony, seed: int, salt: str) -> Certificate:
    """Reveal the seed and allocate; refused where it is not the seed that was committed to."""
    if commitment(seed, salt) != ceremony.commitment:
        raise BadData("seed: it is not the one that was committed to; use the seed and salt that were kept")
    plan, arm = _allocated(ceremony, seed)
    if isinstance(plan, Constrained) and plan.tied_sites:
        first, second = plan.tied_sites[0]
        raise BadData(
            f'best: so few allocations are left ({plan.count}) that "{ceremony.sites[first]}" and '
            f'"{ceremony.sites[second]}" are always together or always apart; accept a larger share'
        )
    treatment = tuple(site for site, treated in zip(ceremony.sites, arm, strict=True) if treated)
    unsigned = Certificate(ceremony, seed, salt, treatment, plan.count, "")
    return replace(unsigned, sha256=_hash(asdict(unsigned)))


def faults(certificate: Certificate, published: Ceremony | None = None) -> tuple[str, ...]:
    """What is wrong with a certificate, one sentence each; none where it re-runs to the same allocation.

    published : the ceremony as it was published beforehand, to be compared with the certificate's.
    """
    found = []
    ceremony = certificate.ceremony
    if certificate.sha256 != _hash(asdict(replace(certificate, sha256=""))):
        found.append("the certificate was changed after it was made: its hash does not fit")
    if published is not None and published.sha256() != ceremony.sha256():
        changed = [name for name, value in asdict(published).items() if value != asdict(ceremony)[name]]
        found.append(f"the ceremony is not the one that was published: {', '.join(changed)} differ")
    try:
        if commitment(certificate.seed, certificate.salt) != ceremony.commitment:
            found.append("the seed is not the one that was committed to")
        plan, arm = _allocated(ceremony, certificate.seed)
    except BadData as error:
        return (*found, str(error))
    treatment = tuple(site for site, treated in zip(ceremony.sites, arm, strict=True) if treated)
    if treatment != certificate.treatment:
        differing = sorted(set(treatment) ^ set(certificate.treatment))
        found.append(
            f"allocated again, these sites are in the other arm: {', '.join(differing) or 'none, their order differs'}"
        )
    if plan.count != certificate.allocations:
        found.append(f"the number of allocations is {plan.count}, not {certificate.allocations}")
    return tuple(found)


def _allocated(ceremony: Ceremony, seed: int) -> tuple[AllocationScheme, np.typing.NDArray[np.float64]]:
    """The seed's two streams: one draws candidates, where they are drawn, one allocates."""
    candidates, allocation = (
        np.random.Generator(np.random.PCG64(child)) for child in np.random.SeedSequence(seed).spawn(2)
    )
    plan = scheme_of(ceremony, candidates)
    return plan, plan.allocate(allocation)


def _hash(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
