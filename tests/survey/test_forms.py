"""From what stands in the boxes to what is stored: whole for every kind of question, and never wrong."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from evalapp.responses import BLANK, Given
from evalapp.survey.forms import FIELDS, form_for, given_in, label_of
from instruments import KINDS
from tests.survey.conftest import EVERY_KIND, World

BARE = Flask("bare")  # fields need words, not a database
Babel(BARE, default_locale="en_GB")
REFUSALS = dict(EVERY_KIND.refusals)
ASKING = [item for item in EVERY_KIND.items if item.kind != "information"]
LONG = "x" * 100_000
HOSTILE = [
    LONG, "9" * 100_000, "\x00", "1\x002", "\u202e5", "1e309", "-1e309", "nan", "inf", "٣", "３", "½", "1_0", "0x5", "+3", "1,5",
    "\ud800", "🙂", "' OR 1=1 --", "<script>alert(1)</script>", "{{ 7*7 }}", "prefer_not_", "null", "true", "[]", "-0", "00000005",
]  # fmt: skip


def read(code: str, *typed: tuple[str, str]) -> tuple[Given, list[str]]:
    """What one question makes of its inputs (name ending, text), and what it says is wrong."""
    with BARE.test_request_context():
        posted = MultiDict([(f"a-{code}{part}", text) for part, text in typed])
        form = form_for([EVERY_KIND.item(code)], REFUSALS, posted=posted)
        form.validate()
        return given_in(form)[code], list(form[code].errors)


def test_every_kind_of_question_has_its_field() -> None:
    assert set(FIELDS) == set(KINDS)


def test_the_example_asks_one_of_each_kind() -> None:
    assert {item.kind for item in EVERY_KIND.items} == set(KINDS)


RIGHT = [
    ("agree", [("", "5")], 5),
    ("face", [("", "1")], 1),
    ("picture", [("", "3")], 3),
    ("rated", [("", "0")], 0),
    ("one", [("", "red")], "red"),
    ("some", [("", "fruit"), ("", "bread")], ["bread", "fruit"]),
    ("tea", [("", "no")], "no"),
    ("cups", [("", " 12 ")], 12),
    ("amount", [("", "2.5")], 2.5),
    ("amount", [("", "3.0")], 3),
    ("day", [("-day", "1"), ("-month", "2"), ("-year", "2026")], "2026-02-01"),
    ("day", [("-day", "29"), ("-month", "2"), ("-year", "2028")], "2028-02-29"),
    ("line", [("", "  Earl \t Grey ")], "Earl Grey"),
    ("lines", [("", "one\r\ntwo\x00\x07")], "one\ntwo"),
    ("lines", [("", "شاي \u202eabc")], "شاي \u202eabc"),
    ("cups", [("", "١٢")], 12),
    ("amount", [("", "۲٫۵")], 2.5),
    ("day", [("-day", "٣"), ("-month", "١٢"), ("-year", "٢٠٢٦")], "2026-12-03"),
]


@pytest.mark.parametrize(("code", "typed", "value"), RIGHT)
def test_what_is_given_is_read_as_it_is_meant(code: str, typed: list[tuple[str, str]], value: Any) -> None:
    assert read(code, *typed) == (Given(value), [])
    assert type(read(code, *typed)[0].value) is type(value)


WRONG = [
    ("agree", [("", "6")]),
    ("agree", [("", "5.0")]),
    ("agree", [("", "1"), ("", "5")]),
    ("agree", [("", "1"), ("", "prefer_not")]),
    ("some", [("", "bread"), ("", "stone")]),
    ("some", [("", "bread"), ("-no", "prefer_not")]),
    ("cups", [("", "21")]),
    ("cups", [("", "-1")]),
    ("cups", [("", "1.5")]),
    ("cups", [("", "3"), ("-no", "not_applicable")]),
    ("cups", [("-no", "anything")]),
    ("amount", [("", "2.55")]),
    ("amount", [("", "1,5")]),
    ("day", [("-day", "30"), ("-month", "2"), ("-year", "2026")]),
    ("day", [("-day", "1"), ("-month", "13"), ("-year", "2026")]),
    ("day", [("-day", "1"), ("-month", "1"), ("-year", "2019")]),
    ("day", [("-day", "1"), ("-month", "1"), ("-year", "26")]),
    ("day", [("-day", "1")]),
    ("day", [("-day", "３"), ("-month", "1"), ("-year", "2026")]),
    ("line", [("", "x" * 41)]),
    ("lines", [("", LONG)]),
]


@pytest.mark.parametrize(("code", "typed"), WRONG)
def test_what_cannot_be_meant_is_refused_with_a_sentence(code: str, typed: list[tuple[str, str]]) -> None:
    given, errors = read(code, *typed)
    assert given == BLANK
    assert errors
    assert errors[0].endswith(".")


@pytest.mark.parametrize("item", ASKING, ids=lambda item: item.code)
def test_an_untouched_question_is_a_blank(item: Any) -> None:
    assert read(item.code) == (BLANK, [])


@pytest.mark.parametrize("item", [one for one in ASKING if one.refusals], ids=lambda item: item.code)
@pytest.mark.parametrize("reason", ["prefer_not", "not_applicable"])
def test_a_refusal_is_an_answer_of_its_own(item: Any, reason: str) -> None:
    ending = "" if item.codes and item.kind != "several" else "-no"
    assert read(item.code, (ending, reason)) == (Given(None, reason), [])


@pytest.mark.parametrize("item", ASKING, ids=lambda item: item.code)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_a_hostile_text_is_refused_or_kept_as_words(item: Any, text: str) -> None:
    for part in ("", "-day", "-month", "-year", "-no"):
        given, errors = read(item.code, (part, text))
        assert errors or given == BLANK or accepted(item, given.value)


def accepted(item: Any, value: Any) -> bool:
    """Whether a value is of the kind its question stores."""
    if item.kind == "number":
        return type(value) in {int, float} and item.minimum <= value <= item.maximum
    if item.kind in {"short_text", "long_text"}:
        return (
            isinstance(value, str)
            and 0 < len(value) <= item.max_length
            and value.encode() != b""
            and "\x00" not in value
        )
    chosen = value if isinstance(value, list) else [value]
    return all(one in item.codes and type(one) is type(item.codes[0]) for one in chosen)


@settings(max_examples=200, deadline=None)
@given(text=st.text(), code=st.sampled_from([item.code for item in ASKING]))
def test_no_text_breaks_any_field(text: str, code: str) -> None:
    given, errors = read(code, ("", text), ("-day", text), ("-month", text), ("-year", text))
    assert errors or given == BLANK or accepted(EVERY_KIND.item(code), given.value)


@pytest.mark.parametrize(("code", "typed", "value"), RIGHT)
def test_a_stored_answer_stands_in_the_form_as_it_was_given(
    code: str, typed: list[tuple[str, str]], value: Any
) -> None:
    with BARE.test_request_context():
        shown = form_for([EVERY_KIND.item(code)], REFUSALS, stored={code: Given(value)})[code]
        again = MultiDict([(f"a-{code}{part}", one) for part, several in shown.typed.items() for one in several])
        form = form_for([EVERY_KIND.item(code)], REFUSALS, posted=again)
        assert form.validate()
        assert given_in(form) == {code: Given(value)}


def test_an_answer_in_words_is_its_label() -> None:
    with BARE.test_request_context():
        said = {code: label_of(EVERY_KIND.item(code), Given(value), REFUSALS) for code, _, value in RIGHT[:11]}
    assert said["agree"] == "Strongly agree"
    assert said["rated"] == "0 – Cold"
    assert said["some"] == "Bread; Fruit"
    assert said["day"] == "1 February 2026"


def test_hostile_texts_in_every_box_of_every_page_are_a_page_and_never_a_fault(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    for number in (1, 2, 4, 5):
        for text in HOSTILE:
            person.open(f"/q/{number}")
            codes = dict(person.page.forms[f"/q/{number}"])["shown"].split()
            wire = text.encode("utf-8", "replace").decode()
            parts = {f"a-{code}{part}": wire for code in codes for part in ("", "-day", "-month", "-year", "-no")}
            person.send(f"/q/{number}", go="next", **parts)
            assert person.status in {200, 422}
        person.open(f"/q/{number}").next(number)
    stored = world.stored(place)
    assert set(stored) >= {"agree", "one", "amount", "line"}
    for code, one in stored.items():
        assert one == BLANK or accepted(EVERY_KIND.item(code), one.value)


def test_every_picture_a_questionnaire_may_name_is_drawn() -> None:
    import evalapp.survey
    from instruments import BESIDE, PICTURES

    folder = Path(evalapp.survey.__file__).parent / "templates" / "survey" / "pictures"
    assert {path.stem for path in folder.glob("*.svg")} == {*PICTURES, *BESIDE}
