"""Reads one TOML table key by key; what is wrong is noted with file, key and advice, not raised at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import cast

LONGEST_TEXT = 2000
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class Table:
    """One table of a file. Reading a key marks it known; `finish` notes the keys nobody read."""

    def __init__(self, content: Mapping[str, object], file: str, key: str, problems: list[str]) -> None:
        self.content = content
        self.file = file
        self.key = key
        self.problems = problems
        self._read: set[str] = set()

    def fault(self, key: str, message: str) -> None:
        """Note a fault at a key of this table ("" for the table itself)."""
        place = ".".join(part for part in (self.key, key) if part)
        self.problems.append(f"{self.file}: {place}: {message}" if place else f"{self.file}: {message}")

    def text(self, key: str, *, required: bool = True) -> str:
        """A sentence or word a person or another table reads, trimmed; "" when absent or at fault."""
        value = self._take(key, str, "a text in double quotes", required=required)
        if value is None:
            return ""
        words = cast("str", value).strip()
        if not words:
            self.fault(key, "is empty; write the text or take the key out")
        elif len(words) > LONGEST_TEXT:
            self.fault(key, f"has {len(words)} characters; keep it under {LONGEST_TEXT}")
        elif UNSEEN.search(words):
            self.fault(key, "holds a character that cannot be seen; type the text afresh")
        return words

    def one_of(self, key: str, allowed: Collection[str]) -> str:
        """A text out of a fixed list; "" when absent or at fault."""
        word = self.text(key)
        if word and word not in allowed:
            self.fault(key, f"{word!r} is not known; use one of {', '.join(sorted(allowed))}")
            return ""
        return word

    def integer(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        """A whole number from low to high; `low` when at fault; required unless there is a default."""
        value = self._take(key, int, "a whole number", required=default is None)
        if value is None:
            return low if default is None or key in self.content else default
        number = cast("int", value)
        if not low <= number <= high:
            self.fault(key, f"is {number}; use a whole number from {low} to {high}")
            return low
        return number

    def number(self, key: str) -> int | float | None:
        """A finite number, or None when absent."""
        value = cast("int | float | None", self._take(key, (int, float), "a number", required=False))
        if value is not None and not abs(value) < float("inf"):
            self.fault(key, "is not a finite number; use one, or take the key out for no bound")
            return None
        return value

    def day(self, key: str) -> date | None:
        """A calendar date without a time, or None when absent."""
        value = self._take(key, date, "a date such as 2024-05-31, without quotes", required=False)
        if isinstance(value, datetime):
            self.fault(key, "has a time of day; use a date such as 2024-05-31")
            return None
        return cast("date | None", value)

    def truth(self, key: str, *, default: bool | None) -> bool | None:
        """True or false, or the default when absent."""
        value = self._take(key, bool, "true or false", required=False)
        return default if value is None else cast("bool", value)

    def texts(self, key: str, *, required: bool = True) -> tuple[str, ...]:
        """A list of different texts; a required list is never empty."""
        value = self._take(key, list, "a list of texts in double quotes", required=required)
        if value is None:
            return ()
        words = cast("list[object]", value)
        if not all(isinstance(word, str) for word in words):
            self.fault(key, 'must hold texts only, such as ["BLG1", "BLG2"]')
            return ()
        if required and not words:
            self.fault(key, "is an empty list; name at least one")
        if len(set(words)) < len(words):
            self.fault(key, "names the same thing twice; name each once")
        return tuple(dict.fromkeys(cast("list[str]", words)))

    def pair(self, key: str) -> tuple[float, float] | None:
        """Two finite numbers, the lower first, or None when absent or at fault."""
        value = self._take(key, list, "the lowest and the highest answer, such as [1, 5]", required=False)
        if value is None:
            return None
        ends = cast("list[object]", value)
        match ends:
            case [int() | float() as low, int() | float() as high] if float("-inf") < low < high < float("inf"):
                return low, high
        self.fault(key, "must be the lowest and the highest answer, such as [1, 5]")
        return None

    def table(self, key: str, *, required: bool = True) -> Table | None:
        """A table within this one, or None when absent or at fault."""
        value = self._take(key, dict, "a table", required=required)
        place = f"{self.key}.{key}" if self.key else key
        return None if value is None else Table(cast("dict[str, object]", value), self.file, place, self.problems)

    def tables(self, key: str, *, required: bool = True) -> dict[str, Table]:
        """The tables within a table, by their names, in the order of the file."""
        outer = self.table(key, required=required)
        if outer is None:
            return {}
        found = {name: outer.table(name) for name in outer.content}
        return {name: inner for name, inner in found.items() if inner is not None}

    def finish(self) -> None:
        """Note every key that was not read."""
        for key in self.content:
            if key not in self._read:
                self.fault(key, "is not a key known here; correct its spelling or take it out")

    def _take(self, key: str, kind: type | tuple[type, ...], expected: str, *, required: bool) -> object | None:
        self._read.add(key)
        if key not in self.content:
            if required:
                self.fault(key, f"is missing; add it: {expected}")
            return None
        value = self.content[key]
        # In Python true is also an integer; in a questionnaire it never is.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fault(key, f"must be {expected}")
            return None
        return value
