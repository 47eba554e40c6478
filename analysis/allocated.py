"""The allocation record of a table: every site allocated, answered or not, and the scheme its allocation came from.

A test over allocations needs all the sites that were allocated, in the order and with the columns that the allocation
used; which of them answered is another question. So this is read from the table apart from the answers.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.errors import BadData
from analysis.labels import coded, named, numbers
from analysis.question import Question
from analysis.resampling.allocations import (
    CANDIDATES,
    AllocationScheme,
    Constrained,
    Minimised,
    constrained,
    imbalance,
    scheme,
)
from analysis.results import Codes, Floats
from analysis.trial_data import treated_label


@dataclass(frozen=True)
class Allocated:
    """labels : of the S sites, in order of entry where they were minimised.   arm : (S,) 1 treatment.

    stratum : (S,) codes of strata or pairs, or None.   balanced : (S, k) numbers a constrained set was balanced on, or
    codes of the factors that were minimised over; (S, 0) otherwise.
    """

    labels: tuple[str, ...]
    arm: Floats
    stratum: Codes | None
    balanced: Floats

    def places(self, labels: tuple[str, ...]) -> Codes:
        """Where sites stand among those allocated."""
        of = {name: k for k, name in enumerate(self.labels)}
        return np.array([of[name] for name in labels], dtype=np.intp)


def allocated(frame: pd.DataFrame, question: Question) -> Allocated:
    """Read the allocation record that the question names.

    Sites without an arm, or without a stratum where strata are named, were not allocated and are left out. Raises BadData
    where a site has two values of a column that belongs to the site, or none of one that the allocation used.

    >>> table = pd.DataFrame({"site": [1, 1, 2, 3, 4], "arm": [1, 1, 0, 1, 0], "score": [1.0, 2, 3, 4, None]})
    >>> found = allocated(table, Question("score", "arm", "site"))
    >>> found.labels, found.arm.tolist()
    (('1', '2', '3', '4'), [1.0, 0.0, 1.0, 0.0])
    """
    places = np.arange(len(frame))
    site, labels = coded(frame[question.site])
    arm, arm_labels = coded(frame[question.arm])
    site_arm = refusals.one_value_a_site(site, arm, labels, column=question.arm, kind="arm", places=places)
    treated = arm_labels.index(treated_label(arm_labels, question.treatment, question.arm)[0])
    known = site_arm >= 0
    stratum: Codes | None = None
    if grouping := question.strata or question.pairs:
        codes = coded(frame[grouping])[0]
        stratum = refusals.one_value_a_site(site, codes, labels, column=grouping, kind="stratum", places=places)
        known &= stratum >= 0
    there = np.flatnonzero(known)

    def of_sites(column: str, *, number: bool) -> Floats:
        """One value a site, of those allocated: a number or the code of a label."""
        values = numbers(frame[column], column) if number else coded(frame[column])[0].astype(np.float64)
        codes = coded(frame[column])[0]
        refusals.one_value_a_site(site, codes, labels, column=column, kind="value", places=places)
        found = np.full(len(labels), np.nan)
        usable = (site >= 0) & (codes >= 0)
        found[site[usable]] = values[usable]
        lacking = [labels[k] for k in there if np.isnan(found[k])]
        if lacking:
            raise BadData(
                f'column "{column}": {named(lacking, "site", "sites")} {"has" if len(lacking) == 1 else "have"} no value, '
                "and the allocation used it; give every site its value"
            )
        return found[there]

    number = question.allocation == "constrained"
    balanced = [of_sites(name, number=number) for name in question.balance]
    table = np.column_stack(balanced) if balanced else np.empty((len(there), 0))
    if question.order:
        entry = of_sites(question.order, number=True)
        if len(np.unique(entry)) < len(entry):
            raise BadData(f'column "{question.order}": two sites have the same place in the order; give each its own')
        turn = np.argsort(entry, kind="stable")
        there, table = there[turn], table[turn]
    return Allocated(
        tuple(labels[k] for k in there),
        (site_arm[there] == treated).astype(np.float64),
        None if stratum is None else stratum[there],
        table,
    )


def drawn(record: Allocated, question: Question) -> bool:
    """Whether there are too many allocations for a constrained set to be found by going through them."""
    return question.allocation == "constrained" and scheme(record.arm, record.stratum).count > CANDIDATES


def scheme_of(record: Allocated, question: Question) -> AllocationScheme:
    """The scheme that made this allocation, which is also the reference set of its test.

    Complete, within strata or pairs: the same numbers of sites treated. Constrained: the best balanced share of those,
    found as `constrained` finds it; where there are too many to go through, the allocation made counts among those drawn
    if it is as well balanced as they are. Minimised: the procedure, with a last factor of one level, by which the arms' sizes
    are balanced too.
    """
    if question.allocation == "minimised":
        codes = np.column_stack((record.balanced, np.zeros(len(record.labels)))).astype(np.intp)
        return Minimised(codes, question.coin)
    base = scheme(record.arm, record.stratum)
    if question.allocation != "constrained":
        return base
    found = constrained(base, record.balanced, np.random.default_rng(question.seed), best=question.best)
    if found.could_make(record.arm) or not base.could_make(record.arm):
        return found
    made = np.vstack((record.arm.astype(np.int8), found.candidates))
    distance = imbalance(made, record.balanced)
    return Constrained(made) if distance[0] <= distance[1:].max() * (1.0 + 1e-10) else found
