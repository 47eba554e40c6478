"""Numbers and lines of a text for a person at a terminal 100 characters wide: rounded here, and nowhere before."""

import textwrap
from collections.abc import Iterable

from analysis.results import Effect, Interval, Ratio

WIDTH = 98


def header(first: str, level: float) -> str:
    return f"  {first:36}{'difference':>11}{'SE':>9}{'df':>7}{'t':>8}{'p':>9}  {percent(level)} interval"


def row(title: str, value: Effect) -> str:
    return (
        f"{title:38}{number(value.estimate):>11}{number(value.se):>9}{value.df:>7.4g}"
        f"{value.statistic:>8.3f}{p_value(value.p):>9}  {interval(value.ci)}"
    )


def tested(value: Effect, level: float) -> str:
    return (
        f"{percent(level)} interval {interval(value.ci)}, t({value.df:.4g}) = {value.statistic:.3f}, "
        f"p {equals(value.p)}"
    )


def listed(title: str, notes: Iterable[str]) -> list[str]:
    lines = [line for note in notes for line in wrapped(note, "  – ")]
    return [title, *lines] if lines else []


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def wrapped(text: str, prefix: str = "") -> list[str]:
    """Lines of a text, the first with a prefix and the others under it; a number stays with its per cent sign."""
    joined = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(
        joined, WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix), break_on_hyphens=False
    )
    return [one.replace("\N{NO-BREAK SPACE}%", " %") for one in lines]


def number(value: float) -> str:
    return f"{value:.4g}" if value and abs(value) < 0.001 else f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def p_value(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def equals(p: float) -> str:
    """For a sentence: "= 0.0123" or "< 0.0001"."""
    said = p_value(p)
    return said if said.startswith("<") else f"= {said}"


def percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def interval(ci: Interval) -> str:
    low, high = ("none" if bound is None else number(bound) for bound in ci)
    return f"{low} to {high}"


def with_interval(ratio: Ratio) -> str:
    return f"{number(ratio.value)} ({interval(ratio.ci)})"
