"""An allocation that was committed to beforehand re-runs to itself, and whatever was changed is named."""

import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from analysis.design.ceremony import KINDS, Ceremony, Certificate, commitment, faults, hold, new_seed, scheme_of
from analysis.errors import BadData

SEED, SALT = 20261124, "a salt of the witness, 32 letters"
SITES = tuple(f"site {k}" for k in range(12))
NORTH = tuple("north" if k % 3 else "south" for k in range(12))


def ceremony(kind: str, /, **changes: object) -> Ceremony:
    usual: dict[str, dict[str, object]] = {
        "complete": {},
        "stratified": {"strata": NORTH, "treated": (("north", 4), ("south", 2))},
        "matched": {"strata": tuple(f"pair {k // 2}" for k in range(12))},
        "constrained": {"covariates": tuple((float(k) ** 1.5, float(k % 5)) for k in range(12)), "best": 0.2},
        "minimised": {"factors": tuple((region, str(k % 2)) for k, region in enumerate(NORTH))},
    }
    values = {"sites": SITES, "kind": kind, "commitment": commitment(SEED, SALT), **usual[kind], **changes}
    return Ceremony(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_re_runs_to_the_same_allocation(kind: str) -> None:
    published = ceremony(kind)
    certificate = hold(published, SEED, SALT)
    assert faults(certificate, published) == ()
    assert Certificate.from_json(certificate.to_json()) == certificate
    arm = np.array([float(site in certificate.treatment) for site in SITES])
    plan = scheme_of(published, np.random.default_rng(1))
    assert plan.could_make(arm)
    assert plan.count == certificate.allocations


# The allocation is a fact of the algorithm's name: if this fails, ALGORITHM must change too.
ALLOCATED = {
    "complete": (0, 5, 7, 8, 9, 11),
    "stratified": (0, 1, 3, 5, 8, 11),
    "matched": (0, 3, 5, 7, 8, 11),
    "constrained": (1, 2, 4, 7, 8, 10),
    "minimised": (0, 3, 4, 5, 7, 8, 9),
}


def test_the_same_seed_allocates_the_same_in_every_version() -> None:
    for kind, places in ALLOCATED.items():
        assert hold(ceremony(kind), SEED, SALT).treatment == tuple(SITES[k] for k in places), kind
    assert set(ALLOCATED) == set(KINDS)


def test_seeds_allocate_differently_and_strata_and_pairs_are_kept() -> None:
    seen = set()
    for seed in range(40):
        found = hold(ceremony("stratified", commitment=commitment(seed, SALT)), seed, SALT)
        assert sum(NORTH[SITES.index(site)] == "north" for site in found.treatment) == 4
        assert len(found.treatment) == 6
        seen.add(found.treatment)
        pairs = hold(ceremony("matched", commitment=commitment(seed, SALT)), seed, SALT)
        assert sorted(SITES.index(site) // 2 for site in pairs.treatment) == list(range(6))
    assert len(seen) > 30


def tampered(certificate: Certificate, **changes: object) -> Certificate:
    """Changed, and its hash made anew, as somebody who knows how would."""
    changed = replace(certificate, **changes, sha256="")  # type: ignore[arg-type]
    text = json.dumps(asdict(changed), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return replace(changed, sha256=hashlib.sha256(text.encode()).hexdigest())


def test_what_was_changed_is_named() -> None:
    published = ceremony("complete")
    fair = hold(published, SEED, SALT)
    other = tuple(site for site in SITES if site not in fair.treatment)
    assert "its hash does not fit" in faults(replace(fair, treatment=other))[0]
    assert "in the other arm: site 0, site 1" in faults(tampered(fair, treatment=other))[0]
    assert "not the one that was committed to" in faults(tampered(fair, seed=SEED + 1))[0]
    turned = replace(published, sites=SITES[::-1])
    assert faults(hold(turned, SEED, SALT)) == ()
    assert faults(hold(turned, SEED, SALT), published) == (
        "the ceremony is not the one that was published: sites differ",
    )
    assert "number of allocations is 924, not 12" in faults(tampered(fair, allocations=12))[0]


def test_another_seed_cannot_be_revealed() -> None:
    for seed, salt in ((SEED + 1, SALT), (SEED, SALT + "x")):
        with pytest.raises(BadData, match="not the one that was committed to"):
            hold(ceremony("complete"), seed, salt)


def test_a_new_seed_is_long_and_new() -> None:
    (one, salt), (other, _) = new_seed(), new_seed()
    assert one != other
    assert len(salt) >= 32
    assert len(commitment(one, salt)) == 64


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("complete", {"kind": "by hand"}, "by hand"),
        ("complete", {"sites": ("a", "b", "a")}, '"a" is there twice'),
        ("complete", {"sites": ("a",)}, "two or more"),
        ("complete", {"algorithm": "another"}, "another"),
        ("complete", {"treated": (("north", 3),)}, "there are no strata"),
        ("stratified", {"strata": NORTH[:5]}, "5 values for 12 sites"),
        ("stratified", {"strata": ()}, "stratified allocation needs one for each site"),
        ("stratified", {"treated": (("north", 4),)}, "each stratum"),
        ("matched", {"strata": NORTH}, "a pair is two sites"),
        ("constrained", {"covariates": ((1.0,), *((1.0, 2.0),) * 11)}, "some sites have more"),
        ("constrained", {"best": 0.001}, "accept a larger share"),
        ("minimised", {"probability": 0.3}, "0.3 is not above"),
    ],
)
def test_a_ceremony_that_cannot_be_held_is_refused_in_one_line(
    kind: str, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(BadData, match=words) as refused:
        hold(ceremony(kind, **changes), SEED, SALT)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ceremony": {}}', '{"ceremony": {"sites": 3}}'])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(BadData, match="not a certificate"):
        Certificate.from_json(text)


def test_a_salt_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(BadData, match="can be guessed"):
        commitment(1, "short")
