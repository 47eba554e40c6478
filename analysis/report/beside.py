"""What a plan asks beside each outcome's results: the family's adjusted p-values, for whom, and what if the missing differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.allocated import allocated, scheme_of
from analysis.compare import Comparison, MethodResult, residual_site_means
from analysis.errors import BadData
from analysis.missing.tipping import Tipping
from analysis.moderation import ByBaseline, ByGroup
from analysis.moderation import moderation as moderation_by
from analysis.multiplicity import hochberg, holm
from analysis.question import METHODS
from analysis.report.document import Adjustment, Moderation, PlannedOutcome, StatisticalAnalysisPlan
from analysis.report.tags import Lock, Tag, tag_of_moderation, tag_together
from analysis.resampling.westfall_young import WestfallYoung, westfall_young
from analysis.results import Floats, NotEstimable
from analysis.sensitivity import NO_DECISION, tipping_points
from analysis.threads import one_thread
from analysis.trial_data import read


@dataclass(frozen=True)
class Adjusted:
    """The secondary family judged together.

    p, adjusted_p : by outcome code; None where an outcome could not be tested, which still counts in the family. For
    Westfall–Young p is the randomisation test's own, else that of the method that decides the outcome.
    """

    tag: Tag
    adjustment: Adjustment
    p: Mapping[str, float | None]
    adjusted_p: Mapping[str, float | None]
    warnings: tuple[str, ...]
    note: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "tag": self.tag,
            "adjustment": self.adjustment,
            "p": dict(self.p),
            "adjusted_p": dict(self.adjusted_p),
            "warnings": list(self.warnings),
            "note": self.note,
        }


@dataclass(frozen=True)
class Moderated:
    """Whether an outcome's difference depends on `by`."""

    tag: Tag
    outcome: str
    by: str
    result: ByGroup | ByBaseline | NotEstimable
    note: str

    def to_dict(self) -> dict[str, Any]:
        return {"tag": self.tag, "outcome": self.outcome, "by": self.by, "note": self.note, **self.result.to_dict()}


@dataclass(frozen=True)
class Tipped:
    """How different the primary's missing answers would have to be; people and whole sites apart."""

    tag: Tag
    outcome: str
    method: str | None
    people: Tipping | NotEstimable
    sites: Tipping | NotEstimable
    note: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "tag": self.tag,
            "outcome": self.outcome,
            "method": self.method,
            "people": self.people.to_dict(),
            "sites": self.sites.to_dict(),
            "note": self.note,
        }


def adjusted(
    plan: StatisticalAnalysisPlan,
    frame: pd.DataFrame,
    comparisons: Mapping[str, Comparison | NotEstimable],
    lock: Lock | None,
) -> Adjusted | NotEstimable | None:
    """The secondary family's adjusted p-values; None where the plan asks for none or has no such family.

    Outcomes of the harm family are never among them: a harm is not to be adjusted away.

    >>> from importlib.resources import files
    >>> from analysis.report.document import plan_from_toml
    >>> plan = plan_from_toml(files("analysis.report").joinpath("default.toml").read_text(encoding="utf-8"))
    >>> adjusted(plan, pd.DataFrame(), {}, None) is None  # one outcome, so there is no family
    True
    """
    family = [one for one in plan.outcomes if one.family == "secondary"]
    if plan.adjust == "none" or not family:
        return None
    tag, note = tag_together(plan, lock, "adjust", family)
    if plan.adjust == "westfall_young":
        return _over_allocations(plan, frame, family, tag, note)
    own = {one.code: _p(_decided(plan, one, comparisons)) for one in family}
    values = np.array([np.nan if p is None else p for p in own.values()])
    rule = holm if plan.adjust == "holm" else hochberg
    found = rule(values, len(family))
    return Adjusted(tag, plan.adjust, own, _named(family, found), (), note)


def _over_allocations(
    plan: StatisticalAnalysisPlan, frame: pd.DataFrame, family: list[PlannedOutcome], tag: Tag, note: str
) -> Adjusted | NotEstimable:
    if plan.design != "randomised":
        return NotEstimable("sites were not randomised, so there are no allocations to judge over; choose holm")
    try:
        asked = plan.question(family[0], ("cr2",))
        record = allocated(frame, asked)
        reference = scheme_of(record, asked)
    except BadData as error:
        return NotEstimable(str(error))
    means = np.full((len(record.labels), len(family)), np.nan)
    for k, one in enumerate(family):
        question = plan.question(one, ("cr2",))
        try:
            data = read(frame, question)
        except BadData:
            continue  # the outcome's own entry says why; it counts in the family without a p
        means[record.places(data.site_labels), k] = residual_site_means(data, question)
    with one_thread():
        found = westfall_young(reference, record.arm, means, rng=np.random.default_rng(plan.seed))
    if not isinstance(found, WestfallYoung):
        return found
    warnings = list(found.warnings)
    if plan.allocation == "complete" and record.stratum is None:
        warnings.append("complete randomisation assumed, as neither strata nor pairs were named")
    return Adjusted(
        tag,
        plan.adjust,
        dict(zip((one.code for one in family), found.p, strict=True)),
        dict(zip((one.code for one in family), found.adjusted_p, strict=True)),
        tuple(warnings),
        note,
    )


def moderated(
    plan: StatisticalAnalysisPlan, frame: pd.DataFrame, moderation: Moderation, lock: Lock | None
) -> Moderated:
    """One moderation of the plan: by the outcome's baseline or another number, or by a column of groups."""
    outcome = next(one for one in plan.outcomes if one.code == moderation.outcome)
    tag, note = tag_of_moderation(plan, moderation, outcome, lock)
    question = plan.question(outcome, ("lmm_kenward_roger",))
    result: ByGroup | ByBaseline | NotEstimable
    try:
        result = moderation_by(frame, question, moderation.by)
    except BadData as error:
        result = NotEstimable(str(error))
    return Moderated(tag, moderation.outcome, moderation.by, result, note)


def tipped(
    plan: StatisticalAnalysisPlan,
    frame: pd.DataFrame,
    comparisons: Mapping[str, Comparison | NotEstimable],
    lock: Lock | None,
) -> Tipped | None:
    """The primary's tipping points; None where the plan does not ask for them."""
    if not plan.tipping:
        return None
    primary = plan.primary
    method = plan.method_of(primary)
    tag, note = tag_together(plan, lock, "tipping", [primary])
    decided = _decided(plan, primary, comparisons)
    asked = plan.question(primary, (method or METHODS[0],))
    people, sites = tipping_points(frame, asked, method, decided, primary.smallest_worthwhile)
    return Tipped(tag, primary.code, method, people, sites, note)


def _decided(
    plan: StatisticalAnalysisPlan, outcome: PlannedOutcome, comparisons: Mapping[str, Comparison | NotEstimable]
) -> MethodResult:
    found, method = comparisons[outcome.code], plan.method_of(outcome)
    if isinstance(found, NotEstimable):
        return found
    return NotEstimable(NO_DECISION) if method is None else found.methods[method]


def _p(result: MethodResult) -> float | None:
    return None if isinstance(result, NotEstimable) else result.p


def _named(family: list[PlannedOutcome], values: Floats) -> dict[str, float | None]:
    return {
        one.code: None if np.isnan(value) else float(value) for one, value in zip(family, values.tolist(), strict=True)
    }
