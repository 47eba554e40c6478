"""Simulated trials of known truth, analysed by the very functions that analyse real ones.

Every trial has a random stream of its own, made of the seed and its number, so that the answer does not depend on how many
processes share the work.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtri

from analysis.compare import results
from analysis.design.power import TrialDesign
from analysis.errors import BadData
from analysis.lmm.clda import clda
from analysis.long_data import read_long
from analysis.primary import choose_primary
from analysis.question import Question
from analysis.resampling.allocations import complete
from analysis.resampling.randomisation import RandomisationTest
from analysis.resampling.wild_bootstrap import WildBootstrap
from analysis.results import Codes, Effect, Floats, NotEstimable
from analysis.threads import one_thread
from analysis.trial_data import Counts, TrialData

Answers = Literal["normal", "likert", "ceiling"]
ANSWERS: tuple[Answers, ...] = get_args(Answers)

# Shares of the five answers to an item, lowest first; under "ceiling" more than half give the highest.
_ITEM = {"likert": (0.10, 0.20, 0.40, 0.20, 0.10), "ceiling": (0.02, 0.06, 0.12, 0.25, 0.55)}
_ITEMS = 5
# Trials handed to a process at once: some tenths of a second of work.
_BATCH = 100


@dataclass(frozen=True)
class Truth:
    """What simulated trials are drawn from.

    design  : the trial. Its `analysis` is "adjusted" or "after" (no baseline is drawn); one wave after.
    effect  : of treatment on the outcome, in SD, the same for everyone.
    answers : "normal": the outcome itself. "likert": the mean of five items of five answers, 0 to 100, each half outcome
              and half its own noise. "ceiling": the same where most give the highest answer.
    uneven  : sites have 1 to 2 × reviews − 1 reviews and reviews 2 to 2 × people − 2 people, all equally likely;
              otherwise sites have equal numbers of reviews and people vary by site as the design's cv says.
    baseline_missing : share of people without a baseline.
    leaves_low : people with a low baseline are lost more often (their log odds fall by 1 for each SD), not by chance.
    """

    design: TrialDesign
    effect: float = 0.0
    answers: Answers = "normal"
    uneven: bool = False
    baseline_missing: float = 0.0
    leaves_low: bool = False

    def __post_init__(self) -> None:
        design = self.design
        if design.analysis == "change" or design.waves != 1 or design.site_covariates:
            raise BadData("simulated trials compare one wave after, adjusted for its baseline or not")
        if design.reviews != int(design.reviews):
            raise BadData(f"reviews: {design.reviews:g} a site cannot be simulated; give a whole number")
        if not 0 <= self.baseline_missing < 1:
            raise BadData(f"baseline_missing: {self.baseline_missing:g} is not a proportion from 0 to below 1")

    @property
    def has_baseline(self) -> bool:
        """Whether a baseline is drawn: there is one to adjust for, or nothing to be gained by it."""
        return self.design.analysis == "adjusted" and any(
            (self.design.baseline_r, self.design.baseline_r_review, self.design.baseline_r_site)
        )


@dataclass(frozen=True)
class People:
    """A simulated trial before anything is left out, one row a person; NaN where an answer is missing.

    outcome, baseline : (N,); baseline None where none was taken.    site, review : (N,) codes.    arm : (S,).
    """

    outcome: Floats
    baseline: Floats | None
    site: Codes
    review: Codes
    arm: Floats


def simulate(truth: Truth, rng: np.random.Generator) -> People:
    """One trial: sites allocated completely at random, people with answers.

    >>> truth = Truth(TrialDesign(sites=8, reviews=3, people=6, icc_site=0.05, icc_review=0.1))
    >>> people = simulate(truth, np.random.default_rng(1))
    >>> int(people.site.max()) + 1, len(people.site)
    (8, 144)
    """
    design = truth.design
    arm = complete(design.sites, design.in_treatment).allocate(rng)
    sizes, site_of_review = _sizes(truth, rng)
    site = np.repeat(site_of_review, sizes)
    review = np.repeat(np.arange(len(sizes)), sizes)
    spread = np.sqrt([design.icc_site, design.review_share, 1.0 - design.icc_review])

    def drawn() -> list[Floats]:
        return [
            spread[0] * rng.standard_normal(design.sites),
            spread[1] * rng.standard_normal(len(sizes)),
            spread[2] * rng.standard_normal(len(site)),
        ]

    def together(parts: list[Floats]) -> Floats:
        return np.asarray((parts[0][site_of_review] + parts[1])[review] + parts[2])

    parts = drawn()
    baseline = None
    if truth.has_baseline:
        before = drawn()
        correlations = (design.baseline_r_site, design.baseline_r_review, design.baseline_r)
        for k, own in enumerate(correlations):
            r = design.baseline_r if own is None else own
            parts[k] = r * before[k] + math.sqrt(1.0 - r * r) * parts[k]
        baseline = together(before)
    outcome = together(parts)
    treated = arm[site]
    if design.variance_ratio != 1.0:
        outcome *= np.where(treated == 1.0, math.sqrt(design.variance_ratio), 1.0)
    outcome += truth.effect * treated
    lost = _lost(truth, baseline, rng, len(site))
    if truth.answers != "normal":
        outcome = _scored(outcome, truth.answers, rng)
        baseline = None if baseline is None else _scored(baseline, truth.answers, rng)
    if lost is not None:
        outcome[lost] = np.nan
    if design.site_attrition:
        gone = rng.permutation(design.sites)[design.sites_left :]
        outcome[np.isin(site, gone)] = np.nan
    if baseline is not None and truth.baseline_missing:
        baseline[rng.random(len(site)) < truth.baseline_missing] = np.nan
    return People(outcome, baseline, site, review, arm)


def _sizes(truth: Truth, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """People recruited in each review, and its site."""
    design = truth.design
    reviews = int(design.reviews)
    if truth.uneven:
        site = np.repeat(np.arange(design.sites), rng.integers(1, 2 * reviews, design.sites))
        return rng.integers(2, max(3, round(2 * design.people) - 1), len(site)), site
    site = np.repeat(np.arange(design.sites), reviews)
    people = np.full(len(site), float(design.people))
    if design.cv:
        shape = 1.0 / design.cv**2
        people *= rng.gamma(shape, 1.0 / shape, design.sites)[site]
    whole = np.floor(people)
    if (whole < people).any():
        whole += rng.random(len(site)) < people - whole
    return whole.astype(np.intp), site


def _lost(
    truth: Truth, baseline: Floats | None, rng: np.random.Generator, people: int
) -> np.typing.NDArray[np.bool_] | None:
    """Who is not there after."""
    rate = truth.design.attrition
    if not rate:
        return None
    if truth.leaves_low and baseline is not None:
        odds = rate / (1.0 - rate) * np.exp(-baseline)
        return np.asarray(rng.random(people) < odds / (1.0 + odds))
    return np.asarray(rng.random(people) < rate)


def _scored(latent: Floats, answers: Answers, rng: np.random.Generator) -> Floats:
    """Mean of five items, 0 to 100."""
    cuts = ndtri(np.cumsum(_ITEM[answers])[:-1])
    items = math.sqrt(0.5) * (latent[:, None] + rng.standard_normal((len(latent), _ITEMS)))
    return np.asarray(np.searchsorted(cuts, items.ravel()).reshape(items.shape).sum(axis=1) * (25.0 / _ITEMS))


def complete_cases(people: People) -> TrialData | None:
    """The trial as an analysis reads it; None where an arm is left with fewer than two sites."""
    keep = ~np.isnan(people.outcome)
    if people.baseline is not None:
        keep &= ~np.isnan(people.baseline)
    if keep.all():
        outcome, baseline, labels, review = people.outcome, people.baseline, people.site, people.review
    else:
        outcome, labels, review = people.outcome[keep], people.site[keep], people.review[keep]
        baseline = None if people.baseline is None else people.baseline[keep]
    there = np.bincount(labels, minlength=len(people.arm)) > 0
    site = (np.cumsum(there) - 1)[labels]
    arm = people.arm[there]
    treated = int(arm.sum())
    if min(treated, len(arm) - treated) < 2:
        return None
    in_treatment = int(people.arm.sum())
    return TrialData(
        outcome=outcome,
        arm=arm[site],
        site=site,
        review=review,
        baseline=baseline,
        covariates=(),
        site_arm=arm,
        site_stratum=None,
        site_labels=tuple(str(k) for k in np.flatnonzero(there)),
        treatment="1",
        control="0",
        allocated=(in_treatment, len(people.arm) - in_treatment),
        counts=Counts(len(keep), len(outcome), {}, (treated, len(arm) - treated), None, (0, 0)),
        warnings=(),
    )


@dataclass(frozen=True)
class Simulated:
    """What a method did in the simulated trials in which it could be computed.

    trials : those.    refused : the others.    rejected : share with p below alpha.
    covered : share whose interval holds the effect.    error : Monte Carlo standard error of `rejected`.
    estimate : mean estimate.
    """

    trials: int
    refused: int
    rejected: float
    covered: float
    estimate: float

    @property
    def error(self) -> float:
        return math.sqrt(self.rejected * (1.0 - self.rejected) / max(self.trials, 1))


def simulate_methods(
    truth: Truth,
    methods: tuple[str, ...],
    trials: int,
    *,
    seed: int,
    alpha: float = 0.05,
    jobs: int = 1,
) -> dict[str, Simulated]:
    """Analyse simulated trials by methods of `compare` (`results` says which), as randomised: complete cases, or
    everyone who answered before or after for "clda".

    jobs : processes that share the work.   The truth's effect is what an interval must hold: for answers in items it is
    known only where it is 0.
    """
    if trials < 1:
        raise BadData(f"simulate: {trials} trials; give 1 or more")
    batches = [range(start, min(start + _BATCH, trials)) for start in range(0, trials, _BATCH)]
    if jobs == 1 or len(batches) == 1:
        found = [_analysed(truth, methods, batch, seed, alpha) for batch in batches]
    else:
        # Starting processes takes a second, so joblib is imported only where they share much work.
        from joblib import Parallel, delayed  # noqa: PLC0415

        found = Parallel(n_jobs=jobs)(delayed(_analysed)(truth, methods, batch, seed, alpha) for batch in batches)
    table = np.concatenate(found)
    return {name: _summed(table[:, k], truth.effect, alpha) for k, name in enumerate(methods)}


def simulated_power(
    design: TrialDesign, effect: float, trials: int, *, seed: int = 1, alpha: float = 0.05, jobs: int = 1
) -> Simulated:
    """Power of the method that the plan would make primary, by simulation.

    Raises BadData for fewer than 4 sites, which are described and not compared.

    >>> design = TrialDesign(sites=8, reviews=3, people=6, icc_site=0.05, icc_review=0.1)
    >>> found = simulated_power(design, 0.8, 40, seed=1)
    >>> found.trials, found.rejected
    (40, 0.75)
    """
    arms = (design.in_treatment, design.sites - design.in_treatment)
    truth = Truth(design, effect)
    primary = choose_primary("randomised", design.sites, arms, has_before=truth.has_baseline, planned_arms=arms)
    if primary.method is None:
        raise BadData(f"sites: {design.sites} are too few to compare arms; simulate 4 or more")
    return simulate_methods(truth, (primary.method,), trials, seed=seed, alpha=alpha, jobs=jobs)[primary.method]


def _analysed(truth: Truth, methods: tuple[str, ...], numbers: range, seed: int, alpha: float) -> Floats:
    """Estimate, p and interval of each method in some trials: (trials, methods, 4), NaN where there is none."""
    question = Question(
        outcome="outcome",
        arm="arm",
        site="site",
        review="review",
        baseline="baseline" if truth.has_baseline else None,
        design="randomised",
        planned_sites=truth.design.sites,
        level=1.0 - alpha,
    )
    table = np.full((len(numbers), len(methods), 4), np.nan)
    with one_thread():
        for row, number in zip(table, numbers, strict=True):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))
            people = simulate(truth, rng)
            data = complete_cases(people)
            if data is None or float(np.ptp(data.outcome)) == 0.0:
                continue
            found = results(data, question, tuple(name for name in methods if name != "clda"), quick=True)
            if "clda" in methods:
                found["clda"] = _both_waves(people, question)
            for place, result in zip(row, (found[name] for name in methods), strict=True):
                if isinstance(result, Effect | RandomisationTest | WildBootstrap):
                    low, high = result.ci
                    place[:] = (
                        result.estimate,
                        result.p,
                        -math.inf if low is None else low,
                        math.inf if high is None else high,
                    )
    return table


def _both_waves(people: People, question: Question) -> Effect | NotEstimable:
    """The constrained longitudinal model, of everyone who answered before or after."""
    if people.baseline is None:
        return NotEstimable("no wave before was drawn")
    everyone = np.arange(len(people.outcome))
    long = pd.DataFrame(
        {
            "outcome": np.concatenate((people.baseline, people.outcome)),
            "wave": np.repeat([0, 1], len(everyone)),
            "person": np.tile(everyone, 2),
            "site": np.tile(people.site, 2),
            "review": np.tile(people.review, 2),
            "arm": np.tile(people.arm[people.site].astype(np.intp), 2),
        }
    )
    asked = replace(question, baseline=None, wave="wave", participant="person")
    return clda(read_long(long, asked, "1"), "randomised", question.level)


def _summed(table: Floats, effect: float, alpha: float) -> Simulated:
    made = table[~np.isnan(table[:, 1])]
    if not len(made):
        return Simulated(0, len(table), math.nan, math.nan, math.nan)
    return Simulated(
        trials=len(made),
        refused=len(table) - len(made),
        rejected=float((made[:, 1] < alpha).mean()),
        covered=float(((made[:, 2] <= effect) & (effect <= made[:, 3])).mean()),
        estimate=float(made[:, 0].mean()),
    )
