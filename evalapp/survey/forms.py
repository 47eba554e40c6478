"""From questions to form fields and back: one reader for each kind of question, chosen by table."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from flask_babel import format_date, gettext, lazy_gettext
from werkzeug.datastructures import MultiDict
from wtforms import Field
from wtforms.form import BaseForm

from evalapp.responses import BLANK, Given
from instruments import Item

PREFIX = "a-"
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_DIGITS = re.compile(r"[0-9]{1,4}")
_ARABIC = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫", "01234567890123456789.")  # what keyboards of Arabic and Persian type
LONGEST = {"short_text": 200, "long_text": 4000}


class AnswerField(Field, ABC):  # type: ignore[misc]  # WTForms has no types
    """One question's inputs. `data` is a Given; `typed` holds what stood in each input, kept when it was wrong.

    `parts` are the endings of the names of its inputs; `drawn` names the template that draws them.
    """

    parts: ClassVar[tuple[str, ...]] = ("", "-no")
    drawn: ClassVar[str]

    def __init__(self, item: Item, refusals: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item = item
        self.refusals = [(code, refusals[code]) for code in item.refusals if code in refusals]
        self.typed: dict[str, list[str]] = {}

    def process(self, formdata: MultiDict[str, str] | None, data: Any = BLANK, extra_filters: Any = None) -> None:  # noqa: ARG002
        self.process_errors: list[str] = []
        self.data: Given = data if isinstance(data, Given) else BLANK
        if formdata is None:
            self.typed = {part: [] for part in self.parts} | self.shown(self.data)
            return
        self.typed = {part: formdata.getlist(self.name + part) for part in self.parts}
        try:
            self.data = self.given()
        except ValueError as error:
            self.data = BLANK
            self.process_errors.append(str(error))

    def shown(self, given: Given) -> dict[str, list[str]]:
        """What stands in the inputs for a stored answer."""
        if given.reason is not None:
            return {"-no": [given.reason]}
        return {} if given.value is None else self.written(given.value)

    def written(self, value: Any) -> dict[str, list[str]]:
        return {"": [str(value)]}

    @abstractmethod
    def given(self) -> Given:
        """What the inputs say; ValueError with a sentence for the person."""

    def one(self, part: str = "") -> str:
        """The one text of an input, without the spaces around it."""
        found = self.typed.get(part, [])
        if len(found) > 1:
            raise ValueError(gettext("Give one answer."))
        return found[0].strip() if found else ""


class BesideRefusals(AnswerField):
    """Inputs for a value, and the refusals beside them: one or the other."""

    @abstractmethod
    def read(self) -> Any:
        """The value in the inputs, None when they are empty; ValueError with a sentence for the person."""

    def given(self) -> Given:
        value, refused = self.read(), [one for one in self.typed.get("-no", []) if one]
        if not refused:
            return Given(value)
        if value is not None:
            raise ValueError(gettext("Give an answer, or choose not to. You have done both."))
        if len(refused) > 1 or refused[0] not in dict(self.refusals):
            raise ValueError(gettext("Choose one of the answers."))
        return Given(None, refused[0])


class OneOfSeveral(AnswerField):
    """Radio buttons, the refusals lighter and in the same group, so that choosing one lets go of the other."""

    parts = ("",)
    drawn = "choice"

    def shown(self, given: Given) -> dict[str, list[str]]:
        chosen = given.reason if given.reason is not None else given.value
        return {} if chosen is None else {"": [str(chosen)]}

    def given(self) -> Given:
        typed = self.one()
        if not typed:
            return BLANK
        if typed in dict(self.refusals):
            return Given(None, typed)
        values = {str(code): code for code in self.item.codes}
        if typed not in values:
            raise ValueError(gettext("Choose one of the answers."))
        return Given(values[typed])


class SomeOfSeveral(BesideRefusals):
    """Boxes to tick."""

    drawn = "boxes"

    def written(self, value: Any) -> dict[str, list[str]]:
        return {"": [str(code) for code in value]}

    def read(self) -> list[int | str] | None:
        ticked = {one for one in self.typed[""] if one}
        if ticked - {str(code) for code in self.item.codes}:
            raise ValueError(gettext("Choose from the answers listed."))
        return [code for code in self.item.codes if str(code) in ticked] or None


class NumberField(BesideRefusals):
    """A number in English or Arabic figures: no thousands, no exponents, no figures that only look alike."""

    drawn = "number"

    def read(self) -> int | float | None:
        typed = self.one().translate(_ARABIC)
        if not typed:
            return None
        if _NUMBER.fullmatch(typed) is None:
            raise ValueError(gettext("Write a number in figures, like 12."))
        number = Decimal(typed)
        if number != round(number, self.item.decimals):
            if self.item.decimals:
                raise ValueError(
                    gettext("Use no more than %(count)s figures after the point.", count=self.item.decimals)
                )
            raise ValueError(gettext("Write a whole number, like 12."))
        self._within(number)
        return int(number) if number == int(number) else float(number)

    def _within(self, number: Decimal) -> None:
        low, high = self.item.minimum, self.item.maximum
        if isinstance(low, int | float) and number < Decimal(str(low)):
            raise ValueError(gettext("Write a number that is not below %(low)s.", low=low))
        if isinstance(high, int | float) and number > Decimal(str(high)):
            raise ValueError(gettext("Write a number that is not above %(high)s.", high=high))


class DateField(BesideRefusals):
    """A date as day, month and year: three small boxes, because pickers and placeholders trip people up."""

    parts = ("-day", "-month", "-year", "-no")
    drawn = "date"

    def written(self, value: Any) -> dict[str, list[str]]:
        day = date.fromisoformat(value)
        return {"-day": [str(day.day)], "-month": [str(day.month)], "-year": [str(day.year)]}

    def read(self) -> str | None:
        typed = [self.one(part).translate(_ARABIC) for part in ("-day", "-month", "-year")]
        if not any(typed):
            return None
        if not all(_DIGITS.fullmatch(one) for one in typed) or len(typed[2]) != 4:
            raise ValueError(gettext("Write a day, a month and a year in figures, like 27 3 2025."))
        try:
            day = date(int(typed[2]), int(typed[1]), int(typed[0]))
        except ValueError:
            raise ValueError(gettext("There is no such day. Check the day and the month.")) from None
        low, high = self.item.minimum, self.item.maximum
        if isinstance(low, date) and day < low:
            raise ValueError(gettext("Write a date that is not before %(day)s.", day=format_date(low, "long")))
        if isinstance(high, date) and day > high:
            raise ValueError(gettext("Write a date that is not after %(day)s.", day=format_date(high, "long")))
        return day.isoformat()


class TextField(BesideRefusals):
    """Words in the person's own script and direction, kept as written but for characters nobody can see or print."""

    parts = ("", "-erase")
    drawn = "line"

    def read(self) -> str | None:
        found = self.typed[""]
        if len(found) > 1:
            raise ValueError(gettext("Give one answer."))
        lines = "".join(found).replace("\r\n", "\n").replace("\r", "\n")
        kept = "".join(one for one in lines if one in "\n\t" or not (ord(one) < 32 or 127 <= ord(one) < 160))
        text = kept.encode("utf-8", "replace").decode().strip()
        if self.drawn == "line":
            text = " ".join(text.split())
        if len(text) > self.limit:
            raise ValueError(
                gettext("Use %(most)s characters or fewer. You have used %(count)s.", most=self.limit, count=len(text))
            )
        return text or None

    @property
    def limit(self) -> int:
        return self.item.max_length or LONGEST[self.item.kind]


class TextArea(TextField):
    drawn = "lines"


# None: information is shown and asks nothing.
FIELDS: dict[str, type[AnswerField] | None] = {
    "agreement": OneOfSeveral,
    "faces": OneOfSeveral,
    "pictures": OneOfSeveral,
    "rating": OneOfSeveral,
    "single": OneOfSeveral,
    "yes_no": OneOfSeveral,
    "several": SomeOfSeveral,
    "number": NumberField,
    "date": DateField,
    "short_text": TextField,
    "long_text": TextArea,
    "information": None,
}


def form_for(
    items: Iterable[Item],
    refusals: Mapping[str, str],
    *,
    stored: Mapping[str, Given] | None = None,
    posted: MultiDict[str, str] | None = None,
) -> BaseForm:
    """A form with a field for each item that asks something, by item code: filled from what was posted, else from `stored`."""
    fields = {}
    for item in items:
        kind = FIELDS[item.kind]
        if kind is not None:
            fields[item.code] = kind(item, refusals)
    form = BaseForm(fields, prefix=PREFIX)
    form.process(posted, data=dict(stored or {}))
    return form


def given_in(form: BaseForm) -> dict[str, Given]:
    """What a valid form says, by item code."""
    return {code: field.data for code, field in form._fields.items()}


def label_of(item: Item, given: Given, refusals: Mapping[str, str]) -> str:
    """An answer in words, as on the check page."""
    if given.reason is not None:
        return refusals.get(given.reason, given.reason)
    if given.value is None:
        return str(NOT_ANSWERED)
    if item.codes:
        labels = {code: label for code, label in item.options}  # noqa: C416  (pairs, to mypy)
        chosen = given.value if isinstance(given.value, list) else [given.value]
        return "; ".join(labels.get(code, str(code)) for code in chosen)
    if item.kind == "date":
        return str(format_date(date.fromisoformat(given.value), "long"))
    return str(given.value)


NOT_ANSWERED = lazy_gettext("Not answered")
