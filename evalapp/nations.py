"""What each nation calls a site's body and its reviews, read from nations.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TERMS = Path(__file__).with_name("nations.toml")


@dataclass(frozen=True)
class Nation:
    """One nation's words: its own name, who answers for a site, a review and its kinds, and the guidance in force."""

    code: str
    name: str
    body: str
    review: str
    review_types: tuple[str, ...]
    guidance: str


@cache
def nations() -> dict[str, Nation]:
    """Every nation by its code, in the order of the file. TypeError when an entry lacks a term or has one too many."""
    found = tomllib.loads(TERMS.read_text(encoding="utf-8"))
    return {
        code: Nation(code=code, **{**terms, "review_types": tuple(terms["review_types"])})
        for code, terms in found.items()
    }


def nation(code: str) -> Nation:
    """One nation's words; KeyError for a code the trial does not know."""
    return nations()[code]
