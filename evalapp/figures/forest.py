"""The forest: one row a site (or an outcome, or a method), each with its interval, and the overall rows in bold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    EDGE,
    INK,
    LINE,
    LONGEST,
    POOLED,
    SOFT,
    Cell,
    Estimate,
    Look,
    Missing,
    Table,
    Value,
    across,
    at,
    axis,
    error_bar,
    frame,
    interval,
    layout,
    legend,
    marker,
    note,
    patterns,
    px,
    say,
    short,
    tag,
    ticks_across,
    words,
)

NARROWEST = 34  # letters that a label and its numbers may share on one line of a narrow telephone
REACHES = (
    0.5,
    1,
    2,
    4,
    6,
    8,
    10,
    12,
    16,
    20,
    24,
    30,
    40,
    50,
    60,
    80,
    100,
)  # their halves and quarters are short numbers
LABEL_LINE = 18.0
RATIOS = (
    1.21,
    1.44,
    2.25,
    4,
    9,
    16,
    25,
    100,
)  # how far an axis of ratios reaches: squares, so that its halves are short
BAND = Look("#7b8a8e", "", "circle", "stripes", "circle", "solid")


@dataclass(frozen=True)
class Row:
    """One line: its label, its look, its value; `overall` rows are drawn heavier; `note` stands under the label."""

    label: str
    value: Value
    look: Look = POOLED
    overall: bool = False


@dataclass(frozen=True)
class Band:
    """The stretch of an axis of differences too small to matter: from −reach to +reach."""

    reach: float
    label: str


@dataclass(frozen=True)
class Forest:
    """rows : from top to bottom.   low, high : the axis, or None to fit differences symmetrically around 0.

    ends : what lies to the left and to the right of 0.   band : differences too small to matter.
    key : groups told apart by their look.   ratio : values are ratios, on an axis of equal steps around 1; `band` is then
    of their natural logarithms.
    """

    title: str
    rows: tuple[Row, ...]
    unit: str
    low: float | None = 0.0
    high: float | None = 100.0
    ends: tuple[str, str] | None = None
    band: Band | None = None
    key: tuple[tuple[str, Look], ...] = ()
    decimals: int = 0
    ratio: bool = False

    def svg(self, name: str) -> Markup:
        low, high = self.span()
        key, top = legend(self.key) if self.key else (Markup(""), 0.0)
        top += 10 if self.key else 2
        if self.ends:
            top += 20
        bottom = top + self._row_height() * len(self.rows) + 4
        parts = [patterns([BAND], name), key, self._band(name, low, high, top, bottom)]
        parts.append(ticks_across(self._ticks(), low, high, top, bottom, self._tick_words()))
        if low < 0 < high:
            zero = across(0, low, high)
            parts.append(tag("line", x1=zero, x2=zero, y1=px(top), y2=px(bottom), stroke=INK, stroke_width=1.5))
        parts.extend(self._row(row, top + self._row_height() * index, low, high) for index, row in enumerate(self.rows))
        if self.ends:
            parts.append(words(f"← {self.ends[0]}", "0", top - 8, fill=SOFT, font_size=13))
            parts.append(words(f"{self.ends[1]} →", "100%", top - 8, fill=SOFT, font_size=13, text_anchor="end"))
        parts.append(words(self.unit, "50%", bottom + 35, text_anchor="middle", fill=SOFT, font_size=13))
        height = bottom + 44
        if self.band:
            parts.append(self._band_key(name, bottom + 48))
            height += 22
        return frame(name, self.title, self._described(), height, *parts)

    def plotly(self) -> dict[str, Any]:
        low, high = self.span()
        count = len(self.rows)
        traces, notes = [], []
        for index, row in enumerate(self.rows):
            y = count - 1 - index
            text = interval(row.value, self.decimals) if isinstance(row.value, Estimate) else row.value.reason
            weight = {"weight": 700 if row.overall else 400}
            if self._stacked() or isinstance(row.value, Missing):
                notes.append(note(short(row.label), (0, y), end="left", lift=36, **weight))
                notes.append(note(text, (0, y), end="left", lift=17, color=row.look.colour, **weight))
            else:
                notes.append(note(short(row.label), (0, y), end="left", lift=16, **weight))
                notes.append(note(text, (1, y), end="right", lift=16, **weight))
            if isinstance(row.value, Estimate):
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "markers",
                        "name": row.label,
                        "showlegend": False,
                        "x": [self._placed(row.value).value],
                        "y": [y],
                        "error_x": error_bar([self._placed(row.value)], row.look),
                        "marker": {
                            "symbol": row.look.symbol,
                            "size": 15 if row.overall else 11,
                            "color": row.look.colour,
                        },
                        "text": [f"{row.label}: {text}"],
                        "hoverinfo": "text",
                    }
                )
        for side, text in enumerate(self.ends or ()):
            arrow = f"{text} →" if side else f"← {text}"
            lift = 62 if self._stacked() else 42
            notes.append(
                note(arrow, (side, count - 1), end="right" if side else "left", lift=lift, color=SOFT, size=12)
            )
        shapes = []
        if self.band:
            reach = self.band.reach
            shapes.append({"type": "rect", "x0": -reach, "x1": reach, "y0": 0, "y1": 1, "yref": "paper",
                           "fillcolor": "#e6eaea", "line": {"width": 0}, "layer": "below"})  # fmt: skip
        if low < 0 < high:
            shapes.append({"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper",
                           "line": {"color": INK, "width": 1.5}})  # fmt: skip
        spare = (high - low) * 0.05
        across_axis = axis(range=[low - spare, high + spare], tickvals=self._ticks(), title=self.unit)
        if self.ratio:
            across_axis["ticktext"] = self._tick_words()
        up = axis(
            range=[-0.4, count - 1 + (1.0 if self.ends or self.key else 0.8)], showticklabels=False, showgrid=False
        )
        return {
            "data": traces,
            "layout": layout(
                self._row_height() * count + 90, xaxis=across_axis, yaxis=up, annotations=notes, shapes=shapes
            ),
        }

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for row in self.rows:
            if isinstance(row.value, Estimate):
                rows.append((row.label, row.value.value, row.value.low, row.value.high, None))
            else:
                rows.append((row.label, None, None, None, row.value.reason))
        head = (
            say("Row"),
            self.unit.capitalize(),
            *map(say, ("Interval from", "Interval to", "Why there is no number")),
        )
        return Table(head, tuple(rows))

    def span(self) -> tuple[float, float]:
        """The axis: as given, or the shortest around 0 (a ratio of 1) that holds every interval."""
        if self.low is not None and self.high is not None:
            return self.low, self.high
        shown = [self._placed(row.value) for row in self.rows if isinstance(row.value, Estimate)]
        reach = max((max(abs(one.low), abs(one.high)) for one in shown), default=1.0)
        if self.band:
            reach = max(reach, self.band.reach * 1.25)
        steps = [math.log(one) for one in RATIOS] if self.ratio else REACHES
        reach = next((one for one in steps if one >= reach), reach)
        return -float(reach), float(reach)

    def _placed(self, value: Estimate) -> Estimate:
        """Where a value stands on the axis: a ratio by its logarithm."""
        if not self.ratio:
            return value
        return Estimate(math.log(value.value), math.log(value.low), math.log(value.high))

    def _tick_words(self) -> list[str]:
        """What stands under the grid in place of the places themselves; nothing where they are the numbers."""
        return [f"{math.exp(one):.2f}".rstrip("0").rstrip(".") for one in self._ticks()] if self.ratio else []

    def _stacked(self) -> bool:
        """Whether the numbers stand under the label, because some row has not the room beside it."""
        said = [(row, interval(row.value, self.decimals)) for row in self.rows if isinstance(row.value, Estimate)]
        return any(len(row.label) + len(text) > NARROWEST - (4 if row.overall else 0) for row, text in said)

    def _row_height(self) -> float:
        return (64.0 if self._stacked() else 44.0) + LABEL_LINE * (self._most_lines() - 1)

    def _most_lines(self) -> int:
        """Lines of the longest label, where labels and numbers stand above one another; beside a number there is but one."""
        return max((len(_lines(row.label)) for row in self.rows), default=1) if self._stacked() else 1

    def _ticks(self) -> list[float]:
        low, high = self.span()
        return [low + (high - low) * step / 4 for step in range(5)]

    def _described(self) -> str:
        shown = [
            f"{row.label}: {interval(row.value, self.decimals)}"
            if isinstance(row.value, Estimate)
            else f"{row.label}: {row.value.reason}"
            for row in self.rows
        ]
        return f"{say('Estimates with 95 per cent intervals')}, {self.unit}. " + "; ".join(shown) + "."

    def _row(self, row: Row, top: float, low: float, high: float) -> Markup:
        weight = 700 if row.overall else 400
        lines = _lines(row.label) if self._stacked() else [short(row.label)]
        label = Markup("").join(
            words(line, "0", top + 17 + LABEL_LINE * place, font_weight=weight) for place, line in enumerate(lines)
        )
        under_label = top + LABEL_LINE * (len(lines) - 1)
        if isinstance(row.value, Missing):
            return label + words(short(row.value.reason), "0", under_label + 34, fill=SOFT, font_size=13)
        if self._stacked():
            numbers = interval(row.value, self.decimals)
            said = words(numbers, "0", under_label + 36, font_weight=weight, fill=row.look.colour)
        else:
            said = words(interval(row.value, self.decimals), "100%", top + 17, text_anchor="end", font_weight=weight)
        y = top + self._row_height() - 14
        here = self._placed(row.value)
        ends = (here.low, here.high)
        under = px(top + self._row_height())
        return Markup("").join(
            [
                label,
                said,
                tag(
                    "line",
                    x1=across(ends[0], low, high),
                    x2=across(ends[1], low, high),
                    y1=px(y),
                    y2=px(y),
                    stroke=row.look.colour,
                    stroke_width=5 if row.overall else 2,
                ),
                *(at(across(end, low, high), _end(row.look, y, _beyond(end, low, high))) for end in ends),
                at(across(here.value, low, high), marker(row.look, y, 8.0 if row.overall else 5.5)),
                tag("line", x1=0, x2="100%", y1=under, y2=under, stroke=LINE, stroke_opacity="0.6"),
            ]
        )

    def _band(self, name: str, low: float, high: float, top: float, bottom: float) -> Markup:
        if self.band is None:
            return Markup("")
        reach = min(self.band.reach, high)
        width = (100 - 2 * EDGE) * 2 * reach / (high - low)
        return tag("rect", x=across(-reach, low, high), y=px(top), width=f"{width:.3f}%", height=px(bottom - top),
                   fill=f"url(#{name}-stripes)", opacity="0.45")  # fmt: skip

    def _band_key(self, name: str, y: float) -> Markup:
        swatch = tag("rect", x=0, y=px(y - 3), width=26, height=13, fill=f"url(#{name}-stripes)", opacity="0.6")
        return swatch + words(self.band.label if self.band else "", "34", y + 8, fill=SOFT, font_size=13)


def _lines(label: str) -> list[str]:
    """A label on two lines of a narrow telephone at the most; the description and the table have it whole."""
    first, *rest = wrap(label, LONGEST) or [""]
    return [first, short(" ".join(rest))] if rest else [first]


def _beyond(end: float, low: float, high: float) -> int:
    """On which side an interval runs off the axis: −1, 1, or 0 where it does not."""
    return (end > high) - (end < low)


def _end(look: Look, y: float, beyond: int) -> Markup:
    """The end of an interval: a cap, or an arrow where it runs on beyond the axis."""
    if beyond:
        tip = f"{10 * beyond},{px(y)} 0,{px(y - 5)} 0,{px(y + 5)}"
        return tag("polygon", points=tip, fill=look.colour)
    return tag("line", x1=0, x2=0, y1=px(y - 5), y2=px(y + 5), stroke=look.colour, stroke_width=2)
