"""What people are told and asked before they answer: by role, nation and version, read from the files of this folder.

A published version never changes: what somebody agreed to can always be read again. Translations stand beside it
(`1.cy.toml`), with the same parts and lines; a draft is shown in demonstrations alone.
"""

import hashlib
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NATIONS = "nations"
# As in the codes of the Office for National Statistics: E92, W92, S92, N92. One letter, so that a name stays short.
LETTERS = {"england": "E", "wales": "W", "scotland": "S", "northern_ireland": "N"}
KNOWN = frozenset({"minutes", "pages", "day", "lock", "ask", "body", "help", "law"})
SOURCE = "en"


@dataclass(frozen=True)
class Section:
    """A heading and the paragraphs under it."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A yes or a no that is asked for, and what each means."""

    question: str
    lines: tuple[str, ...]
    yes: str
    no: str


@dataclass(frozen=True)
class Terms:
    """What a trial itself puts into the words: whom to ask, and from which day answers can no longer be taken out."""

    contact: str | None = None
    locks_on: date | None = None

    @property
    def last_day(self) -> date | None:
        """The last day on which answers can be deleted."""
        return None if self.locks_on is None else self.locks_on - timedelta(days=1)


@dataclass(frozen=True)
class Information:
    """One version of what the people of some roles are told, in one language, with places for what differs.

    about : before the questions · said : what happens to what they say · child : of parents alone, about their child.
    """

    document: str
    version: int
    language: str
    approved: bool
    roles: tuple[str, ...]
    words: Mapping[str, str]
    nations: Mapping[str, Mapping[str, str]]
    about: tuple[Section, ...]
    said: tuple[Section, ...]
    consent: Question
    child: Question | None

    def name(self, role: str, nation: str) -> str:
        """What is stored with a response: the role, the nation, the version and the language that was shown."""
        return f"{role}-{LETTERS[nation]}{self.version}-{self.language}"

    def places(self, nation: str, terms: Terms, *, last_day: str, **of_page: str) -> dict[str, str]:
        """What stands in each place. `last_day` is the trial's last day for deleting, as it is written in this language;
        the others are the page's own (`minutes`, `pages`, `day`)."""
        words = self.words
        lock = words["no_lock_day"] if terms.last_day is None else words["lock_day"].format(day=last_day)
        ask = words["no_contact"] if not terms.contact else words["contact"].format(contact=terms.contact)
        return {**self.nations[nation], "lock": lock, "ask": ask, **of_page}


def filled(sections: tuple[Section, ...], places: Mapping[str, str]) -> list[Section]:
    """Sections with every place filled; what fills one is text and is never read for places itself."""
    return [Section(one.title, tuple(line.format_map(places) for line in one.lines)) for one in sections]


def information(role: str, language: str, *, drafts: bool) -> Information:
    """The newest version for a role, in a language it may be shown in, else in English. KeyError for an unknown role."""
    document = _documents()[role]
    version = max(int(path.stem) for path in (FOLDER / document).glob("[0-9]*.toml") if path.stem.isdigit())
    found = read(document, version, language) if language != SOURCE else None
    return found if found is not None and (drafts or found.approved) else _source(document, version)


@cache
def read(document: str, version: int, language: str) -> Information | None:
    """One version in one language; None where nobody has translated it. ValueError when a file has a fault."""
    source = tomllib.loads((FOLDER / document / f"{version}.toml").read_text(encoding="utf-8"))
    own = source
    if language != SOURCE:
        path = FOLDER / document / f"{version}.{language}.toml"
        if not path.exists():
            return None
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    _check(f"{document} {version} {language}", own, source)
    nations = (
        FOLDER / NATIONS / (f"{source['nations']}.toml" if own is source else f"{source['nations']}.{language}.toml")
    )
    return Information(
        document=document, version=version, language=language, approved=own["status"] == "approved",
        roles=tuple(source["roles"]), words=own["words"], nations=tomllib.loads(nations.read_text(encoding="utf-8")),
        about=_sections(own["about"]), said=_sections(own["said"]), consent=_question(own["consent"]),
        child=_question(own["child"]) if "child" in own else None,
    )  # fmt: skip


def hashes() -> dict[str, str]:
    """The hash of every file, blind to line ends: a published one never changes."""
    return {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        for path in sorted(FOLDER.glob("*/*.toml"))
    }


@cache
def _documents() -> dict[str, str]:
    """The document of each role."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*/1.toml")):
        if path.parent.name != NATIONS:
            found |= dict.fromkeys(tomllib.loads(path.read_text(encoding="utf-8"))["roles"], path.parent.name)
    return found


def _source(document: str, version: int) -> Information:
    found = read(document, version, SOURCE)
    if found is None:
        raise KeyError(document)
    return found


def _sections(listed: list[dict[str, Any]]) -> tuple[Section, ...]:
    return tuple(Section(one["title"], tuple(one["lines"])) for one in listed)


def _question(own: dict[str, Any]) -> Question:
    return Question(own["question"], tuple(own["lines"]), own["yes"], own["no"])


def _check(what: str, own: dict[str, Any], source: dict[str, Any]) -> None:
    """Refuse a file whose parts are not those of its source, or that has a place nobody fills."""
    for part in ("about", "said"):
        if [len(one["lines"]) for one in own[part]] != [len(one["lines"]) for one in source[part]]:
            raise ValueError(f"{what}: {part} has other lines than the English; translate line by line")
    if ("child" in own) is not ("child" in source):
        raise ValueError(f"{what}: child stands in one language alone; translate it")
    for one, other in zip((*own["about"], *own["said"]), (*source["about"], *source["said"]), strict=True):
        for line, said in zip(one["lines"], other["lines"], strict=True):
            if _places(line) != _places(said) or not _places(line) <= KNOWN:
                raise ValueError(f"{what}: “{line}” has places other than the English, or unknown ones")


def _places(line: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(line) if name}
