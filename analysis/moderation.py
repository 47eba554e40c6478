"""Whether the difference between the arms depends on who answers: by role, and by where people started.

Interaction contrasts in the mixed model with Kenward–Roger: the effect in each group, each group's effect less the
first's, and all differences at once. A group's own p-value says nothing of moderation; the differences do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.labels import coded
from analysis.lmm import longitudinal, reml
from analysis.lmm.kenward_roger import JointTest, MixedFit, combination, contrast, joint_test
from analysis.lmm.longitudinal import Sample
from analysis.model_matrix import model_matrix
from analysis.question import Question
from analysis.results import Effect, Floats, NotEstimable
from analysis.robust.did import stratum_columns
from analysis.threads import one_thread
from analysis.trial_data import TrialData, read

# Numbers with more values than this are moderators as they are, in points; fewer are groups.
_GROUPS = 10


@dataclass(frozen=True)
class ByGroup:
    """The arms' difference within groups of people.

    effects     : by group, treatment − control in it; NotEstimable where it has answers of one arm only.
    differences : by group, its effect less that of `reference`.   together : all of them zero, tested at once.
    """

    reference: str
    effects: Mapping[str, Effect | NotEstimable]
    differences: Mapping[str, Effect | NotEstimable]
    together: JointTest | NotEstimable
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "effects": {group: effect.to_dict() for group, effect in self.effects.items()},
            "differences": {group: effect.to_dict() for group, effect in self.differences.items()},
            "together": self.together.to_dict(),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class ByBaseline:
    """How the arms' difference changes with the baseline.

    per_point : change of the difference per point of the baseline.
    at : the difference at three baselines, (baseline, effect): a standard deviation below the mean, at it, above it.
    """

    per_point: Effect | NotEstimable
    at: tuple[tuple[float, Effect | NotEstimable], ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "per_point": self.per_point.to_dict(),
            "at": [{"baseline": value, **effect.to_dict()} for value, effect in self.at],
            "warnings": list(self.warnings),
        }


def moderation(frame: pd.DataFrame, question: Question, by: str) -> ByGroup | ByBaseline | NotEstimable:
    """Whether the difference depends on a column: the baseline or another number (a slope), or groups.

    Labels are groups, and so are numbers of at most ten values. Raises BadData as `compare` does.

    >>> people = pd.DataFrame({"site": np.repeat(np.arange(6), 4), "role": ["a", "b"] * 12, "outcome": np.arange(24.0) % 7})
    >>> people["arm"] = people.site % 2
    >>> found = moderation(people, Question("outcome", "arm", "site", design="randomised"), "role")
    >>> found.reference, list(found.effects)
    ('a', ['a', 'b'])
    """
    if by == question.baseline or (question.wave and by == question.outcome):
        return by_baseline(frame, question)
    if by not in frame.columns:
        return NotEstimable(f'there is no column "{by}" in the table')
    values = frame[by]
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if not number or values.nunique() <= _GROUPS:
        return by_group(frame, question, by)
    if question.wave:
        return NotEstimable("long data: a number other than the first wave cannot be a moderator here")
    others = (*question.covariates, question.baseline) if question.baseline else question.covariates
    covariates = tuple(name for name in others if name != by)
    return by_baseline(frame, replace(question, baseline=by, covariates=covariates))


def by_group(
    frame: pd.DataFrame, question: Question, moderator: str, *, varying: bool = True
) -> ByGroup | NotEstimable:
    """Effects by a column of labels that differs within sites, such as role.

    frame, question : as for `analysis.compare.compare`; rows without a label are left out too.
    Model: outcome ~ covariates + group + arm in each group + (1|site) + (1|site:group) + (1|review). Without
    (1|site:group) (`varying=False`) people of a role share nothing but what the whole site shares, and a difference
    between roles then has degrees of freedom near the number of people: liberal where sites differ by role.
    The reference is the first label in alphabetical order. Raises BadData as `compare` does.

    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"site": np.repeat(np.arange(10), 24), "role": ["manager", "practitioner"] * 120})
    >>> people["arm"] = people.site % 2
    >>> people["outcome"] = rng.normal(size=240) + rng.normal(0, 0.3, 10)[people.site]
    >>> found = by_group(people, Question("outcome", "arm", "site", design="randomised"), "role")
    >>> found.reference, list(found.differences), found.together.ndf
    ('manager', ['practitioner'], 1)
    """
    labelled = frame.assign(**{moderator: _labels(frame[moderator])}) if moderator in frame.columns else frame
    covariates = tuple(dict.fromkeys((*question.covariates, moderator)))
    with one_thread():
        data = read(labelled, replace(question, covariates=covariates))
        prefix = f"{moderator}: "
        indicators = {name.removeprefix(prefix): here for name, here in data.covariates if name.startswith(prefix)}
        first = 1.0 - sum(indicators.values(), np.zeros(len(data.outcome)))
        reference = min(coded(labelled[moderator])[1])
        groups = {
            name: here for name, here in {reference: first, **indicators}.items() if float(here.max(initial=0.0)) > 0.0
        }
        if len(groups) < 2:
            return NotEstimable(f'everyone analysed has the same "{moderator}"')
        arm_in = {name: f"arm where {moderator} is {name}" for name in groups}
        columns = [
            *_covariates(data, question),
            *((arm_in[name], data.arm * here) for name, here in groups.items()),
        ]
        matrix = model_matrix(data.outcome, columns)
        fit: MixedFit | NotEstimable
        if varying:
            code = np.argmax(np.array(list(groups.values())), axis=0).astype(np.intp)
            sample = Sample(code, data.site, data.review, None, len(groups), occasion=moderator)
            fit = longitudinal.fit(matrix, sample)
        else:
            fit = reml.fit(matrix, data.site, data.review)
        if isinstance(fit, NotEstimable):
            return fit
        place = {name: matrix.index(arm_in[name]) for name in groups}
        effects = {name: _effect(fit, place[name], None, name, question.level) for name in groups}
        names = list(groups)
        differences = {
            name: _effect(fit, place[name], place[names[0]], name, question.level)
            if place[names[0]] is not None
            else NotEstimable(f'answers of one arm only where it is "{names[0]}"')
            for name in names[1:]
        }
        return ByGroup(
            names[0], effects, differences, _together(fit, list(place.values())), _warnings(data, question, varying)
        )


def by_baseline(frame: pd.DataFrame, question: Question) -> ByBaseline | NotEstimable:
    """Change of the difference with the baseline that the question names (or the first wave of long data).

    Model: outcome ~ baseline + covariates + arm + arm × (baseline − mean) + (1 | site / review).
    Raises BadData as `compare` does.
    """
    with one_thread():
        data = read(frame, question)
        if data.baseline is None:
            return NotEstimable("no baseline was named, so there is none to depend on")
        centred = data.baseline - data.baseline.mean()
        columns = [*_covariates(data, question), ("arm", data.arm), ("arm × baseline", data.arm * centred)]
        matrix = model_matrix(data.outcome, columns)
        fit = reml.fit(matrix, data.site, data.review)
        if isinstance(fit, NotEstimable):
            return fit
        arm, slope = matrix.index("arm"), matrix.index("arm × baseline")
        if arm is None or slope is None:
            return NotEstimable("other columns of the model determine the arm or its product with the baseline")
        spread = float(data.baseline.std(ddof=1))
        at = tuple(
            (
                float(data.baseline.mean()) + steps * spread,
                contrast(fit, combination(fit, {arm: 1.0, slope: steps * spread}), question.level),
            )
            for steps in (-1.0, 0.0, 1.0)
        )
        notes = (
            *_warnings(data, question, varying=True),
            "the baseline is taken to tell as much of the outcome in every site of an arm",
        )
        return ByBaseline(contrast(fit, combination(fit, {slope: 1.0}), question.level), at, notes)


def _labels(series: "pd.Series[object]") -> "pd.Series[object]":
    """A column as text, so that numbered groups are groups and not a slope; None where missing."""
    codes, labels = coded(series)
    return pd.Series([None if code < 0 else labels[code] for code in codes], index=series.index, dtype=object)


def _covariates(data: TrialData, question: Question) -> list[tuple[str, Floats]]:
    stratum = None if data.site_stratum is None else data.site_stratum[data.site]
    found: list[tuple[str, Floats]] = [*data.covariates, *stratum_columns(stratum)]
    if data.baseline is not None:
        found.insert(0, (question.baseline or "baseline", data.baseline))
    return found


def _effect(fit: MixedFit, place: int | None, less: int | None, name: str, level: float) -> Effect | NotEstimable:
    if place is None:
        return NotEstimable(f'answers of one arm only where it is "{name}"')
    return contrast(fit, combination(fit, {place: 1.0} if less is None else {place: 1.0, less: -1.0}), level)


def _together(fit: MixedFit, places: list[int | None]) -> JointTest | NotEstimable:
    known = [place for place in places if place is not None]
    if len(known) < 2:
        return NotEstimable("fewer than two groups have answers of both arms")
    differences = [combination(fit, {place: 1.0, known[0]: -1.0}) for place in known[1:]]
    return joint_test(fit, np.column_stack(differences))


def _warnings(data: TrialData, question: Question, varying: bool) -> tuple[str, ...]:
    notes = list(data.warnings)
    if question.design == "nonrandomised":
        notes.append("sites were not randomised: a difference is associated with the arm, never caused by it")
    if not varying:
        notes.append("sites are taken to differ alike for every group: liberal where they do not")
    return tuple(notes)
