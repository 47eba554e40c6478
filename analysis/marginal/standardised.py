"""Risk difference and ratio of a yes-or-no outcome, standardised over the covariates (g-computation).

A logistic model of outcome ~ covariates + arm gives everyone a probability under each arm; their means are the two
risks. Unlike an odds ratio they do not depend on which covariates are in the model, and they need no model of the
correlation: the uncertainty is a cluster jackknife of the whole procedure (Robins 1986, Mathematical Modelling 7,
1393–1512; Wang, Park, Small & Li 2024, JASA 119, 2959–2971, for trials of clusters).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.marginal.gee import Correlation, gee_fit
from analysis.marginal.jackknife import jackknife
from analysis.results import Codes, Effect, Floats, NotEstimable, Ratio


@dataclass(frozen=True)
class StandardisedRisks:
    """risks : (treatment, control), between 0 and 1.   difference : of the risks, treatment − control.
    log_ratio : logarithm of treatment/control, on which the ratio is tested.   ratio : with its interval.
    """

    risks: tuple[float, float]
    difference: Effect | NotEstimable
    log_ratio: Effect | NotEstimable
    ratio: Ratio | NotEstimable

    def to_dict(self) -> dict[str, Any]:
        return {
            "risks": list(self.risks),
            "difference": self.difference.to_dict(),
            "log_ratio": self.log_ratio.to_dict(),
            "ratio": self.ratio.to_dict(),
        }


def standardised_risks(
    outcome: Floats,
    arm: Floats,
    covariates: Sequence[tuple[str, Floats]],
    site: Codes,
    labels: list[str],
    *,
    weights: Floats | None = None,
    correlation: Correlation = "independence",
    level: float = 0.95,
) -> StandardisedRisks | NotEstimable:
    """Standardised risks, their difference and ratio.

    outcome : (N,) 0 or 1, none missing.   arm : (N,) 1 for treatment.   covariates : names and (N,) values.
    site : (N,) codes 0 … S−1.   labels : (S,) names of the sites, for reasons.   weights : (N,), whom the risks stand
    for; None weighs people alike, one over the people of the site weighs sites alike (independence only).
    Intervals have t(S − c) with c columns that are constant within every site, intercept and arm among them; in 600
    null trials each of 6, 8, 12 and 20 sites the difference was rejected in 3.3–6.0 %, the ratio in 3.2–5.5 %. Where the
    model cannot be fitted, with all sites or without one, the reason is returned.

    >>> site = np.repeat(np.arange(8), 5)
    >>> arm = (site % 2).astype(float)
    >>> outcome = (np.random.default_rng(1).uniform(size=40) < 0.3 + 0.3 * arm).astype(float)
    >>> found = standardised_risks(outcome, arm, [], site, list("ABCDEFGH"))
    >>> round(found.difference.estimate, 3), round(found.difference.se, 3), found.difference.df
    (0.65, 0.103, 6.0)
    """
    sites = len(labels)
    whole = _risks(outcome, arm, covariates, site, weights, correlation)
    if isinstance(whole, NotEstimable):
        return whole
    without = np.empty((sites, 2))
    for k in range(sites):
        rest = site != k
        kept = [(name, values[rest]) for name, values in covariates]
        one = _risks(
            outcome[rest], arm[rest], kept, site[rest], None if weights is None else weights[rest], correlation
        )
        if isinstance(one, NotEstimable):
            return NotEstimable(f"without site {labels[k]} there is no estimate, so no jackknife: {one.reason}")
        without[k] = one
    df = float(sites - 2 - sum(_constant_within(values, site) for _, values in covariates))
    if df < 1:
        return NotEstimable("no degrees of freedom are left to judge the difference by")
    treated, control = whole
    difference = jackknife(treated - control, without[:, 0] - without[:, 1], df, level)
    log_ratio = jackknife(
        math.log(treated / control), np.asarray(np.log(without[:, 0]) - np.log(without[:, 1])), df, level
    )
    ratio: Ratio | NotEstimable
    if isinstance(log_ratio, NotEstimable):
        ratio = log_ratio
    else:
        low, high = (None if end is None or end > 700.0 else math.exp(end) for end in log_ratio.ci)
        ratio = Ratio(treated / control, (low, high))
    return StandardisedRisks(whole, difference, log_ratio, ratio)


def _risks(
    outcome: Floats,
    arm: Floats,
    covariates: Sequence[tuple[str, Floats]],
    site: Codes,
    weights: Floats | None,
    correlation: Correlation,
) -> tuple[float, float] | NotEstimable:
    """Mean probabilities, everyone treated and nobody treated."""
    fit = gee_fit(
        outcome,
        [*covariates, ("arm", arm)],
        site,
        link="logit",
        variance="binomial",
        correlation=correlation,
        weights=weights,
    )
    if isinstance(fit, NotEstimable):
        return fit
    if "arm" not in fit.names:
        return NotEstimable("the covariates determine the arm")
    values = dict(covariates)
    eta = fit.beta[0] + sum(
        (fit.beta[1 + j] * values[name] for j, name in enumerate(fit.names[1:-1])), np.zeros(len(outcome))
    )
    treated, control = (
        float(np.average(1.0 / (1.0 + np.exp(-(eta + effect))), weights=weights)) for effect in (fit.beta[-1], 0.0)
    )
    return treated, control


def _constant_within(values: Floats, site: Codes) -> bool:
    """Whether a column has one value at every site."""
    first = np.empty(int(site.max()) + 1)
    first[site[::-1]] = values[::-1]
    return bool((values == first[site]).all())
