"""Whatever a file holds, an import gives sound drafts or one sentence, and never runs or shows what it should not."""

import json
import time
import tomllib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.errors import BadData
from evalapp.exchange import fhir, formats, limesurvey, redcap
from evalapp.exchange.drafts import Imported, plain_text
from evalapp.exchange.files import safe
from instruments import parse, texts_of
from instruments.writing import source
from tests.exchange.builders import DICTIONARY, HEAD, nested_questionnaire, new_survey, old_survey, workbook

Reader = Callable[[bytes], Imported]
FILES: dict[str, tuple[Reader, bytes]] = {
    "redcap": (redcap.read, DICTIONARY),
    "limesurvey, new": (limesurvey.read, new_survey()),
    "limesurvey, old": (limesurvey.read, old_survey()),
    "fhir": (fhir.read, nested_questionnaire()),
}
BITS = b"< ]]> { } \" ' \n | , \x00 \xff [a] 1e999 - ${x} null 9999999999999999999999999999999999999999".split(b" ")
PIECES = st.one_of(st.binary(max_size=6), st.sampled_from(BITS))
MANY = settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def assert_sound(found: Imported) -> None:
    for one in found.instruments:
        assert parse(tomllib.loads(source(one)), one.name).status == "draft"
        assert not [text for text in texts_of(one).values() if "<script" in text.lower()]
    assert all("\n" not in str(line) and line.what for line in found.report)


def assert_sound_or_refused(read: Reader, raw: bytes) -> None:
    said = ""
    try:
        assert_sound(read(raw))
    except BadData as refused:
        said = str(refused)
    assert "\n" not in said


@pytest.mark.parametrize("name", FILES)
@MANY
@given(data=st.data())
def test_a_file_with_pieces_put_in_or_taken_out_gives_sound_drafts_or_one_sentence(
    name: str, data: st.DataObject
) -> None:
    read, raw = FILES[name]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw)))
        raw = raw[:place] + data.draw(PIECES) + raw[place + data.draw(st.integers(0, 40)) :]
    assert_sound_or_refused(read, raw)


PAYLOADS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<a href='javascript:alert(1)'>x</a>",
    "\"><script>alert(1)</script>", "<iframe src=//example.org></iframe>", "<<script>alert(1)//<</script>", "{{7*7}}", "${7*7}",
    "{% raw %}", "<style>*{display:none}</style>", "<!--<script>-->x", "\u202egnp.exe", "a\x00b\x07c", "=cmd|' /C calc'!A0",
    "<p onclick=x>Hi</p>", "]]><x/>", "'; DROP TABLE answer; --", "𝒜" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda text: text[:20].encode("ascii", "backslashreplace").decode())
def test_a_payload_in_every_cell_becomes_plain_words_or_nothing(payload: str) -> None:
    cell = payload.replace('"', '""')
    rows = f'"q{cell}","f","{cell}","radio","{cell}","1, {cell} | 2, B","{cell}","","","","","{cell}","","","","","","{cell}"\n'
    assert_sound_or_refused(redcap.read, (HEAD + "record_id,f,,text,ID,,,,,,,,,,,,,\n" + rows).encode())
    item = {
        "linkId": payload,
        "text": payload,
        "type": "choice",
        "answerOption": [{"valueString": payload}, {"valueString": "b"}],
    }
    assert_sound(fhir.read(json.dumps({"resourceType": "Questionnaire", "title": payload, "item": [item]}).encode()))


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<!",
        "<![",
        "</",
        "<!--",
        "&#",
        "{",
        "< ",
        "<script>",
        "<?",
        "<a b='",
        "a=",
        "${",
        "**a ",
        "<![CDATA[",
        "[a](",
    ],
)
def test_a_text_as_long_as_a_file_may_be_is_plain_in_a_moment(piece: str) -> None:
    began = time.process_time()
    plain, lost = plain_text("<b>Hello</b>" + piece * (4_000_000 // len(piece)))
    assert time.process_time() - began < 1
    assert plain.startswith("Hello")
    assert ("approximated", "its text has") in [(how, what[:12]) for how, what in lost]


def test_what_was_written_as_words_about_markup_stays_words() -> None:
    """Every page escapes what it shows; these words were never markup."""
    assert plain_text("Write &lt;b&gt; &amp; &lt;i&gt;") == ("Write <b> & <i>", [])


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.text())
def test_plain_text_is_plain_whatever_it_was(text: str) -> None:
    plain, _ = plain_text(text)
    assert plain == plain.strip()
    assert len(plain) <= 2000
    assert not [letter for letter in plain if ord(letter) < 32 and letter != "\n"]
    assert plain_text(plain)[0].replace(" ", "") == plain.replace(" ", "") or "&" in plain or "<" in plain


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "＝1", ' "=1', "'=1"])
def test_what_a_spreadsheet_would_run_gets_a_mark(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("raw", "format_"),
    [
        (DICTIONARY, "redcap"), (DICTIONARY.decode().encode("utf-16"), "redcap"), (nested_questionnaire(), "fhir"),
        (b"\xef\xbb\xbf" + nested_questionnaire(), "fhir"), (new_survey(), "limesurvey"), (workbook(), "xlsform"),
    ],
    ids=["csv", "csv in utf-16", "json", "json with a mark", "lss", "xlsx"],
)  # fmt: skip
def test_a_file_is_recognised_by_what_it_holds(raw: bytes, format_: str) -> None:
    assert formats.recognised(raw) == format_
    assert formats.read(raw, name="some").instruments


def test_a_file_of_no_known_kind_is_refused() -> None:
    with pytest.raises(BadData, match="bring one of them, or say which it is"):
        formats.recognised(b"just words")
