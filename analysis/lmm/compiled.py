"""The hot loops of the nested model, compiled: the same algorithm as `analysis.lmm.reml`, review by review.

Needs the optional extra `fast` (numba). NumPy is the default, as importing numba takes longer than a hundred fits; ask
for this with `compiled=True`, or for a whole process with EVALAPP_FAST=1. Loops over reviews write the sums that
NumPy takes array by array, in another order, so answers agree to rounding and not to the last digit.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from analysis.lmm.reml import EDGE, REVIEW, SITE, Evaluation
from analysis.lmm.sums import ReviewSums
from analysis.model_matrix import ModelMatrix
from analysis.results import Codes, Floats

F = TypeVar("F", bound=Callable[..., Any])

# Places in the row of scalars that one evaluation writes; the names are those of `Evaluation`.
_CRITERION, _RSS, _LOGDET_X = 0, 1, 2
_TRACE, _QUAD = 3, 5
_FISHER, _AVERAGE = 7, 10  # rr, rs, ss each
_SCALARS = 13

_FOUND, _NOT_POSITIVE = 0, 1


def _compiled(function: F) -> F:
    """Compile on first use and keep the machine code on disk beside the byte code."""
    return cast("F", numba.njit(cache=True, error_model="numpy")(function))


@_compiled
def _cholesky(a: Floats, size: int) -> bool:
    """Lower Cholesky factor in place; False where the matrix is not positive."""
    for j in range(size):
        for k in range(j):
            a[j, j] -= a[j, k] * a[j, k]
        if not a[j, j] > 0.0:
            return False
        a[j, j] = np.sqrt(a[j, j])
        for i in range(j + 1, size):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
    return True


@_compiled
def _evaluate(  # noqa: PLR0912, PLR0915  # one pass over the reviews: cut in pieces it would pass twenty arrays about
    n: Floats,
    means: Floats,
    within: Floats,
    starts: Codes,
    rows: int,
    p: int,
    theta_r: float,
    theta_s: float,
    both: Floats,
    lower: Floats,
    out: Floats,
) -> bool:
    """`reml.evaluate`: fills the five small matrices, the inverse factor and the scalars; False where V is singular."""
    reviews, q = means.shape
    sites = len(starts)
    factor = np.empty((q, q))
    for i in range(q):
        for j in range(i + 1):
            factor[i, j] = within[i, j]
    b = np.zeros((sites, q))
    w_of = np.empty(sites)
    logs = 0.0
    for s in range(sites):
        last = starts[s + 1] if s + 1 < sites else reviews
        w_site = 0.0
        for r in range(starts[s], last):
            d = 1.0 + n[r] * theta_r
            w = n[r] / d
            logs += np.log(d)
            w_site += w
            for i in range(q):
                scaled = w * means[r, i]
                b[s, i] += scaled
                for j in range(i + 1):
                    factor[i, j] += scaled * means[r, j]
        e = 1.0 + theta_s * w_site
        logs += np.log(e)
        w_of[s] = w_site
        for i in range(q):
            b[s, i] /= e
            for j in range(i + 1):
                factor[i, j] -= theta_s * e * b[s, i] * b[s, j]
    if not _cholesky(factor, q):
        return False
    logdet_x = 0.0
    for j in range(p):
        logdet_x += 2.0 * np.log(factor[j, j])
    rss = factor[p, p] ** 2
    for j in range(q):
        for i in range(j):
            lower[i, j] = 0.0
        lower[j, j] = 1.0 / factor[j, j]
        for i in range(j + 1, q):
            total = 0.0
            for k in range(j, i):
                total -= factor[i, k] * lower[k, j]
            lower[i, j] = total / factor[i, i]

    both[:] = 0.0
    raw = np.empty(q)
    a_ = np.empty(q)
    b_ = np.empty(q)
    wa_site = np.empty(q)
    within_rr = trace_r = trace_s = fisher_rs = fisher_ss = 0.0
    for s in range(sites):
        last = starts[s + 1] if s + 1 < sites else reviews
        e = 1.0 + theta_s * w_of[s]
        k = theta_s / e
        h = w_of[s] / e
        for i in range(q):
            b_[i] = 0.0
            wa_site[i] = 0.0
            for j in range(i + 1):
                b_[i] += lower[i, j] * b[s, j]
        w2_site = w3_site = 0.0
        for r in range(starts[s], last):
            w = n[r] / (1.0 + n[r] * theta_r)
            w2_site += w * w
            w3_site += w * w * w
            for i in range(q):
                raw[i] = w * (means[r, i] - theta_s * b[s, i])
            for i in range(q):
                total = 0.0
                for j in range(i + 1):
                    total += lower[i, j] * raw[j]
                a_[i] = total
                wa_site[i] += w * total
            for i in range(q):
                for j in range(i + 1):
                    product = a_[i] * a_[j]
                    both[0, i, j] += product
                    both[2, i, j] += w * product
        for i in range(q):
            for j in range(i + 1):
                both[1, i, j] += b_[i] * b_[j]
                both[2, i, j] -= k * wa_site[i] * wa_site[j]
                both[4, i, j] += h * b_[i] * b_[j]
            for j in range(q):
                both[3, i, j] += wa_site[i] / e * b_[j]
        trace_r += w_of[s] - k * w2_site
        trace_s += h
        within_rr += w2_site - 2.0 * k * w3_site + (k * w2_site) ** 2
        fisher_rs += w2_site / (e * e)
        fisher_ss += h * h
    for m in (0, 1, 2, 4):
        for i in range(q):
            for j in range(i):
                both[m, j, i] = both[m, i, j]
    fixed = np.zeros(5)
    xx = np.zeros(3)
    uu = np.zeros(3)
    for i in range(p):
        for m in range(5):
            fixed[m] += both[m, i, i]
        for j in range(p):
            xx[0] += both[0, i, j] ** 2
            xx[1] += both[0, i, j] * both[1, i, j]
            xx[2] += both[1, i, j] ** 2
        uu[0] += both[0, i, p] ** 2
        uu[1] += both[0, i, p] * both[1, i, p]
        uu[2] += both[1, i, p] ** 2
    out[_CRITERION] = logs + logdet_x + (rows - p) * np.log(rss)
    out[_RSS] = rss
    out[_LOGDET_X] = logdet_x
    out[_TRACE] = trace_r - fixed[0]
    out[_TRACE + 1] = trace_s - fixed[1]
    out[_QUAD] = both[0, p, p]
    out[_QUAD + 1] = both[1, p, p]
    out[_FISHER] = within_rr - 2.0 * fixed[2] + xx[0]
    out[_FISHER + 1] = fisher_rs - 2.0 * fixed[3] + xx[1]
    out[_FISHER + 2] = fisher_ss - 2.0 * fixed[4] + xx[2]
    out[_AVERAGE] = both[2, p, p] - uu[0]
    out[_AVERAGE + 1] = both[3, p, p] - uu[1]
    out[_AVERAGE + 2] = both[4, p, p] - uu[2]
    return True


@_compiled
def _criterion(
    n: Floats, means: Floats, within: Floats, starts: Codes, rows: int, p: int, theta_r: float, theta_s: float
) -> float:
    """`reml.criteria` at one point; infinite where V is singular."""
    reviews, q = means.shape
    sites = len(starts)
    factor = np.empty((q, q))
    for i in range(q):
        for j in range(i + 1):
            factor[i, j] = within[i, j]
    sums = np.empty(q)
    # Logarithms of products: one for each site, as a product of its reviews' 1 + nθ stays far from overflow.
    logs = 0.0
    for s in range(sites):
        last = starts[s + 1] if s + 1 < sites else reviews
        sums[:] = 0.0
        w_site = 0.0
        product = 1.0
        for r in range(starts[s], last):
            d = 1.0 + n[r] * theta_r
            if product > 1e200:
                logs += np.log(product)
                product = 1.0
            product *= d
            w = n[r] / d
            w_site += w
            for i in range(q):
                scaled = w * means[r, i]
                sums[i] += scaled
                for j in range(i + 1):
                    factor[i, j] += scaled * means[r, j]
        e = 1.0 + theta_s * w_site
        logs += np.log(product) + np.log(e)
        for i in range(q):
            for j in range(i + 1):
                factor[i, j] -= theta_s / e * sums[i] * sums[j]
    if not _cholesky(factor, q):
        return np.inf
    for j in range(p):
        logs += 2.0 * np.log(factor[j, j])
    return float(logs + (rows - p) * 2.0 * np.log(factor[p, p]))


@_compiled
def _decrement(  # noqa: PLR0912
    out: Floats, dof: int, theta: Floats, levels: Floats, step: Floats
) -> float:
    """`reml._decrement` on the levels that may move; writes their step, zero for the others."""
    g = np.zeros(2)
    free = np.zeros(2)
    for k in range(2):
        step[k] = 0.0
        g[k] = out[_TRACE + k] - dof * out[_QUAD + k]
        if levels[k] > 0.0 and (theta[k] > 0.0 or g[k] < 0.0):
            free[k] = 1.0
    if free.sum() == 0.0:
        return 0.0
    for kind in range(3):
        table = np.empty(3)
        for place in range(3):
            one, other = (0, 0) if place == 0 else ((0, 1) if place == 1 else (1, 1))
            product = out[_QUAD + one] * out[_QUAD + other]
            average = out[_AVERAGE + place]
            fisher = out[_FISHER + place]
            if kind == 0:
                table[place] = dof * (2.0 * average - product) - fisher
            elif kind == 1:
                table[place] = dof * (average - product)
            else:
                table[place] = fisher - out[_TRACE + one] * out[_TRACE + other] / dof
        aa, ab, bb = table[0], table[1], table[2]
        if free.sum() == 1.0:
            k = 0 if free[0] > 0.0 else 1
            curvature = aa if k == 0 else bb
            if curvature > 0.0:
                step[k] = -g[k] / curvature
                return float(g[k] * g[k] / curvature)
        else:
            determinant = aa * bb - ab * ab
            if aa > 0.0 and determinant > 1e-12 * aa * bb:
                step[0] = -(bb * g[0] - ab * g[1]) / determinant
                step[1] = -(aa * g[1] - ab * g[0]) / determinant
                return float(-(g[0] * step[0] + g[1] * step[1]))
    for k in range(2):
        step[k] = -g[k] * free[k]
    return np.inf


@_compiled
def _descend(
    n: Floats,
    means: Floats,
    within: Floats,
    starts: Codes,
    rows: int,
    p: int,
    levels: Floats,
    theta: Floats,
    base: int,
    both: Floats,
    lower: Floats,
    out: Floats,
) -> tuple[int, int, int]:
    """`reml._descend` from θ, which is moved: (status, evaluations, place of the answer in the buffers).

    Two places in the buffers are used, from `base`.
    """
    # Each loop calls `_evaluate` in one place only: every call is compiled into its caller again.
    dof = rows - p
    now, new = base + 1, base
    evaluations = 0
    fraction = 1.0
    step = np.zeros(2)
    trial = theta.copy()
    while True:
        if not _evaluate(n, means, within, starts, rows, p, trial[0], trial[1], both[new], lower[new], out[new]):
            return _NOT_POSITIVE, evaluations, now
        evaluations += 1
        if evaluations == 1 or out[new, _CRITERION] <= out[now, _CRITERION] + 1e-12 * abs(out[now, _CRITERION]):
            theta[:] = trial
            now, new = new, now
            if evaluations >= 200 or _decrement(out[now], dof, theta, levels, step) < 1e-13:
                break
            fraction = 1.0
        else:
            fraction /= 4.0
            if fraction < 1e-9:
                break
        for k in range(2):
            trial[k] = max(0.0, theta[k] + fraction * step[k])
        if trial[0] == theta[0] and trial[1] == theta[1]:
            break
    return _FOUND, evaluations, now


@_compiled
def _better(
    n: Floats,
    means: Floats,
    within: Floats,
    starts: Codes,
    rows: int,
    p: int,
    levels: Floats,
    criterion: float,
    edge: Floats,
    found: Floats,
) -> bool:
    """`reml._better_on_boundary`: whether a boundary point is below the optimum, written to `found`."""
    best = np.inf
    for k in range(2 * len(edge)):
        on_site = k < len(edge)
        if on_site:
            theta_r, theta_s = 0.0, edge[k] * (len(starts) / rows)
        else:
            if levels[0] == 0.0 or k == len(edge):
                continue
            theta_r, theta_s = edge[k - len(edge)] * (len(n) / rows), 0.0
        value = _criterion(n, means, within, starts, rows, p, theta_r, theta_s)
        if value < best:
            best = value
            found[0], found[1] = theta_r, theta_s
    return bool(best < criterion - 1e-9 * (1.0 + abs(criterion)))


def optimum(sums: ReviewSums, levels: tuple[int, ...]) -> tuple[Evaluation, int]:
    """As `reml.optimum`; LinAlgError where V is singular."""
    q, p, rows = sums.rank + 1, sums.rank, sums.rows
    inside = np.array([float(REVIEW in levels), float(SITE in levels)])
    both, lower, out = np.empty((4, 5, q, q)), np.empty((4, q, q)), np.empty((4, _SCALARS))
    model = (sums.n, sums.means, sums.within, sums.starts, rows, p, inside)
    theta = 0.05 * inside
    status, steps, now = _descend(*model, theta, 0, both, lower, out)
    again = np.empty(2)
    if status == _FOUND and _better(*model, float(out[now, _CRITERION]), EDGE, again):
        status, more, other = _descend(*model, again, 2, both, lower, out)
        steps += more
        if status == _FOUND and out[other, _CRITERION] < out[now, _CRITERION]:
            theta, now = again, other
    if status != _FOUND:
        raise np.linalg.LinAlgError("V is singular")
    m, x = both[now], out[now].tolist()
    return (
        Evaluation(
            theta=(float(theta[0]), float(theta[1])),
            criterion=x[_CRITERION],
            rss=x[_RSS],
            logdet_x=x[_LOGDET_X],
            lower=lower[now],
            n1=(m[0], m[1]),
            n2=((m[2], m[3]), (m[3].T, m[4])),
            trace=(x[_TRACE], x[_TRACE + 1]),
            quad=(x[_QUAD], x[_QUAD + 1]),
            fisher=((x[_FISHER], x[_FISHER + 1]), (x[_FISHER + 1], x[_FISHER + 2])),
            average=((x[_AVERAGE], x[_AVERAGE + 1]), (x[_AVERAGE + 1], x[_AVERAGE + 2])),
        ),
        steps,
    )


@_compiled
def _contrast(
    lower: Floats,
    n1_r: Floats,
    n1_s: Floats,
    n2_rr: Floats,
    n2_rs: Floats,
    n2_ss: Floats,
    trace_r: float,
    trace_s: float,
    fisher_rr: float,
    fisher_rs: float,
    fisher_ss: float,
    review: bool,
    dof: int,
    weights: Floats,
) -> tuple[float, float, float]:
    """Kenward–Roger for one contrast: l'Φl, the same adjusted, and ∇'W∇; zeros where W does not exist."""
    p = len(weights)
    l_ = np.zeros(p)
    x_r = np.zeros(p)
    x_s = np.zeros(p)
    for i in range(p):
        for j in range(p):
            l_[i] += lower[i, j] * weights[j]
    for i in range(p):
        for j in range(p):
            x_r[i] += n1_r[i, j] * l_[j]
            x_s[i] += n1_s[i, j] * l_[j]
    variance = g_r = g_s = rr = rs = ss = 0.0
    for i in range(p):
        variance += l_[i] * l_[i]
        g_r += l_[i] * x_r[i]
        g_s += l_[i] * x_s[i]
        rr -= x_r[i] * x_r[i]
        rs -= x_r[i] * x_s[i]
        ss -= x_s[i] * x_s[i]
        for j in range(p):
            product = l_[i] * l_[j]
            rr += product * n2_rr[i, j]
            rs += product * n2_rs[i, j]
            ss += product * n2_ss[i, j]
    # The information less its part along V: what is left of each cluster level.
    f_rr = fisher_rr - trace_r * trace_r / dof
    f_rs = fisher_rs - trace_r * trace_s / dof
    f_ss = fisher_ss - trace_s * trace_s / dof
    d_r = g_r - trace_r * variance / dof
    d_s = g_s - trace_s * variance / dof
    spread = 2.0 * variance * variance / dof
    if review:
        determinant = f_rr * f_ss - f_rs * f_rs
        if not determinant > 1e-14 * f_rr * f_ss:
            return 0.0, 0.0, 0.0
        w_rr, w_rs, w_ss = 2.0 * f_ss / determinant, -2.0 * f_rs / determinant, 2.0 * f_rr / determinant
        spread += w_rr * d_r * d_r + 2.0 * w_rs * d_r * d_s + w_ss * d_s * d_s
        adjustment = w_rr * rr + 2.0 * w_rs * rs + w_ss * ss
    else:
        if not f_ss > 0.0:
            return 0.0, 0.0, 0.0
        spread += 2.0 * d_s * d_s / f_ss
        adjustment = 2.0 * ss / f_ss
    return variance, variance + 2.0 * adjustment, spread


def contrast_parts(at: Evaluation, levels: tuple[int, ...], dof: int, weights: Floats) -> tuple[float, float, float]:
    """Variance of a contrast, the same adjusted, and the spread of the variance, in units of σ² and σ⁴."""
    (f_rr, f_rs), (_, f_ss) = at.fisher
    found: tuple[float, float, float] = _contrast(
        at.lower, *at.n1, *at.n2[0], at.n2[1][1], *at.trace, f_rr, f_rs, f_ss, REVIEW in levels, dof, weights
    )
    return found


@_compiled
def _reduce(  # noqa: PLR0912
    columns: Floats, site: Codes, review: Codes, n: Floats, means: Floats, starts: Codes, of_site: Codes, within: Floats
) -> tuple[int, int]:
    """`sums.review_sums` of rows sorted by site and review: (reviews, sites), or (0, 0) where they are not sorted."""
    rows, q = columns.shape
    reviews = sites = 0
    for i in range(rows):
        if i > 0 and (site[i] < site[i - 1] or (site[i] == site[i - 1] and review[i] < review[i - 1])):
            return 0, 0
        if i == 0 or site[i] != site[i - 1]:
            starts[sites] = reviews
            sites += 1
        if i == 0 or site[i] != site[i - 1] or review[i] != review[i - 1]:
            of_site[reviews] = sites - 1
            n[reviews] = 0.0
            means[reviews] = 0.0
            reviews += 1
        n[reviews - 1] += 1.0
        for j in range(q):
            means[reviews - 1, j] += columns[i, j]
    for r in range(reviews):
        for j in range(q):
            means[r, j] /= n[r]
    within[:] = 0.0
    left = np.empty(q)
    row = 0
    for r in range(reviews):
        for _ in range(int(n[r])):
            for j in range(q):
                left[j] = columns[row, j] - means[r, j]
                for k in range(j + 1):
                    within[j, k] += left[j] * left[k]
            row += 1
    for j in range(q):
        for k in range(j):
            within[k, j] = within[j, k]
    return reviews, sites


def review_sums(matrix: ModelMatrix, site: Codes, review: Codes | None) -> ReviewSums | None:
    """As `sums.review_sums`, for rows already sorted by site and review; None where they are not."""
    rows, q = matrix.columns.shape
    n, means, within = np.empty(rows), np.empty((rows, q)), np.empty((q, q))
    starts, of_site = np.empty(rows, dtype=np.intp), np.empty(rows, dtype=np.intp)
    within_site = site if review is None else review
    reviews, sites = _reduce(matrix.columns, site, within_site, n, means, starts, of_site, within)
    if not reviews:
        return None
    return ReviewSums(
        n=n[:reviews].copy(),
        means=means[:reviews].copy(),
        within=within,
        starts=starts[:sites].copy(),
        site=of_site[:reviews].copy(),
        rows=rows,
        rank=matrix.rank,
    )
