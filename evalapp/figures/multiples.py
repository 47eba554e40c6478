"""Small multiples: a panel a site, each with its means over the waves, all on one axis so that they can be compared."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    LINE,
    SOFT,
    Cell,
    Estimate,
    Look,
    Series,
    Table,
    axis,
    frame,
    interval,
    layout,
    legend,
    marker,
    note,
    number,
    percent,
    px,
    tag,
    words,
)

COLUMNS = 2
LETTERS = 14  # of a label's line: half a narrow telephone holds them
PLOT, LABEL, UNDER = 76.0, 34.0, 34.0
PANEL = LABEL + PLOT + UNDER
GAP = 4.0  # % of the width between panels


@dataclass(frozen=True)
class Multiples:
    """waves : labels, in order.   panels : one a site, a value a wave.   key : groups told apart by their look.

    joined : whether a change may be drawn as a line.
    """

    title: str
    waves: tuple[str, ...]
    panels: tuple[Series, ...]
    unit: str
    key: tuple[tuple[str, Look], ...] = ()
    low: float = 0.0
    high: float = 100.0
    joined: bool = True
    decimals: int = 0

    def svg(self, name: str) -> Markup:
        key, top = legend(self.key) if self.key else (Markup(""), 0.0)
        top += 30
        told = f"{' → '.join(self.waves)}, {self.unit}"
        lines = textwrap.wrap(told, 42)
        parts = [
            key,
            *(words(line, "0", top + 16 * place, fill=SOFT, font_size=13) for place, line in enumerate(lines)),
        ]
        top += 16 * len(lines)
        width = (100 - GAP * (COLUMNS - 1)) / COLUMNS
        for index, panel in enumerate(self.panels):
            x = (width + GAP) * (index % COLUMNS)
            y = top + PANEL * (index // COLUMNS)
            inside = self._panel(panel)
            parts.append(
                tag("svg", inside, x=percent(x), y=px(y), width=percent(width), height=px(PANEL), overflow="visible")
            )
        rows = -(-len(self.panels) // COLUMNS)
        return frame(name, self.title, self._described(), top + PANEL * rows, *parts)

    def plotly(self) -> dict[str, Any]:
        """One pair of axes for all: each panel stands at its own place, its true numbers beside each point."""
        step, reach = len(self.waves) + 0.6, self.high - self.low
        traces, notes = [], []
        looks = list(dict.fromkeys(panel.look for panel in self.panels))
        names = {look: label for label, look in self.key}
        for look in looks:
            xs: list[float | None] = []
            ys: list[float | None] = []
            above: list[float | None] = []
            below: list[float | None] = []
            data: list[list[float] | None] = []
            said: list[str] = []
            for index, panel in enumerate(self.panels):
                if panel.look != look:
                    continue
                x0, y0 = step * (index % COLUMNS), -1.9 * reach * (index // COLUMNS)
                for place, value in enumerate(panel.values):
                    if not isinstance(value, Estimate):
                        continue
                    xs.append(x0 + place)
                    ys.append(y0 + value.value - self.low)
                    above.append(value.high - value.value)
                    below.append(value.value - value.low)
                    data.append([value.value, value.low, value.high])
                    said.append(_plain(f"{panel.label}, {self.waves[place]}: {interval(value, 1)}"))
                for column in (xs, ys, above, below, data):
                    column.append(None)
                said.append("")
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if self.joined else "markers",
                    "name": _plain(names.get(look, "")),
                    "showlegend": look in names,
                    "x": xs,
                    "y": ys,
                    "customdata": data,
                    "connectgaps": False,
                    "error_y": {"type": "data", "symmetric": False, "array": above, "arrayminus": below,
                                "color": look.colour, "thickness": 1.5, "width": 3},
                    "line": {"color": look.colour, "dash": look.line, "width": 2},
                    "marker": {"symbol": look.symbol, "size": 8, "color": look.colour},
                    "text": said,
                    "hoverinfo": "text",
                }
            )  # fmt: skip
        rows = -(-len(self.panels) // COLUMNS)
        shapes = []
        for index, panel in enumerate(self.panels):
            x0, y0 = step * (index % COLUMNS), -1.9 * reach * (index // COLUMNS)
            shapes += [
                {"type": "line", "x0": x0 - 0.3, "x1": x0 + len(self.waves) - 0.7, "y0": y0 + reach * part,
                 "y1": y0 + reach * part, "line": {"color": LINE, "width": 1}, "layer": "below"}
                for part in (0, 0.5, 1)
            ]  # fmt: skip
            words_at = (x0 - 0.3) / (step * COLUMNS)
            label = note(_cut(panel.label), (words_at, y0 + reach), end="left", lift=12, color=panel.look.colour)
            notes.append(label)
        return {
            "data": traces,
            "layout": layout(
                PANEL * rows + 70,
                annotations=notes,
                shapes=shapes,
                showlegend=bool(self.key),
                xaxis=axis(range=[-0.3, step * COLUMNS - 0.3], showticklabels=False, showgrid=False),
                yaxis=axis(range=[-1.9 * reach * (rows - 1) - 0.3 * reach, 1.4 * reach], showticklabels=False,
                           showgrid=False),
            ),
        }  # fmt: skip

    def table(self) -> Table:
        groups = {look: label for label, look in self.key}
        rows: list[tuple[Cell, ...]] = []
        for panel in self.panels:
            for wave, value in zip(self.waves, panel.values, strict=True):
                start: tuple[Cell, ...] = (panel.label, groups.get(panel.look, ""), wave)
                if isinstance(value, Estimate):
                    rows.append((*start, value.value, value.low, value.high, None))
                else:
                    rows.append((*start, None, None, None, value.reason))
        return Table(
            ("Site", "Group", "When", "Mean", "Interval from", "Interval to", "Why there is no number"), tuple(rows)
        )

    def _described(self) -> str:
        shown = [
            f"{panel.label}, {wave}: {interval(value, self.decimals)}"
            for panel in self.panels
            for wave, value in zip(self.waves, panel.values, strict=True)
            if isinstance(value, Estimate)
        ]
        return f"Each site's means with 95 % intervals, {self.unit}. " + "; ".join(shown) + "."

    def _panel(self, panel: Series) -> Markup:
        colour = panel.look.colour
        lines = _wrapped(panel.label)
        parts = [marker(panel.look, 10, 4.5, x=6)]
        parts += [
            words(line, "16", 14 + 15 * place, font_size=13, font_weight=600, fill=colour)
            for place, line in enumerate(lines)
        ]
        for part in (0.0, 0.5, 1.0):
            y = self._y(self.low + part * (self.high - self.low))
            parts.append(tag("line", x1=26, x2="100%", y1=px(y), y2=px(y), stroke=LINE))
            tick = number(self.low + part * (self.high - self.low))
            parts.append(words(tick, "22", y + 4, text_anchor="end", fill=SOFT, font_size=12))
        parts.append(tag("svg", self._marks(panel), x=26, y=0, width="80%", height=px(PANEL), overflow="visible"))
        told = " → ".join(
            number(value.value, self.decimals) if isinstance(value, Estimate) else "–" for value in panel.values
        )
        parts.append(words(told, "26", LABEL + PLOT + 18, font_size=13, font_weight=600, fill=colour))
        return Markup("").join(parts)

    def _marks(self, panel: Series) -> Markup:
        parts = []
        places = list(enumerate(panel.values))
        for (place, before), (_, after) in pairwise(places):
            if self.joined and isinstance(before, Estimate) and isinstance(after, Estimate):
                parts.append(
                    tag("line", x1=self._x(place), x2=self._x(place + 1), y1=px(self._y(before.value)),
                        y2=px(self._y(after.value)), stroke=panel.look.colour, stroke_width=2,
                        stroke_dasharray=panel.look.dash)
                )  # fmt: skip
        for place, value in places:
            if isinstance(value, Estimate):
                x = self._x(place)
                parts.append(
                    tag("line", x1=x, x2=x, y1=px(self._y(value.high)), y2=px(self._y(value.low)),
                        stroke=panel.look.colour, stroke_width=1.5)
                )  # fmt: skip
                point = marker(panel.look, self._y(value.value), 4.5)
                parts.append(tag("svg", point, x=x, y=0, overflow="visible"))
        return Markup("").join(parts)

    def _x(self, place: int) -> str:
        return percent(50.0 if len(self.waves) == 1 else 8 + 84 * place / (len(self.waves) - 1))

    def _y(self, value: float) -> float:
        held = min(max(value, self.low), self.high)
        return LABEL + PLOT * (1 - (held - self.low) / (self.high - self.low))


def _wrapped(label: str) -> list[str]:
    """A label on at most two lines; the description and the table have it whole."""
    lines = textwrap.wrap(label, LETTERS) or [""]
    return lines if len(lines) <= 2 else [lines[0], f"{lines[1][: LETTERS - 1].rstrip()}…"]


def _cut(label: str) -> str:
    return label if len(label) <= LETTERS else f"{label[: LETTERS - 1].rstrip()}…"


def _plain(text: str) -> str:
    """Words without what Plotly might read as a tag."""
    return text.replace("<", "‹").replace(">", "›")
