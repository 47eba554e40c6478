"""Reliability of a scale by wave and role: how well its items go together, never pooled over either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from evalapp import responses
from evalapp.dashboard.board import ROLE_NAMES
from evalapp.dashboard.items import Family
from evalapp.figures import Estimate, Forest, Missing, Row, Table
from evalapp.figures.drawing import Cell, number
from evalapp.findings import WAVE_NAMES
from evalapp.models import Trial
from instruments import Scale

if TYPE_CHECKING:
    import pandas as pd

    from analysis.measures.reliability import Reliability
    from analysis.results import NotEstimable

LANGUAGES = {"en": "English", "cy": "Welsh", "pl": "Polish", "ar": "Arabic"}


@dataclass(frozen=True)
class Group:
    """One role's answers to a scale at one wave. people : who sent the questionnaire.

    mixed : languages and versions counted together, in a sentence; empty where there is one of each.
    result : None where nothing can be worked out, and then `reason` says why.
    """

    wave: str
    role: str
    people: int
    mixed: str
    scale: Scale
    texts: dict[str, str]
    result: Reliability | None
    reason: str

    @property
    def label(self) -> str:
        return f"{ROLE_NAMES[self.role]}, {WAVE_NAMES[self.wave].lower()}"


def groups(session: Session, trial: Trial, family: Family, code: str, level: float) -> list[Group]:
    """Each wave and role that was asked a scale and answered something, in the trial's order."""
    from analysis.measures.reliability import keyed, reliability  # noqa: PLC0415  (statistics load when first asked for)
    from analysis.results import NotEstimable  # noqa: PLC0415

    scales = {wave: family.instruments[wave].scale(code) for wave in family.waves_of(code)}
    every = dict.fromkeys(item for scale in scales.values() for item in scale.items)
    tally = responses.patterns_tally(session, trial.id, family.names, every)
    found = []
    for wave, scale in scales.items():
        for role in ROLE_NAMES:
            rows = tally[(tally["wave"] == wave) & (tally["role"] == role)]
            if rows.empty:
                continue
            answers = rows.loc[rows.index.repeat(rows["people"]), list(scale.items)].reset_index(drop=True)
            known = {"lowest": scale.minimum, "highest": scale.maximum}
            result = reliability(keyed(answers, scale.reversed, **known), level, **known)
            items = {item.code: item.text for item in family.instruments[wave].items}
            texts = {item: items[item] for item in scale.items}
            known_result = (None, result.reason) if isinstance(result, NotEstimable) else (result, "")
            found.append(Group(wave, role, len(answers), _mixed(rows), scale, texts, *known_result))
    return found


def _mixed(rows: pd.DataFrame) -> str:
    told = []
    languages = rows.groupby("language")["people"].sum()
    if len(languages) > 1:
        told.append(_counted("Languages", {LANGUAGES.get(str(code), str(code)): n for code, n in languages.items()}))
    forms = rows.groupby(["instrument", "version"])["people"].sum()
    if len(forms) > 1:
        told.append(_counted("Versions", {f"{name} {version}": n for (name, version), n in forms.items()}))
    return " ".join(told)


def _counted(what: str, people: dict[str, int]) -> str:
    return f"{what} together: {', '.join(f'{name} {count}' for name, count in people.items())}."


def figure(found: list[Group], title: str) -> Forest:
    """Alpha of each wave and role with Feldt's interval, from 0 to 1."""
    rows = [
        Row(one.label, Estimate(one.result.alpha, *one.result.alpha_ci) if one.result else Missing(one.reason))
        for one in found
    ]
    return Forest(f"{title}: alpha by wave and role", tuple(rows), "Cronbach's alpha", 0.0, 1.0, decimals=2)


def finding(found: list[Group]) -> str:
    """The coefficients in one sentence, without a verdict."""
    values = [(one.result.alpha, one) for one in found if one.result]
    if not values:
        return "Alpha cannot be worked out for anyone yet."
    low, high = min(values, key=lambda pair: pair[0]), max(values, key=lambda pair: pair[0])
    if low == high:
        return f"Alpha is {number(low[0], 2)} among {_lower(low[1])}."
    return (
        f"Alpha lies from {number(low[0], 2)} ({_lower(low[1])}) to {number(high[0], 2)} ({_lower(high[1])}), "
        "each with its interval."
    )


def _lower(one: Group) -> str:
    return one.label[0].lower() + one.label[1:]


@dataclass(frozen=True)
class Line:
    """One item of one group, in words as the page prints them."""

    code: str
    text: str
    rest: str
    dropped: str
    mean: str
    floor: str
    ceiling: str
    missing: str


def lines(one: Group) -> list[Line]:
    """The items of a group that has coefficients; none of one that has not."""
    items = one.result.items if one.result else {}
    return [
        Line(code, one.texts[code] + (" (turned round)" if code in one.scale.reversed else ""), _said(item.item_rest),
             _said(item.alpha_if_dropped), _said(item.mean), _share(item.floor), _share(item.ceiling), _share(item.missing))
        for code, item in items.items()
    ]  # fmt: skip


def coefficients(one: Group) -> list[tuple[str, str]]:
    """Alpha, its interval, omega and n, or why there are none, as (name, words)."""
    result = one.result
    if result is None:
        return [("Alpha", f"Cannot be worked out: {one.reason}"), ("Sent the questionnaire", str(one.people))]
    low, high = result.alpha_ci
    return [
        ("Alpha", f"{number(result.alpha, 2)} ({number(low, 2)} to {number(high, 2)})"),
        ("Omega total", _said(result.omega)),
        ("Answered every item", f"{result.n} of {one.people} people"),
    ]


def table(found: list[Group]) -> Table:
    """Everything at full precision, a row an item of a wave and role; the coefficients stand in each of its rows."""
    head = (
        "When", "Role", "Sent", "Complete", "Alpha", "Interval from", "Interval to", "Omega total", "Item", "Item-rest",
        "Alpha if dropped", "Mean (turned round)", "Floor", "Ceiling", "Missing", "Together", "Why there is no number",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        start: tuple[Cell, ...] = (WAVE_NAMES[one.wave], ROLE_NAMES[one.role], one.people)
        result = one.result
        if result is None:
            rows.append((*start, *(None,) * 12, one.mixed or None, one.reason))
            continue
        shared = (result.n, result.alpha, *result.alpha_ci, _exact(result.omega))
        for code, item in result.items.items():
            own = (item.item_rest, item.alpha_if_dropped, item.mean, item.floor, item.ceiling, item.missing)
            why = [part.reason for part in (result.omega, *own) if not isinstance(part, float)]
            rows.append(
                (*start, *shared, code, *map(_exact, own), one.mixed or None, "; ".join(dict.fromkeys(why)) or None)
            )
    return Table(head, tuple(rows))


def warnings(one: Group) -> list[str]:
    return [f"{text[0].upper()}{text[1:]}." for text in (one.result.warnings if one.result else ())]


def _said(value: float | NotEstimable) -> str:
    return number(value, 2) if isinstance(value, float) else f"not known: {value.reason}"


def _exact(value: float | NotEstimable) -> float | None:
    return value if isinstance(value, float) else None


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
