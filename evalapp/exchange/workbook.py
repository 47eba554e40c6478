"""Reads an XLSForm workbook in a process of its own, with little time and memory: bytes in on standard input, JSON out.

Run by `xlsform.py` as a script, never imported by the app: openpyxl and pyxform stay out of its processes.
"""

import json
import re
import resource
import sys
from io import BytesIO
from typing import Any

SECONDS, BYTES = 20, 512 * 1024 * 1024
MOST_QUESTIONS, MOST_ROWS, MOST_EMPTY, MOST_COLUMNS, LONGEST_CELL = 5_000, 50_000, 1_000, 500, 20_000


class Refused(Exception):
    """The workbook cannot be read; the message is one sentence."""


def main() -> None:
    sys.modules["numpy"] = None  # type: ignore[assignment]  # openpyxl would load it (half its time) for cells nobody writes here
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    try:
        answer = read(sys.stdin.buffer.read())
    except Refused as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = {"refused": "the workbook needs more memory than a questionnaire does; copy its sheets to a new one"}
    json.dump(answer, sys.stdout)


def read(raw: bytes) -> dict[str, Any]:
    """What pyxform makes of the workbook (`form`), and what was not read (`lost`: where and what)."""
    try:
        import pyxform  # type: ignore[import-untyped]  # noqa: F401, PLC0415  (an extra: asked for here so that one sentence says what to install)
    except ImportError:
        raise Refused("reading XLSForm needs pyxform: pip install -r requirements-all.txt") from None
    from pyxform.errors import PyXFormError  # type: ignore[import-untyped]  # noqa: PLC0415
    from pyxform.xls2json import workbook_to_json  # type: ignore[import-untyped]  # noqa: PLC0415
    from pyxform.xls2json_backends import DefinitionData  # type: ignore[import-untyped]  # noqa: PLC0415

    lost: list[tuple[str, str]] = []
    sheets = _sheets(raw, lost)
    if not any(key == "survey" for key in sheets):
        raise Refused("the workbook has no sheet called survey; bring the workbook of an XLSForm")
    _without_unknown(sheets["survey"], lost)
    try:
        form = workbook_to_json(DefinitionData(sheet_names=[*sheets], **_as_tables(sheets)), warnings=[])
    except (PyXFormError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        said = " ".join(str(error).split())[:300]
        raise Refused(f"the workbook is no sound XLSForm ({said}); correct it and bring it again") from None
    return {"form": form, "lost": lost}


_REFERENCE = re.compile(r"\$\{\s*(?:last-saved#)?([^{}]*?)\s*\}")
_WORDS = ("label", "hint", "guidance_hint", "constraint_message", "required_message", "media")


def _without_unknown(rows: list[dict[str, str]], lost: list[tuple[str, str]]) -> None:
    """Takes out what names a question the sheet does not have: pyxform would refuse the whole form for it."""
    names = {row.get("name", "").strip() for row in rows[1:]}
    for row in rows[1:]:
        for column, cell in list(row.items()):
            unknown = [name for name in _REFERENCE.findall(cell) if name not in names]
            if not unknown:
                continue
            said = f"its {column} {cell!r} names {', '.join(unknown)}, which is no question of the form"
            if column.split(":")[0].lower() in _WORDS:
                row[column] = _REFERENCE.sub(lambda found: found[0] if found[1] in names else f"({found[1]})", cell)
                said += "; the name stands in round brackets"
            else:
                del row[column]
            lost.append((row.get("name") or row.get("type", ""), said))


def _as_tables(sheets: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for name, rows in sheets.items():
        tables[name] = rows[1:]
        tables[f"{name}_header"] = rows[:1]
    return tables


def _sheets(raw: bytes, lost: list[tuple[str, str]]) -> dict[str, list[dict[str, str]]]:
    """Each sheet of the form as rows by its headings (the headings themselves first)."""
    import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]  # noqa: PLC0415
    from pyxform.constants import SUPPORTED_SHEET_NAMES  # type: ignore[import-untyped]  # noqa: PLC0415

    if not openpyxl.DEFUSEDXML:
        raise Refused("reading workbooks safely needs defusedxml: pip install -r requirements-all.txt")
    found: dict[str, list[dict[str, str]]] = {}
    try:
        book = openpyxl.load_workbook(BytesIO(raw), read_only=True, data_only=True, keep_links=False)
        known = [name for name in book.sheetnames if name.lower() in SUPPORTED_SHEET_NAMES]
        if not known and len(book.sheetnames) == 1:
            known = book.sheetnames
        for name in book.sheetnames:
            if name in known:
                found["survey" if len(book.sheetnames) == 1 else name.lower()] = _rows(book[name], name, lost)
            else:
                lost.append((f"sheet {name}", "it is not one of XLSForm's"))
        book.close()
    except Refused:
        raise
    except InvalidFileException as error:
        raise Refused(f"the file is no workbook ({error}); save it as Excel workbook (.xlsx)") from None
    except Exception as error:  # whatever a broken or hostile workbook makes openpyxl raise
        cause = error.__cause__ or error
        said = " ".join(f"{type(cause).__name__}: {cause}".split())[:200]
        raise Refused(f"the workbook cannot be read ({said}); save it again as Excel workbook (.xlsx)") from None
    return found


def _rows(sheet: Any, name: str, lost: list[tuple[str, str]]) -> list[dict[str, str]]:
    """The rows that hold something. What a sheet claims to hold is not believed: it is read until it ends, or stays empty."""
    from pyxform.xls2json_backends import xlsx_value_to_str  # noqa: PLC0415

    sheet.reset_dimensions()
    rows = sheet.iter_rows(values_only=True)
    head = [" ".join(str(cell).split()) if cell is not None else "" for cell in next(rows, ())][:MOST_COLUMNS]
    twice = sorted({one for one in head if one and head.count(one) > 1})
    if twice:
        raise Refused(f"the sheet {name} has the column {twice[0]!r} twice; rename or delete one of them")
    found: list[dict[str, str]] = [dict.fromkeys((one for one in head if one), "")]
    empty, most = 0, MOST_QUESTIONS if name.lower() == "survey" else MOST_ROWS
    for number, row in enumerate(rows, start=2):
        cells = {
            key: xlsx_value_to_str(value)[:LONGEST_CELL].strip()
            for key, value in zip(head, row, strict=False)
            if key and value is not None and str(value).strip()
        }
        if cells:
            empty = 0
            found.append(cells)
            if len(found) > most:
                raise Refused(f"the sheet {name} has more than {most:,} rows; divide the form")
        else:
            empty += 1
            if empty >= MOST_EMPTY:
                lost.append((f"sheet {name}", f"what stands below row {number}, after {MOST_EMPTY:,} empty rows"))
                break
    return found


if __name__ == "__main__":
    main()
