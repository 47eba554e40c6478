"""The chance that somebody of the treated arm does better than somebody of the control arm, ties counting half.

Each person's win fraction is the share of the other arm they do better than (ties half). Their means are θ and 1 − θ,
so the mixed model of win fractions on arm has the coefficient β = 2θ − 1. Its variance is that of θ itself, not four
times it: the model takes the arms as independent, while a good control site lowers every treated fraction by as much
as it raises its own. So θ = ½ + β/2 with β's Kenward–Roger standard error (Brunner & Munzel 2000, Biometrical Journal
42, 17–25, for people; Zou 2021, Statistics in Medicine 40, and its sequels for clusters). It asks of the outcome only
an order, so ceilings and few categories do it no harm.
"""

from dataclasses import replace

import numpy as np
from scipy.special import stdtr, stdtrit

from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.model_matrix import model_matrix
from analysis.results import Codes, Effect, Floats, NotEstimable

CEILING = 0.40
FEW_CATEGORIES = 3
MEANING = "the estimate is the chance of doing better than somebody of the other arm: 0.5 is no difference"


def win_fractions(values: Floats, arm: Floats) -> Floats:
    """Share of the other arm below each person, plus half the share equal to them: (N,), each in [0, 1].

    values : (N,) higher is better, none missing.    arm : (N,) 1 for treatment, 0 for control, both present.

    >>> win_fractions(np.array([3.0, 2.0, 2.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0])).tolist()
    [1.0, 0.75, 0.25, 0.0]
    """
    fractions = np.empty(len(values))
    for one in (0.0, 1.0):
        others = np.sort(values[arm != one])
        own = values[arm == one]
        below = np.searchsorted(others, own, side="left") + np.searchsorted(others, own, side="right")
        fractions[arm == one] = below / (2.0 * len(others))
    return fractions


def win_probability(
    outcome: Floats,
    arm: Floats,
    site: Codes,
    review: Codes | None = None,
    baseline: Floats | None = None,
    covariates: list[tuple[str, Floats]] | None = None,
    level: float = 0.95,
) -> Effect | NotEstimable:
    """θ = P(treated > control) + ½P(equal), with the test of θ = ½.

    outcome, arm, baseline : (N,), none missing; higher is better.    site, review : (N,) codes from 0; reviews are
    nested in sites.    covariates : named (N,) columns, the arm not among them.
    A baseline enters as win fractions too, so that it is adjusted for by order alone. `estimate` is θ, `statistic`
    (θ − ½)/se, and the interval, cut at 0 and 1, agrees with p. Like every mixed model it weighs between people and
    sites.

    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(np.arange(10), 12)
    >>> arm = (site % 2).astype(float)
    >>> outcome = np.round(rng.normal(size=120) + arm)
    >>> found = win_probability(outcome, arm, site)
    >>> round(found.estimate, 3), round(float(win_fractions(outcome, arm)[arm == 1].mean()), 3)  # balanced: the mean
    (0.75, 0.75)
    """
    columns = [(name, _doubled(values, arm)) for name, values in covariates or []]
    if baseline is not None:
        columns.insert(0, ("baseline", win_fractions(baseline, arm)))
    matrix = model_matrix(win_fractions(outcome, arm), [*columns, ("arm", arm)])
    column = matrix.index("arm")
    if column is None:
        return NotEstimable("the covariates determine the arm")
    fit = reml.fit(matrix, site, review)
    if isinstance(fit, NotEstimable):
        return fit
    found = kenward_roger(fit, column, level)
    if isinstance(found, NotEstimable):
        return found
    # The t test is of β/2 against β's own standard error.
    theta, statistic = 0.5 + found.estimate / 2.0, found.estimate / (2.0 * found.se)
    half = float(stdtrit(found.df, 0.5 + level / 2.0)) * found.se
    return replace(
        found,
        estimate=theta,
        ci=(max(0.0, theta - half), min(1.0, theta + half)),
        statistic=statistic,
        p=float(2.0 * stdtr(found.df, -abs(statistic))),
        warnings=(MEANING, *found.warnings),
    )


def _doubled(values: Floats, arm: Floats) -> Floats:
    """A covariate whose difference between arms is twice what it was, as that of win fractions is twice θ − ½."""
    return values + arm * float(values[arm == 1].mean() - values[arm == 0].mean())


def advises_win_probability(outcome: Floats) -> str | None:
    """Why means of an outcome say less than the win probability, if they do: few categories, or many at the top.

    outcome : (N,), none missing. A top share counts as a ceiling only where the answers are categories (twenty
    values or fewer).
    """
    values, counts = np.unique(outcome, return_counts=True)
    if 1 < len(values) <= FEW_CATEGORIES:
        return f"the outcome has {len(values)} categories: win probability is advised over a difference of means"
    top = float(counts[-1]) / len(outcome) if len(outcome) else 0.0
    if 1 < len(values) <= 20 and top > CEILING:
        return (
            f"{100 * top:.0f} % are at the highest value of the outcome: win probability is advised over a "
            "difference of means"
        )
    return None
