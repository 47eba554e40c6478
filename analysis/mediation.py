"""Exploratory mediation where the arm is the site's and mediator and outcome are the person's (a 2-1-1 design).

The arm can only work through what differs between sites, so the mediator is split: its site mean, and each person's distance
from it (Zhang, Zyphur & Preacher 2009, Organizational Research Methods 12, 695–719). With a the arm's effect on the
mediator and b the effect of the site mean on the outcome at a given arm, the indirect effect is a·b; its interval is
Monte Carlo (Preacher & Selig 2012, Communication Methods and Measures 6, 77–98), drawn here from t distributions with the
Kenward–Roger df of each, as normal ones are too narrow with few sites. Nothing of this is ever confirmatory.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.errors import BadData
from analysis.labels import numbers
from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.model_matrix import model_matrix, site_means
from analysis.question import Question
from analysis.results import Effect, Floats, Interval, NotEstimable
from analysis.robust.did import stratum_columns
from analysis.threads import one_thread
from analysis.trial_data import read

DRAWS = 100_000
ASSUMPTIONS = (
    "exploratory: mediation is never confirmed by a trial that allocated the arm alone",
    "supposes that nothing unmeasured moves both the mediator and the outcome of a site, and that neither moves the other "
    "back; allocation by chance makes neither so",
    "supposes that the mediator came before the outcome, works alike in both arms, and is known without error; a site mean of "
    "few people is not",
)


@dataclass(frozen=True)
class Mediation:
    """Always exploratory.

    on_mediator : a, the arm's effect on the mediator.   between, within : effect on the outcome, at a given arm, of the
    site's mean mediator and of a person's distance from it, per point of the mediator.   direct : of the arm, at a given
    mediator.   indirect : a · between, with `ci` by `draws` draws; there is no p-value.
    """

    on_mediator: Effect
    between: Effect
    within: Effect
    direct: Effect
    indirect: float
    ci: Interval
    draws: int
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "exploratory": True,
            "on_mediator": self.on_mediator.to_dict(),
            "between": self.between.to_dict(),
            "within": self.within.to_dict(),
            "direct": self.direct.to_dict(),
            "indirect": self.indirect,
            "ci": list(self.ci),
            "draws": self.draws,
            "warnings": list(self.warnings),
        }


def mediate(frame: pd.DataFrame, question: Question, mediator: str, *, draws: int = DRAWS) -> Mediation | NotEstimable:
    """How much of the arms' difference goes with the mediator.

    frame, question : as for `analysis.compare.compare`, one row a person; complete cases, the mediator included.
    mediator : a column of numbers, measured after allocation and before the outcome.
    Models: mediator ~ baseline + covariates + arm, outcome ~ baseline + covariates + arm + within + between, both with
    (1 | site / review). Raises BadData as `compare` does.

    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"site": np.repeat(np.arange(12), 10)})
    >>> people["arm"] = people.site % 2
    >>> people["trust"] = people.arm + rng.normal(0, 0.5, 12)[people.site] + rng.normal(size=120)
    >>> people["outcome"] = people.trust + rng.normal(size=120)
    >>> found = mediate(people, Question("outcome", "arm", "site", design="randomised"), "trust")
    >>> found.ci[0] < found.indirect < found.ci[1]
    True
    """
    if draws < 1000:
        raise BadData(f"{draws} draws are too few for an interval; give 1000 or more")
    if question.wave:
        return NotEstimable("long data: give one row a person, with the mediator beside the outcome")
    if any(mediator == column for _, column in question.columns()):
        raise BadData(f'column "{mediator}" is named for something else already; the mediator is a column of its own')
    asked = replace(question, covariates=(*question.covariates, mediator))
    refusals.columns_exist(frame, asked)
    with_numbers = frame.assign(**{mediator: numbers(frame[mediator], mediator)})
    with one_thread():
        data = read(with_numbers, asked)
        values = dict(data.covariates)[mediator]
        between = site_means(values, data.site)[data.site]
        stratum = None if data.site_stratum is None else data.site_stratum[data.site]
        shared: list[tuple[str, Floats]] = [one for one in data.covariates if one[0] != mediator]
        shared += stratum_columns(stratum)
        if data.baseline is not None:
            shared.insert(0, ("baseline", data.baseline))
        arm = ("arm", data.arm)
        to_mediator = model_matrix(values, [*shared, arm])
        to_outcome = model_matrix(data.outcome, [*shared, arm, ("within", values - between), ("between", between)])
        effects: list[Effect] = []
        for matrix, name in (
            (to_mediator, "arm"), (to_outcome, "between"), (to_outcome, "within"), (to_outcome, "arm"),
        ):  # fmt: skip
            found = _effect(reml.fit(matrix, data.site, data.review), name, question.level)
            if isinstance(found, NotEstimable):
                return found
            effects.append(found)
    on_mediator, by_site, by_person, direct = effects
    rng = np.random.default_rng(question.seed)
    product = _drawn(on_mediator, draws, rng) * _drawn(by_site, draws, rng)
    tail = (1.0 - question.level) / 2.0
    low, high = np.quantile(product, (tail, 1.0 - tail)).tolist()
    notes = [*ASSUMPTIONS, *data.warnings]
    if question.design == "nonrandomised":
        notes.append("sites were not randomised: the arm itself is only associated with the mediator")
    return Mediation(
        on_mediator,
        by_site,
        by_person,
        direct,
        on_mediator.estimate * by_site.estimate,
        (low, high),
        draws,
        tuple(notes),
    )


def _effect(fit: reml.RemlFit | NotEstimable, name: str, level: float) -> Effect | NotEstimable:
    if isinstance(fit, NotEstimable):
        return fit
    column = fit.matrix.index(name)
    if column is None:
        return NotEstimable(f"{_MISSING[name]}, so the mediator cannot be split")
    return kenward_roger(fit, column, level)


_MISSING = {
    "arm": "the covariates determine the arm",
    "between": "the site means of the mediator are determined by the arm and the covariates",
    "within": "the mediator does not differ within sites",
}


def _drawn(effect: Effect, draws: int, rng: np.random.Generator) -> Floats:
    return np.asarray(effect.estimate + effect.se * rng.standard_t(effect.df, draws))
