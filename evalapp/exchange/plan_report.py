"""A plan's report as text for a person: what was asked, what was found, and how each answer is tagged."""

from collections.abc import Iterable

from analysis.compare import Comparison
from analysis.report.beside import Adjusted, Moderated, Tipped
from analysis.report.document import PlannedOutcome, StatisticalAnalysisPlan
from analysis.report.run import Entry, Report
from analysis.results import Effect, NotEstimable
from evalapp.exchange.comparison import NAMES
from evalapp.exchange.sensitivity import moderation_lines, tipping_lines
from evalapp.exchange.text import interval, number, p_value, wrapped
from evalapp.wording import WORDS, Told, ruled, sentence

_ADJUSTMENTS = {"holm": "Holm", "hochberg": "Hochberg", "westfall_young": "Westfall–Young over the allocations"}


def in_words(plan: StatisticalAnalysisPlan, report: Report) -> str:
    """The whole report, for a terminal 100 characters wide."""
    locked = f"locked on {report.locked_at}" if report.locked_at else "not locked: everything here is exploratory"
    lines = [report.title, *wrapped(plan.estimand), f"Plan {report.plan_sha256[:12]}, {locked}", ""]
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
        lines += ["Not as planned", *(line for one in report.deviations for line in wrapped(one, "  – ")), ""]
    lines += [f"Data SHA-256 {report.data_sha256}", f"evalapp {report.version}, seed {report.seed}"]
    return "\n".join(lines)


def _counts(found: Comparison | NotEstimable) -> Iterable[str]:
    if isinstance(found, NotEstimable):
        return wrapped(f"not compared: {found.reason}", "    ")
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
    return wrapped(f"{WORDS[verdict].mark}. {sentence(verdict, told)}", "    ")


def _line(one: Entry) -> Iterable[str]:
    title = f"{'*' if one.part == 'decides' else ' '} {NAMES[one.method]}"
    result = one.result
    if isinstance(result, NotEstimable):
        yield from wrapped(f"{title}: not estimable: {result.reason}", "  ")
    elif one.method == "win_probability":
        # A chance, not points: marked, since it stands in the column of differences.
        told, theta = f"{title} (0.5: no difference)", f"θ {number(result.estimate)}"
        yield f"  {told:38}{theta:>11}{p_value(result.p):>10}  {interval(result.ci)}  [{one.tag}]"
    else:
        yield f"  {title:38}{number(result.estimate):>11}{p_value(result.p):>10}  {interval(result.ci)}  [{one.tag}]"
    if one.note:
        yield from wrapped(f"{one.tag}: {one.note}", "      ")


def _tagged(tag: str, note: str) -> list[str]:
    return wrapped(f"{tag}: {note}" if note else tag, "    ")


def _label(plan: StatisticalAnalysisPlan, code: str) -> str:
    return next(one.label for one in plan.outcomes if one.code == code)


def _together(plan: StatisticalAnalysisPlan, found: Adjusted | NotEstimable | None) -> list[str]:
    if found is None:
        return []
    title = f"Secondary outcomes together, adjusted by {_ADJUSTMENTS[plan.adjust]}"
    if isinstance(found, NotEstimable):
        return [title, *wrapped(f"not estimable: {found.reason}", "    "), ""]
    lines = [title, f"    {'':36}{'p':>10}{'adjusted':>11}"]
    for code, p in found.p.items():
        changed = found.adjusted_p[code]
        shown = f"{_number(p):>10}{_number(changed):>11}" if p is not None else f"{'none: see above':>21}"
        lines.append(f"    {_label(plan, code)[:36]:36}{shown}")
    return [
        *lines,
        *_tagged(found.tag, found.note),
        *(line for one in found.warnings for line in wrapped(one, "    ")),
        "",
    ]


def _number(p: float | None) -> str:
    return "–" if p is None else p_value(p)


def _moderation(plan: StatisticalAnalysisPlan, found: Moderated) -> list[str]:
    lines = [f"{_label(plan, found.outcome)}: does the difference depend on {found.by}?"]
    result = found.result
    lines += moderation_lines(found.by, result)
    warnings = () if isinstance(result, NotEstimable) else result.warnings
    return [*lines, *_tagged(found.tag, found.note), *(line for one in warnings for line in wrapped(one, "    ")), ""]


def _tipping(plan: StatisticalAnalysisPlan, found: Tipped | None) -> list[str]:
    if found is None:
        return []
    lines = [f"{_label(plan, found.outcome)}: how different would missing answers have to be?"]
    for what, result in (("people", found.people), ("whole sites", found.sites)):
        lines += tipping_lines(what, result)
    return [*lines, *_tagged(found.tag, found.note), ""]
