"""A comparison as text for a person: what was chosen and why, the numbers, and what to mind."""

import textwrap
from collections.abc import Iterable

from analysis.compare import WEIGHTS, Comparison, MethodResult, Variance
from analysis.resampling.randomisation import RandomisationTest
from analysis.resampling.wild_bootstrap import WildBootstrap
from analysis.results import Effect, Interval, NotEstimable, Ratio

NAMES = {
    "lmm_kenward_roger": "mixed model, Kenward–Roger",
    "lmm_satterthwaite": "mixed model, Satterthwaite",
    "cluster_summary": "cluster-summary t",
    "cr1s": "least squares, CR1S",
    "cr2": "least squares, CR2 + Bell–McCaffrey",
    "cr3": "least squares, CR3",
    "wild_bootstrap": "wild cluster bootstrap",
    "gee": "generalised estimating equations",
    "win_probability": "win probability (0.5: no difference)",
    "randomisation": "randomisation test",
    "did": "difference-in-differences, CR2",
    "clda": "constrained longitudinal model",
}
_WIDTH = 98


def in_words(result: Comparison) -> str:
    """The whole comparison, for a terminal 100 characters wide."""
    counts = result.counts
    lines = [
        f"{result.outcome}: {result.treatment} (treatment) − {result.control} (control)",
        "",
        f"  {'':14}{'treatment':>10}{'control':>10}",
        f"  {'sites':14}{counts.sites[0]:>10}{counts.sites[1]:>10}",
    ]
    if counts.reviews:
        lines.append(f"  {'reviews':14}{counts.reviews[0]:>10}{counts.reviews[1]:>10}")
    lines.append(f"  {'people':14}{counts.participants[0]:>10}{counts.participants[1]:>10}")
    lost = ", ".join(f"{name} {count}" for name, count in counts.excluded.items() if count)
    lines += [
        "",
        f"  {counts.rows} rows, {counts.analysed} analysed" + (f"; left out: {lost}" if lost else ""),
    ]
    lines += ["", *_primary(result), "", *_table(result)]
    lines += ["", *_spread(result)]
    notes = list(_notes(result))
    if notes:
        lines += ["", "To mind", *(line for note in notes for line in _wrapped(note, "  – "))]
    lines += [
        "",
        f"Data SHA-256 {result.data_sha256}",
        f"evalapp {result.version}, seed {result.seed}",
    ]
    return "\n".join(lines)


def _primary(result: Comparison) -> Iterable[str]:
    method = result.primary.method
    yield f"Primary: {NAMES[method] if method else 'none'}"
    yield from _wrapped(result.primary.reason, "  ")
    deciding = result.primary_result
    if isinstance(deciding, Effect):
        yield (
            f"  difference {number(deciding.estimate)}, {_percent(result.level)} interval {interval(deciding.ci)}, "
            f"t({deciding.df:.4g}) = {deciding.statistic:.3f}, p {p_value(deciding.p)}"
        )
    elif isinstance(deciding, NotEstimable):
        yield from _wrapped(f"not estimable: {deciding.reason}", "  ")


def _table(result: Comparison) -> Iterable[str]:
    percent = _percent(result.level)
    yield f"  {'method':36}{'difference':>11}{'SE':>9}{'df':>7}{'t':>8}{'p':>9}  {percent} interval"
    missing: list[str] = []
    for name, value in result.methods.items():
        mark = "*" if name == result.primary.method else " "
        title = f"{mark} {NAMES[name]}"
        match value:
            case Effect():
                yield (
                    f"{title:38}{number(value.estimate):>11}{number(value.se):>9}{value.df:>7.4g}"
                    f"{value.statistic:>8.3f}{p_value(value.p):>9}  {interval(value.ci)}"
                )
            case WildBootstrap():
                yield (
                    f"{title:38}{number(value.estimate):>11}{number(value.se):>9}{'':>7}"
                    f"{value.statistic:>8.3f}{p_value(value.p):>9}  {interval(value.ci)}"
                )
            case RandomisationTest():
                yield (
                    f"{title:38}{number(value.estimate):>11}{'':>9}{'':>7}{'':>8}{p_value(value.p):>9}"
                    f"  {interval(value.ci)}"
                )
                if value.studentised is not None:
                    beside = value.studentised
                    yield (
                        f"{'    studentised':38}{number(beside.estimate):>11}{'':>24}{p_value(beside.p):>9}"
                        f"  {interval(beside.ci)}"
                    )
            case NotEstimable():
                missing.append(f"{NAMES[name]}: {value.reason}")
    yield "  * primary"
    if missing:
        yield ""
        yield "Not estimated"
        for line in missing:
            yield from _wrapped(line, "  – ")


def _spread(result: Comparison) -> Iterable[str]:
    variance = result.variance
    if isinstance(variance, Variance):
        review = "" if variance.review is None else f"review {number(variance.review)}, "
        zero = f" (estimated as zero: {', '.join(variance.boundary)})" if variance.boundary else ""
        yield (
            f"Variance  site {number(variance.site)}, {review}residual {number(variance.residual)}{zero}; "
            f"REML log-likelihood {variance.reml_loglik:.5f}"
        )
    for title, ratios in (("ICC", result.icc), ("ICC without baseline", result.icc_without_baseline)):
        parts = [f"{name} {_ratio(ratio)}" for name, ratio in ratios.items() if ratio is not None]
        if parts:
            yield f"{title}  " + "; ".join(parts)
    if result.effect_size is not None:
        yield f"Hedges g  {_ratio(result.effect_size)}"


def _notes(result: Comparison) -> Iterable[str]:
    yield from result.warnings
    for name, value in result.methods.items():
        if isinstance(value, NotEstimable):
            continue
        if isinstance(value, RandomisationTest):
            kind = "all" if value.exact else "a random draw"
            count = "the scheme's" if value.allocations is None else f"{value.allocations:,}"
            yield f"{NAMES[name]}: p over {kind} of {count} allocations" + (
                f"; {_joined(value)}" if value.warnings else ""
            )
        elif isinstance(value, WildBootstrap):
            kind = f"all {value.draws:,} sign changes" if value.exact else f"{value.draws:,} drawn weights"
            yield f"{NAMES[name]}: p over {kind}" + (f"; {_joined(value)}" if value.warnings else "")
        elif value.warnings:
            yield f"{NAMES[name]}: {_joined(value)}"
    weights: dict[str, list[str]] = {}
    for name, value in result.methods.items():
        if name in WEIGHTS and not isinstance(value, NotEstimable):
            weights.setdefault(WEIGHTS[name], []).append(NAMES[name])
    for weight, names in weights.items():
        yield f"weight {weight}: {'; '.join(names)}"


def _joined(value: MethodResult) -> str:
    return "; ".join(value.warnings) if not isinstance(value, NotEstimable) else ""


def _wrapped(text: str, prefix: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix))


def number(value: float) -> str:
    return f"{value:.4g}" if value and abs(value) < 0.001 else f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def p_value(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def interval(ci: Interval) -> str:
    low, high = ("none" if bound is None else number(bound) for bound in ci)
    return f"{low} to {high}"


def _ratio(ratio: Ratio) -> str:
    return f"{number(ratio.value)} ({interval(ratio.ci)})"
