"""The profile: each arm's mean at each wave, with intervals, on one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    LINE,
    PAPER,
    SOFT,
    Cell,
    Estimate,
    Missing,
    Series,
    Table,
    at,
    axis,
    error_bar,
    frame,
    interval,
    layout,
    legend,
    marker,
    note,
    number,
    percent,
    px,
    say,
    tag,
    words,
)

PLOT = 240.0
BESIDE = 3  # waves whose names stand beside one another on a narrow telephone; more are broken into two lines
DODGE = 10.0  # pixels between an arm's points and the middle of the wave


@dataclass(frozen=True)
class Profile:
    """waves : labels, in order.   series : values one a wave.   joined : whether a change may be drawn as a line."""

    title: str
    waves: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str
    low: float = 0.0
    high: float = 100.0
    joined: bool = True
    decimals: int = 0

    def svg(self, name: str) -> Markup:
        key, top = legend([(one.label, one.look) for one in self.series])
        top += 22
        parts = [key, self._grid(top), *(self._lines(index, top) for index in range(len(self.series)))]
        parts.extend(self._points(index, top) for index in range(len(self.series)))
        named = [wave.split(" ", 1) if len(self.waves) > BESIDE else [wave] for wave in self.waves]
        for index, lines in enumerate(named):
            parts.extend(
                words(line, percent(self._middle(index)), top + PLOT + 24 + 16 * place, text_anchor="middle",
                      font_weight=600, font_size=13)
                for place, line in enumerate(lines)
            )  # fmt: skip
        below = 16 * (max(len(lines) for lines in named) - 1) if named else 0
        return frame(name, self.title, self._described(), top + PLOT + 34 + below, *parts)

    def plotly(self) -> dict[str, Any]:
        traces = []
        for index, one in enumerate(self.series):
            shown = [(place, value) for place, value in enumerate(one.values) if isinstance(value, Estimate)]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if self.joined else "markers",
                    "name": one.label,
                    "x": [place + self._side(index) * 0.04 for place, _ in shown],
                    "y": [value.value for _, value in shown],
                    "error_y": error_bar([value for _, value in shown], one.look),
                    "line": {"color": one.look.colour, "dash": one.look.line, "width": 2.5},
                    "marker": {"symbol": one.look.symbol, "size": 12, "color": one.look.colour},
                    "text": [f"{one.label}, {self.waves[place]}: {interval(value, 1)}" for place, value in shown],
                    "hoverinfo": "text",
                }
            )
        places = list(range(len(self.waves)))
        across = axis(
            tickvals=places,
            ticktext=list(self.waves),
            range=[-0.5, len(self.waves) - 0.5],
            showgrid=False,
            tickangle=0,
            tickfont={"size": 12 if len(self.waves) <= BESIDE else 10},
        )
        notes = [note(self._tick_words(tick), (0, tick), end="left", lift=9, color=SOFT) for tick in self._ticks()]
        spare = (self.high - self.low) * 0.1  # for the words on the uppermost line
        up = axis(range=[self.low, self.high + spare], tickvals=self._ticks(), showticklabels=False)
        return {"data": traces, "layout": layout(PLOT + 84, xaxis=across, yaxis=up, annotations=notes)}

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for one in self.series:
            for wave, value in zip(self.waves, one.values, strict=True):
                if isinstance(value, Estimate):
                    rows.append((one.label, wave, value.value, value.low, value.high, None))
                else:
                    rows.append((one.label, wave, None, None, None, value.reason))
        head = ("Group", "When", "Mean", "Interval from", "Interval to", "Why there is no number")
        return Table(tuple(say(one) for one in head), tuple(rows))

    def _described(self) -> str:
        shown = [
            f"{one.label}, {wave}: {interval(value)}"
            for one in self.series
            for wave, value in zip(self.waves, one.values, strict=True)
            if isinstance(value, Estimate)
        ]
        return f"{say('Means with 95 per cent intervals')}, {self.unit}. " + "; ".join(shown) + "."

    def _middle(self, index: int) -> float:
        edge = 50.0 if len(self.waves) == 1 else 18.0
        return edge + (100 - 2 * edge) * index / max(len(self.waves) - 1, 1)

    def _side(self, index: int) -> int:
        """−1 for the arm drawn left of a wave's middle, 1 for the one on its right, 0 for one alone."""
        return 0 if len(self.series) == 1 else (-1 if index == 0 else 1)

    def _y(self, value: float, top: float) -> float:
        held = min(max(value, self.low), self.high)
        return top + PLOT * (1 - (held - self.low) / (self.high - self.low))

    def _ticks(self) -> list[float]:
        return [self.low + (self.high - self.low) * step / 4 for step in range(5)]

    def _tick_words(self, tick: float) -> str:
        """A line of the grid says its number; the uppermost says of what, too."""
        return f"{number(tick)} ({self.unit})" if tick == self.high else number(tick)

    def _grid(self, top: float) -> Markup:
        parts = []
        for tick in self._ticks():
            y = self._y(tick, top)
            parts.append(tag("line", x1=0, x2="100%", y1=px(y), y2=px(y), stroke=LINE, stroke_width=1))
            parts.append(words(self._tick_words(tick), "0", y - 4, fill=SOFT, font_size=13))
        return Markup("").join(parts)

    def _lines(self, index: int, top: float) -> Markup:
        one = self.series[index]
        parts = []
        pairs = zip(one.values, one.values[1:], strict=False)
        for place, (before, after) in enumerate(pairs):
            if self.joined and isinstance(before, Estimate) and isinstance(after, Estimate):
                parts.append(
                    tag(
                        "line",
                        x1=percent(self._middle(place)),
                        x2=percent(self._middle(place + 1)),
                        y1=px(self._y(before.value, top)),
                        y2=px(self._y(after.value, top)),
                        transform=f"translate({px(self._side(index) * DODGE)},0)",
                        stroke=one.look.colour,
                        stroke_width=2.5,
                        stroke_dasharray=one.look.dash,
                    )
                )
        return Markup("").join(parts)

    def _points(self, index: int, top: float) -> Markup:
        one, x = self.series[index], self._side(index) * DODGE
        parts = []
        for place, value in enumerate(one.values):
            if isinstance(value, Missing):
                y = top + PLOT - 14 - 18 * index
                parts.append(
                    at(percent(self._middle(place)), _halo(say("not shown"), "0", y, one.look.colour, size=13))
                )
                continue
            high, low, y = (self._y(v, top) for v in (value.high, value.low, value.value))
            bar = {"stroke": one.look.colour, "stroke_width": 2}
            said = high - 8 if self._is_upper(index, place) else low + 18
            parts.append(
                at(
                    percent(self._middle(place)),
                    tag("line", x1=px(x), x2=px(x), y1=px(high), y2=px(low), **bar),
                    tag("line", x1=px(x - 5), x2=px(x + 5), y1=px(high), y2=px(high), **bar),
                    tag("line", x1=px(x - 5), x2=px(x + 5), y1=px(low), y2=px(low), **bar),
                    marker(one.look, y, x=x),
                    _halo(number(value.value, self.decimals), px(x), said, one.look.colour),
                )
            )
        return Markup("").join(parts)

    def _is_upper(self, index: int, place: int) -> bool:
        """Whether a group's number stands above its interval: it does unless another group lies higher."""
        mine = self.series[index].values[place]
        for other, one in enumerate(self.series):
            theirs = one.values[place]
            if other != index and isinstance(mine, Estimate) and isinstance(theirs, Estimate):
                return (mine.value, -index) > (theirs.value, -other)
        return True


def _halo(text: str, x: str, y: float, colour: str, *, size: int = 15) -> Markup:
    """Words with a rim of paper, so that a line behind them never makes them hard to read."""
    shared = {"text_anchor": "middle", "font_size": size, "font_weight": 700}
    rim = words(text, x, y, **shared | {"fill": PAPER, "stroke": PAPER, "stroke_width": 4, "aria_hidden": "true"})
    return rim + words(text, x, y, **shared | {"fill": colour})
