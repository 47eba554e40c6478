"""Constrained longitudinal data analysis: every wave in one model, the arms equal at the first.

    outcome ~ covariates + wave + arm at each later wave
              + (1|site) + (1|site:wave) + (1|review) [+ (1|review:wave)] + (1|participant)

REML, Kenward–Roger (Liang & Zeger 2000, Sankhyā B 62, 134–148; Lu 2010, Biometrics 66, 891–896). People with some
waves missing count with those they have, which is unbiased where answers are missing at random given the others.
Equal arms at the first wave are a fact of randomisation, so the model is refused without it. There is no way to leave
site:wave out: without it a wave's shared ups and downs of a site would count as evidence from each of its people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.lmm import longitudinal
from analysis.lmm.kenward_roger import JointTest, combination, contrast, joint_test
from analysis.lmm.longitudinal import LongitudinalFit
from analysis.long_data import LongData
from analysis.model_matrix import model_matrix
from analysis.question import Design
from analysis.results import Effect, Floats, Interval, NotEstimable
from analysis.threads import one_thread

NOT_RANDOMISED = "refused: equal baselines are a fact of randomisation only"


@dataclass(frozen=True)
class Level:
    """Estimated mean of an arm at a wave, covariates at their means, in the outcome's own units."""

    estimate: float
    se: float
    df: float
    ci: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"estimate": self.estimate, "se": self.se, "df": self.df, "ci": list(self.ci)}


@dataclass(frozen=True)
class Longitudinal(Effect):
    """The difference at the last wave; `contrasts` holds that of every later wave.

    levels   : by wave and then "control" and "treatment", from the first wave, where they are one.
    together : no difference at any later wave, tested at once; None where there is one later wave.
    variance : by level; `boundary` those estimated as zero.
    """

    contrasts: Mapping[str, Effect | NotEstimable] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, Level]] = field(default_factory=dict)
    together: JointTest | NotEstimable | None = None
    variance: Mapping[str, float] = field(default_factory=dict)
    boundary: tuple[str, ...] = ()
    reml_loglik: float = 0.0
    people: int = 0
    rows: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            **super().to_dict(),
            "contrasts": {wave: effect.to_dict() for wave, effect in self.contrasts.items()},
            "levels": {
                wave: {arm: level.to_dict() for arm, level in arms.items()} for wave, arms in self.levels.items()
            },
            "together": None if self.together is None else self.together.to_dict(),
            "variance": dict(self.variance),
            "boundary": list(self.boundary),
            "reml_loglik": self.reml_loglik,
            "n": {"participants": self.people, "rows": self.rows},
        }


def clda(
    data: LongData, design: Design | None, level: float = 0.95, review_wave: bool = False
) -> Longitudinal | NotEstimable:
    """Treatment − control at every later wave.

    data : one row a person and wave.   design : refused where sites were not randomised.
    review_wave : whether reviews also vary from wave to wave on their own account.
    Each later wave is an Effect, or NotEstimable where one arm did not answer at it.

    >>> from analysis.long_data import read_long
    >>> from analysis.question import Question
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"site": np.repeat(np.arange(12), 20), "who": np.repeat(np.arange(120), 2)})
    >>> table["arm"], table["wave"] = table.site % 2, np.tile([1, 2], 120)
    >>> table["score"] = rng.normal(size=240) + np.repeat(rng.normal(size=120), 2) + 0.8 * table.arm * (table.wave == 2)
    >>> asked = Question("score", "arm", "site", participant="who", wave="wave", design="randomised")
    >>> found = clda(read_long(table, asked, "1"), "randomised")
    >>> list(found.contrasts), round(found.estimate, 3), round(found.df, 1)
    (['2'], 1.004, 17.5)
    >>> clda(read_long(table, asked, "1"), "nonrandomised")
    NotEstimable(reason='refused: equal baselines are a fact of randomisation only')
    """
    if design == "nonrandomised":
        return NotEstimable(NOT_RANDOMISED)
    if min(int((data.site_arm == side).sum()) for side in (0.0, 1.0)) < 2:
        return NotEstimable("fewer than two sites in an arm have answered")
    with one_thread():
        raw = _columns(data)
        fit = longitudinal.fit(model_matrix(data.outcome, raw), data.sample, review_wave)
        return fit if isinstance(fit, NotEstimable) else _contrasts(fit, data, raw, level)


def _contrasts(
    fit: LongitudinalFit, data: LongData, raw: list[tuple[str, Floats]], level: float
) -> Longitudinal | NotEstimable:
    matrix = fit.matrix
    contrasts: dict[str, Effect | NotEstimable] = {}
    for wave in data.waves[1:]:
        place = matrix.index(_arm_at(wave))
        if place is None:
            contrasts[wave] = NotEstimable(f'only one arm answered at wave "{wave}"')
        else:
            contrasts[wave] = contrast(fit, combination(fit, {place: 1.0}), level)
    last = contrasts[data.waves[-1]]
    if isinstance(last, NotEstimable):
        return last
    kept = [k for wave in data.waves[1:] if (k := matrix.index(_arm_at(wave))) is not None]
    return Longitudinal(
        estimate=last.estimate,
        se=last.se,
        df=last.df,
        statistic=last.statistic,
        p=last.p,
        ci=last.ci,
        warnings=(*data.warnings, *last.warnings),
        contrasts=contrasts,
        levels=_levels(fit, data, raw, level),
        together=joint_test(fit, np.column_stack([combination(fit, {k: 1.0}) for k in kept]))
        if len(kept) > 1
        else None,
        variance={**fit.variance, "residual": fit.sigma2},
        boundary=fit.boundary,
        reml_loglik=fit.loglik,
        people=data.people,
        rows=len(data.outcome),
    )


def _arm_at(wave: str) -> str:
    return f"arm at wave {wave}"


def _columns(data: LongData) -> list[tuple[str, Floats]]:
    """Covariates, later waves, and the arm at each of them: none at the first wave, where the arms are equal."""
    at = [(wave, (data.sample.wave == place).astype(np.float64)) for place, wave in enumerate(data.waves)][1:]
    return [
        *data.covariates,
        *((f"wave {wave}", here) for wave, here in at),
        *((_arm_at(wave), data.arm * here) for wave, here in at),
    ]


def _levels(
    fit: LongitudinalFit, data: LongData, raw: list[tuple[str, Floats]], level: float
) -> dict[str, dict[str, Level]]:
    centre = {name: float(values.mean()) for name, values in raw}
    covariates = {name for name, _ in data.covariates}
    shift = float(data.outcome.mean())

    def mean(wave: str, treated: bool) -> Level | None:
        on = {f"wave {wave}", _arm_at(wave)} if treated else {f"wave {wave}"}
        weights = np.ones(fit.sums.rank)
        for place, name in enumerate(fit.matrix.names[1:], start=1):
            away = 0.0 if name in covariates else (name in on) - centre[name]
            weights[place] = away / float(fit.matrix.scale[place])
        found = contrast(fit, weights, level)
        if isinstance(found, NotEstimable):
            return None
        low, high = (None if end is None else end + shift for end in found.ci)
        return Level(found.estimate + shift, found.se, found.df, (low, high))

    levels: dict[str, dict[str, Level]] = {}
    for wave in data.waves:
        arms = {"control": mean(wave, False), "treatment": mean(wave, wave != data.waves[0])}
        levels[wave] = {arm: one for arm, one in arms.items() if one is not None}
    return levels
