"""Compare two arms: the planned primary, every method beside it, variances, ICCs and the effect size."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from analysis.allocated import allocated, drawn, scheme_of
from analysis.errors import BadData
from analysis.lmm import reml
from analysis.lmm.clda import NOT_RANDOMISED, clda
from analysis.lmm.kenward_roger import kenward_roger
from analysis.lmm.satterthwaite import satterthwaite
from analysis.long_data import read_long
from analysis.marginal.gee import gee, gee_fit
from analysis.measures.hedges_g import hedges_g
from analysis.measures.icc import icc_review, icc_site
from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT, ModelMatrix, model_matrix, site_means
from analysis.ordinal.win_probability import advises_win_probability, win_probability
from analysis.primary import Primary, choose_primary, is_uneven
from analysis.question import METHODS, RECORDED, UNRECORDED, Question
from analysis.resampling.allocations import AllocationScheme, Constrained, scheme
from analysis.resampling.randomisation import RandomisationTest, randomisation_test
from analysis.resampling.studentised import studentised_test
from analysis.resampling.wild_bootstrap import WildBootstrap, wild_bootstrap
from analysis.results import Codes, Effect, Floats, NotEstimable, Ratio
from analysis.robust.cluster_robust import Kind, SiteScores, cluster_robust, site_scores
from analysis.robust.did import did, site_difference
from analysis.threads import one_thread
from analysis.trial_data import Counts, TrialData, read
from analysis.two_stage.cluster_summary import ATTENUATED, cluster_summary, site_residual_means
from analysis.version import VERSION

__all__ = ["METHODS", "BadData", "Comparison", "Question", "Variance", "compare", "residual_site_means", "results"]

# Those that may decide and suppose that both arms vary alike.
_POOL = frozenset(["cluster_summary", "lmm_kenward_roger", "clda"])

MethodResult = Effect | RandomisationTest | WildBootstrap | NotEstimable

# What the estimate of each method gives equal weight to; printed beside it.
WEIGHTS = {
    "lmm_kenward_roger": "between people and sites, by the estimated variances",
    "lmm_satterthwaite": "between people and sites, by the estimated variances",
    "cluster_summary": "every site the same",
    "cr1s": "every person the same",
    "cr2": "every person the same",
    "cr3": "every person the same",
    "wild_bootstrap": "every person the same",
    "gee": "between people and sites, by the estimated correlation",
    "win_probability": "between people and sites, by the estimated variances",
    "randomisation": "every site the same",
    "did": "every site the same",
    "clda": "between people and sites, by the estimated variances; people with some waves count at those",
}


# Lord 1967, Psychological Bulletin 68, 304–305.
LORD = (
    "changes and the outcome adjusted for the baseline (cr2) tell different stories here, as they may where the arms started "
    "apart: each rests on its own belief about what the sites would have done otherwise, and the data cannot choose"
)


@dataclass(frozen=True)
class Variance:
    """Variance components of the adjusted mixed model; `review` None where it is not in the model."""

    site: float
    review: float | None
    residual: float
    boundary: tuple[str, ...]
    reml_loglik: float


@dataclass(frozen=True)
class Comparison:
    """Everything one comparison says.

    methods : by name, an effect or the reason there is none.    primary : which of them decides, and why.
    icc, icc_without_baseline : "site" and "review", each a Ratio or None.
    warnings : about the data; those about one method are in its result.
    """

    outcome: str
    treatment: str
    control: str
    counts: Counts
    primary: Primary
    methods: dict[str, MethodResult]
    variance: Variance | NotEstimable
    icc: dict[str, Ratio | None]
    icc_without_baseline: dict[str, Ratio | None]
    effect_size: Ratio | None
    warnings: tuple[str, ...]
    data_sha256: str
    version: str
    seed: int
    level: float

    @property
    def primary_result(self) -> MethodResult | None:
        """The result that decides; None where nothing does, or it was not asked for."""
        return self.methods.get(self.primary.method) if self.primary.method else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, at full precision; never NaN or Infinity."""
        counts = self.counts
        variance: dict[str, Any] | None = None
        if isinstance(self.variance, Variance):
            variance = {
                "site": self.variance.site,
                "review": self.variance.review,
                "residual": self.variance.residual,
                "boundary": list(self.variance.boundary),
                "reml_loglik": self.variance.reml_loglik,
            }
        else:
            variance = self.variance.to_dict()
        return {
            "outcome": self.outcome,
            "contrast": "treatment − control",
            "treatment": self.treatment,
            "n": {
                "rows": counts.rows,
                "analysed": counts.analysed,
                "excluded": dict(counts.excluded),
                "sites": list(counts.sites),
                "reviews": None if counts.reviews is None else list(counts.reviews),
                "participants": list(counts.participants),
            },
            "primary": self.primary.method,
            "primary_reason": self.primary.reason,
            "methods": {name: result.to_dict() for name, result in self.methods.items()},
            "variance": variance,
            "icc": _ratios(self.icc),
            "icc_without_baseline": _ratios(self.icc_without_baseline),
            "effect_size": None
            if self.effect_size is None
            else {"hedges_g": self.effect_size.value, "ci": list(self.effect_size.ci)},
            "warnings": list(self.warnings),
            "provenance": {"data_sha256": self.data_sha256, "version": self.version, "seed": self.seed},
        }


def _ratios(ratios: dict[str, Ratio | None]) -> dict[str, Any]:
    return {name: None if ratio is None else ratio.to_dict() for name, ratio in ratios.items()}


def compare(frame: pd.DataFrame, question: Question, data_sha256: str | None = None) -> Comparison:
    """Answer a question about a table.

    frame : one row a person (or person and wave), with the columns the question names; rows that lack a
    value are left out and counted. data_sha256 : of the file the table came from; without it the named
    columns are hashed. Raises BadData, in one line, where the table cannot answer the question.

    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"site": np.repeat(np.arange(8), 12)})
    >>> table["arm"] = table.site % 2
    >>> table["score"] = rng.normal(size=96) + 0.8 * table.arm
    >>> found = compare(table, Question("score", "arm", "site", design="randomised", planned_sites=8))
    >>> found.primary.method, round(found.methods["cluster_summary"].estimate, 3), found.methods["cluster_summary"].df
    ('cluster_summary', 0.703, 6.0)
    >>> found.methods["randomisation"].allocations, found.methods["clda"].reason
    (70, 'longitudinal analysis needs a wave column')
    """
    data = read(frame, question)
    with one_thread():
        workings = _Workings(data, question, frame)
        primary = choose_primary(
            question.design,
            question.planned_sites,
            data.allocated,
            has_before=data.baseline is not None,
            named=question.primary,
            planned_arms=question.planned_arms,
        )
        methods = {name: _METHODS[name](workings) for name in METHODS if name in question.methods}
        deciding = methods.get(primary.method or "")
        if deciding is None and primary.method is not None:
            deciding = _METHODS[primary.method](workings)
        fit, plain = workings.fit, workings.unadjusted
        return Comparison(
            outcome=question.outcome,
            treatment=data.treatment,
            control=data.control,
            counts=data.counts,
            primary=primary,
            methods=methods,
            variance=_variance(fit),
            icc=_iccs(fit, question.level),
            icc_without_baseline=_iccs(plain, question.level),
            effect_size=_effect_size(deciding, plain),
            warnings=(*data.warnings, *workings.warnings, *_pooled_unevenly(primary, data.allocated)),
            data_sha256=data_sha256 or _hash(frame, question),
            version=VERSION,
            seed=question.seed,
            level=question.level,
        )


def results(
    data: TrialData, question: Question, methods: tuple[str, ...], *, quick: bool = False
) -> dict[str, MethodResult]:
    """Some methods alone, of data already read: what simulations run, one thread being the caller's care.

    methods : names from METHODS; or "studentised", the randomisation test of the difference over its standard error, or
    "site_cr2", the two-stage comparison with CR2 in place of the pooled variance (Welch's t, but for its df).
    quick   : 999 random allocations where there are more than 10,000, in place of exact counts.
    """
    workings = _Workings(data, question, quick=quick)
    table = {**_METHODS, "studentised": _studentised, "site_cr2": _site_cr2}
    return {name: table[name](workings) for name in methods}


def residual_site_means(data: TrialData, question: Question) -> Floats:
    """Unweighted site means (S,) of what the question's covariates, without the arm, leave of the outcome."""
    return _Workings(data, question).outcome_means


class _Workings:
    """What several methods share, each computed once when first needed."""

    def __init__(
        self, data: TrialData, question: Question, frame: pd.DataFrame | None = None, *, quick: bool = False
    ) -> None:
        self.frame = frame
        self.quick = quick
        self.data = data
        self.question = question
        self.randomised = question.design != "nonrandomised"
        self.covariates = data.adjustments

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        notes = []
        if self.question.design is None:
            notes.append("the design was not stated: analysed as if sites had been randomised")
        if not self.randomised:
            notes.append("sites were not randomised: a difference is associated with the arm, never caused by it")
        dropped = [name for name in self.matrix.dropped if name != "arm"]
        if dropped:
            notes.append(f"left out, as other columns determine them: {', '.join(dropped)}")
        if (advice := advises_win_probability(self.data.outcome)) is not None:
            notes.append(advice)
        return tuple(notes)

    @cached_property
    def matrix(self) -> ModelMatrix:
        return model_matrix(self.data.outcome, [*self.covariates, ("arm", self.data.arm)])

    @property
    def arm_column(self) -> int:
        """Position of the arm in the model: its last column. Where covariates determine the arm, `refused` says so."""
        return self.matrix.rank - 1

    @cached_property
    def fit(self) -> reml.RemlFit | NotEstimable:
        return reml.fit(self.matrix, self.data.site, self.data.review)

    @cached_property
    def unadjusted(self) -> reml.RemlFit | NotEstimable:
        """outcome ~ arm, without baseline or other covariates."""
        return reml.fit(model_matrix(self.data.outcome, [("arm", self.data.arm)]), self.data.site, self.data.review)

    @cached_property
    def scores(self) -> SiteScores:
        return site_scores(self.matrix, self.data.site)

    @cached_property
    def refused(self) -> NotEstimable | None:
        """Why no adjusted comparison can be made, if none can."""
        if self.matrix.index("arm") is None:
            return NotEstimable("the covariates determine the arm")
        x, y = self.matrix.columns[:, :-1], self.matrix.columns[:, -1]
        without_arm = np.delete(x, self.arm_column, axis=1)
        left = y - without_arm @ np.linalg.solve(without_arm.T @ without_arm, without_arm.T @ y)
        return NotEstimable(ALL_EXPLAINED) if float(left @ left) < NOTHING_LEFT * len(y) else None

    def residual_means(self, values: Floats) -> Floats:
        """Unweighted site means of what the covariates, without the arm, leave of a column."""
        return site_residual_means(model_matrix(values, self.covariates), self.data.site)

    @cached_property
    def outcome_means(self) -> Floats:
        return self.residual_means(self.data.outcome)

    @cached_property
    def reference(self) -> "tuple[AllocationScheme, Floats, Codes] | NotEstimable":
        """The scheme, the allocation it made, (S,), and where the sites analysed stand in it."""
        data = self.data
        if self.question.allocation == UNRECORDED:
            return NotEstimable(
                "the table does not hold how sites were drawn, so what could have been drawn is not known"
            )
        if self.question.allocation not in RECORDED:
            return scheme(data.site_arm, data.site_stratum), data.site_arm, np.arange(len(data.site_arm))
        if self.frame is None:
            return NotEstimable("the allocations that could have been made need the whole table")
        record = allocated(self.frame, self.question)
        return scheme_of(record, self.question), record.arm, record.places(data.site_labels)

    @property
    def of_the_record(self) -> list[str]:
        """What is to be known of a test over constrained or minimised allocations."""
        question, notes = self.question, []
        if isinstance(self.reference, NotEstimable) or self.frame is None:
            return []
        plan = self.reference[0]
        if isinstance(plan, Constrained):
            if plan.tied_sites:
                notes.append("so few allocations were acceptable that some sites are always together or always apart")
            if drawn(allocated(self.frame, question), question):
                notes.append("there were too many allocations to go through, so acceptable ones were drawn by the seed")
        loose = [name for name in question.balance if name not in {*question.covariates, question.baseline}]
        if loose:
            notes.append(f"the allocation balanced {', '.join(loose)}, which the comparison does not adjust for")
        return notes


def _mixed_model(
    infer: Callable[[reml.RemlFit, int, float], Effect | NotEstimable],
) -> Callable[[_Workings], MethodResult]:
    def method(workings: _Workings) -> MethodResult:
        if workings.refused:
            return workings.refused
        if isinstance(workings.fit, NotEstimable):
            return workings.fit
        return infer(workings.fit, workings.arm_column, workings.question.level)

    return method


def _least_squares(kind: Kind) -> Callable[[_Workings], MethodResult]:
    def method(workings: _Workings) -> MethodResult:
        if workings.refused:
            return workings.refused
        if workings.matrix.rows <= workings.matrix.rank:
            return NotEstimable("fewer people than the model has columns")
        return cluster_robust(workings.scores, workings.arm_column, kind, workings.question.level)

    return method


def _wild_bootstrap(workings: _Workings) -> MethodResult:
    if workings.refused:
        return workings.refused
    if workings.matrix.rows <= workings.matrix.rank:
        return NotEstimable("fewer people than the model has columns")
    question = workings.question
    return wild_bootstrap(
        workings.scores, workings.arm_column, rng=np.random.default_rng(question.seed), level=question.level
    )


def _gee(workings: _Workings) -> MethodResult:
    """Identity link, exchangeable within sites, Mancl–DeRouen errors with t(S − p)."""
    if workings.refused:
        return workings.refused
    data = workings.data
    solved = gee_fit(data.outcome, [*workings.covariates, ("arm", data.arm)], data.site)
    return solved if isinstance(solved, NotEstimable) else gee(solved, "arm", level=workings.question.level)


def _cluster_summary(workings: _Workings) -> MethodResult:
    if not workings.randomised:
        return NotEstimable(
            "sites were not randomised: adjusting without the arm would take away 3–20 % of a difference "
            "whose baselines differ; see did"
        )
    if workings.refused:
        return workings.refused
    data, means = workings.data, workings.outcome_means
    warnings = [ATTENUATED] if workings.covariates else []
    spread = _spread_ratio(means, data.site_arm)
    if spread is not None:
        warnings.append(
            f"the smaller arm varies {spread:.1f} times as much between sites (variance): "
            "the pooled t is then liberal, look at cr2 and the studentised randomisation test"
        )
    return cluster_summary(means, data.site_arm, data.site_stratum, workings.question.level, tuple(warnings))


def _spread_ratio(means: Floats, arm: Floats) -> float | None:
    """Variance of site means in the smaller arm over the larger arm's, where it exceeds 3; else None."""
    groups = sorted((means[arm == 1], means[arm == 0]), key=len)
    if len(groups[0]) == len(groups[1]) or float(np.ptp(groups[1])) == 0.0:
        return None
    ratio = float(groups[0].var(ddof=1) / groups[1].var(ddof=1))
    return ratio if ratio > 3.0 else None


def _randomisation(workings: _Workings) -> MethodResult:
    if workings.refused:
        return workings.refused
    data, question = workings.data, workings.question
    if isinstance(workings.reference, NotEstimable):
        return workings.reference
    plan, site_arm, places = workings.reference
    result = randomisation_test(
        plan,
        site_arm,
        _placed(workings.outcome_means, places, plan.sites),
        _placed(workings.residual_means(data.arm), places, plan.sites),
        rng=np.random.default_rng(question.seed),
        level=question.level,
        **(_QUICK if workings.quick else {}),
    )
    if isinstance(result, NotEstimable):
        return result
    notes = list(result.warnings)
    if not workings.randomised:
        notes.append("sites were not randomised: p reads as if they had been")
    elif question.allocation in RECORDED:
        notes += workings.of_the_record
    elif data.site_stratum is None and question.allocation is None:
        notes.append("complete randomisation assumed, as neither strata nor pairs were named")
    beside: MethodResult | None = None
    changes = not workings.randomised and data.baseline is not None
    if not workings.quick and (changes or _spread_ratio(workings.outcome_means, data.site_arm) is not None):
        beside = _studentised(workings)
    return replace(result, warnings=tuple(notes), studentised=beside if isinstance(beside, RandomisationTest) else None)


def _placed(values: Floats, places: Codes, sites: int) -> Floats:
    """Values of the sites analysed among all that were allocated, NaN for the others."""
    found = np.full(sites, np.nan)
    found[places] = values
    return found


# Where thousands of trials are simulated: `randomisation_test`'s own limits make one of 40 sites take 0.2 s.
_QUICK = {"draws": 999, "enumerate_up_to": 10_000, "count_up_to_sites": 0}


def _studentised(workings: _Workings) -> MethodResult:
    """Of residual site means; of site mean changes where sites were not randomised, as difference-in-differences is."""
    if workings.refused:
        return workings.refused
    data, question = workings.data, workings.question
    if isinstance(workings.reference, NotEstimable):
        return workings.reference
    plan, site_arm, places = workings.reference
    means, arm_means = workings.outcome_means, workings.residual_means(data.arm)
    if not workings.randomised and data.baseline is not None:
        means, arm_means = site_means(data.outcome - data.baseline, data.site), data.site_arm
    return studentised_test(
        plan,
        site_arm,
        _placed(means, places, plan.sites),
        _placed(arm_means, places, plan.sites),
        rng=np.random.default_rng(question.seed),
        level=question.level,
        **({"draws": 999, "enumerate_up_to": 10_000} if workings.quick else {}),
    )


def _site_cr2(workings: _Workings) -> MethodResult:
    if workings.refused:
        return workings.refused
    data = workings.data
    return site_difference(workings.outcome_means, data.site_arm, data.site_stratum, workings.question.level)


def _did(workings: _Workings) -> MethodResult:
    data = workings.data
    if data.baseline is None:
        return NotEstimable("a change needs a baseline or an earlier wave")
    found = did(data.outcome - data.baseline, data.site, data.site_arm, data.site_stratum, workings.question.level)
    if workings.randomised or isinstance(found, NotEstimable):
        return found
    adjusted = _least_squares("cr2")(workings)
    if isinstance(adjusted, Effect) and _disagree(found, adjusted):
        return replace(found, warnings=(*found.warnings, LORD))
    return found


def _disagree(one: Effect, other: Effect) -> bool:
    """Whether two estimates of a difference would be told otherwise: either lies outside the other's interval, or only one
    interval holds 0."""

    def holds(effect: Effect, value: float) -> bool:
        low, high = effect.ci
        return (low is None or low <= value) and (high is None or value <= high)

    apart = not (holds(one, other.estimate) and holds(other, one.estimate))
    return apart or holds(one, 0.0) != holds(other, 0.0)


def _clda(workings: _Workings) -> MethodResult:
    question = workings.question
    if not workings.randomised:
        return NotEstimable(NOT_RANDOMISED)
    if question.wave is None or workings.frame is None:
        return NotEstimable("longitudinal analysis needs a wave column")
    long = read_long(workings.frame, question, workings.data.treatment)
    return clda(long, question.design, question.level, question.review_wave)


def _win_probability(workings: _Workings) -> MethodResult:
    if workings.refused:
        return workings.refused
    data, left_out = workings.data, ("baseline", *workings.matrix.dropped)
    covariates = [one for one in workings.covariates if one[0] not in left_out]
    return win_probability(
        data.outcome, data.arm, data.site, data.review, data.baseline, covariates, workings.question.level
    )


_METHODS: dict[str, Callable[[_Workings], MethodResult]] = {
    "lmm_kenward_roger": _mixed_model(kenward_roger),
    "lmm_satterthwaite": _mixed_model(satterthwaite),
    "cluster_summary": _cluster_summary,
    "cr1s": _least_squares("cr1s"),
    "cr2": _least_squares("cr2"),
    "cr3": _least_squares("cr3"),
    "wild_bootstrap": _wild_bootstrap,
    "gee": _gee,
    "win_probability": _win_probability,
    "randomisation": _randomisation,
    "did": _did,
    "clda": _clda,
}


def _pooled_unevenly(primary: Primary, allocated: tuple[int, int]) -> tuple[str, ...]:
    """A word of caution where the method that decides pools the variances of uneven arms."""
    if primary.method not in _POOL or not is_uneven(allocated):
        return ()
    return (
        f"the arms are uneven ({allocated[0]} and {allocated[1]} sites): where the smaller one varies more, what decides "
        "here claims too much, since it pools the arms' variances; look at cr2, which a plan that declares its arms "
        "(planned arms) lets decide",
    )


def _variance(fit: reml.RemlFit | NotEstimable) -> Variance | NotEstimable:
    if isinstance(fit, NotEstimable):
        return fit
    return Variance(fit.site, fit.review, fit.sigma2, fit.boundary, fit.loglik)


def _iccs(fit: reml.RemlFit | NotEstimable, level: float) -> dict[str, Ratio | None]:
    if isinstance(fit, NotEstimable):
        return {"site": None, "review": None}
    review = icc_review(fit, level)
    return {"site": icc_site(fit, level), "review": None if isinstance(review, NotEstimable) else review}


def _effect_size(deciding: MethodResult | None, plain: reml.RemlFit | NotEstimable) -> Ratio | None:
    if not isinstance(deciding, Effect) or isinstance(plain, NotEstimable):
        return None
    g = hedges_g(deciding, plain)
    return None if isinstance(g, NotEstimable) else g


def _hash(frame: pd.DataFrame, question: Question) -> str:
    named = frame[list(dict.fromkeys(column for _, column in question.columns()))]
    found = hashlib.sha256(",".join(named.columns).encode())
    for name in named.columns:
        values = named[name]
        # Numbers as they stand, text by a hash of each cell: to write a million rows takes longer than to analyse them.
        plain = pd.api.types.is_numeric_dtype(values) and isinstance(values.dtype, np.dtype)
        cells = values.to_numpy() if plain else pd.util.hash_pandas_object(values, index=False).to_numpy()
        found.update(np.ascontiguousarray(cells).tobytes())
    return found.hexdigest()
