"""Weights for sites that make arms alike in measured site covariates: overlap weights and entropy balancing.

Overlap weights (Li, Morgan & Zaslavsky 2018, JASA 113, 390–400): a treated site weighs 1 − e, a control site e, e being
the propensity of a logistic regression at site level; with maximum likelihood the weighted means of its covariates are then
equal exactly. Where the arms are separated, the likelihood has no maximum and the propensity is penalised with Jeffreys'
prior (Firth 1993, Biometrika 80, 27–38; Heinze & Schemper 2002, Statistics in Medicine 21, 2409–2419); balance is then
approximate. Entropy balancing (Hainmueller 2012, Political Analysis 20, 25–46): control sites get the weights nearest to
equal ones, in Kullback–Leibler distance, at which their weighted means are those of the treated sites.

With few sites, many covariates can be balanced by weights that keep only a handful of sites. So there are at most
max(1, S/10) covariates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from analysis.errors import BadData
from analysis.results import Floats, NotEstimable

Weighting = Literal["overlap", "entropy"]
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)

# Penalised steps shrink by a constant factor, which an outlying site can bring near one.
_STEPS = 5000
# Score, or difference of means in SDs, at which a search is over.
_FOUND = 1e-11
# By which a criterion may seem to worsen at its optimum, where the last step is smaller than its rounding error.
_ROUNDING = 1e-13
# Information a site, in SDs of the covariates, below which a coefficient is running to infinity.
_SEPARATED = 1e-7
# Effective sites an arm, two but for rounding; and the smallest weight beside the largest, so that none is lost to underflow.
_FEWEST = 2.0 - 1e-9
_LEAST = 1e-14

APPROXIMATE = "the covariates tell the arms apart completely: the propensity is penalised, and balance approximate"


@dataclass(frozen=True)
class SiteWeights:
    """weights : (S,), above zero, adding up to 1 in each arm.   propensity : (S,), None for entropy balancing.

    population : whom the weighted difference speaks of.
    """

    kind: Weighting
    weights: Floats
    propensity: Floats | None
    population: str
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "weights": self.weights.tolist(),
            "propensity": None if self.propensity is None else self.propensity.tolist(),
            "population": self.population,
            "warnings": list(self.warnings),
        }


def most_covariates(sites: int) -> int:
    """How many site covariates so many sites can carry."""
    return max(1, sites // 10)


def site_weights(kind: Weighting, site_arm: Floats, covariates: Floats) -> SiteWeights | NotEstimable:
    """Weights of one kind; arguments as `overlap_weights`."""
    if kind not in WEIGHTINGS:
        raise BadData(f'there is no weighting "{kind}"; choose from {", ".join(WEIGHTINGS)}')
    return overlap_weights(site_arm, covariates) if kind == "overlap" else entropy_weights(site_arm, covariates)


def overlap_weights(site_arm: Floats, covariates: Floats) -> SiteWeights | NotEstimable:
    """Overlap weights from a propensity at site level.

    site_arm : (S,) 1 for treatment.   covariates : (S, k), of sites, none missing (BadData), in any unit.

    >>> arm = np.repeat([1.0, 0.0], 4)
    >>> size = np.array([4.0, 6.0, 9.0, 8.0, 3.0, 5.0, 7.0, 2.0])[:, None]
    >>> found = overlap_weights(arm, size)
    >>> (found.weights[:4] @ size[:4]).round(6) == (found.weights[4:] @ size[4:]).round(6)
    array([ True])
    """
    scaled = _checked(site_arm, covariates)
    if isinstance(scaled, NotEstimable):
        return scaled
    columns = np.column_stack((np.ones(len(site_arm)), scaled))
    propensity = _logistic(columns, site_arm, penalised=False)
    warnings: tuple[str, ...] = ()
    if propensity is None:
        propensity, warnings = _logistic(columns, site_arm, penalised=True), (APPROXIMATE,)
        if propensity is None:
            return NotEstimable("no propensity could be found, penalised or not")
    weights = np.where(site_arm == 1.0, 1.0 - propensity, propensity)
    population = "sites that might have been in either arm"
    return _leaning(SiteWeights("overlap", _normalised(weights, site_arm), propensity, population, warnings), site_arm)


def entropy_weights(site_arm: Floats, covariates: Floats) -> SiteWeights | NotEstimable:
    """Entropy balancing of the control sites to the first moments of the treated; arguments as `overlap_weights`.

    NotEstimable where no weights could do it, as the treated mean lies beyond every control site, or none that leave two.

    >>> arm = np.repeat([1.0, 0.0], 4)
    >>> size = np.array([4.0, 5.0, 6.0, 6.0, 3.0, 5.0, 7.0, 2.0])[:, None]
    >>> float((entropy_weights(arm, size).weights[4:] @ size[4:])[0].round(6))
    5.25
    """
    scaled = _checked(site_arm, covariates)
    if isinstance(scaled, NotEstimable):
        return scaled
    control = site_arm == 0.0
    balancing = _entropy(scaled[control] - scaled[~control].mean(axis=0))
    if balancing is None:
        return NotEstimable(
            "no weights of the control sites can give the treated sites' means: those lie beyond the control sites"
        )
    weights = np.ones(len(site_arm))
    weights[control] = balancing
    found = SiteWeights("entropy", _normalised(weights, site_arm), None, "sites like the treated ones")
    return _leaning(found, site_arm)


def _checked(site_arm: Floats, covariates: Floats) -> Floats | NotEstimable:
    """Covariates centred, in SDs; or why they cannot be balanced."""
    sites, count = covariates.shape
    if not np.isfinite(covariates).all():
        raise BadData(
            "a site covariate is missing or infinite; give a number for every site, or leave the covariate out"
        )
    if count == 0:
        raise BadData("no site covariate was named; name those to balance")
    if count > most_covariates(sites):
        return NotEstimable(
            f"{count} site covariates for {sites} sites: weights can balance at most {most_covariates(sites)} "
            "(a tenth of the sites) without leaning on a handful of them"
        )
    if min(int(site_arm.sum()), int((1.0 - site_arm).sum())) < 2:
        return NotEstimable("fewer than two sites in an arm")
    centred = covariates - covariates.mean(axis=0)
    spread = centred.std(axis=0, ddof=1)
    if (spread <= 1e-12 * np.abs(covariates).max(axis=0)).any():
        return NotEstimable("a site covariate is the same at every site, so there is nothing to balance")
    scaled: Floats = centred / spread
    if np.linalg.matrix_rank(scaled) < count:
        return NotEstimable("one site covariate is determined by the others; leave it out")
    return scaled


def _leaning(found: SiteWeights, site_arm: Floats) -> SiteWeights | NotEstimable:
    """The weights, unless they leave an arm fewer sites than a comparison needs."""
    left = effective_sites(found.weights, site_arm)
    if min(left) < _FEWEST:
        arm = "treatment" if left[0] < left[1] else "control"
        return NotEstimable(
            f"balance would lean on too few sites: the weighted {arm} arm is worth {min(left):.1f} sites of equal weight, "
            "fewer than two"
        )
    return found


def _normalised(weights: Floats, site_arm: Floats) -> Floats:
    weights = np.maximum(weights, _LEAST * weights.max())
    totals = np.where(site_arm == 1.0, weights[site_arm == 1.0].sum(), weights[site_arm == 0.0].sum())
    return np.asarray(weights / totals)


def _logistic(columns: Floats, arm: Floats, *, penalised: bool) -> Floats | None:
    """Fitted propensities by Newton's method with halved steps; None where there is no maximum."""
    beta = np.zeros(columns.shape[1])
    value = _likelihood(columns, arm, beta, penalised)
    for _ in range(_STEPS):
        e = _expit(columns @ beta)
        information = columns.T @ (columns * (e * (1.0 - e))[:, None])
        try:
            inverse = np.linalg.inv(information)
        except np.linalg.LinAlgError:
            return None
        score = arm - e
        if penalised:
            hat = np.einsum("ij,jk,ik->i", columns, inverse, columns) * e * (1.0 - e)
            score = score + hat * (0.5 - e)
        gradient = columns.T @ score
        if not penalised and float(np.linalg.eigvalsh(information)[0]) < _SEPARATED * len(arm):
            return None
        if float(np.abs(gradient).max()) < _FOUND * len(arm):
            return e
        step, fraction = inverse @ gradient, 1.0
        while True:
            moved = beta + fraction * step
            reached = _likelihood(columns, arm, moved, penalised)
            if reached >= value - _ROUNDING * (1.0 + abs(value)) or fraction < 1e-8:
                break
            fraction /= 2.0
        beta, value = moved, reached
    return None


def _likelihood(columns: Floats, arm: Floats, beta: Floats, penalised: bool) -> float:
    linear = columns @ beta
    found = float((arm * linear - np.logaddexp(0.0, linear)).sum())
    if penalised:
        e = _expit(linear)
        found += 0.5 * float(np.linalg.slogdet(columns.T @ (columns * (e * (1.0 - e))[:, None]))[1])
    return found


def _expit(linear: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(linear / 2.0)))


def _entropy(distance: Floats) -> Floats | None:
    """Weights w ∝ exp(λ'd) with Σ w d = 0, d (n, k); λ minimises log Σ exp(λ'd), by Newton's method."""
    slope = np.zeros(distance.shape[1])
    for _ in range(_STEPS):
        weights, value = _tilted(distance, slope)
        gradient = weights @ distance
        if float(np.abs(gradient).max()) < _FOUND:
            return weights
        curvature = distance.T @ (distance * weights[:, None]) - np.outer(gradient, gradient)
        try:
            step = np.linalg.solve(curvature, gradient)
        except np.linalg.LinAlgError:
            return None
        fraction = 1.0
        allowed = value + _ROUNDING * (1.0 + abs(value))
        while _tilted(distance, slope - fraction * step)[1] > allowed and fraction > 1e-8:
            fraction /= 2.0
        slope = slope - fraction * step
        if float(np.abs(slope).max()) > 1e3:  # the weights run to one site without ever reaching the mean
            return None
    return None


def _tilted(distance: Floats, slope: Floats) -> tuple[Floats, float]:
    linear = distance @ slope
    largest = float(linear.max())
    raised = np.exp(linear - largest)
    return raised / raised.sum(), largest + float(np.log(raised.sum()))


def effective_sites(weights: Floats, site_arm: Floats) -> tuple[float, float]:
    """How many sites of equal weight the weighted ones are worth, (Σw)²/Σw² (Kish 1965), (treatment, control)."""

    def of(arm: float) -> float:
        here = weights[site_arm == arm]
        return float(here.sum() ** 2 / (here @ here))

    return of(1.0), of(0.0)


@dataclass(frozen=True)
class Balance:
    """One covariate: means (treatment, control) and standardised difference, before and after weighting."""

    covariate: str
    means: tuple[float, float]
    difference: float
    weighted_means: tuple[float, float]
    weighted_difference: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "covariate": self.covariate,
            "means": list(self.means),
            "difference": self.difference,
            "weighted_means": list(self.weighted_means),
            "weighted_difference": self.weighted_difference,
        }


@dataclass(frozen=True)
class BalanceTable:
    """Balance of site covariates; no p-values, for the question is not whether chance made the arms differ.

    effective_sites : (treatment, control), what the weights leave.
    """

    covariates: tuple[Balance, ...]
    sites: tuple[int, int]
    effective_sites: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "covariates": [one.to_dict() for one in self.covariates],
            "sites": list(self.sites),
            "effective_sites": list(self.effective_sites),
        }


def balance_table(names: Sequence[str], covariates: Floats, site_arm: Floats, weights: Floats) -> BalanceTable:
    """Standardised differences of site covariates (S, k), treatment − control.

    Before and after are both in √((s₁² + s₀²)/2) of the unweighted sites, so that a smaller one is a smaller difference
    (Stuart, Lee & Leacy 2013, J. Clin. Epidemiol. 66, S84–S90). Raises BadData for a covariate that is constant within
    each arm and tells them apart: it is the arm itself.

    >>> arm, size = np.array([1.0, 1.0, 0.0, 0.0]), np.array([[2.0], [4.0], [3.0], [7.0]])
    >>> found = balance_table(["size"], size, arm, np.array([1.0, 3.0, 1.0, 0.5]))
    >>> found.covariates[0].means, found.covariates[0].weighted_means[0]
    ((3.0, 5.0), 3.5)
    """
    treated = site_arm == 1.0
    rows = []
    for name, values in zip(names, covariates.T, strict=True):
        one, other = values[treated], values[~treated]
        spread = float(np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2.0))
        plain = (float(one.mean()), float(other.mean()))
        if spread == 0.0 and plain[0] != plain[1]:
            raise BadData(f'site covariate "{name}" is the same within each arm and tells them apart; leave it out')
        weighted = tuple(
            float(np.average(here, weights=weights[where])) for here, where in ((one, treated), (other, ~treated))
        )
        unit = spread or 1.0
        rows.append(
            Balance(
                name,
                plain,
                (plain[0] - plain[1]) / unit,
                (weighted[0], weighted[1]),
                (weighted[0] - weighted[1]) / unit,
            )
        )
    counts = (int(treated.sum()), int((~treated).sum()))
    return BalanceTable(tuple(rows), counts, effective_sites(weights, site_arm))
