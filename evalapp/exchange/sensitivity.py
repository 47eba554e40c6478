"""What stands beside a comparison as text for a person: for whom, what is missing, other priors, other weights."""

from collections.abc import Iterable

from analysis.bayes.nested import Bayesian, Posterior
from analysis.compare import Comparison, MethodResult
from analysis.mediation import Mediation
from analysis.missing.imputation import Pooled
from analysis.missing.patterns import Group, MissingPatterns
from analysis.missing.tipping import Direction, Tipping
from analysis.moderation import ByBaseline, ByGroup
from analysis.nonrandomised.evalue import EValue
from analysis.nonrandomised.weighted_did import ASSOCIATED, WeightedComparison
from analysis.nonrandomised.weights import BalanceTable
from analysis.ordinal.clmm import Clmm
from analysis.ordinal.proportional_odds import ProportionalOdds
from analysis.recruitment import Recruited
from analysis.results import Effect, NotEstimable
from analysis.sensitivity import Missing, NotRandomised, OddsRatios, Sensitivity, SmallEnough
from evalapp.exchange.text import cut, equals, header, interval, number, p_value, percent, row, wrapped

WHO: dict[Direction, str] = {
    "treatment": "the missing of the treatment arm alone",
    "control": "the missing of the control arm alone",
    "both": "the missing of both arms alike",
    "opposite": "treatment one way, control the other",
}
WEIGHTS = {"overlap": "overlap weights", "entropy": "entropy balancing"}
# Groups of one kind shown one a line; of more, those with the largest share missing.
_SHOWN = 8


def beside_it(found: Sensitivity, result: Comparison) -> list[list[str]]:
    """A section for each question that was asked or that the data raise; none where there is nothing to say."""
    return [
        list(_recruited(found.recruited)),
        list(_every_review(found.every_review, result)),
        list(_odds(found.odds, result.level)),
        list(_small_enough(found.small_enough)),
        list(_bayesian(found.bayesian, result)),
        list(_not_randomised(found.not_randomised, result.level)),
        *(list(_moderated(by, one)) for by, one in found.moderation.items()),
        list(_mediation(found.mediation, result.level)),
        list(_missing(found.missing, result)),
    ]


def _recruited(found: Recruited | None) -> Iterable[str]:
    if found is None:
        return
    yield f"  {'consent and allocation':26}{'treatment':>11}{'control':>11}"
    for title, (treated, control) in (("before", found.before), ("after", found.after), ("not known", found.unknown)):
        yield f"    {title:24}{treated:>11}{control:>11}"
    if found.warning is not None:
        yield from wrapped(found.warning, "  – ")


def _every_review(found: MethodResult | None, result: Comparison) -> Iterable[str]:
    if found is None:
        return
    yield "People of several reviews counted in each, and not in the first alone"
    if isinstance(found, Effect):
        yield header("what decides", result.level)
        yield row("    everybody in every review", found)
    else:
        reason = found.reason if isinstance(found, NotEstimable) else "what decides has no t distribution"
        yield from wrapped(f"not estimable: {reason}", "  – ")


def _odds(found: OddsRatios | None, level: float) -> Iterable[str]:
    if found is None:
        return
    yield from _odds_ratio(
        "Odds ratio of a higher category, proportional odds, sites left out in turn", found.average, level
    )
    if found.within is not None:
        yield from _odds_ratio("  the same within a site and review, cumulative-link mixed model", found.within, level)


def _odds_ratio(title: str, found: ProportionalOdds | Clmm | NotEstimable, level: float) -> Iterable[str]:
    if isinstance(found, NotEstimable):
        yield from wrapped(f"{title}: not estimable: {found.reason}")
        return
    yield title
    effect = found.effect
    yield (
        f"    {number(found.odds_ratio)}, {percent(level)} interval {interval(found.odds_ratio_ci)}, t({effect.df:.4g}) = "
        f"{effect.statistic:.3f}, p {equals(effect.p)}"
    )
    for note in effect.warnings:
        yield from wrapped(note, "    – ")


def _mediation(found: Mediation | NotEstimable | None, level: float) -> Iterable[str]:
    if found is None:
        return
    yield "How much of the difference goes with the mediator?  Exploratory"
    if isinstance(found, NotEstimable):
        yield from wrapped(f"not estimable: {found.reason}", "    ")
        return
    yield f"    {'':37}{'estimate':>10}{'p':>10}  interval"
    for title, effect in (
        ("arm on the mediator", found.on_mediator),
        ("mediator on the outcome, between sites", found.between),
        ("mediator on the outcome, within sites", found.within),
        ("arm, the mediator held equal", found.direct),
    ):
        yield from _effect(title, effect, p=True)
    yield (
        f"    {'through the mediator, between sites':38}{number(found.indirect):>9}{'':>10}  {interval(found.ci)} "
        f"({percent(level)}, {found.draws:,} draws)"
    )
    for note in found.warnings:
        yield from wrapped(note, "  – ")


def _small_enough(found: SmallEnough | NotEstimable | None) -> Iterable[str]:
    if found is None:
        return
    if isinstance(found, NotEstimable):
        yield from wrapped(f"Too small to matter?  not tested: {found.reason}")
        return
    within, worse = found.equivalence, found.noninferiority
    yield f"Too small to matter?  smallest worthwhile difference {number(within.margin)}"
    shown = "shown, any difference is too small to matter" if within.conclusion == "equivalent" else "not shown"
    yield f"  within it either way: {shown}, p {equals(within.p)} (the larger of two one-sided tests)"
    shown = "shown" if worse.conclusion == "not worse" else "not shown"
    yield f"  not worse by it: {shown}, p {equals(worse.p)} (one-sided)"


def _bayesian(found: Bayesian | NotEstimable | None, result: Comparison) -> Iterable[str]:
    if found is None:
        return
    yield "With so few sites: what may be believed, by the nested model with stated priors"
    if isinstance(found, NotEstimable):
        yield from wrapped(f"not estimable: {found.reason}", "  – ")
        return
    for one in (found.posterior, *found.alternatives):
        yield from _posterior(one, result.level)
    said = set(result.warnings) | {f"priors: {found.posterior.priors.in_words()}"}
    for note in found.warnings:
        if note not in said:
            yield from wrapped(note, "  – ")


def _posterior(one: Posterior, level: float) -> Iterable[str]:
    yield from wrapped(one.priors.in_words(), "  ")
    worthwhile = (
        "" if one.worthwhile is None else f", of more than the smallest worthwhile {probability(one.worthwhile)}"
    )
    yield from wrapped(
        f"difference {number(one.mean)}, {percent(level)} credible interval {interval(one.ci)}; probability of a "
        f"benefit {probability(one.benefit)}{worthwhile}",
        "    ",
    )


def probability(share: float) -> str:
    """A probability to three figures, never shown as certain."""
    if share > 0.9995:
        return "> 99.9 %"
    return "< 0.1 %" if share < 0.0005 else f"{100 * share:.1f} %"


def _not_randomised(found: NotRandomised | None, level: float) -> Iterable[str]:
    if found is None:
        return
    yield "Sites were not randomised: how alike the arms were, and whether weights would change the answer"
    yield from _balance(found.balance, "sites compared")
    estimated = {kind: one for kind, one in found.weighted.items() if isinstance(one, WeightedComparison)}
    if estimated:
        yield header("difference in change, weighted by", level)
    for kind, one in estimated.items():
        yield row(f"    {WEIGHTS[kind]}", one.effect)
    for kind, weighted in found.weighted.items():
        if isinstance(weighted, NotEstimable):
            yield from wrapped(f"{WEIGHTS[kind]}: not estimable: {weighted.reason}", "  – ")
            continue
        yield from _balance(weighted.balance, WEIGHTS[kind])
        for note in weighted.effect.warnings:
            if note != ASSOCIATED:  # said of the whole comparison already
                yield from wrapped(f"{WEIGHTS[kind]}: {note}", "  – ")
    yield from _strength(found.e_value)


def _balance(found: BalanceTable | NotEstimable, title: str) -> Iterable[str]:
    if isinstance(found, NotEstimable):
        yield from wrapped(f"balance: {found.reason}", "  – ")
        return
    worth = " and ".join(f"{one:.4g}" for one in found.effective_sites)
    yield f"  {f'balance, {title}':36}{'treatment':>11}{'control':>11}{'apart, SD':>11}   worth {worth} sites"
    for one in found.covariates:
        treated, control = (number(mean) for mean in one.weighted_means)
        yield f"    {cut(one.covariate, 34):34}{treated:>11}{control:>11}{round(one.weighted_difference, 2) + 0.0:>11.2f}"


def _strength(found: EValue | NotEstimable) -> Iterable[str]:
    if isinstance(found, NotEstimable):
        yield from wrapped(f"E-value: not estimable: {found.reason}", "  – ")
        return
    end = "an unbounded interval has none" if found.interval_end is None else f"{found.interval_end:.2f}"
    yield from wrapped(
        f"E-value {found.estimate:.2f}, of the interval's nearer end {end}: an unmeasured cause would need at least this "
        "risk ratio with the arm and with the outcome to explain the difference away",
        "  ",
    )


def _moderated(by: str, found: ByGroup | ByBaseline | NotEstimable) -> Iterable[str]:
    yield f"Does the difference depend on {by}?  Exploratory, unless a plan named it"
    if not isinstance(found, NotEstimable):
        yield f"    {'':37}{'difference':>10}{'p':>10}  interval"
    yield from moderation_lines(by, found)
    for one in () if isinstance(found, NotEstimable) else found.warnings:
        yield from wrapped(one, "  – ")


def moderation_lines(by: str, found: ByGroup | ByBaseline | NotEstimable) -> Iterable[str]:
    """The difference within groups and between them, one a line."""
    if isinstance(found, NotEstimable):
        yield from wrapped(f"not estimable: {found.reason}", "    ")
    elif isinstance(found, ByGroup):
        for group, effect in found.effects.items():
            yield from _effect(f"in {group}", effect, p=False)
        for group, effect in found.differences.items():
            yield from _effect(f"{group} less {found.reference}", effect, p=True)
        if not isinstance(found.together, NotEstimable) and len(found.differences) > 1:
            yield f"    {'all alike, together':38}{'':>9}{p_value(found.together.p):>10}"
    else:
        for value, effect in found.at:
            yield from _effect(f"at {by} {number(value)}", effect, p=False)
        yield from _effect(f"more for each point of {by}", found.per_point, p=True)


def _effect(title: str, effect: Effect | NotEstimable, *, p: bool) -> Iterable[str]:
    """One line; a difference within a group has no p, for it says nothing of whether groups differ."""
    if isinstance(effect, NotEstimable):
        return wrapped(f"{title}: not estimable: {effect.reason}", "    ")
    shown = p_value(effect.p) if p else ""
    return [f"    {title:38}{number(effect.estimate):>9}{shown:>10}  {interval(effect.ci)}"]


def _missing(found: Missing, result: Comparison) -> Iterable[str]:
    """Nothing where everybody answered everything."""
    whole = isinstance(found.patterns, MissingPatterns) and _complete(found.patterns.everyone)
    if whole and not isinstance(found.imputed, Pooled):
        return
    yield "What is missing, and what it could do"
    if isinstance(found.patterns, NotEstimable):
        yield from wrapped(found.patterns.reason, "  – ")
    else:
        yield from _patterns(found.patterns)
    for what, tipped in (("people", found.people), ("whole sites", found.sites)):
        yield from tipping_lines(what, tipped)
    if isinstance(found.imputed, Pooled):
        one = found.imputed
        gaps = ", ".join(f"{name} {count}" for name, count in one.filled)
        yield header("multilevel multiple imputation", result.level)
        yield row(f"    over {one.imputations} filled tables", one.effect)
        yield from wrapped(
            f"filled: {gaps}; {probability(one.fraction_missing)} of the information is missing; supposes that the missing "
            "are like others of their arm with the same answers",
            "    ",
        )
    else:
        yield from wrapped(f"multiple imputation: {found.imputed.reason}", "    ")


def _complete(one: Group) -> bool:
    return all(count == one.people for count in one.answered)


def _patterns(found: MissingPatterns) -> Iterable[str]:
    names = [cut(name, 16) for name in found.measurements]
    yield f"  {'answered':26}{'people':>8}" + "".join(f"{name:>18}" for name in names)
    yield from _answered(found.everyone, "everyone")
    for kind, groups in (("arm", found.by_arm), ("role", found.by_role), ("site", found.by_site)):
        lacking = [one for one in groups if not _complete(one)] if kind == "site" else list(groups)
        shown = sorted(sorted(lacking, key=_share)[:_SHOWN], key=groups.index)
        for one in shown:
            yield from _answered(one, f"{kind} {one.label}")
        if len(lacking) > len(shown):
            yield f"    {f'… and {len(lacking) - len(shown)} sites more with gaps':26}"
    held = (
        (
            " and ".join(name for name, has in zip(found.measurements, one.has, strict=True) if has) or "nothing",
            one.people,
        )
        for one in found.everyone.patterns
    )
    yield from wrapped("together: " + "; ".join(f"{people} have {what}" for what, people in held), "    ")
    for name, silent in zip(found.measurements, found.silent_sites, strict=True):
        if silent:
            yield from wrapped(f"nobody has {name} at site {', '.join(silent)}", "    ")


def _share(one: Group) -> float:
    return min(one.answered) / one.people


def _answered(one: Group, label: str) -> Iterable[str]:
    shares = (f"{count} ({100 * count / one.people:.0f} %)" for count in one.answered)
    yield f"    {cut(label, 24):24}{one.people:>8}" + "".join(f"{share:>18}" for share in shares)


def tipping_lines(what: str, found: Tipping | NotEstimable) -> Iterable[str]:
    """How different the missing would have to be, one direction a line."""
    if isinstance(found, NotEstimable):
        yield from wrapped(f"missing {what}: {found.reason}", "    ")
        return
    treated, control = (f"{100 * share:.1f} %" for share in found.shares)
    yield f"    missing {what}: {treated} and {control} (treatment, control)"
    turned = "includes" if found.excludes_zero else "excludes"
    yield f"      {'points by which they would differ from those like them':56}{'estimate 0':>12}  interval {turned} 0"
    for one in found.points:
        if one.estimate_zero is None or one.interval is None:
            yield f"      {WHO[one.direction]:56}{'never':>12}  never"
        else:
            yield f"      {WHO[one.direction]:56}{number(one.estimate_zero):>12}  {number(one.interval)}"
