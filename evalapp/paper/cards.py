"""What stands on a card: the code for eye, camera and ear, and what it is for in the languages people here read."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from evalapp.paper import printing

ALWAYS = ("en", "cy")  # on every card, in this order; one more beside them where somebody reads another
A_SHEET = 8
# The international spelling alphabet, for the letters a code may have.
_LETTERS = (
    "Alfa", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "Juliett", "Kilo", "Mike", "November",
    "Papa", "Quebec", "Romeo", "Sierra", "Tango", "Victor", "Whisky", "X-ray", "Yankee", "Zulu",
)  # fmt: skip
_FIGURES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPOKEN = {word[0]: word for word in _LETTERS} | {str(figure): word for figure, word in enumerate(_FIGURES)}


@dataclass(frozen=True)
class Face:
    """One card as printed. `number` tells which is whose until it is handed out; None on a card printed alone."""

    code: str
    link: str
    number: int | None = None


@dataclass(frozen=True)
class Row:
    """One line of the hand-out list: the number on the folded card, and for whom it is. No code."""

    number: int
    person: str
    about: str


def spoken(code: str) -> list[str]:
    """A code to be read aloud, a line a group: "K as in Kilo, 7 (seven)"."""
    return [
        ", ".join(
            f"{letter} ({_SPOKEN[letter]})" if letter.isdigit() else f"{letter} as in {_SPOKEN[letter]}" for letter in group
        )
        for group in code.split("-")
    ]  # fmt: skip


def faces(codes: list[str], door: str) -> list[Face]:
    """The cards of some codes, whose people enter at `door` (the deployment's address, ending in a slash)."""
    alone = len(codes) == 1
    return [Face(code, f"{door}j#{code}", None if alone else number) for number, code in enumerate(codes, start=1)]


def sheet(
    cards: list[Face],
    rows: list[Row],
    *,
    door: str,
    ends_on: date | None,
    third: str | None = None,
    large: bool = False,
    where: str = "",
    **shown: Any,
) -> str:
    """Cards to print, eight a page or each large on its own, and the list that says which to give to whom.

    Nothing on a card says whose it is. What does is the number outside the folded card and the list, which holds no
    code, is a sheet of its own and is kept nowhere: once the number is torn off and the list destroyed, nobody can
    tell a card's owner, and before that finding a card alone, or the list alone, tells nothing. A person's number in
    the trial is on the list only, since beside a code it would join an opened questionnaire to a person for good.
    """
    return printing.page(
        "cards",
        cards=cards,
        rows=rows if len(cards) > 1 else [],
        languages=[*ALWAYS, *([third] if third and third not in ALWAYS else [])],
        address=f"{door}j".partition("://")[2],
        ends_on=ends_on,
        large=large,
        where=where,
        spoken=spoken,
        **shown,
    )
