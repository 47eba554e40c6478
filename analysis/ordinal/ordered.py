"""An ordered outcome and the columns of its model, checked and standardised."""

from dataclasses import dataclass

import numpy as np

from analysis.results import Codes, Floats, NotEstimable

_MOST = 50


@dataclass(frozen=True)
class Ordered:
    """place : (N,) category 0…C−1.    categories : their values.    x : (N, K) standardised columns, the arm first.

    centre, scale, names : of the columns.    sites : how many.    df : S − p, p counting the columns and the thresholds
    as one.
    """

    place: Codes
    categories: tuple[float, ...]
    x: Floats
    centre: Floats
    scale: Floats
    names: tuple[str, ...]
    sites: int
    df: int


def ordered(
    outcome: Floats, arm: Floats, site: Codes, covariates: list[tuple[str, Floats]] | None
) -> Ordered | NotEstimable:
    """outcome, arm, covariates : (N,), none missing.    site : (N,) codes 0…S−1.

    >>> arm = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    >>> found = ordered(np.array([1.0, 2, 2, 5, 1, 2, 5, 5]), arm, np.array([0, 0, 1, 1, 2, 2, 3, 3]), None)
    >>> found.categories, found.place.tolist(), found.df
    ((1.0, 2.0, 5.0), [0, 1, 1, 2, 0, 1, 2, 2], 2)
    """
    names = ("arm", *(name for name, _ in covariates or []))
    columns = np.column_stack([arm, *(values for _, values in covariates or [])])
    categories, place = np.unique(outcome, return_inverse=True)
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    sites = int(site.max()) + 1
    df = sites - columns.shape[1] - 1
    reason = None
    if len(categories) < 2:
        reason = "everybody is in one category"
    elif len(categories) > _MOST:
        reason = f"the outcome has {len(categories)} different values, more than the {_MOST} of a set of categories"
    elif not (scale > 0.0).all():
        reason = f"{names[int((scale <= 0.0).argmax())]} does not vary"
    elif min(len(np.unique(site[arm == one])) for one in (0.0, 1.0)) < 2:
        reason = "fewer than two sites in an arm"
    elif df < 1:
        reason = f"{sites} sites are too few for {len(names)} columns"
    if reason is not None:
        return NotEstimable(reason)
    x = (columns - centre) / scale
    if np.linalg.matrix_rank(x.T @ x / len(x), tol=1e-10) < x.shape[1]:
        return NotEstimable("some covariates determine others, or the arm")
    return Ordered(place.astype(np.intp), tuple(categories.tolist()), x, centre, scale, names, sites, df)
