"""From what another format asks to a draft questionnaire of ours: what fits is kept, the rest is said line by line.

Each format reads its file into `Form`s (what is asked, in the file's own names); `drafted` makes questionnaires of
them that the library's own check finds sound: codes, texts and pages made to fit, conditions turned, each change a
`Line` of the report.
"""

import html
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from html.parser import HTMLParser
from itertools import count
from typing import Literal

from analysis.errors import BadData
from evalapp.exchange.logic import NotSayable
from instruments import (
    BESIDE,
    PICTURES,
    REFUSALS,
    VARIABLES,
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
    Page,
    Variant,
    parse,
    parse_condition,
    texts_of,
)
from instruments.checking import check_condition
from instruments.conditions import WORDS
from instruments.definitions import NUMBERED, WORDED, WRITTEN
from instruments.reading import LANGUAGE, LONGEST, MOST_ON_A_PAGE, NAME, telling
from instruments.tables import LONGEST_TEXT, UNSEEN
from instruments.writing import condition_text, source

How = Literal["dropped", "approximated", "renamed"]
Words = Mapping[str, str]  # language to text, as the file has it

NOT_VALIDATED = "new scale, not yet validated"
NOT_KNOWN = "Not known: write who owns it before anyone is asked"
NO_LICENCE = "Not known: write on what terms it may be used before anyone is asked"
MOST_QUESTIONS = 1000
LONGEST_TITLE = 80
_PAGE = {"en": "Page", "cy": "Tudalen", "pl": "Strona", "ar": "صفحة", "de": "Seite", "es": "Página", "fr": "Page"}
_OTHER = {"en": "Other", "cy": "Arall", "pl": "Inne", "ar": "أخرى", "de": "Sonstiges", "es": "Otro", "fr": "Autre"}
_OTHER_WHICH = {"en": "Which other?", "cy": "Pa un arall?", "pl": "Jakie inne?", "de": "Welches andere?"}
_YES = {"en": "Yes", "cy": "Ie", "pl": "Tak", "ar": "نعم", "de": "Ja", "es": "Sí", "fr": "Oui", "et": "Jah", "ru": "Да"}
_NO = {"en": "No", "cy": "Na", "pl": "Nie", "ar": "لا", "de": "Nein", "es": "No", "fr": "Non", "et": "Ei", "ru": "Нет"}
YES_NO = (("yes", _YES), ("no", _NO))


@dataclass(frozen=True, slots=True)
class Line:
    """One thing an import lost or changed: how, where in the file, and what, in a sentence."""

    how: How
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.how}: {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Imported:
    """Draft questionnaires, and a line for everything that is not in them as the file had it."""

    instruments: tuple[Instrument, ...]
    report: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A file to hand over, and a line for everything of the questionnaire that its format cannot hold."""

    content: bytes
    report: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer to choose: the file's code of it, and its words."""

    code: str
    words: Words


@dataclass(frozen=True, slots=True)
class Shown:
    """When a question is shown: as the file says it, and as a condition in the file's names, or why there is none."""

    said: str
    condition: Condition | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a file asks it. `shown`: every one must hold. `other`: an answer of one's own, in these words.

    `values` turns what the file's conditions call an answer (`1`) into the code of a choice (`yes`).
    """

    code: str
    kind: Kind
    words: Words
    hint: Words = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    minimum: float | date | None = None
    maximum: float | date | None = None
    decimals: int = 0
    max_length: int | None = None
    refusals: tuple[str, ...] = ()
    picture: str = ""
    pictures: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    other: Words | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Questions under one heading."""

    words: Words
    questions: tuple[Question, ...]
    code: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A questionnaire as a file has it; the first language is the one the others are translated from."""

    name: str
    words: Words
    sections: tuple[Section, ...]
    languages: tuple[str, ...] = ("en",)
    owner: str = ""
    licence: str = ""
    refusals: tuple[tuple[str, Words], ...] = ()


def drafted(form: Form, report: list[Line]) -> Instrument:
    """A draft questionnaire; what does not fit is noted in `report`. BadData where nothing is left to ask."""
    return _Draft(form, report).made()


def distinct(instruments: Iterable[Instrument], report: list[Line]) -> tuple[Instrument, ...]:
    """The same, each under a name of its own; a name changed for that is noted."""
    made: list[Instrument] = []
    for one in instruments:
        taken = {other.name for other in made}
        endings = ("", *(f"_{number}" for number in range(2, len(taken) + 3)))
        name = next(found for ending in endings if (found := one.name[: 40 - len(ending)] + ending) not in taken)
        if name != one.name:
            report.append(Line("renamed", one.name, f"its name is {name}, since another has the first"))
        made.append(replace(one, name=name))
    return tuple(made)


def neutral_name(text: str) -> str:
    """A name a folder may have, close to a text: small letters, digits and _."""
    name = re.sub(r"[^a-z0-9]+", "_", _latin(text).lower()).strip("_")[:40].strip("_")
    if not name:
        return "imported"
    return name if NAME.fullmatch(name) else f"q_{name}"[:40]


def language_of(said: str) -> str:
    """The code of a language a file names: `en`, `English (en)`, `English`; "und" for one not known here."""
    bracketed = re.search(r"\(([A-Za-z]{2,3}(?:-[A-Za-z]{2,8})?)\)\s*$", said)
    code = (bracketed[1] if bracketed else said).strip().replace("_", "-")
    head, _, tail = code.partition("-")
    code = f"{head.lower()}-{tail}" if tail else head.lower()
    if LANGUAGE.fullmatch(code):
        return code
    return _LANGUAGES.get(said.strip().lower(), "und")


_LANGUAGES = {
    "english": "en", "welsh": "cy", "cymraeg": "cy", "polish": "pl", "polski": "pl", "arabic": "ar", "العربية": "ar",
    "french": "fr", "français": "fr", "german": "de", "deutsch": "de", "spanish": "es", "español": "es", "urdu": "ur",
    "portuguese": "pt", "português": "pt", "italian": "it", "italiano": "it", "russian": "ru", "русский": "ru",
    "bengali": "bn", "punjabi": "pa", "somali": "so", "romanian": "ro", "ukrainian": "uk", "swahili": "sw",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Built:
    """An item whose texts still stand in every language."""

    item: Item
    words: Words
    hint: Words
    labels: tuple[Words, ...]


class _Draft:
    """One questionnaire in the making; each method does one thing and notes what it lost."""

    def __init__(self, form: Form, report: list[Line]) -> None:
        self._form = form
        self._report = report
        self._language = form.languages[0]
        self._refusals = [code for code, _ in form.refusals if code in REFUSALS]
        self._taken: set[str] = set()
        self._codes: dict[str, str] = {}  # the file's name of a question to ours
        self._values: dict[str, dict[str, str]] = {}  # by our code of a question: the file's answers to ours
        self._built: dict[str, _Built] = {}
        self._untranslated: dict[str, list[str]] = {}

    def made(self) -> Instrument:
        pages: list[tuple[Page, Words]] = []
        asked = sum(len(section.questions) for section in self._form.sections)
        if asked > MOST_QUESTIONS:
            raise BadData(
                f"the file asks {asked:,} questions; the most is {MOST_QUESTIONS:,}, so export fewer at a time"
            )
        title, kept = self._title("the title", self._form.words, lambda language: _QUESTIONS.get(language, "Questions"))
        sections = list(self._form.sections)
        if not kept and sections:
            said = Question("about_questions", "information", self._form.words)
            sections[0] = replace(sections[0], questions=(said, *sections[0].questions))
        for section in sections:
            pages += self._pages(section, len(pages))
        if not self._built:
            raise BadData("the file holds no question that can be asked here; check that it is the right file")
        bare = Instrument(
            name=self._name(),
            version=1,
            language=self._language,
            status="draft",
            title=self._language,
            roles=("practitioner",),
            waves=("before",),
            validation=NOT_VALIDATED,
            owner=self._fact("owner", self._form.owner) or NOT_KNOWN,
            licence=self._fact("licence", self._form.licence) or NO_LICENCE,
            pages=(),
            items=(),
            scales=(),
        )
        offered = dict(self._form.refusals)
        refusals = tuple(
            (code, self._cleaned(f"the refusal {code}", offered[code]) or {self._language: code.replace("_", " ")})
            for code in REFUSALS
            if code in offered
        )
        whole = {language: self._in(bare, language, title, refusals, pages) for language in self._form.languages}
        for language, places in self._untranslated.items():
            some = ", ".join(places[:3]) + (" …" if len(places) > 3 else "")
            many = "1 text is" if len(places) == 1 else f"{len(places)} texts are"
            why = f"{many} not translated ({some}); what stands there is in {self._language}"
            self._note("approximated", f"language {language}", why)
        first = Variant(self._language, "draft", tuple(texts_of(whole[self._language]).items()), "")
        others = (
            Variant(language, "draft", tuple(texts_of(one).items()), "")
            for language, one in whole.items()
            if language != self._language
        )
        made = replace(whole[self._language], variants=(first, *others))
        return _checked(made)

    def _in(
        self, bare: Instrument, language: str, title: Words, refusals: Sequence[tuple[str, Words]],
        pages: Sequence[tuple[Page, Words]],
    ) -> Instrument:  # fmt: skip
        return replace(
            bare,
            language=language,
            title=self._said("the title", title, language),
            refusals=tuple((code, self._said(f"refusal {code}", words, language)) for code, words in refusals),
            pages=tuple(
                page._replace(title=self._said(f"page {page.number}", words, language)) for page, words in pages
            ),
            items=tuple(self._item_in(built, language) for built in self._built.values()),
        )

    def _item_in(self, built: _Built, language: str) -> Item:
        code = built.item.code
        return replace(
            built.item,
            text=self._said(code, built.words, language),
            hint=self._said(f"the hint of {code}", built.hint, language) if built.hint else "",
            options=tuple(
                (option, self._said(f"{code}: {option}", words, language))
                for (option, _), words in zip(built.item.options, _all_different(built, language), strict=True)
            ),
        )

    def _said(self, where: str, words: Words, language: str) -> str:
        """A text in a language; where it is not translated, the first language's, noted once for all of them."""
        if words.get(language):
            return words[language]
        if language != self._language and words.get(self._language):
            self._untranslated.setdefault(language, []).append(where)
        return words.get(self._language) or next(text for text in words.values() if text)

    def _pages(self, section: Section, before: int) -> Iterator[tuple[Page, Words]]:
        """The pages a section needs: at most six items each."""
        if not section.questions:
            return
        number = before + 1
        where = (
            f"section {_shown(section.words.get(self._language) or section.code or str(number))} of {self._form.name}"
        )
        title, kept = self._title(where, section.words, lambda language: f"{_PAGE.get(language, 'Page')} {number}")
        questions = section.questions
        if not kept:
            questions = (Question(f"about_page_{number}", "information", section.words), *questions)
        codes = [built for question in questions for built in self._questions(question)]
        places = [codes[place : place + MOST_ON_A_PAGE] for place in range(0, len(codes), MOST_ON_A_PAGE)]
        if len(places) > 1:
            self._note("approximated", where, f"its {len(codes)} questions stand on {len(places)} pages of at most six")
        for extra, items in enumerate(places):
            code = section.code if section.code and len(places) == 1 else f"page_{number + extra}"
            yield Page(number + extra, code, "", tuple(items)), title

    def _questions(self, question: Question) -> Iterator[str]:
        """The codes of the items a question becomes: itself, and a box for an answer of one's own."""
        if question.other is not None and question.kind in WORDED and question.choices:
            words = {
                language: question.other.get(language) or _OTHER.get(language, "") for language in self._form.languages
            }
            code = _unlike("other", {choice.code.lower() for choice in question.choices})
            choices = (*question.choices, Choice(code, _spoken(words) or {self._language: _OTHER["en"]}))
            yield self._question(replace(question, choices=choices))
            own = Compare if question.kind == "single" else None
            held = Compare(question.code, "=", code) if own else OneOf(question.code, (code,))
            which = _spoken({language: _OTHER_WHICH.get(language, "") for language in self._form.languages})
            self._note("approximated", question.code, "an answer of one's own is a question after it")
            yield self._question(
                Question(
                    f"{question.code}_other", "short_text", which or {self._language: _OTHER_WHICH["en"]},
                    shown=(*question.shown, Shown("", held)),
                )
            )  # fmt: skip
        else:
            yield self._question(question)

    def _question(self, question: Question) -> str:
        question = self._fitting(question)
        code = self._code(question.code)
        words = self._cleaned(code, question.words)
        if not words:
            words = {self._language: plain_text(question.code)[0] or code}
            self._note("approximated", question.code, "it has no text; its name stands in its place")
        options, values = self._options(question)
        item = Item(
            code=code,
            kind=question.kind,
            text="",
            options=tuple((option, "") for option, _ in options),
            refusals=()
            if question.kind == "information"
            else tuple(one for one in question.refusals if one in self._refusals),
            picture=question.picture if question.picture in BESIDE else "",
            pictures=question.pictures,
        )
        if question.kind in {"number", "date"}:
            item = replace(item, minimum=question.minimum, maximum=question.maximum, decimals=question.decimals)
            item = self._bounded(question, item)
        if question.kind in WRITTEN:
            most = LONGEST[question.kind]
            if question.max_length is not None and question.max_length > most:
                self._note("approximated", question.code, f"at most {question.max_length} characters become {most}")
            item = replace(item, max_length=min(most, max(1, question.max_length or most)))
        item = replace(item, show_if=self._condition(question))
        hint = self._cleaned(f"the hint of {question.code}", question.hint)
        if hint and not hint.get(self._language):
            hint = {**hint, self._language: next(iter(hint.values()))}
        self._values[code] = values
        self._built[code] = _Built(item, words, hint, tuple(label for _, label in options))
        return code

    def _fitting(self, question: Question) -> Question:
        """The same with a kind its answers fit."""
        if question.kind not in (*WORDED, *NUMBERED):
            return question
        if not question.choices:
            self._note("approximated", question.code, "its answers are not in the file; it asks for words instead")
            return replace(question, kind="short_text", refusals=(), other=None, pictures=())
        if question.kind in {"single", "several"} and len(question.choices) == 1:
            return self._ticked(question, question.choices[0])
        if question.kind == "yes_no" and {choice.code for choice in question.choices} != {"yes", "no"}:
            return replace(question, kind="single")
        return self._numbered(question) if question.kind in NUMBERED else question

    def _ticked(self, question: Question, only: Choice) -> Question:
        """One box to tick, as yes or no."""
        self._note("approximated", question.code, f"one box to tick ({_shown(only.code)}) becomes yes or no")
        words = {
            language: f"{text.rstrip()} {only.words.get(language, '')}".strip()
            for language, text in (question.words or only.words).items()
        }
        choices = yes_or_no(self._form.languages)
        return replace(question, kind="yes_no", words=words, choices=choices, values={only.code: "yes"}, other=None)

    def _numbered(self, question: Question) -> Question:
        """Answers that are numbers in steps, and their drawings; answers that are not are words."""
        codes = [choice.code for choice in question.choices]
        if question.pictures and (len(question.pictures) != len(codes) or not set(question.pictures) <= set(PICTURES)):
            self._note("dropped", question.code, f"its pictures {', '.join(question.pictures)}")
            question = replace(question, kind="agreement", pictures=())
        if question.kind == "rating":
            wanted, fits = "do not run from 0 to 10", codes == [str(number) for number in range(11)]
        else:
            wanted, fits = "are not two to seven numbers in steps of one", in_steps(codes)
        if fits:
            return question
        self._note("approximated", question.code, f"its answers {wanted}; they are kept as words and not scored")
        return replace(question, kind="single", pictures=())

    def _options(self, question: Question) -> tuple[list[tuple[int | str, Words]], dict[str, str]]:
        """Our codes with their words, and what the file calls each."""
        options: list[tuple[int | str, Words]] = []
        values = dict(question.values)
        renamed: list[str] = []
        taken: set[str] = set(REFUSALS)
        if question.kind not in (*WORDED, *NUMBERED):
            return options, values
        for choice in question.choices:
            words = self._cleaned(f"{question.code}, answer {choice.code}", choice.words)
            if not words:
                words = {self._language: plain_text(choice.code)[0] or "–"}
                self._note(
                    "approximated", f"{question.code}, answer {_shown(choice.code)}", "it has no words; its code stands"
                )
            if question.kind in NUMBERED:
                options.append((int(choice.code), words))
                values.setdefault(choice.code, choice.code)
                continue
            code = _unlike(_word_code(choice.code), taken)
            taken.add(code)
            if code != choice.code:
                renamed.append(f"{_shown(choice.code)} to {code}")
            values.setdefault(choice.code, code)
            options.append((code, words))
        if renamed:
            self._note("renamed", f"{question.code}, answers", "; ".join(renamed))
        read = Counter(words.get(self._language) for _, words in options)
        if twice := [words for words, times in read.items() if words and times > 1]:
            self._note(
                "approximated", question.code, f"more than one answer reads {_shown(twice[0])}; their codes are added"
            )
        return options, values

    def _bounded(self, question: Question, item: Item) -> Item:
        low, high = item.minimum, item.maximum
        if low is not None and high is not None and low > high:  # type: ignore[operator]  # both dates or both numbers
            self._note("dropped", question.code, f"its bounds {low} and {high} are the wrong way round")
            return replace(item, minimum=None, maximum=None)
        return item

    def _condition(self, question: Question) -> Condition | None:
        """What must hold for a question to be shown; what cannot be said is noted, and hides the question no more."""
        kept: list[Condition] = []
        earlier = {code: built.item for code, built in self._built.items()}
        for shown in question.shown:
            said = f"the condition {_shown(shown.said, 120)}" if shown.said else "a condition"
            if shown.condition is None:
                self._note("dropped", question.code, f"{said}: {shown.why}; it is always shown")
                continue
            try:
                condition = self._turned(shown.condition)
            except NotSayable as error:
                self._note("dropped", question.code, f"{said}: {error}; it is always shown")
                continue
            if condition not in kept:
                kept.append(condition)
        if not kept:
            return None
        whole = kept[0] if len(kept) == 1 else And(tuple(kept))
        try:
            parse_condition(condition_text(whole))
        except InstrumentError as error:
            self._note("dropped", question.code, f"its condition: {error.problems[0]}; it is always shown")
            return None
        faults = check_condition(whole, earlier, set(earlier))
        if faults:
            self._note("dropped", question.code, f"its condition: {faults[0]}; it is always shown")
            return None
        return whole

    def _turned(self, condition: Condition) -> Condition:  # noqa: PLR0911 - one for each form of condition
        """A condition in the file's names and answers, in ours; NotSayable with the reason."""
        match condition:
            case And(parts):
                return And(tuple(self._turned(part) for part in self._without_refusals(parts)))
            case Or(parts):
                return self._either(tuple(self._turned(part) for part in parts))
            case Not(part):
                return Not(self._turned(part))
            case Answered(item):
                return Answered(self._earlier(item).code)
            case Compare(item, sign, value):
                return self._compared(self._earlier(item), sign, value)
            case OneOf(item, values):
                asked = self._earlier(item)
                if asked.kind == "yes_no" or asked.kind not in WORDED:
                    equal = tuple(self._compared(asked, "=", value) for value in values)
                    return equal[0] if len(equal) == 1 else Or(equal)
                chosen = tuple(str(self._value(asked, value)) for value in values)
                alone = len(chosen) == 1 and asked.kind == "single"
                return Compare(asked.code, "=", chosen[0]) if alone else OneOf(asked.code, chosen)

    def _either(self, parts: tuple[Condition, ...]) -> Condition:
        """One of these; where all ask whether one question has one of some answers, that in one."""
        asked = {
            part.item
            for part in parts
            if isinstance(part, OneOf) or (isinstance(part, Compare) and part.operator == "=")
        }
        if len(asked) == 1 and all(isinstance(part, Compare | OneOf) for part in parts):
            item = self._built[asked.pop()].item
            values = tuple(value for part in parts for value in _values(part))
            if item.kind == "several" and set(values) == set(item.codes):
                return Answered(item.code)
            if all(isinstance(part, OneOf) or (isinstance(part, Compare) and part.operator == "=") for part in parts):
                return OneOf(item.code, tuple(dict.fromkeys(values)))
        return Or(parts)

    def _without_refusals(self, parts: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """What is left to say beside "answered" or "is one of": a refusal is no answer here anyway."""
        asked = {part.item for part in parts if isinstance(part, Answered | Compare | OneOf)}
        kept = tuple(
            part
            for part in parts
            if not (
                isinstance(part, Not)
                and isinstance(part.part, Compare)
                and part.part.item in asked
                and part.part.value in REFUSALS
            )
        )
        return kept if len(kept) > 1 else kept or parts

    def _earlier(self, name: str) -> Item:
        code = self._codes.get(name, self._codes.get(name.lower()))
        if code is None or code not in self._built:
            raise NotSayable(f"it asks about {_shown(name)}, which is not asked before it")
        item = self._built[code].item
        if item.kind == "information":
            raise NotSayable(f"it asks about {_shown(name)}, which is no question")
        return item

    def _compared(self, item: Item, sign: str, value: float | str) -> Condition:
        if item.kind in WRITTEN:
            raise NotSayable(f"{item.code} is answered in words, of which only whether there are any can be asked")
        if item.kind not in WORDED:
            return Compare(item.code, sign, self._value(item, value))
        if sign in {"=", "!="}:
            chosen = str(self._value(item, value))
            if item.kind == "several":
                return (
                    OneOf(item.code, (chosen,))
                    if sign == "="
                    else And((Answered(item.code), Not(OneOf(item.code, (chosen,)))))
                )
            return Compare(item.code, sign, chosen)
        theirs = {ours: code for code, ours in self._values[item.code].items()}
        within = tuple(
            ours
            for ours, code in theirs.items()
            if number_of(code) is not None and _holds(number_of(code), sign, number_of(value))
        )
        if not within:
            raise NotSayable(f"no answer of {item.code} is {sign} {value}")
        return OneOf(item.code, within)

    def _value(self, item: Item, value: float | str) -> float | str:
        """An answer as we store it."""
        if item.kind == "date":
            return str(value)
        if item.kind in (*WORDED, *NUMBERED):
            known = self._values[item.code]
            ours = known.get(str(value), known.get(str(value).lower()))
            if ours is None:
                raise NotSayable(f"{item.code} has no answer {_shown(str(value))}")
            return int(ours) if item.kind in NUMBERED else ours
        number = number_of(value)
        if number is None:
            raise NotSayable(f"{item.code} is a number and is compared with {_shown(str(value))}")
        return number

    def _code(self, name: str) -> str:
        """Our code for a question, close to the file's name of it."""
        code = re.sub(r"[^A-Za-z0-9_]+", "_", _latin(name)).strip("_")
        if not code:
            code = next(f"q{number}" for number in count(1) if f"q{number}" not in self._taken)
        elif not code[0].isalpha():
            code = f"q{code}"
        elif code.lower() in WORDS:
            code = f"q_{code}"
        code = _unlike(code[:32], self._taken)
        self._taken.add(code.lower())
        self._codes.setdefault(name, code)
        self._codes.setdefault(name.lower(), code)
        if code != name:
            self._note("renamed", name, f"its code is {code}")
        return code

    def _name(self) -> str:
        name = neutral_name(self._form.name)
        if name != self._form.name:
            self._note("renamed", self._form.name or "the questionnaire", f"its name is {name}")
        return name

    def _fact(self, where: str, text: str) -> str:
        return self._cleaned(where, {self._language: text}).get(self._language, "") if text.strip() else ""

    def _title(self, where: str, words: Words, usual: Callable[[str], str]) -> tuple[Words, bool]:
        """A title in every language, short and of words a telephone's history may hold; and whether it is the file's."""
        found = {language: " ".join(text.split()) for language, text in self._cleaned(where, words).items()}
        for title in found.values():
            word = telling(title)
            if word or len(title) > LONGEST_TITLE:
                why = f"says {word!r}, and a title stays on the telephone" if word else "is long"
                now = usual(self._language)
                self._note(
                    "renamed", where, f"its title {_shown(title, 120)} {why}; it is {now}, and the words stand below it"
                )
                return {language: usual(language) for language in self._form.languages}, False
        if not found:
            return {language: usual(language) for language in self._form.languages}, True
        return {**found, self._language: found.get(self._language) or usual(self._language)}, True

    def _cleaned(self, where: str, words: Words) -> Words:
        """Texts in plain letters: markup, unseen characters and places for other answers taken out, and noted."""
        found = {}
        for language, text in words.items():
            if language not in self._form.languages:
                continue
            plain, lost = plain_text(text)
            for how, what in lost:
                self._note(how, where, what if language == self._language else f"{what} ({language})")
            if plain:
                found[language] = plain
        return found

    def _note(self, how: How, where: str, what: str) -> None:
        self._report.append(Line(how, _shown(where), _shown(what, 4000)))


_QUESTIONS = {"en": "Questions", "cy": "Cwestiynau", "pl": "Pytania", "ar": "أسئلة", "de": "Fragen", "fr": "Questions"}


def in_steps(codes: Sequence[str]) -> bool:
    """Whether codes are two to seven whole numbers in steps of one, lowest first."""
    if not 2 <= len(codes) <= 7 or not re.fullmatch(r"0|[1-9][0-9]{0,2}", codes[0]):
        return False
    return list(codes) == [str(int(codes[0]) + step) for step in range(len(codes))]


def yes_or_no(languages: Sequence[str]) -> tuple[Choice, ...]:
    """Yes and no, in those of the languages whose words are known here (and in the first, whatever it is)."""
    return tuple(
        Choice(code, {languages[0]: words["en"], **{one: words[one] for one in languages if one in words}})
        for code, words in YES_NO
    )


def plain_text(text: str) -> tuple[str, list[tuple[How, str]]]:
    """A text as a person may read it here, and what was taken out of it.

    >>> plain_text("<b>How</b> are you?<script>alert(1)</script>")[0]
    'How are you?'
    >>> plain_text("a < b")
    ('a < b', [])
    """
    lost: list[tuple[How, str]] = []
    if len(text) > _LONGEST_READ:
        lost.append(("approximated", f"its text has {len(text):,} characters; the first {_LONGEST_READ:,} are read"))
        text = text[:_LONGEST_READ]
    if _TAG.search(text):
        reader = _Plain()
        try:
            reader.feed(text)
            reader.close()
        except AssertionError:  # how HTMLParser says that it cannot go on
            lost.append(("approximated", "its markup is broken; what is left of it is plain text"))
            text = html.unescape(_TAG.sub("", text))
        else:
            lost += reader.lost()
            text = reader.text()
    elif "&" in text:
        text = html.unescape(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").replace("\u00a0", " ")
    text = text.encode("utf-8", "ignore").decode()  # half of a letter is none
    seen = UNSEEN.sub("", text)
    if seen != text:
        lost.append(("dropped", "characters in its text that cannot be seen"))
    bracketed = _BRACED.sub(_in_brackets, seen)
    if not _SURE.fullmatch(bracketed):
        bracketed = bracketed.replace("{", "(").replace("}", ")")
    if bracketed != seen:
        lost.append(
            ("approximated", "its text holds a place for another answer or a calculation, now in round brackets")
        )
    seen = bracketed
    lines = (" ".join(line.split()) for line in seen.split("\n"))
    plain = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if len(plain) > LONGEST_TEXT:
        lost.append(("approximated", f"its text has {len(plain):,} characters; the first {LONGEST_TEXT:,} are kept"))
        plain = plain[:LONGEST_TEXT].rstrip()
    return plain, lost


_TAG = re.compile(r"<[\s/!?]*[A-Za-z][^<>]*>|<!--")
_BRACED = re.compile(r"\$?\{([^{}]*)\}")
_LONGEST_READ = 8000  # of a text with markup: HTMLParser takes the square of a hostile text's length
_SURE = re.compile(rf"(?:[^{{}}]|\{{(?:{'|'.join(VARIABLES)})\}})*")
_LINES = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table"})
_UNREAD = frozenset({"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "head", "title"})


def _in_brackets(found: re.Match[str]) -> str:
    return found[0] if found[0][1:-1] in VARIABLES else f"({found[1].strip()})"


class _Plain(HTMLParser):
    """The words of a text with markup; what cannot be words is counted."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._words: list[str] = []
        self._tags: dict[str, None] = {}
        self._dropped: dict[str, None] = {}
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNREAD:
            self._within.append(tag)
            self._dropped[f"a {tag}"] = None
        elif tag in {"img", "audio", "video", "embed", "input", "picture"}:
            described = dict(attrs).get("alt") or ""
            self._words.append(described if tag == "img" else "")
            self._dropped[{"img": "a picture"}.get(tag, f"a {tag}")] = None
        else:
            self._tags[tag] = None
        if tag == "a" and dict(attrs).get("href"):
            self._dropped["the address of a link"] = None
        if tag in _LINES:
            self._words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()
        elif tag in _LINES and tag != "br":
            self._words.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._within:
            self._words.append(data)

    def text(self) -> str:
        return "".join(self._words)

    def lost(self) -> list[tuple[How, str]]:
        found: list[tuple[How, str]] = [("dropped", f"{what} in its text") for what in self._dropped]
        if self._tags:
            found.append(("approximated", f"its formatting ({', '.join(self._tags)}) is plain text"))
        return found


def _checked(made: Instrument) -> Instrument:
    """The same, when the library's own check finds it sound; BadData with the first fault otherwise."""
    try:
        parse(tomllib.loads(source(made)), made.name)
        for language in made.languages[1:]:
            parse(tomllib.loads(source(replace(made.in_language(language), variants=()))), f"{made.name} ({language})")
    except InstrumentError as error:
        raise BadData(f"it makes no sound questionnaire: {error.problems[0]}") from None
    return made


def _all_different(built: _Built, language: str) -> Iterator[Words]:
    """The words of the answers, each different within a language: what reads the same gets its code."""
    said = [words.get(language) for words in built.labels]
    for (code, _), words in zip(built.item.options, built.labels, strict=True):
        if words.get(language) and said.count(words[language]) > 1:
            yield {**words, language: f"{words[language]} ({code})"}
        else:
            yield words


def _values(part: Condition) -> tuple[int | float | str, ...]:
    match part:
        case Compare(_, _, value):
            return (value,)
        case OneOf(_, values):
            return values
    return ()


def _spoken(words: Words) -> Words:
    return {language: text for language, text in words.items() if text}


def _unlike(code: str, taken: Iterable[str]) -> str:
    """A code that is not taken yet, in capitals or small letters."""
    known = set(taken)
    if code.lower() not in known:
        return code
    endings = (f"_{number}" for number in count(2))
    return next(made for ending in endings if (made := code[: 32 - len(ending)] + ending).lower() not in known)


def _word_code(said: str) -> str:
    text = _latin(said).lower().strip()
    text = f"minus_{text[1:]}" if re.fullmatch(r"-\d+(\.\d+)?", text) else text
    code = re.sub(r"[^a-z0-9]+", "_", text).strip("_")[:32]
    return code or "choice"


def _latin(text: str) -> str:
    """The same in Latin letters without marks, as far as there are any."""
    spelt = "".join(_CYRILLIC.get(letter, letter) for letter in text)
    return unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()


_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch _ y _ e iu ia".replace("_", "").split(" "),
        strict=True,
    )
)
_CYRILLIC |= {letter.upper(): spelt.capitalize() for letter, spelt in _CYRILLIC.items()}


def number_of(value: float | str | None) -> int | float | None:
    """A number a file wrote, with a decimal point or a decimal comma."""
    text = str(value).strip().replace(",", ".")
    if not re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", text):
        return None
    return float(text) if "." in text else int(text)


def _holds(left: float | None, sign: str, right: float | None) -> bool:
    if left is None or right is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]


def _shown(text: str, most: int = 80) -> str:
    """A piece of a file as a report shows it: one line, nothing unseen, not too long."""
    seen = " ".join(UNSEEN.sub("", str(text)).split())
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"
