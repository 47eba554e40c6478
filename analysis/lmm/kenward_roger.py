"""Kenward–Roger inference for fixed effects (Kenward & Roger 1997, Biometrics 53, 983–997).

The adjusted variance is Φ_A = Φ + 2Φ{Σ W_ij (Q_ij − P_i Φ P_j)}Φ. W is the inverse expected information of all
variance parameters, those estimated as zero included. For one contrast the scaled F of the paper reduces to t with
2 (l'Φl)² / (∇'W∇) degrees of freedom and scale 1; for several at once λF is referred to F(ℓ, m).

V is linear in its parameters, and the adjustment does not change under linear maps of them. Written in
the basis {V itself, G_1, G_2 …}, every term with V vanishes (Q − PΦP = 0), so only the cluster levels remain and W is
the inverse of a matrix one larger than their number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtrc

from analysis.lmm.longitudinal import LongitudinalFit
from analysis.lmm.reml import RemlFit
from analysis.results import Effect, Floats, NotEstimable, t_effect

MixedFit = RemlFit | LongitudinalFit

TOLD_APART = "the variances of the levels cannot be told apart"


@dataclass(frozen=True)
class JointTest:
    """Several contrasts at once: `scale` times the Wald statistic over its number of contrasts, as F(ndf, df)."""

    statistic: float
    scale: float
    ndf: int
    df: float
    p: float
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "statistic": self.statistic,
            "scale": self.scale,
            "ndf": self.ndf,
            "df": self.df,
            "p": self.p,
            "warnings": list(self.warnings),
        }


def _places(fit: MixedFit) -> tuple[int, ...]:
    """Where the derivatives of each level stand: a nested fit has both levels always, a longitudinal one its own."""
    return fit.levels if isinstance(fit, RemlFit) else tuple(range(len(fit.levels)))


def parameter_covariance(fit: MixedFit) -> Floats:
    """Inverse expected information of (V, levels…), in units of σ⁴: (1 + L, 1 + L) for L random levels."""
    dof = fit.sums.rows - fit.sums.rank
    places = _places(fit)
    information = np.empty((1 + len(places), 1 + len(places)))
    information[0, 0] = dof
    information[0, 1:] = information[1:, 0] = [fit.at.trace[k] for k in places]
    information[1:, 1:] = [[fit.at.fisher[k][m] for m in places] for k in places]
    return 2.0 * np.asarray(np.linalg.inv(information))


def combination(fit: MixedFit, effects: Mapping[int, float]) -> Floats:
    """A combination of effects in original units, weights by column, as weights (p,) of standardised effects."""
    weights = np.zeros(fit.sums.rank)
    for column, weight in effects.items():
        weights[column] = weight / float(fit.matrix.scale[column])
    return weights


def kenward_roger(fit: MixedFit, column: int, level: float = 0.95) -> Effect | NotEstimable:
    """Test and interval for the coefficient of one model column, in original units.

    Zero variances stay in the adjustment, as the paper has it; df and standard error are then conservative.

    >>> from analysis.lmm import reml
    >>> from analysis.model_matrix import model_matrix
    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(8), 12)
    >>> arm = (site % 2).astype(float)
    >>> outcome = rng.normal(size=96) + np.repeat(rng.normal(size=8), 12) + arm
    >>> matrix = model_matrix(outcome, [("arm", arm)])
    >>> fitted = reml.fit(matrix, site)
    >>> found = kenward_roger(fitted, 1)
    >>> round(found.statistic, 6), round(found.df, 6)
    (4.834771, 6.0)
    >>> means = outcome.reshape(8, 12).mean(axis=1)  # balanced, site variance above 0: the t test of site means
    >>> pooled = (means[1::2].var(ddof=1) + means[::2].var(ddof=1)) / 2
    >>> round(float((means[1::2].mean() - means[::2].mean()) / np.sqrt(pooled / 2)), 6)
    4.834771
    """
    return contrast(fit, combination(fit, {column: 1.0}), level)


def contrast(fit: MixedFit, weights: Floats, level: float = 0.95) -> Effect | NotEstimable:
    """Test and interval for one linear combination of the standardised columns' effects, weights (p,)."""
    variance, adjusted, spread = _parts(fit, weights)
    if not (spread > 0.0 and adjusted > 0.0):
        return NotEstimable(TOLD_APART)
    # `variance` is per unit of the standardised outcome's σ².
    return t_effect(
        float(estimates(fit, weights)),
        math.sqrt(adjusted * fit.sigma2),
        2.0 * variance**2 / spread,
        level,
        conservative(fit),
    )


def _parts(fit: MixedFit, weights: Floats) -> tuple[float, float, float]:
    """l'Φl, l'Φ_A l and ∇'W∇ of a contrast, in units of σ² and σ⁴; zeros where W does not exist."""
    p, at, places = fit.sums.rank, fit.at, _places(fit)
    if isinstance(fit, RemlFit) and fit.compiled:
        from analysis.lmm.compiled import contrast_parts  # noqa: PLC0415  # imports numba

        return contrast_parts(fit.at, fit.levels, fit.sums.rows - p, weights)
    l_ = at.lower[:p, :p] @ weights  # the contrast in the basis where X'H⁻¹X = I
    variance = float(l_ @ l_)
    try:
        w = parameter_covariance(fit)
    except np.linalg.LinAlgError:
        return 0.0, 0.0, 0.0
    images = [at.n1[k][:p, :p] @ l_ for k in places]
    gradient = np.array([variance, *(float(l_ @ image) for image in images)])
    adjustment = 0.0
    for i, k in enumerate(places):
        for j, m in enumerate(places):
            curvature = float(l_ @ at.n2[k][m][:p, :p] @ l_ - images[i] @ images[j])
            adjustment += float(w[1 + i, 1 + j]) * curvature
    return variance, variance + 2.0 * adjustment, float(gradient @ w @ gradient)


def joint_test(fit: MixedFit, weights: Floats) -> JointTest | NotEstimable:
    """Test of several linear combinations of the standardised columns' effects at once, weights (p, ℓ), rank ℓ.

    λ and m match two moments of the Wald statistic (section 3 of the paper, with A₁, A₂, B, g and c as named there).
    """
    p, at, places = fit.sums.rank, fit.at, _places(fit)
    count = weights.shape[1]
    l_ = at.lower[:p, :p] @ weights
    try:
        w = parameter_covariance(fit)
        # In an orthonormal basis of the contrasts Θ is the identity and the traces are those of small matrices.
        basis, _ = np.linalg.qr(l_)
        turned = np.linalg.inv(basis.T @ l_)
    except np.linalg.LinAlgError:
        return NotEstimable(TOLD_APART)
    images = [at.n1[k][:p, :p] @ basis for k in places]
    slopes = [np.eye(count), *(basis.T @ image for image in images)]
    adjusted = np.eye(count)
    for i, k in enumerate(places):
        for j, m in enumerate(places):
            adjusted += 2.0 * w[1 + i, 1 + j] * (basis.T @ at.n2[k][m][:p, :p] @ basis - images[i].T @ images[j])
    adjusted = (adjusted + adjusted.T) / 2.0
    a1 = float(sum(w[i, j] * s.trace() * r.trace() for i, s in enumerate(slopes) for j, r in enumerate(slopes)))
    a2 = float(sum(w[i, j] * (s * r.T).sum() for i, s in enumerate(slopes) for j, r in enumerate(slopes)))
    estimate = turned.T @ estimates(fit, weights)
    try:
        np.linalg.cholesky(adjusted)
        statistic = float(estimate @ np.linalg.solve(adjusted, estimate)) / (fit.sigma2 * count)
    except np.linalg.LinAlgError:
        return NotEstimable(TOLD_APART)
    moments = _scale_and_df(a1, a2, count)
    if moments is None:
        return NotEstimable("too little is known of the variances to test these contrasts together")
    scale, df = moments
    return JointTest(scale * statistic, scale, count, df, float(fdtrc(count, df, scale * statistic)), conservative(fit))


def _scale_and_df(a1: float, a2: float, count: int) -> tuple[float, float] | None:
    """λ and m of the approximating F; None where its moments do not exist."""
    if not a2 > 0.0:
        return None
    b = (a1 + 6.0 * a2) / (2.0 * count)
    g = ((count + 1) * a1 - (count + 4) * a2) / ((count + 2) * a2)
    below = 3.0 * count + 2.0 * (1.0 - g)
    c1, c2, c3 = g / below, (count - g) / below, (count + 2 - g) / below
    mean_left, v1, v2 = 1.0 - a2 / count, 1.0 - c2 * b, 1.0 - c3 * b
    if not (mean_left > 0.0 and abs(v1) > 1e-10 and v2 > 1e-10):
        return None
    mean = 1.0 / mean_left
    variance = (2.0 / count) * (1.0 + c1 * b) / (v1**2 * v2)
    ratio = variance / (2.0 * mean**2)
    if not count * ratio > 1.0:
        return None
    df = 4.0 + (count + 2) / (count * ratio - 1.0)
    return df / (mean * (df - 2.0)), df


def estimates(fit: MixedFit, weights: Floats) -> Floats:
    """Linear combinations of the standardised columns' effects, in units of the outcome."""
    # With [X y]'H⁻¹[X y] = LL', the last row of L⁻¹ is (−β', 1)/√rss.
    p, lower = fit.sums.rank, fit.at.lower
    found: Floats = (-lower[p, :p] @ weights) / lower[p, p] * fit.matrix.scale[-1]
    return found


def conservative(fit: MixedFit) -> tuple[str, ...]:
    """What is said of a test beside its numbers."""
    warnings = list(fit.notes)
    if fit.boundary:
        names = " and ".join(fit.boundary)
        warnings.append(f"variance of {names} is estimated as zero; kept in the model, so the test is conservative")
    if fit.sums.sites < 12:
        warnings.append("with fewer than 12 sites Kenward–Roger is conservative")
    return tuple(warnings)
