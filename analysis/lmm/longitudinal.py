"""REML for several waves: outcome ~ X + (1|site) + (1|site:wave) + (1|review) [+ (1|review:wave)] + (1|participant).

With V = σ²H, rows are reduced once: people to sums by how many waves they answered, reviews to one matrix over
[E D], where E (rows × T) says the wave of each row and D = [X y]. One level is then eliminated after another by
Woodbury's identity. For clusters whose effects have covariance C over waves (θ_site J + θ_site:wave I, say), and
W = E'H⁻¹E of what lies below, C̃ = (I + CW)⁻¹C,

    H̃⁻¹ = H⁻¹ − H⁻¹E C̃ E'H⁻¹   and   log|H̃| = log|H| + log|I + CW|,

so that every quadratic form of H̃⁻¹ is a T × T correction of the one below, and the same rule carries the forms of
H⁻¹GₖH⁻¹ and H⁻¹GₖH⁻¹GₗH⁻¹, which give gradient, average and expected information and Kenward–Roger's adjustment.
No matrix is larger than T + p + 1. Columns are taken about the means of each review and wave, then of each site and
wave, so that large cluster variances cancel no digits.

(Harville 1977, JASA 72, 320–338; Gilmour, Thompson & Cullis 1995, Biometrics 51, 1440–1450.)
"""

import math
from dataclasses import dataclass

import numpy as np

from analysis.lmm import search
from analysis.model_matrix import ALL_EXPLAINED, NOTHING_LEFT, ModelMatrix
from analysis.results import Codes, Floats, NotEstimable

PARTICIPANT, REVIEW, REVIEW_WAVE, SITE, SITE_WAVE = range(5)
LEVELS = ("participant", "review", "review:wave", "site", "site:wave")


@dataclass(frozen=True)
class WaveSums:
    """What the likelihood needs of people; Q = T + q, q = p + 1 columns, the outcome last, T waves.

    within : (R, Q, Q) cross-products of [E D] about each person's mean, by review.
    totals : (M, R, Q, Q) cross-products of people's sums of [E D], by the number of waves they answered.
    sizes  : (M,) those numbers.   people : (M,) how many people answered so many.
    review_means : (R, T, q) means of D by review and wave less those of the site; zero where nobody answered.
    site_means   : (S, T, q).     starts : (S,) first review of each site.
    D in `within` and `totals` is about the means of its review and wave.
    """

    within: Floats
    totals: Floats
    sizes: Floats
    people: Floats
    review_means: Floats
    site_means: Floats
    starts: Codes
    rows: int
    rank: int

    @property
    def waves(self) -> int:
        return int(self.site_means.shape[1])

    @property
    def sites(self) -> int:
        return len(self.starts)


def wave_sums(matrix: ModelMatrix, wave: Codes, site: Codes, review: Codes, person: Codes, waves: int) -> WaveSums:
    """Reduce rows, one a person and wave, to reviews.

    wave : (N,) codes 0…T−1.   site, review, person : (N,) codes from 0; reviews are nested in sites and people in
    reviews, so the same code elsewhere is another review or person.
    """
    order = np.lexsort((person, review, site))
    wave, site, review, person = wave[order], site[order], review[order], person[order]
    new_site = _changes(site)
    new_review = new_site | _changes(review)
    new_person = new_review | _changes(person)
    of_review = np.cumsum(new_review) - 1
    first = np.flatnonzero(new_review)
    site_of_review = (np.cumsum(new_site) - 1)[first]
    reviews = len(first)

    # One variable a row, so that sums over people read memory in order.
    columns = np.ascontiguousarray(matrix.columns[order].T)
    q = len(columns)
    cell = of_review * waves + wave
    n_cell = np.bincount(cell, minlength=reviews * waves).astype(np.float64)
    cell_sums = np.stack([np.bincount(cell, weights=one, minlength=reviews * waves) for one in columns])
    cell_means = cell_sums / np.maximum(n_cell, 1.0)
    columns -= cell_means[:, cell]
    starts = np.flatnonzero(_changes(site_of_review))
    site_counts = np.add.reduceat(n_cell.reshape(reviews, waves), starts, axis=0)
    site_means = np.add.reduceat(cell_sums.reshape(q, reviews, waves), starts, axis=1) / np.maximum(site_counts, 1.0)
    review_means = (cell_means.reshape(q, reviews, waves) - site_means[:, site_of_review]).transpose(1, 2, 0)
    review_means = np.where(n_cell.reshape(reviews, waves, 1) > 0.0, review_means, 0.0)

    both = np.empty((waves + q, len(order)))
    both[:waves] = wave == np.arange(waves)[:, None]
    both[waves:] = columns
    start = np.flatnonzero(new_person)
    m = np.diff(start, append=len(order))
    sums = np.add.reduceat(both, start, axis=1)
    both -= np.repeat(sums / m, m, axis=1)
    sizes, place = np.unique(m, return_inverse=True)
    group = place * reviews + of_review[start]
    by_group = np.argsort(group, kind="stable")
    group = group[by_group]
    present = np.flatnonzero(_changes(group))
    totals = np.zeros((len(sizes) * reviews, waves + q, waves + q))
    totals[group[present]] = _products(sums[:, by_group], present)
    return WaveSums(
        within=_products(both, first),
        totals=totals.reshape(len(sizes), reviews, waves + q, waves + q),
        sizes=sizes.astype(np.float64),
        people=np.bincount(place).astype(np.float64),
        review_means=np.ascontiguousarray(review_means),
        site_means=np.ascontiguousarray(site_means.transpose(1, 2, 0)),
        starts=starts,
        rows=len(order),
        rank=matrix.rank,
    )


def _changes(codes: Codes) -> np.typing.NDArray[np.bool_]:
    """Where a sorted list of codes starts a new one, the first included."""
    found = np.empty(len(codes), dtype=bool)
    found[:1] = True
    np.not_equal(codes[1:], codes[:-1], out=found[1:])
    return found


def _products(rows: Floats, starts: Codes) -> Floats:
    """Cross-products of variables (Q, N) within groups of consecutive columns, (G, Q, Q)."""
    q = len(rows)
    found = np.empty((len(starts), q, q))
    for i in range(q):
        found[:, i, i:] = np.add.reduceat(rows[i] * rows[i:], starts, axis=1).T
        found[:, i:, i] = found[:, i, i:]
    return found


@dataclass(frozen=True)
class Evaluation:
    """The REML criterion at one θ (5,), with everything that inference needs.

    As `analysis.lmm.reml.Evaluation`, for five levels, those outside the model with θ = 0 and no entry:
    n1 : (K, q, q), n2 : (K, K, q, q), trace, quad : (K,), fisher, average : (K, K) for the K levels of the model.
    unprojected : (K,) tr(H⁻¹Gₖ), of which `trace` is what the columns of the model leave.
    """

    theta: Floats
    criterion: float
    rss: float
    logdet_x: float
    lower: Floats
    n1: Floats
    n2: Floats
    trace: Floats
    unprojected: Floats
    quad: Floats
    fisher: Floats
    average: Floats


@dataclass
class _Forms:
    """Quadratic forms of one level's clusters: M = [E D]'H⁻¹[E D] (n, Q, Q), N = …H⁻¹GₖH⁻¹…, N2 = …GₖH⁻¹Gₗ…."""

    m: Floats
    n1: Floats
    n2: Floats
    logdet: float
    trace: Floats  # tr(H⁻¹Gₖ)
    trace2: Floats  # tr(H⁻¹GₖH⁻¹Gₗ)


def evaluate(sums: WaveSums, levels: tuple[int, ...], theta: Floats) -> Evaluation:
    """Criterion and derivatives at five variance ratios (each ≥ 0); derivatives are those of `levels`."""
    p, t = sums.rank, sums.waves
    forms = _people(sums, PARTICIPANT in levels, float(theta[PARTICIPANT]))
    forms = _eliminate(forms, theta, [k for k in levels if k in {REVIEW, REVIEW_WAVE}], sums.review_means)
    forms.m = np.add.reduceat(forms.m, sums.starts, axis=0)
    forms.n1 = np.add.reduceat(forms.n1, sums.starts, axis=1)
    forms.n2 = np.add.reduceat(forms.n2, sums.starts, axis=2)
    forms = _eliminate(forms, theta, [k for k in levels if k in {SITE, SITE_WAVE}], sums.site_means)

    factor = np.linalg.cholesky(forms.m[:, t:, t:].sum(axis=0))
    diagonal = factor.diagonal()
    logdet_x = 2.0 * float(np.log(diagonal[:p]).sum())
    rss = float(diagonal[p]) ** 2
    lower = np.linalg.inv(factor)
    n1 = lower @ forms.n1[:, :, t:, t:].sum(axis=1) @ lower.T
    n2 = lower @ forms.n2[:, :, :, t:, t:].sum(axis=2) @ lower.T
    x = n1[:, :p, :p].reshape(len(levels), p * p)
    xy = n1[:, :p, p]
    return Evaluation(
        theta=theta,
        criterion=forms.logdet + logdet_x + (sums.rows - p) * math.log(rss),
        rss=rss,
        logdet_x=logdet_x,
        lower=lower,
        n1=n1,
        n2=n2,
        trace=forms.trace - n1[:, :p, :p].trace(axis1=1, axis2=2),
        unprojected=forms.trace,
        quad=n1[:, p, p],
        fisher=forms.trace2 - 2.0 * n2[:, :, :p, :p].trace(axis1=2, axis2=3) + x @ x.T,
        average=n2[:, :, p, p] - xy @ xy.T,
    )


def _people(sums: WaveSums, participant: bool, theta: float) -> _Forms:
    """Forms by review before any review effect, people's effects eliminated in closed form.

    With 1 + mθ = 1/a for someone of m rows, (I + θJ)⁻¹ = (I − J/m) + (a/m)J, and its derivatives are powers of a.
    """
    m, (reviews, size) = sums.sizes, sums.within.shape[:2]
    a = 1.0 / (1.0 + m * theta)
    whole = sums.within + np.tensordot(a / m, sums.totals, 1)
    if not participant:
        none = np.zeros(0)
        return _Forms(
            whole,
            np.zeros((0, reviews, size, size)),
            np.zeros((0, 0, reviews, size, size)),
            0.0,
            none,
            np.zeros((0, 0)),
        )
    powers = np.tensordot(np.stack((a**2, m * a**3)), sums.totals, 1)
    ma = m * a
    return _Forms(
        m=whole,
        n1=powers[:1],
        n2=powers[1:, None],
        logdet=float(sums.people @ np.log1p(m * theta)),
        trace=np.array([sums.people @ ma]),
        trace2=np.array([[sums.people @ ma**2]]),
    )


def _eliminate(below: _Forms, theta: Floats, own: list[int], means: Floats) -> _Forms:
    """Add the effects of one level's clusters, and move D from being about their means (n, T, q) to include them."""
    t = means.shape[1]
    shapes = _shapes(t, own)
    c = _covariance(t, theta, own)
    w = below.m[:, :t, :t]
    inner = np.eye(t) + c @ w
    q = np.linalg.inv(inner)
    c_ = q @ c
    # [E D]'H̃⁻¹ is `turn`' times [E D about means]'H⁻¹.
    turn = np.zeros_like(below.m)
    turn[:, range(t, turn.shape[1]), range(t, turn.shape[1])] = 1.0
    turn[:, :t, :t] = q
    turn[:, :t, t:] = q @ means - c_ @ below.m[:, :t, t:]
    back = turn.swapaxes(1, 2)
    moved = below.m.copy()
    moved[:, :, t:] += below.m[:, :, :t] @ means
    m = back @ moved
    ee = below.n1[:, :, :t, :t]
    ce = c_ @ ee
    n1 = back @ below.n1 @ turn
    n2 = below.n2 - (below.n1[:, None, :, :, :t] @ c_) @ below.n1[None, :, :, :t, :]
    n2 = back @ n2 @ turn
    lower, k = len(n1), len(n1) + len(own)
    trace = np.empty(k)
    trace2 = np.empty((k, k))
    trace[:lower] = below.trace - np.einsum("knii->k", ce)
    trace2[:lower, :lower] = (
        below.trace2
        - 2.0 * np.einsum("nij,klnji->kl", c_, below.n2[:, :, :, :t, :t])
        + np.einsum("knij,lnji->kl", ce, ce)
    )
    logdet = below.logdet + float(np.linalg.slogdet(inner)[1].sum())
    if not own:
        return _Forms(m, n1, n2, logdet, trace, trace2)

    top = m[:, :t, :]  # E'H̃⁻¹[E D]
    kw = shapes[:, None] @ m[None, :, :t, :t]  # (own, n, T, T)
    k_top = shapes[:, None] @ top[None]
    all1 = np.empty((k, *m.shape))
    all2 = np.empty((k, k, *m.shape))
    all1[:lower] = n1
    all1[lower:] = top.swapaxes(1, 2) @ k_top
    all2[:lower, :lower] = n2
    all2[:lower, lower:] = n1[:, None, :, :, :t] @ k_top[None]
    all2[lower:, :lower] = all2[:lower, lower:].transpose(1, 0, 2, 4, 3)
    all2[lower:, lower:] = k_top.swapaxes(2, 3)[:, None] @ m[:, :t, :t] @ k_top[None]
    trace[lower:] = np.einsum("anii->a", kw)
    trace2[:lower, lower:] = np.einsum("knij,aji->ka", n1[:, :, :t, :t], shapes)
    trace2[lower:, :lower] = trace2[:lower, lower:].T
    trace2[lower:, lower:] = np.einsum("anij,bnji->ab", kw, kw)
    return _Forms(m, all1, all2, logdet, trace, trace2)


def _shapes(waves: int, own: list[int]) -> Floats:
    """∂C/∂θ of each level: the same effect at every wave, or one of its own at each."""
    found = np.empty((len(own), waves, waves))
    for place, k in enumerate(own):
        found[place] = np.eye(waves) if k in {REVIEW_WAVE, SITE_WAVE} else 1.0
    return found


def _covariance(waves: int, theta: Floats, own: list[int]) -> Floats:
    """C of effects over waves, (T, T)."""
    return np.tensordot(theta[own], _shapes(waves, own), 1)


def criteria(sums: WaveSums, levels: tuple[int, ...], thetas: Floats) -> Floats:
    """The criterion alone at many points, (B, 5) to (B,).

    Each effect is eliminated as a rank-one correction, which costs less where only the value is wanted; D is about
    no means, so that cluster variances of 10⁶ residual ones and more leave nine digits.
    """
    p, t = sums.rank, sums.waves
    mt = sums.sizes * thetas[:, PARTICIPANT, None]
    found: Floats = np.log1p(mt) @ sums.people
    reviews = np.diff(sums.starts, append=len(sums.within))
    means = sums.review_means + np.repeat(sums.site_means, reviews, axis=0)
    shift = np.zeros_like(sums.within)
    shift[:] = np.eye(shift.shape[1])
    shift[:, :t, t:] = means
    both = shift.swapaxes(1, 2) @ np.concatenate((sums.within[None], sums.totals)) @ shift
    m = both[0] + np.tensordot(1.0 / (1.0 + mt) / sums.sizes, both[1:], 1)
    for one, each in ((REVIEW, REVIEW_WAVE), (SITE, SITE_WAVE)):
        if one in levels:
            found += _correct(m, thetas[:, one], m[..., :t, :].sum(axis=-2), slice(0, t))
        if each in levels:
            for wave in range(t):
                found += _correct(m, thetas[:, each], m[..., wave, :].copy(), slice(wave, wave + 1))
        if one == REVIEW:
            m = np.add.reduceat(m, sums.starts, axis=1)
    diagonal = np.linalg.cholesky(m[..., t:, t:].sum(axis=1)).diagonal(axis1=1, axis2=2)
    found += 2.0 * np.log(diagonal[:, :p]).sum(axis=1) + (sums.rows - p) * 2.0 * np.log(diagonal[:, p])
    return found


def _correct(m: Floats, theta: Floats, row: Floats, own: slice) -> Floats:
    """Eliminate one effect of each cluster from m (B, n, Q, Q), `row` its row of sums; the log-determinants, (B,)."""
    inner = 1.0 + theta[:, None] * row[..., own].sum(axis=-1)
    m -= ((theta[:, None] / inner)[..., None] * row)[..., None] * row[..., None, :]
    logs: Floats = np.log(inner).sum(axis=1)
    return logs


@dataclass(frozen=True)
class LongitudinalFit:
    """A fitted model of several waves.

    levels    : the random effects in the model, places in LEVELS; `at` holds derivatives in their order.
    sigma2    : residual variance; variance : that of every level of the model, by name, in squared outcome units.
    boundary  : levels whose variance is estimated as zero (kept in the model).
    loglik    : REML log-likelihood for the columns as given (not standardised).
    """

    matrix: ModelMatrix
    sums: WaveSums
    levels: tuple[int, ...]
    at: Evaluation
    sigma2: float
    variance: dict[str, float]
    boundary: tuple[str, ...]
    loglik: float
    iterations: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Who was asked when: codes from 0, (N,), one row a person and wave; T waves.

    person : None where each row is a person of its own.   occasion : what a wave is called in words; for people of
    several roles, each asked once, a role takes the place of a wave.
    """

    wave: Codes
    site: Codes
    review: Codes | None
    person: Codes | None
    waves: int
    occasion: str = "wave"

    def named(self, level: int) -> str:
        """A level's name in words."""
        return LEVELS[level].replace("wave", self.occasion)


def fit(matrix: ModelMatrix, sample: Sample, review_wave: bool = False) -> LongitudinalFit | NotEstimable:
    """Fit by REML; site and site:wave are always in the model.

    review_wave : whether reviews also differ from wave to wave on their own account.
    Review is left out, with a note, where every site has one review or every review one person; participant where
    everyone answered one wave; review:wave where no review has two answers at a wave. A variance estimated as zero
    stays in the model (`boundary`).

    >>> from analysis.model_matrix import model_matrix
    >>> rng = np.random.default_rng(1)
    >>> person = np.repeat(np.arange(60), 2)
    >>> wave, site = np.tile([0, 1], 60), person // 10
    >>> outcome = rng.normal(size=120) + np.repeat(rng.normal(size=60), 2) + np.repeat(rng.normal(size=6), 20)
    >>> found = fit(model_matrix(outcome, [("later", wave.astype(float))]), Sample(wave, site, None, person, 2))
    >>> sorted(found.variance), found.boundary
    (['participant', 'site', 'site:wave'], ('site:wave',))
    """
    levels, notes = _levels(sample, review_wave)
    if isinstance(levels, NotEstimable):
        return levels
    alone = REVIEW not in levels and REVIEW_WAVE not in levels
    review = sample.site if alone or sample.review is None else sample.review
    person = np.arange(len(sample.wave)) if sample.person is None else sample.person
    if alone and sample.review is not None:
        # Without reviews people are told apart by site alone, and the same code may stand in two reviews.
        person = sample.review * (int(person.max()) + 1) + person
    sums = wave_sums(matrix, sample.wave, sample.site, review, person, sample.waves)
    dof = sums.rows - sums.rank
    if dof < 2:
        return NotEstimable("fewer answers than the model has columns")
    try:
        return _fit_sums(matrix, sums, levels, sample, notes)
    except np.linalg.LinAlgError:
        return NotEstimable(ALL_EXPLAINED)


def _levels(sample: Sample, review_wave: bool) -> tuple[tuple[int, ...] | NotEstimable, tuple[str, ...]]:
    """Random effects that the sample can tell apart, and what is said of those it cannot."""
    rows, when = len(sample.wave), sample.occasion
    site_wave = sample.site * sample.waves + sample.wave
    sites, cells = len(np.unique(sample.site)), len(np.unique(site_wave))
    if cells == rows:
        return NotEstimable(f"one answer a site and {when}: their variance and the residual cannot be told apart"), ()
    if cells == sites:
        return NotEstimable(f"every site has answers of one {when} only: there is nothing to compare within sites"), ()
    review = np.zeros(rows, dtype=np.intp) if sample.review is None else sample.review
    review = sample.site * (int(review.max()) + 1) + review
    reviews, people = len(np.unique(review)), rows
    levels, notes = {SITE, SITE_WAVE}, []
    if sample.person is not None:
        people = len(np.unique(review * (int(sample.person.max()) + 1) + sample.person))
        if people < rows:
            levels.add(PARTICIPANT)
        else:
            notes.append(f"everyone answered at one {when} only: participant left out")
    if sample.review is not None and reviews == sites:
        notes.append("every site has exactly one review: the two variances cannot be told apart, review left out")
    elif sample.review is not None and reviews == people:
        notes.append("every review has exactly one person: the two variances cannot be told apart, review left out")
    elif sample.review is not None:
        levels.add(REVIEW)
        if review_wave:
            if len(np.unique(review * sample.waves + sample.wave)) < rows:
                levels.add(REVIEW_WAVE)
            else:
                notes.append(f"no review has two answers of one {when}: review:{when} left out")
    return tuple(sorted(levels)), tuple(notes)


def _fit_sums(
    matrix: ModelMatrix, sums: WaveSums, levels: tuple[int, ...], sample: Sample, notes: tuple[str, ...]
) -> LongitudinalFit | NotEstimable:
    dof = sums.rows - sums.rank
    start = np.zeros(5)
    start[list(levels)] = 0.1
    if PARTICIPANT in levels:
        start[PARTICIPANT] = 0.5

    def at_theta(theta: Floats) -> Evaluation:
        return evaluate(sums, levels, theta)

    at, steps = search.minimum(at_theta, start, levels, dof)
    better = _better_elsewhere(sums, levels, at)
    if better is not None:
        again, more = search.minimum(at_theta, better, levels, dof)
        at, steps = (again, steps + more) if again.criterion < at.criterion else (at, steps + more)
    if at.rss < NOTHING_LEFT * sums.rows:
        return NotEstimable(ALL_EXPLAINED)
    left = at.trace / at.unprojected
    if left.min() < 1e-9:
        name = sample.named(levels[int(left.argmin())])
        return NotEstimable(f"the columns of the model take up every difference of {name}, so its variance is unknown")
    if search.decrement(at, levels, dof) > 1e-6:
        return NotEstimable("the likelihood has no optimum that could be found: the projected gradient is not zero")
    unit2 = float(matrix.scale[-1]) ** 2
    sigma2 = at.rss / dof * unit2
    raw_logdet_x = at.logdet_x + 2.0 * float(np.log(matrix.scale[:-1]).sum())
    logdet_h = at.criterion - at.logdet_x - dof * math.log(at.rss)
    return LongitudinalFit(
        matrix=matrix,
        sums=sums,
        levels=levels,
        at=at,
        sigma2=sigma2,
        variance={sample.named(k): sigma2 * float(at.theta[k]) for k in levels},
        boundary=tuple(sample.named(k) for k in levels if at.theta[k] == 0.0),
        loglik=-0.5 * (dof * (1.0 + math.log(2.0 * math.pi * sigma2)) + logdet_h + raw_logdet_x),
        iterations=steps,
        notes=notes,
    )


def _better_elsewhere(sums: WaveSums, levels: tuple[int, ...], at: Evaluation) -> Floats | None:
    """A point whose criterion is below the optimum's, to start again from, if there is one.

    Tried are every choice of levels at zero, the others small or large, and the optimum with each choice of its
    levels put to zero.
    """
    inside = np.array([[k >> place & 1 for place in range(len(levels))] for k in range(2 ** len(levels))], dtype=float)
    points = np.zeros((3, len(inside), 5))
    for row, size in enumerate((0.03 * inside, 0.5 * inside, inside * at.theta[list(levels)])):
        points[row][:, levels] = size
    flat = np.unique(points.reshape(-1, 5), axis=0)
    values = criteria(sums, levels, flat)
    best = int(values.argmin())
    return flat[best] if values[best] < at.criterion - 1e-9 * (1.0 + abs(at.criterion)) else None
