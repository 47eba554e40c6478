"""Pairs: on each line the same quantity in each group, as bars on one axis. Shares, criteria, counts beside a target."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    LINE,
    LONGEST,
    PAPER,
    SOFT,
    Cell,
    Estimate,
    Look,
    Missing,
    Table,
    axis,
    fill,
    frame,
    interval,
    layout,
    legend,
    note,
    number,
    patterns,
    percent,
    px,
    say,
    short,
    tag,
    words,
)

BAR, GAP, LINE_HEIGHT = 14.0, 7.0, 18.0
REACH = 74.0  # per cent of the width a full bar takes; its number stands behind


@dataclass(frozen=True)
class Plain:
    """A number that has no interval, being no estimate, or none that could be given."""

    value: float


@dataclass(frozen=True)
class Pair:
    """One line: its label and a value a group, None of a group that the line is not about.

    said : words in place of each number, such as "24 of 30".
    """

    label: str
    values: tuple[Estimate | Plain | Missing | None, ...]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """groups : label and look of each.   most : the value of a full bar.   unit : above the bars.   suffix : after numbers.

    key : what the marks mean, under the unit.
    """

    title: str
    groups: tuple[tuple[str, Look], ...]
    pairs: tuple[Pair, ...]
    unit: str
    most: float = 100.0
    suffix: str = ""
    decimals: int = 0
    key: str = ""

    def svg(self, name: str) -> Markup:
        key, top = legend(self.groups) if len(self.groups) > 1 else (Markup(""), 0.0)
        top += 22
        parts = [
            patterns([look for _, look in self.groups], name),
            key,
            words(self.unit, "0", top - 8, fill=SOFT, font_size=13),
        ]
        for line in wrap(self.key, LONGEST + 8):
            parts.append(words(line, "0", top + 10, fill=SOFT, font_size=13))
            top += LINE_HEIGHT
        for pair in self.pairs:
            lines = wrap(pair.label, LONGEST)
            parts += [words(line, "0", top + 16 + LINE_HEIGHT * place) for place, line in enumerate(lines)]
            top += LINE_HEIGHT * len(lines) + 6
            shown = self._about(pair)
            for place, index in enumerate(shown):
                parts.append(self._bar(pair, index, self.groups[index][1], top + place * (BAR + GAP), name))
            top += (BAR + GAP) * len(shown) + 10
        parts.append(self._scale(top))
        return frame(name, self.title, self._described(), top + 18, *parts)

    def _scale(self, top: float) -> Markup:
        """The axis under the bars: its two ends and its middle."""
        parts = []
        for share, end in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
            x = percent(REACH * share)
            parts.append(tag("line", x1=x, x2=x, y1=px(top - 6), y2=px(top), stroke=SOFT, stroke_width=1))
            said = f"{number(self.most * share, self.decimals)}{self.suffix}"
            parts.append(words(said, x, top + 13, fill=SOFT, font_size=12, text_anchor=end))
        return Markup("").join(parts)

    def plotly(self) -> dict[str, Any]:
        count = len(self.pairs)
        traces, notes = [], []
        for index, (label, look) in enumerate(self.groups):
            shown = [
                (place, pair) for place, pair in enumerate(self.pairs)
                if isinstance(pair.values[index], Estimate | Plain)
            ]  # fmt: skip
            values = [_known(pair.values[index]) for _, pair in shown]
            ends = [one if isinstance(one, Estimate) else Estimate(one.value, one.value, one.value) for one in values]
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": label,
                    "x": [one.value for one in values],
                    "y": [count - 1 - place - self._lift(index) for place, _ in shown],
                    "width": 0.6 / len(self.groups) * 0.7,
                    "marker": {
                        "color": look.colour,
                        "pattern": {"shape": {"solid": "", "stripes": "/", "dots": "."}[look.pattern]},
                    },
                    "error_x": {
                        "type": "data", "symmetric": False, "color": look.colour, "thickness": 2, "width": 4,
                        "array": [one.high - one.value for one in ends],
                        "arrayminus": [one.value - one.low for one in ends],
                    },
                    "text": [f"{label}, {pair.label}: {self._text(pair, index)}" for _, pair in shown],
                    "textposition": "none",
                    "hoverinfo": "text",
                }
            )  # fmt: skip
        for place, pair in enumerate(self.pairs):
            notes.append(note(short(pair.label), (0, count - 1 - place + 0.38), end="left", lift=0))
        across = axis(range=[0, self.most * 100 / REACH], tickvals=[0, self.most / 2, self.most])
        up = axis(range=[-0.5, count - 0.35], showticklabels=False, showgrid=False)
        height = (36.0 + (BAR + GAP) * len(self.groups)) * count + 40
        return {
            "data": traces,
            "layout": layout(height, barmode="overlay", annotations=notes, xaxis=across, yaxis=up),
        }

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for pair in self.pairs:
            for index in self._about(pair):
                label, value = self.groups[index][0], pair.values[index]
                numbers: tuple[Cell, ...] = (None, None, None)
                if isinstance(value, Estimate):
                    numbers = (value.value, value.low, value.high)
                elif isinstance(value, Plain):
                    numbers = (value.value, None, None)
                rows.append((pair.label, label, *numbers, value.reason if isinstance(value, Missing) else None))
        head = (say("What"), say("Group"), self.unit.capitalize(), say("Interval from"), say("Interval to"))
        return Table((*head, say("Why there is no number")), tuple(rows))

    def _about(self, pair: Pair) -> list[int]:
        """The groups that a line is about."""
        return [index for index, value in enumerate(pair.values) if value is not None]

    def _lift(self, index: int) -> float:
        return 0.42 * (index / max(len(self.groups) - 1, 1)) if len(self.groups) > 1 else 0.1

    def _text(self, pair: Pair, index: int) -> str:
        if pair.said:
            return pair.said[index]
        value = pair.values[index]
        if isinstance(value, Missing):
            return value.reason
        if value is None:
            return ""
        if isinstance(value, Plain):
            return f"{number(value.value, self.decimals)}{self.suffix}"
        return f"{interval(value, self.decimals)}{self.suffix}"

    def _described(self) -> str:
        said = [
            f"{pair.label}, {label}: {self._text(pair, index)}"
            for pair in self.pairs
            for index in self._about(pair)
            for label in (self.groups[index][0],)
        ]
        return f"{self.unit.capitalize()}. " + "; ".join(said) + "."

    def _bar(self, pair: Pair, index: int, look: Look, y: float, name: str) -> Markup:
        value = pair.values[index]
        if value is None:
            return Markup("")
        if isinstance(value, Missing):
            dashes = tag("line", x1=0, x2=percent(REACH), y1=px(y + BAR / 2), y2=px(y + BAR / 2), stroke=SOFT,
                         stroke_dasharray="3 5")  # fmt: skip
            return dashes + words(say("not shown"), "100%", y + 12, fill=SOFT, font_size=13, text_anchor="end")
        width = self._across(value.value)
        parts = [
            tag("rect", x=0, y=px(y), width=percent(REACH), height=px(BAR), fill=PAPER, stroke=LINE, rx=2),
            tag(
                "rect",
                x=0,
                y=px(y),
                width=percent(width),
                height=px(BAR),
                fill=fill(look, name),
                stroke=look.colour,
                rx=2,
            ),
        ]
        if isinstance(value, Estimate):
            first, last = percent(self._across(value.low)), percent(self._across(value.high))
            middle, bar = px(y + BAR / 2), {"stroke": look.colour, "stroke_width": 2}
            parts.append(tag("line", x1=first, x2=last, y1=middle, y2=middle, stroke=PAPER, stroke_width=5))
            parts.append(tag("line", x1=first, x2=last, y1=middle, y2=middle, **bar))
            parts += [tag("line", x1=x, x2=x, y1=px(y + 3), y2=px(y + BAR - 3), **bar) for x in (first, last)]
        said = pair.said[index] if pair.said else f"{number(value.value, self.decimals)}{self.suffix}"
        place = {"x": "100%", "text_anchor": "end"} if pair.said else {"x": percent(REACH + 2)}
        parts.append(words(said, **place, y=y + 12, fill=look.colour, font_weight=700))
        return Markup("").join(parts)

    def _across(self, value: float) -> float:
        return REACH * min(max(value, 0.0), self.most) / self.most


def _known(value: Estimate | Plain | Missing | None) -> Estimate | Plain:
    if value is None or isinstance(value, Missing):
        raise TypeError("a missing value has no place on an axis")
    return value
