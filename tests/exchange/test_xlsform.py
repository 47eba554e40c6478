"""XLSForm workbooks: what comes in, and that a hostile or huge one is refused before it is opened."""

import io
import subprocess
import sys
import time
import zipfile
from typing import Any

import pytest

from analysis.errors import BadData
from evalapp.exchange import files, workbook, xlsform
from evalapp.exchange.drafts import Imported
from instruments import Instrument
from instruments.writing import condition_text
from tests.exchange.builders import SURVEY, with_part
from tests.exchange.builders import workbook as made_workbook

SHEET = "xl/worksheets/sheet1.xml"
OUTSIDE = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


def conditions(instrument: Instrument) -> dict[str, str]:
    return {item.code: condition_text(item.show_if) for item in instrument.items if item.show_if}


@pytest.fixture(scope="module")
def found() -> Imported:
    return xlsform.read(made_workbook())


def test_a_workbook_comes_in_in_both_its_languages(found: Imported) -> None:
    (day,) = found.instruments
    assert (day.name, day.title, day.languages, day.status) == ("day_1", "Your day", ("en", "cy"), "draft")
    assert {item.code: item.kind for item in day.items} == {
        "cup": "single", "cups": "number", "eaten": "several", "which": "short_text", "thanks": "information",
        "again": "yes_no", "day_seen": "date", "best": "several",
    }  # fmt: skip
    assert day.item("cup").options == (("red", "Red, or pink"), ("none", "None"))
    assert (day.item("cups").minimum, day.item("cups").maximum) == (0, 20)
    assert conditions(day) == {"cups": 'not cup = "none"', "which": 'eaten in ("fruit") and not cups > 9'}
    assert day.pages[0].title == "Your day"
    assert day.in_language("cy").item("again").options == (("yes", "Ie"), ("no", "Na"))


@pytest.mark.parametrize(
    ("where", "how", "what"),
    [
        ("began", "dropped", "when the form was begun"),
        ("day", "approximated", "its formatting (Markdown)"),
        ("cup", "dropped", "it must be answered"),
        ("cups", "approximated", "a place for another answer"),
        ("answers cups", "dropped", "their column colour"),
        ("which", "dropped", "that its answer is checked (regex"),
        ("thanks", "approximated", "its formatting (i)"),
        ("day_seen", "dropped", "names nobody, which is no question of the form"),
        ("place", "dropped", "a place on a map"),
        ("best", "approximated", "a ranking"),
        ("language cy", "approximated", "3 texts are not translated"),
    ],
)
def test_every_loss_has_its_line(found: Imported, where: str, how: str, what: str) -> None:
    assert [line for line in found.report if (line.where, line.how) == (where, how) and what in line.what], found.report


TYPES = {
    "text": "short_text", "string": "short_text", "integer": "number", "decimal": "number", "date": "date", "dateTime": "date",
    "time": "short_text", "note": "information", "select_one l": "single", "select_multiple l": "several", "rank l": "several",
    "acknowledge": "yes_no", "range": "number",
}  # fmt: skip


def test_every_type_of_question_comes_in() -> None:
    rows = [(kind, f"q{place}", f"Question {place}") for place, kind in enumerate(TYPES)]
    choices = (("list_name", "name", "label"), ("l", "a", "A"), ("l", "b", "B"))
    read = xlsform.read(made_workbook((("type", "name", "label"), *rows), choices, (("form_title",), ("Types",))))
    assert [item.kind for item in read.instruments[0].items] == list(TYPES.values())


def claims(last: str) -> bytes:
    return with_part(made_workbook(), SHEET, {'<dimension ref="A1:H14"': f'<dimension ref="A1:{last}"'})


def rows_of(raw: bytes) -> list[dict[str, str]]:
    lost: list[tuple[str, str]] = []
    return workbook._sheets(raw, lost)["survey"]


def test_a_sheet_that_claims_a_million_rows_is_read_as_what_it_holds() -> None:
    """Openpyxl would walk through every row the sheet claims; its claim is set aside, so that reading costs what is there."""
    plain, claimed = made_workbook(), claims("XFD1048576")
    rows_of(plain)
    began = time.process_time()
    found = rows_of(claimed)
    taken = time.process_time() - began
    assert found == rows_of(plain)
    assert len(found) == len(SURVEY)
    assert taken < 1


def test_a_sheet_with_a_cell_in_its_last_row_is_read_until_it_stays_empty_and_that_is_said() -> None:
    last = '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>text</t></is></c></row></sheetData>'
    raw = with_part(made_workbook(), SHEET, {"</sheetData>": last})
    lost: list[tuple[str, str]] = []
    began = time.process_time()
    found = workbook._sheets(raw, lost)["survey"]
    assert time.process_time() - began < 1
    assert len(found) == len(SURVEY)
    assert ("sheet survey", "what stands below row 1014, after 1,000 empty rows") in lost


def test_a_million_rows_that_are_there_but_empty_are_not_walked_through() -> None:
    empty = "".join(f'<row r="{number}"/>' for number in range(15, 200_000)) + "</sheetData>"
    raw = with_part(made_workbook(), SHEET, {"</sheetData>": empty})
    began = time.process_time()
    assert len(rows_of(raw)) == len(SURVEY)
    assert time.process_time() - began < 1


def test_a_sheet_of_more_questions_than_anybody_answers_is_refused_before_the_rest_is_read() -> None:
    rows = "".join(
        f'<row r="{number}"><c r="A{number}" t="inlineStr"><is><t>text</t></is></c></row>'
        for number in range(15, 20_000)
    )
    raw = with_part(made_workbook(), SHEET, {"</sheetData>": f"{rows}</sheetData>"})
    with pytest.raises(BadData, match="the sheet survey has more than 5,000 rows; divide the form"):
        xlsform.read(raw)


def packed(parts: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return written.getvalue()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (packed({SHEET: b"0" * 20_000_000}), "more than 100 times its size"),
        (packed({f"part{number}": b"" for number in range(201)}), "holds 201 parts; the most is 200"),
        (packed({"a": b"0" * 30_000_000, "b": b"0" * 30_000_000}), "unpacks to 60,000,000 bytes"),
        (b"PK\x03\x04broken", "the workbook is damaged"),
        (b"type,name,label\n", "not an .xlsx workbook"),
        (b"\xd0\xcf\x11\xe0old", "not an .xlsx workbook"),
        (b"PK\x03\x04" + b"0" * 4_000_000, "the most is 4,000,000"),
        (b"", "the file is empty"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bomb_is_refused_before_anything_opens_it(monkeypatch: pytest.MonkeyPatch, raw: bytes, says: str) -> None:
    def opened(*_: Any, **__: Any) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(xlsform.subprocess, "run", opened)
    began = time.process_time()
    with pytest.raises(BadData, match=says):
        xlsform.read(raw)
    assert time.process_time() - began < 1


def test_an_entry_that_lies_about_its_size_unpacks_to_no_more_than_it_said() -> None:
    raw = bytearray(packed({SHEET: b"<x/>" + b"0" * 100_000}))
    size = (100_004).to_bytes(4, "little")
    assert raw.count(size) == 2
    lying = bytes(raw).replace(size, (10).to_bytes(4, "little"))
    files.check_archive(lying)
    with pytest.raises(BadData, match="cannot be read"):
        xlsform.read(lying)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (packed({"a": b"b"}), "the workbook cannot be read"),
        (made_workbook((("type", "label", "name", "label"), ("text", "a", "b", "c"))), "has the column 'label' twice"),
        (made_workbook((("type", "name", "label"), ("begin_group", "a", "b"))), "no sound XLSForm"),
        (made_workbook((("type", "name", "label"), ("select_one nothing", "a", "b"))), "no sound XLSForm"),
        (made_workbook((("only", "words"), ("a", "b"))), "no sound XLSForm"),
        (with_part(made_workbook(), "xl/workbook.xml", {"<workbook": f"{OUTSIDE}<workbook"}), "EntitiesForbidden"),
        (with_part(made_workbook(), SHEET, {"<worksheet": f"{OUTSIDE}<worksheet"}), "EntitiesForbidden"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_is_no_form_is_refused_in_one_sentence(raw: bytes, says: str) -> None:
    with pytest.raises(BadData) as refused:
        xlsform.read(raw)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_reader_s_process_knows_none_of_this_copy_s_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALAPP_SECRET_KEY", "a secret")
    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        seen.update(options, command=command)
        return subprocess.CompletedProcess(command, 0, b'{"refused": "seen enough"}', b"")

    monkeypatch.setattr(xlsform.subprocess, "run", run)
    with pytest.raises(BadData, match="seen enough"):
        xlsform.read(made_workbook())
    assert not [name for name in seen["env"] if name.startswith("EVALAPP_")]
    assert seen["timeout"] == 20
    assert seen["command"][0] == sys.executable


def test_a_reader_that_takes_too_long_or_ends_without_a_word_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(command: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, 20)

    monkeypatch.setattr(xlsform.subprocess, "run", late)
    with pytest.raises(BadData, match="takes more than 20 seconds"):
        xlsform.read(made_workbook())
    monkeypatch.setattr(
        xlsform.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, -9, b"", b"")
    )
    with pytest.raises(BadData, match="needs more time or memory"):
        xlsform.read(made_workbook())


def test_without_pyxform_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyxform", None)
    with pytest.raises(workbook.Refused, match=r"reading XLSForm needs pyxform: pip install -r requirements-all\.txt"):
        workbook.read(made_workbook())


def test_openpyxl_reads_xml_with_defusedxml() -> None:
    import openpyxl

    assert openpyxl.DEFUSEDXML is True
