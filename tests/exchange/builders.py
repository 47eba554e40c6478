"""Files as other programs write them, made of a few rows."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

EXAMPLES = Path(__file__).parent / "examples"
DICTIONARY = (EXAMPLES / "clinic.csv").read_bytes()
HEAD = DICTIONARY.decode().split("\n", 1)[0] + "\n"
Sheet = Sequence[Sequence[object]]

SURVEY: Sheet = (
    (
        "type",
        "name",
        "label::English (en)",
        "label::Cymraeg (cy)",
        "hint::English (en)",
        "relevant",
        "constraint",
        "required",
    ),
    ("start", "began", "", "", "", "", "", ""),
    ("begin_group", "day", "Your **day**", "Eich diwrnod", "", "", "", ""),
    ("select_one cups", "cup", "Which cup?", "Pa gwpan?", "Any colour", "", "", "yes"),
    ("integer", "cups", "How many cups of ${cup}?", "Sawl cwpan?", "", "${cup} != 'none'", ". >= 0 and . < 21", ""),
    ("select_multiple foods", "eaten", "What did you eat?", "Beth fwytoch chi?", "", "", "", ""),
    (
        "text",
        "which",
        "Which fruit?",
        "",
        "",
        "selected(${eaten}, 'fruit') and not(${cups} > 9)",
        "regex(., '[a-z]+')",
        "",
    ),
    ("end_group", "", "", "", "", "", "", ""),
    ("note", "thanks", "Nearly <i>done</i>.", "Bron â gorffen.", "", "", "", ""),
    ("select_one yes_no", "again", "Again?", "Eto?", "", "", "", ""),
    ("date", "day_seen", "When?", "Pryd?", "", "${nobody} = 'x'", "", ""),
    ("geopoint", "place", "Where?", "Ble?", "", "", "", ""),
    ("rank foods", "best", "Which is best?", "Pa un yw'r gorau?", "", "", "", ""),
    ("deviceid", "device", "", "", "", "", "", ""),
)
CHOICES: Sheet = (
    ("list_name", "name", "label::English (en)", "label::Cymraeg (cy)", "colour"),
    ("cups", "red", "Red, or pink", "Coch", "r"),
    ("cups", "none", "None", "Dim", ""),
    ("foods", "bread", "Bread", "Bara", ""),
    ("foods", "fruit", "Fruit", "Ffrwythau", ""),
    ("yes_no", "yes", "Yes", "Ie", ""),
    ("yes_no", "no", "No", "Na", ""),
)
SETTINGS: Sheet = (("form_title", "form_id", "default_language"), ("Your day", "day_1", "English (en)"))


def workbook(
    survey: Sheet = SURVEY,
    choices: Sheet = CHOICES,
    settings: Sheet = SETTINGS,
    others: Mapping[str, Sheet] | None = None,
) -> bytes:
    """An XLSForm as a workbook."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for name, rows in {"survey": survey, "choices": choices, "settings": settings, **(others or {})}.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def with_part(raw: bytes, name: str, change: Mapping[str, str]) -> bytes:
    """A workbook with pieces of one of its parts put in place of others."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == name:
                text = content.decode()
                for before, after in change.items():
                    assert before in text
                    text = text.replace(before, after)
                content = text.encode()
            made.writestr(entry.filename, content)
    return written.getvalue()


def lss(
    tables: Mapping[str, Sequence[Mapping[str, object]]], *languages: str, kind: str = "Survey", before: str = ""
) -> bytes:
    """A LimeSurvey structure of these tables."""
    parts = [
        f'<?xml version="1.0" encoding="UTF-8"?>\n{before}<document>\n <LimeSurveyDocType>{kind}</LimeSurveyDocType>'
    ]
    parts.append(" <DBVersion>500</DBVersion>\n <languages>")
    parts += [f"  <language>{language}</language>" for language in languages or ("en",)]
    parts.append(" </languages>")
    for table, rows in tables.items():
        parts.append(f" <{table}>\n  <fields><fieldname>qid</fieldname></fields>\n  <rows>")
        for row in rows:
            cells = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in row.items())
            parts.append(f"   <row>{cells}</row>")
        parts.append(f"  </rows>\n </{table}>")
    return "\n".join([*parts, "</document>"]).encode()


def question(qid: int, kind: str, code: str, **more: object) -> dict[str, object]:
    return {"qid": qid, "parent_qid": 0, "sid": 1, "gid": 2, "type": kind, "title": code, "question_order": qid, **more}


def part(qid: int, of: int, code: str, **more: object) -> dict[str, object]:
    return {"qid": qid, "parent_qid": of, "sid": 1, "gid": 2, "type": "T", "title": code, "question_order": qid, **more}


def new_survey() -> bytes:
    """The new shape: texts beside the tables, in two languages; arrays, two scales, branching, scripts."""
    words = {
        10: ("A choice<script>x()</script>", "Dewis"), 11: ("How old?", "Pa mor hen?"),
        12: ("What was eaten?", "Beth gafodd ei fwyta?"),
        13: ("A table", "Tabl"), 14: ("Two sides", "Dwy ochr"), 15: ("Say more", "Dywedwch fwy"), 16: ("A ranking", "Trefn"),
        17: ("Points", "Pwyntiau"), 18: ("Yes?", "Ie?"), 19: ("When?", "Pryd?"), 30: ("Bread", "Bara"), 31: ("Fruit", "Ffrwyth"),
        32: ("First row", "Rhes un"), 33: ("Second row", "Rhes dau"), 34: ("One row", "Un rhes"),
        35: ("Gold", "Aur"), 36: ("Tin", "Tun"),
    }  # fmt: skip
    answers = [
        (1, 10, "A1", 0, "Red", "Coch"), (2, 10, "A2", 0, "Blue, or so", "Glas"), (3, 13, "1", 0, "No", "Na"),
        (4, 13, "2", 0, "Partly", "Braidd"), (5, 13, "3", 0, "Yes", "Ie"), (6, 14, "1", 0, "Bad", "Drwg"),
        (7, 14, "2", 0, "Good", "Da"), (8, 14, "1", 1, "Little", "Ychydig"), (9, 14, "2", 1, "Much", "Llawer"),
    ]  # fmt: skip
    return lss(
        {
            "answers": [
                {"aid": a, "qid": q, "code": c, "sortorder": a, "scale_id": s, "assessment_value": 0}
                for a, q, c, s, _, _ in answers
            ],
            "answer_l10ns": [
                {"aid": one[0], "answer": text, "language": language}
                for one in answers
                for text, language in ((one[4], "en"), (one[5], "cy"))
            ],
            "groups": [{"gid": 2, "sid": 1, "group_order": 1, "grelevance": "1"}],
            "group_l10ns": [
                {"gid": 2, "group_name": name, "language": language}
                for name, language in (("Your day", "en"), ("Eich diwrnod", "cy"))
            ],
            "questions": [
                question(10, "L", "col", other="Y", mandatory="Y"),
                question(11, "N", "age", relevance='col.NAOK == "A1"'),
                question(12, "M", "eat", relevance='!is_empty(col.NAOK) and col_other.NAOK != ""'),
                question(13, "F", "tab", relevance='eat_f.NAOK == "Y" or 1X2X10 == "A2"'),
                question(14, "1", "two"),
                question(15, "T", "more", relevance="(sum(age.NAOK, 1) > 3)"),
                question(16, "R", "rank"),
                question(17, "5", "pts"),
                question(18, "Y", "yes"),
                question(19, "D", "day", relevance='missing.NAOK == "1"'),
                question(20, "*", "calc"),
                question(21, "|", "file"),
            ],
            "subquestions": [
                part(30, 12, "b"), part(31, 12, "f"), part(32, 13, "r1"), part(33, 13, "r2"), part(34, 14, "s1"),
                part(35, 16, "g"), part(36, 16, "t"),
            ],
            "question_l10ns": [
                {"qid": qid, "question": text, "help": "", "language": language}
                for qid, pair in words.items()
                for text, language in zip(pair, ("en", "cy"), strict=True)
            ],
            "question_attributes": [
                {"qid": 11, "attribute": "max_num_value_n", "value": "120"},
                {"qid": 11, "attribute": "num_value_int_only", "value": "1"},
                {"qid": 14, "attribute": "dualscale_headerA", "value": "How good", "language": "en"},
                {"qid": 14, "attribute": "random_order", "value": "1"},
            ],
            "surveys": [{"sid": 1, "language": "en", "additional_languages": "cy"}],
            "surveys_languagesettings": [
                {"surveyls_survey_id": 1, "surveyls_language": "en", "surveyls_title": "Your day", "surveyls_endtext": "Bye"},
                {"surveyls_survey_id": 1, "surveyls_language": "cy", "surveyls_title": "Eich diwrnod"},
            ],
        },
        "en", "cy",
    )  # fmt: skip


def old_survey() -> bytes:
    """The old shape: texts in the tables, a row a language; conditions in a table of their own."""
    both = ((("en", "Red"), ("de", "Rot")), (("en", "Blue"), ("de", "Blau")))
    return lss(
        {
            "answers": [
                {"qid": 1, "code": f"A{place}", "answer": text, "sortorder": place, "language": language, "scale_id": 0}
                for place, words in enumerate(both, start=1)
                for language, text in words
            ],
            "conditions": [
                {"qid": 2, "cqid": 1, "cfieldname": "1X2X1", "method": "==", "value": "A1", "scenario": 1},
                {"qid": 2, "cqid": 1, "cfieldname": "1X2X1", "method": "==", "value": "A2", "scenario": 1},
                {"qid": 3, "cqid": 1, "cfieldname": "1X2X1", "method": "RX", "value": "A.*", "scenario": 1},
            ],
            "groups": [
                {"gid": 2, "sid": 1, "group_name": name, "group_order": 0, "description": "", "language": language}
                for name, language in (("Colours", "en"), ("Farben", "de"))
            ],
            "questions": [
                {**question(qid, kind, code), "question": text, "language": language}
                for qid, kind, code, texts in (
                    (1, "!", "col", (("en", "Which?"), ("de", "Welche?"))),
                    (2, "S", "why", (("en", "Why?"), ("de", ""))),
                    (3, "Y", "sure", (("en", "Sure?"), ("de", "Sicher?"))),
                )
                for language, text in texts
            ],
            "surveys": [{"sid": 1, "language": "en", "additional_languages": "de"}],
            "surveys_languagesettings": [
                {"surveyls_survey_id": 1, "surveyls_language": language, "surveyls_title": title}
                for language, title in (("en", "Colours"), ("de", "Farben"))
            ],
        },
        "en", "de",
    )  # fmt: skip


def fhir(items: Sequence[Mapping[str, object]], **facts: object) -> bytes:
    import json

    return json.dumps(
        {"resourceType": "Questionnaire", "status": "draft", "title": "Your day", "item": items, **facts}
    ).encode()


ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
NESTED: Sequence[Mapping[str, object]] = (
    {
        "linkId": "1", "type": "group", "text": "Your day",
        "item": [
            {"linkId": "1.1", "type": "boolean", "text": "Did you have tea?", "required": True,
             "enableWhen": [{"question": "1.2", "operator": "exists", "answerBoolean": True}],
             "item": [
                 {"linkId": "1.1h", "type": "display", "text": "Any tea", "extension": [
                     {"url": "http://hl7.org/fhir/StructureDefinition/questionnaire-itemControl",
                      "valueCodeableConcept": {"coding": [{"code": "help"}]}}]},
                 {"linkId": "1.1.1", "type": "integer", "text": "How many cups?",
                  "enableWhen": [{"question": "1.1", "operator": "=", "answerBoolean": True}],
                  "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueInteger": 0},
                                {"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueInteger": 20}]},
             ]},
            {"linkId": "1.2", "type": "choice", "text": "How strong?",
             "enableWhen": [{"question": "1.1.1", "operator": ">", "answerInteger": 0},
                            {"question": "1.1", "operator": "!=", "answerBoolean": False}], "enableBehavior": "all",
             "answerOption": [
                 {"valueCoding": {"code": "LA1", "display": "Weak", "extension": [{"url": ORDINAL, "valueDecimal": 0}]}},
                 {"valueCoding": {"code": "LA2", "display": "Strong", "extension": [{"url": ORDINAL, "valueDecimal": 1}]}}]},
        ],
    },
    {"linkId": "2", "type": "group", "text": "Anything else", "repeats": True,
     "enableWhen": [{"question": "1.2", "operator": "=", "answerCoding": {"code": "LA2"}},
                    {"question": "1.1.1", "operator": "exists", "answerBoolean": False}], "enableBehavior": "any",
     "item": [
         {"linkId": "2.1", "type": "open-choice", "text": "Which leaf?", "answerValueSet": "#leaves"},
         {"linkId": "2.2", "type": "choice", "text": "Elsewhere?", "answerValueSet": "urn:elsewhere"},
         {"linkId": "2.3", "type": "attachment", "text": "A picture"},
         {"linkId": "2.4", "type": "text", "text": "Words",
          "_text": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/translation", "extension": [
              {"url": "lang", "valueCode": "cy"}, {"url": "content", "valueString": "Geiriau"}]}]}},
     ]},
)  # fmt: skip
LEAVES = {
    "resourceType": "ValueSet",
    "id": "leaves",
    "compose": {"include": [{"concept": [{"code": "Green"}, {"code": "BLACK", "display": "Black"}]}]},
}


def nested_questionnaire() -> bytes:
    """Conditions that go round in a circle, questions inside questions, lists in the file and outside it, points, Welsh."""
    return fhir(NESTED, name="day", language="en", contained=[LEAVES])
