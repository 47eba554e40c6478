"""Whom the difference is an average over: people, reviews or sites, side by side, and whether it matters.

Where larger sites or reviews have other effects (worse cases convene more people), the average over people and the
average over sites are different numbers, and neither is a wrong estimate of the other (Kahan, Li, Copas & Harhay 2023,
International Journal of Epidemiology 52, 107–118; Kahan and others 2024, Statistical Methods in Medical Research 33,
1211–1232). Each is least squares under independence, which alone is unbiased for it whatever the sizes, with weights
one, 1/people of the review, or 1/people of the site, and CR2 with Bell–McCaffrey df. The working model of the weighted
ones is that of the weights' inverse: means of reviews, or of sites, vary alike; without covariates the site-weighted
line is then Welch's t test of site means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.marginal.jackknife import jackknife
from analysis.model_matrix import model_matrix
from analysis.results import Codes, Effect, Floats, NotEstimable
from analysis.robust.cluster_robust import SiteScores, cluster_robust, site_scores, without_each_site

_TOLD_APART = 1e-9


@dataclass(frozen=True)
class Estimands:
    """The difference between arms, weighted three ways; `review` is None where there is no review level.

    informative : person-weighted − site-weighted, with its jackknife test: is size of site informative?
    by_size     : how the difference changes per person more at a site, from site means.
    """

    person: Effect | NotEstimable
    review: Effect | NotEstimable | None
    site: Effect | NotEstimable
    informative: Effect | NotEstimable
    by_size: Effect | NotEstimable

    def to_dict(self) -> dict[str, Any]:
        return {
            "person": self.person.to_dict(),
            "review": None if self.review is None else self.review.to_dict(),
            "site": self.site.to_dict(),
            "informative": self.informative.to_dict(),
            "by_size": self.by_size.to_dict(),
        }


def estimands(
    outcome: Floats,
    arm: Floats,
    covariates: Sequence[tuple[str, Floats]],
    site: Codes,
    review: Codes | None = None,
    level: float = 0.95,
) -> Estimands | NotEstimable:
    """The estimands of outcome ~ covariates + arm; of a yes-or-no outcome, differences of risks.

    outcome, arm (1 for treatment) : (N,), none missing.   covariates : names and (N,) values.   site : (N,) codes
    0 … S−1.   review : (N,) codes, distinct between sites or within them, or None.
    The test of informative size (Kahan and others 2023, Clinical Trials 20, 661–669) has t(S − 2) and is conservative
    with few sites (it rejected in 0 % of null trials of 6 sites, 0.5 % of 8, 2 % of 12, 3 % of 20; `by_size` in 4–7 %):
    no difference found is not no difference.

    >>> site = np.repeat(np.arange(6), [2, 4, 6, 3, 5, 4])
    >>> arm = (site % 2).astype(float)
    >>> outcome = np.random.default_rng(1).normal(size=24) + arm
    >>> found = estimands(outcome, arm, [], site)
    >>> round(found.person.estimate, 3), round(found.site.estimate, 3), round(found.informative.estimate, 3)
    (0.959, 0.828, 0.131)
    """
    matrix = model_matrix(outcome, [*covariates, ("arm", arm)])
    column = matrix.index("arm")
    if column is None:
        return NotEstimable("the covariates determine the arm")
    if matrix.rows <= matrix.rank:
        return NotEstimable("fewer people than the model has columns")
    size = np.bincount(site).astype(np.float64)
    people = site_scores(matrix, site)
    sites = site_scores(matrix, site, 1.0 / size[site])
    by_review: Effect | NotEstimable | None = None
    if review is not None:
        _, own = np.unique(np.column_stack((site, review)), axis=0, return_inverse=True)
        own = own.reshape(-1)
        by_review = cluster_robust(
            site_scores(matrix, site, 1.0 / np.bincount(own)[own].astype(np.float64)), column, "cr2", level
        )
    return Estimands(
        person=cluster_robust(people, column, "cr2", level),
        review=by_review,
        site=cluster_robust(sites, column, "cr2", level),
        informative=_informative(people, sites, column, size, level),
        by_size=_by_size(outcome, arm, covariates, site, size, level),
    )


def _informative(
    people: SiteScores, sites: SiteScores, column: int, size: Floats, level: float
) -> Effect | NotEstimable:
    """Jackknife of the difference of two estimates, both taken without each site."""
    if float(np.ptp(size)) == 0.0:
        return NotEstimable("every site has the same number of people, so the two averages are one")
    unit = people.matrix.unit(column)
    contrasts = [scores.root[:, column] * unit for scores in (people, sites)]
    whole = [float(scores.beta @ contrast) for scores, contrast in zip((people, sites), contrasts, strict=True)]
    changes = [
        without_each_site(scores) @ contrast for scores, contrast in zip((people, sites), contrasts, strict=True)
    ]
    estimate = whole[0] - whole[1]
    without = estimate - (changes[0] - changes[1])
    if not np.isfinite(without).all():
        return NotEstimable("a site alone determines one of the estimates, so there is no jackknife")
    if float(np.abs(without).max()) <= _TOLD_APART * max(abs(whole[0]), abs(whole[1])):
        return NotEstimable("the two averages do not differ, whichever site is left out")
    return jackknife(estimate, without, float(len(size) - 2), level)


def _by_size(
    outcome: Floats,
    arm: Floats,
    covariates: Sequence[tuple[str, Floats]],
    site: Codes,
    size: Floats,
    level: float,
) -> Effect | NotEstimable:
    """Slope of the difference on size: site means of what covariates leave ~ arm + size + arm × size, CR2 (HC2)."""
    if float(np.ptp(size)) == 0.0:
        return NotEstimable("every site has the same number of people")
    if len(size) < 6:
        return NotEstimable("fewer than 6 sites")
    matrix = model_matrix(outcome, [*covariates, ("arm", arm)])
    x, y = matrix.columns[:, :-1], matrix.columns[:, -1]
    beta = np.linalg.solve(x.T @ x, x.T @ y)
    without = x.copy()
    without[:, matrix.index("arm")] = 0.0
    left = (y - without @ beta) * matrix.scale[-1]
    means = np.bincount(site, left) / size
    site_arm = np.bincount(site, arm) / size
    centred = size - size.mean()
    model = model_matrix(means, [("arm", site_arm), ("size", centred), ("arm × size", site_arm * centred)])
    column = model.index("arm × size")
    if column is None:
        return NotEstimable("sizes do not differ within the arms")
    if model.rows <= model.rank:
        return NotEstimable("fewer sites than the model has columns")
    return cluster_robust(site_scores(model, np.arange(len(size))), column, "cr2", level)
