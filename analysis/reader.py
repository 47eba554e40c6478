"""Reading a table of keys and values strictly: the first thing missing, unknown or wrong is named, with what is needed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.errors import BadData


class Reader:
    """One table of a document. Every key is read once; `finish` refuses what was not read."""

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, Mapping):
            raise BadData(f"{where}: a table of keys and values is needed")
        self._values = {str(key): value for key, value in values.items()}
        self._read: set[str] = set()
        self.where = where

    def finish(self) -> None:
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            raise BadData(
                f"{self.where}.{unknown[0]}: there is no such key; the keys are {', '.join(sorted(self._read))}"
            )

    def text(self, key: str, usual: str | None = None) -> str:
        value = self._value(key, usual)
        if not isinstance(value, str) or not value.strip():
            raise BadData(f"{self.where}.{key}: a text is needed, not {value!r}")
        return value.strip()

    def optional(self, key: str) -> str | None:
        return self.text(key) if self._given(key) else None

    def choice(self, key: str, choices: Sequence[str], usual: str | None = None) -> str:
        value = self.text(key, usual)
        if value not in choices:
            raise BadData(f'{self.where}.{key}: "{value}" is not one of {", ".join(choices)}')
        return value

    def texts(self, key: str, choices: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of texts, () when left out."""
        values = self._value(key, ())
        if not isinstance(values, list | tuple) or not all(isinstance(one, str) and one.strip() for one in values):
            raise BadData(f"{self.where}.{key}: a list of texts is needed, not {values!r}")
        for one in values:
            if choices is not None and one not in choices:
                raise BadData(f'{self.where}.{key}: "{one}" is not one of {", ".join(choices)}')
        return tuple(one.strip() for one in values)

    def number(self, key: str, usual: float | None = None) -> float:
        value = self._value(key, usual)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadData(f"{self.where}.{key}: a number is needed, not {value!r}")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        return self.number(key) if self._given(key) else None

    def whole(self, key: str, at_least: int, usual: int | None = None) -> int:
        value = self._value(key, usual)
        if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
            raise BadData(f"{self.where}.{key}: a whole number from {at_least} upwards is needed, not {value!r}")
        return value

    def pair(self, key: str) -> tuple[int, int]:
        """Two whole numbers from 1 upwards: treatment, control."""
        value = self._value(key, None)
        whole = isinstance(value, list | tuple) and all(isinstance(one, int) and one is not True for one in value)
        if not whole or len(value) != 2 or min(value) < 1:
            raise BadData(f"{self.where}.{key}: two whole numbers are needed, [treatment, control], not {value!r}")
        return value[0], value[1]

    def optional_whole(self, key: str, at_least: int) -> int | None:
        return self.whole(key, at_least) if self._given(key) else None

    def flag(self, key: str, usual: bool | None = None) -> bool:
        value = self._value(key, usual)
        if not isinstance(value, bool):
            raise BadData(f"{self.where}.{key}: true or false is needed, not {value!r}")
        return value

    def flag_or_null(self, key: str) -> bool | None:
        """None only where it is written down, as null."""
        return self.flag(key) if self._given(key) or key not in self._values else None

    def pass_over(self, key: str) -> None:
        """Allow a key that does not count here."""
        self._read.add(key)

    def table(self, key: str) -> "Reader":
        return Reader(self._value(key, None), f"{self.where}.{key}")

    def tables(self, key: str, *, needed: bool = False) -> list["Reader"]:
        """A list of tables, empty when left out and not needed."""
        values = self._value(key, None if needed else ())
        if not isinstance(values, list | tuple):
            raise BadData(f"{self.where}.{key}: a list of tables is needed, not {values!r}")
        return [Reader(one, f"{self.where}.{key}[{place}]") for place, one in enumerate(values)]

    def _given(self, key: str) -> bool:
        self._read.add(key)
        return self._values.get(key) is not None

    def _value(self, key: str, usual: Any) -> Any:
        self._read.add(key)
        value = self._values.get(key, usual)
        if value is None:
            raise BadData(f"{self.where}.{key}: is missing")
        return value
