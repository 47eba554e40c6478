"""The approximate Hotelling test of several contrasts at once, with CR2 (AHT).

Pustejovsky & Tipton 2018 (JBES 36, 672–683, section 3.2), after Tipton & Pustejovsky 2015 (JEBS 40, 604–634): with
Q = (Cβ)'(C V C')⁻¹(Cβ) and V the CR2 variance, (η − q + 1)/(ηq) · Q is referred to F(q, η − q + 1). η makes the total
variance of C V C', scaled to mean I, that of a Wishart matrix; for one contrast it is the Bell–McCaffrey df.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtrc

from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT
from analysis.results import Floats, NotEstimable
from analysis.robust.cluster_robust import SiteScores, cr2_terms


@dataclass(frozen=True)
class FTest:
    """Whether several contrasts are all zero; df are those of the F distribution behind `p`."""

    statistic: float
    df: tuple[float, float]
    p: float
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"statistic": self.statistic, "df": list(self.df), "p": self.p, "warnings": list(self.warnings)}


def aht_test(scores: SiteScores, contrasts: Floats | Sequence[int]) -> FTest | NotEstimable:
    """Test that contrasts of the coefficients are all zero.

    contrasts : places of model columns, each to be zero; or (q, p) coefficients in original units, one contrast a row
    (the intercept, which centring moves, must have 0).

    >>> from analysis.model_matrix import model_matrix
    >>> from analysis.robust.cluster_robust import site_scores
    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(10), 6)
    >>> role = [(name, rng.integers(0, 2, 60).astype(float)) for name in ("manager", "parent")]
    >>> test = aht_test(site_scores(model_matrix(rng.normal(size=60), role), site), [1, 2])
    >>> test.df[0], round(test.df[1], 2), 0 < test.p < 1
    (2.0, 7.44, True)
    """
    if scores.unexplained < NOTHING_LEFT:
        return NotEstimable(ALL_EXPLAINED)
    p = scores.matrix.rank
    rows = np.asarray(contrasts, dtype=np.float64)
    if rows.ndim == 1:
        rows = np.eye(p)[np.asarray(contrasts, dtype=np.intp)]
    if rows.shape[1] != p or rows[:, 0].any():
        raise ValueError("contrasts have one coefficient a model column, and 0 for the intercept")
    scaled = rows * np.array([scores.matrix.unit(column) for column in range(p)])
    basis = scores.root @ scaled.T
    q = basis.shape[1]
    if np.linalg.matrix_rank(basis) < q:
        return NotEstimable("the contrasts repeat one another")
    influence, covariance = cr2_terms(scores, basis)
    expected = np.trace(covariance, axis1=2, axis2=3)
    values, vectors = np.linalg.eigh(expected)
    if not values[0] > 1e-12 * values[-1]:
        return NotEstimable("the sites do not determine every contrast")
    root = (vectors / np.sqrt(values)) @ vectors.T
    scaled_covariance = np.einsum("as,stij,bt->abij", root, covariance, root)
    own = np.einsum("aaij->aij", scaled_covariance)
    spread = float(np.einsum("aij,bij->", own, own))
    spread += float(np.einsum("abij,baij->", scaled_covariance, scaled_covariance))
    eta = q * (q + 1) / spread
    denominator = eta - q + 1
    if not denominator > 1.0:  # below one, F has no shape to judge by
        return NotEstimable(f"too few sites for a test of {q} contrasts at once")
    difference = basis.T @ scores.beta
    variance = influence.T @ influence
    if np.linalg.matrix_rank(variance) < q:
        return NotEstimable("the standard error of a contrast is zero: the sites do not vary")
    wald = float(difference @ np.linalg.solve(variance, difference))
    statistic = denominator / (eta * q) * wald
    warnings = ("fewer than 4 denominator df: weak evidence whatever p says",) if denominator < 4.0 else ()
    return FTest(statistic, (float(q), denominator), float(fdtrc(q, denominator, statistic)), warnings)
