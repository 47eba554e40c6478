"""A plan's report as text for a person: what was asked, what was found, and how each answer is tagged."""

import textwrap
from collections.abc import Iterable

from analysis.compare import Comparison
from analysis.missing.tipping import Direction, Tipping
from analysis.moderation import ByBaseline, ByGroup
from analysis.report.beside import Adjusted, Moderated, Tipped
from analysis.report.document import PlannedOutcome, StatisticalAnalysisPlan
from analysis.report.run import Entry, Report
from analysis.results import Effect, NotEstimable
from evalapp.exchange.comparison import NAMES, interval, number, p_value
from evalapp.wording import WORDS, Told, ruled, sentence

_WIDTH = 98
_ADJUSTMENTS = {"holm": "Holm", "hochberg": "Hochberg", "westfall_young": "Westfall–Young over the allocations"}
_WHO: dict[Direction, str] = {
    "treatment": "the missing of the treatment arm alone",
    "control": "the missing of the control arm alone",
    "both": "the missing of both arms alike",
    "opposite": "treatment one way, control the other",
}


def in_words(plan: StatisticalAnalysisPlan, report: Report) -> str:
    """The whole report, for a terminal 100 characters wide."""
    locked = f"locked on {report.locked_at}" if report.locked_at else "not locked: everything here is exploratory"
    lines = [report.title, *_wrapped(plan.estimand), f"Plan {report.plan_sha256[:12]}, {locked}", ""]
    for outcome in plan.outcomes:
        lines.append(f"{outcome.label} ({outcome.family})")
        lines += _counts(report.comparisons[outcome.code])
        lines += _concluded(plan, outcome, report.comparisons[outcome.code])
        lines.append(f"    {'':36}{'difference':>11}{'p':>10}  interval")
        for one in report.entries:
            if one.outcome == outcome.code:
                lines += _line(one)
        lines.append("")
    lines += _together(plan, report.secondary)
    for moderation in report.moderations:
        lines += _moderation(plan, moderation)
    lines += _tipping(plan, report.tipping)
    if report.deviations:
        lines += ["Not as planned", *(line for one in report.deviations for line in _wrapped(one, "  – ")), ""]
    lines += [f"Data SHA-256 {report.data_sha256}", f"evalapp {report.version}, seed {report.seed}"]
    return "\n".join(lines)


def _counts(found: Comparison | NotEstimable) -> Iterable[str]:
    if isinstance(found, NotEstimable):
        return _wrapped(f"not compared: {found.reason}", "    ")
    sites, people = found.counts.sites, found.counts.participants
    return [f"    {sites[0]} and {sites[1]} sites, {people[0]} and {people[1]} people (treatment, control)"]


def _concluded(
    plan: StatisticalAnalysisPlan, outcome: PlannedOutcome, found: Comparison | NotEstimable
) -> Iterable[str]:
    """The finding in the words that the dashboards use, by the same rule."""
    method = plan.method_of(outcome)
    effect = found.methods.get(method) if isinstance(found, Comparison) and method else None
    # A win probability is no difference in points, so the rule about points does not speak of it.
    if not isinstance(found, Comparison) or not isinstance(effect, Effect) or method == "win_probability":
        return []
    reach, answered = outcome.smallest_worthwhile, sum(found.counts.sites)
    verdict = ruled(effect.estimate, effect.ci, reach, outcome.higher_is_better, plan.sites, answered)
    told = Told(
        outcome.label, "treatment", "control", "raw", "", effect.estimate, *effect.ci, reach,
        randomised=plan.design == "randomised",
    )  # fmt: skip
    return _wrapped(f"{WORDS[verdict].mark}. {sentence(verdict, told)}", "    ")


def _line(one: Entry) -> Iterable[str]:
    title = f"{'*' if one.part == 'decides' else ' '} {NAMES[one.method]}"
    result = one.result
    if isinstance(result, NotEstimable):
        yield from _wrapped(f"{title}: not estimable: {result.reason}", "  ")
    elif one.method == "win_probability":
        # A chance, not points: marked, since it stands in the column of differences.
        told, theta = f"{title} (0.5: no difference)", f"θ {number(result.estimate)}"
        yield f"  {told:38}{theta:>11}{p_value(result.p):>10}  {interval(result.ci)}  [{one.tag}]"
    else:
        yield f"  {title:38}{number(result.estimate):>11}{p_value(result.p):>10}  {interval(result.ci)}  [{one.tag}]"
    if one.note:
        yield from _wrapped(f"{one.tag}: {one.note}", "      ")


def _tagged(tag: str, note: str) -> list[str]:
    return _wrapped(f"{tag}: {note}" if note else tag, "    ")


def _label(plan: StatisticalAnalysisPlan, code: str) -> str:
    return next(one.label for one in plan.outcomes if one.code == code)


def _together(plan: StatisticalAnalysisPlan, found: Adjusted | NotEstimable | None) -> list[str]:
    if found is None:
        return []
    title = f"Secondary outcomes together, adjusted by {_ADJUSTMENTS[plan.adjust]}"
    if isinstance(found, NotEstimable):
        return [title, *_wrapped(f"not estimable: {found.reason}", "    "), ""]
    lines = [title, f"    {'':36}{'p':>10}{'adjusted':>11}"]
    for code, p in found.p.items():
        changed = found.adjusted_p[code]
        shown = f"{_number(p):>10}{_number(changed):>11}" if p is not None else f"{'none: see above':>21}"
        lines.append(f"    {_label(plan, code)[:36]:36}{shown}")
    return [
        *lines,
        *_tagged(found.tag, found.note),
        *(line for one in found.warnings for line in _wrapped(one, "    ")),
        "",
    ]


def _number(p: float | None) -> str:
    return "–" if p is None else p_value(p)


def _moderation(plan: StatisticalAnalysisPlan, found: Moderated) -> list[str]:
    lines = [f"{_label(plan, found.outcome)}: does the difference depend on {found.by}?"]
    result = found.result
    if isinstance(result, NotEstimable):
        lines += _wrapped(f"not estimable: {result.reason}", "    ")
    elif isinstance(result, ByGroup):
        lines += [line for group, effect in result.effects.items() for line in _effect(f"in {group}", effect, p=False)]
        for group, effect in result.differences.items():
            lines += _effect(f"{group} less {result.reference}", effect, p=True)
        if not isinstance(result.together, NotEstimable) and len(result.differences) > 1:
            lines.append(f"    {'all alike, together':36}{'':>11}{p_value(result.together.p):>10}")
    else:
        lines += _by_baseline(found.by, result)
    warnings = () if isinstance(result, NotEstimable) else result.warnings
    return [*lines, *_tagged(found.tag, found.note), *(line for one in warnings for line in _wrapped(one, "    ")), ""]


def _by_baseline(by: str, result: ByBaseline) -> Iterable[str]:
    for value, effect in result.at:
        yield from _effect(f"at {by} {number(value)}", effect, p=False)
    yield from _effect(f"more for each point of {by}", result.per_point, p=True)


def _effect(title: str, effect: Effect | NotEstimable, *, p: bool) -> Iterable[str]:
    """One line; a difference within a group has no p, for it says nothing of whether groups differ."""
    if isinstance(effect, NotEstimable):
        return _wrapped(f"{title}: not estimable: {effect.reason}", "    ")
    shown = p_value(effect.p) if p else ""
    return [f"    {title:36}{number(effect.estimate):>11}{shown:>10}  {interval(effect.ci)}"]


def _tipping(plan: StatisticalAnalysisPlan, found: Tipped | None) -> list[str]:
    if found is None:
        return []
    lines = [f"{_label(plan, found.outcome)}: how different would missing answers have to be?"]
    for what, result in (("people", found.people), ("whole sites", found.sites)):
        lines += _points(what, result)
    return [*lines, *_tagged(found.tag, found.note), ""]


def _points(what: str, result: Tipping | NotEstimable) -> Iterable[str]:
    if isinstance(result, NotEstimable):
        yield from _wrapped(f"missing {what}: {result.reason}", "    ")
        return
    treated, control = (f"{100 * share:.1f} %" for share in result.shares)
    yield f"    missing {what}: {treated} and {control} (treatment, control)"
    turned = "includes" if result.excludes_zero else "excludes"
    yield f"      {'points by which they would differ from those like them':56}{'estimate 0':>12}  interval {turned} 0"
    for one in result.points:
        if one.estimate_zero is None or one.interval is None:
            yield f"      {_WHO[one.direction]:56}{'never':>12}  never"
        else:
            yield f"      {_WHO[one.direction]:56}{number(one.estimate_zero):>12}  {number(one.interval)}"


def _wrapped(text: str, prefix: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix))
