"""What a questionnaire is once read: four frozen dataclasses and nothing that can change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, NamedTuple, get_args

from instruments.conditions import Condition
from instruments.errors import InstrumentError

Kind = Literal[
    "agreement",
    "faces",
    "pictures",
    "rating",
    "single",
    "several",
    "yes_no",
    "number",
    "date",
    "short_text",
    "long_text",
    "information",
]
Status = Literal["draft", "approved"]
Reported = Literal["0-100", "raw"]
Form = Literal["standard", "easy_read"]

KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES = ("practitioner", "manager", "leader", "parent", "young_person", "facilitator", "observer")
WAVES = ("baseline", "before", "after", "month3", "month12")
FORMS: tuple[Form, ...] = get_args(Form)
FACES = ("face-sad", "face-ok", "face-happy")
FIGURES = ("figure-1", "figure-2", "figure-3", "figure-4", "figure-5")
ANSWERS = ("answer-no", "answer-some", "answer-yes")
PICTURES = FACES + FIGURES + ANSWERS
BESIDE = (
    "fair",
    "good",
    "kind",
    "listen",
    "safe",
    "see",
    "speak",
    "understand",
)  # drawn beside a statement in easy read
VARIABLES = ("year",)  # what a text may leave open, in curly brackets
NUMBERED: tuple[Kind, ...] = ("agreement", "faces", "pictures", "rating")
WORDED: tuple[Kind, ...] = ("single", "several", "yes_no")
WRITTEN: tuple[Kind, ...] = ("short_text", "long_text")


class Page(NamedTuple):
    """A page of the whole questionnaire; `number` counts from 1 and never moves when others are skipped."""

    number: int
    code: str
    title: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One question, or one piece of information between questions (kind `information`).

    Stored values: agreement, faces, pictures, rating: int code · single, yes_no: str code ·
    several: list of str codes · number: int or float · date: "YYYY-MM-DD" · texts: str. Every question
    may be skipped (None); a refusal is its own code, one of `refusals`.

    `options` are (code, label) pairs in the order shown (rating has all of 0–10);
    `pictures` are names of drawings, one an option, or empty; `picture` is one beside the question, or "".
    `minimum`, `maximum` bound numbers and dates, inclusive; None is no bound.
    """

    code: str
    kind: Kind
    text: str
    hint: str = ""
    options: tuple[tuple[int | str, str], ...] = ()
    pictures: tuple[str, ...] = ()
    picture: str = ""
    minimum: int | float | date | None = None
    maximum: int | float | date | None = None
    decimals: int = 0
    max_length: int | None = None
    refusals: tuple[str, ...] = ()
    show_if: Condition | None = None

    @property
    def codes(self) -> tuple[int | str, ...]:
        """Option codes in the order shown; empty for open questions."""
        return tuple(code for code, _ in self.options)


@dataclass(frozen=True, slots=True)
class Scale:
    """How some items make one score; `score` in scoring.py says the arithmetic.

    `minimum`, `maximum` are the ends of the answer format (1 and 5), None for an unbounded raw measure.
    `higher` says in words what a higher score means; `higher_is_better` is None when only the data know.
    `referent` is what the wording points at ("this review"); a change is drawn only between
    waves with the same referent. `part_of` names the scale this one is a half of, or None.
    """

    code: str
    title: str
    construct: str
    higher: str
    items: tuple[str, ...]
    min_answered: int
    reported: Reported
    reversed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    higher_is_better: bool | None = None
    referent: str | None = None
    part_of: str | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """The texts of an instrument in one language, (key, text) pairs; the codes are the instrument's.

    `sha256` is that of the file the texts came from.
    """

    language: str
    status: Status
    texts: tuple[tuple[str, str], ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire at one version, in one language, its other languages in `variants`.

    `items` stand in the order of the pages. `asked` is False for definitions that only describe data
    brought in from files. `not_after_death`: never to be offered where the child has died; `only_after_death`: nowhere
    else. `form`: who is given it, those who read best in the standard form or in easy read. `outside_reviews`: asked of
    people who answer for their site, not of those in a review.
    `permission` and `media` say on what ground it may be used, and where (nothing said: nothing is known).
    `sha256` is that of the source file (line ends as LF), the same in every language.
    """

    name: str
    version: int
    language: str
    status: Status
    title: str
    roles: tuple[str, ...]
    waves: tuple[str, ...]
    validation: str
    owner: str
    licence: str
    pages: tuple[Page, ...]
    items: tuple[Item, ...]
    scales: tuple[Scale, ...]
    licence_url: str = ""
    licence_checked: date | None = None
    notice: str = ""
    permission: str = ""
    media: tuple[str, ...] = ()
    asked: bool = True
    form: Form = "standard"
    outside_reviews: bool = False
    not_after_death: bool = False
    only_after_death: bool = False
    refusals: tuple[tuple[str, str], ...] = ()
    variants: tuple[Variant, ...] = ()
    sha256: str = ""

    @property
    def languages(self) -> tuple[str, ...]:
        """The source language first, then its translations, drafts included."""
        return tuple(variant.language for variant in self.variants)

    @property
    def approved_languages(self) -> tuple[str, ...]:
        """The languages a real trial may use."""
        return tuple(variant.language for variant in self.variants if variant.status == "approved")

    @property
    def closed_items(self) -> tuple[Item, ...]:
        """The questions that are not boxes for words, in order."""
        return tuple(item for item in self.items if item.kind not in (*WRITTEN, "information"))

    def item(self, code: str) -> Item:
        """The item of that code; InstrumentError when there is none."""
        for item in self.items:
            if item.code == code:
                return item
        raise InstrumentError(f"{self.name} version {self.version} has no item {code!r}")

    def scale(self, code: str) -> Scale:
        """The scale of that code; InstrumentError when there is none."""
        for scale in self.scales:
            if scale.code == code:
                return scale
        raise InstrumentError(f"{self.name} version {self.version} has no scale {code!r}")

    def in_language(self, language: str) -> Instrument:
        """The same codes with the texts of that language; InstrumentError when there are none."""
        for variant in self.variants:
            if variant.language == language:
                return _with_texts(self, variant)
        raise InstrumentError(
            f"{self.name} version {self.version} is not in {language!r}; it is in {', '.join(self.languages)}"
        )

    def filled(self, values: Mapping[str, str]) -> Instrument:
        """The same with its variables put in, such as {"year": "2026"}; a variable without a value stays as it is."""
        texts = dict(texts_of(self))
        if not any("{" in text for text in texts.values()):
            return self
        for name, value in values.items():
            texts = {key: text.replace(f"{{{name}}}", value) for key, text in texts.items()}
        return _with_texts(self, Variant(self.language, self.status, tuple(texts.items()), self.sha256))


def texts_of(instrument: Instrument) -> dict[str, str]:
    """Every text a person reads, by its key (`items.BLG1.text`), in the order of the questionnaire."""
    texts = {"title": instrument.title}
    texts |= {f"refusals.{code}": label for code, label in instrument.refusals}
    texts |= {f"pages.{page.code}.title": page.title for page in instrument.pages}
    for item in instrument.items:
        texts[f"items.{item.code}.text"] = item.text
        if item.hint:
            texts[f"items.{item.code}.hint"] = item.hint
        texts |= {f"items.{item.code}.options.{code}": label for code, label in item.options}
    for scale in instrument.scales:
        texts[f"scales.{scale.code}.title"] = scale.title
        texts[f"scales.{scale.code}.construct"] = scale.construct
        texts[f"scales.{scale.code}.higher"] = scale.higher
    return texts


def _with_texts(instrument: Instrument, variant: Variant) -> Instrument:
    texts = dict(variant.texts)
    return replace(
        instrument,
        language=variant.language,
        status=variant.status,
        title=texts["title"],
        refusals=tuple((code, texts[f"refusals.{code}"]) for code, _ in instrument.refusals),
        pages=tuple(page._replace(title=texts[f"pages.{page.code}.title"]) for page in instrument.pages),
        items=tuple(_item_with(item, texts) for item in instrument.items),
        scales=tuple(_scale_with(scale, texts) for scale in instrument.scales),
    )


def _item_with(item: Item, texts: Mapping[str, str]) -> Item:
    key = f"items.{item.code}"
    return replace(
        item,
        text=texts[f"{key}.text"],
        hint=texts.get(f"{key}.hint", ""),
        options=tuple((code, texts[f"{key}.options.{code}"]) for code, _ in item.options),
    )


def _scale_with(scale: Scale, texts: Mapping[str, str]) -> Scale:
    key = f"scales.{scale.code}"
    return replace(
        scale,
        title=texts[f"{key}.title"],
        construct=texts[f"{key}.construct"],
        higher=texts[f"{key}.higher"],
    )
