"""Which items of two questionnaires match, and how: without a map nothing is pooled, and with one it is said."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from instruments.definitions import Instrument, Item
from instruments.errors import InstrumentError
from instruments.files import LIBRARY, Library
from instruments.tables import Table

HOW = ("same", "reworded", "recoded", "reworded_and_recoded")


class Match(NamedTuple):
    """An item here, the item there, and how they differ: in nothing, in words, in answers, or in both."""

    item: str
    to: str
    how: str


class Map(NamedTuple):
    """From one questionnaire to another: what matches, what has no counterpart, and why."""

    name: str
    version: int
    to_name: str
    to_version: int
    why: str
    matches: tuple[Match, ...]
    alone: tuple[str, ...]


def maps(instruments: Library, directory: Path = LIBRARY) -> tuple[Map, ...]:
    """Every map of a directory (NAME/VERSION.map.toml), checked against the questionnaires it speaks of.

    Raises InstrumentError with the faults of all files: items that are not there, items left out, and matches that
    say "same" of what differs or "reworded" of what does not.
    """
    problems: list[str] = []
    found: list[Map] = []
    for path in sorted(directory.glob("*/*.map.toml")):
        file = f"{path.parent.name}/{path.name}"
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            here = instruments.get(path.parent.name, int(path.name.split(".", maxsplit=1)[0]))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
            problems.append(f"{file}: {error}; correct the file")
            continue
        except InstrumentError as error:
            problems.extend(f"{file}: {problem}" for problem in error.problems)
            continue
        top = Table(content, file, "", problems)
        for name, table in top.tables("to").items():
            found.extend(_map(here, name, table, instruments))
        top.finish()
    if problems:
        raise InstrumentError(problems)
    return tuple(found)


def _map(here: Instrument, name: str, table: Table, instruments: Library) -> Iterator[Map]:
    version, why = table.integer("version", 1, 9999), table.text("why")
    alone = table.texts("alone", required=False)
    matches = [Match(code, code, "same") for code in table.texts("same", required=False)]
    for how in HOW[1:]:
        pairs = table.table(how, required=False)
        if pairs is not None:
            matches += [Match(code, pairs.text(code), how) for code in pairs.content]
            pairs.finish()
    table.finish()
    if (name, version) not in instruments:
        table.fault("version", f"there is no {name!r} version {version}; correct the name or the version")
        return
    there = instruments.get(name, version)
    for match in matches:
        _check_match(match, here, there, table)
    _check_whole(here, matches, alone, table)
    yield Map(here.name, here.version, name, version, why, tuple(matches), alone)


def _check_match(match: Match, here: Instrument, there: Instrument, table: Table) -> None:
    own, other = _items(here).get(match.item), _items(there).get(match.to)
    if own is None or other is None:
        code, where = (match.item, here) if own is None else (match.to, there)
        table.fault(match.how, f"there is no item {code!r} in {where.name} version {where.version}; correct it")
        return
    found = how_they_differ(own, other)
    if found != match.how:
        table.fault(match.how, f"{match.item} and {match.to} are {found.replace('_', ' ')}; move them there")


def how_they_differ(own: Item, other: Item) -> str:
    """One of HOW: in nothing, in words, in answers, or in both."""
    reworded, recoded = own.text != other.text, (own.kind, own.options) != (other.kind, other.options)
    return HOW[reworded + 2 * recoded]


def _check_whole(here: Instrument, matches: list[Match], alone: tuple[str, ...], table: Table) -> None:
    counted = Counter([match.item for match in matches] + list(alone))
    questions = {code: item for code, item in _items(here).items() if item.kind != "information"}
    for code in questions:
        if counted[code] != 1:
            table.fault(
                "", f"item {code!r} is named {counted[code]} times; say once what it matches, or that it is alone"
            )
    for code in alone:
        if code not in questions:
            table.fault("alone", f"there is no question {code!r} in {here.name} version {here.version}; correct it")
    for code, times in Counter(match.to for match in matches).items():
        if times > 1:
            table.fault("", f"{code!r} is matched {times} times; an item matches one other at most")


def _items(instrument: Instrument) -> dict[str, Item]:
    return {item.code: item for item in instrument.items}
