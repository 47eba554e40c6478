"""Fidelity of a case review: twelve criteria scored 0, 1 or 2 by its facilitator and by an observer, in both arms."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.errors import BadData

CRITERIA = tuple(f"FID{number}" for number in range(1, 13))
ESSENTIAL = ("FID1", "FID4", "FID7", "FID9")
SCORERS = ("facilitator", "observer")
FEWEST = 9  # criteria scored (three quarters), below which a scorer gives no score
HIGH = 80.0


def fidelity(scored: pd.DataFrame) -> pd.DataFrame:
    """One row a review from one row a scorer.

    scored : columns review, scorer ("facilitator" or "observer") and FID1 … FID12 (0 absent, 1 partly, 2 fully; NaN
    where not scored).
    Returns columns review; facilitator, observer (0–100, the mean over its scorers of that kind; NaN without one);
    fidelity (the mean of the two there are); double (both scored it); high_fidelity (100 or 0: at least 80, and no
    essential criterion, 1, 4, 7 or 9, scored 0 by anyone; NaN where a score or an essential criterion is missing);
    FID1 … FID12 (0–100, the mean of the two kinds of scorer).
    A scorer who scored fewer than nine criteria gives no score. Raises BadData for anything but 0, 1 and 2.

    >>> one = {"review": "a", "scorer": "observer"} | {f"FID{n}": 2 for n in range(1, 13)}
    >>> two = one | {"scorer": "facilitator", "FID4": 0}
    >>> found = fidelity(pd.DataFrame([one, two]))
    >>> [float(round(found.loc[0, name], 1)) for name in ("observer", "facilitator", "fidelity", "high_fidelity")]
    [100.0, 91.7, 95.8, 0.0]
    """
    _refuse(scored)
    points = scored[list(CRITERIA)].astype(float) * 50.0
    answered = points.notna().sum(axis=1)
    rows = scored[["review", "scorer"]].assign(score=points.mean(axis=1).where(answered >= FEWEST), **points)
    kinds = rows.groupby(["review", "scorer"], sort=True).mean(numeric_only=True)
    found = kinds.groupby("review", sort=True).mean().rename(columns={"score": "fidelity"})
    for scorer in SCORERS:
        mine = kinds[kinds.index.get_level_values("scorer") == scorer].droplevel("scorer")["score"]
        found[scorer] = mine.reindex(found.index)
    found["double"] = found["facilitator"].notna() & found["observer"].notna()
    least = rows.groupby("review", sort=True)[list(ESSENTIAL)].min()
    high = 100.0 * ((found["fidelity"] >= HIGH) & (least > 0).all(axis=1))
    failed = (found["fidelity"] < HIGH) | (least == 0).any(axis=1)
    known = found["fidelity"].notna() & least.notna().all(axis=1)
    found["high_fidelity"] = high.where(known | failed, np.nan)
    columns: Sequence[str] = ["facilitator", "observer", "fidelity", "double", "high_fidelity", *CRITERIA]
    return found[list(columns)].reset_index()


def _refuse(scored: pd.DataFrame) -> None:
    for column in ("review", "scorer", *CRITERIA):
        if column not in scored.columns:
            raise BadData(f'there is no column "{column}"')
    strange = sorted({str(one) for one in scored["scorer"]} - set(SCORERS))
    if strange:
        raise BadData(f'column "scorer" holds "{strange[0]}"; it is one of {", ".join(SCORERS)}')
    for column in CRITERIA:
        values = scored[column].dropna()
        wrong = values[~values.isin([0, 1, 2])]
        if len(wrong):
            raise BadData(f'column "{column}" holds {wrong.iloc[0]} in row {wrong.index[0]}; a criterion is 0, 1 or 2')
