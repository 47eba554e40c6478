"""The nested mixed model with stated priors, integrated by quadrature: no chains, the same answer every time.

y = Xβ + u_site + v_review + e, with φ = (site SD, review SD)/σ. Priors: flat on the intercept and covariates, 1/σ² on σ²;
φ half-normal or half-t; the effect of the arm normal about 0 with SD `effect` in units of the total SD, σ√(1 + φ_s² + φ_r²)
(Spiegelhalter 2001, Statistics in Medicine 20, 435–452; Gelman 2006, Bayesian Analysis 1, 515–533). Given φ, β and σ² are
integrated in closed form and the effect is t with N − p + 1 df; over φ the mixture is summed by Gauss–Legendre quadrature.
With few sites the prior of the site SD matters, so the answer under two other priors stands beside it, always.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import stdtr

from analysis.errors import BadData
from analysis.lmm.reml import cross_products
from analysis.lmm.sums import ReviewSums, review_sums
from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT, model_matrix
from analysis.question import Question
from analysis.results import Floats, Interval, NotEstimable
from analysis.robust.did import stratum_columns
from analysis.threads import one_thread
from analysis.trial_data import read

Shape = Literal["half_normal", "half_t"]

# Gauss–Legendre nodes a variance ratio; what the box leaves out is below e⁻³⁰ of the density at its highest.
_NODES = 48
_CUT = 30.0
_LARGEST = 1e3
# Numbers held at once: nodes × reviews × columns.
_AT_ONCE = 2_000_000
_HALF_T_DF = 3.0


@dataclass(frozen=True)
class Priors:
    """effect : SD of the arm's effect in total SDs.   shape, scale : of site and review SD in residual SDs.

    A half-t has 3 df. The usual ones: an effect beyond two total SDs is unlikely, and so is a site SD beyond one
    residual SD (an ICC of one half).
    """

    effect: float = 1.0
    shape: Shape = "half_normal"
    scale: float = 0.5

    def __post_init__(self) -> None:
        if not (0.0 < self.effect < math.inf and 0.0 < self.scale < math.inf):
            raise BadData(f"priors with SD {self.effect:g} and scale {self.scale:g}; give numbers above 0")
        if self.shape not in {"half_normal", "half_t"}:
            raise BadData(f'there is no prior shape "{self.shape}"; choose from half_normal, half_t')

    def in_words(self) -> str:
        shape = "half-normal" if self.shape == "half_normal" else "half-t with 3 df"
        return (
            f"effect normal about 0 with SD {self.effect:g} total SDs; site and review SD {shape} "
            f"with scale {self.scale:g} residual SDs"
        )

    def log_density(self, ratio: Floats) -> Floats:
        """Of one SD ratio, without its constant."""
        scaled = (ratio / self.scale) ** 2
        if self.shape == "half_normal":
            return np.asarray(-0.5 * scaled)
        return np.asarray(-0.5 * (_HALF_T_DF + 1.0) * np.log1p(scaled / _HALF_T_DF))


USUAL = Priors()
# A doubting prior of the effect, and sites that may differ more.
ALTERNATIVES = (Priors(effect=0.25), Priors(shape="half_t", scale=1.0))


@dataclass(frozen=True)
class Posterior:
    """The effect of the arm, treatment − control, in outcome units, under one set of priors.

    ci : equal tails.   benefit : P(effect > 0), P(effect < 0) where a lower outcome is better.
    worthwhile : P(benefit > smallest worthwhile), None without one.
    site_ratio, review_ratio : posterior mean of site and review SD over residual SD; review None where it is not in the model.
    """

    priors: Priors
    mean: float
    sd: float
    ci: Interval
    benefit: float
    worthwhile: float | None
    site_ratio: float
    review_ratio: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "priors": self.priors.in_words(),
            "mean": self.mean,
            "sd": self.sd,
            "ci": list(self.ci),
            "benefit": self.benefit,
            "worthwhile": self.worthwhile,
            "site_ratio": self.site_ratio,
            "review_ratio": self.review_ratio,
        }


@dataclass(frozen=True)
class Bayesian:
    """posterior : under the priors asked for.   alternatives : the same under others, to see how much they matter."""

    posterior: Posterior
    alternatives: tuple[Posterior, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.posterior.to_dict(),
            "alternatives": [one.to_dict() for one in self.alternatives],
            "warnings": list(self.warnings),
        }


def bayesian(
    frame: pd.DataFrame,
    question: Question,
    *,
    smallest_worthwhile: float | None = None,
    higher_is_better: bool = True,
    priors: Priors = USUAL,
    alternatives: Sequence[Priors] = ALTERNATIVES,
) -> Bayesian | NotEstimable:
    """Posterior of the arm's effect in outcome ~ baseline + covariates + arm + (1 | site / review).

    frame, question : as for `analysis.compare.compare`; complete cases.   smallest_worthwhile : above 0, in outcome units.
    Raises BadData as `compare` does.

    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"site": np.repeat(np.arange(6), 8)})
    >>> people["arm"] = people.site % 2
    >>> people["outcome"] = rng.normal(size=48) + 1.5 * people.arm
    >>> found = bayesian(people, Question("outcome", "arm", "site", design="randomised"), smallest_worthwhile=0.4)
    >>> found.posterior.benefit > found.posterior.worthwhile > 0.9
    True
    """
    if smallest_worthwhile is not None and not 0.0 < smallest_worthwhile < math.inf:
        raise BadData(f"the smallest worthwhile difference is {smallest_worthwhile:g}; give a number above 0")
    if len(alternatives) < 1:
        raise BadData("no other priors are given; with few sites a result is shown under others too")
    data = read(frame, question)
    with one_thread():
        stratum = None if data.site_stratum is None else data.site_stratum[data.site]
        columns: list[tuple[str, Floats]] = [*data.covariates, *stratum_columns(stratum), ("arm", data.arm)]
        if data.baseline is not None:
            columns.insert(0, ("baseline", data.baseline))
        matrix = model_matrix(data.outcome, columns)
        arm = matrix.index("arm")
        if arm is None:
            return NotEstimable("the covariates determine the arm")
        sums = review_sums(matrix, data.site, data.review)
        with_review = sums.sites < sums.reviews < sums.rows
        if not with_review and sums.reviews > sums.sites:
            sums = review_sums(matrix, data.site, None)
        if sums.rows - sums.rank < 2:
            return NotEstimable("fewer people than the model has columns")
        if sums.rows == sums.sites:
            return NotEstimable("one person a site: site and residual variance cannot be told apart")
        if not sums.within[-1, -1] > NOTHING_LEFT * sums.rows:
            return NotEstimable("answers do not vary within reviews, so there is no residual variance to compare with")
        model = _Model(
            sums, arm, with_review, matrix.unit(arm), float(matrix.scale[arm]), smallest_worthwhile, higher_is_better,
            question.level,
        )  # fmt: skip
        try:
            found = [model.posterior(one) for one in (priors, *alternatives)]
        except np.linalg.LinAlgError:
            return NotEstimable(ALL_EXPLAINED)
    notes = list(data.warnings)
    if question.design == "nonrandomised":
        notes.append("sites were not randomised: a difference is associated with the arm, never caused by it")
    if data.review is not None and not with_review:
        notes.append("the review level cannot be told from another and is left out")
    notes.append(f"priors: {priors.in_words()}")
    return Bayesian(found[0], tuple(found[1:]), tuple(notes))


@dataclass(frozen=True)
class _Model:
    """unit : from standardised to outcome units.   spread : SD of the arm column."""

    sums: ReviewSums
    arm: int
    with_review: bool
    unit: float
    spread: float
    worthwhile: float | None
    higher_is_better: bool
    level: float

    def posterior(self, priors: Priors) -> Posterior:
        site, review, weight = self._quadrature(priors)
        logs, mean, scale = self._given(site, review, priors)
        weight = weight * np.exp(logs - logs.max())
        weight /= weight.sum()
        counts = weight > 1e-15
        site, review, weight, mean, scale = (one[counts] for one in (site, review, weight, mean, scale))
        df = self.sums.rows - self.sums.rank + 1
        mean, scale = mean * self.unit, scale * self.unit
        centre = float(weight @ mean)
        variance = float(weight @ (scale**2 * (df / (df - 2.0)) + (mean - centre) ** 2)) if df > 2 else math.inf

        def beyond(cut: float) -> float:
            return float(weight @ stdtr(df, (mean - cut) / scale))

        sign = 1.0 if self.higher_is_better else -1.0
        half = (1.0 - self.level) / 2.0

        def benefit(cut: float) -> float:
            return beyond(cut) if sign > 0 else 1.0 - beyond(-cut)

        return Posterior(
            priors,
            centre,
            math.sqrt(variance),
            (_solve(beyond, 1.0 - half, centre, variance**0.5), _solve(beyond, half, centre, variance**0.5)),
            benefit(0.0),
            None if self.worthwhile is None else benefit(self.worthwhile),
            float(weight @ site),
            float(weight @ review) if self.with_review else None,
        )

    def _given(self, site: Floats, review: Floats, priors: Priors) -> tuple[Floats, Floats, Floats]:
        """Log posterior density of ratios (K,), and location and scale of the effect's t given them, standardised."""
        logs, mean, scale = np.empty_like(site), np.empty_like(site), np.empty_like(site)
        step = max(1, _AT_ONCE // (self.sums.reviews * (self.sums.rank + 1)))
        for start in range(0, len(site), step):
            here = slice(start, start + step)
            logs[here], mean[here], scale[here] = self._integrated(site[here], review[here], priors)
        logs += priors.log_density(site) + (priors.log_density(review) if self.with_review else 0.0)
        return logs, mean, scale

    def _integrated(self, site: Floats, review: Floats, priors: Priors) -> tuple[Floats, Floats, Floats]:
        sums, p = self.sums, self.sums.rank
        logdet, cross = cross_products(sums, review**2, site**2)
        # Prior precision of the arm's coefficient, in units of 1/σ², for its standardised column.
        prior = 1.0 / ((priors.effect * self.spread) ** 2 * (1.0 + site**2 + review**2))
        cross[:, self.arm, self.arm] += prior
        lower = np.linalg.cholesky(cross)
        diagonal = lower.diagonal(axis1=1, axis2=2)
        df = sums.rows - p + 1
        rss = diagonal[:, p] ** 2
        logs = 0.5 * (np.log(prior) - logdet) - np.log(diagonal[:, :p]).sum(axis=1) - 0.5 * df * np.log(rss)
        inverse = np.linalg.inv(lower[:, :p, :p])
        mean = np.einsum("kij,ki->kj", inverse, lower[:, p, :p])[:, self.arm]
        spread = np.einsum("ki,ki->k", inverse[:, :, self.arm], inverse[:, :, self.arm])
        return logs, mean, np.sqrt(spread * rss / df)

    def _quadrature(self, priors: Priors) -> tuple[Floats, Floats, Floats]:
        """Nodes (site, review) and weights over the box that holds the posterior of the ratios."""
        site = review = np.concatenate(([0.0], np.geomspace(1e-3, _LARGEST, 40)))
        # Twice more on a finer grid: with many sites the posterior is narrower than a step of the first.
        for _ in range(3):
            review = review if self.with_review else np.zeros(1)
            first, second = (grid.ravel() for grid in np.meshgrid(site, review, indexing="ij"))
            logs = self._given(first, second, priors)[0].reshape(len(site), len(review))
            inside = logs > logs.max() - _CUT
            site, review = _within(site, inside.any(axis=1)), _within(review, inside.any(axis=0))
        site_nodes, site_weights = _legendre(site)
        if not self.with_review:
            return site_nodes, np.zeros_like(site_nodes), site_weights
        review_nodes, review_weights = _legendre(review)
        site, review = (grid.ravel() for grid in np.meshgrid(site_nodes, review_nodes, indexing="ij"))
        return site, review, np.outer(site_weights, review_weights).ravel()


def _within(grid: Floats, inside: "np.typing.NDArray[np.bool_]") -> Floats:
    """A new grid from one point before the first inside to one after the last."""
    places = np.flatnonzero(inside)
    return np.linspace(grid[max(0, places[0] - 1)], grid[min(len(grid) - 1, places[-1] + 1)], 24)


def _legendre(grid: Floats) -> tuple[Floats, Floats]:
    """Nodes and weights over the length of a grid; where it starts at 0, more of them where ratios are small."""
    low, high = float(grid[0]), float(grid[-1])
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    t = (nodes + 1.0) / 2.0
    if low > 0.0:
        return low + (high - low) * t, weights * (high - low) / 2.0
    return high * t**2, weights * high * t


def _solve(beyond: Any, wanted: float, centre: float, sd: float) -> float:
    """Where a decreasing function of the effect reaches a probability, by bisection to 1e-12 of its SD."""
    spread = sd if math.isfinite(sd) and sd > 0 else 1.0
    low, high = centre - spread, centre + spread
    while beyond(low) < wanted:
        low -= high - low
    while beyond(high) > wanted:
        high += high - low
    while high - low > 1e-12 * spread:
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if beyond(middle) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
