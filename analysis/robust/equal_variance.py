"""CR2 of weighted least squares where the weights say nothing of the errors, which all have one variance.

Pustejovsky & Tipton 2018 (JBES 36, 672–683, section 2) with Φ = I and weights W, M = (X'WX)⁻¹. The matrix to be
inverted, B_i = I − X_i M X_i'W_i − W_i X_i M X_i' + X_i M (X'W²X) M X_i', differs from the identity only in the
columns Z_i = [X_i, W_i X_i], so its root needs a 2p × 2p problem whatever the number of people.
"""

from dataclasses import dataclass

import numpy as np

from analysis.results import Codes, Floats

# Share of the largest eigenvalue of Z'Z below which a direction is rounding error, as where weights are constant.
_EMPTY = 1e-13
_ALONE = 1e-8


@dataclass(frozen=True)
class EqualVariance:
    """Sums by site, in the basis where X'WX = I.

    gram : (S, 2p, 2p), Z_i'Z_i.   residual : (S, 2p), Z_i'e_i.   root : (S, 2p, 2p), T_i of B_i^−½ = I + Z_i T_i Z_i'.
    squared : (p, p), X'W²X.
    """

    gram: Floats
    residual: Floats
    root: Floats
    squared: Floats

    def terms(self, contrasts: Floats) -> tuple[Floats, Floats]:
        """Influence (S, q) and covariance (q, q, S, S) of contrasts (p, q); see `cluster_robust.cr2_terms`."""
        lifted = np.concatenate((np.zeros_like(contrasts), contrasts))  # W X M c = Z [0; c]
        weights = lifted + self.root @ (self.gram @ lifted)  # a_i = Z_i h_i
        return np.einsum("izq,iz->iq", weights, self.residual), self._covariance(weights)

    def covariance(self, adjusted: Floats) -> Floats:
        """The same covariance where a_i = W_i X_i times (S, p, q), as with the other kinds."""
        return self._covariance(np.concatenate((np.zeros_like(adjusted), adjusted), axis=1))

    def _covariance(self, weights: Floats) -> Floats:
        """Of a_i'e_i, a_i = Z_i h_i; weights : (S, 2p, q), h_i."""
        p = len(self.squared)
        crossed = self.gram @ weights
        plain, weighted = crossed[:, :p], crossed[:, p:]
        covariance = (
            np.einsum("ips,pr,jrt->stij", plain, self.squared, plain)
            - np.einsum("ips,jpt->stij", weighted, plain)
            - np.einsum("ips,jpt->stij", plain, weighted)
        )
        each = np.arange(len(crossed))
        covariance[:, :, each, each] += np.einsum("izs,izt->sti", weights, crossed)
        return np.asarray(covariance)


def equal_variance(x: Floats, residuals: Floats, weights: Floats, starts: Codes) -> EqualVariance:
    """Sums of people sorted by site.

    x : (N, p) columns in the basis where X'WX = I.   residuals, weights : (N,).   starts : (S,) first row of each site.

    >>> x = np.full((4, 1), 0.5)
    >>> found = equal_variance(x, np.array([1.0, -1.0, 2.0, -2.0]), np.ones(4), np.array([0, 2]))
    >>> found.gram.shape, found.squared.tolist()
    ((2, 2, 2), [[1.0]])
    """
    p = x.shape[1]
    both = np.hstack((x, weights[:, None] * x))
    ends = [*starts[1:].tolist(), len(x)]
    parts = [both[start:end] for start, end in zip(starts.tolist(), ends, strict=True)]
    gram = np.array([part.T @ part for part in parts])
    residual = np.add.reduceat(both * residuals[:, None], starts, axis=0)
    squared = gram[:, p:, p:].sum(axis=0)
    one = np.eye(p)
    hat = np.block([[-squared, one], [one, np.zeros((p, p))]])  # B = I − Z hat Z'
    values, vectors = np.linalg.eigh(gram)
    there = values > _EMPTY * values[:, -1:]
    size = np.sqrt(np.where(there, values, 0.0))
    scaled = vectors * size[:, None, :]
    inner, turn = np.linalg.eigh(np.swapaxes(scaled, 1, 2) @ hat @ scaled)
    left = 1.0 - inner
    free = left > _ALONE
    powered = np.where(free, np.where(free, left, 1.0) ** -0.5, 0.0) - 1.0
    back = (vectors * np.where(there, 1.0 / np.where(there, size, 1.0), 0.0)[:, None, :]) @ turn
    root = (back * powered[:, None, :]) @ np.swapaxes(back, 1, 2)
    return EqualVariance(gram, residual, np.asarray(root), squared)
