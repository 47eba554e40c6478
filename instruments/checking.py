"""Whether a condition and a scale fit the items they speak of; each check answers in sentences."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from instruments.conditions import And, Answered, Compare, Condition, Not, OneOf, Or
from instruments.definitions import NUMBERED, WORDED, Item, Scale
from instruments.tables import Table


def check_condition(condition: Condition, earlier: Mapping[str, Item], known: Collection[str]) -> list[str]:
    """What is wrong with a condition, given the items that come before it and the codes there are."""
    match condition:
        case And(parts) | Or(parts):
            return [problem for part in parts for problem in check_condition(part, earlier, known)]
        case Not(part):
            return check_condition(part, earlier, known)
        case Answered(code):
            return _check_place(code, earlier, known)
        case Compare(code, sign, value):
            return _check_place(code, earlier, known) or _check_compared(earlier[code], sign, (value,))
        case OneOf(code, values):
            return _check_place(code, earlier, known) or _check_compared(earlier[code], "in", values)


def _check_place(code: str, earlier: Mapping[str, Item], known: Collection[str]) -> list[str]:
    if code not in known:
        return [f"there is no item {code!r}; correct the code or add the item"]
    if code not in earlier:
        return [f"item {code!r} does not come before this one; a condition looks back only"]
    if earlier[code].kind == "information":
        return [f"item {code!r} is information and has no answer; ask about a question"]
    return []


def _check_compared(item: Item, sign: str, values: tuple[int | float | str, ...]) -> list[str]:
    if item.kind in ("short_text", "long_text"):
        return [f"item {item.code!r} is free text; only answered({item.code}) can be asked of it"]
    if item.kind in WORDED:
        signs = ("in",) if item.kind == "several" else ("=", "!=", "in")
        if sign not in signs:
            return [f"item {item.code!r} is a choice; use {' or '.join(signs)}, not {sign}"]
    return [problem for value in values for problem in _check_value(item, value)]


def _check_value(item: Item, value: float | str) -> list[str]:
    if item.kind == "date":
        return [] if isinstance(value, str) and _is_day(value) else [_wrong(item, value, 'a "2024-05-31" date')]
    if isinstance(value, str) is not (item.kind in WORDED):
        return [_wrong(item, value, "quoted text" if item.kind in WORDED else "a number without quotes")]
    if item.kind in NUMBERED or item.kind in WORDED:
        return [] if value in item.codes else [_wrong(item, value, "one of its answers")]
    return []


def _wrong(item: Item, value: object, needed: str) -> str:
    return f"item {item.code!r} is of kind {item.kind}: compare it with {needed}, not {value!r}"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check_scale(scale: Scale, table: Table, items: Mapping[str, Item], others: Mapping[str, Scale]) -> None:
    """Note in `table` what does not fit between a scale, its items and the scales before it."""
    ends = (scale.minimum, scale.maximum)
    for code in scale.items:
        if code not in items:
            table.fault("items", f"there is no item {code!r}; correct the code or add the item")
            continue
        item = items[code]
        if item.kind not in NUMBERED and item.kind != "number":
            table.fault("items", f"item {code!r} is of kind {item.kind} and has no number; take it out")
        elif _ends(item) != ends:
            table.fault("range", f"is {_say(ends)} but item {code!r} has {_say(_ends(item))}; make them equal")
    for code in scale.reversed:
        if code not in scale.items:
            table.fault("reversed", f"item {code!r} is not in the scale; add it to items or take it out")
    if scale.items and scale.min_answered > len(scale.items):
        table.fault("min_answered", f"is {scale.min_answered} of {len(scale.items)} items; use fewer")
    if scale.minimum is None and scale.reported == "0-100":
        table.fault("range", "is missing; a score from 0 to 100 needs the lowest and the highest answer")
    if scale.minimum is None and scale.reversed:
        table.fault("reversed", "needs a range; without one nothing can be turned round")
    if scale.part_of is not None:
        _check_part(scale, table, others.get(scale.part_of))


def _check_part(scale: Scale, table: Table, whole: Scale | None) -> None:
    if whole is None or whole.part_of is not None:
        table.fault("part_of", f"{scale.part_of!r} is no whole scale above this one; correct or move it")
    elif not set(scale.items) < set(whole.items):
        table.fault("part_of", f"has items that {whole.code} has not, or all of them; name some of its items")
    elif set(scale.reversed) != set(whole.reversed) & set(scale.items):
        table.fault("reversed", f"differs from {whole.code}; an item turns the same way in both")


def _ends(item: Item) -> tuple[float | None, float | None]:
    if item.kind in NUMBERED:
        codes = [code for code in item.codes if isinstance(code, int)]
        return (min(codes), max(codes)) if codes else (None, None)
    low, high = item.minimum, item.maximum
    return (None if isinstance(low, date) else low, None if isinstance(high, date) else high)


def _say(ends: tuple[float | None, float | None]) -> str:
    low, high = ends
    return "no bounds" if low is None and high is None else f"{low} to {high}"
