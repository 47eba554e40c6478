"""How many factors: eigenvalues against those of random data (Horn 1965, Psychometrika 30, 179–185)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.measures.reliability import read_items
from analysis.results import NotEstimable
from analysis.threads import one_thread


@dataclass(frozen=True)
class ParallelAnalysis:
    """eigenvalues : of the correlation matrix, largest first.    limits : quantiles of those of random data.

    factors : how many in a row from the first exceed their limit.    n : complete cases.
    """

    eigenvalues: tuple[float, ...]
    limits: tuple[float, ...]
    factors: int
    n: int


def parallel_analysis(
    items: pd.DataFrame, rng: np.random.Generator, draws: int = 500, quantile: float = 0.95
) -> ParallelAnalysis | NotEstimable:
    """Compare the items' eigenvalues with those of independent normal data of the same size.

    items : one column an item, NaN where missing; complete cases count. rng : draws the random data.

    >>> rng = np.random.default_rng(1)
    >>> items = pd.DataFrame(rng.normal(size=(200, 1)) + rng.normal(size=(200, 4)), columns=list("abcd"))
    >>> parallel_analysis(items, rng).factors
    1
    """
    table = read_items(items, None, None)
    complete = table[~np.isnan(table).any(axis=1)]
    n, count = complete.shape
    if count < 2 or n <= count:
        return NotEstimable(
            f"{n} people answered all of {count} items; more people than items, and two items, are needed"
        )
    if (np.ptp(complete, axis=0) == 0).any():
        return NotEstimable(
            f'everybody gave the same answer to "{items.columns[int((np.ptp(complete, axis=0) == 0).argmax())]}"'
        )
    with one_thread():
        found = np.linalg.eigvalsh(np.corrcoef(complete, rowvar=False))[::-1]
        random = np.array(
            [np.linalg.eigvalsh(np.corrcoef(rng.standard_normal((count, n))))[::-1] for _ in range(draws)]
        )
    limits = np.quantile(random, quantile, axis=0)
    beyond = found > limits
    factors = count if beyond.all() else int(beyond.argmin())
    return ParallelAnalysis(tuple(found.tolist()), tuple(limits.tolist()), factors, n)
