"""The statistical analysis plan as a document: written before the answers are seen, checked, and fixed by its hash.

Unlike `analysis.plan`, which says what a trial on the platform measures, this plan stands alone: it speaks of the
columns of a table, so that anybody can run it on a file (Gamble et al. 2017, JAMA 318, 2337–2343, on what a plan
must say before the data are seen).
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from analysis.errors import BadData
from analysis.primary import SITES_TO_JUDGE, choose_primary, is_uneven
from analysis.question import ALLOCATIONS, DESIGNS, METHODS, RECORDED, Allocation, Design, Question
from analysis.reader import Reader
from analysis.resampling.allocations import complete, matched_pairs

Family = Literal["primary", "secondary", "harm"]
Adjustment = Literal["holm", "hochberg", "westfall_young", "none"]
BY_SITES = "by_sites"


@dataclass(frozen=True)
class Columns:
    """Which column of the table is what; names, or None where there is none.

    balance, order : what a constrained or minimised allocation used, as in `analysis.question.Question`.
    """

    arm: str
    site: str
    review: str | None
    participant: str | None
    wave: str | None
    wave_order: tuple[str, ...]
    treatment: str | None
    strata: str | None
    pairs: str | None
    balance: tuple[str, ...] = ()
    order: str | None = None


@dataclass(frozen=True)
class PlannedOutcome:
    """One outcome and how it is to be compared.

    column, baseline : of the table.    method : that decides; "by_sites" takes the ladder by the planned number of
    sites.    sensitivity : methods shown beside it.    covariates : adjusted for besides the baseline.
    smallest_worthwhile : difference below which it does not matter, or None.
    """

    code: str
    label: str
    column: str
    baseline: str | None
    family: Family
    method: str
    sensitivity: tuple[str, ...]
    covariates: tuple[str, ...]
    smallest_worthwhile: float | None
    higher_is_better: bool


@dataclass(frozen=True)
class Moderation:
    """A question of for whom: does the difference in `outcome` differ by `by`, a column of groups or a number?"""

    outcome: str
    by: str


@dataclass(frozen=True)
class StatisticalAnalysisPlan:
    """Everything decided before the data are seen.

    estimand : who, what weight, what happens to those who leave, in a sentence.    planned_sites : with follow-up, of
    each arm (treatment, control).    alpha : two-sided.    adjust : for the secondary family.    tipping : whether the
    missing answers of the primary outcome are stress-tested.    best, coin : of a constrained, a minimised allocation.
    """

    title: str
    estimand: str
    design: Design
    planned_sites: tuple[int, int]
    allocation: Allocation
    alpha: float
    level: float
    seed: int
    adjust: Adjustment
    tipping: bool
    columns: Columns
    outcomes: tuple[PlannedOutcome, ...]
    moderations: tuple[Moderation, ...]
    best: float = 0.1
    coin: float = 0.8

    @property
    def sites(self) -> int:
        return sum(self.planned_sites)

    @property
    def primary(self) -> PlannedOutcome:
        return next(one for one in self.outcomes if one.family == "primary")

    @property
    def sha256(self) -> str:
        """Of the plan's content: spacing, comments and the order of keys in its file do not count."""
        written = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(written.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `plan_from_dict` reads back to an equal plan."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        # What most allocations have no use for is left out, so that a plan written without it keeps its hash.
        for table, key, usual in (
            (values["columns"], "balance", []), (values["columns"], "order", None), (values, "best", 0.1), (values, "coin", 0.8),
        ):  # fmt: skip
            if table[key] == usual:
                del table[key]
        return values

    def method_of(self, outcome: PlannedOutcome) -> str | None:
        """The method that decides an outcome; None where so few sites are only described."""
        if outcome.method != BY_SITES:
            return outcome.method
        has_before = outcome.baseline is not None or self.columns.wave is not None
        return choose_primary(
            self.design, self.sites, self.planned_sites, has_before, planned_arms=self.planned_sites
        ).method

    def question(self, outcome: PlannedOutcome, methods: tuple[str, ...]) -> Question:
        """What is asked of the table for one outcome."""
        of = self.columns
        return Question(
            outcome=outcome.column, arm=of.arm, site=of.site, review=of.review, participant=of.participant,
            baseline=None if of.wave else outcome.baseline, wave=of.wave, wave_order=of.wave_order,
            treatment=of.treatment, covariates=outcome.covariates, strata=of.strata, pairs=of.pairs,
            allocation=self.allocation if self.allocation in RECORDED else None, balance=of.balance, order=of.order,
            best=self.best, coin=self.coin,
            design=self.design, planned_arms=self.planned_sites, methods=methods, level=self.level, seed=self.seed,
        )  # fmt: skip


def plan_from_toml(text: str) -> StatisticalAnalysisPlan:
    """Read a plan written in TOML (or JSON); BadData names the key that is missing, unknown or wrong.

    >>> from importlib.resources import files
    >>> plan = plan_from_toml(files("analysis.report").joinpath("default.toml").read_text(encoding="utf-8"))
    >>> plan.sites, plan.method_of(plan.primary), fatal(plan)
    (24, 'lmm_kenward_roger', ())
    """
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise BadData(f"the plan cannot be read: {error}") from None
    return plan_from_dict(values)


def plan_from_dict(values: Mapping[str, Any]) -> StatisticalAnalysisPlan:
    """Read a plan from plain values; see `plan_from_toml`."""
    top = Reader(values, "plan")
    plan = StatisticalAnalysisPlan(
        title=top.text("title"),
        estimand=top.text("estimand"),
        design=top.choice("design", DESIGNS),  # type: ignore[arg-type]  # the choices are the literal's
        planned_sites=top.pair("planned_sites"),
        allocation=top.choice("allocation", ALLOCATIONS, "complete"),  # type: ignore[arg-type]
        alpha=top.number("alpha", 0.05),
        level=top.number("level", 0.95),
        seed=top.whole("seed", 0, 1),
        adjust=top.choice("adjust", get_args(Adjustment), "holm"),  # type: ignore[arg-type]
        tipping=top.flag("tipping", usual=True),
        columns=_columns(top.table("columns")),
        outcomes=tuple(_outcome(one) for one in top.tables("outcomes", needed=True)),
        moderations=tuple(_moderation(one) for one in top.tables("moderations")),
        best=top.number("best", 0.1),
        coin=top.number("coin", 0.8),
    )
    top.finish()
    _consistent(plan)
    return plan


def _columns(given: Reader) -> Columns:
    found = Columns(
        arm=given.text("arm"),
        site=given.text("site"),
        review=given.optional("review"),
        participant=given.optional("participant"),
        wave=given.optional("wave"),
        wave_order=given.texts("wave_order"),
        treatment=given.optional("treatment"),
        strata=given.optional("strata"),
        pairs=given.optional("pairs"),
        balance=given.texts("balance"),
        order=given.optional("order"),
    )
    given.finish()
    return found


def _outcome(given: Reader) -> PlannedOutcome:
    found = PlannedOutcome(
        code=given.text("code"),
        label=given.text("label"),
        column=given.text("column"),
        baseline=given.optional("baseline"),
        family=given.choice("family", get_args(Family)),  # type: ignore[arg-type]  # the choices are the literal's
        method=given.choice("method", (BY_SITES, *METHODS), BY_SITES),
        sensitivity=given.texts("sensitivity", METHODS),
        covariates=given.texts("covariates"),
        smallest_worthwhile=given.optional_number("smallest_worthwhile"),
        higher_is_better=given.flag("higher_is_better", usual=True),
    )
    given.finish()
    if found.smallest_worthwhile is not None and found.smallest_worthwhile <= 0:
        raise BadData(f"{given.where}.smallest_worthwhile: a difference above 0 is needed")
    return found


def _moderation(given: Reader) -> Moderation:
    found = Moderation(given.text("outcome"), given.text("by"))
    given.finish()
    return found


def _consistent(plan: StatisticalAnalysisPlan) -> None:
    if not 0 < plan.alpha <= 0.5:
        raise BadData(f"plan.alpha: {plan.alpha:g} is not a proportion above 0 and up to 0.5")
    if abs(plan.level - (1 - plan.alpha)) > 1e-9:
        raise BadData(
            f"plan.level: {plan.level:g} does not go with alpha {plan.alpha:g}; an interval that agrees with the test "
            f"has level {1 - plan.alpha:g}"
        )
    codes = [one.code for one in plan.outcomes]
    twice = next((code for code in codes if codes.count(code) > 1), None)
    if twice is not None:
        raise BadData(f'plan.outcomes: the code "{twice}" is used twice')
    primaries = [one.code for one in plan.outcomes if one.family == "primary"]
    if len(primaries) != 1:
        raise BadData(f"plan.outcomes: {len(primaries)} are primary ({', '.join(primaries) or 'none'}); mark one")
    for one in plan.moderations:
        if one.outcome not in codes:
            raise BadData(f'plan.moderations: there is no outcome "{one.outcome}"; choose from {", ".join(codes)}')
    needs = {"stratified": ("strata", plan.columns.strata), "pairs": ("pairs", plan.columns.pairs)}
    if plan.allocation in needs and needs[plan.allocation][1] is None:
        raise BadData(f"plan.columns.{needs[plan.allocation][0]}: is missing, as allocation is {plan.allocation}")
    if plan.allocation == "pairs" and plan.planned_sites[0] != plan.planned_sites[1]:
        raise BadData("plan.planned_sites: matched pairs have as many sites in each arm")
    for outcome in plan.outcomes:
        plan.question(outcome, (METHODS[0],))  # refuses columns that are used twice, a wave without participants …


def attainable_p(plan: StatisticalAnalysisPlan) -> float:
    """The smallest two-sided p that a randomisation test of this plan could ever give.

    Of complete randomisation with the planned numbers, or of matched pairs; strata are taken as one, which gives
    the most allocations there could be, and so are the constraints of a constrained or minimised one.
    """
    treated, control = plan.planned_sites
    if plan.allocation == "pairs":
        return matched_pairs(np.repeat(np.arange(treated), 2)).smallest_p()
    return complete(treated + control, treated).smallest_p()


def concerns(plan: StatisticalAnalysisPlan) -> tuple[str, ...]:
    """What is to be mended or known before a plan is locked, the gravest first, each a sentence."""
    return (*fatal(plan), *_to_know(plan))


def fatal(plan: StatisticalAnalysisPlan) -> tuple[str, ...]:
    """Why a plan must not be locked: its primary could never reach its alpha, or never be estimated."""
    found = []
    primary, method = plan.primary, plan.method_of(plan.primary)
    lowest = attainable_p(plan)
    if method is None:
        found.append(
            f"with {plan.sites} sites planned the arms can only be described: no method decides, so there is nothing "
            "to lock; plan for at least 4 sites"
        )
    if method == "randomisation" and lowest > plan.alpha:
        treated, control = plan.planned_sites
        found.append(
            f"{primary.label}: the randomisation test of {treated} and {control} sites can give no p below "
            f"{lowest:.3g}, so it can never reach alpha {plan.alpha:g}; name another method or plan for more sites"
        )
    if plan.design == "nonrandomised" and method in {"cluster_summary", "clda", "randomisation"}:
        found.append(
            f"{primary.label}: {method} supposes that sites were randomised; with a nonrandomised design name did"
        )
    if method == "did" and primary.baseline is None and plan.columns.wave is None:
        found.append(f"{primary.label}: a difference in changes needs a baseline column or waves; name one")
    if method == "clda" and plan.columns.wave is None:
        found.append(f"{primary.label}: a longitudinal model needs a wave column; name columns.wave")
    return tuple(found)


def _to_know(plan: StatisticalAnalysisPlan) -> list[str]:
    found = []
    method, lowest = plan.method_of(plan.primary), attainable_p(plan)
    if plan.sites < SITES_TO_JUDGE:
        found.append(
            "with fewer than 6 sites a difference and its interval are shown, and nothing is called significant"
        )
    elif lowest > plan.alpha and method != "randomisation":
        found.append(
            f"the randomisation test shown beside the primary can give no p below {lowest:.3g}, above alpha "
            f"{plan.alpha:g}: it cannot confirm the primary by itself"
        )
    has_before = plan.primary.baseline is not None or plan.columns.wave is not None
    ladder = choose_primary(plan.design, plan.sites, plan.planned_sites, has_before, planned_arms=plan.planned_sites)
    if plan.design == "randomised" and is_uneven(plan.planned_sites):
        found.append(
            "the planned arms are uneven: where the smaller one varies more, methods that pool the variances claim too much, "
            "so the ladder takes cr2; plan equal arms if you can"
        )
    if method != ladder.method and ladder.method is not None and method is not None:
        found.append(f"the plan names {method} where the usual choice is {ladder.method}: {ladder.reason}")
    if method == "lmm_kenward_roger" and plan.sites < 12:
        found.append("with fewer than 12 sites the mixed model with Kenward–Roger is conservative")
    if plan.adjust == "westfall_young" and plan.design == "nonrandomised":
        found.append(
            "westfall_young judges secondary outcomes over the allocations that could have been made, and sites were not "
            "randomised: there will be no adjusted p; name holm"
        )
    if plan.primary.smallest_worthwhile is None:
        found.append(
            "no smallest worthwhile difference is named, so a small difference can never be called too small to matter"
        )
    if plan.columns.participant is None:
        found.append("no participant column is named, so somebody with two rows would be counted twice")
    if plan.columns.review is None:
        found.append("no review column is named: people of one review are more alike, and the model will not know")
    return found
