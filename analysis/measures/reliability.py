"""How well the items of a scale go together: alpha, omega, and each item against the rest.

Coefficients belong to one kind of person at one wave: ask for them by role and by wave, never pooled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import fdtri

from analysis.errors import BadData
from analysis.labels import coded, numbers, rows
from analysis.measures.one_factor import one_factor
from analysis.results import Floats, NotEstimable
from analysis.threads import one_thread

_CONSTANT = 1e-12


@dataclass(frozen=True)
class ItemStatistics:
    """One item of a scale.

    item_rest        : correlation with the sum of the other items.    alpha_if_dropped : alpha of the others; both
    of complete cases.
    mean, floor, ceiling : mean, and share at the lowest and at the highest answer, of those who answered the item.
    missing          : share who did not.
    """

    item_rest: float | NotEstimable
    alpha_if_dropped: float | NotEstimable
    mean: float
    floor: float
    ceiling: float
    missing: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "item_rest": plain(self.item_rest),
            "alpha_if_dropped": plain(self.alpha_if_dropped),
            "mean": self.mean,
            "floor": self.floor,
            "ceiling": self.ceiling,
            "missing": self.missing,
        }


@dataclass(frozen=True)
class Reliability:
    """Internal consistency of one scale among one kind of person at one wave.

    alpha : Cronbach's.    alpha_ci : Feldt's interval.    omega : omega total of one factor, or why there is none.
    n     : complete cases, on which these rest.    items : by column name.
    """

    alpha: float
    alpha_ci: tuple[float, float]
    omega: float | NotEstimable
    n: int
    items: dict[str, ItemStatistics]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, at full precision."""
        return {
            "alpha": self.alpha,
            "alpha_ci": list(self.alpha_ci),
            "omega": plain(self.omega),
            "n": self.n,
            "items": {name: item.to_dict() for name, item in self.items.items()},
            "warnings": list(self.warnings),
        }


def plain(value: float | NotEstimable) -> Any:
    """A number, or the reason for none, as JSON has it."""
    return value.to_dict() if isinstance(value, NotEstimable) else value


def reliability(
    items: pd.DataFrame, level: float = 0.95, lowest: float | None = None, highest: float | None = None
) -> Reliability | NotEstimable:
    """Alpha with Feldt's interval, omega total, and every item against the rest.

    items : one column an item, keyed one way, numbers, NaN where missing; one row a person. Alpha and omega are of
    complete cases; mean, floor and ceiling of an item of all who answered it.
    lowest, highest : the answers that count as floor and ceiling; without them the least and greatest answer given
    to any item. Raises BadData for text, infinite values, two columns of one name or answers outside the range.

    alpha = K/(K−1) · (1 − Σ s²ᵢ / s²_total) (Cronbach 1951); its interval is 1 − (1−alpha)·F, F the quantiles of
    F(n−1, (n−1)(K−1)) (Feldt 1965, Psychometrika 30, 357–370). It takes people as drawn one by one: with people
    of few sites it is too narrow.
    omega = (Σλ)² / ((Σλ)² + Σψ), one factor by maximum likelihood on the covariance matrix (McDonald 1999).

    >>> answers = pd.DataFrame({"A": [1, 2, 3, 4, 5], "B": [1, 2, 3, 5, 4], "C": [2, 1, 3, 4, 5]})
    >>> round(reliability(answers).alpha, 4)
    0.9512
    """
    table = read_items(items, lowest, highest)
    names = tuple(str(name) for name in items.columns)
    if not 0.5 <= level < 1.0:
        raise BadData(f"the level is {level:g}; give a proportion from 0.5 to below 1, such as 0.95")
    if len(names) < 2:
        return NotEstimable("fewer than two items")
    complete = table[~np.isnan(table).any(axis=1)]
    n = len(complete)
    if n < 3:
        return NotEstimable(f"{n} people answered every item; three are needed")
    with one_thread():
        covariance = np.cov(complete, rowvar=False)
    constant = _constant(complete)
    if constant.all():
        return NotEstimable("nobody's answers differ")
    alpha = _alpha(covariance, complete)
    if isinstance(alpha, NotEstimable):
        return alpha
    low = float(np.nanmin(table)) if lowest is None else lowest
    high = float(np.nanmax(table)) if highest is None else highest
    described = {
        name: _describe(table[:, k], complete, covariance, constant, k, low, high) for k, name in enumerate(names)
    }
    return Reliability(
        alpha, _feldt(alpha, n, len(names), level), _omega(covariance, constant, names, n), n, described,
        tuple(_warnings(table, complete, described, constant, names)),
    )  # fmt: skip


@dataclass(frozen=True)
class GroupReliability:
    """One group's coefficients; group : (column, label) of each column that tells groups apart."""

    group: tuple[tuple[str, str], ...]
    result: Reliability | NotEstimable

    def to_dict(self) -> dict[str, Any]:
        return {"group": dict(self.group), **self.result.to_dict()}


def reliability_by(
    items: pd.DataFrame,
    groups: pd.DataFrame,
    level: float = 0.95,
    lowest: float | None = None,
    highest: float | None = None,
) -> tuple[GroupReliability, ...]:
    """Reliability within each combination of labels, such as role and wave, in order of appearance.

    items : as for `reliability`.    groups : columns of labels on the same rows; a row that lacks one is left out.
    Floor and ceiling are the same answers in every group: without `lowest` and `highest`, the extremes of all.

    >>> answers = pd.DataFrame({"A": [1, 2, 3, 4, 5, 4], "B": [1, 2, 3, 5, 4, 5], "C": [2, 1, 3, 4, 5, 5]})
    >>> waves = pd.DataFrame({"wave": ["before"] * 3 + ["after"] * 3})
    >>> [(dict(one.group)["wave"], one.result.n) for one in reliability_by(answers, waves)]
    [('before', 3), ('after', 3)]
    """
    table = read_items(items, lowest, highest)
    if len(table) and not np.isnan(table).all():
        lowest = float(np.nanmin(table)) if lowest is None else lowest
        highest = float(np.nanmax(table)) if highest is None else highest
    answers = pd.DataFrame(table, columns=[str(name) for name in items.columns])
    labelled = [(str(name), *coded(groups[name])) for name in groups.columns]
    codes = np.column_stack([column for _, column, _ in labelled])
    found = []
    for combination in dict.fromkeys(map(tuple, codes[(codes >= 0).all(axis=1)].tolist())):
        chosen = (codes == np.array(combination)).all(axis=1)
        group = tuple((name, labels[k]) for (name, _, labels), k in zip(labelled, combination, strict=True))
        found.append(GroupReliability(group, reliability(answers[chosen], level, lowest, highest)))
    return tuple(found)


def keyed(items: pd.DataFrame, reverse: tuple[str, ...], lowest: float | None, highest: float | None) -> pd.DataFrame:
    """Items as numbers, all keyed one way: an answer to a reversed item becomes lowest + highest − answer.

    Raises BadData where a reversed item is none of the columns, or the range of the answers is not known or empty.
    """
    if lowest is not None and highest is not None and not lowest < highest:
        raise BadData(f"the lowest answer is {lowest:g} and the highest {highest:g}; the highest must be the greater")
    names = [str(name) for name in items.columns]
    unknown = [name for name in reverse if name not in names]
    if unknown:
        raise BadData(f'there is no item "{unknown[0]}" to reverse; the items are {", ".join(names)}')
    table = read_items(items, lowest, highest)
    if reverse:
        if lowest is None or highest is None:
            raise BadData("items to reverse are named without the range of the answers; give its min and max")
        for name in reverse:
            table[:, names.index(name)] = lowest + highest - table[:, names.index(name)]
    return pd.DataFrame(table, columns=names, index=items.index)


def read_items(items: pd.DataFrame, lowest: float | None, highest: float | None) -> Floats:
    """Items as numbers (N, K), NaN where missing, checked against the range of the answers."""
    names = [str(name) for name in items.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadData(f'column name "{repeated[0]}" appears more than once; rename all but one')
    columns = [numbers(items[name], str(name)) for name in items.columns]
    for end, is_beyond, word in ((lowest, np.less, "below"), (highest, np.greater, "above")):
        for name, column in zip(names, columns, strict=True):
            if end is not None and (beyond := is_beyond(column, end)).any():
                raise BadData(
                    f'column "{name}" holds {column[beyond][0]:g} in {rows(beyond)}, {word} the {end:g} of the range; '
                    "correct the answers or the range"
                )
    return np.column_stack(columns) if columns else np.empty((len(items), 0))


def _constant(complete: Floats) -> np.typing.NDArray[np.bool_]:
    spread = np.ptp(complete, axis=0)
    same: np.typing.NDArray[np.bool_] = spread <= _CONSTANT * np.abs(complete).max(axis=0)
    return same


def _alpha(covariance: Floats, complete: Floats) -> float | NotEstimable:
    count = len(covariance)
    total = float(covariance.sum())
    scale = float(covariance.trace())
    if total <= _CONSTANT * max(scale, float(np.abs(complete).max(initial=0.0)) ** 2 * _CONSTANT):
        return NotEstimable("the sum of the items does not vary between people; is every item keyed the same way?")
    return count / (count - 1) * (1.0 - scale / total)


def _feldt(alpha: float, n: int, count: int, level: float) -> tuple[float, float]:
    df1, df2 = n - 1, (n - 1) * (count - 1)
    low, high = (float(fdtri(df1, df2, 0.5 + side * level / 2)) for side in (1, -1))
    return 1.0 - (1.0 - alpha) * low, 1.0 - (1.0 - alpha) * high


def _omega(
    covariance: Floats, constant: np.typing.NDArray[np.bool_], names: tuple[str, ...], n: int
) -> float | NotEstimable:
    if len(names) < 3:
        return NotEstimable("omega needs three items or more")
    if constant.any():
        return NotEstimable(f'everybody gave the same answer to "{names[int(constant.argmax())]}"')
    if n <= len(names):
        return NotEstimable(f"{n} complete cases are too few for a factor of {len(names)} items")
    with one_thread():
        fit = one_factor(covariance, names)
    if isinstance(fit, NotEstimable):
        return fit
    common = float(fit.loadings.sum()) ** 2
    return common / (common + float(fit.uniquenesses.sum()))


def _describe(
    answers: Floats,
    complete: Floats,
    covariance: Floats,
    constant: np.typing.NDArray[np.bool_],
    k: int,
    low: float,
    high: float,
) -> ItemStatistics:
    given = answers[~np.isnan(answers)]
    others = np.delete(np.delete(covariance, k, axis=0), k, axis=1)
    rest = float(others.sum())
    item_rest: float | NotEstimable
    if constant[k]:
        item_rest = NotEstimable("everybody gave the same answer")
    elif rest <= _CONSTANT * max(float(others.trace()), 1e-300):
        item_rest = NotEstimable("the sum of the other items does not vary")
    else:
        item_rest = float((covariance[k].sum() - covariance[k, k]) / np.sqrt(covariance[k, k] * rest))
    dropped: float | NotEstimable = NotEstimable("one item would be left")
    if len(covariance) > 2:
        dropped = _alpha(others, np.delete(complete, k, axis=1))
    return ItemStatistics(
        item_rest=item_rest,
        alpha_if_dropped=dropped,
        mean=float(given.mean()),
        floor=float((given == low).mean()),
        ceiling=float((given == high).mean()),
        missing=float(np.isnan(answers).mean()),
    )


def _warnings(
    table: Floats,
    complete: Floats,
    described: dict[str, ItemStatistics],
    constant: np.typing.NDArray[np.bool_],
    names: tuple[str, ...],
) -> list[str]:
    notes = []
    if len(complete) < len(table):
        notes.append(f"{len(table) - len(complete)} of {len(table)} people left an item unanswered and are left out")
    if constant.any():
        same = ", ".join(f'"{names[k]}"' for k in np.flatnonzero(constant))
        notes.append(f"everybody gave the same answer to {same}; alpha counts it as an item all the same")
    against = [
        name for name, item in described.items() if not isinstance(item.item_rest, NotEstimable) and item.item_rest < 0
    ]
    if against:
        said = ", ".join(f'"{name}"' for name in against)
        notes.append(f"answers to {said} run against the rest: keyed the other way, or of another scale")
    return notes
