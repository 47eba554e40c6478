"""When another format shows a question: its expression read into a condition of ours, or why it cannot be said here.

One parser for three ways of writing (REDCap's branching logic, XLSForm's XPath, LimeSurvey's expressions), each with
its own words. Nothing is ever evaluated. A blank answer makes `x != 1` true there and false here, so it is read as
`not x = 1`, which says the same.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from instruments import And, Answered, Compare, Condition, Not, OneOf, Or

LONGEST, DEEPEST = 2000, 30
FLIPPED = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_ANSWERED = {(">", 0), (">=", 1), ("!=", 0)}
_BLANK = {("=", 0), ("<", 1), ("<=", 0)}
_SIZES = ("string-length", "count-selected", "strlen", "count")


class NotSayable(Exception):
    """An expression that has no counterpart among our conditions; the message says why."""


class Token(NamedTuple):
    kind: str
    text: str


@dataclass(frozen=True)
class Dialect:
    """How one format writes: a pattern whose groups name the tokens, and what a name of it stands for.

    `named` gives the question and, for one box of several, the answer; it raises NotSayable for what is no question.
    """

    pattern: re.Pattern[str]
    named: Callable[[str], tuple[str, str | None]]


_REST = (
    r"(?P<string>\"[^\"]*\"|'[^']*'|“[^”]*”|‘[^’]*’)"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<sign><>|!=|==|<=|>=|=|<|>)"
    r"|(?P<and>&&|\band\b)|(?P<or>\|\||\bor\b)|(?P<worded>\b(?:eq|ne|lt|le|gt|ge)\b)"
    r"|(?P<open>\()|(?P<close>\))|(?P<comma>,)"
    r"|(?P<function>[A-Za-z_][\w:-]*)(?=\s*\()"
    r"|(?P<not>!|\bnot\b)"
)
REDCAP = re.compile(rf"\s*(?:(?P<item>(?:\[[^\[\]]*\])+)|{_REST})", re.IGNORECASE)
XPATH = re.compile(rf"\s*(?:\$\{{\s*(?P<item>[^}}]*?)\s*\}}|(?:\.\./)+(?P<path>[\w-]+)|{_REST})", re.IGNORECASE)
EXPRESSION = re.compile(
    rf"\s*(?:{_REST}|(?P<item>[A-Za-z][A-Za-z0-9_#]*|\d+X\d+X[A-Za-z0-9_#]+)(?:\.[A-Za-z_]+)*)", re.IGNORECASE
)
_WORDED = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def parse(text: str, dialect: Dialect) -> Condition:
    """The condition, with the file's own names and answers as text; NotSayable where there is none."""
    if len(text) > LONGEST:
        raise NotSayable(f"it is {len(text)} characters long")
    return _Parser(tuple(_tokens(text, dialect.pattern)), dialect.named).whole()


def simplified(condition: Condition) -> Condition:
    """The same condition without what its other parts imply, so that what we wrote ourselves reads as it was."""
    match condition:
        case And(parts):
            parts = tuple(simplified(part) for part in parts)
            seen = {part.item for part in parts if isinstance(part, Answered)}
            met = {part.item for part in parts if isinstance(part, Compare | OneOf)}
            kept = [_unequal(part, seen) for part in parts]
            met |= {part.item for part in kept if isinstance(part, Compare)}
            rest = tuple(part for part in kept if not (isinstance(part, Answered) and part.item in met))
            return rest[0] if len(rest) == 1 else And(rest)
        case Or(parts):
            return Or(tuple(simplified(part) for part in parts))
        case Not(Not(part)):
            return simplified(part)
        case Not(part):
            return Not(simplified(part))
    return condition


def _unequal(part: Condition, answered: set[str]) -> Condition:
    match part:
        case Not(Compare(item, "=", value)) if item in answered:
            return Compare(item, "!=", value)
    return part


def _tokens(text: str, pattern: re.Pattern[str]) -> Iterator[Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = pattern.match(text, place)
        if found is None or found.end() == place:
            raise NotSayable(f"it says {text[place : place + 20].strip()!r}")
        kind = str(found.lastgroup)
        yield Token("item" if kind == "path" else kind, found[kind])
        place = found.end()


class _Parser:
    """Recursive descent over the tokens; the depth is bounded."""

    def __init__(self, tokens: tuple[Token, ...], named: Callable[[str], tuple[str, str | None]]) -> None:
        self._tokens = tokens
        self._place = 0
        self._named = named

    def whole(self) -> Condition:
        condition = self._either(0)
        if self._peek().kind != "end":
            raise NotSayable(f"it goes on with {self._peek().text!r}")
        return simplified(condition)

    def _either(self, depth: int) -> Condition:
        parts = [self._both(depth)]
        while self._took("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._took("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise NotSayable("it is nested too deeply")
        if self._took("not"):
            return Not(self._one(depth + 1))
        if self._took("open"):
            inner = self._either(depth + 1)
            self._expect("close")
            return inner
        if self._peek().kind == "function":
            return self._called(depth)
        return self._compared(self._operand())

    def _called(self, depth: int) -> Condition:
        name = self._next().text.lower()
        self._expect("open")
        if name == "not":
            inner = self._either(depth + 1)
            self._expect("close")
            return Not(inner)
        if name in {"selected", "is_empty", "isblankormissingcode", *_SIZES}:
            item, box = self._item()
            if name == "selected":
                self._expect("comma")
                value = self._value()
                self._expect("close")
                return OneOf(item, (value,))
            self._expect("close")
            asked = Answered(item) if box is None else OneOf(item, (box,))
            return self._sized(asked) if name in _SIZES else Not(asked)
        raise NotSayable(f"it uses {name}(), which cannot be said here")

    def _sized(self, asked: Condition) -> Condition:
        """A length or a count is only ever asked whether it is nothing."""
        sign, value = self._sign(), self._value()
        if (sign, value) in _ANSWERED:
            return asked
        if (sign, value) in _BLANK:
            return Not(asked)
        raise NotSayable("it counts what was answered")

    def _operand(self) -> tuple[str, str | None] | float | int | str:
        return self._item() if self._peek().kind == "item" else self._value()

    def _compared(self, left: tuple[str, str | None] | float | str) -> Condition:
        if self._peek().kind not in {"sign", "worded"}:
            if isinstance(left, tuple):
                return Answered(left[0]) if left[1] is None else OneOf(left[0], (left[1],))
            raise NotSayable("it asks about no question")
        sign, right = self._sign(), self._operand()
        if isinstance(left, tuple):
            if isinstance(right, tuple):
                raise NotSayable("it compares one question with another")
            return _comparison(left, sign, right)
        if isinstance(right, tuple):
            return _comparison(right, FLIPPED[sign], left)
        raise NotSayable("it asks about no question")

    def _item(self) -> tuple[str, str | None]:
        if self._peek().kind != "item":
            raise NotSayable("it works something out before it compares")
        return self._named(self._next().text)

    def _value(self) -> float | int | str:
        kind, text = self._next()
        if kind == "string":
            return text[1:-1]
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "function" and text.lower() in {"true", "false"}:
            self._expect("open")
            self._expect("close")
            return text.lower()
        raise NotSayable(f"it compares with {text!r}" if text else "it ends too soon")

    def _sign(self) -> str:
        kind, text = self._next()
        if kind == "worded":
            return _WORDED[text.lower()]
        if kind != "sign":
            raise NotSayable("it works something out before it compares")
        return {"<>": "!=", "==": "="}.get(text, text)

    def _peek(self) -> Token:
        return self._tokens[self._place] if self._place < len(self._tokens) else Token("end", "")

    def _next(self) -> Token:
        token = self._peek()
        self._place += 1
        return token

    def _took(self, kind: str) -> bool:
        took = self._peek().kind == kind
        self._place += took
        return took

    def _expect(self, kind: str) -> None:
        if not self._took(kind):
            raise NotSayable("its brackets do not match, or it works something out")


def _comparison(named: tuple[str, str | None], sign: str, value: float | str) -> Condition:
    item, box = named
    if box is not None:
        return _box(item, box, sign, value)
    if value == "":
        if sign not in {"=", "!="}:
            raise NotSayable("it compares with nothing")
        return Answered(item) if sign == "!=" else Not(Answered(item))
    if sign == "!=":
        return Not(Compare(item, "=", value))
    return Compare(item, sign, value)


_TICKED: Mapping[str, bool] = {"1": True, "y": True, "0": False, "": False, "n": False}


def _box(item: str, box: str, sign: str, value: float | str) -> Condition:
    """One box of several, ticked or not."""
    ticked = _TICKED.get(str(value).lower())
    if ticked is None or sign not in {"=", "!="}:
        raise NotSayable(f"it compares the box {box!r} with {value!r}")
    inside = OneOf(item, (box,))
    return inside if ticked is (sign == "=") else Not(inside)
