"""FHIR R4 Questionnaire (JSON), in and out.

What FHIR has no word for (which kind of choice a question is, drawings, refusals of a question without listed answers)
stands in extensions of our own, `urn:evalapp:…`, and is read back from them; every other system passes over them.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, cast

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
    Written,
    drafted,
    language_of,
    number_of,
    yes_or_no,
)
from evalapp.exchange.files import text_of
from instruments import (
    KINDS,
    REFUSALS,
    And,
    Answered,
    Compare,
    Condition,
    Instrument,
    InstrumentError,
    Item,
    Kind,
    Not,
    OneOf,
    Or,
    parse_condition,
    texts_of,
)
from instruments.definitions import NUMBERED, WORDED
from instruments.reading import LONGEST
from instruments.writing import condition_text

_WANTED = "a FHIR R4 Questionnaire as JSON"
_STANDARD = "http://hl7.org/fhir/StructureDefinition/"
_OURS = "urn:evalapp:"
_DEEPEST, _MOST_ITEMS = 30, 2000
TRANSLATION = _STANDARD + "translation"
CONTROL = _STANDARD + "questionnaire-itemControl"
HIDDEN = _STANDARD + "questionnaire-hidden"
UNIT = _STANDARD + "questionnaire-unit"
LOW, HIGH = _STANDARD + "minValue", _STANDARD + "maxValue"
DECIMALS = _STANDARD + "maxDecimalPlaces"
WEIGHTS = (_STANDARD + "ordinalValue", _STANDARD + "itemWeight", _STANDARD + "questionnaire-ordinalValue")
_KIND, _PICTURE, _PICTURES, _REFUSAL = _OURS + "kind", _OURS + "picture", _OURS + "pictures", _OURS + "refusal"
_SHOW_IF, _HINT = _OURS + "show_if", _OURS + "hint"
_READ = {TRANSLATION, HIDDEN, UNIT, LOW, HIGH, DECIMALS, _KIND, _PICTURE, _PICTURES, _REFUSAL, _SHOW_IF, _HINT}
_NOT_ASKED = {"attachment": "a file to upload", "reference": "a pointer to a record"}
_HELP = ("help", "flyover", "unit", "prompt")
_NOT_WRITTEN = (
    "group",
    "display",
    "boolean",
    "decimal",
    "integer",
    "quantity",
    "date",
    "dateTime",
    "choice",
    "open-choice",
)
_ITEM_KEYS = {
    "linkId", "text", "_text", "type", "item", "enableWhen", "enableBehavior", "answerOption", "answerValueSet",
    "extension", "maxLength", "repeats", "required", "readOnly", "prefix",
}  # fmt: skip
_FORM_KEYS = {
    "resourceType",
    "item",
    "title",
    "_title",
    "name",
    "language",
    "publisher",
    "copyright",
    "extension",
    "contained",
    "id",
}


def read(raw: bytes, *, name: str = "imported", language: str = "en") -> Imported:
    """Draft questionnaires from a Questionnaire, or from every one of a Bundle. `language`: where the file says none.

    Raises BadData for what is neither.
    """
    found = list(_resources(_loaded(text_of(raw, _WANTED))))
    report: list[Line] = []
    made = tuple(drafted(_Reader(resource, name, language, report).form(), report) for resource in found)
    return Imported(made, tuple(report))


def _loaded(text: str) -> Any:
    if text.lstrip().startswith("<"):
        raise BadData(f"the file is XML; bring {_WANTED}")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise BadData(f"the file is nested deeper than a questionnaire is; bring {_WANTED}") from None
    except ValueError as error:
        raise BadData(f"the file is not sound JSON ({error}); bring {_WANTED}") from None


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _resources(found: Any) -> Iterator[Mapping[str, Any]]:
    kind = found.get("resourceType") if isinstance(found, dict) else None
    if kind == "Bundle":
        inner = [_table(_table(entry).get("resource")) for entry in _tables(found, "entry")]
        asked = [one for one in inner if one.get("resourceType") == "Questionnaire"]
        if not asked:
            raise BadData(f"the bundle holds no questionnaire; bring {_WANTED}")
        yield from asked
    elif kind == "Questionnaire":
        yield found
    else:
        raise BadData(
            f"the file is {f'a FHIR {kind}' if isinstance(kind, str) else 'no FHIR resource'}; bring {_WANTED}"
        )


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = of.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(of: Mapping[str, Any], key: str) -> str:
    value = of.get(key)
    return value.strip() if isinstance(value, str) else ""


def _extensions(of: Mapping[str, Any], url: str) -> list[Mapping[str, Any]]:
    return [one for one in _tables(of, "extension") if one.get("url") == url]


def _value(extension: Mapping[str, Any]) -> Any:
    return next((value for key, value in extension.items() if key.startswith("value")), None)


def _extended(of: Mapping[str, Any], url: str) -> Any:
    return next((_value(one) for one in _extensions(of, url)), None)


@dataclass
class _Open:
    """Where in the questionnaire a question stands: under which heading, what must hold there, how deep."""

    heading: Words = field(default_factory=dict)
    code: str = ""
    shown: tuple[Shown, ...] = ()
    depth: int = 0
    number: int = 0  # of the heading: a group without one goes on under the last


class _Reader:
    """One Questionnaire into a form; each item is met once, in the order it is asked."""

    def __init__(self, resource: Mapping[str, Any], name: str, language: str, report: list[Line]) -> None:
        self._resource = resource
        self._name = name
        self._report = report
        self._language = language_of(_text(resource, "language") or language)
        self._languages = [self._language]
        self._sections: list[Section] = []
        self._items = 0
        self._headings = 0
        self._last = -1

    def form(self) -> Form:
        resource = self._resource
        self._walk(_tables(resource, "item"), _Open())
        for key in sorted(set(resource) - _FORM_KEYS):
            self._note("dropped", "the questionnaire", f"its {key}, which has no place here")
        for url in _strange(resource, _READ):
            self._note("dropped", "the questionnaire", f"its extension {url}")
        title = self._words(resource, "title") or {self._language: _text(resource, "name")}
        refusals = tuple(
            (str(coding.get("code")), self._words(coding, "display"))
            for one in _extensions(resource, _REFUSAL)
            if (coding := _table(_value(one))).get("code") in REFUSALS
        )
        return Form(
            _text(resource, "name") or _text(resource, "id") or self._name, title, tuple(self._sections),
            tuple(self._languages), _text(resource, "publisher"), _text(resource, "copyright"), refusals,
        )  # fmt: skip

    def _walk(self, items: Sequence[Mapping[str, Any]], under: _Open) -> None:
        if under.depth > _DEEPEST:
            raise BadData(f"its items are nested more than {_DEEPEST} deep; bring a questionnaire with fewer levels")
        for item in items:
            self._items += 1
            if self._items > _MOST_ITEMS:
                raise BadData(f"the questionnaire has more than {_MOST_ITEMS:,} items; bring a smaller one")
            self._item(item, under)

    def _item(self, item: Mapping[str, Any], under: _Open) -> None:
        code, kind = _text(item, "linkId") or f"item_{self._items}", _text(item, "type")
        if _extended(item, HIDDEN) is True:
            self._note("dropped", code, "it is hidden from people, with all that stands in it")
            return
        self._settings(item, code)
        shown = (*under.shown, *self._shown(item, code))
        children = _tables(item, "item")
        if kind == "group":
            page = code.removeprefix("page-") if code.startswith("page-") and under.depth == 0 else ""
            if item.get("repeats") is True:
                self._note("approximated", code, "a group that may be answered several times is asked once")
            inner = replace(under, shown=shown, depth=under.depth + 1)
            if heading := self._prefixed(item):
                self._headings += 1
                inner = replace(inner, heading=heading, code=page, number=self._headings)
            self._walk(children, inner)
            return
        hints = [child for child in children if self._is_help(child)]
        for hint in hints:
            self._settings(hint, _text(hint, "linkId") or code)
            if _tables(hint, "enableWhen"):
                self._note("dropped", code, "that its hint hangs on an answer; it is always shown")
        question = self._question(item, code, kind, hints, shown)
        if question is not None:
            self._add(question, under)
        asked = [child for child in children if child not in hints]
        if asked:
            self._note("approximated", code, "what stands inside it follows it on the page")
            self._walk(asked, replace(under, shown=shown, depth=under.depth + 1))

    def _add(self, question: Question, under: _Open) -> None:
        """To the section that is open, or to a new one where the heading changed."""
        if self._last != under.number or not self._sections:
            self._sections.append(Section(under.heading, (), under.code))
            self._last = under.number
        self._sections[-1] = replace(self._sections[-1], questions=(*self._sections[-1].questions, question))

    def _settings(self, item: Mapping[str, Any], code: str) -> None:
        """What an item says of itself that has no counterpart."""
        if item.get("required") is True:
            self._note("dropped", code, "it must be answered; here every question may be skipped")
        if item.get("readOnly") is True:
            self._note("dropped", code, "that nobody may change its answer")
        for key in sorted(set(item) - _ITEM_KEYS):
            self._note("dropped", code, f"its {key}, which has no place here")
        for url in _strange(item, _READ):
            control = _control(item) if url == CONTROL else ""
            if control not in _HELP:
                self._note("dropped", code, f"how it is drawn ({control})" if control else f"its extension {url}")
        kind = _text(item, "type")
        if "maxLength" in item and kind in _NOT_WRITTEN:
            self._note("dropped", code, f"that its answer has at most {item['maxLength']} characters")
        if ("answerOption" in item or "answerValueSet" in item) and kind not in {"choice", "open-choice"}:
            self._note("dropped", code, "the answers it lists, since its type has none")
        for url in _strange(_table(item.get("_text")), {TRANSLATION}):
            self._note("dropped", code, f"the extension {url} of its text")

    def _is_help(self, item: Mapping[str, Any]) -> bool:
        return _text(item, "type") == "display" and _control(item) in _HELP

    def _question(
        self,
        item: Mapping[str, Any],
        code: str,
        kind: str,
        hints: Sequence[Mapping[str, Any]],
        shown: tuple[Shown, ...],
    ) -> Question | None:
        if kind in _NOT_ASKED:
            self._note("dropped", code, f"{_NOT_ASKED[kind]}, which nobody is asked here")
            return None
        words = self._prefixed(item)
        hint: dict[str, str] = {}
        for one in hints:
            for language, text in self._words(one, "text").items():
                hint[language] = f"{hint[language]} {text}" if language in hint else text
        if isinstance(ours := _extended(item, _HINT), str):
            hint = {
                self._language: ours,
                **self._translated(_table(next(iter(_extensions(item, _HINT)), {}).get("_valueString"))),
            }
        question = Question(code, "information", words, hint, shown=shown)
        if kind in {"choice", "open-choice"}:
            return self._chosen(question, item, kind)
        return self._open(question, item, kind)

    def _open(self, question: Question, item: Mapping[str, Any], kind: str) -> Question:
        """What is answered without a list."""
        code = question.code
        if item.get("repeats") is True:
            self._note("approximated", code, "a question that may have several answers has one")
        asked = [one for one in (str(_value(each)) for each in _extensions(item, _REFUSAL)) if one in REFUSALS]
        question = replace(question, refusals=tuple(asked), picture=str(_extended(item, _PICTURE) or ""))
        longest = item.get("maxLength")
        longest = longest if isinstance(longest, int) and not isinstance(longest, bool) else None
        if kind in {"integer", "decimal", "quantity"}:
            return self._number(question, item, kind)
        if kind in {"date", "dateTime"}:
            if kind == "dateTime":
                self._note("approximated", code, "a date with the time of day; the day alone is asked")
            low, high = self._day(item, code, LOW), self._day(item, code, HIGH)
            return replace(question, kind="date", minimum=low, maximum=high)
        if kind == "boolean":
            words = yes_or_no(self._languages)
            return replace(question, kind="yes_no", choices=words, values={"true": "yes", "false": "no"})
        if kind not in {"display", "string", "text"}:
            self._note("approximated", code, f"a {kind or 'type that is not named'}; it asks for words")
        long = kind == "text" or (kind == "string" and longest is not None and longest > LONGEST["short_text"])
        written: Kind = "information" if kind == "display" else "long_text" if long else "short_text"
        return replace(question, kind=written, max_length=longest)

    def _number(self, question: Question, item: Mapping[str, Any], kind: str) -> Question:
        places = _extended(item, DECIMALS)
        decimals = 0 if kind == "integer" else places if isinstance(places, int) and 0 <= places <= 12 else 12
        unit = _table(_extended(item, UNIT))
        if unit:
            said = _text(unit, "display") or _text(unit, "code")
            self._note("approximated", question.code, f"its unit {said} stands in its hint")
            held = question.hint.get(self._language, "")
            question = replace(question, hint={**question.hint, self._language: f"{held} {said}".strip()})
        elif kind == "quantity":
            self._note("approximated", question.code, "a quantity; a number alone is asked, its unit is not")
        low, high = (self._bound(item, question.code, url) for url in (LOW, HIGH))
        return replace(question, kind="number", minimum=low, maximum=high, decimals=decimals)

    def _bound(self, item: Mapping[str, Any], code: str, url: str) -> float | None:
        value = _extended(item, url)
        if value is None:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or abs(value) >= 1e15
        ):
            self._note("dropped", code, f"its bound {value}, which is no number")
            return None
        return value

    def _day(self, item: Mapping[str, Any], code: str, url: str) -> date | None:
        value = _extended(item, url)
        if value is None:
            return None
        try:
            return date.fromisoformat(str(value)[:10])
        except ValueError:
            self._note("dropped", code, f"its bound {value}, which is no day")
            return None

    def _chosen(self, question: Question, item: Mapping[str, Any], kind: str) -> Question:
        """One or several of a list."""
        code, wanted = question.code, _extended(item, _KIND)
        options = [one for one in self._options(item, code) if one[0].code not in REFUSALS]
        refused = tuple(choice.code for choice, _ in self._options(item, code, quiet=True) if choice.code in REFUSALS)
        choices = tuple(choice for choice, _ in options)
        names = [str(_value(one)) for one in _extensions(item, _PICTURES)]
        question = replace(
            question,
            refusals=refused,
            choices=choices,
            pictures=tuple(names),
            picture=str(_extended(item, _PICTURE) or ""),
        )
        if wanted in KINDS:
            return replace(question, kind=cast("Kind", wanted))
        question = replace(question, kind="several" if item.get("repeats") is True else "single")
        if kind == "open-choice":
            return replace(question, other={})
        weights = [number_of(weight) for _, weight in options]
        numbered = [weight for weight in weights if isinstance(weight, int | float) and weight == int(weight) >= 0]
        if question.kind == "single" and options and len(numbered) == len(options) == len(set(numbered)):
            return self._weighed(question, [int(weight) for weight in numbered])
        if any(weight is not None for weight in weights):
            self._note("dropped", code, "the points its answers count for")
        return question

    def _weighed(self, question: Question, weights: Sequence[int]) -> Question:
        """Answers that count points in steps of one are known by their points, so that they can be scored."""
        if not 2 <= len(weights) <= 7 or list(weights) != list(range(weights[0], weights[0] + len(weights))):
            self._note("dropped", question.code, "the points its answers count for, which are not in steps of one")
            return question
        pairs = [(choice, str(weight)) for choice, weight in zip(question.choices, weights, strict=True)]
        renamed = [f"{choice.code} to {weight}" for choice, weight in pairs if choice.code != weight]
        if renamed:
            self._note("renamed", f"{question.code}, answers", "; ".join(renamed))
        choices = tuple(replace(choice, code=weight) for choice, weight in pairs)
        return replace(
            question, kind="agreement", choices=choices, values={choice.code: weight for choice, weight in pairs}
        )

    def _options(self, item: Mapping[str, Any], code: str, *, quiet: bool = False) -> list[tuple[Choice, str | None]]:
        """The answers listed, each with the points it counts for, if any."""
        found = []
        for option in _tables(item, "answerOption") or self._value_set(item, code, quiet=quiet):
            coding = _table(option.get("valueCoding"))
            weight = next(
                (
                    str(value)
                    for url in WEIGHTS
                    for one in (coding, option)
                    if (value := _extended(one, url)) is not None
                ),
                None,
            )
            if coding:
                words = self._words(coding, "display")
                found.append((Choice(_text(coding, "code") or _text(coding, "display"), words), weight))
            else:
                value = next(
                    (option[key] for key in ("valueString", "valueInteger", "valueDate", "valueTime") if key in option),
                    None,
                )
                if value is None:
                    if not quiet:
                        self._note("dropped", code, "an answer that is not in words, numbers or codes")
                    continue
                if isinstance(value, int) and not isinstance(value, bool):
                    weight = weight or str(value)
                found.append(
                    (
                        Choice(
                            str(value),
                            {self._language: str(value), **self._translated(_table(option.get("_valueString")))},
                        ),
                        weight,
                    )
                )
            if option.get("initialSelected") is True and not quiet:
                self._note("dropped", code, f"that {found[-1][0].code} is chosen beforehand")
            if not quiet:
                for url in {*_strange(option, set(WEIGHTS)), *_strange(coding, set(WEIGHTS))}:
                    self._note("dropped", f"{code}, answer {found[-1][0].code}", f"its extension {url}")
        return found

    def _value_set(self, item: Mapping[str, Any], code: str, *, quiet: bool) -> list[Mapping[str, Any]]:
        """The answers of a list the file holds itself."""
        said = _text(item, "answerValueSet")
        if not said:
            return []
        for held in _tables(self._resource, "contained"):
            if said in {f"#{held.get('id')}", held.get("url")} and held.get("resourceType") == "ValueSet":
                expanded = _tables(_table(held.get("expansion")), "contains")
                listed = [
                    one for part in _tables(_table(held.get("compose")), "include") for one in _tables(part, "concept")
                ]
                return [{"valueCoding": one} for one in expanded or listed]
        if not quiet:
            self._note("dropped", code, f"its list of answers {said}, which is not in the file")
        return []

    def _shown(self, item: Mapping[str, Any], code: str) -> tuple[Shown, ...]:
        ours = _extended(item, _SHOW_IF)
        if isinstance(ours, str):
            try:
                return (Shown(ours, parse_condition(ours)),)
            except InstrumentError as error:
                return (Shown(ours, None, error.problems[0]),)
        asked = _tables(item, "enableWhen")
        if not asked:
            return ()
        behaviour = _text(item, "enableBehavior")
        if len(asked) > 1 and not behaviour:
            self._note("approximated", code, "it does not say whether one of its conditions is enough; one is")
        said = f" {'and' if behaviour == 'all' else 'or'} ".join(
            f"{one.get('question')} {one.get('operator')} {_answer(one)}" for one in asked
        )
        parts = tuple(_condition(one) for one in asked)
        if any(part is None for part in parts):
            return (Shown(said, None, "it compares in a way not known here"),)
        known = cast("tuple[Condition, ...]", parts)
        if len(known) == 1:
            return (Shown(said, known[0]),)
        return (Shown(said, And(known) if behaviour == "all" else Or(known)),)

    def _prefixed(self, item: Mapping[str, Any]) -> dict[str, str]:
        """The text of an item after its prefix ("1.")."""
        prefix = _text(item, "prefix")
        return {language: f"{prefix} {text}".strip() for language, text in self._words(item, "text").items()}

    def _words(self, of: Mapping[str, Any], key: str) -> dict[str, str]:
        """A text and its translations."""
        text = _text(of, key)
        return ({self._language: text} if text else {}) | self._translated(_table(of.get(f"_{key}")))

    def _translated(self, beside: Mapping[str, Any]) -> dict[str, str]:
        found = {}
        for one in _extensions(beside, TRANSLATION):
            language = language_of(str(_extended(one, "lang") or ""))
            content = _extended(one, "content")
            if isinstance(content, str) and language != "und":
                if language not in self._languages:
                    self._languages.append(language)
                found[language] = content
        return found

    def _note(self, how: Any, where: str, what: str) -> None:
        self._report.append(Line(how, where, what))


def _strange(of: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    urls = (str(one.get("url")) for one in (*_tables(of, "extension"), *_tables(of, "modifierExtension")))
    yield from dict.fromkeys(url for url in urls if url not in known)


def _control(item: Mapping[str, Any]) -> str:
    codings = _tables(_table(_extended(item, CONTROL)), "coding")
    return next((_text(one, "code") for one in codings), "")


def _answer(row: Mapping[str, Any]) -> Any:
    value = next((value for key, value in row.items() if key.startswith("answer")), None)
    if isinstance(value, dict):
        return value.get("code") or value.get("display") or value.get("value") or ""
    return str(value).lower() if isinstance(value, bool) else value


def _condition(row: Mapping[str, Any]) -> Condition | None:
    question, sign, value = _text(row, "question"), row.get("operator"), _answer(row)
    if sign == "exists":
        return Answered(question) if value == "true" else Not(Answered(question))
    if sign not in {"=", "!=", "<", "<=", ">", ">="} or not isinstance(value, int | float | str):
        return None
    return Compare(question, str(sign), value)


def write(instrument: Instrument) -> Written:
    """A FHIR R4 Questionnaire of one questionnaire, its other languages as translations."""
    writer = _Writer(instrument)
    content = json.dumps(writer.resource(), ensure_ascii=False, indent=2) + "\n"
    return Written(content.encode(), tuple(writer.report))


class _Writer:
    def __init__(self, instrument: Instrument) -> None:
        self._first = instrument.in_language(instrument.languages[0])
        self._texts = {one: texts_of(instrument.in_language(one)) for one in instrument.languages[1:]}
        self._items = {item.code: item for item in self._first.items}
        self.report = [
            Line("dropped", f"scale {scale.code}", "a questionnaire of FHIR holds no scores")
            for scale in instrument.scales
        ]

    def resource(self) -> dict[str, Any]:
        one = self._first
        made: dict[str, Any] = {
            "resourceType": "Questionnaire", "id": one.name.replace("_", "-"), "language": one.language,
            "version": str(one.version), "name": one.name, **self._said("title", one.title, "title"),
            "status": "active" if one.status == "approved" else "draft", "publisher": one.owner, "copyright": one.licence,
        }  # fmt: skip
        made["extension"] = [
            {"url": _REFUSAL, "valueCoding": {"code": code, **self._said("display", label, f"refusals.{code}")}}
            for code, label in one.refusals
        ]
        made["item"] = [
            {
                "linkId": f"page-{page.code}", "type": "group", **self._said("text", page.title, f"pages.{page.code}.title"),
                "item": [self._item(self._items[code]) for code in page.items],
            }
            for page in one.pages
        ]  # fmt: skip
        return {key: value for key, value in made.items() if value != []}

    def _item(self, item: Item) -> dict[str, Any]:
        made: dict[str, Any] = {
            "linkId": item.code,
            **self._said("text", item.text, f"items.{item.code}.text"),
            "type": _type(item),
        }
        extensions: list[dict[str, Any]] = [] if item.kind in _PLAIN else [{"url": _KIND, "valueCode": item.kind}]
        extensions += [{"url": _PICTURES, "valueString": name} for name in item.pictures]
        extensions += [{"url": _PICTURE, "valueString": item.picture}] if item.picture else []
        for url, bound in ((LOW, item.minimum), (HIGH, item.maximum)):
            if bound is not None:
                extensions.append({"url": url, **_typed("value", bound)})
        if item.decimals:
            extensions.append({"url": DECIMALS, "valueInteger": item.decimals})
        if item.options:
            made["answerOption"] = [self._option(item, str(code), label) for code, label in item.options]
            made["answerOption"] += [
                {
                    "valueCoding": {
                        "code": code,
                        **self._said("display", dict(self._first.refusals)[code], f"refusals.{code}"),
                    }
                }
                for code in item.refusals
            ]
            if item.kind == "several":
                made["repeats"] = True
        else:
            extensions += [{"url": _REFUSAL, "valueCode": code} for code in item.refusals]
            if item.refusals:
                self.report.append(
                    Line(
                        "approximated",
                        item.code,
                        "its refusals stand in an extension of ours; others do not offer them",
                    )
                )
        if item.max_length is not None:
            made["maxLength"] = item.max_length
        if item.show_if is not None:
            made |= self._enabled(item.code, item.show_if, extensions)
        if item.hint:
            self._hint(item, made, extensions)
        if extensions:
            made["extension"] = extensions
        return made

    def _hint(self, item: Item, made: dict[str, Any], extensions: list[dict[str, Any]]) -> None:
        said = self._said("text", item.hint, f"items.{item.code}.hint")
        if item.kind == "information":  # FHIR lets nothing stand inside a piece of information
            beside = {"_valueString": said["_text"]} if "_text" in said else {}
            extensions.append({"url": _HINT, "valueString": item.hint, **beside})
            return
        control = {
            "url": CONTROL,
            "valueCodeableConcept": {
                "coding": [{"system": "http://hl7.org/fhir/questionnaire-item-control", "code": "help"}]
            },
        }
        made["item"] = [{"linkId": f"{item.code}-hint", **said, "type": "display", "extension": [control]}]

    def _option(self, item: Item, code: str, label: str) -> dict[str, Any]:
        coding: dict[str, Any] = {"code": code, **self._said("display", label, f"items.{item.code}.options.{code}")}
        if item.kind in NUMBERED:
            coding["extension"] = [{"url": WEIGHTS[0], "valueDecimal": int(code)}]
        return {"valueCoding": coding}

    def _enabled(self, code: str, condition: Condition, extensions: list[dict[str, Any]]) -> dict[str, Any]:
        """Conditions all of which, or one of which, must hold; what is neither stands in an extension of ours."""
        parts: tuple[Condition, ...] = (condition,)
        behaviour = "all"
        if isinstance(condition, And | Or):
            parts, behaviour = condition.parts, "all" if isinstance(condition, And) else "any"
        if isinstance(condition, OneOf) and len(condition.values) > 1:
            parts = tuple(Compare(condition.item, "=", value) for value in condition.values)
            behaviour = "any"
        rows = [self._row(part) for part in parts]
        if any(row is None for row in rows):
            extensions.append({"url": _SHOW_IF, "valueString": condition_text(condition)})
            self.report.append(
                Line(
                    "approximated",
                    code,
                    f"its condition {condition_text(condition)} stands in an extension of ours; others always show it",
                )
            )
            return {}
        return {"enableWhen": rows} | ({"enableBehavior": behaviour} if len(rows) > 1 else {})

    def _row(self, part: Condition) -> dict[str, Any] | None:
        match part:
            case Answered(code) | Not(Answered(code)):
                return {"question": code, "operator": "exists", "answerBoolean": isinstance(part, Answered)}
            case Compare(code, sign, value):
                if self._items[code].kind in (*WORDED, *NUMBERED):
                    return (
                        {"question": code, "operator": sign, "answerCoding": {"code": str(value)}}
                        if sign in {"=", "!="}
                        else None
                    )
                day = self._items[code].kind == "date"
                return {
                    "question": code,
                    "operator": sign,
                    **({"answerDate": value} if day else _typed("answer", value)),
                }
            case OneOf(code, (value,)):
                return {"question": code, "operator": "=", "answerCoding": {"code": str(value)}}
        return None

    def _said(self, key: str, text: str, place: str) -> dict[str, Any]:
        """A text, and beside it its translations."""
        others = [
            {
                "url": TRANSLATION,
                "extension": [{"url": "lang", "valueCode": language}, {"url": "content", "valueString": texts[place]}],
            }
            for language, texts in self._texts.items()
            if place in texts
        ]
        return {key: text} | ({f"_{key}": {"extension": others}} if others else {})


_PLAIN = ("number", "date", "short_text", "long_text", "information")


def _type(item: Item) -> str:
    if item.options:
        return "choice"
    if item.kind == "number":
        return "decimal" if item.decimals else "integer"
    return {"date": "date", "short_text": "string", "long_text": "text"}.get(item.kind, "display")


def _typed(key: str, value: float | str | date) -> dict[str, Any]:
    if isinstance(value, date):
        return {f"{key}Date": value.isoformat()}
    if isinstance(value, str):
        return {f"{key}String": value}
    return {f"{key}{'Integer' if isinstance(value, int) else 'Decimal'}": value}
