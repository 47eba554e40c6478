"""REML for outcome ~ X + (1 | site / review), from per-review sums.

With H = V/σ² = I + θ_r Z_r Z_r' + θ_s Z_s Z_s', review effects and then site effects are eliminated by
Woodbury's identity, so a value of the criterion, its gradient and its second derivatives cost O(R p²) for
R reviews. The variance ratios θ ≥ 0 are found by Newton's method on the profile criterion, with average
information (Gilmour, Thompson & Cullis 1995) or Fisher scoring where the curvature is not positive, held
to the boundary by an active set. The answer is accepted only when the projected gradient vanishes and no
boundary point is better.
"""

import importlib.util
import math
import os
from dataclasses import dataclass, field

import numpy as np

from analysis.lmm.sums import ReviewSums, review_sums
from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT, ModelMatrix
from analysis.results import Codes, Floats, NotEstimable

REVIEW, SITE = 0, 1
LEVELS = ("review", "site")


@dataclass(frozen=True)
class Evaluation:
    """The REML criterion at one θ = (review, site), with everything that inference needs.

    In the basis that orthonormalises X in the metric of H⁻¹ and gives the residual unit length, with
    P = H⁻¹ − H⁻¹X(X'H⁻¹X)⁻¹X'H⁻¹ and y the outcome:

    n1[k]    : (q, q), [X y]' H⁻¹ G_k H⁻¹ [X y]           G_k = Z_k Z_k'
    n2[k][l] : (q, q), [X y]' H⁻¹ G_k H⁻¹ G_l H⁻¹ [X y]
    trace[k] = tr(P G_k);  fisher[k, l] = tr(P G_k P G_l);  quad[k] = y'PG_kPy;  average[k, l] = y'PG_kPG_lPy
    lower    : inverse Cholesky factor of [X y]'H⁻¹[X y];  rss = y'Py before scaling to one.
    criterion: −2 × the REML log-likelihood less the constant (N−p)(1 + log 2π/(N−p)), of standardised
    columns.
    """

    theta: tuple[float, float]
    criterion: float
    rss: float
    logdet_x: float
    lower: Floats
    n1: tuple[Floats, Floats]
    n2: tuple[tuple[Floats, Floats], tuple[Floats, Floats]]
    trace: tuple[float, float]
    quad: tuple[float, float]
    fisher: tuple[tuple[float, float], tuple[float, float]]
    average: tuple[tuple[float, float], tuple[float, float]]


def evaluate(sums: ReviewSums, theta_review: float, theta_site: float) -> Evaluation:
    """Criterion and derivatives at a pair of variance ratios (each ≥ 0)."""
    p, starts, site = sums.rank, sums.starts, sums.site
    d = 1.0 + sums.n * theta_review
    w = sums.n / d  # 1'(I + θ_r 11')⁻¹1 for each review
    weighted = w[:, None] * sums.means  # 1'(I + θ_r 11')⁻¹[X y]
    w_site = np.add.reduceat(w, starts)
    e = 1.0 + theta_site * w_site
    b = np.add.reduceat(weighted, starts, axis=0) / e[:, None]  # 1'H⁻¹[X y] for each site
    cross = sums.within + weighted.T @ sums.means - theta_site * (b.T @ (b * e[:, None]))
    lower = np.linalg.cholesky(cross)
    diagonal = lower.diagonal()
    logdet_x = 2.0 * float(np.log(diagonal[:p]).sum())
    rss = float(diagonal[p]) ** 2
    dof = sums.rows - p
    criterion = float(np.log(d).sum() + np.log(e).sum()) + logdet_x + dof * math.log(rss)

    inverse = np.linalg.inv(lower)
    b_ = b @ inverse.T
    k = theta_site / e
    a_ = (weighted - (theta_site * w)[:, None] * b[site]) @ inverse.T  # 1'H⁻¹[X y] for each review
    wa = w[:, None] * a_
    wa_site = np.add.reduceat(wa, starts, axis=0)
    h = w_site / e  # 1'H⁻¹1 for each site
    # Five small matrices in one, so that their traces and products take one call each.
    both = np.empty((5, p + 1, p + 1))
    both[0] = a_.T @ a_
    both[1] = b_.T @ b_
    both[2] = wa.T @ a_ - (wa_site * k[:, None]).T @ wa_site
    both[3] = (wa_site / e[:, None]).T @ b_
    both[4] = (h[:, None] * b_).T @ b_
    fixed = both[:, :p, :p].trace(axis1=1, axis2=2).tolist()
    outcome = both[:, p, p].tolist()
    x = both[:2, :p, :p].reshape(2, p * p)
    xx = (x @ x.T).tolist()
    xy = both[:2, :p, p]
    uu = (xy @ xy.T).tolist()

    w2 = w * w
    w2_site = np.add.reduceat(w2, starts)
    w3_site = np.add.reduceat(w2 * w, starts)
    k_w2 = k * w2_site
    within = float(w2_site.sum() - 2.0 * (k @ w3_site) + k_w2 @ k_w2)
    fisher_rr = within - 2.0 * fixed[2] + xx[0][0]
    fisher_rs = float((w2_site / (e * e)).sum()) - 2.0 * fixed[3] + xx[0][1]
    fisher_ss = float(h @ h) - 2.0 * fixed[4] + xx[1][1]
    average_rs = outcome[3] - uu[0][1]
    return Evaluation(
        theta=(theta_review, theta_site),
        criterion=criterion,
        rss=rss,
        logdet_x=logdet_x,
        lower=inverse,
        n1=(both[0], both[1]),
        n2=((both[2], both[3]), (both[3].T, both[4])),
        trace=(float((w_site - k_w2).sum()) - fixed[0], float(h.sum()) - fixed[1]),
        quad=(outcome[0], outcome[1]),
        fisher=((fisher_rr, fisher_rs), (fisher_rs, fisher_ss)),
        average=((outcome[2] - uu[0][0], average_rs), (average_rs, outcome[4] - uu[1][1])),
    )


def criteria(sums: ReviewSums, theta_review: Floats, theta_site: Floats) -> Floats:
    """The criterion alone at many pairs of variance ratios, (K,) and (K,) to (K,)."""
    p = sums.rank
    logs, cross = cross_products(sums, theta_review, theta_site)
    diagonal = np.linalg.cholesky(cross).diagonal(axis1=1, axis2=2)
    logs += 2.0 * np.log(diagonal[:, :p]).sum(axis=1)
    logs += (sums.rows - p) * 2.0 * np.log(diagonal[:, p])
    return logs


def cross_products(sums: ReviewSums, theta_review: Floats, theta_site: Floats) -> tuple[Floats, Floats]:
    """log|H| (K,) and [X y]'H⁻¹[X y] (K, q, q) at many pairs of variance ratios, (K,) and (K,)."""
    d = 1.0 + theta_review[:, None] * sums.n
    w = sums.n / d
    weighted = w[:, :, None] * sums.means
    w_site = np.add.reduceat(w, sums.starts, axis=1)
    t_site = np.add.reduceat(weighted, sums.starts, axis=1)
    e = 1.0 + theta_site[:, None] * w_site
    scaled = t_site * (theta_site[:, None] / e)[:, :, None]
    cross = sums.within + np.swapaxes(weighted, 1, 2) @ sums.means - np.swapaxes(scaled, 1, 2) @ t_site
    logs: Floats = np.log(d).sum(axis=1) + np.log(e).sum(axis=1)
    return logs, cross


@dataclass(frozen=True)
class RemlFit:
    """A fitted nested random-intercept model.

    levels  : the random effects in the model, a subset of ("review", "site"), in the order of θ.
    at      : the criterion and its derivatives at the optimum.
    sigma2, review, site : variances in squared outcome units; `review` is None where that level is not in
    the model.
    boundary: levels whose variance is estimated as zero (kept in the model).
    loglik  : REML log-likelihood for the columns as given (not standardised).
    compiled: whether the compiled loops made it.
    """

    matrix: ModelMatrix
    sums: ReviewSums
    levels: tuple[int, ...]
    at: Evaluation
    sigma2: float
    review: float | None
    site: float
    boundary: tuple[str, ...]
    loglik: float
    iterations: int
    notes: tuple[str, ...] = field(default=())
    compiled: bool = False

    @property
    def total(self) -> float:
        """Site, review and residual variance together."""
        return self.sigma2 * (1.0 + self.at.theta[REVIEW] + self.at.theta[SITE])

    def coefficient(self, column: int) -> float:
        """Generalised least squares estimate of a model column, in original units."""
        # With [X y]'H⁻¹[X y] = LL', the last row of L⁻¹ is (−β', 1)/√rss.
        p = self.sums.rank
        return float(-self.at.lower[p, column] / self.at.lower[p, p]) * self.matrix.unit(column)


def fit(
    matrix: ModelMatrix, site: Codes, review: Codes | None = None, compiled: bool | None = None
) -> RemlFit | NotEstimable:
    """Fit outcome ~ columns + (1 | site) [+ (1 | site:review)] by REML.

    matrix : standardised columns, no value missing.   site, review : (N,) codes counted from 0.
    The review level is left out, with a note, where every site has one review or every review one person;
    a variance that is estimated as zero stays in the model (its level is named in `boundary`).
    compiled : whether to use the compiled loops (the extra `fast`, else ModuleNotFoundError); None asks the
    environment, see `wanted`.

    >>> from analysis.model_matrix import model_matrix
    >>> site = np.repeat(np.arange(6), 10)
    >>> rng = np.random.default_rng(1)
    >>> outcome = rng.normal(size=60) + np.repeat(rng.normal(size=6), 10)
    >>> found = fit(model_matrix(outcome, []), site)
    >>> groups = outcome.reshape(6, 10)
    >>> within = groups.var(axis=1, ddof=1).mean()
    >>> round(found.site, 6), round(found.sigma2, 6)
    (0.303758, 0.786097)
    >>> round(float(groups.mean(axis=1).var(ddof=1) - within / 10), 6), round(float(within), 6)  # balanced: that of ANOVA
    (0.303758, 0.786097)
    """
    compiled = wanted() if compiled is None else compiled
    reduce = _compiled_sums if compiled else review_sums
    sums = reduce(matrix, site, review)
    notes: tuple[str, ...] = ()
    levels: tuple[int, ...] = (REVIEW, SITE)
    if review is None:
        levels = (SITE,)
    elif sums.reviews == sums.sites:
        levels = (SITE,)
        notes = ("every site has exactly one review: the two variances cannot be told apart, review left out",)
    elif sums.reviews == sums.rows:
        levels = (SITE,)
        notes = ("every review has exactly one person: its variance is part of the residual, review left out",)
    if levels == (SITE,) and sums.reviews > sums.sites:
        sums = reduce(matrix, site, None)
    return fit_sums(matrix, sums, levels, notes, compiled)


def available() -> bool:
    """Whether the compiled loops can be asked for: numba is installed."""
    return importlib.util.find_spec("numba") is not None


def wanted() -> bool:
    """Whether the compiled loops are asked for this process: EVALAPP_FAST=1. Importing numba costs a second or two."""
    return os.environ.get("EVALAPP_FAST") == "1"


def _compiled_sums(matrix: ModelMatrix, site: Codes, review: Codes | None) -> ReviewSums:
    from analysis.lmm import compiled  # noqa: PLC0415  # imports numba

    found = compiled.review_sums(matrix, site, review)
    return review_sums(matrix, site, review) if found is None else found


def fit_sums(
    matrix: ModelMatrix,
    sums: ReviewSums,
    levels: tuple[int, ...],
    notes: tuple[str, ...] = (),
    compiled: bool | None = None,
) -> RemlFit | NotEstimable:
    """Fit from sums already taken; see `fit`."""
    dof = sums.rows - sums.rank
    if sums.sites - 1 < 1 or sums.rows == sums.sites:
        return NotEstimable("one person a site: site and residual variance cannot be told apart")
    if dof < 2:
        return NotEstimable("fewer people than the model has columns")
    if not sums.within[-1, -1] > 1e-12 * sums.rows:
        return NotEstimable("answers do not vary within reviews, so there is no residual variance to compare with")
    fast = wanted() if compiled is None else compiled
    try:
        if fast:
            from analysis.lmm.compiled import optimum as compiled_optimum  # noqa: PLC0415  # imports numba

            at, steps = compiled_optimum(sums, levels)
        else:
            at, steps = optimum(sums, levels)
    except np.linalg.LinAlgError:
        return NotEstimable(ALL_EXPLAINED)
    reason = _unfit(sums, levels, at)
    if reason is not None:
        return NotEstimable(reason)
    unit2 = float(matrix.scale[-1]) ** 2
    sigma2 = at.rss / dof * unit2
    raw_logdet_x = at.logdet_x + 2.0 * float(np.log(matrix.scale[:-1]).sum())
    logdet_h = at.criterion - at.logdet_x - dof * math.log(at.rss)
    return RemlFit(
        matrix=matrix,
        sums=sums,
        levels=levels,
        at=at,
        sigma2=sigma2,
        review=sigma2 * at.theta[REVIEW] if REVIEW in levels else None,
        site=sigma2 * at.theta[SITE],
        boundary=tuple(LEVELS[k] for k in levels[::-1] if at.theta[k] == 0.0),
        loglik=-0.5 * (dof * (1.0 + math.log(2.0 * math.pi * sigma2)) + logdet_h + raw_logdet_x),
        iterations=steps,
        notes=notes,
        compiled=fast,
    )


def _unfit(sums: ReviewSums, levels: tuple[int, ...], at: Evaluation) -> str | None:
    """Why a point the search ended at is no estimate, if it is none."""
    dof = sums.rows - sums.rank
    if at.rss < NOTHING_LEFT * sums.rows:
        return ALL_EXPLAINED
    w = sums.n / (1.0 + sums.n * at.theta[REVIEW])
    w_site = np.add.reduceat(w, sums.starts)
    # tr(P G_k) is zero where the columns of the model hold every difference between the clusters of a level.
    if at.trace[SITE] < 1e-9 * float((w_site / (1.0 + at.theta[SITE] * w_site)).sum()):
        return "the columns of the model take up every difference between sites, so their variance is unknown"
    if REVIEW in levels and at.trace[REVIEW] < 1e-9 * float(w.sum()):
        return "the columns of the model take up every difference between reviews, so their variance is unknown"
    if _decrement(at, dof, _free(at, dof, levels))[0] > 1e-6:
        return "the likelihood has no optimum that could be found: the projected gradient is not zero"
    return None


def _gradient(at: Evaluation, dof: int, k: int) -> float:
    return at.trace[k] - dof * at.quad[k]


def _free(at: Evaluation, dof: int, levels: tuple[int, ...]) -> list[int]:
    """Levels that may move: inside, or on the boundary with the criterion falling inwards."""
    return [k for k in levels if at.theta[k] > 0.0 or _gradient(at, dof, k) < 0.0]


def _curvatures(at: Evaluation, dof: int, k: int, m: int) -> tuple[float, float, float]:
    """Observed, average and expected second derivative of the profile criterion."""
    product = at.quad[k] * at.quad[m]
    average = dof * (at.average[k][m] - product)
    observed = dof * (2.0 * at.average[k][m] - product) - at.fisher[k][m]
    return observed, average, at.fisher[k][m] - at.trace[k] * at.trace[m] / dof


def _decrement(at: Evaluation, dof: int, free: list[int]) -> tuple[float, list[float]]:
    """Newton decrement g'B⁻¹g (a gradient without units) and the step −B⁻¹g for the free levels."""
    if not free:
        return 0.0, []
    g = [_gradient(at, dof, k) for k in free]
    if len(free) == 1:
        curvature = next((c for c in _curvatures(at, dof, free[0], free[0]) if c > 0.0), None)
        if curvature is None:
            return math.inf, [-g[0]]
        return g[0] * g[0] / curvature, [-g[0] / curvature]
    entries = zip(*(_curvatures(at, dof, k, m) for k, m in ((0, 0), (0, 1), (1, 1))), strict=True)
    for aa, ab, bb in entries:
        determinant = aa * bb - ab * ab
        if aa > 0.0 and determinant > 1e-12 * aa * bb:
            step = [-(bb * g[0] - ab * g[1]) / determinant, -(aa * g[1] - ab * g[0]) / determinant]
            return -(g[0] * step[0] + g[1] * step[1]), step
    return math.inf, [-g[0], -g[1]]


def optimum(sums: ReviewSums, levels: tuple[int, ...]) -> tuple[Evaluation, int]:
    """The optimum, checked against the boundary, and the number of evaluations."""
    at, steps = _descend(sums, levels)
    better = _better_on_boundary(sums, levels, at)
    if better is not None:
        again, more = _descend(sums, levels, better)
        at, steps = (again, steps + more) if again.criterion < at.criterion else (at, steps + more)
    return at, steps


def _descend(
    sums: ReviewSums, levels: tuple[int, ...], start: tuple[float, float] | None = None
) -> tuple[Evaluation, int]:
    """Projected Newton from a small positive start; the optimum and the number of evaluations."""
    dof = sums.rows - sums.rank
    if start is None:
        start = (0.05 if REVIEW in levels else 0.0, 0.05)
    at = evaluate(sums, *start)
    evaluations = 1
    while evaluations < 200:
        free = _free(at, dof, levels)
        decrement, step = _decrement(at, dof, free)
        if decrement < 1e-13:
            break
        fraction = 1.0
        while True:
            theta = list(at.theta)
            for k, move in zip(free, step, strict=True):
                theta[k] = max(0.0, theta[k] + fraction * move)
            if tuple(theta) == at.theta:
                return at, evaluations
            trial = evaluate(sums, theta[REVIEW], theta[SITE])
            evaluations += 1
            if trial.criterion <= at.criterion + 1e-12 * abs(at.criterion):
                break
            fraction /= 4.0
            if fraction < 1e-9:
                return at, evaluations
        at = trial
    return at, evaluations


# Ratios on both edges of the quadrant, in units of one over the people of an average cluster.
EDGE = np.concatenate(([0.0], np.geomspace(0.01, 1000.0, 11)))


def _better_on_boundary(sums: ReviewSums, levels: tuple[int, ...], at: Evaluation) -> tuple[float, float] | None:
    """A boundary point whose criterion is below the optimum's, to start again from, if there is one."""
    site = EDGE * (sums.sites / sums.rows)
    if REVIEW in levels:
        review = EDGE[1:] * (sums.reviews / sums.rows)
        theta_review = np.concatenate((np.zeros(len(site)), review))
        theta_site = np.concatenate((site, np.zeros(len(review))))
    else:
        theta_review, theta_site = np.zeros(len(site)), site
    values = criteria(sums, theta_review, theta_site)
    best = int(values.argmin())
    if values[best] < at.criterion - 1e-9 * (1.0 + abs(at.criterion)):
        return float(theta_review[best]), float(theta_site[best])
    return None
