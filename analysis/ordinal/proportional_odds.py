"""Proportional odds with a variance robust to clustering (McCullagh 1980, JRSS B 42, 109–142; Liang & Zeger 1986).

logit P(Y ≤ c) = τ_c − x'β, so exp(β) is the odds ratio of a higher category. People are fitted as if independent; the
variance sums their scores by site, or leaves out one site at a time.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import expit

from analysis.ordinal.ordered import Ordered, ordered
from analysis.results import Codes, Effect, Floats, Interval, NotEstimable, t_effect
from analysis.threads import one_thread

Variance = Literal["cr0", "cr1", "jackknife"]
VARIANCES: tuple[Variance, ...] = get_args(Variance)

SEPARATED = "the covariates tell some categories apart completely, so the odds ratio has no finite estimate"


@dataclass(frozen=True)
class ProportionalOdds:
    """effect : the log odds ratio of the arm, and its t(S − p) test.   odds_ratio, odds_ratio_ci : exp of them.

    thresholds : τ, between the categories in order.    coefficients : by name, log odds ratios.    loglik : as if
    people were independent.    categories : the values of the outcome, in order.
    """

    effect: Effect
    odds_ratio: float
    odds_ratio_ci: Interval
    thresholds: tuple[float, ...]
    coefficients: dict[str, float]
    loglik: float
    categories: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "odds_ratio": self.odds_ratio,
            "odds_ratio_ci": list(self.odds_ratio_ci),
            "log_odds": self.effect.to_dict(),
            "categories": list(self.categories),
        }


def proportional_odds(
    outcome: Floats,
    arm: Floats,
    site: Codes,
    covariates: list[tuple[str, Floats]] | None = None,
    variance: Variance = "jackknife",
    level: float = 0.95,
) -> ProportionalOdds | NotEstimable:
    """The odds ratio of a higher category, treatment against control, with a variance by site.

    outcome : (N,) ordered values, none missing.    arm : (N,) 1 and 0.    site : (N,) codes 0…S−1.
    covariates : named (N,) columns.
    variance : "cr0" B⁻¹ΣuₛuₛˈB⁻¹ with uₛ the score of a site; "cr1" the same times S/(S−1); "jackknife"
    (S−1)/S Σ(β₋ₛ − β̄)², each β₋ₛ fitted anew without a site. With fewer than about 40 sites the first two are too
    small. df = S − p, p counting the arm, the covariates and the thresholds as one.

    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(10), 12)
    >>> arm = (site % 2).astype(float)
    >>> outcome = rng.binomial(4, 0.5 + 0.1 * arm).astype(float)
    >>> round(proportional_odds(outcome, arm, site).odds_ratio, 3)
    2.055
    """
    if variance not in VARIANCES:
        raise ValueError(f"there is no variance {variance!r}")
    data = ordered(outcome, arm, site, covariates)
    if isinstance(data, NotEstimable):
        return data
    with one_thread():
        fit = fit_logits(data.place, data.x, len(data.categories))
        if isinstance(fit, NotEstimable):
            return fit
        se = _se(fit, data, site, variance)
    if isinstance(se, NotEstimable):
        return se
    thresholds = len(data.categories) - 1
    slopes = fit.parameters[thresholds:] / data.scale
    found = t_effect(float(slopes[0]), se / float(data.scale[0]), data.df, level)
    if isinstance(found, NotEstimable):
        return found
    low, high = (None if end is None else math.exp(min(end, 700.0)) for end in found.ci)
    return ProportionalOdds(
        effect=found,
        odds_ratio=math.exp(found.estimate),
        odds_ratio_ci=(low, high),
        thresholds=tuple((fit.parameters[:thresholds] + float(data.centre @ slopes)).tolist()),
        coefficients=dict(zip(data.names, slopes.tolist(), strict=True)),
        loglik=fit.loglik,
        categories=data.categories,
    )


@dataclass(frozen=True)
class LogitFit:
    """parameters : thresholds, then slopes.   scores : (N, P), each person's.   information : (P, P), observed."""

    parameters: Floats
    loglik: float
    scores: Floats
    information: Floats


def fit_logits(place: Codes, x: Floats, categories: int, start: Floats | None = None) -> LogitFit | NotEstimable:
    """Maximum likelihood by Newton's method.

    place : (N,) category 0…C−1, each category present.    x : (N, K), about standardised.
    """
    count = categories - 1
    if start is None:
        below = np.cumsum(np.bincount(place, minlength=categories))[:-1]
        share = below / len(place)
        start = np.concatenate((np.log(share / (1.0 - share)), np.zeros(x.shape[1])))
    at = _evaluate(start, place, x, count)
    if at is None:
        return NotEstimable(SEPARATED)
    for _ in range(100):
        gradient = at.scores.sum(axis=0)
        try:
            step = np.linalg.solve(at.information, gradient)
        except np.linalg.LinAlgError:
            return NotEstimable(SEPARATED)
        decrement = float(gradient @ step)
        if abs(decrement) < 1e-20 * max(1.0, abs(at.loglik)):
            break
        fraction = 1.0
        while True:
            trial = _evaluate(at.parameters + fraction * step, place, x, count)
            if trial is not None and trial.loglik >= at.loglik - 1e-13 * abs(at.loglik):
                break
            fraction /= 2.0
            if fraction < 1e-8:
                return at if abs(decrement) < 1e-10 else NotEstimable(SEPARATED)
        at = trial
        if float(np.abs(at.parameters).max()) > 40.0:
            return NotEstimable(SEPARATED)
        if abs(decrement) < 1e-16:
            break
    else:
        return NotEstimable("the likelihood has no optimum that could be found")
    return at


def _evaluate(parameters: Floats, place: Codes, x: Floats, count: int) -> LogitFit | None:
    """Log-likelihood, scores and observed information; None where thresholds are out of order."""
    tau = parameters[:count]
    if (np.diff(tau) <= 0.0).any():
        return None
    eta = x @ parameters[count:]
    bounds = np.concatenate(([-np.inf], tau, [np.inf]))
    upper, lower = expit(bounds[place + 1] - eta), expit(bounds[place] - eta)
    chance = difference(bounds[place + 1] - eta, bounds[place] - eta)
    if not (chance > 0.0).all():
        return None
    # Derivatives of the log-likelihood in the upper and the lower bound of each person's category.
    fu, fl = upper * (1.0 - upper), lower * (1.0 - lower)
    du, dl = fu / chance, -fl / chance
    duu = fu * (1.0 - 2.0 * upper) / chance - du * du
    dll = -fl * (1.0 - 2.0 * lower) / chance - dl * dl
    dul = -du * dl
    rows = np.arange(len(place))
    hu, hl = np.zeros((len(place), count + 2)), np.zeros((len(place), count + 2))
    hu[rows, place + 1] = 1.0
    hl[rows, place] = 1.0
    hu, hl = hu[:, 1:-1], hl[:, 1:-1]
    zu, zl = np.hstack((hu, -x)), np.hstack((hl, -x))
    scores = du[:, None] * zu + dl[:, None] * zl
    information = -(
        (zu * duu[:, None]).T @ zu
        + (zl * dll[:, None]).T @ zl
        + (zu * dul[:, None]).T @ zl
        + (zl * dul[:, None]).T @ zu
    )
    return LogitFit(parameters, float(np.log(chance).sum()), scores, information)


def difference(high: Floats, low: Floats) -> Floats:
    """expit(high) − expit(low), without loss of digits in either tail."""
    # On the side where both are near 1 the complement is subtracted instead.
    flip = low > 0.0
    a, b = np.where(flip, -low, high), np.where(flip, -high, low)
    result: Floats = expit(a) - expit(b)
    return result


def _se(fit: LogitFit, data: Ordered, site: Codes, variance: Variance) -> float | NotEstimable:
    if variance == "jackknife":
        return _jackknife(fit, data, site)
    sums = np.zeros((data.sites, len(fit.parameters)))
    np.add.at(sums, site, fit.scores)
    influence = np.linalg.solve(fit.information, sums.T)[len(data.categories) - 1]
    factor = data.sites / (data.sites - 1) if variance == "cr1" else 1.0
    return math.sqrt(factor * float(influence @ influence))


def _jackknife(fit: LogitFit, data: Ordered, site: Codes) -> float | NotEstimable:
    estimates = []
    for left_out in range(data.sites):
        kept = site != left_out
        present, place = np.unique(data.place[kept], return_inverse=True)
        if len(present) < 2:
            return NotEstimable("without one of the sites everybody is in one category")
        start = fit.parameters if len(present) == len(data.categories) else None
        without = fit_logits(place, data.x[kept], len(present), start)
        if isinstance(without, NotEstimable):
            return NotEstimable(f"without one of the sites {without.reason}")
        estimates.append(float(without.parameters[len(present) - 1]))
    return math.sqrt((data.sites - 1) * float(np.var(estimates)))
