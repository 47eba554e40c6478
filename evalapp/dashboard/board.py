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
LINES_A_PAGE = 200  # more than the sites of a national trial; a page of all its reviews would be a megabyte or ten
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


def counted(tally: pd.DataFrame, by: str, filters: Mapping[str, str]) -> pd.DataFrame:
    """The board's counts, a row a line in its order, from `responses.board_tally`.

    Columns: key (an id, or a code), label, expected, opened, answered. filters : column to the only value counted.
    """
    for column, value in filters.items():
        tally = tally[tally[column] == value]
    names: Mapping[str, str] = WAVE_NAMES if by == "wave" else ROLE_NAMES
    if by == "review":
        label = tally["site_name"] + ", " + tally["review_label"].fillna("outside reviews")
        tally = tally.assign(key=tally["review"].fillna(""), label=label, order=label)
    elif by == "site":
        tally = tally.assign(key=tally["site"], label=tally["site_name"], order=tally["site_name"])
    else:
        order = {code: place for place, code in enumerate(names)}
        tally = tally.assign(key=tally[by], label=tally[by].map(names), order=tally[by].map(order))
    groups = tally.groupby(["order", "key", "site"] if by == "review" else ["order", "key"], sort=True)
    sums = groups[["expected", "opened", "answered"]].sum()
    return sums.assign(label=groups["label"].first()).reset_index()


def lines(counts: pd.DataFrame, people: Mapping[str | None, int] | None) -> list[Line]:
    """The board's lines from what was `counted`.

    people : different people expected, by key; for readers who see counts in steps of five, and only where ten people
    are expected. None for evaluators, who see them whole.
    """
    found = []
    for row in counts.itertuples(index=False):
        expected, opened, answered = int(row.expected), int(row.opened), int(row.answered)
        if people is None:
            found.append(Line(str(row.label), expected, opened, answered))
        elif people.get(str(row.key), 0) < SMALLEST_EXPECTED:
            found.append(Line(str(row.label), expected, None, None))
        else:
            found.append(Line(str(row.label), expected, STEP * (opened // STEP), STEP * (answered // STEP)))
    return found


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
