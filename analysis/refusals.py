"""Tables that cannot answer: each check raises BadData with the column, the rows and the remedy."""

import difflib

import numpy as np
import pandas as pd

from analysis.errors import BadData
from analysis.labels import named, rows
from analysis.question import Question
from analysis.results import Codes, Floats

Mask = np.typing.NDArray[np.bool_]


def columns_exist(frame: pd.DataFrame, question: Question) -> None:
    """Every column the question names is there once, and there are rows."""
    have = [str(name) for name in frame.columns]
    for role, column in question.columns():
        if have.count(column) > 1:
            raise BadData(f'{have.count(column)} columns are called "{column}"; give each its own name')
        if column not in have:
            close = difflib.get_close_matches(column, have, n=1)
            listed = ", ".join(have[:12]) + (" …" if len(have) > 12 else "")
            hint = f'did you mean "{close[0]}"?' if close else f"name one of: {listed}"
            raise BadData(f'there is no column "{column}" for the {role}; {hint}')
    if not len(frame):
        raise BadData("the table has no rows below its header; add one row a person")


def two_arms(codes: Codes, labels: list[str], column: str, places: Codes) -> None:
    """The arm column has exactly two labels.   codes : (N,), −1 where missing.   places : their rows in the table."""
    if not labels:
        raise BadData(f'column "{column}" is empty; say for each row which arm its site is in')
    if len(labels) == 1:
        raise BadData(f'column "{column}" holds only "{labels[0]}", so the other arm is empty; give both arms')
    if len(labels) > 2:
        shown = named([f'"{name}"' for name in labels], "label", "labels")
        rare = np.argsort(np.bincount(codes[codes >= 0], minlength=len(labels)))[: len(labels) - 2]
        where = rows(np.isin(codes, rare), places)
        raise BadData(
            f'column "{column}" has {len(labels)} arms ({shown}), the rarest in {where}; '
            "keep the rows of the two to compare"
        )


def one_value_a_site(
    site: Codes, codes: Codes, site_labels: list[str], *, column: str, kind: str, places: Codes
) -> Codes:
    """The value of a site-level column for each site, (S,), −1 where unknown; refused where a site has two."""
    known = (site >= 0) & (codes >= 0)
    values = np.full(len(site_labels), -1, dtype=np.intp)
    # Assigned in reverse, each site keeps the value of its first row.
    values[site[known][::-1]] = codes[known][::-1]
    clash = known.copy()
    clash[known] = codes[known] != values[site[known]]
    if clash.any():
        where = sorted({site_labels[k] for k in site[clash]})
        raise BadData(
            f'column "{column}": {named(where, "site", "sites")} {"is" if len(where) == 1 else "are"} '
            f"in more than one {kind} (see {rows(clash, places)}); a site has one {kind}"
        )
    return values


def pairs_are_pairs(pair: Codes, arm: Codes, labels: list[str], column: str) -> None:
    """Every pair is one site of each arm.   pair, arm : (S,), −1 where unknown."""
    for k, name in enumerate(labels):
        members = arm[(pair == k) & (arm >= 0)]
        if len(members) != 2 or members[0] == members[1]:
            raise BadData(
                f'column "{column}": pair "{name}" has {named([len(members)], "", "").strip()} sites in '
                f"{len(set(members.tolist()))} arms; a pair is two sites, one of each arm"
            )


def outcome_varies(outcome: Floats, column: str) -> None:
    """The outcome is not the same for everyone.

    >>> outcome_varies(np.ones(3), "score")
    Traceback (most recent call last):
        ...
    analysis.errors.BadData: column "score" is the same (1) in every complete row; a comparison needs an outcome that varies
    """
    # Below 1e-100 squares are lost to underflow.
    if np.ptp(outcome) <= max(1e-12 * float(np.abs(outcome).max()), 1e-100):
        raise BadData(
            f'column "{column}" is the same ({outcome[0]:g}) in every complete row; '
            "a comparison needs an outcome that varies"
        )


def two_sites_an_arm(
    site_arm: Floats, site_labels: list[str], arms: tuple[str, str], question: Question, losses: str
) -> None:
    """Each arm has two sites or more with complete rows.   arms : labels, (treatment, control)."""
    because = f" after leaving out rows ({losses})" if losses else ""
    for value, arm in zip((1.0, 0.0), arms, strict=True):
        members = np.flatnonzero(site_arm == value)
        if not len(members):
            raise BadData(
                f'column "{question.arm}": arm "{arm}" is empty{because}; give at least two sites in each arm'
            )
        if len(members) == 1:
            raise BadData(
                f'column "{question.site}": arm "{arm}" has one site ("{site_labels[members[0]]}"){because}; '
                "at least two sites in each arm are needed to tell the arm from the site"
            )
