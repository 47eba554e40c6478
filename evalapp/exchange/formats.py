"""The formats questionnaires come in and go out by, chosen by name or by what a file looks like."""

from collections.abc import Callable, Mapping
from importlib import import_module

from analysis.errors import BadData
from evalapp.exchange.drafts import Imported, Written
from evalapp.exchange.files import ZIP, sized
from instruments import Instrument

# Format to its name in words and its module, which is imported only when it is used.
READ: Mapping[str, tuple[str, str]] = {
    "redcap": ("REDCap data dictionary (CSV)", "evalapp.exchange.redcap"),
    "xlsform": ("XLSForm workbook (.xlsx)", "evalapp.exchange.xlsform"),
    "limesurvey": ("LimeSurvey survey structure (.lss)", "evalapp.exchange.limesurvey"),
    "fhir": ("FHIR R4 Questionnaire (JSON)", "evalapp.exchange.fhir"),
}
WRITE: Mapping[str, tuple[str, str]] = {
    "redcap": ("REDCap data dictionary (CSV)", "evalapp.exchange.redcap"),
    "fhir": ("FHIR R4 Questionnaire (JSON)", "evalapp.exchange.fhir"),
}
ENDINGS: Mapping[str, str] = {"redcap": ".csv", "fhir": ".json"}


def recognised(raw: bytes) -> str:
    """Which format a file looks like; BadData where it looks like none.

    >>> recognised(b'{"resourceType": "Questionnaire"}')
    'fhir'
    """
    start = sized(raw)[:4000]
    if start.startswith(ZIP):
        return "xlsform"
    plain = start.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if plain.startswith((b"{", b"[")):
        return "fhir"
    if plain.startswith(b"<"):
        return "limesurvey"
    if b"," in plain or b";" in plain or b"\t" in plain:
        return "redcap"
    raise BadData(
        f"the file is none of {', '.join(words for words, _ in READ.values())}; bring one of them, or say which it is"
    )


def read(raw: bytes, chosen: str | None = None, *, name: str = "imported", language: str = "en") -> Imported:
    """Draft questionnaires and the report of what they lost; BadData where the file cannot be read."""
    reader: Callable[..., Imported] = import_module(READ[chosen or recognised(raw)][1]).read
    return reader(raw, name=name, language=language)


def write(instrument: Instrument, chosen: str) -> Written:
    """A questionnaire as a file of a format, and the report of what the format cannot hold."""
    writer: Callable[[Instrument], Written] = import_module(WRITE[chosen][1]).write
    return writer(instrument)
