"""From answers to what is shown next and to scores: exact, in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import isfinite
from numbers import Integral, Real

from instruments.conditions import holds, is_missing
from instruments.definitions import Instrument, Item, Page, Scale
from instruments.errors import InstrumentError


def visible(instrument: Instrument, values: Mapping[str, object]) -> tuple[Item, ...]:
    """The items shown, given the answers so far (item code to stored value), in order.

    An answer to a question that is itself hidden counts as missing, so going back and changing an
    earlier answer hides everything that hung on it.
    """
    shown: list[Item] = []
    counted: dict[str, object] = {}
    for item in instrument.items:
        if item.show_if is None or holds(item.show_if, counted):
            shown.append(item)
            counted[item.code] = values.get(item.code)
    return tuple(shown)


def pages(instrument: Instrument, values: Mapping[str, object]) -> tuple[tuple[Page, tuple[Item, ...]], ...]:
    """The pages that have something to show, each with its visible items; an empty page is skipped."""
    shown = {item.code: item for item in visible(instrument, values)}
    found = ((page, tuple(shown[code] for code in page.items if code in shown)) for page in instrument.pages)
    return tuple((page, items) for page, items in found if items)


def score(instrument: Instrument, values: Mapping[str, object]) -> dict[str, float | None]:
    """Each scale's score by scale code, in the order of the instrument.

    A reversed item counts as minimum + maximum - value. The score is the mean of the items answered,
    when at least `min_answered` are, else None: skipped, refused and never shown are missing, and all missing
    is None, never 0. "0-100" is (mean - minimum) / (maximum - minimum) * 100; "raw" is the mean itself.
    Means are taken as fractions and rounded once, to the nearest float. Raises InstrumentError for a
    value outside the answer format, because a wrong number must not become a score.
    """
    shown = {item.code for item in visible(instrument, values)}
    return {scale.code: _scale_score(scale, values, shown) for scale in instrument.scales}


def _scale_score(scale: Scale, values: Mapping[str, object], shown: set[str]) -> float | None:
    answered = [
        _points(scale, code, values[code]) for code in scale.items if code in shown and not is_missing(values.get(code))
    ]
    if len(answered) < scale.min_answered:
        return None
    mean = sum(answered, Fraction(0)) / len(answered)
    if scale.reported == "0-100" and scale.minimum is not None and scale.maximum is not None:
        low, high = Fraction(scale.minimum), Fraction(scale.maximum)
        mean = (mean - low) / (high - low) * 100
    return float(mean)


def _points(scale: Scale, code: str, value: object) -> Fraction:
    points = _fraction(value)
    if points is None:
        raise InstrumentError(f"{scale.code}: the answer to {code} is not a number")
    low, high = scale.minimum, scale.maximum
    if (low is not None and points < low) or (high is not None and points > high):
        raise InstrumentError(f"{scale.code}: the answer to {code} is outside {low} to {high}")
    if code in scale.reversed and low is not None and high is not None:
        return Fraction(low) + Fraction(high) - points
    return points


def _fraction(value: object) -> Fraction | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Integral):
        return Fraction(int(value))
    return Fraction(float(value)) if isinstance(value, Real) and isfinite(value) else None
