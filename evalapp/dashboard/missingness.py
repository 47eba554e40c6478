"""Who answered and what was left unanswered, by arm, role and site, and whether the arms differ in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from evalapp import findings, responses
from evalapp.dashboard.board import ROLE_NAMES
from evalapp.figures import Bar, Bars, Table
from evalapp.figures.drawing import Cell
from evalapp.findings import WAVE_NAMES, WAVE_PHRASES
from evalapp.models import Trial

if TYPE_CHECKING:
    import pandas as pd

BY = {"role": "role", "arm": "group", "site": "site"}
TELLING = 5  # points between the arms from which a difference in who answered is pointed out
COUNTED = ("expected", "answered", "declined", "both", "asked_both", "shown", "blank", "refused")


@dataclass(frozen=True)
class Line:
    """One group at one wave: questionnaires expected, answered and declined; people who answered both this and before
    the review, of those asked both; questions shown in what was sent, and those left blank or refused."""

    wave: str
    label: str
    expected: int
    answered: int
    declined: int
    both: int
    asked_both: int
    shown: int
    blank: int
    refused: int

    @property
    def share(self) -> float:
        """Per cent of those expected who answered."""
        return 100 * self.answered / self.expected if self.expected else 0.0

    @property
    def unanswered(self) -> float:
        """Per cent of the questions shown that have no answer."""
        return 100 * (self.blank + self.refused) / self.shown if self.shown else 0.0


def lines(session: Session, trial: Trial, by: str, today: date) -> list[Line]:
    """A line a group and wave, of questionnaires whose window has opened by today. Ask by arm only of an open trial."""
    frame = responses.turnout_tally(session, trial.id, today)
    keys = ["site", "wave", "role"]
    frame = frame.merge(responses.blanks_tally(session, trial.id), on=keys, how="left").fillna(0)
    labels = _label(session, trial, frame, by)
    frame = frame.assign(label=labels)[labels.notna()]
    if frame.empty:
        return []
    sums = frame.groupby(["wave", "label"], sort=False)[list(COUNTED)].sum()
    order = {label: place for place, label in enumerate(_order(trial, by, sums.index.get_level_values("label")))}
    found = [
        Line(str(wave), str(label), *(int(row[column]) for column in COUNTED)) for (wave, label), row in sums.iterrows()
    ]
    waves = [wave.code for wave in trial.waves]
    return sorted(found, key=lambda one: (waves.index(one.wave), order[one.label]))


def _label(session: Session, trial: Trial, frame: pd.DataFrame, by: str) -> pd.Series[str]:
    if by == "role":
        return frame["role"].map(ROLE_NAMES)
    names = findings.arm_by_site(session, trial.id)
    if by == "site":
        return frame["site"].map({site: name for site, (name, _) in names.items()})
    arms = dict(findings.arms_of(trial))
    return frame["site"].map({site: arms.get(arm or "") for site, (_, arm) in names.items()})


def _order(trial: Trial, by: str, labels: pd.Index[str]) -> list[str]:
    if by == "role":
        return list(ROLE_NAMES.values())
    return [label for _, label in findings.arms_of(trial)] if by == "arm" else sorted(set(labels))


def figure(found: list[Line], by: str) -> Bars:
    """How many answered, of those expected, a bar a group and wave."""
    several = len({one.wave for one in found}) > 1
    bars = [
        Bar(f"{WAVE_NAMES[one.wave]}: {one.label}" if several else one.label, one.expected, one.answered)
        for one in found
    ]
    return Bars(f"Questionnaires answered, by {BY[by]}", tuple(bars))


def finding(found: list[Line], by: str) -> str:
    """Who answered most and least, or how far the arms lie apart, at the last wave at which anyone answered."""
    wave = next((one.wave for one in reversed(found) if one.answered), found[-1].wave)
    last = [one for one in found if one.wave == wave]
    when = WAVE_PHRASES[wave]
    if len(last) == 1 or not any(one.answered for one in last):
        answered, expected = sum(one.answered for one in last), sum(one.expected for one in last)
        return f"{answered} of {expected} questionnaires asked for {when} have been answered ({100 * answered / expected:.0f} %)."
    least, *_, most = sorted(last, key=lambda one: one.share)
    told = f"{when[0].upper()}{when[1:]}, {most.share:.0f} % answered in {most.label} and {least.share:.0f} % in {least.label}"
    if by == "arm":
        return f"{told}, {most.share - least.share:.0f} points apart."
    return f"{told}; the others lie between." if len(last) > 2 else f"{told}."


@dataclass(frozen=True)
class Gap:
    """How far the arms lie apart at one wave, in a sentence. telling : far enough apart to be weighed."""

    sentence: str
    telling: bool


def gaps(found: list[Line]) -> list[Gap]:
    """The arms beside one another at each wave: in who answered, in who answered both, and in questions unanswered."""
    told = []
    for wave in dict.fromkeys(one.wave for one in found):
        pair = [one for one in found if one.wave == wave]
        if len(pair) != 2:
            continue
        one, two = pair
        when = WAVE_PHRASES[wave]
        told.append(_gap(f"answered {when}", one, two, one.share, two.share, "of those asked"))
        if one.asked_both and two.asked_both:
            shares = (100 * one.both / one.asked_both, 100 * two.both / two.asked_both)
            told.append(_gap(f"answered both before the review and {when}", one, two, *shares, "of those asked both"))
        if one.shown and two.shown:
            told.append(_gap(f"were left unanswered {when}", one, two, one.unanswered, two.unanswered, "of questions"))
    return told


def _gap(what: str, one: Line, two: Line, first: float, second: float, of: str) -> Gap:
    apart = abs(first - second)
    telling = round(apart) >= TELLING
    words = f"{first:.0f} % {of} {what} in {one.label}, {second:.0f} % in {two.label}: "
    if telling:
        return Gap(f"{words}{apart:.0f} points apart, enough to bend the comparison if those missing differ.", telling)
    return Gap(f"{words}less than {TELLING} points apart.", telling)


def table(found: list[Line], by: str) -> Table:
    head = (
        "When", BY[by].capitalize(), "Expected", "Answered", "Declined", "Answered both", "Asked both", "Questions shown",
        "Left blank", "Refused",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (WAVE_NAMES[one.wave], one.label, one.expected, one.answered, one.declined, one.both, one.asked_both, one.shown,
         one.blank, one.refused)
        for one in found
    ]  # fmt: skip
    return Table(head, tuple(rows))


def everyone(found: list[Line]) -> str:
    """Questions without an answer, all groups together, in a sentence."""
    shown, blank, refused = (sum(getattr(one, name) for one in found) for name in ("shown", "blank", "refused"))
    if not shown:
        return ""
    return (
        f"Of {shown} questions shown in questionnaires that were sent, {blank} were left blank ({100 * blank / shown:.1f} %) "
        f"and {refused} refused ({100 * refused / shown:.1f} %)."
    )
