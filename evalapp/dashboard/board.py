"""The response board: expected, opened, answered, by site, review, wave and role; whole or in steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalapp.figures import Bar, Bars
from evalapp.findings import WAVE_NAMES

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_EXPECTED, STEP = 10, 5  # for those who must not learn whether one person answered
BY = {"site": "site", "review": "case review", "wave": "wave", "role": "role"}
FILTERS = ("site", "wave", "role")
ROLE_NAMES = {
    "practitioner": "Practitioners",
    "manager": "Managers",
    "leader": "Leaders",
    "parent": "Parents and carers",
    "young_person": "Young people",
    "facilitator": "Facilitators",
    "observer": "Observers",
}
TOO_FEW = f"fewer than {SMALLEST_EXPECTED} people expected"


@dataclass(frozen=True)
class Line:
    """One line of the board. None where the count may not be shown to this reader."""

    label: str
    expected: int
    opened: int | None
    answered: int | None

    @property
    def share(self) -> int | None:
        return None if self.answered is None or not self.expected else round(100 * self.answered / self.expected)


def lines(people: pd.DataFrame, by: str, *, whole: bool) -> list[Line]:
    """The board's lines from `responses.people_frame`; a group's people are counted, not their questionnaires twice.

    `whole` is for evaluators. For everyone else counts come in steps of five, and only where ten people are expected.
    """
    found = []
    for label, group in _groups(people, by):
        expected = len(group)
        answered = int((group["state"] == "submitted").sum())
        opened = int(group["state"].isin(["open", "submitted", "declined"]).sum())
        if whole:
            found.append(Line(label, expected, opened, answered))
        elif group["participant"].nunique() < SMALLEST_EXPECTED:
            found.append(Line(label, expected, None, None))
        else:
            found.append(Line(label, expected, STEP * (opened // STEP), STEP * (answered // STEP)))
    return found


def chosen(people: pd.DataFrame, filters: Mapping[str, str]) -> pd.DataFrame:
    """The rows that match every filter (column to value)."""
    for column, value in filters.items():
        people = people[people[column] == value]
    return people


def figure(found: list[Line], by: str) -> Bars:
    bars = [Bar(line.label, line.expected, line.answered, line.opened, _why(line)) for line in found]
    return Bars(f"Questionnaires answered, by {BY[by]}", tuple(bars))


def finding(found: list[Line], *, whole: bool) -> str:
    """The board in one sentence."""
    expected = sum(line.expected for line in found)
    if not whole:
        return f"{expected} questionnaires are expected; how many are answered is counted in steps of {STEP}."
    answered = sum(line.answered or 0 for line in found)
    share = f" ({round(100 * answered / expected)} %)" if expected else ""
    return f"{answered} of {expected} questionnaires expected have been answered{share}."


def _why(line: Line) -> str:
    return TOO_FEW if line.answered is None else ""


def _groups(people: pd.DataFrame, by: str) -> list[tuple[str, pd.DataFrame]]:
    if by == "site":
        return [(str(name), group) for (name, _), group in people.groupby(["site_name", "site"], sort=True)]
    if by == "review":
        keys = ["site_name", "review_label", "review"]
        people = people.fillna({"review_label": "outside reviews", "review": ""})
        return [(f"{site}, {label}", group) for (site, label, _), group in people.groupby(keys, sort=True)]
    names: Mapping[str, str] = WAVE_NAMES if by == "wave" else ROLE_NAMES
    return [(names[key], people[people[by] == key]) for key in names if (people[by] == key).any()]
