"""Numbered releases: the only way a figure reaches a funder, suppressed and rounded, checked against the one before."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.disclosure import (
    Rules,
    may_follow,
    may_show,
    may_show_sites,
    merged_share,
    rounded,
    shown_count,
    shown_response,
    shown_share,
)
from analysis.plan import Outcome, Plan
from evalapp import audit, findings, measures, responses
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
# The shape of a release's content. A release keeps the shape it was published in; one without a number is the first.
FORM = 2
# Reviews a site and people a review who answer, taken where the trial's own are not known yet.
TYPICAL = (4.0, 6.0)
# Taken for granted before the answers are seen: the ICCs, as `analysis.design.power` has them, and people's SD in points.
SUPPOSED_ICC = (0.035, 0.135)
SUPPOSED_SD = 20.0


class NothingNew(Exception):
    """A release now would say exactly what the last one says."""


class Overtaken(Exception):
    """Another release was published while this one was worked out."""


class NobodyAnswered(Exception):
    """There is nothing to release: no questionnaire has been sent."""


@dataclass
class _Block:
    """A part of a release that is renewed whole or carried whole, and the people behind each of its numbers."""

    key: str
    content: dict[str, Any]
    people: Populations = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A release as it would be published: what it says, and the people behind it (canonical JSON both)."""

    trial_id: str
    number: int
    content: str
    withheld: str


def publish(session: Session, trial: Trial, *, actor: str, now: datetime) -> Release:
    """`prepare` and `store` in one transaction; the caller commits."""
    return store(session, prepare(session, trial, now=now), actor=actor, now=now)


def store(session: Session, prepared: Prepared, *, actor: str, now: datetime) -> Release:
    """Publish a prepared release, and record it; the caller commits. Raises Overtaken when it is no longer the next."""
    session.get_one(Trial, prepared.trial_id, with_for_update=True)
    last = latest(session, prepared.trial_id)
    if prepared.number != (last.number + 1 if last else 1):
        raise Overtaken
    release = Release(
        trial_id=prepared.trial_id,
        number=prepared.number,
        published_at=now,
        published_by=actor,
        content=prepared.content,
        withheld=prepared.withheld,
        sha256=hashlib.sha256(prepared.content.encode()).hexdigest(),
    )
    session.add(release)
    session.flush()
    audit.record(session, actor, "release published", f"release {release.id}", now=now, number=prepared.number)
    return release


def prepare(session: Session, trial: Trial, *, now: datetime) -> Prepared:
    """Work the next release out from what is stored now; nothing is written, so that nobody's answers wait for it.

    Raises NobodyAnswered before the first questionnaire is sent, and NothingNew when it would repeat the last
    release (fewer than the threshold joined, left or changed anywhere).
    """
    asked = responses.people_frame(session, trial.id)
    if not (asked["state"] == "submitted").any():
        raise NobodyAnswered
    last = latest(session, trial.id)
    before = content_of(last) if last else None
    behind: Populations = {key: set(marks) for key, marks in json.loads(last.withheld).items()} if last else {}
    rules = Rules(people=trial.threshold)
    by_arm = findings.is_open(trial, now)
    plan = findings.plan_of(trial)

    blocks = [
        *_recruitment(session, trial, asked, rules),
        *_climbs(session, trial, rules, now.date()),
        *_response(trial, asked, rules, now.date()),
    ]
    if plan:
        blocks += [_outcome(session, trial, plan, outcome, rules, by_arm=by_arm) for outcome in plan.outcomes]
        blocks += [_fidelity(session, trial, rules, by_arm=by_arm), *_gate(session, trial, plan, rules, by_arm=by_arm)]
    number = last.number + 1 if last else 1
    kept = [_renewed_or_carried(block, before, behind, rules, by_arm=by_arm) for block in blocks]
    if plan:  # from what is shown, so that it tells no more than that
        shown = {one.key: one.content for one in kept}
        sure = _certainty(session, trial, plan, asked, shown, rules, now.date(), by_arm=by_arm)
        kept.append(_renewed_or_carried(sure, before, behind, rules, by_arm=by_arm))
    parts = {block.key: block.content for block in kept}
    same = before is not None and _undated(parts) == _undated(before["parts"]) and by_arm == before["by_arm"]
    if before is not None and same and before.get("form") == FORM:
        raise NothingNew
    content = {
        "form": FORM,
        "number": number,
        "published_on": now.date().isoformat(),
        "title": trial.title,
        "demo": trial.kind == "demo",
        "design": plan.design if plan else trial.design,
        "planned_sites": plan.planned_sites if plan else trial.planned_sites,
        "by_arm": by_arm,
        "open": _is_open(asked, plan, now.date()) if plan else None,
        "opens_on": trial.results_open_at.date().isoformat() if trial.results_open_at else None,
        "rules": {
            "people": rules.people,
            "reviews": rules.reviews,
            "step": rules.step,
            "sites": rules.sites,
            "site_reviews": rules.site_reviews,
        },
        "arms": [label for _, label in findings.arms_of(trial)] if by_arm else [],
        "order": list(parts),
        "parts": parts,
    }
    withheld = {key: sorted(marks) for block in kept for key, marks in block.people.items()}
    return Prepared(trial.id, number, canonical(content), canonical(withheld))


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
    if before.get("form") != FORM:
        old = (
            block.content | old
        )  # what the earlier shape lacks is said about the numbers; the numbers are the old ones
    then = {key: marks for key, marks in behind.items() if key.startswith(f"{block.key}|")}
    if all(may_follow(then[key], block.people[key], rules) for key in then.keys() & block.people.keys()):
        return block
    if old.get("groups") == "arms" and not by_arm:
        return _Block(block.key, block.content | _NOTHING_BY_ARM.get(block.key.split("/")[0], {}), then)
    return _Block(block.key, {"as_of": before["number"]} | old, then)


# What becomes of a part shown by arm whose results were closed again, with too few changed to show it pooled.
_NOTHING_BY_ARM: dict[str, dict[str, Any]] = {
    "outcome": {"cells": [], "groups": "hidden", "comparison": None, "each": {}},
    "fidelity": {"cells": [], "groups": "hidden"},
    "gate": {"cells": [], "groups": "hidden"},
    "certainty": {"groups": "hidden", "facts": {}, "ratings": {}, "overall": 0, "capped_by": "attrition"},
}


def _marks(people: Iterable[str]) -> set[str]:
    """People, told apart without their ids: only whether the same ones are behind two numbers is ever asked."""
    return {hashlib.sha256(f"release|{one}".encode()).hexdigest()[:12] for one in people}


def _is_open(asked: pd.DataFrame, plan: Plan, today: date) -> bool:
    """Whether anyone's last day to answer what decides is still to come: of days alone, so that it tells of no answer."""
    return bool((asked.loc[asked["wave"] == plan.primary.wave, "closes_on"] >= today).any())


def _recruitment(session: Session, trial: Trial, asked: pd.DataFrame, rules: Rules) -> Iterable[_Block]:
    """Sites and reviews, and the people who have answered something, beside what was aimed for."""
    took_part = asked[asked["state"] == "submitted"]
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


def _climbs(session: Session, trial: Trial, rules: Rules, today: date) -> Iterable[_Block]:
    """How many had come by each week, wherever that rose; nothing of a kind of which a day is not recorded.

    Reviews count once they have begun. People are counted in steps, each of as many as a number may rest on, so that no
    step tells of a few.
    """
    came = measures.arrivals(session, trial.id)
    kinds = {"sites": ("Sites", frozenset({"sites"})), "reviews": ("Case reviews begun", frozenset({"reviews"}))}
    days = [day for what, _, day in came if day and what in kinds]
    first = trial.starts_on or min(days, default=None)
    if first is None:
        return
    lines: list[dict[str, Any]] = []
    people: Populations = {}
    for code, (label, whats) in {**kinds, **GROUPS}.items():
        mine: dict[str, date | None] = {}
        for what, one, day in came:
            if what in whats:  # a person of two roles came with the first
                known = mine.get(one)
                mine[one] = day if known is None or day is None else min(known, day)
        if code == "reviews":
            mine = {one: day for one, day in mine.items() if day and day <= today}
        if not mine or any(day is None for day in mine.values()):
            continue
        weeks = sorted(max((day - first).days // 7, 0) for day in mine.values() if day)
        least = {"sites": 1, "reviews": rules.step}.get(code, rules.people)
        points = _rises(weeks, least, rules)
        if points:
            lines.append({"label": label, "points": points, "target": trial.targets.get(code)})
        if points and code in GROUPS:
            people[f"recruiting|{code}"] = _marks(mine)
    if lines:
        content = {"starts_on": first.isoformat(), "weeks": trial.targets.get("weeks"), "lines": lines}
        yield _Block("recruiting", content, people)


def _rises(weeks: list[int], least: int, rules: Rules) -> list[list[int]]:
    """[week, how many by its end], each at least `least` more than the one before; to the step, sites whole.

    The last is how many there are in all, which the release says anyway.
    """
    points: list[list[int]] = []
    shown = 0
    for place, week in enumerate(weeks, start=1):
        if place < len(weeks) and weeks[place] == week:
            continue
        if place - shown >= least:
            shown = place
            points.append([week, place if least == 1 else rounded(place, rules)])
    whole = rounded(len(weeks), rules) if least > 1 else len(weeks)
    if points and points[-1][1] != whole:
        points.append([weeks[-1], whole])
    return points


def _response(trial: Trial, asked: pd.DataFrame, rules: Rules, today: date) -> Iterable[_Block]:
    """Of those whose questionnaire has opened, how many answered: by wave and group of roles, never by arm."""
    opened = asked[asked["opens_on"] <= today]
    for wave in [one.code for one in trial.waves]:
        for code, (label, roles) in GROUPS.items():
            here = opened[(opened["wave"] == wave) & opened["role"].isin(roles)]
            expected = set(here["participant"])
            answered = set(here.loc[here["state"] == "submitted", "participant"])
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
    here = frame[frame["wave"] == outcome.wave]
    groups = "arms" if by_arm and all(_may(here, arm, how, rules) for arm in arms) else "pooled"
    if groups == "pooled":
        frame = findings.pooled(frame)
    shown = list(findings.labels(how, by_arm=groups == "arms"))
    key = f"outcome/{outcome.code}"
    people: Populations = {}
    cells: list[dict[str, Any]] = []
    means, tens = findings.means(frame, plan.level), {}
    if outcome.kind == "scale":
        tens = findings.in_ten(frame, how, plan.level)
    for wave in how.waves:
        here = frame[frame["wave"] == wave]
        # Both groups or neither: one alone could be taken from a total published before or after.
        visible = all(_may(here, code, how, rules) for code, _, _ in shown)
        visible = visible and all(_tells(means.get((code, wave)), how) for code, _, _ in shown)
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
        "kind": outcome.kind,
        "measure": how.measure,
        "scale": outcome.scale,
        "roles": list(outcome.roles),
        "primary": outcome.primary,
        "unit": how.unit,
        "range": [outcome.minimum, outcome.maximum],
        "higher_is_better": outcome.higher_is_better,
        "smallest_worthwhile": outcome.smallest_worthwhile,
        "waves": [WAVE_NAMES[wave] for wave in how.waves],
        "when": how.when,
        "why_not": how.why_not,
        "groups": groups,
        "cells": cells,
        "comparison": None,
    }
    if len(outcome.items) > 1:
        content["each"] = _each(session, trial, outcome, shown, rules, people, key, by_arm=groups == "arms")
    if groups == "arms":
        content["arms"] = [label for _, label in how.arms]
        seen = not any(cell["hidden"] for cell in cells if cell["wave"] == WAVE_NAMES[outcome.wave])
        content["comparison"] = (
            _comparison(session, trial, plan, how, frame, rules, people, key) if seen else {"hidden": True}
        )
    return _Block(key, content, people)


def _each(
    session: Session, trial: Trial, outcome: Outcome, shown: list[tuple[str, str, str]], rules: Rules,
    people: Populations, key: str, *, by_arm: bool,
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """The share giving each reply alone, by item and group; empty where it may not be shown in every group."""
    found: dict[str, list[dict[str, Any]]] = {}
    for item, frame in measures.each_share(session, trial.id, outcome).items():
        here = frame if by_arm else findings.pooled(frame)
        shares = {code: _share(here, code, rules) for code, _, _ in shown}
        found[item] = []
        if any(share is None for share in shares.values()):
            continue
        for code, label, look in shown:
            found[item].append({"group": label, "look": look, "percent": shares[code]})
            people[f"{key}|each|{item}|{code}"] = _marks(here.loc[here["arm"] == code, "participant"])
    return found


def _share(frame: pd.DataFrame, arm: str, rules: Rules) -> int | None:
    """Whole per cent of an arm's people whose value is 100, or None where it may not be shown."""
    mine = frame[frame["arm"] == arm]
    if not may_show(_counted(frame, arm, "review"), rules):
        return None
    return shown_share(float(mine["value"].sum()), 100.0 * len(mine), rules)


def _comparison(
    session: Session, trial: Trial, plan: Plan, how: Measured, frame: pd.DataFrame, rules: Rules,
    people: Populations, key: str,
) -> dict[str, Any]:  # fmt: skip
    """The difference that decides and its verdict; hidden where the people compared are too few in either arm."""
    table = findings.wide(frame, how)
    complete = table.dropna(subset=["outcome", *(["baseline"] if how.change else [])])
    if not all(_may(complete, code, how, rules) for code, _ in how.arms):
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
    places = 2 if how.measure in {"raw", "times"} else 1
    widest = how.outcome.maximum - how.outcome.minimum
    held = (min(max(one, -widest), widest) for one in (found.effect.estimate, low, high))  # no difference is larger
    ends = (math.exp(one) if how.measure == "times" else one for one in held)
    return {
        "hidden": False,
        **dict(zip(("estimate", "low", "high"), (round(one, places) for one in ends), strict=True)),
        "people": rounded(len(complete), rules),
        "adjusted": how.change,
        "verdict": found.verdict,
    }


def _counted(frame: pd.DataFrame, arm: str, by: str) -> dict[str, int]:
    counts = frame.loc[frame["arm"] == arm, by].value_counts()
    return {str(one): int(count) for one, count in counts.items()}


def _may(frame: pd.DataFrame, arm: str, how: Measured, rules: Rules) -> bool:
    """Whether an arm's rows are enough: people of reviews, or reviews of sites; and not (nearly) all of one answer."""
    if how.outcome.kind == "process":
        return may_show_sites(_counted(frame, arm, "site"), rules)
    if not may_show(_counted(frame, arm, "review"), rules):
        return False
    return how.outcome.kind == "scale" or "value" not in frame or _share(frame, arm, rules) is not None


def _tells(mean: WaveMean | None, how: Measured) -> bool:
    """Whether a mean has an interval: of people, one site or everyone alike has none and is not shown."""
    return mean is not None and (how.outcome.kind == "process" or (mean.lower is not None and mean.upper is not None))


def _cell(mean: WaveMean, ten: WaveMean | None, how: Measured, rules: Rules) -> dict[str, Any]:
    """A mean as it is published, in whole points (of per cent, too), days of log-days in whole days."""
    least, most = how.outcome.minimum, how.outcome.maximum
    values = [mean.mean, mean.lower, mean.upper]
    held = [None if one is None else min(max(one, least), most) for one in values]
    if how.outcome.kind != "process":
        held = [mean.mean, least if held[1] is None else held[1], most if held[2] is None else held[2]]
    said: list[float | None]
    if how.measure == "reviews":
        said = [None if one is None else merged_share(one, rules) for one in held]
    elif how.measure == "times":
        said = [None if one is None else round(math.exp(one)) for one in held]
    else:
        decimals = 0 if how.is_percent else 1
        said = [None if one is None else round(one, decimals) for one in held]
    cell: dict[str, Any] = {
        "people": rounded(mean.n_people, rules),
        **dict(zip(("mean", "low", "high"), said, strict=True)),
        "in_ten": None,
    }
    if ten is None or ten.lower is None or ten.upper is None or shown_share(ten.mean, 10.0, rules) is None:
        return cell
    value, first, last = (round(min(max(one, 0.0), 10.0)) for one in (ten.mean, ten.lower, ten.upper))
    return cell | {"in_ten": [value, first, last]}


def _fidelity(session: Session, trial: Trial, rules: Rules, *, by_arm: bool) -> _Block:
    """How reviews were scored, criterion by criterion and by each kind of scorer: means of site means, 0 to 100."""
    from analysis.measures.fidelity import CRITERIA, SCORERS  # noqa: PLC0415  (pandas stays out of the participant's path)

    scored = measures.fidelities(session, trial.id)
    arms = findings.arms_of(trial)
    groups = (
        "arms" if by_arm and all(may_show_sites(_counted(scored, arm, "site"), rules) for arm, _ in arms) else "pooled"
    )
    looked = [(code, label, look) for (code, label), look in zip(arms, ("treatment", "control"), strict=True)]
    if groups == "pooled":
        scored, looked = findings.pooled(scored), [(POOLED, "Both groups together", "pooled")]
    cells: list[dict[str, Any]] = []
    people: Populations = {}
    visible = all(may_show_sites(_counted(scored, arm, "site"), rules) for arm, _, _ in looked)
    for arm, label, look in looked if visible else []:
        mine = scored[scored["arm"] == arm]
        cell: dict[str, Any] = {"group": label, "look": look, "reviews": rounded(len(mine), rules)}
        cell["criteria"] = [round(_site_mean(mine, criterion)) for criterion in CRITERIA]
        cell["double"] = shown_count(int(mine["double"].sum()), rules)
        people[f"fidelity|reviews|{arm}"] = _marks(mine["review"])
        for scorer in SCORERS:
            by_them = mine[mine[scorer].notna()]
            enough = may_show_sites(_counted(by_them, arm, "site"), rules)
            cell[scorer] = round(_site_mean(by_them, scorer)) if enough else None
            if enough:
                people[f"fidelity|{scorer}|{arm}"] = _marks(by_them["review"])
        cells.append(cell)
    if visible:
        people[f"fidelity|reviews|{POOLED}"] = _marks(scored["review"])
    return _Block("fidelity", {"groups": groups, "cells": cells}, people)


def _site_mean(frame: pd.DataFrame, column: str) -> float:
    return float(frame.groupby("site")[column].mean().mean())


def _gate(session: Session, trial: Trial, plan: Plan, rules: Rules, *, by_arm: bool) -> Iterable[_Block]:
    """Of the parents in reviews that ended, how many were asked for their views: a gate that opens unevenly is a bias."""
    outcome = next((one for one in plan.outcomes if one.roles == ("parent",)), None)
    if outcome is None:
        return
    frame = measures.invited(session, trial.id, "parent", outcome.wave)
    arms = findings.arms_of(trial)
    looked = [(code, label, look) for (code, label), look in zip(arms, ("treatment", "control"), strict=True)]
    groups = "arms"
    if not by_arm or not all(_invited(frame, arm, rules) for arm, _ in arms):
        frame, looked, groups = findings.pooled(frame), [(POOLED, "Both groups together", "pooled")], "pooled"
    cells: list[dict[str, Any]] = []
    people: Populations = {}
    for arm, label, look in looked:
        shown = _invited(frame, arm, rules)
        if shown is None:
            continue
        whole, part, share = shown
        cells.append({"group": label, "look": look, "people": whole, "invited": part, "percent": share})
        mine = frame[frame["arm"] == arm]
        people[f"gate|people|{arm}"] = _marks(mine["participant"])
        people[f"gate|invited|{arm}"] = _marks(mine.loc[mine["invited"], "participant"])
    if cells:
        people[f"gate|people|{POOLED}"] = _marks(frame["participant"])
        people[f"gate|invited|{POOLED}"] = _marks(frame.loc[frame["invited"], "participant"])
    yield _Block("gate", {"groups": groups, "cells": cells}, people)


def _invited(frame: pd.DataFrame, arm: str, rules: Rules) -> tuple[int, int, int] | None:
    """Parents, those invited, and the per cent; those not invited are a number of people too, none or enough of them."""
    mine = frame[frame["arm"] == arm]
    invited = int(mine["invited"].sum())
    if len(mine) - invited < rules.people:
        return None
    return shown_response(invited, len(mine), rules)


def _certainty(
    session: Session, trial: Trial, plan: Plan, asked: pd.DataFrame, parts: Mapping[str, Mapping[str, Any]],
    rules: Rules, today: date, *, by_arm: bool,
) -> _Block:  # fmt: skip
    """How sure anyone can be, by the bands of `analysis.certainty`, with the facts each rating follows from."""
    from analysis import certainty  # noqa: PLC0415  (SciPy stays out of the participant's path)

    outcome = plan.primary
    how = findings.measured(session, trial, outcome, plan.design)
    people: Populations = {}
    frame = findings.scores(session, trial, how)
    here = frame[frame["wave"] == outcome.wave]
    arms = [code for code, _ in how.arms]
    facts: dict[str, Any] = {"clean": how.change or not how.why_not, "planned": plan.planned_sites}
    facts |= _sizes(here, plan, how, arms, rules, by_arm=by_arm)
    lost, apart = _lost(asked, outcome, arms, rules, today, people, by_arm=by_arm)
    facts["lost"] = None if lost is None else certainty.band_of(lost, certainty.LOST)
    facts["lost_apart"] = None if apart is None else certainty.band_of(apart, certainty.LOST_APART)
    high, above = _true_to_form(parts)
    start = _start(frame, parts[f"outcome/{outcome.code}"], how)
    facts |= {
        "high": high,
        "above": above,
        "start": None if start is None else certainty.band_of(start, certainty.APART),
    }
    ratings: dict[certainty.Aspect, int | None] = {
        "design": certainty.design(plan.design, clean=how.change),
        "size": certainty.size(facts["smallest"], sum(facts["sites"])),
        "attrition": certainty.attrition(lost, apart),
        "fidelity": certainty.fidelity(high, above),
        "balance": certainty.balance(start),
    }
    rated = certainty.overall(ratings)
    content = {
        "groups": "arms" if by_arm else "pooled",
        "overall": rated.overall,
        "capped_by": rated.capped_by,
        "ratings": dict(rated.ratings),
        "facts": facts,
    }
    return _Block("certainty", content, people)


def _sizes(
    here: pd.DataFrame, plan: Plan, how: Measured, arms: list[str], rules: Rules, *, by_arm: bool
) -> dict[str, Any]:
    """Sites that answered, and the smallest difference that so many, and as many as planned, could see.

    From counts as they are published, so that nothing can be worked out from it; with typical sizes where nobody answered.
    """
    placed = here[here["arm"].notna()]
    counted = placed.groupby("arm")["site"].nunique()
    sites = [int(counted.get(arm, 0)) for arm in arms] if by_arm else [int(here["site"].nunique())]
    reviews, people = rounded(placed["review"].nunique(), rules), rounded(len(placed), rules)
    found: dict[str, Any] = {
        "sites": sites,
        "smallest": None,
        "smallest_planned": None,
        "sd": SUPPOSED_SD if how.is_percent else None,
    }
    split = (sites[0], sites[1]) if by_arm else (sites[0] // 2, sites[0] - sites[0] // 2)
    if reviews and len(placed) >= rules.people:
        found["smallest"] = _smallest(split, reviews / sum(split), people / reviews, plan.alpha, start=how.change)
    if plan.planned_sites:
        half = plan.planned_sites // 2
        planned = (half, plan.planned_sites - half)
        found["smallest_planned"] = _smallest(planned, *TYPICAL, plan.alpha, start=how.change)
    return found


def _smallest(sites: tuple[int, int], reviews: float, people: float, alpha: float, *, start: bool) -> float | None:
    """Smallest difference seen four times in five, in SD; None where an arm has too few sites to judge by."""
    from analysis.design.power import TrialDesign, smallest_effect  # noqa: PLC0415  (as above)

    if min(sites) < 2:
        return None
    # Rounded counts can leave less than one review a site, or person a review, on average.
    reviews, people = max(reviews, 1.0), max(people, 1.0)
    design = TrialDesign(sum(sites), reviews, people, *SUPPOSED_ICC, treated=sites[0], baseline_r=0.5 if start else 0.0)
    return round(smallest_effect(design, alpha=alpha), 2)


def _lost(
    asked: pd.DataFrame, outcome: Outcome, arms: list[str], rules: Rules, today: date, people: Populations,
    *, by_arm: bool,
) -> tuple[float | None, float | None]:  # fmt: skip
    """Per cent lost among those whose last day to answer has passed, and how far the arms differ in it; from rounded counts."""
    frame = asked[(asked["wave"] == outcome.wave) & asked["review"].notna()]
    if outcome.roles:
        frame = frame[frame["role"].isin(outcome.roles)]
    frame = frame[frame["closes_on"] < today]

    def share(rows: pd.DataFrame) -> float | None:
        expected, answered = set(rows["participant"]), set(rows.loc[rows["state"] == "submitted", "participant"])
        if min(len(expected), len(answered)) < rules.people:
            return None
        return max(100.0 - 100.0 * rounded(len(answered), rules) / rounded(len(expected), rules), 0.0)

    lost = share(frame)
    if lost is None:
        return None, None
    of_arms = [share(frame[frame["arm"] == arm]) for arm in arms] if by_arm else []
    for code, rows in [(POOLED, frame), *((arm, frame[frame["arm"] == arm]) for arm in (arms if by_arm else []))]:
        answered = rows.loc[rows["state"] == "submitted", "participant"]
        if min(rows["participant"].nunique(), answered.nunique()) >= rules.people:
            people[f"certainty|expected|{code}"] = _marks(rows["participant"])
            people[f"certainty|answered|{code}"] = _marks(answered)
    known = [one for one in of_arms if one is not None]
    return lost, abs(known[0] - known[1]) if len(known) == 2 else None


def _true_to_form(parts: Mapping[str, Mapping[str, Any]]) -> tuple[int | None, int | None]:
    """From what is shown: per cent of the treatment's reviews of high fidelity, and its mean score above the control's."""
    by_scale = {
        part["scale"]: part for key, part in parts.items() if key.startswith("outcome/") and part["kind"] == "process"
    }
    cells = {
        (scale, cell["look"]): cell["mean"]
        for scale in ("high_fidelity", "fidelity")
        for cell in by_scale.get(scale, {"cells": []})["cells"]
        if not cell["hidden"]
    }
    means = [cells.get(("fidelity", look)) for look in ("treatment", "control")]
    above = None if means[0] is None or means[1] is None else round(means[0] - means[1])
    return cells.get(("high_fidelity", "treatment")), above


def _start(frame: pd.DataFrame, shown: Mapping[str, Any], how: Measured) -> float | None:
    """How far apart the arms began, in standard deviations, from the means that are shown; None where they are not."""
    if not how.change or shown["groups"] != "arms":
        return None
    first = [cell for cell in shown["cells"] if cell["wave"] == WAVE_NAMES[how.waves[0]] and not cell["hidden"]]
    sd = float(frame.loc[frame["wave"] == how.waves[0], "value"].std())
    if len(first) != 2 or not sd > 0:
        return None
    return abs(float(first[0]["mean"]) - float(first[1]["mean"])) / sd


def every(session: Session, trial_id: str) -> list[Release]:
    """The trial's releases, the newest first."""
    query = select(Release).where(Release.trial_id == trial_id).order_by(Release.number.desc())
    return list(session.scalars(query))
