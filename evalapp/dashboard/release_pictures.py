"""From a published release to its figures and sentences: reads the release's JSON and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalapp.dashboard.pictures import means_of
from evalapp.figures import Band, Bar, Bars, Estimate, Figure, Forest, InTen, Missing, Row, Series, Tens
from evalapp.figures.drawing import LOOKS, TREATMENT, Value

Part = Mapping[str, Any]
HIDDEN = "not shown: too few people or reviews"
HIDDEN_SENTENCE = (
    "not shown, as too few people or reviews have answered, in one group or another, to keep each person's answers "
    "private."
)
MARKS = {
    "benefit": "Better",
    "harm": "Worse",
    "too_small": "Too small to matter",
    "cannot_tell": "Cannot tell yet",
    "described": "Described only",
}


@dataclass(frozen=True)
class Shown:
    """A figure of the release with its finding."""

    name: str
    finding: str
    figure: Figure
    as_of: int | None = None


@dataclass(frozen=True)
class OutcomeShown:
    """One outcome of the release: what it found, in a word and a sentence, and its figures."""

    label: str
    primary: bool
    mark: str
    verdict: str
    sentence: str
    why_not: str
    figures: tuple[Shown, ...]


def parts(content: Part, kind: str) -> list[tuple[str, Part]]:
    """The parts of one kind, in the order of the release."""
    return [(key, content["parts"][key]) for key in content["order"] if key.startswith(f"{kind}/")]


def has_own_scales(content: Part) -> bool:
    """Whether any outcome is one of the project's own 0–100 scales; a measure brought in from a file is not."""
    return any(one["scale"] != "MEASURE" for _, one in parts(content, "outcome"))


def recruitment(content: Part) -> Shown | None:
    found = parts(content, "recruitment")
    if not found:
        return None
    bars = [Bar(one["label"], one["target"], one["count"], reason="" if one["count"] is not None else HIDDEN)
            for _, one in found]  # fmt: skip
    said = [
        f"{one['count']}{' of ' + str(one['target']) if one['target'] else ''} {one['label'].lower()}"
        for _, one in found
        if one["count"] is not None
    ]
    finding = (
        f"So far, beside what was aimed for: {_listed(said)}."
        if said
        else "Too few have taken part so far for a number to be shown."
    )
    figure = Bars("Taking part, beside what was aimed for", tuple(bars), done="taking part", of="aimed for")
    return Shown("recruitment", finding, figure, _as_of(found))


def response(content: Part) -> Shown | None:
    found = parts(content, "response")
    if not found:
        return None
    bars = [
        Bar(f"{one['wave']}: {one['group'].lower()}", one.get("expected"), one.get("answered"),
            reason=HIDDEN if one["hidden"] else "")
        for _, one in found
    ]  # fmt: skip
    shares = [one["percent"] for _, one in found if not one["hidden"]]
    if not shares:
        finding = "Too few have answered so far for response to be shown."
    elif min(shares) == max(shares):
        finding = f"{shares[0]} % of those asked have answered."
    else:
        finding = f"Between {min(shares)} % and {max(shares)} % of those asked have answered, by group and time."
    return Shown("response", finding, Bars("Questionnaires answered", tuple(bars), of="asked"), _as_of(found))


def outcomes(content: Part) -> list[OutcomeShown]:
    return [_outcome(key.removeprefix("outcome/"), one, content) for key, one in parts(content, "outcome")]


def differences(content: Part) -> Shown | None:
    """Every outcome's difference on one axis; the ones that may not be shown say so."""
    found = [one for _, one in parts(content, "outcome") if one["comparison"] is not None]
    if not found or not content["by_arm"]:
        return None
    rows = tuple(Row(one["label"], _difference(one["comparison"]), TREATMENT, overall=one["primary"]) for one in found)
    treatment, control = found[0]["arms"]
    reaches = {one["smallest_worthwhile"] for one in found}
    reach = reaches.pop() if len(reaches) == 1 else None
    figure = Forest(
        "The difference between the groups, outcome by outcome",
        rows,
        f"difference, {found[0]['unit']}",
        None,
        None,
        ends=(f"{control} higher", f"{treatment} higher"),
        band=None if reach is None else Band(reach, f"too small to matter (under {reach:g})"),
        decimals=1,
    )
    return Shown(
        "differences", "The groups' difference in each outcome. A line that crosses 0 cannot tell yet.", figure
    )


def figures(content: Part) -> dict[str, Shown]:
    """Every figure of a release by its name."""
    found = [recruitment(content), response(content), differences(content)]
    found += [one for outcome in outcomes(content) for one in outcome.figures]
    return {one.name: one for one in found if one is not None}


def _outcome(code: str, one: Part, content: Part) -> OutcomeShown:
    comparison = one["comparison"]
    verdict, mark = "", ""
    if one["groups"] == "hidden" or all(cell["hidden"] for cell in one["cells"]):
        sentence = f"{one['label']}: {HIDDEN_SENTENCE}"
        mark = "Not shown"
    elif comparison is None:
        sentence = _pooled_sentence(one, content)
        mark = "Both groups together"
    elif comparison["hidden"]:
        sentence, mark = f"{one['label']}: the difference is not shown, as too few people can be compared.", "Not shown"
    elif "not_estimable" in comparison:
        sentence, mark = (
            f"{one['label']}: we cannot compare the groups. {comparison['not_estimable']}",
            "Cannot tell yet",
        )
    else:
        sentence, verdict = f"{comparison['sentence']} {_rests_on(comparison)}".strip(), comparison["verdict"]
        mark = MARKS[verdict]
    shown: list[Shown] = []
    if any(not cell["hidden"] for cell in one["cells"]):
        shown.append(_profile(code, one))
        shown += _tens(code, one)
    return OutcomeShown(one["label"], one["primary"], mark, verdict, sentence, one["why_not"], tuple(shown))


def _rests_on(comparison: Part) -> str:
    """How many people a comparison rests on so far, as rounded for the release."""
    return f"So far, from about {comparison['people']} people." if comparison.get("people") else ""


def _pooled_sentence(one: Part, content: Part) -> str:
    last = one["cells"][-1]
    if last["hidden"]:
        return f"{one['label']}: too few people have answered {one['when']} for a number to be shown."
    said = f"{one['label']}: {_number(last['mean'])} {one['unit']} on average {one['when']}, both groups together."
    if content["by_arm"]:
        said += " Too few have answered in each group for them to be shown apart."
    return said


def _profile(code: str, one: Part) -> Shown:
    series = []
    for label, look in dict.fromkeys((cell["group"], cell["look"]) for cell in one["cells"]):
        mine = [cell for cell in one["cells"] if cell["group"] == label]
        series.append(Series(label, LOOKS[look], tuple(_mean(cell) for cell in mine)))
    last = [cell for cell in one["cells"] if cell["wave"] == one["waves"][-1] and not cell["hidden"]]
    said = _listed([f"{_number(cell['mean'])} in the {cell['group']} group" for cell in last])
    if one["groups"] != "arms":
        said = _listed([_number(cell["mean"]) for cell in last]) + " for both groups together" if last else ""
    finding = f"On average {one['when']}: {said}, in {one['unit']}." if last else f"{one['label']} over time."
    low, high = one["range"]
    figure = means_of(f"{one['label']}: mean of each group", tuple(one["waves"]), series, one["unit"], (low, high))
    return Shown(f"{code}-means", finding, figure, one.get("as_of"))


def _tens(code: str, one: Part) -> list[Shown]:
    last = [cell for cell in one["cells"] if cell["wave"] == one["waves"][-1] and not cell["hidden"]]
    if not last or one["unit"] != "points out of 100":
        return []
    groups = tuple(InTen(cell["group"], LOOKS[cell["look"]], _ten(cell)) for cell in last)
    said = [f"{cell['in_ten'][0]} in 10 in the {cell['group']} group" for cell in last if cell["in_ten"]]
    if one["groups"] != "arms":
        said = [f"{cell['in_ten'][0]} in 10" for cell in last if cell["in_ten"]]
    what = f"agree more than not with {one['label'].lower()}"
    finding = (
        f"People who agree more than not, {one['when']}: {_listed(said)}."
        if said
        else "People who agree more than not."
    )
    return [Shown(f"{code}-people", finding, Tens(f"{one['label']}: people in ten", groups, what), one.get("as_of"))]


def _mean(cell: Part) -> Value:
    return Missing(HIDDEN) if cell["hidden"] else Estimate(cell["mean"], cell["low"], cell["high"])


def _ten(cell: Part) -> Value:
    return Estimate(*cell["in_ten"]) if cell["in_ten"] else Missing(HIDDEN)


def _difference(comparison: Part) -> Value:
    if comparison["hidden"]:
        return Missing(HIDDEN)
    if "not_estimable" in comparison:
        return Missing(comparison["not_estimable"])
    return Estimate(comparison["estimate"], comparison["low"], comparison["high"])


def _as_of(found: list[tuple[str, Part]]) -> int | None:
    """The oldest release any of these numbers stands since, where one was carried."""
    return min((one["as_of"] for _, one in found if "as_of" in one), default=None)


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
