"""What every figure shares: its values, its colours and shapes, SVG elements, axes and words for numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup, escape

Cell = str | int | float | None

INK, SOFT, LINE, PAPER = "#16262b", "#47595f", "#d9e0e0", "#ffffff"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
# Figures have no viewBox: what lies across is a share of the width, what stands up is in pixels. So text is as large
# on a telephone as on a desk, and nothing is ever squeezed.
LONGEST = 36  # letters of a label on one line of a narrow telephone
EDGE = 5.5  # % of the width kept free at either end of an axis


# The figures' own few words ("to", "not shown") in the language of the page that is being drawn; `draw` sets it.
_spoken: ContextVar[Callable[[str], str] | None] = ContextVar("spoken", default=None)


def say(text: str) -> str:
    """A word of the figures' own, in the language being drawn: English unless `draw` was told otherwise."""
    speak = _spoken.get()
    return text if speak is None else speak(text)


def speaking(speak: Callable[[str], str], work: Callable[[], Drawn]) -> Drawn:
    """Draw with words in another language."""
    token = _spoken.set(speak)
    try:
        return work()
    finally:
        _spoken.reset(token)


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, in the figure's units."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Missing:
    """Why there is no number here: suppressed, or not estimable."""

    reason: str


Value = Estimate | Missing


@dataclass(frozen=True)
class Look:
    """How one group looks: told apart by colour, dash, shape and pattern, so that no one of them is needed."""

    colour: str
    dash: str
    shape: Literal["circle", "square", "diamond"]
    pattern: Literal["solid", "stripes", "dots"]
    symbol: str  # Plotly's name of the shape
    line: str  # Plotly's name of the dash


TREATMENT = Look("#0b5f66", "", "circle", "solid", "circle", "solid")
CONTROL = Look("#a85a00", "7 4", "square", "stripes", "square", "dash")
POOLED = Look("#43506b", "2 3", "diamond", "dots", "diamond", "dot")
LOOKS: Mapping[str, Look] = {"treatment": TREATMENT, "control": CONTROL, "pooled": POOLED}


@dataclass(frozen=True)
class Series:
    """One group of a figure: its label, its look and its values, one a position."""

    label: str
    look: Look
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure, at the precision they were given; None is printed as a dash."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Drawn:
    """A figure ready for a page."""

    name: str
    title: str
    svg: Markup
    plotly: dict[str, Any]
    table: Table


def number(value: float, decimals: int = 0) -> str:
    """A number as a person reads it: a true minus, and never "−0"."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def tick(value: float) -> str:
    """What stands at a place of an axis: the place itself, not one near it."""
    return number(value, next((places for places in (0, 1) if round(value, places) == round(value, 6)), 2))


def interval(value: Estimate, decimals: int = 0) -> str:
    low, high = number(value.low, decimals), number(value.high, decimals)
    return f"{number(value.value, decimals)} ({low} {say('to')} {high})"


def across(value: float, low: float, high: float) -> str:
    """Where a value of an axis lies across the figure, in per cent of its width; values beyond an end stop there."""
    share = (min(max(value, low), high) - low) / (high - low)
    return percent(EDGE + (100 - 2 * EDGE) * share)


def percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def px(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def tag(name: str, *inside: str, **attributes: Any) -> Markup:
    """One SVG element, everything in it escaped; `stroke_width` is written stroke-width."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(px(value) if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    content = "".join(escape(one) for one in inside)
    return Markup(f"<{name}{written}>{content}</{name}>")  # noqa: S704  (both parts are escaped above)


def words(text: str, x: str, y: float, **attributes: Any) -> Markup:
    return tag("text", text, x=x, y=px(y), **({"fill": INK, "font_size": 14} | attributes))


def short(text: str) -> str:
    """A label that fits a narrow telephone; the description and the table have it whole."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"


def at(x: str, *inside: str) -> Markup:
    """Elements whose pixels are counted from a place given in per cent of the width."""
    return tag("svg", *inside, x=x, y=0, overflow="visible")


def marker(look: Look, y: float, size: float = 6.0, *, x: float = 0.0) -> Markup:
    """A group's point at (x, y) pixels."""
    style = {"fill": look.colour, "stroke": PAPER, "stroke_width": 1.5}
    if look.shape == "circle":
        return tag("circle", cx=px(x), cy=px(y), r=px(size), **style)
    if look.shape == "square":
        side = size * 1.8
        return tag("rect", x=px(x - side / 2), y=px(y - side / 2), width=px(side), height=px(side), **style)
    reach = size * 1.25
    corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
    return tag("polygon", points=" ".join(f"{px(a)},{px(b)}" for a, b in corners), **style)


def pattern(look: Look, name: str) -> Markup:
    """The fill of a group's bars, defined once a figure under an id of its own."""
    back = tag("rect", width=8, height=8, fill=look.colour, fill_opacity="0.22" if look.pattern != "solid" else None)
    inside = [back]
    if look.pattern == "stripes":
        inside.append(tag("path", d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", stroke=look.colour, stroke_width=2))
    if look.pattern == "dots":
        inside.append(tag("circle", cx=4, cy=4, r=1.8, fill=look.colour))
    return tag("pattern", *inside, id=fill_id(look, name), width=8, height=8, patternUnits="userSpaceOnUse")


def fill_id(look: Look, name: str) -> str:
    return f"{name}-{look.pattern}"


def fill(look: Look, name: str) -> str:
    return f"url(#{fill_id(look, name)})"


def patterns(looks: Iterable[Look], name: str) -> Markup:
    return tag("defs", *(pattern(look, name) for look in dict.fromkeys(looks)))


def legend(series: Sequence[tuple[str, Look]], *, y: float = 12.0) -> tuple[Markup, float]:
    """Who is who, one a line where labels are long; returns it with the height it takes."""
    short = len(series) * max((len(label) for label, _ in series), default=0) <= 34
    parts = []
    for index, (label, look) in enumerate(series):
        x = percent(index * 50.0) if short else "0"
        line = y if short else y + 22 * index
        key = tag("line", x1=1, x2=27, y1=px(line), y2=px(line), stroke=look.colour, stroke_width=2.5,
                  stroke_dasharray=look.dash)  # fmt: skip
        parts.append(at(x, key, marker(look, line, x=14), words(label, "34", line + 5, font_weight=600)))
    return Markup("").join(parts), y + (16 if short else 22 * len(series) - 6)


def frame(name: str, title: str, description: str, height: float, *inside: str) -> Markup:
    """The whole drawing: as wide as its place, as high as it must be, labelled for those who do not see it."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *inside,
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        width="100%",
        height=px(height),
        font_family=FONT,
    )


def ticks_across(
    values: Sequence[float], low: float, high: float, top: float, bottom: float, said: Sequence[str] = ()
) -> Markup:
    """Upright grid lines and the numbers under them, or what is said in place of the numbers."""
    parts = []
    for value, text in zip(values, said or [tick(one) for one in values], strict=True):
        x = across(value, low, high)
        parts.append(tag("line", x1=x, x2=x, y1=px(top), y2=px(bottom), stroke=LINE, stroke_width=1))
        parts.append(
            words(
                text,
                x,
                bottom + 16,
                text_anchor="middle",
                fill=SOFT,
                font_size=13,
            )
        )
    return Markup("").join(parts)


def layout(height: float, **parts: Any) -> dict[str, Any]:
    """Plotly's layout for a figure of the same height as its SVG; wheels and drags never trap the page."""
    base = {
        "height": round(height),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 14, "color": INK},
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": PAPER, "font": {"color": INK}},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    }
    return base | parts


def note(text: str, place: tuple[float, float], *, end: str, lift: int, **font: Any) -> dict[str, Any]:
    """Plotly's words at (share of the width, value of the upright axis), lifted by some pixels.

    Plotly reads a few tags in words; ours have none, so angle brackets are replaced.
    """
    x, y = place
    plain = text.replace("<", "‹").replace(">", "›")
    return {
        "text": plain, "x": x, "xref": "paper", "xanchor": end, "y": y, "yshift": lift, "showarrow": False,
        "font": {"size": 13} | font,
    }  # fmt: skip


def axis(**parts: Any) -> dict[str, Any]:
    """One of Plotly's axes: quiet lines, fixed range, room for its own labels."""
    quiet = {"fixedrange": True, "gridcolor": LINE, "zeroline": False, "automargin": True, "showline": False}
    if "title" in parts:
        parts["title"] = {"text": parts["title"], "font": {"size": 13, "color": SOFT}}
    return quiet | parts


def error_bar(values: Sequence[Estimate], look: Look) -> dict[str, Any]:
    """Plotly's interval: how far it reaches above and below each value."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [one.high - one.value for one in values],
        "arrayminus": [one.value - one.low for one in values],
        "color": look.colour,
        "thickness": 2,
        "width": 5,
    }
