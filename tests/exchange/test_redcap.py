"""REDCap's data dictionary: what comes in, what is said of the rest, and that ours come back as they went."""

import csv
import io
from collections.abc import Iterator

import pytest

from analysis.errors import BadData
from evalapp.exchange import redcap
from evalapp.exchange.drafts import Imported, Line
from instruments import Instrument, library, texts_of
from instruments.writing import condition_text
from tests.exchange.builders import DICTIONARY, HEAD

SHIPPED = [one.in_language(language) for one in library() for language in one.languages]


def row(name: str, kind: str = "text", **cells: str) -> str:
    """A line of a dictionary: `label`, `choices`, `note`, `rule`, `low`, `high`, `logic`, `matrix`, `header`."""
    places = {
        "header": 2,
        "label": 4,
        "choices": 5,
        "note": 6,
        "rule": 7,
        "low": 8,
        "high": 9,
        "logic": 11,
        "matrix": 15,
    }
    line = [name, "form", "", kind, name, *[""] * 13]
    for key, cell in cells.items():
        line[places[key]] = cell
    written = io.StringIO()
    csv.writer(written).writerow(line)
    return written.getvalue()


def taken(*rows: str) -> Imported:
    return redcap.read((HEAD + row("record_id") + "".join(rows)).encode())


def conditions(instrument: Instrument) -> dict[str, str]:
    return {item.code: condition_text(item.show_if) for item in instrument.items if item.show_if}


def lines(found: Imported, where: str) -> Iterator[Line]:
    return (line for line in found.report if line.where == where)


def test_each_form_becomes_a_draft_of_its_own() -> None:
    found = redcap.read(DICTIONARY)
    assert [(one.name, one.status, one.languages) for one in found.instruments] == [
        ("visit", "draft", ("en",)), ("leaving", "draft", ("en",)),
    ]  # fmt: skip
    assert [len(one.items) for one in found.instruments] == [14, 2]


def test_kinds_answers_bounds_and_conditions_come_in() -> None:
    visit = redcap.read(DICTIONARY).instruments[0]
    assert {item.code: item.kind for item in visit.items} == {
        "sex": "single", "births": "number", "foods": "several", "which_fruit": "short_text", "about_page_2": "information",
        "weight": "number", "calm": "agreement", "glad": "agreement", "pain": "number", "agree": "yes_no", "again": "yes_no",
        "seen": "date", "mail": "short_text", "story": "long_text",
    }  # fmt: skip
    assert visit.item("sex").options == (("0", "Woman"), ("1", "Man, or boy"), ("2", "Другое"))
    assert (visit.item("weight").minimum, visit.item("weight").maximum, visit.item("weight").decimals) == (35.5, 200, 1)
    assert str(visit.item("seen").minimum) == "2024-02-01"
    assert visit.item("pain").hint == "0: None, 100: Most."
    assert conditions(visit) == {
        "births": 'sex = "0"',
        "which_fruit": 'foods in ("2") and answered(sex)',
        "again": 'agree = "yes" and (not sex = "1" or calm >= 2)',
    }


def test_a_script_in_a_label_is_taken_out_and_said() -> None:
    found = redcap.read(DICTIONARY)
    assert found.instruments[0].item("sex").text == "Which are you?"
    assert Line("dropped", "sex", "a script in its text") in found.report
    assert not [text for one in found.instruments for text in texts_of(one).values() if "<" in text or "alert" in text]


@pytest.mark.parametrize(
    ("where", "how", "what"),
    [
        ("record_id", "dropped", "REDCap's own number of each record"),
        ("sex", "dropped", "it must be answered"),
        ("sex", "dropped", "its alignment LH"),
        ("weight", "approximated", "a number with a decimal comma"),
        ("weight", "dropped", "it asks about [age], which is not in this form"),
        ("calm", "approximated", "a row of the table mood"),
        ("pain", "approximated", "a slider"),
        ("foods", "approximated", "more than one answer reads Bread, rolls"),
        ("agree", "approximated", "one box to tick (1) becomes yes or no"),
        ("bmi", "dropped", "a calculation"),
        ("seen", "approximated", "a date with the time of day"),
        ("seen", "dropped", "its bound today"),
        ("scan", "dropped", "a file to upload"),
        ("secret", "dropped", "it is hidden from people (@HIDDEN)"),
        ("mail", "dropped", "it says who somebody is"),
        ("mail", "dropped", "of another event or occasion"),
        ("mail", "dropped", "its annotation @CHARLIMIT=20"),
        ("mail", "approximated", "puts in the answer to [sex]"),
        ("story", "dropped", "it uses datediff()"),
        ("done", "dropped", "it asks about [sex], which is not in this form"),
        ("section Child protection of leaving", "renamed", "a title stays on the telephone"),
    ],
)  # fmt: skip
def test_every_loss_has_its_line(where: str, how: str, what: str) -> None:
    found = redcap.read(DICTIONARY)
    assert [line for line in lines(found, where) if line.how == how and what in line.what], found.report


RULES = {
    "": "short_text", "integer": "number", "number": "number", "number_1dp": "number", "number_4dp": "number",
    "number_comma_decimal": "number", "number_2dp_comma_decimal": "number", "date_ymd": "date", "date_dmy": "date",
    "date_mdy": "date", "datetime_ymd": "date", "datetime_dmy": "date", "datetime_mdy": "date",
    "datetime_seconds_ymd": "date", "datetime_seconds_dmy": "date", "datetime_seconds_mdy": "date", "time": "short_text",
    "time_hh_mm_ss": "short_text", "time_mm_ss": "short_text", "email": "short_text", "phone": "short_text",
    "phone_australia": "short_text", "phone_uk": "short_text", "zipcode": "short_text", "postalcode_uk": "short_text",
    "postalcode_australia": "short_text", "postalcode_canada": "short_text", "ssn": "short_text", "mrn_10d": "short_text",
    "mrn_generic": "short_text", "vmrn": "short_text", "alpha_only": "short_text", "color": "short_text",
    "something_new": "short_text",
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_for_what_may_be_written_comes_in(rule: str) -> None:
    found = taken(row("x", rule=rule))
    assert found.instruments[0].item("x").kind == RULES[rule]
    exact = {"", "integer", "number", "number_1dp", "number_4dp", "date_ymd", "date_dmy", "date_mdy"}
    assert bool(list(lines(found, "x"))) is (rule not in exact)


@pytest.mark.parametrize(
    ("logic", "said"),
    [
        ("[a] = '1'", 'a = "1"'),
        ('[a]="1" and [n]<5', 'a = "1" and n < 5'),
        ("[a] <> '1'", 'not a = "1"'),
        ("[a] != 1 AND [n] >= '2'", 'not a = "1" and n >= 2'),
        ("[a] = ''", "not answered(a)"),
        ('[a] <> "" or [n] > 1.5', "answered(a) or n > 1.5"),
        ("[b(2)] = '1'", 'b in ("2")'),
        ("[b(2)] = '0'", 'not b in ("2")'),
        ("not([a] = '1')", 'not a = "1"'),
        ("!([y] = '1')", 'not y = "yes"'),
        ("[y] = '0'", 'y = "no"'),
        ("[a] > '0'", 'a in ("1", "2")'),
        ("[A] = '1'", 'a = "1"'),
        ("([a] = '1' or [a] = '2') and [d] > '2024-01-31'", 'a in ("1", "2") and d > "2024-01-31"'),
    ],
)
def test_branching_is_said_in_our_words(logic: str, said: str) -> None:
    found = taken(
        row("a", "radio", choices="0, No | 1, Yes | 2, Both"), row("b", "checkbox", choices="1, One | 2, Two"),
        row("n", rule="number"), row("y", "yesno"), row("d", rule="date_ymd"), row("x", logic=logic),
    )  # fmt: skip
    assert conditions(found.instruments[0]) == {"x": said}


@pytest.mark.parametrize(
    ("logic", "why"),
    [
        ("[nobody] = '1'", "it asks about [nobody], which is not in this form"),
        ("[a] = '9'", "a has no answer 9"),
        ("[t] = 'word'", "only whether there are any can be asked"),
        ("[later] = '1'", "which is not asked before it"),
        ("[x] = '1'", "which is not asked before it"),
        ("[a] = [n]", "it compares one question with another"),
        ("round([n], 1) > 2", "it uses round()"),
        ("[n] + 1 > 2", "it says"),
        ("[a] = '1' and", "it ends too soon"),
        ("([a] = '1'", "its brackets do not match"),
        ("[user-name] = 'me'", "a place REDCap fills in itself"),
        ("[n] > 'much'", "is compared with much"),
        ("(" * 200 + "[a]='1'" + ")" * 200, "it is nested too deeply"),
        ("[a]='1' or " * 400 + "[a]='1'", "characters long"),
    ],
)
def test_branching_that_cannot_be_said_is_dropped_with_the_reason(logic: str, why: str) -> None:
    found = taken(
        row("a", "radio", choices="0, No | 1, Yes"), row("n", rule="number"), row("t"), row("x", logic=logic),
        row("later", "yesno"),
    )  # fmt: skip
    assert conditions(found.instruments[0]) == {}
    (line,) = lines(found, "x")
    assert line.how == "dropped"
    assert why in line.what
    assert line.what.endswith("it is always shown")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_encodings_separators_and_line_ends_are_recognised(encoding: str) -> None:
    text = (HEAD + row("record_id") + row("q1", label="Сколько?", note="2,5")).replace("\n", "\r\n")
    raw = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    item = redcap.read(raw).instruments[0].item("q1")
    assert (item.text, item.hint) == ("Сколько?", "2,5")


def test_semicolons_and_the_interface_s_column_names_are_read() -> None:
    raw = "field_name;form_name;field_type;field_label;branching_logic\nid;f;text;ID;\na;f;yesno;One?;\nb;f;text;Two?;[a]='1'\n"
    found = redcap.read(raw.encode()).instruments[0]
    assert conditions(found) == {"b": 'a = "yes"'}


def test_windows_letters_are_read_where_the_file_is_not_utf_8() -> None:
    raw = (HEAD + row("record_id") + row("q1", label="Café – crème")).encode("cp1252")
    assert redcap.read(raw).instruments[0].item("q1").text == "Café – crème"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "the file is empty"),
        (b"a,b,c\n1,2,3\n", "has no column 'Variable / Field Name'"),
        (HEAD.encode(), "has no rows below its names"),
        (HEAD.replace("Field Note", "Field Label").encode() + b"a,b\n", "the column 'Field Label' stands there twice"),
        ((HEAD + row("record_id") + row("q", "calc")).encode(), "no question that can be asked"),
        ((HEAD + "q,f,,text,One," + "," * 20 + "x\n").encode(), "row 2 has more cells than there are columns"),
        (b"PK\x03\x04rest", "is a workbook or an archive"),
        (b"%PDF-1.7 and so on", "is a PDF"),
        (b"\xff\xfe\x00\xd8", "does not go on as text"),
        (b"a\x00b,c", "is not text"),
        (b"x," * 2_100_000, "the most is 4,000,000"),
        ((HEAD + row("q") * 5001).encode(), "the most is 5,000"),
    ],
)
def test_what_is_no_dictionary_is_refused_in_one_sentence(raw: bytes, says: str) -> None:
    with pytest.raises(BadData) as refused:
        redcap.read(raw)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_same_variable_twice_is_two_questions_and_said() -> None:
    found = taken(row("q", label="One"), row("q", label="Two"), row("x", logic="[q] <> ''"))
    assert [item.code for item in found.instruments[0].items] == ["q", "q_2", "x"]
    assert conditions(found.instruments[0]) == {"x": "answered(q)"}
    assert Line("approximated", "q", "the file has this variable twice; conditions mean the first") in found.report


@pytest.mark.parametrize("instrument", SHIPPED, ids=lambda one: f"{one.name}-{one.version}-{one.language}")
def test_a_shipped_questionnaire_comes_back_with_all_a_dictionary_can_hold(instrument: Instrument) -> None:
    written = redcap.write(instrument)
    (back,) = redcap.read(written.content, language=instrument.language).instruments
    for name in ("name", "title", "pages", "items", "refusals", "owner", "licence"):
        assert getattr(back, name) == getattr(instrument, name), name
    said = {line.where for line in written.report if line.how == "dropped"}
    assert {f"scale {scale.code}" for scale in instrument.scales} <= said
    assert {f"language {one}" for one in instrument.languages if one != instrument.language} <= said


def test_a_cell_that_begins_like_a_formula_is_written_so_that_no_spreadsheet_runs_it_and_comes_back() -> None:
    text = '=HYPERLINK("http://example.org")'
    (made,) = taken(row("q", label=text), row("n", rule="integer", low="-5")).instruments
    written = redcap.write(made)
    cells = [cell for line in csv.reader(io.StringIO(written.content.decode("utf-8-sig"))) for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))]
    assert "-5" in cells
    assert redcap.read(written.content).instruments[0].item("q").text == text
    assert [line for line in written.report if line.where == "q: Field Label"]


def test_the_dictionary_is_one_redcap_accepts() -> None:
    """Names in small letters, each once; the record's number first; choices parted by bars; headings where pages begin."""
    instrument = library().latest("practitioner_after")
    rows = list(csv.DictReader(io.StringIO(redcap.write(instrument).content.decode("utf-8-sig"))))
    names = [one["Variable / Field Name"] for one in rows]
    assert names[0] == "record_id"
    assert names == [name.lower() for name in names]
    assert len(set(names)) == len(names)
    assert [one["Section Header"] for one in rows if one["Section Header"]] == [page.title for page in instrument.pages]
    assert {one["Form Name"] for one in rows} == {"practitioner_after"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (row("x", choices="BIOPORTAL:ICD10"), "what it chooses from (BIOPORTAL:ICD10)"),
        (row("x", "dropdown", choices="1, A | 2, B", rule="autocomplete"), "how it is shown (autocomplete)"),
        (row("x", low="1"), "its bound 1"),
        (row("x", "notes", high="9"), "its bound 9"),
        (row("x", rule="integer", low="[y]"), "its bound [y], which is not a fixed integer"),
        (row("x", rule="integer", low="9", high="1"), "its bounds 9 and 1 are the wrong way round"),
    ],
)  # fmt: skip
def test_what_stands_in_a_cell_that_has_no_place_is_said(line: str, what: str) -> None:
    assert [one.what for one in lines(taken(line), "x") if one.how == "dropped"] == [what]
