"""What a message says, in the language of whoever gets it: neutral words, read from letters.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.dates import format_date

from evalapp import outbox
from evalapp.outbox import Due

LETTERS = Path(__file__).with_name("letters.toml")


@dataclass(frozen=True)
class Letter:
    """A message as it is sent. `stop` is the address that ends messages, for the header mail programs offer it by."""

    subject: str
    body: str
    sender: str
    stop: str
    language: str


def letter(due: Due, language: str, *, door: str, stop: str, demonstration: bool = False) -> Letter:
    """Write a message. A draft translation is used in a demonstration alone; otherwise English stands in."""
    known = texts()
    words = known.get(language)
    if words is None or (words.get("draft") and not demonstration):
        language, words = "en", known["en"]
    parts = [words["hello"], words[due.kind]]
    if due.code is not None:
        parts += [
            f"{words['link']}\n{outbox.link(door, due.code)}", words["typed"].format(door=door, code=due.code),
            words["again"],
        ]  # fmt: skip
    else:
        parts.append(words["use"].format(door=door))
    if due.closes_on is not None:
        parts.append(words["until"].format(day=format_date(due.closes_on, "long", locale=language)))
    parts.append(f"{words['stop']}\n{stop}")
    return Letter(words["subject"], "\n\n".join(parts) + "\n", words["sender"], stop, language)


@cache
def texts() -> dict[str, dict[str, str]]:
    """Every language's texts by its code."""
    return tomllib.loads(LETTERS.read_text(encoding="utf-8"))
