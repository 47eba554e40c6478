"""Kenward–Roger inference for one fixed effect (Kenward & Roger 1997, Biometrics 53, 983–997).

The adjusted variance is Φ_A = Φ + 2Φ{Σ W_ij (Q_ij − P_i Φ P_j)}Φ, and for one contrast the scaled F of
the paper reduces to t with 2 (l'Φl)² / (∇'W∇) degrees of freedom and scale 1. W is the inverse expected
information of all variance parameters, those estimated as zero included.

V is linear in its parameters, and the adjustment does not change under linear maps of them. Written in
the basis {V itself, G_review, G_site}, every term with V vanishes (Q − PΦP = 0), so only the two cluster
levels remain and W is the inverse of a 2 × 2 Schur complement.
"""

import math

import numpy as np

from analysis.lmm.reml import RemlFit
from analysis.results import Effect, Floats, NotEstimable, t_effect


def parameter_covariance(fit: RemlFit) -> Floats:
    """Inverse expected information of (V, levels…), in units of σ⁴: (1 + L, 1 + L) for L random levels."""
    dof = fit.sums.rows - fit.sums.rank
    levels = fit.levels
    information = np.empty((1 + len(levels), 1 + len(levels)))
    information[0, 0] = dof
    information[0, 1:] = information[1:, 0] = [fit.at.trace[k] for k in levels]
    information[1:, 1:] = [[fit.at.fisher[k][m] for m in levels] for k in levels]
    return 2.0 * np.asarray(np.linalg.inv(information))


def kenward_roger(fit: RemlFit, column: int, level: float = 0.95) -> Effect | NotEstimable:
    """Test and interval for the coefficient of one model column, in original units.

    Zero variances stay in the adjustment, as the paper has it; df and standard error are then conservative.
    """
    p, at = fit.sums.rank, fit.at
    contrast = at.lower[:p, column]  # the contrast in the basis where X'H⁻¹X = I
    variance = float(contrast @ contrast)
    try:
        w = parameter_covariance(fit)
    except np.linalg.LinAlgError:
        return NotEstimable("the variances of sites and reviews cannot be told apart")
    images = [at.n1[k][:p, :p] @ contrast for k in fit.levels]
    gradient = np.array([variance, *(float(contrast @ image) for image in images)])
    adjustment = 0.0
    for i, k in enumerate(fit.levels):
        for j, m in enumerate(fit.levels):
            curvature = float(contrast @ at.n2[k][m][:p, :p] @ contrast - images[i] @ images[j])
            adjustment += float(w[1 + i, 1 + j]) * curvature
    spread = float(gradient @ w @ gradient)
    adjusted = variance + 2.0 * adjustment
    if not (spread > 0.0 and adjusted > 0.0):
        return NotEstimable("the variances of sites and reviews cannot be told apart")
    # `variance` is of the standardised column per unit of the standardised outcome's σ².
    sigma = math.sqrt(fit.sigma2) / float(fit.matrix.scale[column])
    warnings = list(fit.notes)
    if fit.boundary:
        names = " and ".join(fit.boundary)
        warnings.append(f"variance of {names} is estimated as zero; kept in the model, so the test is conservative")
    if fit.sums.sites < 12:
        warnings.append("with fewer than 12 sites Kenward–Roger is conservative")
    return t_effect(
        fit.coefficient(column),
        math.sqrt(adjusted) * sigma,
        2.0 * variance**2 / spread,
        level,
        tuple(warnings),
    )
