"""Which wordings changed after they were translated: each translation keeps the hash of every wording it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from instruments.errors import InstrumentError
from instruments.files import LIBRARY, MADE_FROM, Library, load, texts_in

FIGURES = 10  # of a hash: 40 bits tell any two wordings of one text apart


class Stale(NamedTuple):
    """A text whose translation was made from another wording than today's, or from one that was never noted.

    `place` is the text's key in the source file; `status` is the translation's.
    """

    name: str
    version: int
    language: str
    status: str
    place: str
    wording: str
    noted: bool

    @property
    def wrong(self) -> bool:
        """Whether people may be shown it in a real trial: an approved translation of a wording that is no longer so."""
        return self.noted and self.status == "approved"


def stale(instruments: Library, directory: Path = LIBRARY) -> tuple[Stale, ...]:
    """Every text of a library whose English (or other source) changed after its translation, in the library's order.

    What a translation was made from stands in NAME/VERSION.made_from.toml, a table for each language; a text that
    has no entry there is stale too. Raises InstrumentError for entries of texts or languages that are not there.
    """
    problems: list[str] = []
    found: list[Stale] = []
    for one in instruments:
        source, _ = load(directory / one.name / f"{one.version}.toml")
        today = dict(texts_in(source))
        known = _noted(directory / one.name / f"{one.version}{MADE_FROM}", set(one.languages), set(today), problems)
        for variant in one.variants[1:]:
            noted = known.get(variant.language, {})
            found.extend(
                Stale(one.name, one.version, variant.language, variant.status, ".".join(place), wording, place in noted)
                for place, wording in today.items()
                if noted.get(place) != fingerprint(wording)
            )
    if problems:
        raise InstrumentError(problems)
    return tuple(found)


def refuse_stale(instruments: Library, directory: Path = LIBRARY) -> None:
    """InstrumentError where a translation was approved for another wording than today's; a stale draft does no harm."""
    problems = [
        f"{one.name}/{one.version}.{one.language}.toml: {one.place}: was approved for another wording than today's; "
        f"compare them, then: evalapp instruments translated {one.name} {one.language} --version {one.version}"
        for one in stale(instruments, directory)
        if one.wrong
    ]
    if problems:
        raise InstrumentError(problems)


def fingerprint(wording: str) -> str:
    """The first figures of the SHA-256 of a wording, its spaces as single ones: a line broken anew changes nothing."""
    return hashlib.sha256(" ".join(wording.split()).encode()).hexdigest()[:FIGURES]


def note(name: str, version: int, language: str, directory: Path = LIBRARY) -> Path:
    """Write down that a translation now says what its source says today; returns the file written.

    Somebody who reads both has compared them first. Raises InstrumentError when there is no such translation.
    """
    folder = directory / name
    if not (folder / f"{version}.{language}.toml").is_file():
        raise InstrumentError(f"{name} version {version} has no translation in {language!r}; write it first")
    source, _ = load(folder / f"{version}.toml")
    path = folder / f"{version}{MADE_FROM}"
    kept: dict[str, dict[tuple[str, ...], str]] = {}
    if path.exists():
        content, _ = load(path)
        kept = {code: dict(_entries(table)) for code, table in content.items() if isinstance(table, Mapping)}
    kept[language] = {place: fingerprint(wording) for place, wording in texts_in(source)}
    path.write_text("\n".join(_written(kept)), encoding="utf-8", newline="\n")
    return path


def _written(kept: Mapping[str, Mapping[tuple[str, ...], str]]) -> Iterator[str]:
    yield "# The wordings each translation was made from, as hashes: `evalapp instruments stale` compares them with today's."
    for language in sorted(kept):
        yield f"\n[{language}]"
        yield from (f'{".".join(place)} = "{figures}"' for place, figures in kept[language].items())
    yield ""


def _noted(
    path: Path, languages: set[str], places: set[tuple[str, ...]], problems: list[str]
) -> dict[str, dict[tuple[str, ...], str]]:
    """What a file says its translations were made from; nothing when there is no file."""
    if not path.exists():
        return {}
    file = f"{path.parent.name}/{path.name}"
    try:
        content, _ = load(path)
    except InstrumentError as error:
        problems.extend(error.problems)
        return {}
    noted: dict[str, dict[tuple[str, ...], str]] = {}
    for language, table in content.items():
        if language not in languages or not isinstance(table, Mapping):
            problems.append(f"{file}: {language}: is no translation of this version; take the table out")
            continue
        noted[language] = dict(_entries(table))
        problems.extend(
            f"{file}: {language}.{'.'.join(place)}: is no text of the source; take it out"
            for place in noted[language]
            if place not in places
        )
    return noted


def _entries(table: Mapping[str, object], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _entries(value, (*above, key))
        else:
            yield (*above, key), str(value)
