"""The mixed model by whole N × N matrices, slowly and plainly from the definitions: a second opinion."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from analysis.results import Floats


class Dense:
    """outcome ~ X + (1 | site) + (1 | site:review) with V = Σ σ_k G_k, G = (I, review, site)."""

    def __init__(self, y: Floats, x: Floats, site: NDArray[np.intp], review: NDArray[np.intp]) -> None:
        both = site * 1000 + review
        self.y, self.x = y, x
        self.g = [np.eye(len(y)), (both[:, None] == both) * 1.0, (site[:, None] == site) * 1.0]

    def deviance(self, sigma: Floats, restricted: bool = True) -> float:
        """−2 × (restricted) log-likelihood."""
        v = sum(s * g for s, g in zip(sigma, self.g, strict=True))
        sign, logdet = np.linalg.slogdet(v)
        assert sign > 0
        solved = np.linalg.solve(v, np.column_stack((self.x, self.y)))
        xx = self.x.T @ solved[:, :-1]
        beta = np.linalg.solve(xx, self.x.T @ solved[:, -1])
        quadratic = float(self.y @ solved[:, -1] - beta @ (self.x.T @ solved[:, -1]))
        n, p = self.x.shape
        if not restricted:
            return float(n * np.log(2 * np.pi) + logdet + quadratic)
        return float((n - p) * np.log(2 * np.pi) + logdet + np.linalg.slogdet(xx)[1] + quadratic)

    def fit(self) -> Floats:
        """REML variances (residual, review, site), to about seven digits."""
        spread = float(np.var(self.y))
        best = None
        for start in ([0.8, 0.1, 0.1], [0.9, 0.05, 1e-4], [0.9, 1e-4, 0.05]):
            found = minimize(
                lambda s: self.deviance(np.array([np.exp(s[0]), s[1] ** 2, s[2] ** 2])),
                [np.log(start[0] * spread), (start[1] * spread) ** 0.5, (start[2] * spread) ** 0.5],
                method="Nelder-Mead",
                options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000},
            )
            if best is None or found.fun < best.fun:
                best = found
        assert best is not None
        return np.array([np.exp(best.x[0]), best.x[1] ** 2, best.x[2] ** 2])

    def kenward_roger(self, sigma: Floats, column: int) -> tuple[float, float, float]:
        """Estimate, adjusted standard error and df, from the formulae of Kenward & Roger (1997)."""
        v = sum(s * g for s, g in zip(sigma, self.g, strict=True))
        vi = np.linalg.inv(v)
        x, g = self.x, self.g
        phi = np.linalg.inv(x.T @ vi @ x)
        p_ = [-x.T @ vi @ gk @ vi @ x for gk in g]
        q_ = [[x.T @ vi @ gk @ vi @ gm @ vi @ x for gm in g] for gk in g]
        big_p = vi - vi @ x @ phi @ x.T @ vi
        information = np.array([[np.sum((big_p @ gk) * (big_p @ gm).T) / 2 for gm in g] for gk in g])
        w = np.linalg.inv(information)
        inner = sum(w[k, m] * (q_[k][m] - p_[k] @ phi @ p_[m]) for k in range(len(g)) for m in range(len(g)))
        adjusted = phi + 2 * phi @ inner @ phi
        gradient = np.array([-(phi @ pk @ phi)[column, column] for pk in p_])
        df = 2 * phi[column, column] ** 2 / (gradient @ w @ gradient)
        estimate = (phi @ x.T @ vi @ self.y)[column]
        return float(estimate), float(adjusted[column, column] ** 0.5), float(df)
