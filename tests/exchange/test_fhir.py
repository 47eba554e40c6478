"""FHIR Questionnaires: conditions in circles, questions inside questions, and that ours come back in every language."""

import json
from typing import Any

import pytest

from analysis.errors import BadData
from evalapp.exchange import fhir
from evalapp.exchange.drafts import Line
from instruments import Instrument, library, texts_of
from instruments.writing import condition_text
from tests.exchange.builders import fhir as questionnaire
from tests.exchange.builders import nested_questionnaire

SHIPPED = list(library())


def conditions(instrument: Instrument) -> dict[str, str]:
    return {item.code: condition_text(item.show_if) for item in instrument.items if item.show_if}


def one(kind: str, **facts: Any) -> dict[str, Any]:
    return {"linkId": "q", "type": kind, "text": "Which?", **facts}


def test_nested_items_come_in_with_what_hides_them() -> None:
    (day,) = fhir.read(nested_questionnaire()).instruments
    assert day.languages == ("en", "cy")
    assert [page.title for page in day.pages] == ["Your day", "Anything else"]
    assert {item.code: item.kind for item in day.items} == {
        "q1_1": "yes_no", "q1_1_1": "number", "q1_2": "agreement", "q2_1": "single", "q2_1_other": "short_text",
        "q2_2": "short_text", "q2_4": "long_text",
    }  # fmt: skip
    assert day.item("q1_1").hint == "Any tea"
    assert conditions(day) == {
        "q1_1_1": 'q1_1 = "yes"',
        "q1_2": 'q1_1_1 > 0 and q1_1 != "no"',
        "q2_1": "q1_2 = 1 or not answered(q1_1_1)",
        "q2_1_other": '(q1_2 = 1 or not answered(q1_1_1)) and q2_1 = "other"',
        "q2_2": "q1_2 = 1 or not answered(q1_1_1)",
        "q2_4": "q1_2 = 1 or not answered(q1_1_1)",
    }
    assert day.in_language("cy").item("q2_4").text == "Geiriau"


def test_a_circle_of_conditions_is_cut_where_it_looks_forward_and_said() -> None:
    found = fhir.read(nested_questionnaire())
    cut = [line for line in found.report if "1.2 exists true" in line.what]
    assert {line.where for line in cut} == {"1.1", "1.1.1"}
    assert all("which is not asked before it; it is always shown" in line.what for line in cut)


@pytest.mark.parametrize(
    ("where", "how", "what"),
    [
        ("1.1", "dropped", "it must be answered"),
        ("1.1", "approximated", "what stands inside it follows it"),
        ("1.2, answers", "renamed", "LA1 to 0; LA2 to 1"),
        ("2", "approximated", "may be answered several times"),
        ("2.1", "approximated", "an answer of one's own is a question after it"),
        ("2.1, answers", "renamed", "Green to green; BLACK to black"),
        ("2.2", "dropped", "its list of answers urn:elsewhere"),
        ("2.2", "approximated", "it asks for words instead"),
        ("2.3", "dropped", "a file to upload"),
        ("2.4", "renamed", "its code is q2_4"),
        ("language cy", "approximated", "not translated"),
    ],
)
def test_every_loss_has_its_line(where: str, how: str, what: str) -> None:
    report = fhir.read(nested_questionnaire()).report
    assert [line for line in report if (line.where, line.how) == (where, how) and what in line.what], report


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("boolean", "yes_no"), ("integer", "number"), ("decimal", "number"), ("quantity", "number"), ("date", "date"),
        ("dateTime", "date"), ("time", "short_text"), ("string", "short_text"), ("text", "long_text"), ("url", "short_text"),
        ("display", "information"), ("choice", "short_text"), ("coding", "short_text"), ("", "short_text"),
    ],
)  # fmt: skip
def test_every_type_of_item_comes_in(kind: str, expected: str) -> None:
    found = fhir.read(questionnaire([one(kind)]))
    assert found.instruments[0].item("q").kind == expected


def test_answers_in_words_numbers_and_codes_come_in() -> None:
    options = [
        {"valueString": "A word"},
        {"valueInteger": 3},
        {"valueCoding": {"code": "x-1", "display": "A code"}},
        {"valueReference": {}},
    ]
    found = fhir.read(questionnaire([one("choice", answerOption=options, repeats=True)]))
    item = found.instruments[0].item("q")
    assert (item.kind, item.options) == ("several", (("a_word", "A word"), ("3", "3"), ("x_1", "A code")))
    assert Line("dropped", "q", "an answer that is not in words, numbers or codes") in found.report


def test_what_nobody_knows_here_is_said_by_name() -> None:
    strange = {"url": "urn:strange", "valueString": "x"}
    found = fhir.read(
        questionnaire(
            [one("string", extension=[strange], modifierExtension=[strange], code=[{"code": "1"}], initial=[{}])],
            purpose="Why",
        )
    )
    said = {(line.where, line.what.split(",")[0]) for line in found.report}
    of_item = {"its code", "its initial", "its modifierExtension", "its extension urn:strange"}
    assert {("q", what) for what in of_item} | {("the questionnaire", "its purpose")} <= said


def test_a_bundle_gives_each_of_its_questionnaires() -> None:
    inner = [json.loads(questionnaire([one("text")], name=name)) for name in ("first", "second")]
    bundle = {"resourceType": "Bundle", "entry": [{"resource": each} for each in [*inner, {"resourceType": "Patient"}]]}
    found = fhir.read(json.dumps(bundle).encode())
    assert [each.name for each in found.instruments] == ["first", "second"]


def nested(depth: int) -> bytes:
    item: dict[str, Any] = one("string")
    for level in range(depth):
        item = {"linkId": f"g{level}", "type": "group", "item": [item]}
    return questionnaire([item])


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{", "not sound JSON"),
        (b"[1, 2]", "no FHIR resource"),
        (b'{"resourceType": "Patient"}', "a FHIR Patient"),
        (b'{"resourceType": 7}', "no FHIR resource"),
        (b'{"resourceType": "Questionnaire", "item": [], "x": NaN}', "NaN is no number"),
        (b'{"resourceType": "Questionnaire"}', "no question that can be asked"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}', "holds no questionnaire"),
        (b"<Questionnaire/>", "the file is XML"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 60_000, "nested deeper"),
        (nested(40), "nested more than 30 deep"),
        (questionnaire([one("string", linkId=str(place)) for place in range(2001)]), "more than 2,000 items"),
        (questionnaire([one("string", linkId=str(place)) for place in range(1001)]), "the most is 1,000"),
        (b"1" * 5000, "not sound JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_questionnaire_is_refused_in_one_sentence(raw: bytes, says: str) -> None:
    with pytest.raises(BadData) as refused:
        fhir.read(raw)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [
        {"item": "no list"}, {"item": [1, None, "x"]}, {"text": 7}, {"enableWhen": [{"question": 3}]}, {"enableWhen": {}},
        {"answerOption": [{"valueCoding": 1}, {}, 7]}, {"extension": [{}, {"url": 3}]}, {"maxLength": "long"}, {"linkId": None},
        {"enableWhen": [{"question": "q", "operator": "=", "answerString": None}]}, {"_text": []},
        {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueInteger": True}]},
        {"extension": [{"url": "urn:evalapp:kind", "valueCode": "rating"}]},
        {"extension": [{"url": "urn:evalapp:kind", "valueCode": "faces"}, {"url": "urn:evalapp:pictures", "valueString": "x"}]},
        {"extension": [{"url": "urn:evalapp:show_if", "valueString": "q ="}]},
    ],
    ids=str,
)  # fmt: skip
def test_an_item_of_the_wrong_shape_never_breaks_the_rest(broken: dict[str, Any]) -> None:
    options = [{"valueString": "a"}, {"valueString": "b"}]
    asked = [{"linkId": "before", "type": "string", "text": "Before?"}, one("choice", answerOption=options) | broken]
    found = fhir.read(questionnaire(asked))
    assert found.instruments[0].item("before").text == "Before?"


@pytest.mark.parametrize("instrument", SHIPPED, ids=lambda one: f"{one.name}-{one.version}")
def test_a_shipped_questionnaire_comes_back_with_all_fhir_can_hold(instrument: Instrument) -> None:
    written = fhir.write(instrument)
    (back,) = fhir.read(written.content).instruments
    assert back.languages == instrument.languages
    for language in instrument.languages:
        ours, theirs = instrument.in_language(language), back.in_language(language)
        for name in ("name", "title", "pages", "items", "refusals", "owner", "licence"):
            assert getattr(theirs, name) == getattr(ours, name), (language, name)
    assert {line.where for line in written.report if line.how == "dropped"} == {
        f"scale {one.code}" for one in instrument.scales
    }
    assert "urn:evalapp:show_if" not in written.content.decode()  # every condition is in FHIR's own words


def test_a_condition_fhir_cannot_say_comes_back_and_is_said() -> None:
    ours = {"url": "urn:evalapp:show_if", "valueString": 'a = "yes" and (b = "no" or not answered(b))'}
    asked = [one("boolean", linkId="a"), one("boolean", linkId="b"), one("string", linkId="c", extension=[ours])]
    source = questionnaire(asked)
    (made,) = fhir.read(source).instruments
    written = fhir.write(made)
    (back,) = fhir.read(written.content).instruments
    assert conditions(back) == conditions(made) == {"c": 'a = "yes" and (b = "no" or not answered(b))'}
    assert [line for line in written.report if line.where == "c" and "others always show it" in line.what]


def test_translations_stand_where_fhir_has_them() -> None:
    instrument = library().latest("ons4")
    made = json.loads(fhir.write(instrument).content)
    welsh = texts_of(instrument.in_language("cy"))
    said = made["_title"]["extension"]
    assert {one["url"] for one in said} == {"http://hl7.org/fhir/StructureDefinition/translation"}
    assert len(said) == len(instrument.languages) - 1
    parts = [{"url": "lang", "valueCode": "cy"}, {"url": "content", "valueString": welsh["title"]}]
    assert parts in [one["extension"] for one in said]
