"""Columns of a linear model, standardised for arithmetic that loses no digits, and what they were before."""

from dataclasses import dataclass

import numpy as np

from analysis.results import Floats


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
    """
    rows = len(outcome)
    raw = np.empty((rows, len(covariates) + 2))
    raw[:, 0] = 1.0
    for place, (_, values) in enumerate(covariates, start=1):
        raw[:, place] = values
    raw[:, -1] = outcome
    raw[:, 1:] -= raw[:, 1:].mean(axis=0)
    size = np.sqrt(np.einsum("ij,ij->j", raw, raw) / rows)
    # A column whose spread is rounding error of its size is constant.
    level = np.array([1.0, *(np.abs(v).max() if rows else 0.0 for _, v in covariates), np.abs(outcome).max()])
    constant = size <= 1e-12 * level
    scale = np.where(constant, 1.0, size)
    raw /= scale
    kept = _independent(raw[:, :-1], constant[:-1])
    names = ("(intercept)", *(name for name, _ in covariates))
    if len(kept) < raw.shape[1] - 1:
        places = [*kept, raw.shape[1] - 1]
        dropped = tuple(name for place, name in enumerate(names) if place not in kept)
        return ModelMatrix(np.ascontiguousarray(raw[:, places]), scale[places], tuple(names[i] for i in kept), dropped)
    return ModelMatrix(raw, scale, names)


def _independent(columns: Floats, constant: np.typing.NDArray[np.bool_]) -> list[int]:
    """Places of the columns that are not linear combinations of those before them."""
    cross = columns.T @ columns / len(columns)
    kept: list[int] = []
    for j in range(cross.shape[0]):
        if constant[j] and j > 0:
            continue
        if kept:
            block = cross[np.ix_(kept, kept)]
            left = cross[j, j] - cross[j, kept] @ np.linalg.solve(block, cross[kept, j])
            if left < 1e-10:
                continue
        kept.append(j)
    return kept
