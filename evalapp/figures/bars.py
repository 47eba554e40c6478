"""Bars: of those expected (or aimed for), how many opened and how many answered. The response board and recruitment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from evalapp.figures.drawing import (
    LINE,
    PAPER,
    POOLED,
    SOFT,
    TREATMENT,
    Cell,
    Look,
    Table,
    axis,
    fill,
    frame,
    layout,
    note,
    patterns,
    percent,
    px,
    short,
    tag,
    words,
)

NARROWEST = 34  # letters that a label and its count may share on one line of a narrow telephone


@dataclass(frozen=True)
class Bar:
    """One line. None in `answered` means it is not shown, and `reason` says why. `words` overrides the usual count."""

    label: str
    expected: int | None
    answered: int | None
    opened: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Bars:
    """bars : from top to bottom; each track is all that were expected.   done, of : the words between the counts."""

    title: str
    bars: tuple[Bar, ...]
    done: str = "answered"
    of: str = "expected"
    begun: str = "opened, not sent"

    def svg(self, name: str) -> Markup:
        parts = [patterns([TREATMENT, POOLED], name)]
        top = 0.0
        if any(bar.opened for bar in self.bars):
            parts.append(self._key(name))
            top = 28.0
        parts.extend(self._bar(bar, top + self._row_height() * index, name) for index, bar in enumerate(self.bars))
        return frame(name, self.title, self._described(), top + self._row_height() * len(self.bars) + 2, *parts)

    def plotly(self) -> dict[str, Any]:
        shown = [bar for bar in self.bars if bar.answered is not None and bar.expected]
        count = len(self.bars)
        place = {bar: count - 1 - index for index, bar in enumerate(self.bars)}

        def trace(label: str, look: Look, share: list[float], shape: str) -> dict[str, Any]:
            return {
                "type": "bar",
                "orientation": "h",
                "name": label,
                "x": share,
                "y": [place[bar] for bar in shown],
                "width": 0.3,
                "marker": {"color": look.colour, "pattern": {"shape": shape}},
                "text": [f"{bar.label}: {self._told(bar)}" for bar in shown],
                "textposition": "none",
                "hoverinfo": "text",
            }

        traces = [trace(self.done, TREATMENT, [100 * (bar.answered or 0) / (bar.expected or 1) for bar in shown], "")]
        if any(bar.opened for bar in shown):
            begun = [100 * max((bar.opened or 0) - (bar.answered or 0), 0) / (bar.expected or 1) for bar in shown]
            traces.append(trace(self.begun, POOLED, begun, "."))
        notes = []
        for bar in self.bars:
            lift = (36, 18) if self._stacked() else (18, 18)
            notes.append(note(short(bar.label), (0, place[bar]), end="left", lift=lift[0]))
            side = (0, "left") if self._stacked() else (1, "right")
            notes.append(note(self._said(bar), (side[0], place[bar]), end=side[1], lift=lift[1]))
        return {
            "data": traces,
            "layout": layout(
                self._row_height() * count + 40,
                barmode="stack",
                annotations=notes,
                showlegend=len(traces) > 1,
                xaxis=axis(range=[0, 106], ticksuffix=" %", tickvals=[0, 50, 100]),
                yaxis=axis(range=[-0.4, count - 0.25], showticklabels=False, showgrid=False),
            ),
        }

    def table(self) -> Table:
        opened = any(bar.opened is not None for bar in self.bars)
        head = (
            "Group",
            self.of.capitalize(),
            *(("Opened",) if opened else ()),
            self.done.capitalize(),
            "Why there is no number",
        )
        rows: list[tuple[Cell, ...]] = []
        for bar in self.bars:
            middle = (bar.opened,) if opened else ()
            rows.append((bar.label, bar.expected, *middle, bar.answered, bar.reason or None))
        return Table(head, tuple(rows))

    def _said(self, bar: Bar) -> str:
        if bar.answered is None:
            return "not shown"
        if not bar.expected:
            return f"{bar.answered} {self.done}"
        return f"{bar.answered} of {bar.expected}"

    def _stacked(self) -> bool:
        """Whether counts stand under their labels, because some row has not the room beside it."""
        return any(len(bar.label) + len(self._said(bar)) > NARROWEST for bar in self.bars)

    def _row_height(self) -> float:
        return 64.0 if self._stacked() else 46.0

    def _told(self, bar: Bar) -> str:
        return self._said(bar) if bar.opened is None else f"{self._said(bar)}, {bar.opened} opened"

    def _described(self) -> str:
        said = [f"{bar.label}: {self._told(bar)}" for bar in self.bars]
        return f"How many {self.done}, of those {self.of}. " + "; ".join(said) + "."

    def _key(self, name: str) -> Markup:
        parts = []
        for x, label, look in ((0, self.done, TREATMENT), (34, self.begun, POOLED)):
            box = tag("rect", x=1, y=2, width=14, height=14, fill=fill(look, name), stroke=look.colour)
            parts.append(tag("svg", box, words(label.capitalize(), "22", 14), x=percent(x), y=0, overflow="visible"))
        return Markup("").join(parts)

    def _bar(self, bar: Bar, top: float, name: str) -> Markup:
        stacked = self._stacked()
        said = words(
            self._said(bar),
            "0" if stacked else "100%",
            top + (35 if stacked else 16),
            text_anchor=None if stacked else "end",
            font_weight=700 if bar.answered is not None else 400,
            fill=SOFT if bar.answered is None else TREATMENT.colour,
        )
        parts = [words(short(bar.label), "0", top + 16), said]
        line = top + self._row_height() - 22
        track = {"y": px(line), "height": 12}
        parts.append(tag("rect", x=0, width="100%", fill=PAPER, stroke=LINE, stroke_width=1.5, rx=3, **track))
        if bar.answered is None:
            parts.append(
                tag("line", x1=0, x2="100%", y1=px(line + 6), y2=px(line + 6), stroke=SOFT, stroke_dasharray="3 5")
            )
        elif bar.expected:
            done = min(100.0, 100 * bar.answered / bar.expected)
            if bar.opened and bar.opened > bar.answered:
                begun = min(100.0, 100 * bar.opened / bar.expected)
                parts.append(tag("rect", x=0, width=percent(begun), fill=fill(POOLED, name), rx=3, **track))
            parts.append(tag("rect", x=0, width=percent(done), fill=fill(TREATMENT, name), rx=3, **track))
        return Markup("").join(parts)
