"""Columns of a linear model, standardised for arithmetic that loses no digits, and what they were before."""

from dataclasses import dataclass

import numpy as np

from analysis.results import Codes, Floats

# Share of a column's variance below which earlier columns are taken to determine it.
_ALIASED = 1e-10
# Share of the outcome's variance below which residuals are rounding error, and what is then said.
NOTHING_LEFT = 1e-12
ALL_EXPLAINED = "the columns of the model leave nothing of the outcome unexplained, so there is no error to judge by"


@dataclass(frozen=True)
class ModelMatrix:
    """Intercept, covariates and outcome; all but the intercept centred and divided by their SD.

    columns : (N, p + 1), full rank: intercept, the kept columns in the order given, and the outcome last.
    scale   : (p + 1,), what each was divided by (1 for the intercept).
    names   : of the p model columns.  dropped : names left out because earlier columns determine them.

    Centring moves only the intercept; an effect in original units is scale[-1] / scale[j] times the
    standardised one.
    """

    columns: Floats
    scale: Floats
    names: tuple[str, ...]
    dropped: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        return int(self.columns.shape[1]) - 1

    @property
    def rows(self) -> int:
        return int(self.columns.shape[0])

    def index(self, name: str) -> int | None:
        """Position of a column, None where it was dropped."""
        return self.names.index(name) if name in self.names else None

    def unit(self, column: int) -> float:
        """Factor from a standardised effect of `column` to outcome units per unit of the column."""
        return float(self.scale[-1] / self.scale[column])


def model_matrix(outcome: Floats, covariates: list[tuple[str, Floats]]) -> ModelMatrix:
    """Standardise an outcome (N,) and named covariates (N,), leaving out those that earlier ones determine.

    No value may be missing. A constant outcome keeps scale 1.

    >>> age = np.array([20.0, 30.0, 40.0, 50.0])
    >>> matrix = model_matrix(np.array([1.0, 2.0, 2.0, 4.0]), [("age", age), ("months", 12 * age)])
    >>> matrix.names, matrix.dropped
    (('(intercept)', 'age'), ('months',))
    """
    # One variable a row while each is summed up, one a column once all are ready: either way memory is read in order.
    raw = np.empty((len(covariates) + 2, len(outcome)))
    raw[0] = 1.0
    for place, (_, values) in enumerate(covariates, start=1):
        raw[place] = values
    raw[-1] = outcome
    level = np.maximum(raw.max(axis=1), -raw.min(axis=1))
    raw[1:] -= raw[1:].mean(axis=1, keepdims=True)
    size = np.sqrt(np.einsum("ij,ij->i", raw, raw) / len(outcome))
    # A column whose spread is rounding error of its size is constant.
    constant = size <= 1e-12 * level
    scale = np.where(constant, 1.0, size)
    raw /= scale[:, None]
    columns = np.ascontiguousarray(raw.T)
    kept = _independent(columns[:, :-1], constant[:-1])
    names = ("(intercept)", *(name for name, _ in covariates))
    if len(kept) < len(names):
        places = [*kept, len(names)]
        dropped = tuple(name for place, name in enumerate(names) if place not in kept)
        return ModelMatrix(
            np.ascontiguousarray(columns[:, places]), scale[places], tuple(names[i] for i in kept), dropped
        )
    return ModelMatrix(columns, scale, names)


def _independent(columns: Floats, constant: np.typing.NDArray[np.bool_]) -> list[int]:
    """Places of the columns that are not linear combinations of those before them."""
    cross = columns.T @ columns / len(columns)
    try:
        # The squared diagonal of the Cholesky factor is what earlier columns leave of each.
        if not constant[1:].any() and (np.linalg.cholesky(cross).diagonal() ** 2).min() >= _ALIASED:
            return list(range(len(cross)))
    except np.linalg.LinAlgError:
        pass  # some column is a combination of others: find which
    kept: list[int] = []
    for j in range(cross.shape[0]):
        if constant[j] and j > 0:
            continue
        if kept:
            block = cross[np.ix_(kept, kept)]
            left = cross[j, j] - cross[j, kept] @ np.linalg.solve(block, cross[kept, j])
            if left < _ALIASED:
                continue
        kept.append(j)
    return kept


def site_means(values: Floats, site: Codes) -> Floats:
    """Unweighted means by site, (N,) values and codes 0…S−1 to (S,).

    Means that differ by no more than the rounding of their sums are made equal: a difference of 1e-16 between
    sites that are alike would otherwise be tested as if it were one.

    >>> site_means(np.array([1.0, 3.0, 6.0]), np.array([0, 0, 1])).tolist()
    [2.0, 6.0]
    """
    means = np.bincount(site, weights=values) / np.bincount(site)
    if float(np.ptp(means)) <= 1e-13 * float(np.abs(values).max(initial=0.0)):
        means = np.full_like(means, float(means.mean()))
    return means
