"""From what the analysis computed to the figures that show it: labels and looks are chosen, nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalapp import findings
from evalapp.figures import Band, Distribution, Estimate, Forest, Missing, Panel, Profile, Row, Series, Table
from evalapp.figures.drawing import CONTROL, LOOKS, POOLED, TREATMENT, Cell, Value
from evalapp.findings import METHOD_NAMES, WAVE_NAMES, Answer, Measured

if TYPE_CHECKING:
    import pandas as pd

    from analysis.compare import Comparison
    from analysis.resampling.randomisation import RandomisationTest
    from analysis.resampling.wild_bootstrap import WildBootstrap
    from analysis.results import Effect, Interval
    from analysis.summary import SiteMean, WaveMean

NOBODY = "nobody has answered yet"
NO_BOUND = "no bound"
# Not a difference, but the chance that one person's score is higher than another's: never on an axis of differences.
CHANCE = "win_probability"


def profile(frame: pd.DataFrame, how: Measured, level: float, *, by_arm: bool) -> Profile | Forest:
    """Each group's mean at each wave drawn; a line each where there is but one wave."""
    means = findings.means(frame, level)
    waves = tuple(WAVE_NAMES[wave] for wave in how.waves)
    series = [
        Series(label, LOOKS[look], tuple(value_of(means.get((code, wave))) for wave in how.waves))
        for code, label, look in findings.labels(how, by_arm=by_arm)
    ]
    title, ends = f"{how.outcome.label}, mean of each group", (how.outcome.minimum, how.outcome.maximum)
    return means_of(title, waves, series, how.unit, ends)


def means_of(
    title: str, waves: tuple[str, ...], series: Sequence[Series], unit: str, ends: tuple[float, float]
) -> Profile | Forest:
    """Means over several waves as a profile; at a single one as rows, which need less room."""
    low, high = ends
    if len(waves) > 1:
        return Profile(title, waves, tuple(series), unit, low, high, decimals=0 if high - low >= 50 else 1)
    rows = tuple(Row(one.label, one.values[0], one.look, overall=True) for one in series)
    return Forest(title, rows, f"mean, {unit}", low, high, decimals=0 if high - low >= 50 else 1)


def distribution(frame: pd.DataFrame, how: Measured, level: float, *, by_arm: bool) -> Distribution:
    """How many people scored in each tenth of the range, at the wave compared."""
    from analysis.summary import bin_counts  # noqa: PLC0415  (pandas stays out of the participant's path)

    outcome = how.outcome
    step = (outcome.maximum - outcome.minimum) / 10
    edges = (*(outcome.minimum + step * place for place in range(10)), outcome.maximum)
    here = frame[frame["wave"] == outcome.wave]
    counts = bin_counts(here, "value", "arm", edges)
    means = findings.means(here, level)
    panels = []
    for code, label, look in findings.labels(how, by_arm=by_arm):
        people = tuple(one.people for one in counts if one.arm == code) or (0,) * 10
        panels.append(Panel(label, LOOKS[look], people, value_of(means.get((code, outcome.wave)))))
    title = f"{outcome.label}: people by score, {findings.WAVE_PHRASES[outcome.wave]}"
    return Distribution(title, edges, tuple(panels), how.unit)


def sites(frame: pd.DataFrame, how: Measured, names: dict[str, tuple[str, str | None]], level: float) -> Forest:
    """Each site's mean at the wave compared, arm by arm, and each arm's own."""
    from analysis.summary import site_means  # noqa: PLC0415  (as above)

    outcome = how.outcome
    here = frame[frame["wave"] == outcome.wave]
    found = site_means(here, "value", "arm", "site", "review", level)
    overall = findings.means(here, level)
    rows: list[Row] = []
    for code, label, look in findings.labels(how, by_arm=True):
        rows += [Row(names[one.site][0], value_of(one), LOOKS[look]) for one in found if one.arm == code]
        rows.append(Row(f"All {label}", value_of(overall.get((code, outcome.wave))), LOOKS[look], overall=True))
    return Forest(
        f"{outcome.label}: mean of each site, {findings.WAVE_PHRASES[outcome.wave]}",
        tuple(rows),
        f"mean, {how.unit}",
        outcome.minimum,
        outcome.maximum,
        key=((how.arms[0][1], TREATMENT), (how.arms[1][1], CONTROL)),
        decimals=0 if how.is_percent else 1,
    )


def difference(effect: Effect, how: Measured) -> Forest:
    """The difference that decides, on an axis that shows 0 and what is too small to matter."""
    low, high = effect.ci
    value: Value = (
        Missing("it has no interval") if low is None or high is None else Estimate(effect.estimate, low, high)
    )
    row = Row(how.outcome.label, value, TREATMENT, overall=True)
    return _differences(f"{how.outcome.label}: difference between the groups", (row,), how)


def methods(found: Comparison, how: Measured) -> Forest:
    """Every method that gave an interval in points, one a line; the one that decides in bold."""
    rows = []
    for name, result in estimated(found).items():
        low, high = result.ci
        if name == CHANCE or low is None or high is None:
            continue  # not in points, or without an end to draw
        decides = name == found.primary.method
        value = Estimate(result.estimate, low, high)
        rows.append(Row(METHOD_NAMES[name], value, TREATMENT if decides else POOLED, overall=decides))
    return _differences(f"{how.outcome.label}: the difference by each method", tuple(rows), how)


def _differences(title: str, rows: tuple[Row, ...], how: Measured) -> Forest:
    (_, treatment), (_, control) = how.arms
    reach = how.outcome.smallest_worthwhile
    return Forest(
        title,
        rows,
        f"difference, {how.unit}",
        None,
        None,
        ends=(f"{control} higher", f"{treatment} higher"),
        band=None if reach is None else Band(reach, f"too small to matter (under {reach:g})"),
        decimals=1 if how.is_percent else 2,
    )


def value_of(one: WaveMean | SiteMean | None) -> Value:
    if one is None:
        return Missing(NOBODY)
    if one.lower is None or one.upper is None:
        return Missing(one.reason or "no interval can be given")
    return Estimate(one.mean, one.lower, one.upper)


def facts(found: Answer, how: Measured) -> list[tuple[str, str]]:
    """What stands beside the primary result, in words: estimate, interval, df, p, method and why, ICC, effect size."""
    comparison, effect = found.comparison, found.effect
    if comparison is None or effect is None:
        return []
    places = _places(how)
    listed = [
        ("Difference", f"{number(effect.estimate, places)} {how.unit}"),
        (f"{100 * comparison.level:g} % interval", _span(effect.ci, places)),
        ("Standard error", number(effect.se, places + 1)),
        ("Degrees of freedom", number(effect.df, 1)),
        ("p", p_value(effect.p)),
        ("Method", METHOD_NAMES[comparison.primary.method or ""]),
        ("Why this method", f"{comparison.primary.reason[0].upper()}{comparison.primary.reason[1:]}."),
        ("Status", "Pre-specified" if comparison.primary.tag == "pre-specified" else "Exploratory"),
    ]
    for level, words in (("site", "one site"), ("review", "one case review")):
        ratio = comparison.icc.get(level)
        if ratio is not None:
            said = f"{number(ratio.value, 3)} ({_span(ratio.ci, 3)})"
            listed.append((f"How alike the people of {words} are (ICC)", said))
    size = comparison.effect_size
    if size is not None:
        listed.append(("Effect size (Hedges g, on the total SD)", f"{number(size.value, 2)} ({_span(size.ci)})"))
    return listed


def people_counted(found: Answer, how: Measured) -> list[tuple[str, int, int | None, int]]:
    """(arm, sites, reviews, people) of those compared."""
    if found.comparison is None:
        return []
    counts = found.comparison.counts
    return [
        (label, counts.sites[side], counts.reviews[side] if counts.reviews else None, counts.participants[side])
        for side, (_, label) in enumerate(how.arms)
    ]


def method_table(found: Comparison) -> Table:
    """Every method at full precision, those that gave no number with the reason."""
    from analysis.results import NotEstimable  # noqa: PLC0415  (as above)

    head = (
        "Method", "Decides", "Estimate", "Standard error", "Degrees of freedom", "Statistic", "p", "Interval from",
        "Interval to", "What is estimated", "Why there is no number",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, label in METHOD_NAMES.items():
        result = found.methods.get(name)
        decides = "yes" if name == found.primary.method else "no"
        what = "chance of a higher score (0.5: no difference)" if name == CHANCE else "difference"
        if isinstance(result, NotEstimable):
            rows.append((label, decides, *(None,) * 7, what, result.reason))
        elif result is not None:
            parts = (getattr(result, part, None) for part in ("estimate", "se", "df", "statistic", "p"))
            rows.append((label, decides, *parts, *result.ci, what, None))
    return Table(head, tuple(rows))


def other_methods(found: Comparison, how: Measured) -> list[tuple[str, str, str, str, str]]:
    """(method, estimate, interval, df, p) of every method that gave a difference, but for the one that decides."""
    rows, places = [], _places(how)
    for name, result in estimated(found).items():
        if name not in {found.primary.method, CHANCE}:
            df = getattr(result, "df", None)  # tests by resampling have none
            said_df = "" if df is None else number(df, 1)
            span = _span(result.ci, places)
            rows.append((METHOD_NAMES[name], number(result.estimate, places), span, said_df, p_value(result.p)))
    return rows


def chance(found: Comparison, how: Measured) -> list[tuple[str, str]]:
    """The win probability in words of its own, as it is a chance and no difference; nothing where there is none."""
    from analysis.results import Effect  # noqa: PLC0415  (as above)

    theta = found.methods.get(CHANCE)
    if not isinstance(theta, Effect):
        return []
    (_, treatment), (_, control) = how.arms
    return [
        (
            f"Chance that somebody of {treatment} has a higher score than somebody of {control}",
            f"{_percent(theta.estimate)} (a tie counts half; with no difference it would be 50 %)",
        ),
        (
            f"{100 * found.level:g} % interval",
            " to ".join(NO_BOUND if end is None else _percent(end) for end in theta.ci),
        ),
        ("Degrees of freedom", number(theta.df, 1)),
        ("p", p_value(theta.p)),
    ]


def _percent(share: float) -> str:
    return f"{number(100 * share, 1)} %"


def estimated(found: Comparison) -> dict[str, Effect | RandomisationTest | WildBootstrap]:
    """The methods that gave a number, by name."""
    from analysis.results import NotEstimable  # noqa: PLC0415  (as above)

    return {name: one for name, one in found.methods.items() if not isinstance(one, NotEstimable)}


def number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def p_value(p: float) -> str:
    """Three decimals, or two figures where that says more."""
    return "below 0.0001" if p < 0.0001 else f"{p:.2g}" if p < 0.01 else f"{p:.3f}"


def _places(how: Measured) -> int:
    """Decimals of a difference: hundredths of a point out of 100, thousandths of a measure on its own scale."""
    return 2 if how.is_percent else 3


def _span(ends: Interval, decimals: int = 2) -> str:
    low, high = (NO_BOUND if one is None else number(one, decimals) for one in ends)
    return f"{low} to {high}"
