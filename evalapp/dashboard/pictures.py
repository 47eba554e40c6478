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
ENDLESS = {"days", "times", "number"}  # the greatest that is possible is far beyond any that is likely
NO_BOUND = "no bound"
# Not a difference, but the chance that one person's score is higher than another's: never on an axis of differences.
CHANCE = "win_probability"


def profile(frame: pd.DataFrame, how: Measured, level: float, *, by_arm: bool) -> Profile | Forest:
    """Each group's mean at each wave drawn; a line each where there is but one wave."""
    means = findings.means(frame, level)
    waves = tuple(WAVE_NAMES[wave] for wave in how.waves)
    series = [
        Series(label, LOOKS[look], tuple(value_of(means.get((code, wave)), how) for wave in how.waves))
        for code, label, look in findings.labels(how, by_arm=by_arm)
    ]
    values = [value for one in series for value in one.values]
    return means_of(f"{how.outcome.label}, mean of each group", waves, series, mean_unit(how), ends_of(how, values))


def means_of(
    title: str,
    waves: tuple[str, ...],
    series: Sequence[Series],
    unit: str,
    ends: tuple[float, float],
    mean: str = "mean",
) -> Profile | Forest:
    """Means over several waves as a profile; at a single one as rows, which need less room.    mean : its word."""
    low, high = ends
    if len(waves) > 1:
        return Profile(title, waves, tuple(series), unit, low, high, decimals=0 if high - low >= 50 else 1)
    rows = tuple(Row(one.label, one.values[0], one.look, overall=True) for one in series)
    return Forest(title, rows, f"{mean}, {unit}", low, high, decimals=0 if high - low >= 50 else 1)


def distribution(frame: pd.DataFrame, how: Measured, level: float, *, by_arm: bool) -> Distribution:
    """How many people scored in each tenth of the range, at the wave compared."""
    from analysis.summary import bin_counts  # noqa: PLC0415  (pandas stays out of the participant's path)

    outcome = how.outcome
    here = frame[frame["wave"] == outcome.wave]
    means = findings.means(here, level)
    here = here.assign(value=[findings.as_told(one, how) for one in here["value"]])
    edges = _bands(here, how)
    counts = bin_counts(here, "value", "arm", edges)
    panels = []
    for code, label, look in findings.labels(how, by_arm=by_arm):
        people = tuple(one.people for one in counts if one.arm == code) or (0,) * 10
        panels.append(Panel(label, LOOKS[look], people, value_of(means.get((code, outcome.wave)), how)))
    title = f"{outcome.label}: people by score, {findings.WAVE_PHRASES[outcome.wave]}"
    if outcome.kind == "process":
        title = f"{outcome.label}: case reviews"
    return Distribution(
        title, edges, tuple(panels), how.unit, "case reviews" if outcome.kind == "process" else "people"
    )


def _bands(here: pd.DataFrame, how: Measured) -> tuple[float, ...]:
    """Tenths of the range; of what has no end worth drawing, tenths up to a round number, or one by one where they are few."""
    least, most = how.outcome.minimum, how.outcome.maximum
    if how.measure in ENDLESS:
        least, most = 0.0, findings.round_end(float(here["value"].max()))
        if most <= 10:
            return tuple(float(one) for one in range(int(most) + 2))
    return (*(least + (most - least) / 10 * place for place in range(10)), most)


def sites(frame: pd.DataFrame, how: Measured, names: dict[str, tuple[str, str | None]], level: float) -> Forest:
    """Each site's mean at the wave compared, arm by arm, and each arm's own."""
    from analysis.summary import site_means  # noqa: PLC0415  (as above)

    outcome = how.outcome
    here = frame[frame["wave"] == outcome.wave]
    found = site_means(here, "value", "arm", "site", "review", level)
    overall = findings.means(here, level)
    rows: list[Row] = []
    for code, label, look in findings.labels(how, by_arm=True):
        rows += [Row(names[one.site][0], value_of(one, how), LOOKS[look]) for one in found if one.arm == code]
        rows.append(Row(f"All {label}", value_of(overall.get((code, outcome.wave)), how), LOOKS[look], overall=True))
    return Forest(
        f"{outcome.label}: mean of each site{f', {how.when}' if how.when else ''}",
        tuple(rows),
        f"mean, {mean_unit(how)}",
        *ends_of(how, [row.value for row in rows]),
        key=((how.arms[0][1], TREATMENT), (how.arms[1][1], CONTROL)),
        decimals=0 if how.is_percent else 1,
    )


def difference(effect: Effect, how: Measured) -> Forest:
    """The difference that decides, on an axis that shows 0 and what is too small to matter."""
    low, high = effect.ci
    value: Value = (
        Missing("it has no interval") if low is None or high is None else _estimate(effect.estimate, low, high, how)
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
        value = _estimate(result.estimate, low, high, how)
        rows.append(Row(METHOD_NAMES[name], value, TREATMENT if decides else POOLED, overall=decides))
    return _differences(f"{how.outcome.label}: the difference by each method", tuple(rows), how)


def _differences(title: str, rows: tuple[Row, ...], how: Measured) -> Forest:
    (_, treatment), (_, control) = how.arms
    reach, times = how.outcome.smallest_worthwhile, how.measure == "times"
    least = (
        None if reach is None else f"under {findings.as_told(reach, how):.2f} times" if times else f"under {reach:g}"
    )
    more = "longer" if times else "higher"
    return Forest(
        title,
        rows,
        "times as long" if times else f"difference, {how.unit}",
        None,
        None,
        ends=(f"{control} {more}", f"{treatment} {more}"),
        band=None if reach is None else Band(reach, f"too small to matter ({least})"),
        decimals=1 if how.is_percent else 2,
        ratio=times,
    )


def _estimate(estimate: float, low: float, high: float, how: Measured) -> Estimate:
    """A mean or a difference with its interval, as they are told."""
    return Estimate(*(findings.as_told(one, how) for one in (estimate, low, high)))


def value_of(one: WaveMean | SiteMean | None, how: Measured) -> Value:
    """A mean as it is drawn; of logarithms of days, the days (their geometric mean)."""
    value = value_of_mean(one)
    return value if isinstance(value, Missing) else _estimate(value.value, value.low, value.high, how)


def value_of_mean(one: WaveMean | SiteMean | None) -> Value:
    if one is None:
        return Missing(NOBODY)
    if one.lower is None or one.upper is None:
        return Missing(one.reason or "no interval can be given")
    return Estimate(one.mean, one.lower, one.upper)


def mean_unit(how: Measured) -> str:
    return "days (geometric mean)" if how.measure == "times" else how.unit


def ends_of(how: Measured, values: Sequence[Value]) -> tuple[float, float]:
    """The axis of an outcome's means: its whole range; of days and counts, from 0 to a round number beyond the intervals."""
    if how.measure not in ENDLESS:
        return how.outcome.minimum, how.outcome.maximum
    return 0.0, findings.round_end(max((one.high for one in values if isinstance(one, Estimate)), default=1.0))


def facts(found: Answer, how: Measured) -> list[tuple[str, str]]:
    """What stands beside the primary result, in words: estimate, interval, df, p, method and why, ICC, effect size."""
    comparison, effect = found.comparison, found.effect
    if comparison is None or effect is None:
        return []
    places, times = _places(how), how.measure == "times"
    (_, treatment), (_, control) = how.arms
    told = f"{number(effect.estimate, places)} {how.unit}"
    if times:
        size = number(findings.as_told(effect.estimate, how), 2)
        told = f"The {treatment} group took {size} times as long as the {control} group"
    listed = [
        ("Difference", told),
        (f"{100 * comparison.level:g} % interval", _ends(effect.ci, how)),
        ("Standard error" + (" (of the logarithm of the ratio)" if times else ""), number(effect.se, places + 1)),
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
    g = comparison.effect_size
    if g is not None:
        listed.append(("Effect size (Hedges g, on the total SD)", f"{number(g.value, 2)} ({_span(g.ci)})"))
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


def method_table(found: Comparison, how: Measured) -> Table:
    """Every method at full precision, those that gave no number with the reason; days stay the logarithms compared."""
    from analysis.results import NotEstimable  # noqa: PLC0415  (as above)

    difference = "difference of log-days" if how.measure == "times" else "difference"
    head = (
        "Method", "Decides", "Estimate", "Standard error", "Degrees of freedom", "Statistic", "p", "Interval from",
        "Interval to", "What is estimated", "Why there is no number",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, label in METHOD_NAMES.items():
        result = found.methods.get(name)
        decides = "yes" if name == found.primary.method else "no"
        what = "chance of a higher score (0.5: no difference)" if name == CHANCE else difference
        if isinstance(result, NotEstimable):
            rows.append((label, decides, *(None,) * 7, what, result.reason))
        elif result is not None:
            parts = (getattr(result, part, None) for part in ("estimate", "se", "df", "statistic", "p"))
            rows.append((label, decides, *parts, *result.ci, what, None))
    return Table(head, tuple(rows))


def other_methods(found: Comparison, how: Measured) -> list[tuple[str, str, str, str, str]]:
    """(method, estimate, interval, df, p) of every method that gave a difference, but for the one that decides."""
    rows, places = [], _told_places(how)
    for name, result in estimated(found).items():
        if name not in {found.primary.method, CHANCE}:
            df = getattr(result, "df", None)  # tests by resampling have none
            said_df = "" if df is None else number(df, 1)
            shown = findings.as_told(result.estimate, how)
            rows.append((METHOD_NAMES[name], number(shown, places), _ends(result.ci, how), said_df, p_value(result.p)))
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


def _told_places(how: Measured) -> int:
    """The same of a difference as it is told: of a ratio, hundredths."""
    return 2 if how.measure == "times" else _places(how)


def _ends(ends: Interval, how: Measured) -> str:
    """An interval of a difference, in words; of logarithms of days, of the ratio."""
    low, high = (None if end is None else findings.as_told(end, how) for end in ends)
    return _span((low, high), _told_places(how))


def _span(ends: Interval, decimals: int = 2) -> str:
    low, high = (NO_BOUND if one is None else number(one, decimals) for one in ends)
    return f"{low} to {high}"
