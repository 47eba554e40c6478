"""A questionnaire as printed: the same questions in the same order, a box and a key for every answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evalapp.paper import printing
from evalapp.responses import TEXT_KINDS
from instruments import Compare, Condition, Instrument, Item, Page

INFORMATION = "paper-1"  # the version of what is printed about taking part, kept with each consent given on it
BLANK = "-"  # the key typed for a question left blank on the paper
REFUSED = {"prefer_not": "p", "not_applicable": "n"}
SAID = {"yes": "1", "no": "2"}
_NUMBERED = frozenset({"agreement", "faces", "pictures", "rating"})


@dataclass(frozen=True)
class Box:
    """One box to tick: the key printed in it, which staff type; the code it stands for; its words."""

    key: str
    code: int | str
    label: str
    picture: str = ""


def boxes(item: Item) -> tuple[Box, ...]:
    """The answers of a question. A numbered answer's key is its own number, a worded one's its place."""
    pictures = item.pictures or ("",) * len(item.options)
    return tuple(
        Box(str(code) if item.kind in _NUMBERED else str(place), code, label, picture)
        for place, ((code, label), picture) in enumerate(zip(item.options, pictures, strict=True), start=1)
    )


def refusals(instrument: Instrument, item: Item) -> tuple[Box, ...]:
    """The lighter choices under a question's answers."""
    words = dict(instrument.refusals)
    return tuple(Box(REFUSED[code], code, words[code]) for code in item.refusals if code in words)


def parts(instrument: Instrument, *, words_read: bool) -> tuple[tuple[Page, tuple[Item, ...]], ...]:
    """Every page with all it may ask, whatever is answered; no boxes for words where nobody reads them."""
    kept = (
        (page, tuple(item for item in map(instrument.item, page.items) if words_read or item.kind not in TEXT_KINDS))
        for page in instrument.pages
    )
    return tuple((page, items) for page, items in kept if any(item.kind != "information" for item in items))


def asked(instrument: Instrument, *, words_read: bool) -> tuple[Item, ...]:
    """The questions a paper holds, in order."""
    return tuple(
        item for _, items in parts(instrument, words_read=words_read) for item in items if item.kind != "information"
    )


def only_if(instrument: Instrument, condition: Condition | None, _: Callable[..., str]) -> str:
    """When a question is to be answered, in words; empty for one that always is."""
    if condition is None:
        return ""
    if isinstance(condition, Compare) and condition.operator == "=":
        question = instrument.item(condition.item)
        for code, label in question.options:
            if code == condition.value:
                return _("Only if you ticked “%(answer)s” at “%(question)s”", answer=label, question=question.text)
    return _("Leave this out if it does not apply to you.")


def square(instrument: Instrument, serial: str | None) -> str:
    """What the machine-readable code of a paper says. A serial stands for a person; their card's code never does."""
    return "/".join(
        ["paper", "1", instrument.name, str(instrument.version), instrument.language, *([serial] if serial else [])]
    )


def printed(
    instrument: Instrument, *, words_read: bool, large: bool = False, serial: str | None = None, **shown: Any
) -> str:
    """The questionnaire to print, in the language it comes in. `serial` is the paper's, when it is for one person."""
    _ = printing.words(instrument.language)
    return printing.page(
        "questionnaire",
        instrument=instrument,
        language=instrument.language,
        parts=parts(instrument, words_read=words_read),
        boxes=boxes,
        refusals=refusals,
        only_if=lambda item: only_if(instrument, item.show_if, _),
        square=square(instrument, serial),
        serial=serial,
        large=large,
        said=SAID,
        _=_,
        **shown,
    )
