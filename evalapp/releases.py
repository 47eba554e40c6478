"""Numbered releases: the only way a figure reaches a funder, suppressed and rounded, checked against the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.disclosure import Rules, may_follow, may_show, rounded, shown_count, shown_response, shown_share
from analysis.plan import Outcome, Plan
from evalapp import audit, findings, responses
from evalapp.findings import POOLED, WAVE_NAMES, Measured
from evalapp.models import Release, Review, Site, Trial
from evalapp.vault import canonical

if TYPE_CHECKING:
    import pandas as pd

    from analysis.summary import WaveMean

# Roles as a funder sees them: groups large enough to be spoken of.
GROUPS: dict[str, tuple[str, frozenset[str]]] = {
    "practitioners": (
        "Professionals",
        frozenset({"practitioner", "manager", "leader", "facilitator", "observer"}),
    ),
    "parents": ("Parents and carers", frozenset({"parent"})),
    "young_people": ("Young people", frozenset({"young_person"})),
}
Populations = dict[str, set[str]]


class NothingNew(Exception):
    """A release now would say exactly what the last one says."""


class NobodyAnswered(Exception):
    """There is nothing to release: no questionnaire has been sent."""


@dataclass
class _Block:
    """A part of a release that is renewed whole or carried whole, and the people behind each of its numbers."""

    key: str
    content: dict[str, Any]
    people: Populations = field(default_factory=dict)


def publish(session: Session, trial: Trial, *, actor: str, now: datetime) -> Release:
    """Make the next release from what is stored now, and record it; the caller commits.

    Raises NobodyAnswered before the first questionnaire is sent, and NothingNew when it would repeat the last
    release (fewer than the threshold joined, left or changed anywhere).
    """
    if not (responses.people_frame(session, trial.id)["state"] == "submitted").any():
        raise NobodyAnswered
    last = latest(session, trial.id)
    before = content_of(last) if last else None
    behind: Populations = {key: set(marks) for key, marks in json.loads(last.withheld).items()} if last else {}
    rules = Rules(people=trial.threshold)
    by_arm = findings.is_open(trial, now)
    plan = findings.plan_of(trial)

    blocks = [*_recruitment(session, trial, rules), *_response(session, trial, rules, now.date())]
    if plan:
        blocks += [_outcome(session, trial, plan, outcome, rules, by_arm=by_arm) for outcome in plan.outcomes]
    number = last.number + 1 if last else 1
    kept = [_renewed_or_carried(block, before, behind, rules, by_arm=by_arm) for block in blocks]
    parts = {block.key: block.content for block in kept}
    if before is not None and _undated(parts) == _undated(before["parts"]) and by_arm == before["by_arm"]:
        raise NothingNew
    content = {
        "number": number,
        "published_on": now.date().isoformat(),
        "title": trial.title,
        "demo": trial.kind == "demo",
        "design": plan.design if plan else trial.design,
        "planned_sites": plan.planned_sites if plan else trial.planned_sites,
        "by_arm": by_arm,
        "opens_on": trial.results_open_at.date().isoformat() if trial.results_open_at else None,
        "rules": {"people": rules.people, "reviews": rules.reviews, "step": rules.step},
        "order": list(parts),
        "parts": parts,
    }
    written = canonical(content)
    withheld = {key: sorted(marks) for block in kept for key, marks in block.people.items()}
    release = Release(
        trial_id=trial.id,
        number=number,
        published_at=now,
        published_by=actor,
        content=written,
        withheld=canonical(withheld),
        sha256=hashlib.sha256(written.encode()).hexdigest(),
    )
    session.add(release)
    session.flush()
    audit.record(session, actor, "release published", f"release {release.id}", now=now, number=number)
    return release


def latest(session: Session, trial_id: str) -> Release | None:
    return session.scalar(select(Release).where(Release.trial_id == trial_id).order_by(Release.number.desc()).limit(1))


def content_of(release: Release) -> dict[str, Any]:
    """What a release says; ValueError when it is not what was published."""
    if hashlib.sha256(release.content.encode()).hexdigest() != release.sha256:
        raise ValueError(f"release {release.number} does not match its own hash")
    content: dict[str, Any] = json.loads(release.content)
    return content


def _undated(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """What the parts say, without how long they have said it."""
    return canonical({key: {name: one for name, one in part.items() if name != "as_of"} for key, part in parts.items()})


def _renewed_or_carried(
    block: _Block, before: Mapping[str, Any] | None, behind: Populations, rules: Rules, *, by_arm: bool
) -> _Block:
    """The block as it is now, or as it was when too few people changed for the change to be safe to show."""
    old = before["parts"].get(block.key) if before else None
    if before is None or old is None:
        return block
    then = {key: marks for key, marks in behind.items() if key.startswith(f"{block.key}|")}
    if all(may_follow(then[key], block.people[key], rules) for key in then.keys() & block.people.keys()):
        return block
    if old.get("groups") == "arms" and not by_arm:
        return _Block(block.key, block.content | {"cells": [], "groups": "hidden", "comparison": None}, then)
    return _Block(block.key, {"as_of": before["number"]} | old, then)


def _marks(people: Iterable[str]) -> set[str]:
    """People, told apart without their ids: only whether the same ones are behind two numbers is ever asked."""
    return {hashlib.sha256(f"release|{one}".encode()).hexdigest()[:12] for one in people}


def _recruitment(session: Session, trial: Trial, rules: Rules) -> Iterable[_Block]:
    """Sites and reviews, and the people who have answered something, beside what was aimed for."""
    frame = responses.people_frame(session, trial.id)
    took_part = frame[frame["state"] == "submitted"]
    sites = len(session.scalars(select(Site.id).where(Site.trial_id == trial.id)).all())
    reviews = len(
        session.scalars(select(Review.id).join(Site, Site.id == Review.site_id).where(Site.trial_id == trial.id)).all()
    )
    target = trial.targets.get
    yield _Block("recruitment/sites", {"label": "Sites", "count": sites, "target": target("sites")})
    yield _Block(
        "recruitment/reviews",
        {"label": "Case reviews", "count": rounded(reviews, rules), "target": target("reviews")},
    )
    for code, (label, roles) in GROUPS.items():
        people = set(took_part.loc[took_part["role"].isin(roles), "participant"])
        if not people and target(code) is None:
            continue
        key = f"recruitment/{code}"
        shown = shown_count(len(people), rules)
        behind = {} if shown is None else {f"{key}|people": _marks(people)}
        yield _Block(key, {"label": label, "count": shown, "target": target(code)}, behind)


def _response(session: Session, trial: Trial, rules: Rules, today: date) -> Iterable[_Block]:
    """Of those whose questionnaire has opened, how many answered: by wave and group of roles, never by arm."""
    frame = responses.people_frame(session, trial.id)
    frame = frame[frame["opens_on"] <= today] if len(frame) else frame
    for wave in [one.code for one in trial.waves]:
        for code, (label, roles) in GROUPS.items():
            asked = frame[(frame["wave"] == wave) & frame["role"].isin(roles)]
            expected = set(asked["participant"])
            answered = set(asked.loc[asked["state"] == "submitted", "participant"])
            if not expected:
                continue
            key = f"response/{wave}/{code}"
            content: dict[str, Any] = {"wave": WAVE_NAMES[wave], "group": label, "hidden": True}
            shown = shown_response(len(answered), len(expected), rules)
            behind: Populations = {}
            if shown is not None:
                whole, part, share = shown
                content |= {"hidden": False, "expected": whole, "answered": part, "percent": share}
                behind = {f"{key}|expected": _marks(expected), f"{key}|answered": _marks(answered)}
            yield _Block(key, content, behind)


def _outcome(session: Session, trial: Trial, plan: Plan, outcome: Outcome, rules: Rules, *, by_arm: bool) -> _Block:
    """One outcome: means by group and wave, people in ten, the difference; each where enough people stand behind it."""
    how = findings.measured(session, trial, outcome, plan.design)
    frame = findings.scores(session, trial, how)
    arms = [code for code, _ in how.arms]
    frame = frame[frame["arm"].isin(arms)] if by_arm else findings.pooled(frame)
    groups = "arms" if by_arm and _both(frame, outcome.wave, arms, rules) else "pooled"
    if groups == "pooled":
        frame = findings.pooled(frame)
    shown = list(findings.labels(how, by_arm=groups == "arms"))
    key = f"outcome/{outcome.code}"
    people: Populations = {}
    cells: list[dict[str, Any]] = []
    means, tens = findings.means(frame, plan.level), findings.in_ten(frame, how, plan.level)
    for wave in how.waves:
        here = frame[frame["wave"] == wave]
        # Both groups or neither: one alone could be taken from a total published before or after.
        visible = all(may_show(_by_review(here, code), rules) for code, _, _ in shown)
        visible = visible and all(_spread(means.get((code, wave))) for code, _, _ in shown)
        for code, label, look in shown:
            cell: dict[str, Any] = {"wave": WAVE_NAMES[wave], "group": label, "look": look, "hidden": not visible}
            if visible:
                cell |= _cell(means[code, wave], tens.get((code, wave)), how, rules)
                people[f"{key}|{wave}|{code}"] = _marks(here.loc[here["arm"] == code, "participant"])
            cells.append(cell)
        if visible:
            people[f"{key}|{wave}|{POOLED}"] = _marks(here["participant"])
    content: dict[str, Any] = {
        "label": outcome.label,
        "scale": outcome.scale,
        "primary": outcome.primary,
        "unit": how.unit,
        "range": [outcome.minimum, outcome.maximum],
        "higher_is_better": outcome.higher_is_better,
        "smallest_worthwhile": outcome.smallest_worthwhile,
        "waves": [WAVE_NAMES[wave] for wave in how.waves],
        "when": findings.WAVE_PHRASES[outcome.wave],
        "why_not": how.why_not,
        "groups": groups,
        "cells": cells,
        "comparison": None,
    }
    if groups == "arms":
        content["arms"] = [label for _, label in how.arms]
        content["comparison"] = _comparison(session, trial, plan, how, frame, rules, people, key)
    return _Block(key, content, people)


def _comparison(
    session: Session, trial: Trial, plan: Plan, how: Measured, frame: pd.DataFrame, rules: Rules,
    people: Populations, key: str,
) -> dict[str, Any]:  # fmt: skip
    """The primary difference, in words by rule; hidden where the people compared are too few in either arm."""
    table = findings.wide(frame, how)
    complete = table.dropna(subset=["outcome", *(["baseline"] if how.change else [])])
    if not all(may_show(_by_review(complete, code), rules) for code, _ in how.arms):
        return {"hidden": True}
    found = findings.answer(session, trial, plan, how, table)
    if found.effect is None:
        return {"hidden": False, "not_estimable": found.reason}
    low, high = found.effect.ci
    if low is None or high is None:
        return {"hidden": False, "not_estimable": "the difference has no interval"}
    for code, _ in how.arms:
        people[f"{key}|compared|{code}"] = _marks(complete.loc[complete["arm"] == code, "participant"])
    people[f"{key}|compared|{POOLED}"] = _marks(complete["participant"])
    return {
        "hidden": False,
        "estimate": round(found.effect.estimate, 1),
        "low": round(low, 1),
        "high": round(high, 1),
        "people": rounded(len(complete), rules),
        "adjusted": how.change,
        "verdict": found.verdict,
        "sentence": found.sentence,
    }


def _by_review(frame: pd.DataFrame, arm: str) -> dict[str, int]:
    counts = frame.loc[frame["arm"] == arm, "review"].value_counts()
    return {str(review): int(count) for review, count in counts.items()}


def _both(frame: pd.DataFrame, wave: str, arms: list[str], rules: Rules) -> bool:
    here = frame[frame["wave"] == wave]
    return all(may_show(_by_review(here, arm), rules) for arm in arms)


def _spread(mean: WaveMean | None) -> bool:
    """Whether a mean has an interval: one site, or everyone alike, has none and is not shown."""
    return mean is not None and mean.lower is not None and mean.upper is not None


def _cell(mean: WaveMean, ten: WaveMean | None, how: Measured, rules: Rules) -> dict[str, Any]:
    least, most = how.outcome.minimum, how.outcome.maximum
    low, high = (least if mean.lower is None else mean.lower), (most if mean.upper is None else mean.upper)
    decimals = 0 if how.is_percent else 1
    cell: dict[str, Any] = {
        "people": rounded(mean.n_people, rules),
        "mean": round(mean.mean, decimals),
        "low": round(max(low, least), decimals),
        "high": round(min(high, most), decimals),
        "in_ten": None,
    }
    if ten is None or ten.lower is None or ten.upper is None or shown_share(ten.mean, 10.0, rules) is None:
        return cell
    value, first, last = (round(min(max(one, 0.0), 10.0)) for one in (ten.mean, ten.lower, ten.upper))
    return cell | {"in_ten": [value, first, last]}


def every(session: Session, trial_id: str) -> list[Release]:
    """The trial's releases, the newest first."""
    query = select(Release).where(Release.trial_id == trial_id).order_by(Release.number.desc())
    return list(session.scalars(query))
