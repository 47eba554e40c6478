"""Any CSV into a table: separator, encoding and decimal comma recognised, everything odd said in one line."""

import csv
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.errors import BadData

_SEPARATORS = ",;\t|"
_DECIMAL_COMMA = r"^\s*[+-]?\d+(,\d+)?([eE][+-]?\d+)?\s*$"


@dataclass(frozen=True)
class Table:
    """frame : the columns as read, blanks missing.   sha256 : of the file, byte for byte."""

    frame: pd.DataFrame
    sha256: str


def read_table(path: Path) -> Table:
    """Read a CSV with a header row.

    Commas, semicolons, tabs or bars; UTF-8 (with or without a byte order mark), UTF-16 with one, or
    Windows-1252; decimal commas where the separator is not a comma. Blank cells and NA, NaN and null are
    missing. Raises BadData where there is no such table.
    """
    raw = _bytes(path)
    text = _text(raw, path.name)
    separator = _separator(text)
    names = _header(text, separator)
    try:
        with warnings.catch_warnings():
            # pandas warns where rows are longer than the header, and then drops their last cells.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text), sep=separator, index_col=False, low_memory=False, skipinitialspace=True
            )
    except pd.errors.EmptyDataError:
        raise BadData(f"{path.name} is empty; it needs a header row and one row a person") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        detail = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise BadData(
            f"{path.name} has rows with more cells than its header ({detail}); quote cells that hold the separator"
        ) from None
    frame.columns = pd.Index(names)
    unnamed = [name == "" for name in names]
    if any(unnamed):
        frame = frame.loc[:, [not blank for blank in unnamed]]
    if separator != ",":
        frame = _with_decimal_commas(frame)
    return Table(frame, hashlib.sha256(raw).hexdigest())


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise BadData(f"{path.name or path} is a folder; name a CSV file")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadData(f"there is no file {path}; check its name and folder") from None
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}); check that it is a file you may open") from None
    if not raw.strip():
        raise BadData(f"{path.name} is empty; it needs a header row and one row a person")
    return raw


def _text(raw: bytes, name: str) -> str:
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadData(f"{name} is a workbook, not a CSV; save the sheet as CSV and name that file")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError:
            raise BadData(f"{name} is not text; save the table as CSV") from None
    if b"\x00" in raw:
        raise BadData(f"{name} is a binary file, not a table in text; save the table as CSV")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        raise BadData(f"{name} is a binary file, not a table in text; save the table as CSV") from None


def _separator(text: str) -> str:
    first = text.lstrip("\r\n").split("\n", 1)[0]
    counts = dict.fromkeys(_SEPARATORS, 0)
    quoted = False
    for letter in first:
        if letter == '"':
            quoted = not quoted
        elif letter in counts and not quoted:
            counts[letter] += 1
    best = max(_SEPARATORS, key=lambda mark: counts[mark])
    return best if counts[best] else ","


def _header(text: str, separator: str) -> list[str]:
    lines = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    try:
        names = [name.strip() for name in next(row for row in lines if row)]
    except (csv.Error, StopIteration):
        raise BadData("the header row cannot be read; the first row holds one name a column") from None
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        places = ", ".join(str(k) for k, name in enumerate(names, start=1) if name == repeated[0])
        raise BadData(f'column name "{repeated[0]}" appears more than once (columns {places}); rename all but one')
    return names


def _with_decimal_commas(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of text that are numbers with decimal commas into numbers."""
    changed = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            continue
        text = column.dropna().astype(str)
        if len(text) and text.str.match(_DECIMAL_COMMA).all():
            changed[name] = pd.to_numeric(column.astype("string").str.replace(",", ".", regex=False).str.strip())
    return frame.assign(**changed) if changed else frame
