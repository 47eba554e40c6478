"""REDCap's data dictionary (CSV), in and out.

A dictionary has no place for what REDCap does not know: which kind of question of ours a field is, the letters of its
code, its refusals where no answers are listed. Ours stands in the field's annotation, as REDCap allows any words there,
and is read back from it.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from analysis.errors import BadData
from evalapp.exchange.drafts import (
    Choice,
    Form,
    Imported,
    Line,
    Question,
    Section,
    Shown,
    Written,
    drafted,
    in_steps,
    number_of,
    plain_text,
    yes_or_no,
)
from evalapp.exchange.files import safe, text_of
from evalapp.exchange.logic import REDCAP, Dialect, NotSayable, parse
from instruments import KINDS, And, Answered, Compare, Condition, Instrument, Item, Kind, Not, OneOf, Or
from instruments.definitions import NUMBERED, WORDED, WRITTEN
from instruments.reading import LONGEST

COLUMNS = (
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number",
    "Text Validation Min", "Text Validation Max", "Identifier?", "Branching Logic (Show field only if...)",
    "Required Field?", "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?",
    "Field Annotation",
)  # fmt: skip
NAME, FORM, HEADER, TYPE, LABEL, CHOICES, NOTE, VALIDATION, LOW, HIGH = COLUMNS[:10]
IDENTIFIER, LOGIC, REQUIRED, ALIGNMENT, NUMBER, MATRIX, RANKING, ANNOTATION = COLUMNS[10:]
# The names REDCap's own interface for programs gives the same columns.
_OTHER_NAMES = {
    "field_name": NAME, "form_name": FORM, "section_header": HEADER, "field_type": TYPE, "field_label": LABEL,
    "select_choices_or_calculations": CHOICES, "field_note": NOTE,
    "text_validation_type_or_show_slider_number": VALIDATION, "text_validation_min": LOW, "text_validation_max": HIGH,
    "identifier": IDENTIFIER, "branching_logic": LOGIC, "required_field": REQUIRED, "custom_alignment": ALIGNMENT,
    "question_number": NUMBER, "matrix_group_name": MATRIX, "matrix_ranking": RANKING, "field_annotation": ANNOTATION,
}  # fmt: skip
_NEEDED = (NAME, FORM, TYPE, LABEL)
_MOST_ROWS = 5000
_WANTED = "the data dictionary REDCap exports (CSV)"
OURS = "evalapp:"  # what stands before our own words in an annotation
_NOT_ASKED = {
    "calc": "a calculation", "file": "a file to upload", "sql": "a list out of a database",
    "advcheckbox": "a kind of field REDCap no longer makes",
}  # fmt: skip
_DATES = ("date_ymd", "date_dmy", "date_mdy")
_SLIDER = (0, 100)


def read(raw: bytes, *, name: str = "imported", language: str = "en") -> Imported:
    """Draft questionnaires from a data dictionary, one for each of its forms.

    `name` is not needed (forms have names); `language` is that of its texts, which the file does not say. Raises
    BadData where it is no data dictionary.
    """
    report: list[Line] = []
    rows = _rows(text_of(raw, _WANTED), report)
    forms: dict[str, list[dict[str, str]]] = {}
    for place, row in enumerate(rows):
        if place == 0 and row[TYPE] == "text" and len(rows) > 1:
            report.append(Line("dropped", row[NAME], "REDCap's own number of each record; people have a code here"))
            continue
        forms.setdefault(row[FORM] or name, []).append(row)
    made = []
    for form, fields in forms.items():
        own: list[Line] = []
        try:
            made.append(drafted(_form(form, fields, language, own), own))
        except BadData as error:
            if len(forms) == 1:
                raise
            own.append(Line("dropped", f"form {form}", str(error)))
        report += own
    if not made:
        raise BadData("the file holds no question that can be asked here; check that it is the right file")
    return Imported(tuple(made), tuple(report))


def _rows(text: str, report: list[Line]) -> list[dict[str, str]]:
    """The rows as dictionaries by REDCap's names of the columns."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator, strict=False) if any(line)]
    except csv.Error as error:
        raise BadData(f"the file is no CSV ({error}); bring {_WANTED}") from None
    if len(lines) > _MOST_ROWS:
        raise BadData(f"the file has {len(lines):,} rows; the most is {_MOST_ROWS:,}, so export fewer forms at a time")
    head = [" ".join(cell.split()) for cell in lines[0]] if lines else []
    names = [_OTHER_NAMES.get(cell.lower(), _KNOWN.get(cell.lower(), cell)) for cell in head]
    missing = [column for column in _NEEDED if column not in names]
    if missing:
        raise BadData(f"the file has no column {missing[0]!r}; bring {_WANTED}")
    repeated = sorted({column for column in names if column and names.count(column) > 1})
    if repeated:
        raise BadData(f"the column {repeated[0]!r} stands there twice; take one out and bring the file again")
    report.extend(
        Line("dropped", f"column {column}", "it is not one of REDCap's")
        for column in names
        if column and column not in COLUMNS
    )
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) > len(names) and any(cell.strip() for cell in line[len(names) :]):
            raise BadData(f"row {number} has more cells than there are columns; put cells that hold a comma in quotes")
        row = dict.fromkeys(COLUMNS, "") | {column: _unquoted(cell) for column, cell in zip(names, line, strict=False)}
        row = {column: cell.strip() for column, cell in row.items()}
        row[TYPE] = row[TYPE].lower()
        if row[NAME]:
            rows.append(row)
        else:
            report.append(Line("dropped", f"row {number}", "it names no variable"))
    _check_names(rows, report)
    if not rows:
        raise BadData(f"the file has no rows below its names; bring {_WANTED}")
    return rows


_KNOWN = {column.lower(): column for column in COLUMNS}


def _unquoted(cell: str) -> str:
    """A cell without the mark that keeps a spreadsheet from running it."""
    return cell[1:] if cell.startswith("'") and safe(cell[1:]) == cell else cell


def _check_names(rows: list[dict[str, str]], report: list[Line]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row[NAME].lower() in seen:
            report.append(
                Line("approximated", row[NAME], "the file has this variable twice; conditions mean the first")
            )
        seen.add(row[NAME].lower())


def _form(name: str, fields: list[dict[str, str]], language: str, report: list[Line]) -> Form:
    dialect = Dialect(REDCAP, _named({row[NAME].lower() for row in fields}))
    ours = [_ours(row) for row in fields]
    about: Mapping[str, Any] = next((one["form"] for one in ours if isinstance(one.get("form"), dict)), {})
    words = {language: str(about.get("title") or name.replace("_", " ").capitalize())}
    sections: list[Section] = []
    for row, own in zip(fields, ours, strict=True):
        header, _ = plain_text(row[HEADER])
        if header or not sections or "page" in own:
            sections.append(Section({language: row[HEADER]} if header else {}, (), _text(own, "page")))
        question = _question(row, own, language, dialect, report)
        if question is not None:
            sections[-1] = replace(sections[-1], questions=(*sections[-1].questions, question))
    refusals = tuple((str(code), {language: str(label)}) for code, label in dict(about.get("refusals") or {}).items())
    if not refusals:
        refusals = tuple(
            {
                code: (code, {language: label})
                for row in fields
                for code, label in _choices(row[CHOICES])
                if code in _REFUSED
            }.values()
        )
    return Form(
        name=_text(about, "name") or name,
        words=words,
        sections=tuple(sections),
        languages=(language,),
        owner=_text(about, "owner"),
        licence=_text(about, "licence"),
        refusals=refusals,
    )


_REFUSED = ("prefer_not", "not_applicable")


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _ours(row: Mapping[str, str]) -> dict[str, Any]:
    """What we wrote into an annotation ourselves; nothing where there is nothing sound."""
    _, mark, words = row[ANNOTATION].partition(OURS)
    if not mark:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(words)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _question(
    row: Mapping[str, str], own: Mapping[str, Any], language: str, dialect: Dialect, report: list[Line]
) -> Question | None:
    """A field as a question; None (and a line) for what is not asked of anybody."""
    name, kind = row[NAME], row[TYPE]
    if kind in _NOT_ASKED:
        what = "a signature" if row[VALIDATION] == "signature" else _NOT_ASKED[kind]
        report.append(Line("dropped", name, f"{what}, which nobody is asked here"))
        return None
    if re.search(r"@HIDDEN(?![-A-Z])|@HIDDEN-SURVEY", row[ANNOTATION]):
        report.append(Line("dropped", name, "it is hidden from people (@HIDDEN)"))
        return None
    if not own:
        report.extend(_settings(row))
        report.extend(
            Line("approximated", name, f"its text puts in the answer to {piped}; the name stands there instead")
            for piped in dict.fromkeys(_PIPED.findall(f"{row[LABEL]} {row[NOTE]}"))
        )
    question = Question(
        code=_text(own, "code") or name,
        kind="information",
        words={language: row[LABEL]},
        hint={language: row[NOTE]} if row[NOTE] else {},
        shown=_shown(row, dialect),
    )
    if kind == "descriptive":
        return question
    return _answered(question, row, own, language, report)


_LISTED = ("radio", "dropdown", "checkbox", "slider")
_PIPED = re.compile(r"\[[a-z][a-z0-9_:-]*\]")


def _settings(row: Mapping[str, str]) -> Iterator[Line]:
    """What a field is set to that has no counterpart."""
    name = row[NAME]
    if row[REQUIRED].lower() == "y":
        yield Line("dropped", name, "it must be answered; here every question may be skipped")
    if row[IDENTIFIER].lower() == "y":
        yield Line(
            "dropped", name, "it says who somebody is; contact details have no place here, so take the question out"
        )
    if row[ALIGNMENT]:
        yield Line("dropped", name, f"its alignment {row[ALIGNMENT]}")
    if row[NUMBER]:
        yield Line("dropped", name, f"its number {row[NUMBER]}")
    if row[MATRIX]:
        yield Line("approximated", name, f"a row of the table {row[MATRIX]}; each row is a question of its own")
    if row[CHOICES] and row[TYPE] not in _LISTED:
        yield Line("dropped", name, f"what it chooses from ({row[CHOICES]})")
    if row[VALIDATION] and row[TYPE] != "text":
        yield Line("dropped", name, f"how it is shown ({row[VALIDATION]})")
    if row[TYPE] != "slider" and not (row[TYPE] == "text" and row[VALIDATION]):
        yield from (Line("dropped", name, f"its bound {row[column]}") for column in (LOW, HIGH) if row[column])
    if row[RANKING].lower() == "y":
        yield Line("dropped", name, "that each rank may be given once")
    if row[ANNOTATION]:
        yield Line("dropped", name, f"its annotation {row[ANNOTATION]}")


def _answered(
    question: Question, row: Mapping[str, str], own: Mapping[str, Any], language: str, report: list[Line]
) -> Question:
    kind, name = row[TYPE], row[NAME]
    listed = _choices(row[CHOICES]) if kind in {"radio", "dropdown", "checkbox"} else ()
    refusals = tuple(code for code, _ in listed if code in _REFUSED)
    choices = tuple(Choice(code, {language: label}) for code, label in listed if code not in _REFUSED)
    question = replace(question, choices=choices, refusals=refusals)
    wanted = _text(own, "kind")
    if wanted in KINDS:
        question = _as_it_was(question, row, own, wanted)
    elif kind == "checkbox":
        question = replace(question, kind="several")
    elif kind in {"radio", "dropdown"}:
        question = replace(
            question, kind="agreement" if row[MATRIX] and in_steps([choice.code for choice in choices]) else "single"
        )
    elif kind in {"yesno", "truefalse"}:
        words = yes_or_no((language,))
        if kind == "truefalse":
            words = (Choice("yes", {language: "True"}), Choice("no", {language: "False"}))
        question = replace(question, kind="yes_no", choices=words, values={"1": "yes", "0": "no"})
    elif kind == "slider":
        question = _slider(question, row, language, report)
    elif kind == "notes":
        question = replace(question, kind="long_text")
    elif kind == "text":
        question = _written(question, row, report)
    else:
        report.append(Line("approximated", name, f"REDCap has no type {kind!r}; it asks for words"))
        question = replace(question, kind="short_text")
    return question


def _as_it_was(question: Question, row: Mapping[str, str], own: Mapping[str, Any], kind: Kind) -> Question:
    """A field we wrote ourselves, of the kind it had."""
    low, high = _bound(row[LOW], row[VALIDATION]), _bound(row[HIGH], row[VALIDATION])
    refusals = own.get("refusals")
    names = [str(one) for one in own.get("pictures") or []] if isinstance(own.get("pictures"), list) else []
    longest = own.get("max_length")
    return replace(
        question,
        kind=kind,
        minimum=low,
        maximum=high,
        decimals=_decimals(row[VALIDATION]) if kind == "number" else 0,
        max_length=longest if isinstance(longest, int) and not isinstance(longest, bool) else None,
        refusals=tuple(str(one) for one in refusals) if isinstance(refusals, list) else question.refusals,
        picture=_text(own, "picture"),
        pictures=tuple(names),
    )


def _slider(question: Question, row: Mapping[str, str], language: str, report: list[Line]) -> Question:
    low, high = number_of(row[LOW]), number_of(row[HIGH])
    low, high = (_SLIDER[0] if low is None else low), (_SLIDER[1] if high is None else high)
    labels = [label.strip() for label in row[CHOICES].split("|") if label.strip()]
    hint = question.hint
    if labels:
        places = {1: (low,), 2: (low, high), 3: (low, (low + high) / 2, high)}.get(len(labels), ())
        said = ", ".join(f"{place:g}: {label}" for place, label in zip(places, labels, strict=False)) or ", ".join(
            labels
        )
        hint = {language: f"{said}. {question.hint.get(language, '')}".strip()}
    report.append(
        Line("approximated", row[NAME], f"a slider; a number from {low:g} to {high:g} is written, its labels as hint")
    )
    return replace(question, kind="number", minimum=low, maximum=high, hint=hint)


def _written(question: Question, row: Mapping[str, str], report: list[Line]) -> Question:
    """A box with or without a rule for what may stand in it."""
    rule, name = row[VALIDATION].lower(), row[NAME]
    if rule in {"int", "integer"} or rule.startswith(("number", "float")):
        if "comma" in rule:
            report.append(
                Line("approximated", name, "a number with a decimal comma; it is written with a decimal point")
            )
        low, high = _noted(row, LOW, rule, report), _noted(row, HIGH, rule, report)
        return replace(question, kind="number", minimum=low, maximum=high, decimals=_decimals(rule))
    if rule.startswith(("date", "datetime")):
        if rule not in _DATES and rule != "date":
            report.append(Line("approximated", name, "a date with the time of day; the day alone is asked"))
        return replace(
            question, kind="date", minimum=_noted(row, LOW, rule, report), maximum=_noted(row, HIGH, rule, report)
        )
    if rule:
        report.append(Line("approximated", name, f"that what is written is checked ({rule}); any words may be written"))
        report.extend(Line("dropped", name, f"its bound {row[column]}") for column in (LOW, HIGH) if row[column])
    return replace(question, kind="short_text")


def _decimals(rule: str) -> int:
    found = re.search(r"(\d+)dp", rule)
    return min(12, int(found[1])) if found else 0 if rule in {"int", "integer"} else 12


def _noted(row: Mapping[str, str], column: str, rule: str, report: list[Line]) -> Any:
    bound = _bound(row[column], rule)
    if row[column] and bound is None:
        report.append(Line("dropped", row[NAME], f"its bound {row[column]}, which is not a fixed {rule or 'value'}"))
    return bound


def _bound(text: str, rule: str) -> float | date | None:
    if not text or not rule.startswith("date"):
        return number_of(text)
    for form in ("%Y-%m-%d", "%d-%m-%Y" if rule.endswith("dmy") else "%m-%d-%Y", "%m/%d/%Y"):
        try:
            return datetime.strptime(text.split(" ", maxsplit=1)[0], form).date()  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
    return None


def _choices(text: str) -> tuple[tuple[str, str], ...]:
    """Codes and labels out of `1, Yes | 2, No, thanks`: a label may hold commas, a code may not."""
    found = []
    for part in re.split(r"\||\\n", text):
        code, comma, label = part.strip().partition(",")
        if part.strip():
            found.append((code.strip(), label.strip() if comma else code.strip()))
    return tuple(found)


def _named(known: set[str]) -> Any:
    """What a name in branching logic stands for, among the fields of one form."""

    def named(text: str) -> tuple[str, str | None]:
        parts = re.findall(r"\[([^\[\]]*)\]", text)
        if len(parts) > 1:
            raise NotSayable(f"it asks about {text}, of another event or occasion")
        name, _, box = parts[0].strip().partition("(")
        name, smart = name.strip().lower(), name.partition(":")[0]
        if name not in known:
            what = "a place REDCap fills in itself" if "-" in smart else "which is not in this form"
            raise NotSayable(f"it asks about {text}, {what}")
        return name, box.rstrip(") ").strip() or None

    return named


def _shown(row: Mapping[str, str], dialect: Dialect) -> tuple[Shown, ...]:
    said = plain_text(row[LOGIC])[0] if "&" in row[LOGIC] else row[LOGIC]
    if not said:
        return ()
    try:
        return (Shown(said, parse(said, dialect)),)
    except NotSayable as error:
        return (Shown(said, None, str(error)),)


def write(instrument: Instrument) -> Written:
    """A data dictionary of one questionnaire, in the language the questionnaire is in."""
    report = [Line("dropped", f"scale {scale.code}", "a dictionary holds no scores") for scale in instrument.scales]
    report += [
        Line("dropped", f"language {language}", "a dictionary holds one language; export it in that one too")
        for language in instrument.languages
        if language != instrument.language
    ]
    about = {
        "name": instrument.name,
        "title": instrument.title,
        "owner": instrument.owner,
        "licence": instrument.licence,
    }
    facts: dict[str, Any] = {"form": {**about, "refusals": dict(instrument.refusals)}}
    rows = [{NAME: "record_id", FORM: instrument.name, TYPE: "text", LABEL: "Record ID"}]
    for page in instrument.pages:
        facts["page"] = page.code
        header = page.title
        for code in page.items:
            rows.append(_row(instrument, instrument.item(code), facts, report) | {HEADER: header})
            facts, header = {}, ""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        cells = {column: cell if number_of(cell) is not None else str(safe(cell)) for column, cell in row.items()}
        if changed := [column for column in row if cells[column] != row[column]]:
            where = f"{row[NAME]}: {', '.join(changed)}"
            report.append(Line("approximated", where, "it begins like a formula, so an apostrophe stands before it"))
        writer.writerow(cells)
    return Written(written.getvalue().encode("utf-8-sig"), tuple(report))


def _row(instrument: Instrument, item: Item, facts: dict[str, Any], report: list[Line]) -> dict[str, str]:
    row = {NAME: item.code.lower(), FORM: instrument.name, LABEL: item.text, NOTE: item.hint, TYPE: _type(item)}
    facts = {"code": item.code, "kind": item.kind, **facts}
    labels = dict(instrument.refusals)
    tags = ""
    if item.options:
        listed = [(str(code), label) for code, label in item.options] + [(code, labels[code]) for code in item.refusals]
        for _, label in listed:
            if _BREAKS.search(label):
                report.append(Line("approximated", item.code, f"the answer {label!r}: a bar or a new line becomes /"))
        row[CHOICES] = " | ".join(f"{code}, {_BREAKS.sub(' / ', label)}" for code, label in listed)
        if item.kind == "several" and item.refusals:
            tags = f" @NONEOFTHEABOVE='{','.join(item.refusals)}'"
    elif item.refusals:
        facts["refusals"] = list(item.refusals)
        report.append(
            Line("approximated", item.code, "its refusals stand in the annotation; REDCap does not offer them")
        )
    if item.kind == "number":
        row[VALIDATION] = (
            "integer" if not item.decimals else f"number_{item.decimals}dp" if item.decimals < 5 else "number"
        )
        if 4 < item.decimals < 12:
            report.append(Line("approximated", item.code, f"{item.decimals} decimals; REDCap takes any number of them"))
    if item.kind == "date":
        row[VALIDATION] = "date_ymd"
    row |= {
        LOW: "" if item.minimum is None else str(item.minimum),
        HIGH: "" if item.maximum is None else str(item.maximum),
    }
    if item.kind in WRITTEN and item.max_length != LONGEST[item.kind]:
        facts["max_length"] = item.max_length
    if item.pictures:
        facts["pictures"] = list(item.pictures)
    if item.picture:
        facts["picture"] = item.picture
    if item.show_if is not None:
        row[LOGIC] = _logic(item.show_if, {one.code: one for one in instrument.items})
    row[ANNOTATION] = f"{OURS}{json.dumps(facts, ensure_ascii=False)}{tags}"
    return row


_BREAKS = re.compile(r"[|\n]")


def _type(item: Item) -> str:
    if item.kind in NUMBERED or item.kind in {"single", "yes_no"}:
        return "radio"
    return {"several": "checkbox", "long_text": "notes", "information": "descriptive"}.get(item.kind, "text")


def _logic(condition: Condition, items: Mapping[str, Item]) -> str:  # noqa: PLR0911 - one for each form of condition
    """Branching logic that is true when the condition is: a comparison of ours needs an answer, theirs does not."""
    match condition:
        case And(parts):
            return " and ".join(f"({_logic(part, items)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({_logic(part, items)})" for part in parts)
        case Not(part):
            return f"not ({_logic(part, items)})"
        case Answered(code):
            return " and ".join(_not_refused(items[code]))
        case Compare(code, "=", value):
            return f"[{code.lower()}] = '{value}'"
        case Compare(code, sign, value):
            said = "<>" if sign == "!=" else sign
            return " and ".join([f"[{code.lower()}] {said} '{value}'", *_not_refused(items[code])])
        case OneOf(code, values):
            if items[code].kind == "several":
                return " or ".join(f"[{code.lower()}({value})] = '1'" for value in values)
            return " or ".join(f"[{code.lower()}] = '{value}'" for value in values)


def _not_refused(item: Item) -> list[str]:
    name = item.code.lower()
    if item.kind == "several":
        return ["(" + " or ".join(f"[{name}({code})] = '1'" for code in item.codes) + ")"]
    refused = item.refusals if item.kind in (*WORDED, *NUMBERED) else ()
    return [f"[{name}] <> ''", *(f"[{name}] <> '{code}'" for code in refused)]
