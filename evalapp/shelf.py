"""Every questionnaire of this copy: those that come with it, read once, and its own, read again when their files change."""

from functools import cache, lru_cache
from pathlib import Path

from evalapp.config import instruments_folder
from instruments import Instrument, Library, library
from instruments.files import sound

_Stamp = tuple[tuple[str, int, int], ...]


@cache
def shipped() -> Library:
    """The questionnaires that come with evalapp; InstrumentError at the first use when one has a fault."""
    return library()


def shelf() -> Library:
    """Every questionnaire there is, drafts of this copy among them (`for_role_and_wave` passes over those)."""
    return _together(folder := where(), _stamp(folder))[0]


def own() -> Library:
    """The questionnaires of this copy alone, drafts and published."""
    return Library(one for one in shelf() if (one.name, one.version) not in shipped())


def faults() -> tuple[str, ...]:
    """What is wrong with this copy's own files; what has a fault is not on the shelf, and the rest is."""
    return _together(folder := where(), _stamp(folder))[1]


def questionnaire(name: str, version: int) -> Instrument:
    return shelf().get(name, version)


@cache
def where() -> Path | None:
    """The folder of this copy's own questionnaires (EVALAPP_INSTRUMENTS), as it was when first asked; None for none."""
    return instruments_folder()


def _stamp(folder: Path | None) -> _Stamp:
    """What changes whenever a file of the folder does, in whichever process."""
    if folder is None or not folder.is_dir():
        return ()
    found = []
    for path in sorted(folder.glob("*/*.toml")):
        try:
            facts = path.stat()
        except FileNotFoundError:  # taken away meanwhile
            continue
        found.append((str(path), facts.st_mtime_ns, facts.st_size))
    return tuple(found)


@lru_cache(maxsize=4)
def _together(folder: Path | None, stamp: _Stamp) -> tuple[Library, tuple[str, ...]]:
    """Both, and the faults of the copy's own. A name that comes with evalapp is not the copy's to give."""
    if folder is None or not stamp:
        return shipped(), ()
    local, problems = sound(folder)
    names = {one.name for one in shipped()}
    clashing = sorted({one.name for one in local if one.name in names})
    problems += tuple(f"{name}: a questionnaire of this name comes with evalapp; give it another" for name in clashing)
    return Library([*shipped(), *(one for one in local if one.name not in names)]), problems
