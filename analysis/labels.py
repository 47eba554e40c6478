"""Columns of a table as labels and numbers, with errors that name the column, the rows and the remedy."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.errors import BadData
from analysis.results import Codes, Floats

# A row number is the one a spreadsheet shows: the header is row 1.
FIRST_ROW = 2
_LARGEST = 1e100


def label(value: object) -> str:
    """A cell as a label: 1, 1.0, True and " a " read "1", "1", "true" and "a".

    >>> [label(cell) for cell in (1, 1.0, True, " a ")]
    ['1', '1', 'true', 'a']
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def coded(series: "pd.Series[object]") -> tuple[Codes, list[str]]:
    """Codes from 0, in order of appearance and −1 where missing, and their labels; blank text is missing.

    >>> codes, labels = coded(pd.Series(["north", "", "south", "north"]))
    >>> codes.tolist(), labels
    ([0, -1, 1, 0], ['north', 'south'])
    """
    codes, values = pd.factorize(series)
    try:
        labels = list(map(str.strip, values))
    except TypeError:  # not all text
        labels = [label(value) for value in values]
    distinct = list(dict.fromkeys(name for name in labels if name))
    if len(distinct) == len(labels):
        return np.asarray(codes, dtype=np.intp), labels
    place = {name: k for k, name in enumerate(distinct)}
    merged = np.array([place.get(name, -1) for name in labels] + [-1], dtype=np.intp)
    return merged[codes], distinct


def codes_of(series: "pd.Series[object]") -> Codes:
    """The codes of `coded` where nobody asks for the labels: a million numbers have a million, slowly written."""
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return np.asarray(pd.factorize(series)[0], dtype=np.intp)
    return coded(series)[0]


def numbers(series: "pd.Series[object]", column: str) -> Floats:
    """A column as floats, NaN where missing; BadData where a cell is text, infinite or absurdly large."""
    if pd.api.types.is_datetime64_any_dtype(series) or pd.api.types.is_timedelta64_dtype(series):
        raise BadData(f'column "{column}" holds dates; give numbers')
    if pd.api.types.is_numeric_dtype(series):
        values: Floats = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        plain = series.astype(object)
        blank = plain.map(lambda cell: isinstance(cell, str) and not cell.strip())
        plain = plain.where(~blank.astype(bool), None)
        values = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        text = plain.notna().to_numpy(dtype=bool) & np.isnan(values)
        if text.any():
            sample = str(plain[text].iloc[0])[:40]
            hint = "write decimals with a point" if "," in sample else "give numbers, and leave a missing one empty"
            raise BadData(f'column "{column}" holds text ("{sample}") in {rows(text)}; {hint}')
    large = np.abs(values) > _LARGEST
    if large.any():
        kind = "infinite values" if np.isinf(values).any() else "values beyond 1e100"
        raise BadData(f'column "{column}" holds {kind} in {rows(large)}; correct them or leave them empty')
    return values


def rows(where: np.typing.NDArray[np.bool_], places: Codes | None = None) -> str:
    """Where something is wrong, as a spreadsheet numbers rows: "rows 2, 5, 9 and 14 more".

    places : position in the table of each entry of `where`, if they are not all the rows in order.
    """
    found = np.flatnonzero(where)
    if places is not None:
        found = np.sort(places[found])
    return named((found + FIRST_ROW).tolist(), "row", "rows")


def named(items: Iterable[object], one: str, many: str) -> str:
    """The first few of a list in words."""
    listed = [str(item) for item in items]
    if len(listed) == 1:
        return f"{one} {listed[0]}"
    if len(listed) <= 5:
        return f"{many} {', '.join(listed[:-1])} and {listed[-1]}"
    return f"{many} {', '.join(listed[:3])} and {len(listed) - 3} more"
