"""People in ten: how many of every ten people reached a mark, each group a row of ten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    PAPER,
    SOFT,
    Cell,
    Estimate,
    Look,
    Table,
    Value,
    axis,
    error_bar,
    frame,
    interval,
    layout,
    px,
    say,
    tag,
    words,
)

ROW = 104.0
STEP = 27.0  # pixels from person to person: ten fit a narrow telephone


@dataclass(frozen=True)
class InTen:
    """One group; its value counts people of ten, with the interval that surrounds it."""

    label: str
    look: Look
    value: Value


@dataclass(frozen=True)
class Tens:
    """groups : from top to bottom.   what : what the people counted have in common, in words."""

    title: str
    groups: tuple[InTen, ...]
    what: str

    def svg(self, name: str) -> Markup:
        parts = [self._row(group, ROW * index) for index, group in enumerate(self.groups)]
        return frame(name, self.title, self._described(), ROW * len(self.groups), *parts)

    def plotly(self) -> dict[str, Any]:
        shown = [group for group in self.groups if isinstance(group.value, Estimate)]
        traces = []
        for group in shown:
            value = group.value
            if isinstance(value, Estimate):
                traces.append(
                    {
                        "type": "bar",
                        "orientation": "h",
                        "name": group.label,
                        "y": [group.label],
                        "x": [value.value],
                        "error_x": error_bar([value], group.look),
                        "width": 0.4,
                        "marker": {
                            "color": group.look.colour,
                            "pattern": {"shape": {"solid": "", "stripes": "/", "dots": "."}[group.look.pattern]},
                        },
                        "text": [f"{group.label}: {interval(value)} {say('in 10')}"],
                        "textposition": "none",
                        "hoverinfo": "text",
                    }
                )
        across = axis(range=[0, 10.5], tickvals=[0, 2, 4, 6, 8, 10], title=say("people in 10"))
        up = axis(autorange="reversed", showgrid=False)
        return {"data": traces, "layout": layout(ROW * len(self.groups), xaxis=across, yaxis=up, showlegend=False)}

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for group in self.groups:
            if isinstance(group.value, Estimate):
                rows.append((group.label, group.value.value, group.value.low, group.value.high, None))
            else:
                rows.append((group.label, None, None, None, group.value.reason))
        head = ("Group", "People in 10", "Interval from", "Interval to", "Why there is no number")
        return Table(tuple(say(one) for one in head), tuple(rows))

    def _described(self) -> str:
        said = [
            f"{group.label}: {interval(group.value)} {say('in 10')}"
            if isinstance(group.value, Estimate)
            else f"{group.label}: {group.value.reason}"
            for group in self.groups
        ]
        return f"{say('People in ten who')} {self.what}. " + "; ".join(said) + "."

    def _row(self, group: InTen, top: float) -> Markup:
        label = words(group.label, "0", top + 16, font_weight=600)
        if not isinstance(group.value, Estimate):
            return label + words(group.value.reason, "0", top + 40, fill=SOFT, font_size=13)
        value = group.value
        said = words(
            f"{px(value.value)} {say('in 10')}",
            px(10 * STEP),
            top + 16,
            text_anchor="end",
            font_weight=700,
            fill=group.look.colour,
        )
        people = [
            _person(group.look, index * STEP + STEP / 2, top + 26, full=index < value.value) for index in range(10)
        ]
        y = top + 70
        # From under the person at the lower end to under the one at the upper end: half a step back from their edges.
        first, last = (max(end * STEP - STEP / 2, 0.0) for end in (value.low, value.high))
        bar = {"stroke": group.look.colour, "stroke_width": 2}
        bracket = [
            tag("line", x1=px(first), x2=px(last), y1=px(y), y2=px(y), **bar),
            *(tag("line", x1=px(x), x2=px(x), y1=px(y - 5), y2=px(y + 5), **bar) for x in (first, last)),
        ]
        return Markup("").join(
            [label, said, *people, *bracket, words(_reach(value), "0", top + 91, fill=SOFT, font_size=13)]
        )


def _reach(value: Estimate) -> str:
    """What the bracket says, in words."""
    low, high = px(value.low), px(value.high)
    reach = low if low == high else f"{low} {say('to')} {high}"
    return f"{say('Likely range')}: {reach} {say('in 10')}"


def _person(look: Look, x: float, top: float, *, full: bool) -> Markup:
    style = {"fill": look.colour if full else PAPER, "stroke": look.colour, "stroke_width": 1.5}
    if not full:
        style["stroke_dasharray"] = "3 2"
    head = tag("circle", cx=px(x), cy=px(top + 7), r=6, **style)
    d = f"M{px(x - 9)},{px(top + 35)} v-8 a9,9 0 0 1 18,0 v8 z"
    return head + tag("path", d=d, **style)
