"""The library on disk: NAME/VERSION.toml is the source, NAME/VERSION.LANG.toml its translations."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import cast

from instruments.definitions import Instrument, Status, Variant, texts_of
from instruments.errors import InstrumentError
from instruments.reading import LANGUAGE, NAME, parse
from instruments.tables import Table

LIBRARY = Path(__file__).parent / "library"
LARGEST_FILE = 500_000
DEEPEST = 4
_SOURCE = re.compile(r"([1-9][0-9]{0,3})\.toml")
_TRANSLATION = re.compile(rf"([1-9][0-9]{{0,3}})\.({LANGUAGE.pattern})\.toml")
MAP = ".map.toml"  # which items match those of others: read by maps.py
MADE_FROM = ".made_from.toml"  # which wordings its translations were made from: read by stale.py
_MADE_FROM = re.compile(r"([1-9][0-9]{0,3})\.made_from\.toml")
_SHARED_KEYS = ("name", "version", "language", "status")
_TEXT_KEYS = {"pages": ("title",), "items": ("text", "hint"), "scales": ("title", "construct", "higher")}


class Library:
    """Every instrument, by name and version; nothing in it changes. Iterating gives the instruments."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {
            (one.name, one.version): one for one in sorted(instruments, key=lambda one: (one.name, one.version))
        }

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._instruments.values())

    def __len__(self) -> int:
        return len(self._instruments)

    def __contains__(self, key: object) -> bool:
        """Whether (name, version) is in the library."""
        return key in self._instruments

    def get(self, name: str, version: int) -> Instrument:
        """The instrument of that name and version; InstrumentError when the library has none."""
        try:
            return self._instruments[name, version]
        except KeyError:
            raise InstrumentError(f"the library has no {name!r} version {version}") from None

    def latest(self, name: str) -> Instrument:
        """The highest version of that name; InstrumentError when the library has none."""
        versions = [version for known, version in self._instruments if known == name]
        if not versions:
            raise InstrumentError(f"the library has no instrument {name!r}")
        return self._instruments[name, max(versions)]

    def for_role_and_wave(self, role: str, wave: str, *, outside_reviews: bool = False) -> tuple[Instrument, ...]:
        """The latest versions that ask something of this role at this wave, in every form, by name.

        `outside_reviews` for those asked of people who answer for their site. Drafts are never among them. Empty when
        there is none.
        """
        newest = {one.name: one for one in self._instruments.values() if one.status == "approved"}  # sorted by version
        return tuple(
            one
            for one in newest.values()
            if one.asked and role in one.roles and wave in one.waves and one.outside_reviews == outside_reviews
        )


def library(directory: Path = LIBRARY) -> Library:
    """Read and check every instrument of a directory; InstrumentError holds the faults of all files.

    It reads files each time it is called: read once, when the program starts.
    """
    found, problems = sound(directory)
    if not len(found) and not problems:
        problems = (f"{directory}: holds no instruments; give the directory that has one folder for each",)
    if problems:
        raise InstrumentError(problems)
    return found


def sound(directory: Path) -> tuple[Library, tuple[str, ...]]:
    """The sound instruments of a directory, and the faults of the others; none where there is no directory."""
    problems: list[str] = []
    found: list[Instrument] = []
    for folder in sorted(path for path in directory.glob("*") if path.is_dir() and not path.name.startswith(".")):
        for source in _sources(folder, problems):
            try:
                instrument = read(source)
            except InstrumentError as error:
                problems.extend(error.problems)
            else:
                found.append(instrument)
    return Library(found), tuple(problems)


def read(source: Path) -> Instrument:
    """One instrument from its source file and its translations; InstrumentError with every fault."""
    content, sha256 = load(source)
    file = _short(source)
    problems: list[str] = []
    try:
        instrument = parse(content, file)
    except InstrumentError as error:
        problems.extend(error.problems)
        instrument = None
    problems.extend(_misnamed(source, content, file))
    variants = []
    for path in sorted(source.parent.glob(f"{source.stem}.*.toml")):
        if path.name.endswith((MAP, MADE_FROM)):
            continue
        try:
            variants.append(_variant(path, content, sound=instrument is not None))
        except InstrumentError as error:
            problems.extend(error.problems)
    if problems or instrument is None:
        raise InstrumentError(problems)
    first = Variant(instrument.language, instrument.status, tuple(texts_of(instrument).items()), sha256)
    return replace(instrument, variants=(first, *(one for one in variants if one is not None)), sha256=sha256)


def _sources(folder: Path, problems: list[str]) -> Iterator[Path]:
    """The source files of a folder; anything in it that is neither source nor translation is a fault."""
    names = {path.name for path in folder.iterdir()}
    if not any(_SOURCE.fullmatch(name) for name in names):
        problems.append(f"{folder.name}: holds no source file; add one such as {folder.name}/1.toml")
    for name in sorted(names):
        # A map is named like a translation, and goes with a source as one does; so does what translations were made from.
        translation = _TRANSLATION.fullmatch(name) or _MADE_FROM.fullmatch(name)
        if _SOURCE.fullmatch(name):
            yield folder / name
        elif translation is None:
            problems.append(f"{folder.name}/{name}: is not a file name known here; use 1.toml or 1.cy.toml")
        elif f"{translation[1]}.toml" not in names:
            problems.append(f"{folder.name}/{name}: translates {translation[1]}.toml, which is not there")


def _misnamed(source: Path, content: Mapping[str, object], file: str) -> list[str]:
    name, version = source.parent.name, source.stem
    problems = []
    if isinstance(content.get("name"), str) and content["name"] != name:
        problems.append(f"{file}: name: is {content['name']!r} but the folder is {name!r}; make them equal")
    if not NAME.fullmatch(name):
        problems.append(f"{file}: the folder's name must be lower-case letters, digits and _")
    if isinstance(content.get("version"), int) and str(content["version"]) != version:
        problems.append(f"{file}: version: is {content['version']} but the file is {version}.toml; make them equal")
    return problems


def _variant(path: Path, source: Mapping[str, object], *, sound: bool) -> Variant | None:
    """A translation laid over its source: the same keys, every text, and texts only."""
    content, sha256 = load(path)
    file = _short(path)
    problems: list[str] = []
    top = Table(content, file, "", problems)
    version, language = path.name.split(".")[:2]
    for key, wanted in (("name", path.parent.name), ("version", int(version)), ("language", language)):
        if content.get(key) != wanted:
            top.fault(key, f"must be {wanted!r}, as the file's name and its source say")
    status = top.one_of("status", ("draft", "approved"))
    if language == source.get("language"):
        top.fault("language", "is the source's own; a translation is in another language")
    wanted_keys, given = set(_source_texts(source)), dict(_leaves(content))
    for place in sorted(wanted_keys - set(given)):
        top.fault(".".join(place), "is missing; translate the source's text")
    for place in sorted(set(given) - wanted_keys):
        top.fault(".".join(place), "is no text of the source; take it out, or correct its spelling")
    for place in sorted(wanted_keys & set(given)):
        text = given[place]
        if not isinstance(text, str) or not text.strip():
            top.fault(".".join(place), "must be a text in double quotes, and not empty")
    if problems:
        raise InstrumentError(problems)
    if not sound:
        return None
    whole = parse(_overlaid(source, given), file)
    return Variant(language, cast("Status", status), tuple(texts_of(whole).items()), sha256)


def _overlaid(source: Mapping[str, object], texts: Mapping[tuple[str, ...], object]) -> dict[str, object]:
    whole = deepcopy(dict(source))
    for key, text in texts.items():
        place = whole
        for part in key[:-1]:
            place = cast("dict[str, object]", place[part])
        place[key[-1]] = text
    return whole


def texts_in(source: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of a sound source file as its author wrote it, by its place in the file."""
    leaves = dict(_leaves(source))
    yield from ((place, str(leaves[place])) for place in dict.fromkeys(_source_texts(source)))


def _source_texts(source: Mapping[str, object]) -> Iterator[tuple[str, ...]]:
    """The place of every text in a source file, sound or not."""
    yield ("title",)
    for key, _ in _leaves(source):
        in_answers = key[0] == "answers" and len(key) == 3
        in_options = key[0] == "items" and len(key) == 4 and key[2] == "options"
        named = len(key) == 3 and key[2] in _TEXT_KEYS.get(key[0], ())
        if in_answers or in_options or named or (key[0] == "refusals" and len(key) == 2):
            yield key


def _leaves(table: Mapping[str, object], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.items():
        if isinstance(value, dict) and len(above) < DEEPEST:
            yield from _leaves(value, (*above, key))
        elif above or key not in _SHARED_KEYS:
            yield (*above, key), value


def load(path: Path) -> tuple[dict[str, object], str]:
    """The table and the SHA-256 of a file, its line ends as LF so that every checkout agrees."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            problem = f"is over {LARGEST_FILE} bytes; no questionnaire is that long"
            raise InstrumentError(f"{_short(path)}: {problem}")  # noqa: TRY301 - the plainest place for it
        raw = path.read_bytes().replace(b"\r\n", b"\n")
        return tomllib.loads(raw.decode("utf-8")), hashlib.sha256(raw).hexdigest()
    except InstrumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise InstrumentError(f"{_short(path)}: cannot be read as TOML in UTF-8; correct it: {error}") from None
    except OSError as error:
        raise InstrumentError(f"{_short(path)}: cannot be opened: {error.strerror}") from None


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
