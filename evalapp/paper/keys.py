"""From the keys staff type to answers and back: a number for a box, a letter for a refusal, a dash for a blank."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation

from evalapp.paper.questionnaire import BLANK, boxes, refusals
from evalapp.responses import BLANK as LEFT_BLANK
from evalapp.responses import TEXT_KINDS, Given
from instruments import Instrument, Item

LONGEST = {"short_text": 200, "long_text": 4000}
_DAY = re.compile(r"([0-9]{1,2})[ /.-]+([0-9]{1,2})[ /.-]+([0-9]{4})")
_FIGURES = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def read(instrument: Instrument, item: Item, typed: str) -> Given | None:
    """What was typed for a question; None when nothing was yet. ValueError with a sentence for the typist."""
    text = " ".join(typed.split())  # line ends of a written answer count as spaces, so that two typists agree
    if not text:
        return None
    if text == BLANK:
        return LEFT_BLANK
    refused = {box.key: str(box.code) for box in refusals(instrument, item)}
    if text.lower() in refused:
        return Given(None, refused[text.lower()])
    return Given(READERS[item.kind](item, text))


def shown(instrument: Instrument, item: Item, given: Given | None) -> str:
    """What stands in the box for an answer: `read` gives the answer back."""
    if given is None:
        return ""
    if given.reason is not None:
        return next(box.key for box in refusals(instrument, item) if box.code == given.reason)
    if given.value is None:
        return BLANK
    if item.options:
        chosen = given.value if isinstance(given.value, list) else [given.value]
        return " ".join(box.key for box in boxes(item) if box.code in chosen)
    return day_shown(date.fromisoformat(given.value)) if item.kind == "date" else str(given.value)


def in_words(instrument: Instrument, item: Item, given: Given) -> str:
    """An answer for somebody who holds the paper beside it: its key and its words."""
    if given == LEFT_BLANK:
        return "Left blank"
    known = {box.key: box.label for box in (*boxes(item), *refusals(instrument, item))}
    typed = shown(instrument, item, given)
    if given.reason is None and not item.options:
        return typed
    return "; ".join(f"{key}: {known[key]}" for key in typed.split())


def read_day(text: str) -> date:
    """A day typed as day, month, year in figures. ValueError with a sentence."""
    found = _DAY.fullmatch(text.strip())
    try:
        return date(*(int(found.group(part)) for part in (3, 2, 1))) if found else date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("Type a day as day, month and year, like 27 3 2026.") from None


def day_shown(day: date) -> str:
    return f"{day.day} {day.month} {day.year}"


def _one(item: Item, text: str) -> int | str:
    codes = {box.key: box.code for box in boxes(item)}
    if text not in codes:
        raise ValueError(f"Type one of {', '.join(codes)}.")
    return codes[text]


def _several(item: Item, text: str) -> list[int | str]:
    codes = {box.key: box.code for box in boxes(item)}
    typed = re.split(r"[ ,;]+", text)
    if any(key not in codes for key in typed):
        raise ValueError(f"Type the numbers of the ticked boxes with spaces between, from {', '.join(codes)}.")
    return [code for key, code in codes.items() if key in typed]


def _number(item: Item, text: str) -> int | float:
    try:
        number = Decimal(text) if _FIGURES.fullmatch(text) else None
    except InvalidOperation:
        number = None
    low, high = item.minimum, item.maximum
    if number is None or number != round(number, item.decimals):
        raise ValueError("Type the number in figures.")
    if (isinstance(low, int | float) and number < Decimal(str(low))) or (
        isinstance(high, int | float) and number > Decimal(str(high))
    ):
        raise ValueError(f"The number can be from {low} to {high}. If the paper says something else, type -.")
    return int(number) if number == int(number) else float(number)


def _date(item: Item, text: str) -> str:
    day = read_day(text)
    low, high = item.minimum, item.maximum
    if (isinstance(low, date) and day < low) or (isinstance(high, date) and day > high):
        raise ValueError("The paper cannot have this day here. If it has, type -.")
    return day.isoformat()


def _words(item: Item, text: str) -> str:
    kept = "".join(one for one in text if one.isprintable())
    longest = item.max_length or LONGEST[item.kind]
    if len(kept) > longest:
        raise ValueError(f"Type at most {longest} characters: as much as there is room for.")
    return kept


READERS: dict[str, Callable[[Item, str], object]] = {
    "agreement": _one,
    "faces": _one,
    "pictures": _one,
    "rating": _one,
    "single": _one,
    "yes_no": _one,
    "several": _several,
    "number": _number,
    "date": _date,
    **dict.fromkeys(TEXT_KINDS, _words),
}
