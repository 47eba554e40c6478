"""Scales of others that a trial may add with its owner's permission: what is known of them and how they are scored, no text."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import NamedTuple

from instruments.errors import InstrumentError
from instruments.files import LIBRARY
from instruments.tables import Table

SLOTS = LIBRARY / "slots.toml"
GROUNDS = ("free with credit", "permission needed", "registration needed", "licence to be checked")


class SlotScale(NamedTuple):
    """How a scale of a slot is made: items by their number in the owner's form, and those that count the other way."""

    code: str
    title: str
    items: tuple[str, ...]
    reversed: tuple[str, ...]
    score: str
    min_answered: int
    higher: str


class Slot(NamedTuple):
    """A questionnaire of somebody else: never asked, since its text is not here."""

    name: str
    title: str
    measures: str
    items: int
    lowest: int
    highest: int
    owner: str
    licence: str
    ground: str
    url: str
    checked: date | None
    notice: str
    media: tuple[str, ...]
    unsure: str
    expected: tuple[str, ...]
    scales: tuple[SlotScale, ...]


def slots(path: Path = SLOTS) -> tuple[Slot, ...]:
    """Every slot, checked; InstrumentError with every fault."""
    problems: list[str] = []
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InstrumentError(f"{path.name}: {error}; correct the file") from None
    top = Table(content, path.name, "", problems)
    found = tuple(_slot(name, table) for name, table in top.tables("slots").items())
    top.finish()
    if problems:
        raise InstrumentError(problems)
    return found


def _slot(name: str, table: Table) -> Slot:
    lowest, highest = table.pair("answers") or (0, 1)
    count = table.integer("items", 1, 200)
    slot = Slot(
        name=name,
        title=table.text("title"),
        measures=table.text("measures"),
        items=count,
        lowest=int(lowest),
        highest=int(highest),
        owner=table.text("owner"),
        licence=table.text("licence"),
        ground=table.one_of("ground", GROUNDS),
        url=table.text("url", required=False),
        checked=table.day("checked"),
        notice=table.text("notice", required=False),
        media=table.texts("media", required=False),
        unsure=table.text("unsure", required=False),
        expected=table.texts("expected", required=False),
        scales=tuple(_scale(code, inner, count) for code, inner in table.tables("scales", required=False).items()),
    )
    table.finish()
    return slot


def _scale(code: str, table: Table, count: int) -> SlotScale:
    items, turned = table.texts("items"), table.texts("reversed", required=False)
    for number in items:
        if not number.isdecimal() or not 1 <= int(number) <= count:
            table.fault("items", f"{number!r} is no item from 1 to {count}; correct it")
    for number in turned:
        if number not in items:
            table.fault("reversed", f"{number!r} is not in the scale; add it to items or take it out")
    scale = SlotScale(
        code=code,
        title=table.text("title"),
        items=items,
        reversed=turned,
        score=table.one_of("score", ("sum", "mean", "percent positive")),
        min_answered=table.integer("min_answered", 1, count),
        higher=table.text("higher"),
    )
    if scale.min_answered > len(items):
        table.fault("min_answered", f"is {scale.min_answered} of {len(items)} items; use fewer")
    table.finish()
    return scale
