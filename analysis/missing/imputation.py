"""Multilevel multiple imputation: gaps filled many times by a site and review normal model, each filling analysed, then pooled.

The model of the incomplete variables y (q of them) given complete predictors x is y = B'x + u_site + v_review + e, with
u, v, e multivariate normal: the joint model of Schafer & Yucel 2002 (J. Comput. Graph. Stat. 11, 437–457) with a level
more. Gibbs draws in turn B, u, v, the three covariances and the gaps. Priors, in SDs of each variable: flat on B;
inverse Wishart on each covariance with q + 1 df and scale (q + 1) times 0.5 I for people, 0.05 I for sites and for reviews:
as much as q + 1 people, sites or reviews of a variance of half, a twentieth and a twentieth of the total.
Each arm has a model of its own, so that what is imputed does not suppose the arms alike.

Pooled by Rubin's rules with the df of Barnard & Rubin (1999, Biometrika 86, 948–955), whose complete-data df are those of
each filled table's own method, Kenward–Roger for the mixed model: with few sites the classical df would be far too many.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.compare import results
from analysis.errors import BadData
from analysis.labels import coded, named, numbers
from analysis.question import Question
from analysis.results import Codes, Effect, Floats, NotEstimable, t_effect
from analysis.threads import one_thread
from analysis.trial_data import covariate_columns, read

Mask = np.typing.NDArray[np.bool_]

# Steps before the first filled table and between two: lag-one correlations of the variances in trials of this shape are
# below 0.9, so that thirty steps on nothing is left of them.
BURN, BETWEEN = 200, 30
_PEOPLE, _CLUSTERS = 0.5, 0.05


@dataclass(frozen=True)
class Pooled:
    """effect : over all filled tables.   imputations : how many.   complete_df : mean df had nothing been missing.

    relative_increase : of the variance by what is missing, (1 + 1/M) B / W.   fraction_missing : of the information.
    filled : how many gaps, by column.
    """

    effect: Effect
    imputations: int
    complete_df: float
    relative_increase: float
    fraction_missing: float
    filled: tuple[tuple[str, int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "effect": self.effect.to_dict(),
            "imputations": self.imputations,
            "complete_df": self.complete_df,
            "relative_increase": self.relative_increase,
            "fraction_missing": self.fraction_missing,
            "filled": dict(self.filled),
        }


def pool(
    estimates: Floats, variances: Floats, complete_df: float, level: float = 0.95, warnings: tuple[str, ...] = ()
) -> Pooled | NotEstimable:
    """Rubin's rules with Barnard and Rubin's df.

    estimates, variances : (M,) of M ≥ 2 filled tables.   complete_df : had nothing been missing; may be infinite.

    With mean variance W and B the variance of the estimates, T = W + (1 + 1/M) B; γ = (1 + 1/M) B / T;
    1/df = γ²/(M − 1) + 1/ν, ν = complete_df (complete_df + 1)/(complete_df + 3) (1 − γ).

    >>> found = pool(np.array([1.0, 1.2, 0.8]), np.array([0.25, 0.25, 0.25]), 10.0)
    >>> round(found.effect.estimate, 3), round(found.effect.se, 4), round(found.effect.df, 3)
    (1.0, 0.5508, 6.295)
    """
    count = len(estimates)
    if count < 2:
        raise BadData("one filled table cannot tell how much the gaps matter; make two or more")
    mean, within = float(estimates.mean()), float(variances.mean())
    between = (1.0 + 1.0 / count) * float(estimates.var(ddof=1))
    total = within + between
    if not total > 0.0:
        return NotEstimable("the standard error is zero in every filled table")
    gamma = between / total
    observed = (1.0 if math.isinf(complete_df) else (complete_df + 1.0) / (complete_df + 3.0)) * (1.0 - gamma)
    inverse = gamma**2 / (count - 1) + (0.0 if math.isinf(complete_df) else 1.0 / (complete_df * observed))
    df = 1.0 / inverse if inverse > 0.0 else math.inf
    increase = between / within
    effect = t_effect(mean, math.sqrt(total), df, level, warnings)
    if isinstance(effect, NotEstimable):
        return effect
    fraction = (increase + 2.0 / (df + 3.0)) / (increase + 1.0)
    return Pooled(effect, count, complete_df, increase, fraction)


def impute(
    values: Floats,
    predictors: Floats,
    site: Codes,
    review: Codes | None,
    *,
    imputations: int,
    rng: np.random.Generator,
    burn: int = BURN,
    between: int = BETWEEN,
) -> Floats:
    """Fill the gaps of one arm's people, (M, N, q).

    values : (N, q), NaN where missing, at least two known in each column.   predictors : (N, k) complete, without a
    constant.   site, review : (N,) codes; the same review code at two sites is two reviews; None, or one review a site, leaves
    that level out.
    """
    scale, centre = _spread(values), np.nanmean(values, axis=0)
    sampler = _Sampler((values - centre) / scale, predictors, site, review, rng)
    filled = np.empty((imputations, *values.shape))
    for step in range(burn + (imputations - 1) * between + 1):
        sampler.step()
        kept, rest = divmod(step - burn, between)
        if rest == 0 and kept >= 0:
            filled[kept] = np.where(np.isnan(values), sampler.y * scale + centre, values)
    return filled


def multiply_imputed(
    frame: pd.DataFrame,
    question: Question,
    *,
    imputations: int = 20,
    auxiliary: Sequence[str] = (),
    seed: int | None = None,
    method: str = "lmm_kenward_roger",
    burn: int = BURN,
    between: int = BETWEEN,
) -> Pooled | NotEstimable:
    """Fill the gaps of outcome, baseline and numeric covariates in each arm, compare each filled table, and pool.

    frame, question : as for `analysis.compare.compare`, one row a person invited; long data are refused, for cLDA uses
    people with some waves as they are.   auxiliary : columns, complete, that help to fill but are not adjusted for; labelled
    covariates help too and must be complete.   seed : the question's without one.   method : that gives an effect with df.
    Supposes missing at random given what is in the model; see `analysis.missing.tipping` for what if not.
    Raises BadData as `compare` does.

    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"site": np.repeat(np.arange(8), 6), "before": rng.normal(size=48)})
    >>> people["arm"] = people.site % 2
    >>> people["after"] = (people.before + rng.normal(size=48)).where(rng.random(48) > 0.2)
    >>> asked = Question("after", "arm", "site", baseline="before", design="randomised")
    >>> found = multiply_imputed(people, asked, imputations=5)
    >>> found.filled, found.effect.df < found.complete_df
    ((('after', 6), ('before', 0)), True)
    """
    if question.wave:
        return NotEstimable("long data: cLDA takes people with some waves as they are, without imputation")
    refusals.columns_exist(frame, question)
    arm, _ = coded(frame[question.arm])
    site, _ = coded(frame[question.site])
    review = coded(frame[question.review])[0] if question.review else None
    placed = (arm >= 0) & (site >= 0) & (np.True_ if review is None else review >= 0)
    incomplete, predictors = _variables(frame, question, auxiliary, placed)
    gaps = {name: int((np.isnan(values) & placed).sum()) for name, values in incomplete.items()}
    if not any(gaps.values()):
        return NotEstimable("nothing is missing that could be imputed")
    table = np.column_stack(list(incomplete.values()))
    filled = np.repeat(table[None], imputations, axis=0)
    rng = np.random.default_rng(question.seed if seed is None else seed)
    with one_thread():
        for one in np.unique(arm[placed]):
            here = placed & (arm == one)
            reason = _too_little(table[here], list(incomplete), predictors[here])
            if reason is not None:
                return NotEstimable(reason)
            filled[:, here] = impute(
                table[here],
                predictors[here],
                site[here],
                None if review is None else review[here],
                imputations=imputations,
                rng=rng,
                burn=burn,
                between=between,
            )
    return _pooled(frame[placed], question, method, list(incomplete), filled[:, placed], gaps)


def _pooled(
    frame: pd.DataFrame, question: Question, method: str, names: list[str], filled: Floats, gaps: dict[str, int]
) -> Pooled | NotEstimable:
    effects = []
    asked = replace(question, methods=(method,))
    with one_thread():
        for values in filled:
            whole = frame.assign(**dict(zip(names, values.T, strict=True)))
            found = results(read(whole, asked), asked, (method,))[method]
            if not isinstance(found, Effect):
                reason = found.reason if isinstance(found, NotEstimable) else "it has no standard error and df"
                return NotEstimable(f"{method} cannot be pooled over filled tables: {reason}")
            effects.append(found)
    warnings = tuple(dict.fromkeys(note for one in effects for note in one.warnings))
    pooled = pool(
        np.array([one.estimate for one in effects]),
        np.array([one.se**2 for one in effects]),
        float(np.mean([one.df for one in effects])),
        question.level,
        (
            *warnings,
            f"{len(filled)} imputations, each arm by itself; supposes that what is missing is missing at random",
        ),
    )
    return pooled if isinstance(pooled, NotEstimable) else replace(pooled, filled=tuple(gaps.items()))


def _variables(
    frame: pd.DataFrame, question: Question, auxiliary: Sequence[str], placed: Mask
) -> tuple[dict[str, Floats], Floats]:
    """Columns that may lack values, by name, and the complete ones that help to fill them, (N, k)."""
    wanted = [question.outcome, *([question.baseline] if question.baseline else [])]
    absent = [name for name in auxiliary if name not in frame.columns]
    if absent:
        raise BadData(f"there is no {named(absent, 'column', 'columns')}; name complete columns that help to impute")
    predictors: list[Floats] = []
    for name in (*question.covariates, *auxiliary):
        entered, missing = covariate_columns(frame[name], name)
        if (missing & placed).any() and [one for one, _ in entered] == [name] and name in question.covariates:
            wanted.append(name)
            continue
        if (missing & placed).any():
            raise BadData(
                f'column "{name}" lacks values in {int((missing & placed).sum())} rows and cannot be imputed; '
                "give labels, and columns that help to impute, for everyone"
            )
        predictors.extend(values for _, values in entered)
    columns = np.array(predictors).T if predictors else np.empty((len(frame), 0))
    return {name: numbers(frame[name], name) for name in wanted}, columns


def _too_little(values: Floats, names: list[str], predictors: Floats) -> str | None:
    needed = predictors.shape[1] + len(names) + 3
    for name, here in zip(names, values.T, strict=True):
        known = here[~np.isnan(here)]
        if len(known) < needed or float(np.ptp(known)) == 0.0:
            return f'too few different values of "{name}" are known in an arm to impute the others ({len(known)})'
    return None


def _spread(values: Floats) -> Floats:
    return np.asarray(np.nanstd(values, axis=0, ddof=1))


class _Sampler:
    """One chain; y (N, q) holds the filled values in SDs."""

    def __init__(
        self, values: Floats, predictors: Floats, site: Codes, review: Codes | None, rng: np.random.Generator
    ) -> None:
        self.rng = rng
        self.missing = np.isnan(values)
        self.y: Floats = np.where(self.missing, 0.0, values)
        people, self.q = values.shape
        self.x: Floats = _independent(np.column_stack((np.ones(people), predictors)))
        self.inverse = np.linalg.inv(self.x.T @ self.x)
        self.root = np.linalg.cholesky(self.inverse)
        levels = [np.unique(site, return_inverse=True)[1].astype(np.intp)]
        if review is not None:
            key = levels[0] * (int(review.max()) + 1) + review
            code = np.unique(key, return_inverse=True)[1].astype(np.intp)
            if levels[0].max() < code.max() < people - 1:
                levels.append(code)
        self.levels = levels
        self.sizes: list[Floats] = [np.bincount(code).astype(np.float64) for code in levels]
        self.effects: list[Floats] = [np.zeros((len(size), self.q)) for size in self.sizes]
        self.spread: list[Floats] = [_CLUSTERS * np.eye(self.q) for _ in levels]
        self.sigma: Floats = _PEOPLE * np.eye(self.q)
        patterns, self.pattern = np.unique(self.missing, axis=0, return_inverse=True)
        self.patterns = [(one, self.pattern == k) for k, one in enumerate(patterns) if one.any()]

    def step(self) -> None:
        """One sweep over everything that is not known."""
        clusters = sum(effect[code] for effect, code in zip(self.effects, self.levels, strict=True))
        target = self.y - clusters
        # B given the rest is matrix normal: mean (X'X)⁻¹X'target, covariance (X'X)⁻¹ ⊗ Σ.
        noise = self.rng.standard_normal((self.x.shape[1], self.q))
        slopes = self.inverse @ (self.x.T @ target) + self.root @ noise @ np.linalg.cholesky(self.sigma).T
        fixed = self.x @ slopes
        precision = np.asarray(np.linalg.inv(self.sigma), dtype=np.float64)
        for k, code in enumerate(self.levels):
            others = sum(
                (effect[at] for m, (effect, at) in enumerate(zip(self.effects, self.levels, strict=True)) if m != k),
                np.zeros_like(fixed),
            )
            self.effects[k] = self._cluster_effects(
                self.y - fixed - others, code, self.sizes[k], self.spread[k], precision
            )
            self.spread[k] = self._covariance(self.effects[k], _CLUSTERS)
        mean = fixed + sum(effect[code] for effect, code in zip(self.effects, self.levels, strict=True))
        self._fill(mean)
        self.sigma = self._covariance(self.y - mean, _PEOPLE)

    def _cluster_effects(self, left: Floats, code: Codes, size: Floats, spread: Floats, precision: Floats) -> Floats:
        """Normal, with precision n Σ⁻¹ + Ψ⁻¹ and mean its inverse times Σ⁻¹ times the cluster's sum."""
        sums = np.column_stack([np.bincount(code, weights=column, minlength=len(size)) for column in left.T])
        covariance = np.linalg.inv(size[:, None, None] * precision + np.linalg.inv(spread))
        mean = np.einsum("kij,kj->ki", covariance, sums @ precision)
        noise = self.rng.standard_normal(sums.shape)
        return np.asarray(mean + np.einsum("kij,kj->ki", np.linalg.cholesky(covariance), noise))

    def _covariance(self, draws: Floats, usual: float) -> Floats:
        """Inverse Wishart: df n + q + 1, scale draws'draws + (q + 1) usual I, by Bartlett's decomposition."""
        df = len(draws) + self.q + 1
        scale = draws.T @ draws + (self.q + 1) * usual * np.eye(self.q)
        lower = np.tril(self.rng.standard_normal((self.q, self.q)), -1)
        np.fill_diagonal(lower, np.sqrt(self.rng.chisquare(df - np.arange(self.q))))
        # With scale⁻¹ = CC', W = C A A' C' is Wishart and its inverse the draw.
        half = np.linalg.inv(np.linalg.cholesky(np.linalg.inv(scale)) @ lower)
        return np.asarray(half.T @ half)

    def _fill(self, mean: Floats) -> None:
        """Gaps given what the same person has, one draw of a normal for each pattern of gaps."""
        for gap, where in self.patterns:
            known = ~gap
            inside = self.sigma[np.ix_(gap, gap)]
            expected = mean[np.ix_(where, gap)]
            if known.any():
                across = np.linalg.solve(self.sigma[np.ix_(known, known)], self.sigma[np.ix_(known, gap)])
                expected = expected + (self.y[np.ix_(where, known)] - mean[np.ix_(where, known)]) @ across
                inside = inside - self.sigma[np.ix_(gap, known)] @ across
            noise = self.rng.standard_normal(expected.shape) @ np.linalg.cholesky(inside).T
            self.y[np.ix_(where, gap)] = expected + noise


def _independent(columns: Floats) -> Floats:
    """Standardised, without those that earlier ones determine."""
    scaled = columns.copy()
    scaled[:, 1:] -= scaled[:, 1:].mean(axis=0)
    size = scaled.std(axis=0)
    scaled[:, 1:] /= np.where(size[1:] > 0.0, size[1:], 1.0)
    kept: list[int] = []
    for j in range(scaled.shape[1]):
        if np.linalg.matrix_rank(scaled[:, [*kept, j]], tol=1e-8 * math.sqrt(len(scaled))) > len(kept):
            kept.append(j)
    return scaled[:, kept]
