"""Diverging bars: how a scale's statements were answered, disagreeing to the left of the middle, agreeing to the right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    INK,
    LINE,
    LONGEST,
    POOLED,
    SOFT,
    Cell,
    Look,
    Table,
    axis,
    frame,
    layout,
    marker,
    note,
    percent,
    px,
    short,
    tag,
    words,
)

LEFT, RIGHT, MIDDLE = "#6f3a8c", "#1f6b45", "#b9c3c6"  # hues apart from those of the groups
NOBODY = "nobody has answered"
REACH = 34.0  # % of the width from the middle to 100 % of people: room for the shares at either edge of a telephone
ROOM = 44  # letters of a bar's label and counts that one line of a narrow telephone holds
BAR, HEAD = 15.0, 17.0
MOST_ANSWERS = 7


@dataclass(frozen=True)
class Answered:
    """One bar: who and when, the people who gave each answer in order, and those who refused or left it blank."""

    label: str
    people: tuple[int, ...]
    refused: int = 0
    blank: int = 0
    look: Look = POOLED

    @property
    def given(self) -> int:
        return sum(self.people)

    @property
    def said(self) -> str:
        """How many answered, and how many did not, in words."""
        without = [f"{count} {why}" for count, why in ((self.refused, "refused"), (self.blank, "blank")) if count]
        return ", ".join([f"{self.given} answered" if self.given else NOBODY, *without])


@dataclass(frozen=True)
class Statement:
    """One statement or question with its bars, and what a reader must know of it."""

    text: str
    bars: tuple[Answered, ...]
    note: str = ""


@dataclass(frozen=True)
class Diverging:
    """answers : labels from one end to the other, at most seven; the middle one of an odd number straddles the middle."""

    title: str
    answers: tuple[str, ...]
    statements: tuple[Statement, ...]

    def svg(self, name: str) -> Markup:
        defs = tag("defs", *(_pattern(name, index, len(self.answers)) for index in range(len(self.answers))))
        parts, top = [defs], 0.0
        for index, label in enumerate(self.answers):
            narrow = max(len(one) for one in self.answers) > 18
            x, y = ("0", 20.0 * index) if narrow else (percent(50.0 * (index % 2)), 20.0 * (index // 2))
            box = tag("rect", x=1, y=px(y + 1), width=14, height=13, stroke=SOFT, fill=_fill(name, index))
            parts.append(tag("svg", box, words(short(label), "22", y + 12, font_size=13), x=x, y=0, overflow="visible"))
            top = max(top, y + 20)
        for statement in self.statements:
            top += 14
            for line in [*_lines(statement.text), *_lines(statement.note)]:
                of_note = line not in _lines(statement.text)
                parts.append(words(line, "0", top + 14, font_weight=400 if of_note else 600,
                                   fill=SOFT if of_note else INK, font_size=13 if of_note else 14))  # fmt: skip
                top += HEAD
            top += 6
            for bar in statement.bars:
                parts.append(self._bar(bar, top, name))
                top += self._height()
        return frame(name, self.title, self._described(), top + 2, *parts)

    def plotly(self) -> dict[str, Any]:
        rows = [(statement, bar) for statement in self.statements for bar in statement.bars]
        place, at = {}, 0.0
        notes = []
        for statement in self.statements:
            notes.append(note(short(statement.text), (0, at), end="left", lift=0, weight=700))
            at -= 1
            for bar in statement.bars:
                place[statement.text, bar.label] = at
                notes.append(note(short(f"{bar.label}: {bar.said}"), (0, at), end="left", lift=17, size=12))
                at -= 1.2
            at -= 0.3
        traces = []
        for index, label in enumerate(self.answers):
            shown = [(statement, bar) for statement, bar in rows if bar.given]
            starts = [self._edges(bar)[index] for _, bar in shown]
            colour, shape = _look(index, len(self.answers))
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": _plain(label),
                    "base": starts,
                    "x": [100 * bar.people[index] / bar.given for _, bar in shown],
                    "y": [place[statement.text, bar.label] for statement, bar in shown],
                    "width": 0.4,
                    "marker": {
                        "color": colour,
                        "line": {"color": "#ffffff", "width": 1},
                        "pattern": {"shape": shape, "fgcolor": "#ffffff", "size": 6, "solidity": 0.35},
                    },
                    "customdata": [[bar.people[index], bar.refused, bar.blank] for _, bar in shown],
                    "text": [
                        _plain(f"{bar.label}: {bar.people[index]} of {bar.given} said {label}; {bar.said}")
                        for _, bar in shown
                    ],
                    "textposition": "none",
                    "hoverinfo": "text",
                }
            )
        return {
            "data": traces,
            "layout": layout(
                self._height() * len(rows) + 60 * len(self.statements) + 70,
                barmode="overlay",
                annotations=notes,
                showlegend=True,
                legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "traceorder": "normal"},
                xaxis=axis(
                    range=[-104, 104],
                    tickvals=[-100, -50, 0, 50, 100],
                    ticktext=["100 %", "50 %", "0", "50 %", "100 %"],
                ),
                yaxis=axis(range=[at + 0.2, 0.6], showticklabels=False, showgrid=False),
            ),
        }  # fmt: skip

    def table(self) -> Table:
        head = ("Statement", "Who and when", *self.answers, "Refused", "Left blank", "Why there is no number")
        rows: list[tuple[Cell, ...]] = []
        for statement in self.statements:
            for bar in statement.bars:
                asked = bar.given or bar.refused or bar.blank
                cells: tuple[Cell, ...] = (*bar.people, bar.refused, bar.blank, None)
                rows.append((statement.text, bar.label, *(cells if asked else (*(None,) * (len(cells) - 1), NOBODY))))
        return Table(head, tuple(rows))

    def _edges(self, bar: Answered) -> list[float]:
        """Where each answer begins, in per cent of people from the middle."""
        shares = [100 * count / bar.given for count in bar.people]
        return [one - _left(shares) for one in accumulate(shares[:-1], initial=0.0)]

    def _described(self) -> str:
        parts = []
        for statement in self.statements:
            for bar in statement.bars:
                told = ", ".join(f"{label} {count}" for label, count in zip(self.answers, bar.people, strict=True))
                parts.append(f"{statement.text} {bar.label}: {told}; refused {bar.refused}, blank {bar.blank}")
        return "People by answer. " + ". ".join(parts) + "."

    def _stacked(self) -> bool:
        """Whether counts stand under labels, because some bar has not the room beside it."""
        bars = [bar for statement in self.statements for bar in statement.bars]
        return any(len(bar.label) + len(bar.said) > ROOM for bar in bars)

    def _height(self) -> float:
        return HEAD * (2 if self._stacked() else 1) + BAR + 15

    def _bar(self, bar: Answered, top: float, name: str) -> Markup:
        stacked = self._stacked()
        side = {"text_anchor": None if stacked else "end", "fill": SOFT, "font_size": 13}
        parts = [
            marker(bar.look, top + 9, 4.5, x=7),
            words(short(bar.label), "18", top + 14, font_size=13, font_weight=600, fill=bar.look.colour),
            words(bar.said, "18" if stacked else "100%", top + 14 + (HEAD if stacked else 0), **side),
        ]
        y = top + HEAD * (2 if stacked else 1) + 3
        if not bar.given:
            return Markup("").join(
                [
                    *parts,
                    tag("line", x1="16%", x2="84%", y1=px(y + 7), y2=px(y + 7), stroke=LINE, stroke_dasharray="3 5"),
                ]
            )
        shares = [100 * count / bar.given for count in bar.people]
        for index, (start, share) in enumerate(zip(self._edges(bar), shares, strict=True)):
            if share:
                parts.append(
                    tag("rect", x=percent(50 + REACH * start / 100), y=px(y), width=percent(REACH * share / 100),
                        height=px(BAR), fill=_fill(name, index), stroke="#ffffff", stroke_width=1)
                )  # fmt: skip
        parts.append(tag("line", x1="50%", x2="50%", y1=px(y - 2), y2=px(y + BAR + 2), stroke=INK, stroke_width=1.5))
        half = len(shares) // 2
        for x, end, part in (("0", None, bar.people[:half]), ("100%", "end", bar.people[len(shares) - half :])):
            told = f"{round(100 * sum(part) / bar.given)} %"
            parts.append(words(told, x, y + 12, text_anchor=end, font_size=13, font_weight=600))
        return Markup("").join(parts)


def _left(shares: Sequence[float]) -> float:
    """How far a bar reaches to the left of the middle; the middle answer of an odd number straddles it."""
    half = len(shares) // 2
    return sum(shares[:half]) + (shares[half] / 2 if len(shares) % 2 else 0.0)


def _look(index: int, count: int) -> tuple[str, str]:
    """An answer's colour and Plotly's pattern: the ends solid, then stripes, then dots; the middle grey."""
    if count % 2 and index == count // 2:
        return MIDDLE, ""
    from_end = min(index, count - 1 - index)
    is_left = index < count / 2
    shape = ("", "/" if is_left else "\\", ".")[min(from_end, 2)]
    return (LEFT if is_left else RIGHT), shape


def _fill(name: str, index: int) -> str:
    return f"url(#{name}-answer-{index})"


def _pattern(name: str, index: int, count: int) -> Markup:
    colour, shape = _look(index, count)
    inside = [tag("rect", width=8, height=8, fill=colour, fill_opacity="0.3" if shape else None)]
    if shape == "/":
        inside.append(tag("path", d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", stroke=colour, stroke_width=2.2))
    if shape == "\\":
        inside.append(tag("path", d="M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4", stroke=colour, stroke_width=2.2))
    if shape == ".":
        inside.append(tag("circle", cx=4, cy=4, r=1.8, fill=colour))
    return tag("pattern", *inside, id=f"{name}-answer-{index}", width=8, height=8, patternUnits="userSpaceOnUse")


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, LONGEST - 4)  # bold letters are wider


def _plain(text: str) -> str:
    """Words without what Plotly might read as a tag."""
    return text.replace("<", "‹").replace(">", "›")
