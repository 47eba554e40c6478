"""When a question is shown: a small language, parsed once at load and never evaluated as code.

Grammar (words in lower case, strings in double quotes)::

    condition := both ("or" both)*
    both      := one ("and" one)*
    one       := "not" one | "(" condition ")" | "answered" "(" ITEM ")"
               | ITEM ("=" | "!=" | "<" | "<=" | ">" | ">=") VALUE
               | ITEM "in" "(" VALUE ("," VALUE)* ")"
    VALUE     := NUMBER | "string"

A missing answer (skipped, refused, never shown) makes every comparison false, `!=` too; so
`not (age < 16)` is true for somebody who did not give an age. For a question with several answers,
`in` is true when any chosen answer is in the list.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

from instruments.errors import InstrumentError

REFUSALS = ("prefer_not", "not_applicable")
WORDS = frozenset({"and", "or", "not", "in", "answered"})
MAX_LENGTH = 500
MAX_DEPTH = 10


class Compare(NamedTuple):
    item: str
    operator: str
    value: int | float | str


class OneOf(NamedTuple):
    item: str
    values: tuple[int | float | str, ...]


class Answered(NamedTuple):
    item: str


class Not(NamedTuple):
    part: Condition


class And(NamedTuple):
    parts: tuple[Condition, ...]


class Or(NamedTuple):
    parts: tuple[Condition, ...]


Condition: TypeAlias = Compare | OneOf | Answered | Not | And | Or

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?[0-9]{1,15}(?:\.[0-9]{1,15})?(?![0-9A-Za-z_.]))|(?P<string>"[^"]*")"""
    r"""|(?P<word>[A-Za-z][A-Za-z0-9_]*)|(?P<sign><=|>=|!=|[=<>(),]))"""
)


def parse_condition(text: str) -> Condition:
    """The condition as a tree of small tuples.

    Raises InstrumentError, naming the place, for anything outside the grammar, longer than
    500 characters or nested deeper than ten.
    """
    if len(text) > MAX_LENGTH:
        raise InstrumentError(f"the condition has {len(text)} characters; keep it under {MAX_LENGTH}")
    return _Parser(_tokens(text)).whole()


def holds(condition: Condition, values: Mapping[str, object]) -> bool:
    """Whether the condition is true of these answers (item code to stored value)."""
    match condition:
        case And(parts):
            return all(holds(part, values) for part in parts)
        case Or(parts):
            return any(holds(part, values) for part in parts)
        case Not(part):
            return not holds(part, values)
        case Answered(item):
            return not is_missing(values.get(item))
        case Compare(item, sign, wanted):
            return _compare(values.get(item), sign, wanted)
        case OneOf(item, choices):
            given = values.get(item)
            several = given if isinstance(given, list | tuple | set | frozenset) else (given,)
            return any(_compare(one, "=", choice) for one in several for choice in choices)


def is_missing(value: object) -> bool:
    """None, a refusal, an empty text or list, and NaN (how a data frame says nothing) are missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if isinstance(value, str):
        return not value.strip() or value in REFUSALS
    return isinstance(value, list | tuple | set | frozenset) and not value


def named_items(condition: Condition) -> tuple[str, ...]:
    """Codes of the items a condition asks about, in order, repeats kept."""
    match condition:
        case And(parts) | Or(parts):
            return tuple(code for part in parts for code in named_items(part))
        case Not(part):
            return named_items(part)
        case Compare(item=item) | OneOf(item=item) | Answered(item=item):
            return (item,)


def _compare(given: object, sign: str, wanted: float | str) -> bool:
    if is_missing(given) or isinstance(given, bool):
        return False
    if isinstance(given, date):
        day = given.date() if isinstance(given, datetime) else given
        given = day.isoformat()
    if isinstance(given, str) is not isinstance(wanted, str):
        return False
    return isinstance(given, str | Real) and _COMPARE[sign](given, wanted)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place, end)
        if found is None or found.lastgroup is None:
            raise InstrumentError(
                f"the condition cannot be read from {text[place : place + 20].strip()!r}; "
                'use item codes, numbers, "quoted text", = != < <= > >= in and or not answered()'
            )
        tokens.append((found.lastgroup, found.group(found.lastgroup)))
        place = found.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens, one method a rule of the grammar."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0

    def whole(self) -> Condition:
        condition = self._either(0)
        if self._place < len(self._tokens):
            raise InstrumentError(f"the condition goes on with {self._peek()!r} where it should end or say and/or")
        return condition

    def _either(self, depth: int) -> Condition:
        parts = [self._both(depth)]
        while self._peek() == "or":
            self._place += 1
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._peek() == "and":
            self._place += 1
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth >= MAX_DEPTH:
            raise InstrumentError(f"the condition is nested deeper than {MAX_DEPTH}; say it more plainly")
        if self._peek() == "not":
            self._place += 1
            return Not(self._one(depth + 1))
        if self._peek() == "(":
            self._place += 1
            condition = self._either(depth + 1)
            self._expect(")")
            return condition
        if self._peek() == "answered":
            self._place += 1
            self._expect("(")
            item = self._item()
            self._expect(")")
            return Answered(item)
        return self._comparison()

    def _comparison(self) -> Condition:
        item = self._item()
        sign = self._peek()
        self._place += 1
        if sign == "in":
            self._expect("(")
            values = [self._value()]
            while self._peek() == ",":
                self._place += 1
                values.append(self._value())
            self._expect(")")
            return OneOf(item, tuple(values))
        if sign not in _COMPARE:
            raise InstrumentError(f"after {item} the condition needs = != < <= > >= or in, not {sign!r}")
        return Compare(item, sign, self._value())

    def _item(self) -> str:
        kind, word = self._next()
        if kind != "word" or word in WORDS:
            raise InstrumentError(f"the condition needs an item code where it says {word!r}")
        return word

    def _value(self) -> int | float | str:
        kind, word = self._next()
        if kind == "string":
            return word[1:-1]
        if kind == "number":
            return float(word) if "." in word else int(word)
        raise InstrumentError(f'the condition needs a number or "quoted text" where it says {word!r}')

    def _peek(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else "the end"

    def _next(self) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise InstrumentError("the condition ends too soon; finish it or leave show_if out")
        self._place += 1
        return self._tokens[self._place - 1]

    def _expect(self, sign: str) -> None:
        _, word = self._next()
        if word != sign:
            raise InstrumentError(f"the condition needs {sign!r} where it says {word!r}")
