"""Cumulative-link mixed model: logit P(Y ≤ c) = τ_c − x'β − site − review (Hedeker & Gibbons 1994, Biometrics 50).

Random effects are integrated out by Laplace's approximation, or, where sites are the only level, by adaptive
Gauss–Hermite quadrature (Liu & Pierce 1994, Biometrika 81). Modes of each site's effects are found by Newton's method
on an arrow of one site and its reviews, so a step costs O(people).

Variances are those of maximum likelihood; the t distribution on S − p degrees of freedom makes up for it. Of 300 null
trials each of 6 to 40 sites of ten people (five categories, site SD 0.4, with and without a ceiling) it rejected 1 to
7 %, the jackknifed proportional odds 3 to 6 %, CR0 5 to 9 % (Monte-Carlo error 1.3).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from analysis.ordinal.ordered import Ordered, ordered
from analysis.ordinal.proportional_odds import SEPARATED, difference, fit_logits
from analysis.results import Codes, Effect, Floats, Interval, NotEstimable, t_effect
from analysis.threads import one_thread

# A standard deviation on the logit scale below which the likelihood no longer tells it from zero.
_ZERO = 1e-3


@dataclass(frozen=True)
class Clmm:
    """effect : the arm's log odds ratio within a site and review, t(S − p).    odds_ratio, odds_ratio_ci : exp of it.

    thresholds, coefficients : as in proportional odds.    sd_site, sd_review : of the random intercepts, logit scale;
    review None without that level.    boundary : those estimated as zero, kept in the model.
    loglik : of the Laplace or quadrature approximation.    categories : the values of the outcome, in order.
    """

    effect: Effect
    odds_ratio: float
    odds_ratio_ci: Interval
    thresholds: tuple[float, ...]
    coefficients: dict[str, float]
    sd_site: float
    sd_review: float | None
    boundary: tuple[str, ...]
    loglik: float
    categories: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "odds_ratio": self.odds_ratio,
            "odds_ratio_ci": list(self.odds_ratio_ci),
            "log_odds": self.effect.to_dict(),
            "sd_site": self.sd_site,
            "sd_review": self.sd_review,
            "boundary": list(self.boundary),
            "categories": list(self.categories),
        }


def clmm(
    outcome: Floats,
    arm: Floats,
    site: Codes,
    review: Codes | None = None,
    covariates: list[tuple[str, Floats]] | None = None,
    quadrature: int = 1,
    level: float = 0.95,
) -> Clmm | NotEstimable:
    """Odds ratio of a higher category for people of the same site and review.

    outcome : (N,) ordered values, none missing.    arm : (N,) 1 and 0.    site, review : (N,) codes from 0, reviews
    nested in sites.    covariates : named (N,) columns.
    quadrature : 1 for Laplace; more nodes only without a review level. df = S − p, p counting the arm, the covariates
    and the thresholds as one. The odds ratio is farther from 1 than that of proportional odds, which averages over
    sites.

    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(10), 12)
    >>> arm = (site % 2).astype(float)
    >>> outcome = rng.binomial(4, 0.5 + 0.1 * arm).astype(float)
    >>> round(clmm(outcome, arm, site).odds_ratio, 3)
    2.055
    """
    if quadrature < 1 or (quadrature > 1 and review is not None):
        raise ValueError("quadrature takes one node or more, and more than one only without reviews")
    data = ordered(outcome, arm, site, covariates)
    if isinstance(data, NotEstimable):
        return data
    notes: list[str] = []
    people = _People.sorted(data, site, review)
    if review is not None and people.reviews == data.sites:
        notes.append("every site has exactly one review: the two variances cannot be told apart, review left out")
        people = _People.sorted(data, site, None)
    if people.reviews == len(outcome):
        return NotEstimable("one person a review or site: their variance is not identified")
    with one_thread():
        found = _fit(people, quadrature)
    if isinstance(found, NotEstimable):
        return found
    parameters, loglik, covariance = found
    count, width = len(data.categories) - 1, len(data.names)
    slopes = parameters[count : count + width] / data.scale
    sd = np.abs(parameters[count + width :])
    levels = ("site", "review")[: len(sd)]
    boundary = tuple(name for name, value in zip(levels, sd, strict=True) if value < _ZERO)
    if boundary:
        notes.append(f"variance of {' and '.join(boundary)} is estimated as zero; kept in the model")
    effect = t_effect(
        float(slopes[0]), math.sqrt(max(float(covariance[count, count]), 0.0)) / float(data.scale[0]), data.df, level,
        tuple(notes),
    )  # fmt: skip
    if isinstance(effect, NotEstimable):
        return effect
    low, high = (None if end is None else math.exp(min(end, 700.0)) for end in effect.ci)
    return Clmm(
        effect=effect,
        odds_ratio=math.exp(effect.estimate),
        odds_ratio_ci=(low, high),
        thresholds=tuple((parameters[:count] + float(data.centre @ slopes)).tolist()),
        coefficients=dict(zip(data.names, slopes.tolist(), strict=True)),
        sd_site=float(sd[0]),
        sd_review=float(sd[1]) if len(sd) > 1 else None,
        boundary=boundary,
        loglik=loglik,
        categories=data.categories,
    )


@dataclass(frozen=True)
class _People:
    """Sorted by site and review; first, first_review : where each review's people and each site's reviews begin.

    Without a review level each site is one review whose effect is not in the model.
    """

    place: Codes
    x: Floats
    review: Codes
    site: Codes
    first: Codes
    first_review: Codes
    categories: int
    nested: bool

    @property
    def reviews(self) -> int:
        return len(self.first)

    @classmethod
    def sorted(cls, data: Ordered, site: Codes, review: Codes | None) -> "_People":
        key = site if review is None else site * (int(review.max()) + 1) + review
        order = np.argsort(key, kind="stable")
        _, first, code = np.unique(key[order], return_index=True, return_inverse=True)
        of_review = site[order][first]
        _, first_review = np.unique(of_review, return_index=True)
        return cls(
            data.place[order], data.x[order], code, of_review, first, first_review, len(data.categories),
            review is not None,
        )  # fmt: skip


@dataclass(frozen=True)
class _Terms:
    """Log-likelihood of each person and its derivatives in the bounds of the category (u, l) and in η."""

    log: Floats
    u: Floats
    l: Floats  # noqa: E741
    slope: Floats
    weight: Floats
    slope_u: Floats
    slope_l: Floats
    weight_u: Floats
    weight_l: Floats


def _terms(people: _People, tau: Floats, eta: Floats, third: bool = True) -> _Terms | None:
    """With weight = −d²ℓ/dη², and third derivatives only where asked for."""
    bounds = np.concatenate(([-np.inf], tau, [np.inf]))
    high, low = bounds[people.place + 1] - eta, bounds[people.place] - eta
    chance = difference(high, low)
    if not (chance > 0.0).all():
        return None
    fu, fl = expit(high), expit(low)
    du, dl = fu * (1.0 - fu), fl * (1.0 - fl)
    u, l = du / chance, -dl / chance  # noqa: E741
    second_u, second_l = du * (1.0 - 2.0 * fu) / chance, -dl * (1.0 - 2.0 * fl) / chance
    uu, ul, ll = second_u - u * u, -u * l, second_l - l * l
    weight = -(uu + 2.0 * ul + ll)
    if not third:
        return _Terms(np.log(chance), u, l, -(u + l), weight, u, u, u, u)
    third_u = du * (1.0 - 6.0 * fu * (1.0 - fu)) / chance
    third_l = -dl * (1.0 - 6.0 * fl * (1.0 - fl)) / chance
    uuu = third_u - second_u * u - 2.0 * u * uu
    uul = -second_u * l + 2.0 * u * u * l
    ull = -second_l * u + 2.0 * l * l * u
    lll = third_l - second_l * l - 2.0 * l * ll
    return _Terms(
        np.log(chance), u, l, -(u + l), weight, -(uu + ul), -(ul + ll), -(uuu + 2.0 * uul + ull),
        -(uul + 2.0 * ull + lll),
    )  # fmt: skip


@dataclass
class _Modes:
    """The random effects, in standard deviations, where the last search ended: where the next begins."""

    site: Floats
    review: Floats


def _search(
    people: _People, tau: Floats, fixed: Floats, sd_site: float, sd_review: float, modes: _Modes
) -> _Terms | None:
    """Newton's method for the modes; the terms there, or None where no category has a chance."""

    def total(a: Floats, b: Floats, third: bool) -> tuple[_Terms | None, float]:
        eta = fixed + (sd_site * a[people.site] + sd_review * b)[people.review]
        terms = _terms(people, tau, eta, third)
        if terms is None:
            return None, -math.inf
        return terms, float(terms.log.sum() - 0.5 * (a @ a) - 0.5 * (b @ b))

    a, b = modes.site, modes.review
    terms, height = total(a, b, third=False)
    if terms is None:
        a, b = np.zeros_like(a), np.zeros_like(b)
        terms, height = total(a, b, third=False)
        if terms is None:
            return None
    for _ in range(100):
        w = np.add.reduceat(terms.weight, people.first)
        g = np.add.reduceat(terms.slope, people.first)
        gradient_b = sd_review * g - b
        gradient_a = sd_site * np.add.reduceat(g, people.first_review) - a
        step_a, step_b = _solve(people, w, sd_site, sd_review, gradient_a, gradient_b)
        decrement = float(gradient_a @ step_a + gradient_b @ step_b)
        if decrement < 1e-20 * max(1.0, abs(height)):
            break
        fraction = 1.0
        while True:
            trial, reached = total(a + fraction * step_a, b + fraction * step_b, third=False)
            if trial is not None and reached >= height - 1e-12 * abs(height):
                break
            fraction /= 2.0
            if fraction < 1e-8:
                return None
        a, b, terms, height = a + fraction * step_a, b + fraction * step_b, trial, reached
        if decrement < 1e-15:
            break
    modes.site, modes.review = a, b
    return total(a, b, third=True)[0]


def _solve(
    people: _People, w: Floats, sd_site: float, sd_review: float, of_site: Floats, of_review: Floats
) -> tuple[Floats, Floats]:
    """H⁻¹ times a vector; H = I + Z'WZ is an arrow: one site against its reviews."""
    d = 1.0 + sd_review**2 * w
    cross = sd_site * sd_review * w
    schur = 1.0 + sd_site**2 * np.add.reduceat(w / d, people.first_review)
    a = (of_site - np.add.reduceat(cross * of_review / d, people.first_review)) / schur
    return a, (of_review - cross * a[people.site]) / d


def _laplace(people: _People, parameters: Floats, modes: _Modes) -> tuple[float, Floats] | None:
    """Laplace's log-likelihood and its gradient in thresholds, slopes and standard deviations."""
    count, width = people.categories - 1, people.x.shape[1]
    tau, beta = parameters[:count], parameters[count : count + width]
    sd_site = float(parameters[count + width])
    sd_review = float(parameters[count + width + 1]) if people.nested else 0.0
    if (np.diff(tau) <= 0.0).any():
        return None
    terms = _search(people, tau, people.x @ beta, sd_site, sd_review, modes)
    if terms is None:
        return None
    a, b = modes.site, modes.review

    def by_review(values: Floats) -> Floats:
        sums: Floats = np.add.reduceat(values, people.first)
        return sums

    def by_site(values: Floats) -> Floats:
        sums: Floats = np.add.reduceat(values, people.first_review)
        return sums

    w = by_review(terms.weight)
    d = 1.0 + sd_review**2 * w
    c = w / d
    c_site = by_site(c)
    schur = 1.0 + sd_site**2 * c_site
    value = float(terms.log.sum() - 0.5 * (a @ a) - 0.5 * (b @ b) - 0.5 * np.log(d).sum() - 0.5 * np.log(schur).sum())

    # d log|H| / dw of a review: the variance of η there; spread is shared by its people.
    spread = sd_review**2 / d + (sd_site**2 / schur)[people.site] / d**2
    weight_eta = -(terms.weight_u + terms.weight_l)
    pull = spread * by_review(weight_eta)
    r_a, r_b = _solve(people, w, sd_site, sd_review, sd_site * by_site(pull), sd_review * pull)
    shift = (sd_site * r_a[people.site] + sd_review * r_b)[people.review]  # z'H⁻¹q of each person
    k = spread[people.review]
    by_u = terms.u - 0.5 * k * terms.weight_u - 0.5 * shift * terms.slope_u
    by_l = terms.l - 0.5 * k * terms.weight_l - 0.5 * shift * terms.slope_l
    by_eta = terms.slope - 0.5 * k * weight_eta + 0.5 * shift * terms.weight
    gradient = np.empty(len(parameters))
    upper = np.bincount(people.place, weights=by_u, minlength=people.categories)[:-1]
    lower = np.bincount(people.place, weights=by_l, minlength=people.categories)[1:]
    gradient[:count] = upper + lower
    gradient[count : count + width] = people.x.T @ by_eta
    eta_review = by_review(by_eta)
    slope_review = by_review(terms.slope)
    gradient[count + width] = (
        float(eta_review @ a[people.site])
        - 0.5 * float(r_a @ by_site(slope_review))
        - float((sd_site * c_site / schur).sum())
    )
    if people.nested:
        explicit = sd_review * w / d - (sd_site**2 * sd_review / schur)[people.site] * c**2
        gradient[count + width + 1] = float(eta_review @ b - 0.5 * (r_b @ slope_review) - explicit.sum())
    return value, gradient


def _quadrature(people: _People, parameters: Floats, modes: _Modes, nodes: int) -> float | None:
    """Log-likelihood by adaptive Gauss–Hermite quadrature, sites being the only level."""
    count, width = people.categories - 1, people.x.shape[1]
    tau, beta, sd = parameters[:count], parameters[count : count + width], float(parameters[-1])
    if (np.diff(tau) <= 0.0).any():
        return None
    fixed = people.x @ beta
    terms = _search(people, tau, fixed, sd, 0.0, modes)
    if terms is None:
        return None
    spread = 1.0 / np.sqrt(1.0 + sd**2 * np.add.reduceat(terms.weight, people.first))
    points, weights = np.polynomial.hermite.hermgauss(nodes)
    heights = np.empty((nodes, people.reviews))
    for row, point in enumerate(points):
        a = modes.site + math.sqrt(2.0) * spread * point
        there = _terms(people, tau, fixed + sd * a[people.review], third=False)
        if there is None:
            return None
        heights[row] = np.add.reduceat(there.log, people.first) - 0.5 * a**2 + point**2 + math.log(weights[row])
    top = heights.max(axis=0)
    integral = top + np.log(np.exp(heights - top).sum(axis=0)) + np.log(spread) - 0.5 * math.log(math.pi)
    return float(integral.sum())


def _fit(people: _People, nodes: int) -> tuple[Floats, float, Floats] | NotEstimable:
    """Parameters, log-likelihood and covariance at the maximum."""
    # scipy.optimize costs a third of a second to import, which only those who ask for this model should wait for.
    from scipy.optimize import minimize  # noqa: PLC0415

    plain = fit_logits(people.place, people.x, people.categories)
    if isinstance(plain, NotEstimable):
        return plain
    count, width = people.categories - 1, people.x.shape[1]
    modes = _Modes(np.zeros(len(people.first_review)), np.zeros(people.reviews))

    def objective(parameters: Floats) -> tuple[float, Floats]:
        found = _laplace(people, parameters, modes)
        return (1e100, np.zeros(len(parameters))) if found is None else (-found[0], -found[1])

    def integrated(parameters: Floats) -> tuple[float, Floats]:
        value = _quadrature(people, parameters, modes, nodes)
        if value is None:
            return 1e100, np.zeros(len(parameters))
        return -value, -_differences(lambda at: _quadrature(people, at, modes, nodes), parameters)

    runs = [
        minimize(
            objective,
            np.concatenate((plain.parameters, np.full(2 if people.nested else 1, sd))),
            jac=True,
            method="BFGS",
            options={"gtol": 1e-7, "maxiter": 500},
        )
        for sd in (0.3, 1.0)
    ]
    best = min(runs, key=lambda run: float(run.fun))
    function = objective
    if nodes > 1:
        function = integrated
        options = {"gtol": 1e-5, "maxiter": 200, "hess_inv0": (best.hess_inv + best.hess_inv.T) / 2.0}
        best = minimize(function, best.x, jac=True, method="BFGS", options=options)
    parameters = np.asarray(best.x, dtype=np.float64)
    # The likelihood depends on a standard deviation through its square alone.
    parameters[count + width :] = np.abs(parameters[count + width :])
    value, gradient = function(parameters)
    if float(np.abs(parameters).max()) > 40.0:
        return NotEstimable(SEPARATED)
    if not (value < 1e99 and float(np.abs(gradient).max()) < 1e-3):
        return NotEstimable("the likelihood has no optimum that could be found")
    hessian = np.array(
        [
            (function(parameters + move)[1] - function(parameters - move)[1]) / 2e-4
            for move in 1e-4 * np.eye(len(parameters))
        ]
    )
    free = np.concatenate((np.ones(count + width, dtype=bool), parameters[count + width :] >= _ZERO))
    covariance = np.zeros_like(hessian)
    try:
        inverse = np.linalg.inv((hessian + hessian.T)[np.ix_(free, free)] / 2.0)
    except np.linalg.LinAlgError:
        return NotEstimable("the likelihood is flat, so there is no standard error")
    covariance[np.ix_(free, free)] = inverse
    return parameters, -value, covariance


def _differences(function: Callable[[Floats], float | None], at: Floats) -> Floats:
    """Gradient by central differences, whose error of 1e-8 is far below what an optimum needs."""
    moves = 1e-4 * np.eye(len(at))
    gradient: Floats = np.array([((function(at + m) or 0.0) - (function(at - m) or 0.0)) / 2e-4 for m in moves])
    return gradient
