"""Run a plan on a table: every result says whether it was pre-specified, deviates from the plan, or explores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from analysis.compare import Comparison, MethodResult, compare
from analysis.errors import BadData
from analysis.question import METHODS
from analysis.report.beside import Adjusted, Moderated, Tipped, adjusted, moderated, tipped
from analysis.report.document import PlannedOutcome, StatisticalAnalysisPlan, fatal, plan_from_dict
from analysis.report.tags import Lock, Tag, tag_of
from analysis.results import NotEstimable

__all__ = ["Entry", "Lock", "Report", "Tag", "lock", "lock_from_dict", "run_plan", "tag_of"]

Part = Literal["decides", "beside"]


@dataclass(frozen=True)
class Entry:
    """One result.   part : whether it decides its outcome or stands beside.   note : why it is tagged so, or ""."""

    tag: Tag
    outcome: str
    part: Part
    method: str
    result: MethodResult
    note: str


@dataclass(frozen=True)
class Report:
    """What a plan found in a table.

    entries : in the order of the plan.   comparisons : by outcome code, counts, variances, ICCs and effect size; the
    reason where the table could not be read for it.   deviations : what differs from the locked plan or from what it
    foresaw, in sentences.   secondary : that family's adjusted p-values, None where none are asked for.   moderations : in
    the order of the plan.   tipping : of the primary, None where it is not asked for.
    """

    title: str
    plan_sha256: str
    locked_at: str | None
    data_sha256: str
    version: str
    seed: int
    entries: tuple[Entry, ...]
    comparisons: dict[str, Comparison | NotEstimable]
    deviations: tuple[str, ...]
    secondary: Adjusted | NotEstimable | None = None
    moderations: tuple[Moderated, ...] = ()
    tipping: Tipped | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, at full precision; never NaN or Infinity."""
        return {
            "title": self.title,
            "plan_sha256": self.plan_sha256,
            "locked_at": self.locked_at,
            "results": [
                {
                    "tag": one.tag,
                    "outcome": one.outcome,
                    "part": one.part,
                    "method": one.method,
                    "note": one.note,
                    **one.result.to_dict(),
                }
                for one in self.entries
            ],
            "outcomes": {code: one.to_dict() for code, one in self.comparisons.items()},
            "secondary": None if self.secondary is None else self.secondary.to_dict(),
            "moderations": [one.to_dict() for one in self.moderations],
            "tipping": None if self.tipping is None else self.tipping.to_dict(),
            "deviations": list(self.deviations),
            "provenance": {"data_sha256": self.data_sha256, "version": self.version, "seed": self.seed},
        }


def lock(plan: StatisticalAnalysisPlan, at: str) -> Lock:
    """Fix a plan; BadData where its primary could never decide, since then there is nothing to wait for."""
    reasons = fatal(plan)
    if reasons:
        raise BadData(f"the plan cannot be locked: {'; '.join(reasons)}")
    return Lock(plan, at, plan.sha256)


def lock_from_dict(values: object) -> Lock:
    """Read a lock; BadData where the plan in it is not the one its hash was taken of."""
    if not isinstance(values, Mapping) or set(values) != {"locked_at", "sha256", "plan"}:
        raise BadData("this is no locked plan; make one with: evalapp plan lock PLAN.toml")
    found = Lock(plan_from_dict(values["plan"]), str(values["locked_at"]), str(values["sha256"]))
    if found.plan.sha256 != found.sha256:
        raise BadData("the locked plan was changed after it was locked: its hash is of another plan")
    return found


def run_plan(
    plan: StatisticalAnalysisPlan,
    frame: pd.DataFrame,
    *,
    lock: Lock | None = None,
    extra: Iterable[tuple[str, str]] = (),
    data_sha256: str | None = None,
) -> Report:
    """Answer every question of a plan from a table, and tag each answer.

    frame : the table the plan's columns name; missing values as `analysis.compare`.    lock : what was fixed
    beforehand; without it everything is exploratory.    extra : (outcome code, method) asked for besides: exploratory.
    BadData where the table cannot answer any outcome; where it cannot answer one, that outcome says why.

    >>> from importlib.resources import files
    >>> import numpy as np
    >>> from analysis.report.document import plan_from_toml
    >>> plan = plan_from_toml(files("analysis.report").joinpath("default.toml").read_text(encoding="utf-8"))
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"site": np.repeat(np.arange(24), 6), "review": np.repeat(np.arange(72), 2)})
    >>> table["arm"], table["participant"] = table.site % 2, np.arange(144)
    >>> table["baseline"], table["outcome"] = rng.normal(size=144), rng.normal(size=144) + table.arm
    >>> report = run_plan(plan, table, lock=lock(plan, "2026-01-01T00:00:00+00:00"))
    >>> [(one.part, one.method, one.tag) for one in report.entries if one.part == "decides"]
    [('decides', 'lmm_kenward_roger', 'pre-specified')]
    """
    tags = {one.code: tag_of(plan, one, lock) for one in plan.outcomes}
    asked: dict[str, list[str]] = {one.code: [] for one in plan.outcomes}
    for code, method in extra:
        if code not in asked:
            raise BadData(f'there is no outcome "{code}" in the plan; choose from {", ".join(asked)}')
        if method not in METHODS:
            raise BadData(f'there is no method "{method}"; choose from {", ".join(METHODS)}')
        asked[code].append(method)
    comparisons = {one.code: _compared(plan, one, asked[one.code], frame, data_sha256) for one in plan.outcomes}
    read = [one for one in comparisons.values() if isinstance(one, Comparison)]
    if not read:
        raise BadData(next(one.reason for one in comparisons.values() if isinstance(one, NotEstimable)))
    entries = [
        entry
        for one in plan.outcomes
        for entry in _entries(plan, one, comparisons[one.code], asked[one.code], *tags[one.code])
    ]
    return Report(
        title=plan.title,
        plan_sha256=plan.sha256,
        locked_at=lock.locked_at if lock else None,
        data_sha256=read[0].data_sha256,
        version=read[0].version,
        seed=plan.seed,
        entries=tuple(entries),
        comparisons=comparisons,
        deviations=tuple(_deviations(plan, comparisons, tags, lock)),
        secondary=adjusted(plan, frame, comparisons, lock),
        moderations=tuple(moderated(plan, frame, one, lock) for one in plan.moderations),
        tipping=tipped(plan, frame, comparisons, lock),
    )


def _compared(
    plan: StatisticalAnalysisPlan, outcome: PlannedOutcome, more: list[str], frame: pd.DataFrame, sha256: str | None
) -> Comparison | NotEstimable:
    deciding = plan.method_of(outcome)
    names = {*outcome.sensitivity, *more, *([deciding] if deciding else [])}
    try:
        return compare(frame, plan.question(outcome, tuple(one for one in METHODS if one in names)), sha256)
    except BadData as error:
        return NotEstimable(str(error))


def _entries(
    plan: StatisticalAnalysisPlan,
    outcome: PlannedOutcome,
    found: Comparison | NotEstimable,
    more: list[str],
    tag: Tag,
    note: str,
) -> Iterable[Entry]:
    deciding = plan.method_of(outcome)
    planned = [*([deciding] if deciding else []), *(one for one in outcome.sensitivity if one != deciding)]
    for method in planned:
        part: Part = "decides" if method == deciding else "beside"
        yield Entry(tag, outcome.code, part, method, _of(found, method), note)
    for method in more:
        if method not in planned:
            yield Entry("exploratory", outcome.code, "beside", method, _of(found, method), "asked for besides the plan")


def _of(found: Comparison | NotEstimable, method: str) -> MethodResult:
    return found if isinstance(found, NotEstimable) else found.methods[method]


def _deviations(
    plan: StatisticalAnalysisPlan,
    comparisons: Mapping[str, Comparison | NotEstimable],
    tags: Mapping[str, tuple[Tag, str]],
    lock: Lock | None,
) -> Iterable[str]:
    if lock is not None and lock.sha256 != plan.sha256:
        yield f"the plan that was run is not the one locked on {lock.locked_at}"
        dropped = [one.label for one in lock.plan.outcomes if one.code not in tags]
        if dropped:
            yield f"left out though planned: {', '.join(dropped)}"
        unasked = [f"{one.outcome} by {one.by}" for one in lock.plan.moderations if one not in plan.moderations]
        if unasked:
            yield f"left out though planned: {', '.join(unasked)}"
        if lock.plan.tipping and not plan.tipping:
            yield "left out though planned: the tipping point of the primary outcome"
        if plan.adjust != lock.plan.adjust:
            yield f"the secondary family was to be adjusted by {lock.plan.adjust}, and is by {plan.adjust}"
    for outcome in plan.outcomes:
        tag, note = tags[outcome.code]
        if tag == "deviation":
            yield f"{outcome.label}: {note}"
        found = comparisons[outcome.code]
        if isinstance(found, NotEstimable):
            yield f"{outcome.label}: could not be compared: {found.reason}"
            continue
        if found.counts.sites != plan.planned_sites:
            (came, foreseen) = found.counts.sites, plan.planned_sites
            yield (
                f"{outcome.label}: {foreseen[0]} and {foreseen[1]} sites were foreseen (treatment, control), "
                f"{came[0]} and {came[1]} are compared; the method stays the one planned"
            )
        deciding = plan.method_of(outcome)
        if deciding and isinstance(result := found.methods[deciding], NotEstimable):
            yield f"{outcome.label}: the planned {deciding} could not be estimated: {result.reason}"
