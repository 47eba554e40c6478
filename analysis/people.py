"""Who is who: people of a site by their labels, each counted once."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import BadData
from analysis.labels import rows
from analysis.results import Codes

Mask = np.typing.NDArray[np.bool_]


@dataclass(frozen=True)
class People:
    """person : (N,) codes, distinct within a site.   repeated : (N,) rows of someone seen in an earlier review."""

    person: Codes
    repeated: Mask
    warnings: tuple[str, ...]


def tell_apart(person: Codes, site: Codes, review: Codes | None, keep: Mask, places: Codes, column: str) -> People:
    """Match people within sites; labels at two sites are two people, a row without a label is a person of its own.

    Someone in several reviews of a site counts in the first (in the order of the table, of the rows in `keep`).
    Where most labels of the sites with several reviews recur between reviews, they were numbered afresh in each
    review and every row is a person. Raises BadData where someone has two rows in one review.

    >>> person, site, review = np.array([0, 1, 0, 0]), np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0])
    >>> found = tell_apart(person, site, review, np.ones(4, bool), np.arange(4), "who")
    >>> found.repeated.tolist()  # the first of site 0 comes again in its second review; at site 1 it is somebody else
    [False, False, True, False]
    """
    unnamed = person < 0
    code = person.copy()
    code[unnamed] = person.max(initial=-1) + 1 + np.arange(int(unnamed.sum()))
    nobody = np.zeros(len(person), dtype=bool)
    if int(np.bincount(code[keep], minlength=1).max()) <= 1:  # every label once: nothing to match
        return People(code, nobody, ())
    table = pd.DataFrame({"site": site, "review": 0 if review is None else review, "person": code})
    table = table[keep & ~unnamed]
    again = table.duplicated(["site", "review", "person"])
    if again.any():
        where = nobody.copy()
        where[again.index[again]] = True
        raise BadData(
            f'column "{column}": the same person appears again in {rows(where, places)}; '
            "keep one row a person, or name a wave column"
        )
    recurs = table.duplicated(["site", "person"])
    if review is None or not recurs.any():
        return People(code, nobody, ())
    reviews = table.groupby("site")["review"].nunique()
    several = table[table["site"].isin(reviews.index[reviews > 1])]
    labels = len(several) - int(several.duplicated(["site", "person"]).sum())
    people = table.loc[recurs].drop_duplicates(["site", "person"])
    if len(people) > labels / 2:
        note = f'column "{column}" is numbered afresh in every review, so each row is a person'
        return People(np.arange(len(person), dtype=np.intp), nobody, (note,))
    repeated = nobody.copy()
    repeated[recurs.index[recurs]] = True
    note = f"{len(people)} people are in more than one review of their site; each counts once, in the first"
    return People(code, repeated, (note,))
