"""A table and a question become arrays: complete cases of two arms, checked, with every exclusion counted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.errors import BadData
from analysis.labels import coded, codes_of, label, numbers
from analysis.people import tell_apart
from analysis.question import Question
from analysis.results import Codes, Floats
from analysis.robust.did import stratum_columns
from analysis.waves import last_wave

Mask = np.typing.NDArray[np.bool_]

REPEATED = "same person in an earlier review"

_CONTROL = frozenset(
    [
        "0",
        "false",
        "no",
        "n",
        "control",
        "controls",
        "ctrl",
        "usual",
        "usual care",
        "usual review",
        "standard",
        "standard care",
        "comparison",
        "comparator",
        "placebo",
        "off",
        "none",
        "tau",
        "treatment as usual",
        "business as usual",
        "waitlist",
        "waiting list",
    ]
)
_TREATED = frozenset(
    [
        "1",
        "true",
        "yes",
        "y",
        "treatment",
        "treated",
        "treat",
        "intervention",
        "appreciative",
        "active",
        "on",
        "experimental",
        "programme",
    ]
)


@dataclass(frozen=True)
class Counts:
    """Rows, and units of those analysed as (treatment, control); `reviews` None without a review column.

    excluded : rows left out, by the first variable they lack; their sum and `analysed` make `rows` (in long
    data, people).
    """

    rows: int
    analysed: int
    excluded: dict[str, int]
    sites: tuple[int, int]
    reviews: tuple[int, int] | None
    participants: tuple[int, int]


@dataclass(frozen=True)
class TrialData:
    """Complete cases, one row a person.

    outcome, arm (1 treatment), baseline : (N,).    site, review : (N,) codes from 0; review None without one.
    covariates : named (N,) columns, baseline and strata not among them.
    site_arm, site_stratum : (S,), by site code.    site_labels : S.
    allocated : sites in the file, complete or not, (treatment, control).
    """

    outcome: Floats
    arm: Floats
    site: Codes
    review: Codes | None
    baseline: Floats | None
    covariates: tuple[tuple[str, Floats], ...]
    site_arm: Floats
    site_stratum: Codes | None
    site_labels: tuple[str, ...]
    treatment: str
    control: str
    allocated: tuple[int, int]
    counts: Counts
    warnings: tuple[str, ...]

    @property
    def adjustments(self) -> list[tuple[str, Floats]]:
        """What a comparison adjusts for, named (N,) columns: the baseline, the covariates, the strata or pairs."""
        stratum = None if self.site_stratum is None else self.site_stratum[self.site]
        baseline = [] if self.baseline is None else [("baseline", self.baseline)]
        return [*baseline, *self.covariates, *stratum_columns(stratum)]


def treated_label(labels: list[str], asked: str | None, column: str) -> tuple[str, bool]:
    """Which of two arm labels is the treatment, and whether that was a guess.

    The label asked for; else the larger of two numbers; else the one that is not a known word for control
    (no, false, control, usual care …); else a known word for treatment (yes, true, intervention …); else the
    last in alphabetical order, which is a guess.

    >>> treated_label(["usual care", "appreciative"], None, "arm"), treated_label(["A", "B"], None, "arm")
    (('appreciative', False), ('B', True))
    """
    if asked is not None:
        wanted = label(asked)
        matches = [name for name in labels if name == wanted] or [
            name for name in labels if _plain(name) == _plain(wanted)
        ]
        if len(matches) != 1:
            raise BadData(f'column "{column}" has no label "{asked}"; its labels are {" and ".join(sorted(labels))}')
        return matches[0], False
    try:
        return max(labels, key=float), False
    except ValueError:
        pass
    controls = [name for name in labels if _plain(name) in _CONTROL]
    if len(controls) == 1:
        return next(name for name in labels if name not in controls), False
    treated = [name for name in labels if _plain(name) in _TREATED]
    if len(treated) == 1:
        return treated[0], False
    return max(labels), True


def _plain(name: str) -> str:
    """A label without case, and a number without its decimals: "1.0" reads "1"."""
    try:
        return label(float(name))
    except (ValueError, OverflowError):
        return name.casefold()


def read(frame: pd.DataFrame, question: Question) -> TrialData:
    """Check a table against a question and take its complete cases.

    Raises BadData, in one line naming column, rows and remedy, for whatever cannot be analysed. Rows that
    lack a value are left out and counted under the first variable they lack.

    >>> table = pd.DataFrame({"site": [1, 2, 3, 4] * 2, "arm": [0, 1] * 4, "score": [1.0, 2, 3, 4, 5, 6, 7, None]})
    >>> data = read(table, Question("score", "arm", "site"))
    >>> data.counts.analysed, data.counts.excluded["missing score"], data.counts.sites
    (7, 1, (2, 2))
    """
    refusals.columns_exist(frame, question)
    columns = _columns(frame, question)
    arms, warnings = _arms(columns, question)
    site_arm = refusals.one_value_a_site(
        columns.site, columns.arm, columns.site_labels, column=question.arm, kind="arm", places=columns.rows
    )
    site_stratum = _strata(columns, site_arm, question)
    treated_code = columns.arm_labels.index(arms[0])

    excluded = dict(columns.excluded)
    keep = np.ones(len(columns.outcome), dtype=bool)
    for name, absent in columns.missing:
        excluded[f"missing {name}"] = int((keep & absent).sum())
        keep &= ~absent
    if columns.person is not None:
        told = tell_apart(
            columns.person,
            columns.site,
            columns.review,
            keep,
            places=columns.rows,
            column=str(question.participant),
        )
        warnings += told.warnings
        if told.repeated.any():
            excluded[REPEATED] = int((keep & told.repeated).sum())
            keep &= ~told.repeated
    losses = ", ".join(f"{name}: {count}" for name, count in excluded.items() if count)
    if not keep.any():
        raise BadData(f"no row has every value the comparison needs ({losses}); fill in two sites an arm")

    outcome = columns.outcome[keep]
    present, site = _renumbered(columns.site[keep])
    treated = (site_arm[present] == treated_code).astype(np.float64)
    labels = [columns.site_labels[k] for k in present]
    refusals.two_sites_an_arm(treated, labels, arms, question, losses)
    refusals.outcome_varies(outcome, question.outcome)
    placed = site_arm >= 0
    if int(placed.sum()) > len(present):
        warnings += (f"{int(placed.sum()) - len(present)} of the sites in the file have no complete row",)
    arm = treated[site]
    review = None if columns.review is None else columns.review[keep]
    return TrialData(
        outcome=outcome,
        arm=arm,
        site=site,
        review=review,
        baseline=None if columns.baseline is None else columns.baseline[keep],
        covariates=tuple((name, values[keep]) for name, values in columns.covariates),
        site_arm=treated,
        site_stratum=None
        if site_stratum is None
        else np.unique(site_stratum[present], return_inverse=True)[1].astype(np.intp),
        site_labels=tuple(labels),
        treatment=arms[0],
        control=arms[1],
        allocated=(int((site_arm == treated_code).sum()), int((placed & (site_arm != treated_code)).sum())),
        counts=Counts(
            rows=len(frame),
            analysed=int(keep.sum()),
            excluded=excluded,
            sites=(int(treated.sum()), int(len(treated) - treated.sum())),
            reviews=None if review is None else _units(arm, site, review),
            participants=(int(arm.sum()), int(len(arm) - arm.sum())),  # by now each row is a person
        ),
        warnings=warnings,
    )


@dataclass(frozen=True)
class _Columns:
    """The question's columns as codes and numbers, one row a person; missing : (name, where) in counting order.

    rows : (N,) position of each in the table as given.
    """

    rows: Codes
    outcome: Floats
    arm: Codes
    arm_labels: list[str]
    site: Codes
    site_labels: list[str]
    baseline: Floats | None
    review: Codes | None
    person: Codes | None
    covariates: list[tuple[str, Floats]]
    stratum: Codes | None
    stratum_labels: list[str]
    missing: list[tuple[str, Mask]]
    excluded: dict[str, int]
    warnings: tuple[str, ...]


def _columns(frame: pd.DataFrame, question: Question) -> _Columns:
    places = np.arange(len(frame))
    baseline: Floats | None = None
    excluded: dict[str, int] = {}
    warnings: tuple[str, ...] = ()
    # Numbers are read from the whole table, so that an error names the rows of the file.
    outcome = numbers(frame[question.outcome], question.outcome)
    if question.baseline:
        baseline = numbers(frame[question.baseline], question.baseline)
    if question.wave:
        wide = last_wave(frame, question, outcome)
        places, baseline, excluded, warnings = wide.rows, wide.baseline, wide.excluded, wide.warnings
        frame, outcome = frame.iloc[places], outcome[places]
    arm, arm_labels = coded(frame[question.arm])
    site, site_labels = coded(frame[question.site])
    missing = [(question.outcome, np.isnan(outcome)), (question.arm, arm < 0), (question.site, site < 0)]
    if baseline is not None:
        missing.append((question.baseline or "first wave", np.isnan(baseline)))
    review = person = stratum = None
    stratum_labels: list[str] = []
    if question.review:
        review = codes_of(frame[question.review])
        missing.append((question.review, review < 0))
    if question.participant:
        person = codes_of(frame[question.participant])
    covariates: list[tuple[str, Floats]] = []
    for name in question.covariates:
        entered, absent = covariate_columns(frame[name], name)
        covariates.extend(entered)
        missing.append((name, absent))
    if grouping := question.strata or question.pairs:
        stratum, stratum_labels = coded(frame[grouping])
        missing.append((grouping, stratum < 0))
    return _Columns(
        places,
        outcome,
        arm,
        arm_labels,
        site,
        site_labels,
        baseline,
        review,
        person,
        covariates,
        stratum,
        stratum_labels,
        missing,
        excluded,
        warnings,
    )


def _arms(columns: _Columns, question: Question) -> tuple[tuple[str, str], tuple[str, ...]]:
    """Labels of (treatment, control), and the warnings so far."""
    refusals.two_arms(columns.arm, columns.arm_labels, question.arm, columns.rows)
    treatment, guessed = treated_label(columns.arm_labels, question.treatment, question.arm)
    control = next(name for name in columns.arm_labels if name != treatment)
    if not guessed:
        return (treatment, control), columns.warnings
    note = f'"{treatment}" is taken as the treatment, as the last of the arm labels; name it to be sure'
    return (treatment, control), (*columns.warnings, note)


def _strata(columns: _Columns, site_arm: Codes, question: Question) -> Codes | None:
    """Stratum or pair of each site, (S,), −1 where unknown."""
    if columns.stratum is None:
        return None
    column = str(question.strata or question.pairs)
    kind = "stratum" if question.strata else "pair"
    strata = refusals.one_value_a_site(
        columns.site, columns.stratum, columns.site_labels, column=column, kind=kind, places=columns.rows
    )
    if question.pairs:
        refusals.pairs_are_pairs(strata, site_arm, columns.stratum_labels, column)
    return strata


def covariate_columns(series: "pd.Series[object]", column: str) -> tuple[list[tuple[str, Floats]], Mask]:
    """A numeric covariate as it is; a labelled one as indicators of every label but the first in order."""
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        values = numbers(series, column)
        return [(column, values)], np.isnan(values)
    codes, labels = coded(series)
    if len(labels) > 50:
        raise BadData(
            f'column "{column}" has {len(labels)} different labels; a covariate is a number or has at most 50'
        )
    order = sorted(range(len(labels)), key=lambda k: labels[k])
    return [(f"{column}: {labels[k]}", (codes == k).astype(np.float64)) for k in order[1:]], codes < 0


def _renumbered(codes: Codes) -> tuple[Codes, Codes]:
    """The codes that occur, in order, and each as its place among them: np.unique without sorting a million."""
    present = np.flatnonzero(np.bincount(codes))
    place = np.zeros(int(present[-1]) + 1, dtype=np.intp)
    place[present] = np.arange(len(present))
    return present.astype(np.intp), place[codes]


def _units(arm: Floats, site: Codes, unit: Codes) -> tuple[int, int]:
    """Distinct units nested in sites, (treatment, control)."""
    key = site.astype(np.int64) * (int(unit.max()) + 1) + unit
    first = np.unique(key, return_index=True)[1] if int(key.max()) > 10 * len(key) else _first_of(key)
    treated = int(arm[first].sum())
    return treated, len(first) - treated


def _first_of(key: Codes) -> Codes:
    """A row of each key that occurs, for keys not much larger than the number of rows."""
    row = np.full(int(key.max()) + 1, -1, dtype=np.intp)
    row[key] = np.arange(len(key))
    return row[row >= 0]
