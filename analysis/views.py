"""The same difference seen otherwise: without each site, by what weighs the same, and as risks.

They decide nothing: they say how far the answer hangs on one site, on whom it is an average over, and on the scale it
is told in. `analysis.compare` does without them, since leaving out each site takes many fits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.marginal.estimands import Estimands, estimands
from analysis.marginal.standardised import StandardisedRisks, standardised_risks
from analysis.model_matrix import model_matrix
from analysis.question import Question
from analysis.results import NotEstimable
from analysis.robust.cluster_robust import site_scores
from analysis.robust.influence import Influence, site_influence
from analysis.threads import one_thread
from analysis.trial_data import TrialData, read

# Beside a comparison of a million people, which takes a second, these would take longer than the answer itself.
MOST_ROWS = 200_000
# People times sites: every site is left out once, so the logistic models read so many rows. About two seconds.
MOST_REFITTED = 5_000_000


@dataclass(frozen=True)
class Views:
    """influence : of each site on the least-squares difference.   estimands : weighted by person, review and site.
    risks : standardised, of an outcome of 0 and 1.   Each may be the reason there is none.
    """

    influence: Influence | NotEstimable
    estimands: Estimands | NotEstimable
    risks: StandardisedRisks | NotEstimable

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, at full precision."""
        return {
            "influence": self.influence.to_dict(),
            "estimands": self.estimands.to_dict(),
            "risks": self.risks.to_dict(),
        }


def views(frame: pd.DataFrame, question: Question) -> Views:
    """Look at a difference from three sides.

    frame, question : as `analysis.compare.compare` takes them, complete cases and all; the outcome of the last wave in
    long data. All three adjust as the comparison does (baseline, covariates, strata). Above 200,000 rows, the risks
    above 5 million people × sites, each says that it was left out. Raises BadData, in one line, where the table cannot
    answer the question.

    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"site": np.repeat(np.arange(8), 10)})
    >>> table["arm"] = table.site % 2
    >>> table["met"] = (rng.uniform(size=80) < 0.4 + 0.3 * table.arm).astype(int)
    >>> seen = views(table, Question("met", "arm", "site", design="randomised"))
    >>> [round(risk, 3) for risk in seen.risks.risks], round(seen.risks.difference.estimate, 3)
    ([0.675, 0.3], 0.375)
    >>> seen.influence.largest.site, round(seen.influence.largest.estimate, 3), round(seen.estimands.site.estimate, 3)
    ('5', 0.433, 0.375)
    """
    if len(frame) > MOST_ROWS:
        skipped = NotEstimable(
            f"left out with more than {MOST_ROWS:,} rows, where it would take longer than the comparison"
        )
        return Views(skipped, skipped, skipped)
    data = read(frame, question)
    columns = data.adjustments
    with one_thread():
        return Views(
            _influence(data),
            estimands(data.outcome, data.arm, columns, data.site, data.review, question.level),
            _risks(data, question.level),
        )


def _influence(data: TrialData) -> Influence | NotEstimable:
    matrix = model_matrix(data.outcome, [*data.adjustments, ("arm", data.arm)])
    column = matrix.index("arm")
    if column is None:
        return NotEstimable("the covariates determine the arm")
    return site_influence(site_scores(matrix, data.site), column, list(data.site_labels))


def _risks(data: TrialData, level: float) -> StandardisedRisks | NotEstimable:
    if not np.isin(data.outcome, (0.0, 1.0)).all():
        return NotEstimable("the outcome is not 0 or 1, so it has no risks")
    if len(data.outcome) * len(data.site_arm) > MOST_REFITTED:
        return NotEstimable(f"left out with more than {MOST_REFITTED:,} people × sites, as each site is left out once")
    return standardised_risks(data.outcome, data.arm, data.adjustments, data.site, list(data.site_labels), level=level)
