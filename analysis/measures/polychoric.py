"""Thresholds and polychoric correlations in two stages, with their joint covariance (Olsson 1979, Psychometrika 44;
Muthén 1984, Psychometrika 49, 115–132).

An ordered answer is taken as a normal latent response cut at thresholds. Thresholds come from each item's shares,
then each correlation from its pair's table by maximum likelihood given the thresholds. The covariance of all of them
is the sandwich of both stages' scores, with outer products for information.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.results import Codes, Floats, NotEstimable

# Gauss–Legendre nodes that give a bivariate normal probability to 1e-12 for |ρ| up to 0.99.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_HIGHEST = 0.995


@dataclass(frozen=True)
class PolychoricMoments:
    """thresholds : of each item, in order.    correlations : (K, K).    covariance : of the estimates (all thresholds,
    item by item, then correlations of pairs (0, 1), (0, 2), …), (Q, Q).    n : people.
    """

    thresholds: tuple[Floats, ...]
    correlations: Floats
    covariance: Floats
    n: int

    @property
    def vector(self) -> Floats:
        """Thresholds, then correlations by pair: (Q,), the order of `covariance`."""
        return np.concatenate((*self.thresholds, self.correlations[np.triu_indices(len(self.thresholds), 1)]))


def bivariate_normal(h: Floats, k: Floats, rho: float) -> Floats:
    """P(X ≤ h, Y ≤ k) for standard normals correlated ρ, (A,) and (B,) to (A, B).

    Φ(h)Φ(k) + (1/2π) ∫₀^asin ρ exp(−(h² + k² − 2hk sin t)/(2 cos² t)) dt (Drezner & Wesolowsky 1990).

    >>> zero = np.zeros(1)
    >>> round(float(bivariate_normal(zero, zero, 0.5)[0, 0]), 6), round(0.25 + float(np.arcsin(0.5)) / (2 * np.pi), 6)
    (0.333333, 0.333333)
    """
    reach = math.asin(rho)
    t = reach * (1.0 + _NODES) / 2.0
    sine, cosine2 = np.sin(t), np.cos(t) ** 2
    hk = np.multiply.outer(h, k)
    squares = np.add.outer(h**2, k**2)
    inside = np.exp(-(squares[..., None] - 2.0 * hk[..., None] * sine) / (2.0 * cosine2))
    found: Floats = np.multiply.outer(ndtr(h), ndtr(k)) + reach / (4.0 * math.pi) * (inside @ _WEIGHTS)
    return found


def polychoric_moments(
    places: Codes, categories: tuple[int, ...], names: tuple[str, ...]
) -> PolychoricMoments | NotEstimable:
    """places : (N, K), each answer's category 0…C−1, none missing.    categories : C of each item, all of them used."""
    n, items = places.shape
    thresholds, scores, index = [], [], []
    for k in range(items):
        counts = np.bincount(places[:, k], minlength=categories[k])
        if (counts == 0).any():
            return NotEstimable(f'nobody gave answer {int((counts == 0).argmax()) + 1} to "{names[k]}"; join answers')
        cuts = ndtri(np.cumsum(counts)[:-1] / n)
        thresholds.append(cuts)
        index.append(np.arange(len(cuts)) + sum(len(cut) for cut in thresholds[:-1]))
        # Score of a threshold: the density there over the share of the category below it, less that above.
        density = np.exp(-0.5 * cuts**2) / math.sqrt(2.0 * math.pi)
        score = np.zeros((categories[k], len(cuts)))
        place = np.arange(len(cuts))
        score[place, place] = density * n / counts[:-1]
        score[place + 1, place] = -density * n / counts[1:]
        scores.append(score)
    pairs = list(combinations(range(items), 2))
    count = sum(len(cut) for cut in thresholds)
    everybody = np.empty((n, count + len(pairs)))
    for k in range(items):
        everybody[:, index[k]] = scores[k][places[:, k]]
    bread = np.zeros((count + len(pairs), count + len(pairs)))
    for k in range(items):
        block = everybody[:, index[k]]
        bread[np.ix_(index[k], index[k])] = block.T @ block
    correlations = np.eye(items)
    for row, (i, j) in enumerate(pairs, start=count):
        table = np.zeros((categories[i], categories[j]))
        np.add.at(table, (places[:, i], places[:, j]), 1.0)
        pair = _correlate(table, thresholds[i], thresholds[j])
        if pair is None:
            return NotEstimable(
                f'answers to "{names[i]}" and "{names[j]}" determine each other, or a pair of them was never given, '
                "so their correlation has no estimate"
            )
        correlations[i, j] = correlations[j, i] = pair.rho
        everybody[:, row] = pair.score[places[:, i], places[:, j]]
        weighted = table * pair.score
        bread[row, row] = float((weighted * pair.score).sum())
        bread[row, index[i]] = np.einsum("ab,abc->c", weighted, pair.first)
        bread[row, index[j]] = np.einsum("ab,abc->c", weighted, pair.second)
    inverse = np.linalg.inv(bread)
    covariance = inverse @ (everybody.T @ everybody) @ inverse.T
    return PolychoricMoments(tuple(thresholds), correlations, (covariance + covariance.T) / 2.0, n)


@dataclass(frozen=True)
class _Pair:
    """rho, and for each cell the score in ρ, in the first item's thresholds and in the second's."""

    rho: float
    score: Floats
    first: Floats
    second: Floats


def _correlate(table: Floats, a: Floats, b: Floats) -> _Pair | None:
    """Fisher scoring for ρ given both items' thresholds."""
    n = float(table.sum())
    low, high = np.concatenate(([-40.0], a, [40.0])), np.concatenate(([-40.0], b, [40.0]))
    rho = 0.0
    step = 1.0
    for _ in range(200):
        chance, slope = _cells(low, high, rho)
        gradient = float((table * slope / chance).sum())
        information = n * float((slope**2 / chance).sum())
        step = gradient / information
        moved = max(-_HIGHEST, min(_HIGHEST, rho + max(-0.3, min(0.3, step))))
        if abs(moved - rho) < 1e-12:
            break
        rho = moved
    if abs(rho) >= _HIGHEST or abs(step) > 1e-6:
        return None
    chance, slope = _cells(low, high, rho)
    root = math.sqrt(1.0 - rho**2)

    def threshold_scores(cuts: Floats, others: Floats) -> Floats:
        """d log π / d cut for each cell of (categories of the item, of the other, cuts)."""
        density = np.exp(-0.5 * cuts**2) / math.sqrt(2.0 * math.pi)
        steps = np.diff(ndtr((others[None, :] - rho * cuts[:, None]) / root), axis=1) * density[:, None]
        found = np.zeros((len(cuts) + 1, len(others) - 1, len(cuts)))
        place = np.arange(len(cuts))
        found[place, :, place] = steps
        found[place + 1, :, place] = -steps
        return found

    first = threshold_scores(a, high) / chance[:, :, None]
    second = threshold_scores(b, low).transpose(1, 0, 2) / chance[:, :, None]
    return _Pair(rho, slope / chance, first, second)


def _cells(low: Floats, high: Floats, rho: float) -> tuple[Floats, Floats]:
    """Probability of each cell and its derivative in ρ, the bivariate density's difference over its corners."""
    corners = bivariate_normal(low, high, rho)
    spare = 1.0 - rho**2
    exponent = (np.add.outer(low**2, high**2) - 2.0 * rho * np.multiply.outer(low, high)) / (2.0 * spare)
    density = np.exp(-exponent) / (2.0 * math.pi * math.sqrt(spare))
    chance = np.diff(np.diff(corners, axis=0), axis=1)
    return np.maximum(chance, 1e-15), np.diff(np.diff(density, axis=0), axis=1)
