"""Cumulative: how many have come so far, week by week, beside the line of how many were foreseen; a panel a kind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    INK,
    LINE,
    SOFT,
    Cell,
    Look,
    Table,
    across,
    at,
    axis,
    frame,
    layout,
    marker,
    note,
    number,
    px,
    say,
    tag,
    tick,
    words,
)

PLOT, HEAD, FOOT = 96.0, 44.0, 28.0
LOOK = Look("#43506b", "", "diamond", "dots", "diamond", "solid")
TARGET_DASH = "2 5"


@dataclass(frozen=True)
class Climb:
    """One kind: its label, (week, how many by then) wherever it rose, its target, and words for where it stands."""

    label: str
    points: tuple[tuple[int, int], ...]
    target: int | None
    said: str


@dataclass(frozen=True)
class Cumulative:
    """climbs : a panel each.   weeks : that have passed.   foreseen : weeks in which the targets were to be reached, or None.

    keys : words for the line of what came and the line of what was foreseen.    unit : under the axis.
    """

    title: str
    climbs: tuple[Climb, ...]
    weeks: int
    foreseen: int | None
    keys: tuple[str, str]
    unit: str

    def svg(self, name: str) -> Markup:
        parts, top = [self._key()], 50.0
        for one in self.climbs:
            parts.append(self._panel(one, top))
            top += HEAD + PLOT + FOOT
        parts.append(words(self.unit, "50%", top + 10, text_anchor="middle", fill=SOFT, font_size=13))
        return frame(name, self.title, self._described(), top + 20, *parts)

    def plotly(self) -> dict[str, Any]:
        traces: list[dict[str, Any]] = []
        axes: dict[str, Any] = {}
        notes = []
        share = 1 / max(len(self.climbs), 1)
        for index, one in enumerate(self.climbs):
            here, top = f"y{index + 1}" if index else "y", 1 - share * index
            points = self._steps(one)
            traces.append(
                {
                    "type": "scatter", "mode": "lines+markers" if len(points) == 1 else "lines", "name": self.keys[0],
                    "showlegend": index == 0, "x": [week for week, _ in points], "y": [count for _, count in points],
                    "yaxis": here, "line": {"color": LOOK.colour, "width": 2.5, "shape": "hv"},
                    "marker": {"symbol": LOOK.symbol, "size": 9, "color": LOOK.colour},
                    "text": [f"{one.label}, {said}" for said in self._each(one)], "hoverinfo": "text",
                }
            )  # fmt: skip
            if one.target is not None:
                line = self._target(one.target)
                traces.append(
                    {
                        "type": "scatter", "mode": "lines", "name": self.keys[1], "showlegend": index == 0, "yaxis": here,
                        "x": [week for week, _ in line], "y": [count for _, count in line],
                        "line": {"color": INK, "width": 1.5, "dash": "dot"}, "hoverinfo": "skip",
                    }
                )  # fmt: skip
            notes.append(
                note(f"{one.label}: {one.said}", (0, self._most(one) * 1.12), end="left", lift=8, weight=600)
                | {"yref": here}
            )
            axes[f"yaxis{index + 1}" if index else "yaxis"] = axis(
                domain=[top - share * 0.86, top - share * 0.16], range=[0, self._most(one) * 1.08], nticks=3
            )
        height = (HEAD + PLOT + FOOT) * len(self.climbs) + 60
        across_axis = axis(range=[0, self._last()], title=self.unit, anchor=f"y{len(self.climbs)}")
        return {"data": traces, "layout": layout(height, xaxis=across_axis, annotations=notes, **axes)}

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for one in self.climbs:
            for week, count in self._steps(one):
                due = None if one.target is None else self._due(one.target, week)
                rows.append((one.label, week, count, None if due is None else round(due), None))
        head = ("What", "Week", "So far", "Foreseen by then", "Why there is no number")
        return Table(tuple(say(one) for one in head), tuple(rows))

    def _steps(self, one: Climb) -> list[tuple[int, int]]:
        """Where it rose, and where it stands today."""
        last = one.points[-1]
        return [*one.points, *([(self.weeks, last[1])] if self.weeks > last[0] else [])]

    def _due(self, target: int, week: float) -> float:
        """How many were foreseen by the end of a week: evenly over the weeks that were set, or all at once where none were."""
        return float(target) if not self.foreseen else target * min(week / self.foreseen, 1.0)

    def _target(self, target: int) -> list[tuple[float, float]]:
        bends = {0.0, float(self._last())} | ({float(self.foreseen)} if self.foreseen else set())
        return [(week, self._due(target, week)) for week in sorted(bends)]

    def _last(self) -> int:
        return max(self.weeks, self.foreseen or 0, 1)

    def _most(self, one: Climb) -> float:
        return float(max(one.points[-1][1], one.target or 0, 1))

    def _key(self) -> Markup:
        parts = []
        for line, (text, look) in enumerate(zip(self.keys, ({"stroke": LOOK.colour, "stroke_width": 2.5},
                                                            {"stroke": INK, "stroke_width": 1.5,
                                                             "stroke_dasharray": TARGET_DASH}), strict=True)):  # fmt: skip
            y = 12 + 20 * line
            parts.append(tag("line", x1=1, x2=27, y1=px(y), y2=px(y), **look))
            parts.append(words(text, "34", y + 5))
        return Markup("").join(parts)

    def _panel(self, one: Climb, top: float) -> Markup:
        most, last, base = self._most(one), self._last(), top + HEAD + PLOT

        def place(week: float, count: float) -> tuple[str, str]:
            return across(week, 0, last), px(base - PLOT * count / most)

        parts = [
            words(one.label, "0", top + 14, font_weight=700),
            words(one.said, "100%", top + 14, text_anchor="end", fill=LOOK.colour, font_weight=700),
        ]
        for count in (0.0, most):
            y = px(base - PLOT * count / most)
            parts.append(tag("line", x1=0, x2="100%", y1=y, y2=y, stroke=LINE))
            parts.append(words(number(count), "0", float(y) - 4, fill=SOFT, font_size=13))
        parts += [
            words(tick(week), across(week, 0, last), base + 16, text_anchor="middle", fill=SOFT, font_size=13)
            for week in self._ticks()
        ]
        if one.target is not None:
            line = [place(*point) for point in self._target(one.target)]
            parts += [
                tag(
                    "line",
                    x1=a[0],
                    x2=b[0],
                    y1=a[1],
                    y2=b[1],
                    stroke=INK,
                    stroke_width=1.5,
                    stroke_dasharray=TARGET_DASH,
                )
                for a, b in pairwise(line)
            ]
        steps = [place(*point) for point in self._steps(one)]
        bar = {"stroke": LOOK.colour, "stroke_width": 2.5}
        for a, b in pairwise(steps):
            parts.append(tag("line", x1=a[0], x2=b[0], y1=a[1], y2=a[1], **bar))
            parts.append(tag("line", x1=b[0], x2=b[0], y1=a[1], y2=b[1], **bar))
        parts.append(at(steps[-1][0], marker(LOOK, float(steps[-1][1]), 5.0)))
        return Markup("").join(parts)

    def _ticks(self) -> list[int]:
        """Whole weeks, at most five of them."""
        last = self._last()
        step = next(one for one in (1, 2, 4, 5, 10, 13, 20, 26, 52, 104, 260, 10_000) if last / one <= 5)
        return list(range(0, last + 1, step))

    def _described(self) -> str:
        told = (f"{one.label}: {one.said} ({', '.join(self._each(one))})" for one in self.climbs)
        return f"{self.title}. " + "; ".join(told) + "."

    def _each(self, one: Climb) -> list[str]:
        """Each week at which it rose, in words."""
        told = []
        for week, count in self._steps(one):
            due = "" if one.target is None else f", {self.keys[1].lower()} {round(self._due(one.target, week))}"
            told.append(f"{self.unit} {week}: {count}{due}")
        return told
