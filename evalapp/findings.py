"""What the trial's scores say of one outcome: the people compared, the means, the comparison, and words by rule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from analysis.plan import PROCESSES, Outcome, Plan
from analysis.question import RECORDED, UNRECORDED, Question
from evalapp import measures, responses, wording
from evalapp.models import Allocation, Arm, Assignment, Membership, Response, Site, Trial, Wave
from evalapp.shelf import questionnaire
from evalapp.wording import Verdict, ruled

if TYPE_CHECKING:
    import pandas as pd

    from analysis.compare import Comparison
    from analysis.results import Effect, NotEstimable
    from analysis.summary import WaveMean

WAVE_NAMES = {
    "baseline": "Site survey",
    "before": "Before",
    "after": "Just after",
    "month3": "Three months",
    "month12": "A year",
}
WAVE_PHRASES = {
    "baseline": "at the site survey",
    "before": "before the review",
    "after": "just after the review",
    "month3": "three months after the review",
    "month12": "a year after the review",
}
METHOD_NAMES = {
    "lmm_kenward_roger": "Mixed model with Kenward–Roger",
    "lmm_satterthwaite": "Mixed model with Satterthwaite",
    "cluster_summary": "Site means, cluster-summary t",
    "cr1s": "Least squares, cluster-robust CR1",
    "cr2": "Least squares, cluster-robust CR2",
    "cr3": "Least squares, cluster-robust CR3",
    "wild_bootstrap": "Wild cluster bootstrap",
    "gee": "Generalised estimating equations",
    "win_probability": "Win probability",
    "randomisation": "Randomisation test",
    "did": "Difference in differences",
    "clda": "Constrained longitudinal model",
}
CUT = 0.625  # of the range: 3.5 on answers from 1 to 5, "agrees more than not"
POOLED = "everyone"

_compared: dict[tuple[str, Question], Comparison | NotEstimable] = {}
_KEPT = 64


@dataclass(frozen=True)
class Measured:
    """How an outcome is looked at in this trial.

    waves : drawn, in order.   change : whether they may be joined and the baseline adjusted for.
    why_not : in a sentence, where the plan wants it and it may not be.   arms : (code, label) of treatment and control.
    """

    outcome: Outcome
    waves: tuple[str, ...]
    change: bool
    why_not: str
    arms: tuple[tuple[str, str], tuple[str, str]]

    @property
    def measure(self) -> wording.Unit:
        """What it is counted in."""
        if self.outcome.kind == "process":
            return PROCESSES[self.outcome.scale].unit
        if self.outcome.kind == "share":
            return "people"
        return "points" if self.is_percent else "raw"

    @property
    def unit(self) -> str:
        """The words for it on the evaluator's pages; what is compared as a ratio of days is counted in days."""
        return wording.UNITS["days"] if self.measure == "times" else wording.UNITS[self.measure]

    @property
    def when(self) -> str:
        """When it was measured, as a phrase; a review's own quantities need none."""
        return "" if self.outcome.kind == "process" else WAVE_PHRASES[self.outcome.wave]

    @property
    def is_percent(self) -> bool:
        return (self.outcome.minimum, self.outcome.maximum) == (0, 100)


@dataclass(frozen=True)
class Answer:
    """comparison : None where the table cannot be compared at all.   effect : the one that decides, or None.

    reason : why there is no effect, in words.   verdict, sentence : what the plan's rule says of the effect.
    """

    comparison: Comparison | None
    effect: Effect | None
    reason: str
    verdict: Verdict | None
    sentence: str


def plan_of(trial: Trial) -> Plan | None:
    """The trial's plan; None while there is none. BadData says what is wrong with one."""
    return Plan.from_dict(trial.plan) if trial.plan else None


def is_open(trial: Trial, now: datetime) -> bool:
    """Whether results may be seen by arm."""
    return trial.results_open_at is not None and trial.results_open_at <= now


def measured(session: Session, trial: Trial, outcome: Outcome, design: str) -> Measured:
    """Which waves of an outcome may be drawn together, and why not more."""
    referents = _referents(session, trial.id, outcome.scale)
    order = [wave.code for wave in trial.waves]
    wanted = referents.get(outcome.wave)
    start = outcome.baseline_wave
    why_not = ""
    if start is not None and referents.get(start) != wanted:
        why_not = (
            f"The questions ask about {referents.get(start) or 'something else'} {WAVE_PHRASES[start]} and about "
            f"{wanted or 'something else'} {WAVE_PHRASES[outcome.wave]}, so no change is drawn: the groups are "
            "compared after the review alone."
        )
    elif start is not None and design == "randomised" and not _is_clean(session, trial.id, start):
        why_not = (
            "Some sites knew their group when these first answers were given, so they cannot serve as a starting "
            "point: the groups are compared after the review alone."
        )
    if why_not or start is None:
        waves: tuple[str, ...] = (outcome.wave,)
    else:
        between = order[order.index(start) : order.index(outcome.wave) + 1]
        waves = tuple(wave for wave in between if referents.get(wave) == wanted)
    return Measured(outcome, waves, start is not None and not why_not, why_not, arms_of(trial))


def arms_of(trial: Trial) -> tuple[tuple[str, str], tuple[str, str]]:
    """(code, label) of the treatment, then of the control."""
    by_role = {arm.is_treatment: (arm.code, arm.label) for arm in trial.arms}
    return by_role[True], by_role[False]


def scores(session: Session, trial: Trial, how: Measured) -> pd.DataFrame:
    """Values of the outcome at the waves drawn, as `responses.scores_frame`; its roles only, unscored rows left out.

    The arms are compared on people of reviews: answers given for a site outside its reviews are not among them.
    """
    if how.outcome.kind == "share":
        return measures.shares(session, trial.id, how.outcome)
    if how.outcome.kind == "process":
        return measures.processes(session, trial.id, how.outcome)
    frame = responses.scores_frame(session, trial.id, how.outcome.scale, how.waves)
    frame = frame[frame["review"].notna()]
    if how.outcome.roles:
        frame = frame[frame["role"].isin(how.outcome.roles)]
    return frame[frame["value"].notna()].drop_duplicates(["participant", "wave"]).reset_index(drop=True)


def pooled(frame: pd.DataFrame) -> pd.DataFrame:
    """The same people in one group: what may be looked at while results are closed."""
    return frame.assign(arm=POOLED)


def means(frame: pd.DataFrame, level: float = 0.95) -> dict[tuple[str, str], WaveMean]:
    """Means by (arm, wave): of site means, each site weighing the same, with t intervals."""
    from analysis.summary import wave_means  # noqa: PLC0415  (pandas and SciPy stay out of the participant's path)

    return {(one.arm, one.wave): one for one in wave_means(frame, "value", "arm", "wave", "site", level)}


def in_ten(frame: pd.DataFrame, how: Measured, level: float = 0.95) -> dict[tuple[str, str], WaveMean]:
    """People in ten who score at or above the cut ("agree more than not"), by (arm, wave); None of a raw measure."""
    outcome = how.outcome
    cut = outcome.minimum + CUT * (outcome.maximum - outcome.minimum)
    return means(frame.assign(value=10.0 * (frame["value"] >= cut)), level)


def wide(frame: pd.DataFrame, how: Measured) -> pd.DataFrame:
    """One row a person: site, review, participant, arm, stratum, outcome, and baseline where it is adjusted for."""
    keys = ["site", "review", "participant", "arm", "stratum"]
    after = frame.loc[frame["wave"] == how.outcome.wave, [*keys, "value"]].rename(columns={"value": "outcome"})
    if how.change:
        before = frame.loc[frame["wave"] == how.outcome.baseline_wave, ["participant", "value"]]
        after = after.merge(before.rename(columns={"value": "baseline"}), on="participant", how="left")
    return after.sort_values(["site", "review", "participant"]).reset_index(drop=True)


def compared(
    session: Session, trial: Trial, plan: Plan, how: Measured, table: pd.DataFrame
) -> Comparison | NotEstimable:
    """The comparison the plan asks for, every method beside it; the same people are compared once and remembered."""
    from pandas.util import hash_pandas_object  # noqa: PLC0415  (as above)

    from analysis.compare import compare  # noqa: PLC0415
    from analysis.errors import BadData  # noqa: PLC0415
    from analysis.results import NotEstimable  # noqa: PLC0415
    from analysis.two_stage.site_level import compare_sites  # noqa: PLC0415

    reason = _too_little(table, how)
    if reason:
        return NotEstimable(reason)
    schemes = set(
        session.scalars(
            select(Allocation.scheme).join(Site, Site.id == Allocation.site_id).where(Site.trial_id == trial.id)
        )
    )
    question = Question(
        outcome="outcome",
        arm="arm",
        site="site",
        review="review",
        participant="participant",
        baseline="baseline" if how.change else None,
        treatment=how.arms[0][0],
        strata="stratum" if schemes == {"stratified"} else None,
        pairs="stratum" if schemes == {"pairs"} else None,
        # What a constrained set or minimisation balanced is not in the record, nor what sites drawn in two ways were drawn from.
        allocation=UNRECORDED if schemes & set(RECORDED) or len(schemes) > 1 else None,
        design=plan.design,
        planned_sites=plan.planned_sites,
        level=plan.level,
        seed=plan.seed,
    )
    told_apart = str(hash_pandas_object(table.astype({"stratum": object})).to_numpy().tobytes().hex())
    key = (f"{how.outcome.kind} {told_apart}", question)
    if key not in _compared:
        while len(_compared) >= _KEPT:
            _compared.pop(next(iter(_compared)))
        try:
            way = compare if how.outcome.kind == "scale" else compare_sites
            _compared[key] = way(table, question)
        except BadData as error:
            _compared[key] = NotEstimable(str(error))
    return _compared[key]


def answer(session: Session, trial: Trial, plan: Plan, how: Measured, table: pd.DataFrame) -> Answer:
    """The comparison, the effect that decides, and what may be said of it."""
    from analysis.results import Effect, NotEstimable  # noqa: PLC0415  (as above)

    found = compared(session, trial, plan, how, table)
    if isinstance(found, NotEstimable):
        return Answer(None, None, found.reason, None, "")
    effect = found.primary_result
    if not isinstance(effect, Effect):
        reason = effect.reason if isinstance(effect, NotEstimable) else found.primary.reason
        return Answer(found, None, reason, None, "")
    sites = found.counts.sites
    said = verdict(effect, how, plan.planned_sites or sum(sites), sum(sites))
    return Answer(found, effect, "", said, sentence(said, effect, how, plan.design))


def verdict(effect: Effect, how: Measured, planned: int, answered: int) -> Verdict:
    """What the plan's rule says of an interval.

    planned, answered : sites in all. With fewer than six of either the difference is described, whatever the interval; so
    is one that is neither better nor worse.
    """
    outcome = how.outcome
    return ruled(effect.estimate, effect.ci, outcome.smallest_worthwhile, outcome.higher_is_better, planned, answered)


def sentence(said: Verdict, effect: Effect, how: Measured, design: str) -> str:
    """The finding in words fixed beforehand."""
    low, high = effect.ci
    estimate, *ends = (None if one is None else as_told(one, how) for one in (effect.estimate, low, high))
    told = wording.Told(
        how.outcome.label, how.arms[0][1], how.arms[1][1], how.measure, how.when, estimate or 0.0, ends[0], ends[1],
        how.outcome.smallest_worthwhile, how.outcome.higher_is_better is None, design != "nonrandomised",
    )  # fmt: skip
    return wording.sentence(said, told)


def as_told(value: float, how: Measured) -> float:
    """A mean or a difference as it is told: of logarithms of days the days, or the ratio of days."""
    return math.exp(value) if how.measure == "times" else value


def round_end(most: float) -> float:
    """The next of 1, 2, 4 or 8 times a power of ten, so that the quarters of an axis are short numbers too."""
    power = 10.0 ** math.floor(math.log10(max(most, 1.0)))
    return next(step * power for step in (1.0, 2.0, 4.0, 8.0, 10.0) if step * power >= most)


def _too_little(table: pd.DataFrame, how: Measured) -> str:
    """Why there is nothing to compare, in a sentence; empty when there is."""
    if table.empty:
        return "Nobody's answers have arrived yet, so there is nothing to compare."
    seen = set(table["arm"].dropna())
    if not seen:
        return "No site has been allocated to a group yet, so there is nothing to compare."
    for code, label in how.arms:
        if code not in seen:
            return f"Nobody in the {label} group has answered yet, so the groups cannot be compared."
    sites = table.dropna(subset=["arm"]).groupby("arm")["site"].nunique()
    for code, label in how.arms:
        if sites[code] < 2:
            return (
                f"Only one site of the {label} group has answered. A site cannot be told apart from its group, so the "
                "groups cannot be compared until a second site answers."
            )
    return ""


def _referents(session: Session, trial_id: str, scale: str) -> dict[str, str | None]:
    """What the wording of a scale points at, by wave, from the questionnaires people were asked."""
    found: dict[str, str | None] = {}
    for wave, name, version in responses.questionnaires_of(session, trial_id):
        for one in questionnaire(name, version).scales:
            if one.code == scale:
                found[wave] = one.referent or "the same thing"
    return found


def _is_clean(session: Session, trial_id: str, wave: str) -> bool:
    """Whether everyone who answered at this wave did so before the day their site's group was known.

    Answers brought in from a file carry the day of the file: what it calls a baseline is taken at its word.
    """
    query = (
        select(
            func.max(Response.submitted_on), func.count() - func.count(Response.submitted_on),
            func.max(Allocation.revealed_at),
        )
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .join(Response, Response.assignment_id == Assignment.id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Allocation, Allocation.site_id == Membership.site_id)
        .where(responses.at_its_sites(), Allocation.revealed_at.is_not(None), Wave.code == wave)
        .where(Response.state == "submitted", Response.mode != "file")
        .group_by(Membership.site_id)
    )  # fmt: skip
    given_and_known = responses.site_by_site(session, trial_id, query)
    return all(not undated and last < known.date() for last, undated, known in given_and_known)


def labels(how: Measured, *, by_arm: bool) -> Iterable[tuple[str, str, str]]:
    """(code, label, name of its look) of each group drawn."""
    if not by_arm:
        return ((POOLED, "Both groups together", "pooled"),)
    return ((*how.arms[0], "treatment"), (*how.arms[1], "control"))


def arm_by_site(session: Session, trial_id: str) -> dict[str, tuple[str, str | None]]:
    """Name and arm code of each site of a trial, by its id."""
    query = (
        select(Site.id, Site.name, Arm.code)
        .outerjoin(Allocation, Allocation.site_id == Site.id)
        .outerjoin(Arm, Arm.id == Allocation.arm_id)
        .where(Site.trial_id == trial_id)
    )
    return {site: (name, arm) for site, name, arm in session.execute(query)}
