"""Wild cluster bootstrap of one coefficient, the null imposed, with its interval by inversion.

Cameron, Gelbach & Miller 2008 (REStat 90, 414–427); Webb 2023 (Canadian Journal of Economics 56, 839–858) for the
six-point weights; Roodman, MacKinnon, Nielsen & Webb 2019 (Stata Journal 19, 4–60) for the algebra. Under "the effect
is δ" least squares without the arm leaves residuals ũ; the residuals of site g are multiplied by one random weight v_g,
the model is fitted again, and t* = (β* − δ)/se* is compared with t = (β̂ − δ)/se, both with CR1S errors (whose constant
cancels).

Nothing of this needs the people. With d the arm residualised on the other columns and of unit length, û the residuals
of the full fit and x = δ − β̂ (in units of d), ũ = û − x·d, so that

    β* − δ = Σ_g v_g q_g,            q = q⁰ − x q¹,    q⁰_g = d_g'û_g,  q¹_g = d_g'd_g
    score of site h = (Av)_h,        A = A⁰ − x A¹,    A⁰ = diag(q⁰) − (d_h'X_h M X_g'û_g)_hg,  A¹ likewise with d for û
    t*² = (q'v)² / |Av|²,            t² = x² / Σ_h (d_h'û_h)²

One product of draws × sites with an S × S matrix gives p; two give every p(δ), since both sides are polynomials in x.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT
from analysis.results import Floats, Interval, NotEstimable
from analysis.robust.cluster_robust import SiteScores, cluster_robust

Weights = Literal["webb", "rademacher"]

DRAWS = 9_999
# All 2^S sign changes are used up to this many sites; v and −v give the same |t*|, so half are computed.
ENUMERATE_UP_TO_SITES = 12
LIBERAL_BELOW = 20
WEBB = np.array([-(1.5**0.5), -1.0, -(0.5**0.5), 0.5**0.5, 1.0, 1.5**0.5])
# The observed trial is one of the sign changes, and must not fall short of itself by rounding.
_TIE = 1e-9
# Distances from the estimate, in standard errors, at which p(δ) is looked up before its ends are bisected.
_STEPS = 2.0 ** np.arange(-1.5, 5.5, 0.5)
_FARTHEST = 2.0**40


@dataclass(frozen=True)
class WildBootstrap:
    """p of no effect, and the effects that are not rejected; a bound is None where none on its side is.

    estimate, se, statistic : of least squares with CR1S errors.   draws : weight vectors that p counts.
    exact : whether they are all the 2^S sign changes, or a random draw.
    """

    estimate: float
    se: float
    statistic: float
    p: float
    ci: Interval
    draws: int
    exact: bool
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "estimate": self.estimate,
            "se": self.se,
            "df": None,
            "statistic": self.statistic,
            "p": self.p,
            "ci": list(self.ci),
            "draws": self.draws,
            "exact": self.exact,
            "warnings": list(self.warnings),
        }


def wild_bootstrap(
    scores: SiteScores,
    column: int,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
    weights: Weights | None = None,
) -> WildBootstrap | NotEstimable:
    """Test and interval for one model column, in original units.

    weights : "rademacher" (signs) or "webb" (six points); None takes signs up to 12 sites, and Webb's beyond. Signs
    are enumerated up to 12 sites, so that p is exact and `rng` is not used; otherwise p = (1 + #)/(1 + draws).
    The interval is the smallest that holds every δ with p(δ) > 1 − level, its ends found to nine digits.

    >>> from analysis.model_matrix import model_matrix
    >>> from analysis.robust.cluster_robust import site_scores
    >>> arm = np.repeat([0.0, 1.0], 4)
    >>> outcome = np.array([1.0, 3.0, 2.0, 4.0, 5.0, 4.0, 7.0, 6.0])
    >>> found = wild_bootstrap(site_scores(model_matrix(outcome, [("arm", arm)]), np.arange(8)), 1,
    ...                        rng=np.random.default_rng(1))
    >>> round(found.estimate, 3), round(found.p, 4), found.draws, found.exact
    (3.0, 0.0312, 256, True)
    """
    plain = cluster_robust(scores, column, "cr1s", level)
    if isinstance(plain, NotEstimable):
        return plain
    if scores.unexplained < NOTHING_LEFT:
        return NotEstimable(ALL_EXPLAINED)
    sites = len(scores.score)
    if weights is None:
        weights = "rademacher" if sites <= ENUMERATE_UP_TO_SITES else "webb"
    exact = weights == "rademacher" and sites <= ENUMERATE_UP_TO_SITES
    v = every_sign(sites) if exact else drawn_weights(weights, draws, sites, rng)
    algebra = _algebra(scores, column)
    polynomials = _polynomials(algebra, v, extra=0 if exact else 1)
    alpha = round(1.0 - level, 12)
    unit = scores.matrix.unit(column) * algebra.length
    p = polynomials.p(-plain.estimate / unit)
    warnings = []
    if sites < LIBERAL_BELOW:
        warnings.append(f"liberal below {LIBERAL_BELOW} sites; for comparison")
    least = 2.0 / 2**sites if exact else 0.0
    if least >= alpha:
        warnings.append(f"the smallest p these sign changes can give is {least:.3g}")
    standard_error = plain.se / unit
    low, low_whole = polynomials.end(-1.0, standard_error, alpha)
    high, high_whole = polynomials.end(1.0, standard_error, alpha)
    if not (low_whole and high_whole):
        warnings.append("some effects inside the interval are rejected: it is the smallest that holds all the others")
    ci = (
        None if low is None else plain.estimate + low * unit,
        None if high is None else plain.estimate + high * unit,
    )
    return WildBootstrap(
        estimate=plain.estimate,
        se=plain.se,
        statistic=plain.statistic,
        p=p,
        ci=ci,
        draws=2**sites if exact else draws,
        exact=exact,
        warnings=tuple(warnings),
    )


def p_of_effect(scores: SiteScores, column: int, effect: float, v: Floats, *, observed_among: bool) -> float:
    """p of one effect, in original units, for weights handed in.

    v : (draws, S), in the order of the site codes.   observed_among : whether all-equal weights, which give the
    observed trial again, are among them; otherwise it is counted besides.
    """
    algebra = _algebra(scores, column)
    unit = scores.matrix.unit(column)
    estimate = float(scores.root[:, column] @ scores.beta)
    polynomials = _polynomials(algebra, v, extra=0 if observed_among else 1)
    return polynomials.p((effect / unit - estimate) / algebra.length)


@dataclass(frozen=True)
class _Algebra:
    """q⁰, q¹ (S,), A⁰, A¹ (S, S) and Σ(d_h'û_h)².   length : β in units of d, to standardised units."""

    q0: Floats
    q1: Floats
    a0: Floats
    a1: Floats
    spread: float
    length: float


def _algebra(scores: SiteScores, column: int) -> _Algebra:
    contrast = scores.root[:, column]
    length = float(np.sqrt(contrast @ contrast))
    direction = contrast / length
    toward = scores.leverage @ direction  # K X_g'd_g
    q0, q1 = scores.score @ direction, toward @ direction
    a0 = np.diag(q0) - toward @ scores.score.T
    a1 = np.diag(q1) - toward @ toward.T
    return _Algebra(q0, q1, a0, a1, float(q0 @ q0), length)


@dataclass(frozen=True)
class _Polynomials:
    """For each draw, the polynomial in x that is not negative where its |t*| reaches |t|: (5, draws), x⁰ … x⁴.

    extra : counts the observed trial where it is not among the draws.
    """

    coefficients: Floats
    extra: int

    def p(self, x: float) -> float:
        c = self.coefficients
        value = (((c[4] * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]
        return (self.extra + int(np.count_nonzero(value >= 0.0))) / (self.extra + int(c.shape[1]))

    def end(self, side: float, step: float, alpha: float) -> tuple[float | None, bool]:
        """Farthest x on one side with p(x) > alpha, None where there is no farthest; whether all nearer ones are in."""
        places = [side * step * k for k in _STEPS.tolist()]
        within = [self.p(x) > alpha for x in places]
        while within[-1] and abs(places[-1]) < step * _FARTHEST:
            places.append(16.0 * places[-1])
            within.append(self.p(places[-1]) > alpha)
        if within[-1]:
            return None, True
        last = max((k for k, inside in enumerate(within) if inside), default=-1)
        whole = all(within[: last + 1])
        inside, outside = (places[last] if last >= 0 else 0.0), places[last + 1]
        while abs(outside - inside) > 1e-9 * abs(outside):
            middle = (inside + outside) / 2.0
            if self.p(middle) > alpha:
                inside = middle
            else:
                outside = middle
        return inside, whole


def _polynomials(algebra: _Algebra, v: Floats, extra: int) -> _Polynomials:
    """(q'v)² Σ(d_h'û_h)² − x² |Av|², with a little room for rounding.   v : (draws, S)."""
    sites = v.shape[1]
    q = v @ np.column_stack((algebra.q0, algebra.q1))
    scored = v @ np.hstack((algebra.a0.T, algebra.a1.T))
    first, second = scored[:, :sites], scored[:, sites:]
    room = 1.0 - _TIE
    a, b = q.T
    c = np.empty((5, len(v)))
    c[0] = algebra.spread * a * a
    c[1] = -2.0 * algebra.spread * a * b
    c[2] = algebra.spread * b * b - room * np.einsum("ij,ij->i", first, first)
    c[3] = 2.0 * room * np.einsum("ij,ij->i", first, second)
    c[4] = -room * np.einsum("ij,ij->i", second, second)
    # Where all weights are equal, Av does not depend on x: what is left of A¹v is rounding error.
    c[3:, c[4] > -1e-24 * np.einsum("ij,ij->i", v, v)] = 0.0
    return _Polynomials(c, extra)


def every_sign(sites: int) -> Floats:
    """Half of the 2^S sign changes, (2^(S−1), S): the other half are their negatives."""
    return np.asarray(1.0 - 2.0 * ((np.arange(2 ** (sites - 1))[:, None] >> np.arange(sites)) & 1))


def drawn_weights(weights: Weights, draws: int, sites: int, rng: np.random.Generator) -> Floats:
    """Independent weights with mean 0 and variance 1, (draws, S)."""
    points = WEBB if weights == "webb" else np.array([-1.0, 1.0])
    return np.asarray(points[rng.integers(0, len(points), (draws, sites), dtype=np.uint8)])
