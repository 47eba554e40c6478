"""Agreement of those who scored fidelity: reviews that a facilitator and an observer both scored, criterion by criterion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from evalapp import findings, measures
from evalapp.dashboard.pictures import value_of_mean
from evalapp.dashboard.release_pictures import CRITERIA as NAMES
from evalapp.figures import Estimate, Forest, Missing, Row, Table
from evalapp.figures.drawing import Cell, Value, number
from evalapp.models import Trial

if TYPE_CHECKING:
    import pandas as pd

    from analysis.measures.agreement import Agreement
    from analysis.results import NotEstimable

GRADES = (0.0, 1.0, 2.0)
FEWEST = 10  # reviews scored by both; of fewer a coefficient and its large-sample interval say nothing
TO_DOUBLE = 20  # per cent of the reviews scored, at least, that the design asks to be scored twice


@dataclass(frozen=True)
class Line:
    """One thing that two people scored: the whole score (ICC), or one criterion (weighted kappa).

    reason : why there is no number; empty where there is one.
    """

    label: str
    coefficient: str
    result: Agreement | None
    reason: str
    both: int


@dataclass(frozen=True)
class Found:
    """reviews : scored by anyone.   double : by a facilitator and by an observer.

    several : left out of the criteria, as more than one person of a kind scored them.   above : how far facilitators score
    above observers, points out of 100, on the means of sites.
    """

    reviews: int
    double: int
    several: int
    scores: tuple[Line, ...]
    criteria: tuple[Line, ...]
    above: Value

    @property
    def percent(self) -> float:
        return 100.0 * self.double / self.reviews if self.reviews else 0.0

    @property
    def known(self) -> bool:
        """Whether there is any coefficient to show."""
        return any(one.result for one in self.lines)

    @property
    def lines(self) -> tuple[Line, ...]:
        return (*self.scores, *self.criteria)


def found(session: Session, trial: Trial, level: float, *, by_arm: bool) -> Found:
    """The agreement over all reviews; of each group apart, too, where results may be seen by group."""
    from analysis.measures.fidelity import CRITERIA  # noqa: PLC0415  (statistics load when first asked for)

    reviews = measures.fidelities(session, trial.id)
    double = reviews[reviews["double"]]
    scores = [_score("Whole score, all reviews", double, level)]
    if by_arm:
        scores += [
            _score(f"Whole score, {label} group", double[double["arm"] == arm], level)
            for arm, label in findings.arms_of(trial)
        ]
    pairs, several = _pairs(measures.scorings(session, trial.id))
    criteria = [_criterion(name, pairs, code, level) for code, name in zip(CRITERIA, NAMES, strict=True)]
    apart = double.assign(arm=findings.POOLED, wave="", value=double["facilitator"] - double["observer"])
    mean = findings.means(apart, level).get((findings.POOLED, "")) if len(apart) else None
    return Found(len(reviews), len(double), several, tuple(scores), tuple(criteria), value_of_mean(mean))


def _score(label: str, double: pd.DataFrame, level: float) -> Line:
    from analysis.measures.agreement import icc_agreement  # noqa: PLC0415  (as above)

    both = double[["facilitator", "observer"]].to_numpy(dtype=float)
    result = None if len(both) < FEWEST else icc_agreement(both, level)
    return _line(label, "ICC", result, len(both))


def _criterion(label: str, pairs: pd.DataFrame, code: str, level: float) -> Line:
    from analysis.measures.agreement import kappa  # noqa: PLC0415  (as above)

    first, second = (pairs[code, scorer].to_numpy(dtype=float) for scorer in ("facilitator", "observer"))
    both = int(((first == first) & (second == second)).sum())  # neither is NaN  # noqa: PLR0124
    result = None if both < FEWEST else kappa(first, second, GRADES, "quadratic", level)
    return _line(label, "Weighted kappa", result, both)


def _line(label: str, coefficient: str, result: Agreement | NotEstimable | None, both: int) -> Line:
    from analysis.measures.agreement import Agreement  # noqa: PLC0415  (as above)

    if isinstance(result, Agreement):
        return Line(label, coefficient, result, "", both)
    if result is not None:
        return Line(label, coefficient, None, result.reason, both)
    counted = "no review was" if not both else "one review was" if both == 1 else f"{both} reviews were"
    return Line(label, coefficient, None, f"{counted} scored by both, and {FEWEST} are needed", both)


def _pairs(scored: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """One row a review with one facilitator's and one observer's grades; how many reviews have more of a kind."""
    from analysis.measures.fidelity import CRITERIA, SCORERS  # noqa: PLC0415  (as above)

    counted = scored.groupby(["review", "scorer"]).size().unstack("scorer").reindex(columns=list(SCORERS)).fillna(0)
    both = counted[(counted > 0).all(axis=1)]
    alone = both.index[(both == 1).all(axis=1)]
    mine = scored[scored["review"].isin(alone)].set_index(["review", "scorer"])[list(CRITERIA)].unstack("scorer")
    columns = [(code, scorer) for code in CRITERIA for scorer in SCORERS]
    return mine.reindex(columns=columns), len(both) - len(alone)


def figure(found: Found) -> Forest:
    """Every coefficient with its interval, from −1 to 1."""
    rows = [Row(one.label, _drawn(one), overall=one.coefficient == "ICC") for one in found.lines]
    unit = "agreement (0: as chance alone; 1: whole)"
    return Forest("How far two people who scored the same review agree", tuple(rows), unit, -1.0, 1.0, decimals=2)


def _drawn(one: Line) -> Value:
    if one.result is None:
        return Missing(one.reason)
    low, high = one.result.value.ci
    if low is None or high is None:
        return Missing("no interval can be given")
    return Estimate(one.result.value.value, low, high)


def finding(found: Found) -> str:
    """The agreement on the whole score in one sentence, or why there is none."""
    first = found.scores[0]
    if first.result is None:
        return f"Agreement on the whole score cannot be worked out: {first.reason}."
    low, high = ("–" if end is None else number(end, 2) for end in first.result.value.ci)
    return (
        f"Over {first.result.n} reviews that a facilitator and an observer both scored, their whole scores agree with an "
        f"ICC of {number(first.result.value.value, 2)} ({low} to {high})."
    )


def coverage(found: Found) -> str:
    """How many reviews were scored twice, beside what the design asks for."""
    if not found.reviews:
        return "No review has been scored yet."
    told = f"{found.double} of {found.reviews} reviews scored so far were scored by both ({found.percent:.0f} in 100)."
    if not found.double:
        return (
            f"Nobody has scored the same review twice: of {found.reviews} reviews scored so far none has both scores."
        )
    enough = "as many as" if found.percent >= TO_DOUBLE else "fewer than"
    return f"{told} That is {enough} the design asks for, which is at least {TO_DOUBLE} in 100."


def leaning(found: Found) -> str:
    """Whether those who led a review score it higher than those who watched it."""
    if not isinstance(found.above, Estimate):
        return ""
    value, low, high = (number(one, 1) for one in (found.above.value, found.above.low, found.above.high))
    return (
        f"On the reviews both scored, facilitators score {value} points out of 100 above observers ({low} to {high}, on the "
        "means of sites; below 0 they score lower)."
    )


def table(found: Found) -> Table:
    """Every coefficient at full precision, a row a thing scored."""
    head = ("What", "Coefficient", "Scored by both", "Agreement", "Interval from", "Interval to", "Same grade, share",
            "Why there is no number")  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in found.lines:
        if one.result is None:
            rows.append((one.label, one.coefficient, one.both, None, None, None, None, one.reason))
            continue
        value = one.result.value
        rows.append((one.label, one.coefficient, one.both, value.value, *value.ci, one.result.observed, None))
    return Table(head, tuple(rows))
