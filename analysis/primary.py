"""Which method decides: chosen from the planned number of sites, never from the answers."""

from dataclasses import dataclass
from typing import Literal

from analysis.question import Design, MixedModel

Tag = Literal["pre-specified", "exploratory"]

SITES_TO_JUDGE = 6  # with fewer nothing is called significant, whatever the method
UNEVEN = 1.5


@dataclass(frozen=True)
class Primary:
    """method : name of the primary method, None where only description is warranted.   reason : in one sentence."""

    method: str | None
    reason: str
    tag: Tag


def is_uneven(arms: tuple[int, int]) -> bool:
    """Whether two arms differ so much (3 to 2 and more) that pooling their variances is not safe.

    Where the smaller arm varies more, methods that pool reject 8 to 14 % of true nulls, and no test that looks at the
    variances first mends it (docs/calibration.md); CR2 does not pool.

    >>> is_uneven((6, 14)), is_uneven((9, 11)), is_uneven((2, 3))  # of five sites nothing is judged
    (True, False, False)
    """
    return sum(arms) >= SITES_TO_JUDGE and max(arms) >= UNEVEN * min(arms)


def choose_primary(
    design: Design | None,
    planned_sites: int | None,
    allocated: tuple[int, int],
    has_before: bool,
    named: MixedModel = "lmm",
    planned_arms: tuple[int, int] | None = None,
) -> Primary:
    """The ladder by number of sites.

    allocated : sites in the file, [treatment, control], whether or not they answered.
    has_before : whether there is a baseline or an earlier wave. Without a planned number the sites in the
    file are taken and the result is exploratory.   named : which mixed model the plan names, where one decides.
    planned_arms : the planned number by arm, where the plan says it, in place of the file's: uneven ones are then
    compared by CR2. A number of sites alone leaves the ladder as it is.

    >>> choose_primary("randomised", 8, (4, 4), has_before=True).method
    'cluster_summary'
    >>> choose_primary("randomised", 20, (10, 10), has_before=True).method
    'lmm_kenward_roger'
    >>> choose_primary("nonrandomised", 20, (10, 10), has_before=True).method
    'did'
    >>> choose_primary("randomised", 20, (6, 14), has_before=True, planned_arms=(6, 14)).method
    'cr2'
    """
    tag: Tag = "exploratory" if planned_sites is None else "pre-specified"
    sites = sum(allocated) if planned_sites is None else planned_sites
    arms = planned_arms or allocated
    split = f"{arms[0]} and {arms[1]} in the arms"
    prefix = f"{sites} sites planned, {split}: "
    if planned_sites is None:
        prefix = f"exploratory, as no number of sites was planned; {sites} sites in the data, {split}: "
    if sites < 4:
        return Primary(None, prefix + "fewer than 4 sites, so the arms are described and not compared", tag)
    few = (
        " with 4 or 5 sites a difference and its interval are shown, and nothing is called significant"
        if sites < 6
        else ""
    )
    if design == "nonrandomised":
        needs = "" if has_before else ", which needs a baseline or an earlier wave"
        reason = f"sites were not randomised, so the difference in site mean changes with CR2 decides{needs}"
        return Primary("did", prefix + reason + (f";{few}" if few else ""), tag)
    if sites < 6:
        return Primary("cluster_summary", prefix + few.strip() + ", from the cluster-summary t", tag)
    if planned_arms is not None and named == "lmm" and is_uneven(planned_arms):
        return Primary(
            "cr2",
            prefix + "the planned arms are uneven, so the least-squares difference with CR2 decides, which does not "
            "suppose that they vary alike",
            tag,
        )
    if sites < 12 or min(arms) < 5:
        why = (
            "6 to 11 sites, so the two-stage cluster-summary t decides, beside the randomisation test"
            if sites < 12
            else "fewer than 5 sites in an arm, so the two-stage cluster-summary t decides, as with 6 to 11 sites"
        )
        return Primary("cluster_summary", prefix + why, tag)
    mixed = f"the {'baseline-adjusted mixed model on complete cases' if has_before else 'mixed model'}"
    return Primary(
        "clda" if named == "clda" else "lmm_kenward_roger",
        prefix + "12 sites or more and at least 5 an arm, so "
        f"{'the longitudinal model (cLDA)' if named == 'clda' else mixed} with Kenward–Roger decides",
        tag,
    )
