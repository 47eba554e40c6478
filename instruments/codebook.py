"""What a questionnaire asks and how it is scored, in words: the codebook, with an example worked by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from instruments.definitions import WRITTEN, Instrument, Item, Scale
from instruments.scoring import score

# How long people take, in seconds: a statement is read and ticked, a choice is weighed, a box is written in.
SECONDS = {
    "agreement": 7, "faces": 7, "pictures": 7, "rating": 10, "single": 20, "several": 20, "yes_no": 10, "number": 15,
    "date": 15, "short_text": 30, "long_text": 60, "information": 5,
}  # fmt: skip
COLUMNS = (
    "questionnaire", "version", "role", "wave", "part", "code", "kind", "text", "answers", "scale", "reversed", "rule",
)  # fmt: skip


class Example(NamedTuple):
    """A scale worked through: what was answered, what each counts as, their mean and the score."""

    answers: tuple[tuple[str, int], ...]
    counted: tuple[int, ...]
    mean: Fraction
    score: float | None
    too_few: float | None


def minutes(instrument: Instrument) -> int:
    """About how long a questionnaire takes, in whole minutes, never less than two (SECONDS says how it is counted)."""
    return max(2, -(-sum(SECONDS[item.kind] for item in instrument.items) // 60))


def questions(instrument: Instrument) -> tuple[Item, ...]:
    return tuple(item for item in instrument.items if item.kind != "information")


def rule(scale: Scale) -> str:
    """How a scale is made, in one paragraph."""
    said = [f"The mean of {_listed(scale.items)}."]
    if scale.reversed and scale.minimum is not None and scale.maximum is not None:
        ends = f"{scale.minimum + scale.maximum:g}"
        said.append(f"{_listed(scale.reversed)} count the other way round, as {ends} less the answer.")
    count = len(scale.items)
    needed = "It needs its one answer" if count == 1 else f"At least {scale.min_answered} of {count} must be answered"
    said.append(
        f"{needed}; blanks, refusals and questions not shown are missing, and with too few the score is missing."
    )
    if scale.reported == "0-100":
        low, high = f"{scale.minimum:g}", f"{scale.maximum:g}"
        said.append(f"It is reported from 0 to 100: (mean less {low}) divided by ({high} less {low}), times 100.")
    else:
        said.append("It is reported as it is.")
    said.append(scale.higher)
    if scale.part_of:
        said.append(f"It is a half of {scale.part_of}.")
    return " ".join(said)


def example(instrument: Instrument, scale: Scale) -> Example | None:
    """Some answers, and what they come to; None for a scale without ends, of which any number is its own example."""
    if scale.minimum is None or scale.maximum is None:
        return None
    low, high = int(scale.minimum), int(scale.maximum)
    answers = tuple((code, low + (2 * place + 1) % (high - low + 1)) for place, code in enumerate(scale.items))
    counted = tuple(low + high - value if code in scale.reversed else value for code, value in answers)
    shown = _answers_that_show(instrument, scale)
    few = dict(answers[: scale.min_answered - 1])
    return Example(
        answers,
        counted,
        Fraction(sum(counted), len(counted)),
        score(instrument, {**shown, **dict(answers)})[scale.code],
        score(instrument, {**shown, **few})[scale.code],
    )


def rows(instruments: Iterable[Instrument]) -> Iterator[dict[str, str]]:
    """The codebook as a table: a row a question, and a row a scale with its rule."""
    for instrument in instruments:
        shared = {
            "questionnaire": instrument.name,
            "version": str(instrument.version),
            "role": " ".join(instrument.roles),
            "wave": " ".join(instrument.waves),
        }
        of_item = {code: scale for scale in instrument.scales if scale.part_of is None for code in scale.items}
        for item in questions(instrument):
            scale = of_item.get(item.code)
            yield (
                dict.fromkeys(COLUMNS, "")
                | shared
                | {
                    "part": "item",
                    "code": item.code,
                    "kind": item.kind,
                    "text": item.text,
                    "answers": answers_of(instrument, item),
                    "scale": scale.code if scale else "",
                    "reversed": "yes" if scale and item.code in scale.reversed else "",
                }
            )
        for scale in instrument.scales:
            yield (
                dict.fromkeys(COLUMNS, "")
                | shared
                | {
                    "part": "scale",
                    "code": scale.code,
                    "text": f"{scale.title}. {scale.construct}",
                    "rule": rule(scale),
                }
            )


def answers_of(instrument: Instrument, item: Item) -> str:
    """What can be answered, as codes and labels; refusals last."""
    if item.kind in WRITTEN:
        given = f"words, at most {item.max_length} characters"
    elif item.options:
        given = "; ".join(f"{code} = {label}" for code, label in item.options)
    else:
        ends = [str(end) for end in (item.minimum, item.maximum) if end is not None]
        given = f"a {item.kind}" + (f" from {ends[0]} to {ends[1]}" if len(ends) == 2 else "")
    labels = dict(instrument.refusals)
    return "; ".join([given, *(f"{code} = {labels[code]}" for code in item.refusals)])


def _answers_that_show(instrument: Instrument, scale: Scale) -> dict[str, object]:
    """Answers to the yes-or-no questions on which a scale's items hang."""
    hangs = any(instrument.item(code).show_if is not None for code in scale.items)
    return {item.code: "yes" for item in instrument.items if hangs and item.kind == "yes_no"}


def _listed(codes: tuple[str, ...]) -> str:
    return codes[0] if len(codes) == 1 else f"{', '.join(codes[:-1])} and {codes[-1]}"
