"""The reliability of a scale from a table of answers, as JSON and as text for a person."""

import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.errors import BadData
from analysis.measures.reliability import GroupReliability, Reliability, keyed, reliability, reliability_by
from analysis.results import NotEstimable
from evalapp.exchange.table import Table

_WIDTH = 98


@dataclass(frozen=True)
class Answer:
    """groups : one without labels where no column tells groups apart.   left_out : rows without a label.

    version : of the program, for the record.
    """

    groups: tuple[GroupReliability, ...]
    by: tuple[str, ...]
    left_out: int
    level: float
    sha256: str
    version: str


def of_table(
    table: Table,
    items: tuple[str, ...],
    reverse: tuple[str, ...],
    by: tuple[str, ...],
    lowest: float | None,
    highest: float | None,
    level: float,
    version: str,
) -> Answer:
    """Reliability of the named columns (or of all but `by`). Raises BadData where the table cannot answer."""
    frame = table.frame
    for name in (*items, *by):
        if name not in frame.columns:
            raise BadData(f'there is no column "{name}"; the columns are {", ".join(map(str, frame.columns))}')
    both = [name for name in items if name in by]
    if both:
        raise BadData(f'column "{both[0]}" is named both as an item and as a group; name two columns')
    for names, kind in ((items, "item"), (by, "group")):
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise BadData(f'column "{repeated[0]}" is named twice as {kind}; name it once')
    if not 0.5 <= level < 1.0:
        raise BadData(f"the level is {level:g}; give a proportion from 0.5 to below 1, such as 0.95")
    if any(end is not None and not math.isfinite(end) for end in (lowest, highest)):
        raise BadData("the range of the answers is not finite; give the least and the greatest answer")
    if frame.empty:
        raise BadData("the table has no rows; it needs one row a person")
    chosen = list(items) or [name for name in frame.columns if name not in by]
    if len(chosen) < 2:
        raise BadData(f"{len(chosen)} columns hold items; a scale has two or more, one a column")
    answers = keyed(frame[chosen], reverse, lowest, highest)
    if not by:
        alone = GroupReliability((), reliability(answers, level, lowest, highest))
        return Answer((alone,), by, 0, level, table.sha256, version)
    labels: pd.DataFrame = frame[list(by)]
    blank = labels.map(lambda cell: pd.isna(cell) or not str(cell).strip()).any(axis=1)
    if blank.all():
        raise BadData(f'no row has a label in column "{by[0]}"; fill it in or leave --by out')
    found = reliability_by(answers, labels, level, lowest, highest)
    return Answer(found, by, int(blank.sum()), level, table.sha256, version)


def as_dict(answer: Answer) -> dict[str, Any]:
    """Plain values for JSON, at full precision; one object for the scale, or a list of them by group."""
    provenance = {"data_sha256": answer.sha256, "version": answer.version}
    if not answer.by:
        return {**answer.groups[0].result.to_dict(), "provenance": provenance}
    return {
        "by": list(answer.by),
        "left_out": answer.left_out,
        "groups": [group.to_dict() for group in answer.groups],
        "provenance": provenance,
    }


def in_words(answer: Answer) -> str:
    """The whole answer, for a terminal 100 characters wide."""
    lines: list[str] = []
    for one in answer.groups:
        if one.group:
            lines += [", ".join(f"{column} {label}" for column, label in one.group)]
        lines += [*_group(one.result, answer.level), ""]
    if answer.left_out:
        lines += [f"{answer.left_out} rows without a label in {' or '.join(answer.by)} are left out", ""]
    return "\n".join([*lines, f"Data SHA-256 {answer.sha256}", f"evalapp {answer.version}"])


def _group(result: Reliability | NotEstimable, level: float) -> Iterable[str]:
    if isinstance(result, NotEstimable):
        yield from textwrap.wrap(f"not estimable: {result.reason}", _WIDTH, initial_indent="  ", subsequent_indent="  ")
        return
    low, high = result.alpha_ci
    yield f"  {result.n} people answered all of {len(result.items)} items"
    yield f"  alpha  {result.alpha:.3f}, {100 * level:.4g} % interval {low:.3f} to {high:.3f}"
    if isinstance(result.omega, NotEstimable):
        yield from textwrap.wrap(f"omega  not estimable: {result.omega.reason}", _WIDTH, initial_indent="  ")
    else:
        yield f"  omega  {result.omega:.3f}"
    short = {name: name if len(name) <= 34 else f"{name[:33]}…" for name in result.items}
    wide = max(4, *map(len, short.values()))
    yield ""
    yield f"  {'item':{wide}}{'item-rest':>11}{'alpha without':>15}{'mean':>9}{'floor':>8}{'ceiling':>9}{'missing':>9}"
    for name, item in result.items.items():
        yield (
            f"  {short[name]:{wide}}{_number(item.item_rest):>11}{_number(item.alpha_if_dropped):>15}"
            f"{item.mean:>9.3f}{_share(item.floor):>8}{_share(item.ceiling):>9}{_share(item.missing):>9}"
        )
    for note in result.warnings:
        yield from textwrap.wrap(note, _WIDTH, initial_indent="  – ", subsequent_indent="    ")


def _number(value: float | NotEstimable) -> str:
    return "none" if isinstance(value, NotEstimable) else f"{value:.3f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
