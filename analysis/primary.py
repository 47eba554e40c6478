"""Which method decides: chosen from the planned number of sites, never from the answers."""

from dataclasses import dataclass
from typing import Literal

from analysis.question import Design, MixedModel

Tag = Literal["pre-specified", "exploratory"]


@dataclass(frozen=True)
class Primary:
    """method : name of the primary method, None where only description is warranted.   reason : in one sentence."""

    method: str | None
    reason: str
    tag: Tag


def choose_primary(
    design: Design | None,
    planned_sites: int | None,
    allocated: tuple[int, int],
    has_before: bool,
    named: MixedModel = "lmm",
) -> Primary:
    """The ladder by number of sites.

    allocated : sites in the file, [treatment, control], whether or not they answered.
    has_before : whether there is a baseline or an earlier wave. Without a planned number the sites in the
    file are taken and the result is exploratory.   named : which mixed model the plan names, where one decides.

    >>> choose_primary("randomised", 8, (4, 4), has_before=True).method
    'cluster_summary'
    >>> choose_primary("randomised", 20, (10, 10), has_before=True).method
    'lmm_kenward_roger'
    >>> choose_primary("nonrandomised", 20, (10, 10), has_before=True).method
    'did'
    """
    tag: Tag = "exploratory" if planned_sites is None else "pre-specified"
    sites = sum(allocated) if planned_sites is None else planned_sites
    split = f"{allocated[0]} and {allocated[1]} in the arms"
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
    if sites < 12:
        return Primary(
            "cluster_summary",
            prefix + "6 to 11 sites, so the two-stage cluster-summary t decides, beside the randomisation test",
            tag,
        )
    if min(allocated) < 5:
        return Primary(
            "cluster_summary",
            prefix + "fewer than 5 sites in an arm, so the two-stage cluster-summary t decides, as with 6 to 11 sites",
            tag,
        )
    mixed = f"the {'baseline-adjusted mixed model on complete cases' if has_before else 'mixed model'}"
    return Primary(
        "clda" if named == "clda" else "lmm_kenward_roger",
        prefix + "12 sites or more and at least 5 an arm, so "
        f"{'the longitudinal model (cLDA)' if named == 'clda' else mixed} with Kenward–Roger decides",
        tag,
    )
