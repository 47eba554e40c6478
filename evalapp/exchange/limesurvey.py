"""LimeSurvey's survey structure (.lss), in: the old shape (texts in the tables) and the new (texts in `*_l10ns`)."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn
from xml.parsers import expat

from analysis.errors import BadData
from evalapp.exchange.drafts import (
    Choice,
    Form,
    Imported,
    Line,
    Question,
    Section,
    Shown,
    Words,
    drafted,
    language_of,
    number_of,
    yes_or_no,
)
from evalapp.exchange.files import ZIP, sized
from evalapp.exchange.logic import EXPRESSION, Dialect, NotSayable, parse
from instruments import And, Answered, Compare, Condition, Kind, Not, OneOf, Or

_WANTED = "bring the survey structure LimeSurvey exports (.lss)"
_DEEPEST, _MOST_ROWS, _LONGEST_FIELD = 12, 200_000, 1_000_000
Row = Mapping[str, str]


def read(raw: bytes, *, name: str = "imported", language: str = "") -> Imported:
    """One draft questionnaire from a survey structure. The file says its languages; `language` is for one that does not.

    Raises BadData for what is no survey structure, and for a file that declares document types or entities.
    """
    tables, kind = _tables(sized(raw))
    if kind != "Survey":
        raise BadData(
            f"the file is LimeSurvey's, but of a {kind or 'thing that is not named'}, not a survey; {_WANTED}"
        )
    report: list[Line] = []
    survey = _survey(tables, language or "en", report)
    form = _form(survey, name, report)
    return Imported((drafted(form, report),), tuple(report))


class _Reader:
    """The rows of the tables, as they come; nothing is resolved, fetched or expanded."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.kind = ""
        self._path: list[str] = []
        self._row: dict[str, str] | None = None
        self._words: list[str] = []
        self._rows = 0

    def refuse(self, *_: object) -> NoReturn:
        raise BadData(
            "the file declares a document type or entities, which no survey needs; export it from LimeSurvey again"
        )

    def start(self, tag: str, _: object) -> None:
        self._path.append(tag)
        self._words = []
        if len(self._path) > _DEEPEST:
            raise BadData(f"the file is nested deeper than a survey is; {_WANTED}")
        if tag == "row" and len(self._path) == 4:
            self._row = {}
            self._rows += 1
            if self._rows > _MOST_ROWS:
                raise BadData(f"the file has more than {_MOST_ROWS:,} rows; export a smaller survey")

    def words(self, text: str) -> None:
        self._words.append(text)

    def end(self, tag: str) -> None:
        text = "".join(self._words)
        if self._row is not None and len(self._path) == 5:
            self._row[tag] = text[:_LONGEST_FIELD]
        elif tag == "row" and self._row is not None and len(self._path) == 4:
            self.tables[self._path[1]].append(self._row)
            self._row = None
        elif tag == "language" and self._path[1:2] == ["languages"]:
            self.tables["languages"].append({"language": text.strip()})
        elif tag == "LimeSurveyDocType":
            self.kind = text.strip()
        self._path.pop()
        self._words = []


def _tables(raw: bytes) -> tuple[Mapping[str, list[dict[str, str]]], str]:
    if raw.startswith(ZIP):
        raise BadData(f"the file is an archive; {_WANTED}")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.words
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, BadData):
            raise
        raise BadData(f"the file is not sound XML ({error}); {_WANTED}") from None
    return reader.tables, reader.kind


@dataclass
class _Survey:
    """The tables by what they are of; texts by language."""

    languages: tuple[str, ...]
    title: Words
    welcome: Words
    groups: list[Row]
    group_words: Mapping[str, Words]
    group_texts: Mapping[str, Words]
    questions: list[Row]
    parts: Mapping[str, list[Row]]
    words: Mapping[str, Words]
    helps: Mapping[str, Words]
    answers: Mapping[str, list[tuple[Row, Words]]]
    attributes: Mapping[str, dict[str, Words]]
    conditions: Mapping[str, list[Row]]
    scripts: frozenset[str]
    names: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def _survey(tables: Mapping[str, list[dict[str, str]]], language: str, report: list[Line]) -> _Survey:
    settings = next(iter(tables.get("surveys", [])), {})
    said = [settings.get("language", ""), *settings.get("additional_languages", "").split()]
    said += [row["language"] for row in tables.get("languages", [])]
    spoken = {one: language_of(one) for one in dict.fromkeys(one for one in said if one)} or {language: language}

    def words(table: str, key: str, text: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for row in tables.get(table, []):
            own = spoken.get(row.get("language") or row.get("surveyls_language", ""), next(iter(spoken.values())))
            if row.get(text, "").strip() and key in row:
                found[row[key]].setdefault(own, row[text])
        return found

    def either(table: str, key: str, text: str) -> Mapping[str, Words]:
        """Texts of the new shape, else of the old."""
        own = words(f"{table.rstrip('s')}_l10ns", key, text)
        return (
            {**words("subquestions", key, text), **words(table, key, text), **own}
            if table == "questions"
            else own or words(table, key, text)
        )

    title = words("surveys_languagesettings", "surveyls_survey_id", "surveyls_title")
    welcome = words("surveys_languagesettings", "surveyls_survey_id", "surveyls_welcometext")
    described = words("surveys_languagesettings", "surveyls_survey_id", "surveyls_description")
    for what, column in (("its end text", "surveyls_endtext"), ("its privacy notice", "surveyls_policy_notice")):
        if any(row.get(column, "").strip() for row in tables.get("surveys_languagesettings", [])):
            report.append(
                Line("dropped", "the survey", f"{what}; pages before and after the questions are this trial's own")
            )
    if described:
        report.append(Line("dropped", "the survey", "its description; pages before the questions are this trial's own"))
    report.append(
        Line(
            "dropped",
            "the survey",
            "how it is run (letters, dates, appearance, who may answer); this trial's rules hold",
        )
    )
    for table, what in (
        ("quota", "quota"),
        ("assessments", "assessment"),
        ("defaultvalues", "answer filled in beforehand"),
    ):
        if tables.get(table):
            report.append(Line("dropped", "the survey", f"{len(tables[table])} of its {table}: no {what} is made here"))
    report.extend(Line("dropped", "the survey", f"its table {table}") for table in tables if table not in _TABLES)
    return _Survey(
        languages=tuple(dict.fromkeys(spoken.values())),
        title=next(iter(title.values()), {}),
        welcome=next(iter(welcome.values()), {}),
        groups=_once(tables.get("groups", []), "gid", "group_order"),
        group_words=either("groups", "gid", "group_name"),
        group_texts=either("groups", "gid", "description"),
        questions=_once(
            [row for row in tables.get("questions", []) if row.get("parent_qid", "0") in {"0", ""}],
            "qid",
            "question_order",
        ),
        parts=_parts(tables),
        words=either("questions", "qid", "question"),
        helps=either("questions", "qid", "help"),
        answers=_answers(tables, spoken),
        attributes=_attributes(tables, spoken),
        conditions=_by(tables.get("conditions", []), "qid"),
        scripts=frozenset(
            row.get("qid", "") for row in tables.get("question_l10ns", []) if row.get("script", "").strip()
        ),
    )


_TABLES = {
    "answers", "answer_l10ns", "assessments", "conditions", "defaultvalues", "defaultvalue_l10ns", "groups", "group_l10ns",
    "languages", "questions", "subquestions", "question_l10ns", "question_attributes", "quota", "quota_members",
    "quota_languagesettings", "surveys", "surveys_languagesettings",
}  # fmt: skip


def _once(rows: Sequence[Row], key: str, order: str) -> list[Row]:
    """One row a thing (the old shape has one a language), in its order."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row.get(key, ""), row)
    return sorted(found.values(), key=lambda row: _whole(row.get(order, "0")))


def _by(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.get(key, "")].append(row)
    return found


def _parts(tables: Mapping[str, list[dict[str, str]]]) -> dict[str, list[Row]]:
    rows = [*tables.get("subquestions", []), *tables.get("questions", [])]
    inner = [row for row in rows if row.get("parent_qid", "0") not in {"0", ""}]
    return _by(_once(inner, "qid", "question_order"), "parent_qid")


def _answers(
    tables: Mapping[str, list[dict[str, str]]], spoken: Mapping[str, str]
) -> dict[str, list[tuple[Row, Words]]]:
    first = next(iter(spoken.values()))
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for row in tables.get("answer_l10ns", []):
        said[row.get("aid", "")][spoken.get(row.get("language", ""), first)] = row.get("answer", "")
    found: dict[tuple[str, str, str], tuple[Row, dict[str, str]]] = {}
    for row in tables.get("answers", []):
        key = (row.get("qid", ""), row.get("scale_id", "0") or "0", row.get("code", ""))
        words = found.setdefault(key, (row, {}))[1]
        if "answer" in row:
            words[spoken.get(row.get("language", ""), first)] = row["answer"]
        words |= said.get(row.get("aid", "-"), {})
    ordered: dict[str, list[tuple[Row, Words]]] = defaultdict(list)
    for answer, texts in sorted(found.values(), key=lambda one: _whole(one[0].get("sortorder", "0"))):
        ordered[answer.get("qid", "")].append((answer, texts))
    return ordered


def _attributes(tables: Mapping[str, list[dict[str, str]]], spoken: Mapping[str, str]) -> dict[str, dict[str, Words]]:
    first = next(iter(spoken.values()))
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for row in tables.get("question_attributes", []):
        if row.get("value", "").strip():
            own = spoken.get(row.get("language", ""), first)
            found[row.get("qid", "")][row.get("attribute", "")][own] = row["value"]
    return {qid: dict(ours) for qid, ours in found.items()}


def _whole(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text.strip()) else 0


def _form(survey: _Survey, name: str, report: list[Line]) -> Form:
    _name_all(survey)
    grouped = _by(survey.questions, "gid")
    sections: list[Section] = []
    for group in survey.groups:
        gid = group.get("gid", "")
        within = _shown(group.get("grelevance", ""), survey)
        asked: list[Question] = []
        if not sections and survey.welcome:
            asked.append(Question("welcome", "information", survey.welcome))
        if survey.group_texts.get(gid):
            asked.append(Question(f"about_{gid}", "information", survey.group_texts[gid], shown=within))
        if group.get("randomization_group"):
            report.append(Line("dropped", f"group {gid}", "that it comes in random order"))
        for row in grouped.get(gid, []):
            asked += [replace(one, shown=(*within, *one.shown)) for one in _questions(row, survey, report)]
        sections.append(Section(survey.group_words.get(gid, {}), tuple(asked)))
    return Form(name, survey.title, tuple(sections), survey.languages)


def _name_all(survey: _Survey) -> None:
    """What conditions may call each question: its code, with a part's code, or LimeSurvey's numbers."""
    for row in survey.questions:
        code, kind = row.get("title", ""), row.get("type", "")
        numbers = f"{row.get('sid', '')}X{row.get('gid', '')}X{row.get('qid', '')}"
        survey.names |= dict.fromkeys((code.lower(), numbers.lower()), (code, None))
        survey.names |= {
            f"{code}_other".lower(): (f"{code}_other", None),
            f"{numbers}other".lower(): (f"{code}_other", None),
        }
        survey.names |= {f"{code}_comment".lower(): (f"{code}_comment", None)}
        for part in survey.parts.get(row.get("qid", ""), []):
            own = part.get("title", "")
            box = (code, own) if kind in "MP" else (f"{code}_{own}", None)
            survey.names |= dict.fromkeys(
                (f"{code}_{own}".lower(), f"{numbers}{own}".lower(), f"+{numbers}{own}".lower()), box
            )
            if kind == "1":
                for scale in "01":
                    both = (f"{code}_{own}_{int(scale) + 1}", None)
                    survey.names |= dict.fromkeys(
                        (f"{code}_{own}_{scale}".lower(), f"{numbers}{own}#{scale}".lower()), both
                    )


def _questions(row: Row, survey: _Survey, report: list[Line]) -> Iterator[Question]:
    """What a question becomes: one question, or one for each row of a table."""
    code, kind, qid = row.get("title", ""), row.get("type", ""), row.get("qid", "")
    attributes = survey.attributes.get(qid, {})
    if kind in _NOT_ASKED:
        report.append(Line("dropped", code, f"{_NOT_ASKED[kind]}, which nobody is asked here"))
        return
    if _first(attributes, "hidden") == "1":
        report.append(Line("dropped", code, "it is hidden from people"))
        return
    report.extend(_settings(row, attributes, survey))
    question = Question(
        code=code,
        kind="information",
        words=survey.words.get(qid, {}),
        hint=survey.helps.get(qid, {}),
        shown=_of_question(row, survey),
        other=(attributes.get("other_replace_text") or {}) if row.get("other") == "Y" else None,
    )
    yield from _KINDS.get(kind, _unknown)(question, row, survey, report)


_NOT_ASKED = {"|": "a file to upload", "*": "a calculation", "I": "a choice of language"}
# Settings that stand in every export without meaning anything for who answers.
_USUAL = {
    "public_statistics": "1", "statistics_showgraph": "1", "time_limit_action": "1", "save_as_default": "N",
    "horizontal_scroll": "1", "keep_aspect": "1", "other_position": "default", "clear_default": "N", "use_dropdown": "1",
    "array_filter_style": "1",
}  # fmt: skip
_HANDLED = {
    "hidden", "other_replace_text", "min_num_value_n", "max_num_value_n", "num_value_int_only", "maximum_chars",
    "numbers_only", "date_min", "date_max", "date_format", "dualscale_headerA", "dualscale_headerB", "prefix", "suffix",
    "multiflexible_min", "multiflexible_max",
}  # fmt: skip


def _first(attributes: Mapping[str, Words], key: str) -> str:
    return next(iter(attributes.get(key, {}).values()), "").strip()


def _settings(row: Row, attributes: Mapping[str, Words], survey: _Survey) -> Iterator[Line]:
    """What a question is set to that has no counterpart."""
    code = row.get("title", "")
    if row.get("mandatory") in {"Y", "S"}:
        yield Line("dropped", code, "it must be answered; here every question may be skipped")
    if row.get("encrypted") == "Y":
        yield Line("dropped", code, "that its answer is encrypted; here words are sealed and choices are not")
    if row.get("qid") in survey.scripts:
        yield Line("dropped", code, "a script that runs beside it")
    if row.get("preg", "").strip():
        yield Line("dropped", code, f"that what is written is checked ({row['preg']})")
    if any(
        answer.get("assessment_value", "0") not in {"", "0"} for answer, _ in survey.answers.get(row.get("qid", ""), [])
    ):
        yield Line("dropped", code, "the points its answers count for")
    if any(part.get("relevance", "1") not in {"", "1"} for part in survey.parts.get(row.get("qid", ""), [])):
        yield Line("dropped", code, "that some of its rows or boxes hang on other answers; they are always shown")
    kept = {
        name: _first(attributes, name)
        for name in attributes
        if name not in _HANDLED and _first(attributes, name) not in {"", "0", _USUAL.get(name)}
    }
    if kept:
        yield Line("dropped", code, "its settings " + "; ".join(f"{name} = {value}" for name, value in kept.items()))


def _of_question(row: Row, survey: _Survey) -> tuple[Shown, ...]:
    said = row.get("relevance", "").strip()
    if said in {"", "1"} and survey.conditions.get(row.get("qid", "")):
        return _from_table(survey.conditions[row.get("qid", "")], survey)
    return _shown(said, survey)


def _shown(said: str, survey: _Survey) -> tuple[Shown, ...]:
    said = said.strip()
    if said in {"", "1"}:
        return ()
    try:
        return (Shown(said, parse(said, Dialect(EXPRESSION, _named(survey)))),)
    except NotSayable as error:
        return (Shown(said, None, str(error)),)


def _named(survey: _Survey) -> Callable[[str], tuple[str, str | None]]:
    def named(text: str) -> tuple[str, str | None]:
        found = survey.names.get(text.lower())
        if found is None:
            raise NotSayable(f"it asks about {text}, which is no question of this survey")
        return found

    return named


def _from_table(rows: Sequence[Row], survey: _Survey) -> tuple[Shown, ...]:
    """Conditions kept in a table: those about one question are alternatives, scenarios too, the rest must all hold."""
    said = "; ".join(f"{row.get('cfieldname', '')} {row.get('method', '')} {row.get('value', '')}" for row in rows)
    named = _named(survey)
    scenarios = []
    try:
        for inner in _by(rows, "scenario").values():
            parts = []
            for same in _by(inner, "cqid").values():
                either = [_row_condition(row, named) for row in same]
                parts.append(either[0] if len(either) == 1 else Or(tuple(either)))
            scenarios.append(parts[0] if len(parts) == 1 else And(tuple(parts)))
    except NotSayable as error:
        return (Shown(said, None, str(error)),)
    return (Shown(said, scenarios[0] if len(scenarios) == 1 else Or(tuple(scenarios))),)


def _row_condition(row: Row, named: Callable[[str], tuple[str, str | None]]) -> Condition:
    method, value = row.get("method", "").strip(), row.get("value", "")
    place = row.get("cfieldname", "").strip()
    if method not in {"==", "=", "!=", "<", "<=", ">", ">="}:
        raise NotSayable(f"it matches by {method or 'nothing'}")
    item, box = named(place.removeprefix("+"))
    if box is not None:
        inside = OneOf(item, (box,))
        return Not(inside) if (value.strip() in {"", "N"}) is (method in {"==", "="}) else inside
    if value == "":
        return Not(Answered(item)) if method in {"==", "="} else Answered(item)
    if method == "!=":
        return Not(Compare(item, "=", value))
    return Compare(item, "=" if method == "==" else method, value)


_Made = Iterator[Question]


def _plain(kind: Kind) -> "_Reading":
    def made(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:  # noqa: ARG001 - one shape for all
        yield replace(question, kind=kind)

    return made


def _written(kind: Kind) -> "_Reading":
    def made(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
        attributes = survey.attributes.get(row.get("qid", ""), {})
        if kind == "short_text" and _first(attributes, "numbers_only") == "1":
            yield from _number(question, row, survey, report)
        else:
            longest = number_of(_first(attributes, "maximum_chars"))
            yield replace(question, kind=kind, max_length=None if longest is None or longest < 1 else int(longest))

    return made


def _number(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
    attributes = survey.attributes.get(row.get("qid", ""), {})
    low, high = _first(attributes, "min_num_value_n"), _first(attributes, "max_num_value_n")
    report.extend(
        Line("dropped", question.code, f"its bound {bound}, which is worked out")
        for bound in (low, high)
        if bound and number_of(bound) is None
    )
    whole = _first(attributes, "num_value_int_only") in {"1", "Y"}
    units = [_first(attributes, key) for key in ("prefix", "suffix")]
    if any(units):
        report.append(
            Line("approximated", question.code, f"what stands beside the box ({' … '.join(units)}) is in its hint")
        )
        beside = " … ".join(unit for unit in units if unit)
        first = survey.languages[0]
        question = replace(question, hint={**question.hint, first: f"{question.hint.get(first, '')} {beside}".strip()})
    yield replace(question, kind="number", minimum=number_of(low), maximum=number_of(high), decimals=0 if whole else 12)


def _date(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
    attributes = survey.attributes.get(row.get("qid", ""), {})
    form = _first(attributes, "date_format")
    if re.search(r"[HhMi]{2}|:", form.replace("mm", "", 1)):
        report.append(
            Line("approximated", question.code, f"a date with the time of day ({form}); the day alone is asked")
        )
    bounds = [_first(attributes, key) for key in ("date_min", "date_max")]
    report.extend(Line("dropped", question.code, f"its bound {bound}") for bound in bounds if bound)
    yield replace(question, kind="date")


def _choices(row: Row, survey: _Survey, scale: str = "0") -> tuple[Choice, ...]:
    return tuple(
        Choice(answer.get("code", ""), words)
        for answer, words in survey.answers.get(row.get("qid", ""), [])
        if (answer.get("scale_id", "0") or "0") == scale
    )


def _listed(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
    choices = _choices(row, survey)
    yield replace(question, kind="single", choices=choices)
    if row.get("type") == "O":
        report.append(Line("approximated", question.code, "the comment beside its answers is a question after it"))
        yield Question(f"{question.code}_comment", "long_text", _in_each(survey, _COMMENT), shown=question.shown)


_COMMENT = {
    "en": "Please comment on your answer.",
    "cy": "Rhowch sylw ar eich ateb.",
    "de": "Bitte kommentieren Sie Ihre Antwort.",
}


def _in_each(survey: _Survey, words: Words) -> Words:
    return {survey.languages[0]: words["en"], **{one: words[one] for one in survey.languages if one in words}}


def _boxes(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
    parts = survey.parts.get(row.get("qid", ""), [])
    choices = tuple(Choice(part.get("title", ""), survey.words.get(part.get("qid", ""), {})) for part in parts)
    if row.get("type") == "R":
        report.append(Line("approximated", question.code, "a ranking; which are chosen is asked, not in which order"))
        choices = choices or _choices(row, survey)
    question = replace(question, kind="several", choices=choices)
    yield question
    if row.get("type") == "P":
        report.append(Line("approximated", question.code, "the comment beside each box is a question after it"))
        for part, choice in zip(parts, choices, strict=True):
            held = Shown("", OneOf(question.code, (choice.code,)))
            yield Question(
                f"{question.code}_{part.get('title', '')}comment",
                "short_text",
                choice.words,
                shown=(*question.shown, held),
            )


def _rows(
    question: Question, row: Row, survey: _Survey, report: list[Line], scale: str | None = None
) -> Iterator[tuple[str, Question]]:
    """The rows of a table, each a question: the table's own words first, as information."""
    code = question.code
    report.append(Line("approximated", code, "a table; each of its rows is a question of its own"))
    if question.words:
        yield "", replace(question, other=None)
    for part in survey.parts.get(row.get("qid", ""), []):
        if scale is None or (part.get("scale_id", "0") or "0") == scale:
            own = part.get("title", "")
            yield (
                own,
                Question(
                    f"{code}_{own}", "information", survey.words.get(part.get("qid", ""), {}), shown=question.shown
                ),
            )


def _array(choices: Callable[[Row, _Survey], tuple[Choice, ...]], kind: Kind) -> "_Reading":
    def made(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
        answers = choices(row, survey)
        steps = kind == "agreement" and all(choice.code.isdecimal() for choice in answers)
        for own, one in _rows(question, row, survey, report):
            yield replace(one, kind="agreement" if steps else "single", choices=answers) if own else one

    return made


def _dual(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
    attributes = survey.attributes.get(row.get("qid", ""), {})
    report.append(
        Line("approximated", question.code, "two sets of answers side by side; each is a question of its own")
    )
    for own, one in _rows(question, row, survey, report):
        if not own:
            yield one
            continue
        for scale, header in (("0", "dualscale_headerA"), ("1", "dualscale_headerB")):
            heads = attributes.get(header, {})
            words = {
                language: f"{text} – {heads[language]}" if heads.get(language) else text
                for language, text in one.words.items()
            }
            answers = _choices(row, survey, scale)
            steps = all(choice.code.isdecimal() for choice in answers)
            yield replace(
                one,
                code=f"{one.code}_{int(scale) + 1}",
                words=words,
                kind="agreement" if steps else "single",
                choices=answers,
            )


def _each(kind: Kind) -> "_Reading":
    def made(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
        for own, one in _rows(question, row, survey, report):
            yield replace(one, kind=kind, decimals=12 if kind == "number" else 0) if own else one

    return made


def _grid(kind: Kind) -> "_Reading":
    """A table of boxes: a question for each box, named after its row and its column."""

    def made(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
        attributes = survey.attributes.get(row.get("qid", ""), {})
        across = [part for part in survey.parts.get(row.get("qid", ""), []) if part.get("scale_id") == "1"]
        low, high = (
            number_of(_first(attributes, "multiflexible_min")),
            number_of(_first(attributes, "multiflexible_max")),
        )
        for own, one in _rows(question, row, survey, report, "0"):
            if not own:
                yield one
                continue
            for column in across:
                heads = survey.words.get(column.get("qid", ""), {})
                words = {
                    language: f"{text} – {heads.get(language, '')}".rstrip(" –") for language, text in one.words.items()
                }
                box = replace(one, code=f"{one.code}_{column.get('title', '')}", words=words, kind=kind)
                yield replace(box, minimum=low, maximum=high, decimals=12) if kind == "number" else box

    return made


def _ten(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:
    report.append(Line("approximated", question.code, "ten points to choose from; a number from 1 to 10 is written"))
    for own, one in _rows(question, row, survey, report):
        yield replace(one, kind="number", minimum=1, maximum=10) if own else one


def _five(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:  # noqa: ARG001 - one shape for all
    yield replace(question, kind="agreement", choices=_points(row, survey))


def _points(row: Row, survey: _Survey) -> tuple[Choice, ...]:  # noqa: ARG001 - one shape for all
    return tuple(Choice(str(point), {survey.languages[0]: str(point)}) for point in range(1, 6))


def _fixed(*codes: str) -> Callable[[Row, _Survey], tuple[Choice, ...]]:
    def choices(row: Row, survey: _Survey) -> tuple[Choice, ...]:  # noqa: ARG001 - one shape for all
        return tuple(Choice(code, _in_each(survey, _WORDS[code])) for code in codes)

    return choices


_WORDS = {
    "Y": {"en": "Yes", "cy": "Ie", "pl": "Tak", "de": "Ja"}, "N": {"en": "No", "cy": "Na", "pl": "Nie", "de": "Nein"},
    "U": {"en": "Uncertain", "cy": "Ansicr", "de": "Unsicher"}, "I": {"en": "Increase", "cy": "Cynyddu"},
    "S": {"en": "Same", "cy": "Yr un fath"}, "D": {"en": "Decrease", "cy": "Lleihau"},
    "F": {"en": "Female", "cy": "Benyw", "de": "Weiblich"}, "M": {"en": "Male", "cy": "Gwryw", "de": "Männlich"},
}  # fmt: skip


def _gender(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:  # noqa: ARG001 - one shape for all
    yield replace(question, kind="single", choices=_fixed("F", "M")(row, survey))


def _yes_no(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:  # noqa: ARG001 - one shape for all
    yield replace(question, kind="yes_no", choices=yes_or_no(survey.languages), values={"Y": "yes", "N": "no"})


def _unknown(question: Question, row: Row, survey: _Survey, report: list[Line]) -> _Made:  # noqa: ARG001 - one shape for all
    report.append(
        Line("approximated", question.code, f"a type not known here ({row.get('type', '')}); it asks for words")
    )
    yield replace(question, kind="long_text")


_Reading = Callable[[Question, Row, _Survey, list[Line]], _Made]
_KINDS: dict[str, _Reading] = {
    "1": _dual, "5": _five, "A": _array(_points, "agreement"), "B": _ten, "C": _array(_fixed("Y", "U", "N"), "single"),
    "D": _date, "E": _array(_fixed("I", "S", "D"), "single"), "F": _array(_choices, "agreement"), "G": _gender,
    "H": _array(_choices, "agreement"), "K": _each("number"), "L": _listed, "M": _boxes, "N": _number, "O": _listed,
    "P": _boxes, "Q": _each("short_text"), "R": _boxes, "S": _written("short_text"), "T": _written("long_text"),
    "U": _written("long_text"), "X": _plain("information"), "Y": _yes_no, ":": _grid("number"), ";": _grid("short_text"),
    "!": _listed,
}  # fmt: skip
