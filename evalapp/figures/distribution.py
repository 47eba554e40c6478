"""The distribution: how many people of each group scored in each band, the groups one above the other on one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    EDGE,
    LINE,
    SOFT,
    Cell,
    Estimate,
    Look,
    Table,
    Value,
    across,
    at,
    axis,
    error_bar,
    fill,
    frame,
    interval,
    layout,
    marker,
    number,
    patterns,
    percent,
    px,
    tag,
    ticks_across,
    words,
)

BARS = 92.0
PANEL = BARS + 62


@dataclass(frozen=True)
class Panel:
    """One group: people in each band, and their mean with its interval."""

    label: str
    look: Look
    counts: tuple[int, ...]
    mean: Value


@dataclass(frozen=True)
class Distribution:
    """edges : of the bands, one more than there are counts.   panels : from top to bottom.   counted : who or what is in them."""

    title: str
    edges: tuple[float, ...]
    panels: tuple[Panel, ...]
    unit: str
    counted: str = "people"

    def svg(self, name: str) -> Markup:
        bottom = PANEL * len(self.panels)
        low, high = self.edges[0], self.edges[-1]
        middle = [self.edges[0] + (high - low) * step / 4 for step in range(5)]
        parts = [patterns([panel.look for panel in self.panels], name), ticks_across(middle, low, high, 22, bottom)]
        tallest = self._tallest()
        parts.extend(self._panel(panel, PANEL * index, tallest, name) for index, panel in enumerate(self.panels))
        parts.append(words(self.unit, "50%", bottom + 35, text_anchor="middle", fill=SOFT, font_size=13))
        return frame(name, self.title, self._described(), bottom + 44, *parts)

    def plotly(self) -> dict[str, Any]:
        traces: list[dict[str, Any]] = []
        axes: dict[str, Any] = {}
        share = 1 / max(len(self.panels), 1)
        centres = [(a + b) / 2 for a, b in zip(self.edges, self.edges[1:], strict=False)]
        for index, panel in enumerate(self.panels):
            people = sum(panel.counts)
            traces.append(
                {
                    "type": "bar",
                    "name": panel.label,
                    "x": centres,
                    "y": list(panel.counts),
                    "width": [b - a for a, b in zip(self.edges, self.edges[1:], strict=False)],
                    "yaxis": f"y{index + 1}" if index else "y",
                    "marker": {
                        "color": panel.look.colour,
                        "line": {"color": "#ffffff", "width": 1.5},
                        "pattern": {"shape": {"solid": "", "stripes": "/", "dots": "."}[panel.look.pattern]},
                    },
                    "text": [
                        f"{panel.label}: {count} of {people} {self.counted}, {number(a)} to {number(b)}"
                        for count, a, b in zip(panel.counts, self.edges, self.edges[1:], strict=False)
                    ],
                    "textposition": "none",
                    "hoverinfo": "text",
                }
            )
            if isinstance(panel.mean, Estimate):
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "markers",
                        "name": f"{panel.label}: mean",
                        "showlegend": False,
                        "x": [panel.mean.value],
                        "y": [-0.1 * self._tallest()],
                        "yaxis": f"y{index + 1}" if index else "y",
                        "error_x": error_bar([panel.mean], panel.look),
                        "marker": {"symbol": panel.look.symbol, "size": 10, "color": panel.look.colour},
                        "text": [f"{panel.label}: mean {interval(panel.mean)}"],
                        "hoverinfo": "text",
                    }
                )
            top = 1 - share * index
            axes[f"yaxis{index + 1}" if index else "yaxis"] = axis(
                domain=[top - share * 0.82, top - share * 0.14],
                range=[-0.2 * self._tallest(), 1.05 * self._tallest()],
                title=self.counted,
                nticks=4,
            )
        spare = (self.edges[-1] - self.edges[0]) * 0.05
        across_axis = axis(
            range=[self.edges[0] - spare, self.edges[-1] + spare],
            title=self.unit,
            anchor=f"y{len(self.panels)}" if len(self.panels) > 1 else "y",
        )
        height = PANEL * len(self.panels) + 44
        return {"data": traces, "layout": layout(height, xaxis=across_axis, **axes)}

    def table(self) -> Table:
        bands = [f"{number(a)} to {number(b)}" for a, b in zip(self.edges, self.edges[1:], strict=False)]
        rows: list[tuple[Cell, ...]] = [
            (band, *(panel.counts[index] for panel in self.panels)) for index, band in enumerate(bands)
        ]
        return Table(
            (self.unit.capitalize(), *(f"{panel.label}: {self.counted}" for panel in self.panels)), tuple(rows)
        )

    def _tallest(self) -> int:
        return max([1, *(count for panel in self.panels for count in panel.counts)])

    def _described(self) -> str:
        parts = []
        for panel in self.panels:
            mean = f", mean {interval(panel.mean)}" if isinstance(panel.mean, Estimate) else ""
            parts.append(f"{panel.label}: {sum(panel.counts)} {self.counted}{mean}")
        return f"{self.counted.capitalize()} by score, {self.unit}. " + "; ".join(parts) + "."

    def _panel(self, panel: Panel, top: float, tallest: int, name: str) -> Markup:
        low, high = self.edges[0], self.edges[-1]
        base = top + 40 + BARS
        parts = [
            words(panel.label, "0", top + 14, font_weight=700, fill=panel.look.colour),
            words(f"{sum(panel.counts)} {self.counted}", "100%", top + 14, text_anchor="end", fill=SOFT),
            tag("line", x1=0, x2="100%", y1=px(base), y2=px(base), stroke=LINE),
        ]
        whole = 100 - 2 * EDGE
        for count, a, b in zip(panel.counts, self.edges, self.edges[1:], strict=False):
            if count == 0:
                continue
            high_px = BARS * count / tallest
            x = EDGE + whole * (a - low) / (high - low)
            width = whole * (b - a) / (high - low)
            parts.append(
                tag("rect", x=percent(x + 0.25), y=px(base - high_px), width=percent(width - 0.5), height=px(high_px),
                    fill=fill(panel.look, name), stroke=panel.look.colour, stroke_width=1)
            )  # fmt: skip
            parts.append(
                words(str(count), percent(x + width / 2), base - high_px - 5, text_anchor="middle", font_size=12)
            )
        if isinstance(panel.mean, Estimate):
            y = base + 10
            ends = [across(value, low, high) for value in (panel.mean.low, panel.mean.high)]
            bar = {"stroke": panel.look.colour, "stroke_width": 2.5}
            parts.append(tag("line", x1=ends[0], x2=ends[1], y1=px(y), y2=px(y), **bar))
            parts.append(at(across(panel.mean.value, low, high), marker(panel.look, y, 5.0)))
        return Markup("").join(parts)
