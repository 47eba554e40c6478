"""LimeSurvey's survey structure, old shape and new; nothing in it is resolved, fetched or expanded."""

import time

import pytest

from analysis.errors import BadData
from evalapp.exchange import limesurvey
from instruments import Instrument
from instruments.writing import condition_text
from tests.exchange.builders import lss, new_survey, old_survey, part, question

BOMB = (
    '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>\n"
)
OUTSIDE = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
ELSEWHERE = '<!DOCTYPE d SYSTEM "http://example.org/survey.dtd">\n'


def conditions(instrument: Instrument) -> dict[str, str]:
    return {item.code: condition_text(item.show_if) for item in instrument.items if item.show_if}


def survey(
    *rows: dict[str, object], parts: tuple[dict[str, object], ...] = (), answers: tuple[dict[str, object], ...] = ()
) -> bytes:
    """A survey of these questions in the old shape, in English."""
    return lss({
        "answers": answers, "groups": [{"gid": 2, "sid": 1, "group_name": "All", "group_order": 0, "language": "en"}],
        "questions": [{"question": f"Text of {row['title']}", "language": "en", **row} for row in (*rows, *parts)],
        "surveys": [{"sid": 1, "language": "en"}],
    })  # fmt: skip


def test_the_new_shape_comes_in_whole() -> None:
    (made,) = limesurvey.read(new_survey(), name="lime").instruments
    assert (made.name, made.title, made.languages, made.status) == ("lime", "Your day", ("en", "cy"), "draft")
    assert {item.code: item.kind for item in made.items} == {
        "col": "single", "col_other": "short_text", "age": "number", "eat": "several", "tab": "information",
        "tab_r1": "agreement", "tab_r2": "agreement", "two": "information", "two_s1_1": "agreement", "two_s1_2": "agreement",
        "more": "long_text", "rank": "several", "pts": "agreement", "yes": "yes_no", "day": "date",
    }  # fmt: skip
    assert conditions(made) == {
        "col_other": 'col = "other"',
        "age": 'col = "a1"',
        "eat": "answered(col) and answered(col_other)",
        **dict.fromkeys(("tab", "tab_r1", "tab_r2"), 'eat in ("f") or col = "a2"'),
    }
    assert made.item("age").maximum == 120
    assert made.in_language("cy").item("eat").options == (("b", "Bara"), ("f", "Ffrwyth"))


def test_two_sets_of_answers_side_by_side_are_two_questions() -> None:
    (made,) = limesurvey.read(new_survey()).instruments
    assert made.item("two_s1_1").text == "One row – How good"
    assert made.item("two_s1_1").options == ((1, "Bad"), (2, "Good"))
    assert made.item("two_s1_2").options == ((1, "Little"), (2, "Much"))


def test_the_old_shape_and_its_table_of_conditions_come_in() -> None:
    found = limesurvey.read(old_survey())
    (made,) = found.instruments
    assert made.languages == ("en", "de")
    assert made.item("col").options == (("a1", "Red"), ("a2", "Blue"))
    assert made.in_language("de").item("col").text == "Welche?"
    assert made.in_language("de").item("why").text == "Why?"
    assert conditions(made) == {"why": 'col in ("a1", "a2")'}
    assert [line for line in found.report if line.where == "sure" and "it matches by RX" in line.what]
    assert [
        line for line in found.report if line.where == "language de" and "1 text is not translated (why)" in line.what
    ]


@pytest.mark.parametrize(
    ("where", "how", "what"),
    [
        ("the survey", "dropped", "its end text"),
        ("col", "dropped", "it must be answered"),
        ("col", "dropped", "a script in its text"),
        ("col, answers", "renamed", "A1 to a1; A2 to a2"),
        ("tab", "approximated", "a table; each of its rows"),
        ("two", "approximated", "two sets of answers side by side"),
        ("two", "dropped", "its settings random_order = 1"),
        ("more", "dropped", "it uses sum()"),
        ("rank", "approximated", "a ranking"),
        ("calc", "dropped", "a calculation"),
        ("file", "dropped", "a file to upload"),
        ("day", "dropped", "it asks about missing, which is no question of this survey"),
        ("language cy", "approximated", "5 texts are not translated"),
    ],
)
def test_every_loss_has_its_line(where: str, how: str, what: str) -> None:
    report = limesurvey.read(new_survey()).report
    assert [line for line in report if (line.where, line.how) == (where, how) and what in line.what], report


TYPES = {
    "1": ["information", "agreement", "agreement"], "5": ["agreement"], "A": ["information", "agreement"],
    "B": ["information", "number"], "C": ["information", "single"], "D": ["date"], "E": ["information", "single"],
    "F": ["information", "agreement"], "G": ["single"], "H": ["information", "agreement"], "K": ["information", "number"],
    "L": ["single"], "M": ["yes_no"], "N": ["number"], "O": ["single", "long_text"], "P": ["yes_no", "short_text"],
    "Q": ["information", "short_text"], "R": ["yes_no"], "S": ["short_text"], "T": ["long_text"], "U": ["long_text"],
    "X": ["information"], "Y": ["yes_no"], ":": ["information", "number"], ";": ["information", "short_text"], "!": ["single"],
    "%": ["long_text"],
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_question_comes_in(kind: str) -> None:
    answers = tuple(
        {"qid": 5, "code": code, "answer": code, "language": "en", "scale_id": scale, "sortorder": code}
        for scale in (0, 1)
        for code in (1, 2)
    )
    across = (part(7, 5, "c", scale_id=1),) if kind in ":;" else ()
    raw = survey(question(5, kind, "q"), parts=(part(6, 5, "s", scale_id=0), *across), answers=answers)
    assert [item.kind for item in limesurvey.read(raw).instruments[0].items] == TYPES[kind]


@pytest.mark.parametrize("kind", ["|", "*", "I"])
def test_what_asks_nobody_anything_is_dropped(kind: str) -> None:
    found = limesurvey.read(survey(question(5, kind, "q"), question(6, "S", "other")))
    assert [item.code for item in found.instruments[0].items] == ["other"]
    assert [line.how for line in found.report if line.where == "q"] == ["dropped"]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "the file is empty"),
        (lss({}, before=BOMB), "declares a document type or entities"),
        (lss({}, before=OUTSIDE), "declares a document type or entities"),
        (lss({}, before=ELSEWHERE), "declares a document type or entities"),
        (lss({}, kind="Group"), "of a Group, not a survey"),
        (lss({}), "no question that can be asked"),
        (b"<document><unclosed>", "not sound XML"),
        (b"not XML at all", "not sound XML"),
        (b"PK\x03\x04", "the file is an archive"),
        (b"<a>" * 100_000, "nested deeper than a survey is"),
        (b'<?xml version="1.0" encoding="klingon"?><document/>', "not sound XML"),
        (b"<document>" + b"x" * 4_000_001, "the most is 4,000,000"),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_what_is_no_survey_is_refused_at_once_and_in_one_sentence(raw: bytes, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadData) as refused:
        limesurvey.read(raw)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began < 5  # a bomb that went off would take minutes


def test_an_entity_that_xml_knows_by_itself_is_a_letter() -> None:
    raw = survey(question(5, "S", "q")).replace(b"Text of q", b"Salt &amp; pepper &#233;")
    assert limesurvey.read(raw).instruments[0].item("q").text == "Salt & pepper é"


def test_utf_16_is_read() -> None:
    text = (
        survey(question(5, "S", "q"))
        .decode()
        .replace('encoding="UTF-8"', 'encoding="UTF-16"')
        .replace("Text of q", "Вопрос")
    )
    assert limesurvey.read(text.encode("utf-16")).instruments[0].item("q").text == "Вопрос"
