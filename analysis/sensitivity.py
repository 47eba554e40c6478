"""What a careful reader asks beside a comparison: for whom, what if the missing differ, other priors, other weights.

None of it decides. Each answer is a result or the reason there is none; what does not concern the comparison is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.bayes.nested import Bayesian, bayesian
from analysis.compare import WEIGHTS, Comparison, MethodResult, results
from analysis.equivalence import Equivalence, NonInferiority, equivalence, noninferiority
from analysis.errors import BadData
from analysis.labels import numbers
from analysis.mediation import Mediation, mediate
from analysis.missing.imputation import Pooled, multiply_imputed
from analysis.missing.patterns import MissingPatterns, missing_patterns
from analysis.missing.tipping import Tipping, shares_of, tipping
from analysis.model_matrix import site_means
from analysis.moderation import ByBaseline, ByGroup, moderation
from analysis.nonrandomised.evalue import EValue, e_value
from analysis.nonrandomised.weighted_did import WeightedComparison, weighted_did
from analysis.nonrandomised.weights import WEIGHTINGS, BalanceTable, Weighting, balance_table
from analysis.ordinal.clmm import Clmm, clmm
from analysis.ordinal.proportional_odds import ProportionalOdds, proportional_odds
from analysis.primary import SITES_TO_JUDGE
from analysis.question import Question
from analysis.recruitment import Recruited, recruited
from analysis.results import Effect, Floats, NotEstimable
from analysis.threads import one_thread
from analysis.trial_data import REPEATED, read
from analysis.views import MOST_REFITTED, MOST_ROWS

# δ of the grid, as multiples of the smallest worthwhile difference; without one, of 0.4 SD of the outcome.
_STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)
_STEP_IN_SD = 0.4
# Values of an outcome that is ordered, and not yes or no nor a score.
FEWEST_CATEGORIES, MOST_CATEGORIES = 3, 10
NOT_ASKED = "not asked for; say how many filled tables to make, 20 or more"
NO_DECISION = "no method decides: so few sites are only described"
TOO_MANY = f"left out with more than {MOST_ROWS:,} rows, where it would take longer than the comparison"


@dataclass(frozen=True)
class Asked:
    """moderators : columns of groups, or of numbers, by which the difference may differ.   role : for patterns of missing.

    site_covariates : numbers to balance where sites were not randomised, averaged over a site's people.
    imputations : filled tables to make, 0 for none.   auxiliary : complete columns that help to fill.
    worthwhile : smallest worthwhile difference, in outcome units.   higher_is_better : for what is a benefit.
    mediator : a column of numbers through which the difference may go.   mixed_odds : of an ordered outcome also the
    odds ratio within sites and reviews, by the cumulative-link mixed model, which takes seconds.
    consented, allocated : columns with the dates of each person's consent and of their site's allocation; both or neither.
    """

    moderators: tuple[str, ...] = ()
    role: str | None = None
    site_covariates: tuple[str, ...] = ()
    imputations: int = 0
    auxiliary: tuple[str, ...] = ()
    worthwhile: float | None = None
    higher_is_better: bool = True
    mediator: str | None = None
    mixed_odds: bool = False
    consented: str | None = None
    allocated: str | None = None

    def __post_init__(self) -> None:
        if self.imputations < 0 or self.imputations == 1:
            raise BadData(
                f"{self.imputations} imputations cannot tell how much the gaps matter; ask for 20, or for none"
            )
        if self.worthwhile is not None and not 0.0 < self.worthwhile < float("inf"):
            raise BadData(f"the smallest worthwhile difference is {self.worthwhile:g}; give a number above 0")
        if (self.consented is None) != (self.allocated is None):
            raise BadData("one of consented and allocated is given; name the column of consent and that of allocation")

    def columns(self) -> list[tuple[str, str]]:
        """Every (role, column) that is named here."""
        return [
            *(("moderator", name) for name in self.moderators),
            *(("role", name) for name in (self.role,) if name),
            *(("site covariate", name) for name in self.site_covariates),
            *(("auxiliary column", name) for name in self.auxiliary),
            *(("mediator", name) for name in (self.mediator,) if name),
            *(("date", name) for name in (self.consented, self.allocated) if name),
        ]


@dataclass(frozen=True)
class Missing:
    """patterns : who has baseline and outcome, by arm, role and site.   people, sites : tipping points, each apart.

    imputed : the comparison over filled tables.
    """

    patterns: MissingPatterns | NotEstimable
    people: Tipping | NotEstimable
    sites: Tipping | NotEstimable
    imputed: Pooled | NotEstimable

    def to_dict(self) -> dict[str, Any]:
        return {
            "patterns": self.patterns.to_dict(),
            "tipping": {"people": self.people.to_dict(), "sites": self.sites.to_dict()},
            "imputed": self.imputed.to_dict(),
        }


@dataclass(frozen=True)
class NotRandomised:
    """balance : of baseline, covariates and site covariates between sites as they are.   weighted : by kind of weights.

    e_value : of the difference that decides, on the total SD.
    """

    balance: BalanceTable | NotEstimable
    weighted: Mapping[Weighting, WeightedComparison | NotEstimable]
    e_value: EValue | NotEstimable

    def to_dict(self) -> dict[str, Any]:
        return {
            "balance": self.balance.to_dict(),
            "weighted": {kind: found.to_dict() for kind, found in self.weighted.items()},
            "e_value": self.e_value.to_dict(),
        }


@dataclass(frozen=True)
class SmallEnough:
    """Tests against the smallest worthwhile difference: within it either way, and not worse by it."""

    equivalence: Equivalence
    noninferiority: NonInferiority

    def to_dict(self) -> dict[str, Any]:
        return {"equivalence": self.equivalence.to_dict(), "noninferiority": self.noninferiority.to_dict()}


@dataclass(frozen=True)
class OddsRatios:
    """Of a higher category.   average : over sites, proportional odds with the jackknife of sites.

    within : of people of the same site and review; None where it was not asked for.
    """

    average: ProportionalOdds | NotEstimable
    within: Clmm | NotEstimable | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "average": self.average.to_dict(),
            "within": None if self.within is None else self.within.to_dict(),
        }


@dataclass(frozen=True)
class Sensitivity:
    """small_enough : None without a smallest worthwhile difference.   moderation : by moderator.

    bayesian : where there are 4 or 5 sites, None with more.   not_randomised : None where sites were randomised.
    recruited : None where no dates were named.   odds : of an outcome of 3 to 10 values, else None.
    mediation : exploratory; None without a mediator.   every_review : what decides, people of several reviews counted in
    each; None where nobody is in more than one.
    """

    small_enough: SmallEnough | NotEstimable | None
    moderation: Mapping[str, ByGroup | ByBaseline | NotEstimable]
    missing: Missing
    bayesian: Bayesian | NotEstimable | None
    not_randomised: NotRandomised | None
    recruited: Recruited | None
    odds: OddsRatios | None = None
    mediation: Mediation | NotEstimable | None = None
    every_review: MethodResult | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, at full precision; never NaN or Infinity."""
        return {
            "small_enough": None if self.small_enough is None else self.small_enough.to_dict(),
            "moderation": {by: found.to_dict() for by, found in self.moderation.items()},
            "missing": self.missing.to_dict(),
            "bayesian": None if self.bayesian is None else self.bayesian.to_dict(),
            "not_randomised": None if self.not_randomised is None else self.not_randomised.to_dict(),
            "recruited": None if self.recruited is None else self.recruited.to_dict(),
            "odds": None if self.odds is None else self.odds.to_dict(),
            "mediation": None if self.mediation is None else self.mediation.to_dict(),
            "every_review": None if self.every_review is None else self.every_review.to_dict(),
        }


def sensitivity(frame: pd.DataFrame, question: Question, result: Comparison, asked: Asked = Asked()) -> Sensitivity:
    """Everything beside a comparison that concerns it, or was asked for.

    frame, question : as they were given to `analysis.compare.compare`; rows are everyone invited, blank where a value is
    missing.   result : its answer. Above 200,000 rows the missing are not looked at, and the result says so. Raises
    BadData, in one line, where a column named in `asked` is not there or cannot be what it is named as.

    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"site": np.repeat(np.arange(5), 9)})
    >>> people["arm"] = people.site % 2
    >>> people["score"] = pd.Series(rng.normal(size=45)).where(rng.random(45) > 0.2)
    >>> from analysis.compare import compare
    >>> asked = Question("score", "arm", "site", design="randomised", planned_sites=5)
    >>> found = sensitivity(people, asked, compare(people, asked), Asked(worthwhile=0.4))
    >>> found.missing.patterns.by_arm[1].answered, 0 < found.bayesian.posterior.worthwhile < 1, found.not_randomised
    ((15,), True, None)
    """
    have = {str(name) for name in frame.columns}
    for role, column in asked.columns():
        if column not in have:
            raise BadData(f'there is no column "{column}" for the {role}; name one of: {", ".join(sorted(have)[:12])}')
    decided = result.primary_result
    return Sensitivity(
        small_enough=None
        if asked.worthwhile is None
        else _small_enough(decided, question, result, asked.worthwhile, higher_is_better=asked.higher_is_better),
        moderation={by: moderation(frame, question, by) for by in asked.moderators},
        missing=_missing(frame, question, result, asked),
        bayesian=_bayesian(frame, question, result, asked),
        not_randomised=_not_randomised(frame, question, result, asked),
        recruited=recruited(frame, question, asked.consented, asked.allocated)
        if asked.consented and asked.allocated
        else None,
        odds=_odds(frame, question, within=asked.mixed_odds),
        every_review=_every_review(frame, question, result),
        mediation=mediate(frame, question, asked.mediator) if asked.mediator else None,
    )


def tipping_points(
    frame: pd.DataFrame, question: Question, method: str | None, result: MethodResult | None, worthwhile: float | None
) -> tuple[Tipping | NotEstimable, Tipping | NotEstimable]:
    """Tipping points of the result of a method: of missing people, and of whole sites that fell silent.

    The shares missing are of what the method gives equal weight to. The grid is in steps of the smallest worthwhile
    difference, without one of 0.4 SD of the outcome.
    """
    if result is None or method is None or isinstance(result, NotEstimable):
        reason = NotEstimable(result.reason if isinstance(result, NotEstimable) else NO_DECISION)
        return reason, reason
    if method == "win_probability":
        reason = NotEstimable("a win probability is not in points, so no shift in points can be added to it")
        return reason, reason
    shares = shares_of(frame, question, "site" if WEIGHTS[method] == "every site the same" else "person")
    step = worthwhile
    if step is None:
        step = _STEP_IN_SD * float(np.nanstd(numbers(frame[question.outcome], question.outcome), ddof=1))
    deltas = [step * one for one in _STEPS]
    return (
        tipping(result.estimate, result.ci, shares.people, deltas),
        tipping(result.estimate, result.ci, shares.sites, deltas),
    )


def _small_enough(
    decided: MethodResult | None, question: Question, result: Comparison, worthwhile: float, *, higher_is_better: bool
) -> SmallEnough | NotEstimable:
    """At half of what the interval leaves out, so that "within" and an interval within are the same statement."""
    if not isinstance(decided, Effect):
        reason = (
            decided.reason if isinstance(decided, NotEstimable) else "the method that decides has no t distribution"
        )
        return NotEstimable(reason)
    if _sites(question, result) < SITES_TO_JUDGE:
        return NotEstimable(f"with fewer than {SITES_TO_JUDGE} sites nothing is tested")
    alpha = (1.0 - result.level) / 2.0
    return SmallEnough(
        equivalence(decided, worthwhile, alpha),
        noninferiority(decided, worthwhile, higher_is_better=higher_is_better, alpha=alpha),
    )


def _sites(question: Question, result: Comparison) -> int:
    return question.planned_sites or sum(result.counts.sites)


def _missing(frame: pd.DataFrame, question: Question, result: Comparison, asked: Asked) -> Missing:
    if len(frame) > MOST_ROWS:
        skipped = NotEstimable(TOO_MANY)
        return Missing(skipped, skipped, skipped, skipped)
    patterns: MissingPatterns | NotEstimable
    measured = [name for name in (question.baseline, question.outcome) if name]
    try:
        patterns = missing_patterns(
            frame, measured, arm=question.arm, site=question.site, role=asked.role, participant=question.participant,
            review=question.review, wave=question.wave, order=question.wave_order,
        )  # fmt: skip
    except BadData as error:  # as where somebody's arm is unknown, who is left out of the comparison and counted
        patterns = NotEstimable(str(error))
    method = result.primary.method
    people, sites = tipping_points(frame, question, method, result.primary_result, asked.worthwhile)
    imputed: Pooled | NotEstimable = NotEstimable(NOT_ASKED)
    if asked.imputations and method is None:
        imputed = NotEstimable(NO_DECISION)
    elif asked.imputations and method is not None:
        imputed = multiply_imputed(
            frame, question, imputations=asked.imputations, auxiliary=asked.auxiliary, method=method
        )
    return Missing(patterns, people, sites, imputed)


def _bayesian(
    frame: pd.DataFrame, question: Question, result: Comparison, asked: Asked
) -> Bayesian | NotEstimable | None:
    """Where the sites are so few that nothing is called significant, what can be believed stands beside."""
    if not 4 <= _sites(question, result) < SITES_TO_JUDGE:
        return None
    return bayesian(frame, question, smallest_worthwhile=asked.worthwhile, higher_is_better=asked.higher_is_better)


def _every_review(frame: pd.DataFrame, question: Question, result: Comparison) -> MethodResult | None:
    """The same people counted as often as they were in a review, which makes them look like more than they are."""
    if not result.counts.excluded.get(REPEATED):
        return None
    if result.primary.method is None:
        return NotEstimable(NO_DECISION)
    if question.wave:
        return NotEstimable(
            "long data: rows of a person cannot be told apart but by review, so they count in the first"
        )
    asked = replace(question, participant=None)
    with one_thread():
        return results(read(frame, asked), asked, (result.primary.method,))[result.primary.method]


def _odds(frame: pd.DataFrame, question: Question, *, within: bool) -> OddsRatios | None:
    values = frame[question.outcome].nunique()
    if not FEWEST_CATEGORIES <= values <= MOST_CATEGORIES:
        return None
    data = read(frame, question)
    if len(data.outcome) * len(data.site_arm) > MOST_REFITTED:
        reason = NotEstimable(
            f"left out with more than {MOST_REFITTED:,} people × sites, as each site is left out once"
        )
        return OddsRatios(reason, reason if within else None)
    return OddsRatios(
        proportional_odds(data.outcome, data.arm, data.site, data.adjustments, level=question.level),
        clmm(data.outcome, data.arm, data.site, data.review, data.adjustments, level=question.level)
        if within
        else None,
    )


def _not_randomised(frame: pd.DataFrame, question: Question, result: Comparison, asked: Asked) -> NotRandomised | None:
    if question.design != "nonrandomised":
        return None
    strength: EValue | NotEstimable = NotEstimable("there is no standardised difference to judge")
    if result.effect_size is not None:
        strength = e_value(result.effect_size)
    return NotRandomised(
        _balance(frame, question, asked.site_covariates),
        {kind: _weighted(frame, question, asked.site_covariates, kind) for kind in WEIGHTINGS},
        strength,
    )


def _weighted(
    frame: pd.DataFrame, question: Question, site_covariates: tuple[str, ...], kind: Weighting
) -> WeightedComparison | NotEstimable:
    if not site_covariates:
        return NotEstimable("no site covariate was named; name those to balance")
    try:
        return weighted_did(frame, question, site_covariates, kind)
    except BadData as error:  # a covariate that is the arm under another name, or no number
        return NotEstimable(str(error))


def _balance(frame: pd.DataFrame, question: Question, site_covariates: tuple[str, ...]) -> BalanceTable | NotEstimable:
    """Of everything measured before that the question or the reader names, sites weighing the same."""
    named = {column for _, column in question.columns()}
    more = tuple(name for name in site_covariates if name not in named)
    data = read(frame, replace(question, covariates=(*question.covariates, *more)))
    columns: list[tuple[str, Floats]] = list(data.covariates)
    if data.baseline is not None:
        columns.insert(0, (question.baseline or "first wave", data.baseline))
    if not columns:
        return NotEstimable("neither a baseline nor a covariate was named, so there is nothing to compare the arms in")
    means = np.column_stack([site_means(values, data.site) for _, values in columns])
    try:
        return balance_table([name for name, _ in columns], means, data.site_arm, np.ones(len(data.site_arm)))
    except BadData as error:  # a covariate that is the arm under another name
        return NotEstimable(str(error))
