"""Difference-in-differences of weighted sites: the arms made alike in site covariates, then their changes compared.

Weighted least squares of site mean changes on arm, with CR2 and Bell–McCaffrey df for weights that say whom a site stands
for, not how precisely it was measured (`analysis.robust`, working model "identity"). The weights are taken as known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.errors import BadData
from analysis.labels import named
from analysis.lmm import reml
from analysis.measures.hedges_g import hedges_g
from analysis.model_matrix import model_matrix, site_means
from analysis.nonrandomised.evalue import EValue, e_value
from analysis.nonrandomised.weights import BalanceTable, SiteWeights, Weighting, balance_table, site_weights
from analysis.question import Question
from analysis.results import Effect, Floats, NotEstimable
from analysis.robust.cluster_robust import cluster_robust, site_scores
from analysis.threads import one_thread
from analysis.trial_data import read

ASSOCIATED = "sites were not randomised: a difference is associated with the arm, never caused by it"


@dataclass(frozen=True)
class WeightedComparison:
    """effect : difference in change that is associated with the arm among `weights.population`.

    sites : labels in the order of the weights.   e_value : of the effect on the total SD; None where that is unknown.
    """

    effect: Effect
    sites: tuple[str, ...]
    weights: SiteWeights
    balance: BalanceTable
    e_value: EValue | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "effect": self.effect.to_dict(),
            "sites": list(self.sites),
            "weights": self.weights.to_dict(),
            "balance": self.balance.to_dict(),
            "e_value": None if self.e_value is None else self.e_value.to_dict(),
        }


def weighted_difference(
    values: Floats, site_arm: Floats, weights: Floats, level: float = 0.95, warnings: tuple[str, ...] = ()
) -> Effect | NotEstimable:
    """Difference between arms in weighted means of one value a site.

    values, site_arm (1 treatment), weights (above zero, any unit within an arm) : (S,), none missing.

    >>> arm = np.repeat([1.0, 0.0], 3)
    >>> found = weighted_difference(np.array([5.0, 6, 7, 3, 4, 5]), arm, np.array([1.0, 1, 2, 1, 1, 1]))
    >>> round(found.estimate, 3)
    2.25
    """
    matrix = model_matrix(values, [("arm", site_arm)])
    scores = site_scores(matrix, np.arange(len(values)), weights, "identity")
    found = cluster_robust(scores, 1, "cr2", level)
    return found if isinstance(found, NotEstimable) else replace(found, warnings=(*found.warnings, *warnings))


def weighted_did(
    frame: pd.DataFrame, question: Question, site_covariates: Sequence[str], kind: Weighting = "overlap"
) -> WeightedComparison | NotEstimable:
    """Weight the sites of a trial that was not randomised and compare their changes.

    frame, question : as for `analysis.compare.compare`, with baseline or waves.   site_covariates : columns of
    numbers, averaged over the people of a site where they differ within it; the baseline itself may be one.
    Strata and pairs are not entered; rows that lack a site covariate are left out. Refused where sites were randomised, and
    beyond a tenth as many covariates as sites. Raises BadData as `compare` does.

    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"site": np.repeat(np.arange(12), 5), "before": rng.normal(size=60)})
    >>> people["arm"] = people.site % 2
    >>> people["size"] = (people.site * 7) % 12
    >>> people["after"] = people.before + rng.normal(size=60)
    >>> asked = Question("after", "arm", "site", baseline="before", design="nonrandomised")
    >>> found = weighted_did(people, asked, ["size"])
    >>> abs(found.balance.covariates[0].weighted_difference) < 1e-9
    True
    """
    if question.design != "nonrandomised":
        return NotEstimable(
            "weights are for sites that were not randomised; where they were, chance made the arms alike and weighting loses"
        )
    named_already = {column for _, column in question.columns()}
    more = tuple(name for name in site_covariates if name not in named_already)
    both = replace(question, covariates=(*question.covariates, *more))
    refusals.columns_exist(frame, both)
    with one_thread():
        data = read(frame, both)
        if data.baseline is None:
            return NotEstimable("a change needs a baseline or an earlier wave")
        known = dict(data.covariates)
        if question.baseline:
            known[question.baseline] = data.baseline
        unknown = [name for name in site_covariates if name not in known]
        if unknown:
            raise BadData(f"{named(unknown, 'site covariate', 'site covariates')} cannot be averaged; give numbers")
        columns = np.array([site_means(known[name], data.site) for name in site_covariates]).T
        columns = columns.reshape(len(data.site_arm), len(site_covariates))
        weights = site_weights(kind, data.site_arm, columns)
        if isinstance(weights, NotEstimable):
            return weights
        notes = (ASSOCIATED, f"speaks of {weights.population}; the weights are taken as known", *weights.warnings)
        change = site_means(data.outcome - data.baseline, data.site)
        effect = weighted_difference(change, data.site_arm, weights.weights, question.level, notes)
        if isinstance(effect, NotEstimable):
            return effect
        plain = reml.fit(model_matrix(data.outcome, [("arm", data.arm)]), data.site, data.review)
        g = plain if isinstance(plain, NotEstimable) else hedges_g(effect, plain)
        return WeightedComparison(
            effect,
            data.site_labels,
            weights,
            balance_table(tuple(site_covariates), columns, data.site_arm, weights.weights),
            None if isinstance(g, NotEstimable) else e_value(g),
        )
