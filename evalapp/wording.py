"""The words of a finding, fixed beforehand in one table: what is said follows from the verdict and the numbers alone.

Every page that tells a finding tells it in these words; `say` puts them into another language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Interval = tuple[float | None, float | None]
Verdict = Literal["benefit", "harm", "too_small", "cannot_tell", "described"]
Unit = Literal["points", "raw", "people", "reviews", "days", "number", "times"]
Say = Callable[[str], str]

# Below so many sites in all, planned or answered, a difference is described and nothing is concluded. Six to eleven, or
# fewer than five in an arm, are tested on site means (`analysis.primary`), which is exact about how little so few can tell.
FEWEST_SITES = 6


def N_(text: str) -> str:  # noqa: N802  (the usual name of the mark by which translators' tools find a text)
    """Marks a text that is translated where it is shown."""
    return text


def as_written(text: str) -> str:
    return text


UNITS: dict[Unit, str] = {
    "points": N_("points out of 100"),
    "raw": N_("points"),
    "people": N_("people in 100"),
    "reviews": N_("reviews in 100"),
    "days": N_("days"),
    "number": N_("of them"),
    "times": N_("times as long"),
}
# What more of it is called: (where the estimate is above 0, below 0).
_SCORED = (N_("higher"), N_("lower"))
COMPARED: dict[Unit, tuple[str, str]] = {
    "points": _SCORED,
    "raw": _SCORED,
    "people": (N_("more common"), N_("less common")),
    "reviews": (N_("more common"), N_("less common")),
    "days": (N_("more"), N_("fewer")),
    "number": (N_("more"), N_("fewer")),
    "times": (N_("longer"), N_("shorter")),
}


@dataclass(frozen=True)
class Words:
    """mark : the finding in a word or four.   sentence : of a difference.   ratio : of days compared as a ratio.

    counted : of what is counted and not scored, where its sentence is another.
    """

    mark: str
    sentence: str
    ratio: str
    counted: str = ""


_CLEAR = Words(
    "",
    N_(
        "%(name)s was %(compared)s, which is %(good)s, in the %(treatment)s group than in the %(control)s group %(when)s: "
        "by %(size)s %(unit)s (somewhere from %(near)s to %(far)s)."
    ),
    N_(
        "%(name)s was %(compared)s, which is %(good)s, in the %(treatment)s group than in the %(control)s group %(when)s: "
        "it took %(estimate)s times as long (somewhere from %(low)s to %(high)s)."
    ),
    N_(
        "%(name)s: %(compared)s, which is %(good)s, in the %(treatment)s group than in the %(control)s group %(when)s: "
        "by %(size)s %(unit)s (somewhere from %(near)s to %(far)s)."
    ),
)
WORDS: dict[Verdict, Words] = {
    "benefit": Words(N_("Better"), _CLEAR.sentence, _CLEAR.ratio, _CLEAR.counted),
    "harm": Words(N_("Worse"), _CLEAR.sentence, _CLEAR.ratio, _CLEAR.counted),
    "too_small": Words(
        N_("Too small to matter"),
        N_(
            "%(name)s: any difference between the groups %(when)s is too small to matter. It lies somewhere from %(low)s to "
            "%(high)s %(unit)s, within the %(reach)s either way that the plan set."
        ),
        N_(
            "%(name)s: any difference between the groups %(when)s is too small to matter. One took somewhere from %(low)s to "
            "%(high)s times as long as the other."
        ),
    ),
    "cannot_tell": Words(
        N_("Cannot tell yet"),
        N_(
            "%(name)s: we cannot tell yet whether the groups differ %(when)s. The difference lies somewhere from %(low)s to "
            "%(high)s %(unit)s, and 0 would be no difference."
        ),
        N_(
            "%(name)s: we cannot tell yet whether the groups differ %(when)s. The %(treatment)s group took somewhere from "
            "%(low)s to %(high)s times as long as the %(control)s group, and 1 would be no difference."
        ),
    ),
    "described": Words(
        N_("Described only"),
        N_(
            "%(name)s differed by %(signed)s %(unit)s between the groups (somewhere from %(low)s to %(high)s). With so few "
            "sites this is described, and nothing is concluded from it."
        ),
        N_(
            "%(name)s: it took %(estimate)s times as long in the %(treatment)s group as in the %(control)s group (somewhere "
            "from %(low)s to %(high)s). With so few sites this is described, and nothing is concluded from it."
        ),
    ),
}
# Where more is neither better nor worse: it tells whether the groups were reviewed in different ways.
NEITHER = Words(
    N_("Neither better nor worse"),
    N_(
        "%(name)s: %(signed)s %(unit)s in the %(treatment)s group beside the %(control)s group (somewhere from %(low)s to "
        "%(high)s). This says how differently the groups worked; it is neither better nor worse by itself."
    ),
    N_(
        "%(name)s: it took %(estimate)s times as long in the %(treatment)s group as in the %(control)s group (somewhere from "
        "%(low)s to %(high)s). This says how differently the groups worked; it is neither better nor worse by itself."
    ),
)
SUPPRESSED = N_("Not shown")
SUPPRESSED_SENTENCE = N_(
    "%(name)s: not shown, as too few people or reviews have answered, in one group or another, or nearly everyone gave one "
    "answer: each person's answers stay private."
)
ASSOCIATION = N_("Sites were not allocated by chance, so this is an association and may have other causes.")
GOOD = {"benefit": N_("better"), "harm": N_("worse")}


@dataclass(frozen=True)
class Told:
    """A difference to be told, treatment − control; of "times", the ratio itself.

    when : a phrase, or "".    neither : more is neither better nor worse.    reach : too small to matter, or None.
    """

    name: str
    treatment: str
    control: str
    unit: Unit
    when: str
    estimate: float
    low: float | None
    high: float | None
    reach: float | None = None
    neither: bool = False
    randomised: bool = True


def ruled(
    estimate: float,
    ci: Interval,
    reach: float | None,
    higher_is_better: bool | None,
    planned: int,
    answered: int,
) -> Verdict:
    """What the rule says of an interval, fixed before the data: the one place where numbers become a verdict.

    reach : too small to matter either way, or None.    higher_is_better : None where it is neither better nor worse.
    planned, answered : sites in all, both arms together.
    """
    low, high = ci
    if min(planned, answered) < FEWEST_SITES or low is None or high is None or higher_is_better is None:
        return "described"
    if reach is not None and -reach < low and high < reach:
        return "too_small"
    if low <= 0 <= high:
        return "cannot_tell"
    return "benefit" if (estimate > 0) == higher_is_better else "harm"


def sentence(verdict: Verdict, told: Told, say: Say = as_written) -> str:
    """The finding in the table's words."""
    ratio = told.unit == "times"
    words = NEITHER if verdict == "described" and told.neither else WORDS[verdict]
    places = 2 if told.unit in {"raw", "times"} else 1
    near, far = sorted(abs(end) for end in (told.low or 0.0, told.high or 0.0))
    above = told.estimate > (1 if ratio else 0)
    parts = {
        "name": say(told.name),
        "treatment": say(told.treatment),
        "control": say(told.control),
        "unit": say(UNITS[told.unit]),
        "when": say(told.when) if told.when else "",
        "compared": say(COMPARED[told.unit][0 if above else 1]),
        "good": say(GOOD.get(verdict, "")) if verdict in GOOD else "",
        "size": number(abs(told.estimate), places),
        "near": number(near, places),
        "far": number(far, places),
        "estimate": number(told.estimate, places),
        "signed": signed(told.estimate, places),
        "low": "–" if told.low is None else number(told.low, places),
        "high": "–" if told.high is None else number(told.high, places),
        "reach": number(told.reach or 0, places),
    }
    template = words.ratio if ratio else words.sentence
    if words.counted and not ratio and told.unit not in {"points", "raw"}:
        template = words.counted
    said = say(template) % parts
    said = said.replace(" :", ":").replace(" .", ".").replace("  ", " ")  # where no time is named
    if not told.randomised and verdict in GOOD:
        said += " " + say(ASSOCIATION)
    return said


def number(value: float, places: int) -> str:
    """A number as a person reads it: a true minus, no trailing noughts, and never "−0"."""
    text = f"{value:.{places}f}".removesuffix(f".{'0' * places}")
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def signed(value: float, places: int) -> str:
    text = number(value, places)
    return f"+{text}" if float(text.replace("−", "-")) > 0 else text
