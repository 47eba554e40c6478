"""A comparison as text for a person: what was chosen and why, the numbers, and what to mind."""

import math
from collections.abc import Iterable

from analysis.compare import WEIGHTS, Comparison, Variance
from analysis.lmm.clda import Longitudinal
from analysis.marginal.estimands import Estimands
from analysis.marginal.standardised import StandardisedRisks
from analysis.ordinal.win_probability import MEANING
from analysis.resampling.randomisation import RandomisationTest
from analysis.resampling.wild_bootstrap import WildBootstrap
from analysis.results import Effect, Interval, NotEstimable, Ratio
from analysis.robust.influence import Influence
from analysis.sensitivity import Sensitivity
from analysis.views import Views
from evalapp.exchange.sensitivity import beside_it
from evalapp.exchange.text import (
    cut,
    equals,
    header,
    interval,
    listed,
    number,
    p_value,
    percent,
    row,
    tested,
    with_interval,
    wrapped,
)

NAMES = {
    "lmm_kenward_roger": "mixed model, Kenward–Roger",
    "lmm_satterthwaite": "mixed model, Satterthwaite",
    "cluster_summary": "cluster-summary t",
    "cr1s": "least squares, CR1S",
    "cr2": "least squares, CR2 + Bell–McCaffrey",
    "cr3": "least squares, CR3",
    "wild_bootstrap": "wild cluster bootstrap",
    "gee": "generalised estimating equations",
    "win_probability": "win probability",
    "randomisation": "randomisation test",
    "did": "difference-in-differences, CR2",
    "clda": "constrained longitudinal model",
}
# A careless interval is worth a line where it is narrower than the honest one by more than this.
_NARROWER = 0.10


def in_words(result: Comparison, seen: Views, beside: Sensitivity) -> str:
    """The whole comparison, for a terminal 100 characters wide."""
    sections = [
        [f"{result.outcome}: {result.treatment} (treatment) − {result.control} (control)"],
        _counts(result),
        _primary(result),
        _table(result),
        _win_probability(result),
        _longitudinal(result),
        _missing(result),
        _spread(result),
        _sensitivity(seen, result.level),
        *beside_it(beside, result),
        listed("To mind", [*_notes(result), *_careless(result)]),
        listed("How each method weighs", _weights(result)),
        [f"Data SHA-256 {result.data_sha256}", f"evalapp {result.version}, seed {result.seed}"],
    ]
    texts = ["\n".join(section) for section in sections]
    return "\n\n".join(text for text in texts if text)


def _counts(result: Comparison) -> Iterable[str]:
    counts = result.counts
    yield f"  {'':14}{'treatment':>10}{'control':>10}"
    yield f"  {'sites':14}{counts.sites[0]:>10}{counts.sites[1]:>10}"
    if counts.reviews:
        yield f"  {'reviews':14}{counts.reviews[0]:>10}{counts.reviews[1]:>10}"
    yield f"  {'people':14}{counts.participants[0]:>10}{counts.participants[1]:>10}"
    yield ""
    lost = ", ".join(f"{name} {count}" for name, count in counts.excluded.items() if count)
    # In long data those left out are people, of several rows each.
    people = counts.analysed + sum(counts.excluded.values())
    rows = f"{counts.rows} rows" if people == counts.rows else f"{counts.rows} rows of {people} people"
    yield from wrapped(f"{rows}, {counts.analysed} analysed" + (f"; left out: {lost}" if lost else ""), "  ")


def _primary(result: Comparison) -> Iterable[str]:
    method = result.primary.method
    yield f"Primary: {NAMES[method] if method else 'none'}"
    yield from wrapped(result.primary.reason, "  ")
    deciding = result.primary_result
    if isinstance(deciding, Effect):
        yield f"  difference {number(deciding.estimate)}, {tested(deciding, result.level)}"
    elif isinstance(deciding, NotEstimable):
        yield from wrapped(f"not estimable: {deciding.reason}", "  ")
    elif method:
        yield "  it is not among the methods asked for"


def _table(result: Comparison) -> Iterable[str]:
    rows: list[str] = []
    for name, value in result.methods.items():
        if name == "win_probability":
            continue
        title = f"{'*' if name == result.primary.method else ' '} {NAMES[name]}"
        match value:
            case Longitudinal():
                rows.append(row(title, value))
                if len(value.contrasts) > 1:
                    rows += [
                        row(f"    at wave {cut(wave, 24)}", effect)
                        if isinstance(effect, Effect)
                        else f"    at wave {cut(wave, 24)}: {effect.reason}"
                        for wave, effect in value.contrasts.items()
                    ]
            case Effect():
                rows.append(row(title, value))
            case WildBootstrap():
                rows.append(
                    f"{title:38}{number(value.estimate):>11}{number(value.se):>9}{'':>7}"
                    f"{value.statistic:>8.3f}{p_value(value.p):>9}  {interval(value.ci)}"
                )
            case RandomisationTest():
                rows.append(_reallocated(title, value))
                if value.studentised is not None:
                    rows.append(_reallocated("    studentised", value.studentised))
    if rows:
        yield header("method", result.level)
        yield from rows
        if any(row.startswith("*") for row in rows):
            yield "  * primary"


def _reallocated(title: str, value: RandomisationTest) -> str:
    return f"{title:38}{number(value.estimate):>11}{'':>24}{p_value(value.p):>9}  {interval(value.ci)}"


def _win_probability(result: Comparison) -> Iterable[str]:
    """A section of its own: it is a chance, not points, and its null is a half."""
    found = result.methods.get("win_probability")
    if isinstance(found, Effect):
        yield f"Win probability  θ = {number(found.estimate)}, SE {number(found.se)}, {tested(found, result.level)}"
        yield from wrapped(
            f"the chance that somebody of {result.treatment} has a higher outcome than somebody of {result.control}, "
            "ties counting half; 0.5 is no difference",
            "  ",
        )


def _longitudinal(result: Comparison) -> Iterable[str]:
    found = result.methods.get("clda")
    if not isinstance(found, Longitudinal):
        return
    yield f"Longitudinal model  {found.people} people with {found.rows} rows, those with some waves missing included"
    parts = ", ".join(f"{name} {number(value)}" for name, value in found.variance.items())
    yield from wrapped(f"variance {parts}{_zero(found.boundary)}; REML log-likelihood {found.reml_loglik:.5f}", "  ")
    together = found.together
    if isinstance(together, NotEstimable):
        yield from wrapped(f"all later waves at once: not estimable: {together.reason}", "  ")
    elif together is not None:
        test = f"F({together.ndf}, {together.df:.4g}) = {together.scale * together.statistic:.3f}"
        yield f"  no difference at any later wave: {test}, p {equals(together.p)}"


def _missing(result: Comparison) -> Iterable[str]:
    return listed(
        "Not estimated",
        [f"{NAMES[name]}: {one.reason}" for name, one in result.methods.items() if isinstance(one, NotEstimable)],
    )


def _spread(result: Comparison) -> Iterable[str]:
    variance = result.variance
    if isinstance(variance, Variance):
        review = "" if variance.review is None else f"review {number(variance.review)}, "
        yield from wrapped(
            f"Variance  site {number(variance.site)}, {review}residual {number(variance.residual)}"
            f"{_zero(variance.boundary)}; REML log-likelihood {variance.reml_loglik:.5f}",
            "",
        )
    for title, ratios in (("ICC", result.icc), ("ICC without baseline", result.icc_without_baseline)):
        parts = [f"{name} {with_interval(ratio)}" for name, ratio in ratios.items() if ratio is not None]
        if parts:
            yield f"{title}  " + "; ".join(parts)
    if result.effect_size is not None:
        yield f"Hedges g  {with_interval(result.effect_size)}"


def _zero(boundary: tuple[str, ...]) -> str:
    return f" (estimated as zero: {', '.join(boundary)})" if boundary else ""


def _sensitivity(seen: Views, level: float) -> Iterable[str]:
    yield "Sensitivity: of the least-squares difference, nothing of which decides"
    yield from _by_weight(seen.estimands, level)
    yield from _without_sites(seen.influence)
    if isinstance(seen.risks, StandardisedRisks):
        yield from _as_risks(seen.risks, level)


def _by_weight(found: Estimands | NotEstimable, level: float) -> Iterable[str]:
    if isinstance(found, NotEstimable):
        yield from wrapped(f"by weight: {found.reason}", "  – ")
        return
    yield header("weight", level)
    for title, one in (
        ("every person the same", found.person),
        ("every review the same", found.review),
        ("every site the same", found.site),
        ("person − site: is size informative?", found.informative),
        ("change per person more at a site", found.by_size),
    ):
        if isinstance(one, Effect):
            yield row(f"  {title}", one)
        elif one is not None:
            yield from wrapped(f"{title}: {one.reason}", "  ")


def _without_sites(found: Influence | NotEstimable) -> Iterable[str]:
    if isinstance(found, NotEstimable):
        yield from wrapped(f"without one site: {found.reason}", "  – ")
        return
    known = [(one.estimate, one.site) for one in found.sites if one.estimate is not None]
    if known:
        (low, least), (high, most) = min(known), max(known)
        turning = ", ".join(one.site for one in found.turning())
        yield from wrapped(
            f"without one site: {number(low)} (without site {least}) to {number(high)} (without site {most}), "
            f"where all sites give {number(found.estimate)}; "
            + (f"its sign turns without site {turning}" if turning else "no site alone turns its sign"),
            "  ",
        )
    alone = ", ".join(one.site for one in found.sites if one.estimate is None)
    if alone:
        yield from wrapped(f"no difference can be estimated without site {alone}", "  ")


def _as_risks(found: StandardisedRisks, level: float) -> Iterable[str]:
    treated, control = found.risks
    yield f"  standardised risk: {number(treated)} treated, {number(control)} not"
    if isinstance(found.difference, Effect):
        yield f"    difference {number(found.difference.estimate)}, {tested(found.difference, level)}"
    else:
        yield from wrapped(f"difference: not estimable: {found.difference.reason}", "    ")
    if isinstance(found.ratio, Ratio) and isinstance(found.log_ratio, Effect):
        yield f"    ratio {number(found.ratio.value)}, {percent(level)} interval {interval(found.ratio.ci)}"
    elif isinstance(found.ratio, NotEstimable):
        yield from wrapped(f"ratio: not estimable: {found.ratio.reason}", "    ")


def _notes(result: Comparison) -> Iterable[str]:
    yield from result.warnings
    for name, value in result.methods.items():
        if isinstance(value, NotEstimable):
            continue
        said = [one for one in value.warnings if one != MEANING]
        if isinstance(value, RandomisationTest):
            kind = "all" if value.exact else "a random draw"
            count = "the scheme's" if value.allocations is None else f"{value.allocations:,}"
            said.insert(0, f"p over {kind} of {count} allocations")
        elif isinstance(value, WildBootstrap):
            kind = f"all {value.draws:,} sign changes" if value.exact else f"{value.draws:,} drawn weights"
            said.insert(0, f"p over {kind}")
        if said:
            yield f"{NAMES[name]}: {'; '.join(said)}"


def _careless(result: Comparison) -> Iterable[str]:
    """Where a method in common use claims more than its honest counterpart on these very data."""
    sites = sum(result.counts.sites)
    boundary = result.variance.boundary if isinstance(result.variance, Variance) else ()
    careless, honest = (result.methods.get(name) for name in ("lmm_satterthwaite", "lmm_kenward_roger"))
    if boundary and isinstance(careless, Effect) and isinstance(honest, Effect) and careless.df > honest.df:
        yield (
            f"why not Satterthwaite: it drops the level estimated as zero ({', '.join(boundary)}) and takes "
            f"{careless.df:.3g} degrees of freedom from {sites} sites: p {equals(careless.p)}; Kenward–Roger keeps "
            f"the level and has {honest.df:.3g}: p {equals(honest.p)}"
        )
    careless, honest = (result.methods.get(name) for name in ("cr1s", "cr2"))
    if isinstance(careless, Effect) and isinstance(honest, Effect):
        narrower = 1 - _span(careless.ci) / _span(honest.ci)
        if narrower > _NARROWER:
            yield (
                f"why not CR1S: its SE is {number(careless.se)} with {careless.df:.3g} degrees of freedom, that of CR2 "
                f"{number(honest.se)} with {honest.df:.3g}; so its interval is {100 * narrower:.0f} % narrower and "
                f"p {equals(careless.p)}, where CR2 has p {equals(honest.p)}"
            )


def _span(ci: Interval) -> float:
    low, high = ci
    return math.inf if low is None or high is None else high - low


def _weights(result: Comparison) -> Iterable[str]:
    weights: dict[str, list[str]] = {}
    for name, value in result.methods.items():
        if name in WEIGHTS and not isinstance(value, NotEstimable):
            weights.setdefault(WEIGHTS[name], []).append(NAMES[name])
    for weight, names in weights.items():
        yield f"{weight}: {'; '.join(names)}"
