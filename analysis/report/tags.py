"""Whether a result was pre-specified, deviates from the plan that was fixed, or explores."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

from analysis.report.document import Moderation, PlannedOutcome, StatisticalAnalysisPlan

Tag = Literal["pre-specified", "deviation", "exploratory"]

NOT_LOCKED = "the plan was not locked before it was run"
ADDED = "added after the plan was locked"

# Keys of a plan that bear on every result: where one was changed after locking, every result deviates.
_EVERYWHERE = ("estimand", "design", "planned_sites", "allocation", "alpha", "level", "seed", "columns", "best", "coin")


@dataclass(frozen=True)
class Lock:
    """A plan as it was fixed.   locked_at : UTC, ISO 8601.   sha256 : of the plan, by which a change is known."""

    plan: StatisticalAnalysisPlan
    locked_at: str
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        return {"locked_at": self.locked_at, "sha256": self.sha256, "plan": self.plan.to_dict()}


def tag_of(plan: StatisticalAnalysisPlan, outcome: PlannedOutcome, lock: Lock | None) -> tuple[Tag, str]:
    """How an outcome's planned results are tagged, and why in a sentence ("" where it is as locked).

    >>> from importlib.resources import files
    >>> from analysis.report.document import plan_from_toml
    >>> plan = plan_from_toml(files("analysis.report").joinpath("default.toml").read_text(encoding="utf-8"))
    >>> tag_of(plan, plan.primary, None)
    ('exploratory', 'the plan was not locked before it was run')
    >>> tag_of(plan, plan.primary, Lock(plan, "2026-01-05T09:00:00+00:00", plan.sha256))
    ('pre-specified', '')
    """
    if lock is None:
        return "exploratory", NOT_LOCKED
    if plan.sha256 == lock.sha256:
        return "pre-specified", ""
    before = next((one for one in lock.plan.outcomes if one.code == outcome.code), None)
    if before is None:
        return "exploratory", ADDED
    changed = [key for key in _EVERYWHERE if getattr(plan, key) != getattr(lock.plan, key)]
    changed += [
        f"{outcome.code}.{key.name}"
        for key in fields(outcome)
        if getattr(outcome, key.name) != getattr(before, key.name)
    ]
    return (
        ("deviation", f"changed after the plan was locked: {', '.join(changed)}") if changed else ("pre-specified", "")
    )


def tag_of_moderation(
    plan: StatisticalAnalysisPlan, moderation: Moderation, outcome: PlannedOutcome, lock: Lock | None
) -> tuple[Tag, str]:
    """A moderation is planned as its outcome is, if it was itself in the plan that was fixed."""
    if lock is not None and moderation not in lock.plan.moderations:
        return "exploratory", ADDED
    return tag_of(plan, outcome, lock)


def tag_together(
    plan: StatisticalAnalysisPlan,
    lock: Lock | None,
    key: Literal["adjust", "tipping"],
    outcomes: Iterable[PlannedOutcome],
) -> tuple[Tag, str]:
    """Of what is made of several outcomes, or of one, as a key of the plan has it."""
    if lock is None:
        return "exploratory", NOT_LOCKED
    if not getattr(lock.plan, key) or (key == "adjust" and lock.plan.adjust == "none"):
        return "exploratory", ADDED
    known = list(outcomes)
    changed = [f"plan.{key}"] if getattr(plan, key) != getattr(lock.plan, key) else []
    if key == "adjust":
        codes = {one.code for one in known}
        changed += [
            f"{one.code} was in the family"
            for one in lock.plan.outcomes
            if one.family == "secondary" and one.code not in codes
        ]
    changed += [one.code for one in known if tag_of(plan, one, lock)[0] != "pre-specified"]
    return (
        ("deviation", f"changed after the plan was locked: {', '.join(changed)}") if changed else ("pre-specified", "")
    )
