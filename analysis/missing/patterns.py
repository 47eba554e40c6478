"""Who has which answers: patterns of missing measurements by arm, by role and by site.

Counts alone. Nothing here says why an answer is missing; a share that differs between the arms is a reason to look at
`analysis.missing.tipping`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.errors import BadData
from analysis.labels import coded, named, numbers, rows
from analysis.people import tell_apart
from analysis.question import Question
from analysis.results import Codes
from analysis.waves import wave_order

Mask = np.typing.NDArray[np.bool_]
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Pattern:
    """has : for each measurement, whether these people have it.   people : how many."""

    has: tuple[bool, ...]
    people: int

    def to_dict(self) -> dict[str, Any]:
        return {"has": list(self.has), "people": self.people}


@dataclass(frozen=True)
class Group:
    """People of one arm, role or site.   answered : how many have each measurement.   patterns : the commonest first."""

    label: str
    people: int
    answered: tuple[int, ...]
    patterns: tuple[Pattern, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "people": self.people,
            "answered": list(self.answered),
            "patterns": [one.to_dict() for one in self.patterns],
        }


@dataclass(frozen=True)
class MissingPatterns:
    """measurements : names, in order.   by_arm, by_role, by_site : groups in order of their labels.

    silent_sites : for each measurement, the sites where nobody has it.
    """

    measurements: tuple[str, ...]
    everyone: Group
    by_arm: tuple[Group, ...]
    by_role: tuple[Group, ...]
    by_site: tuple[Group, ...]
    silent_sites: tuple[tuple[str, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "measurements": list(self.measurements),
            "everyone": self.everyone.to_dict(),
            "by_arm": [one.to_dict() for one in self.by_arm],
            "by_role": [one.to_dict() for one in self.by_role],
            "by_site": [one.to_dict() for one in self.by_site],
            "silent_sites": [list(one) for one in self.silent_sites],
        }


def missing_patterns(
    frame: pd.DataFrame,
    outcomes: Sequence[str],
    *,
    arm: str,
    site: str,
    role: str | None = None,
    participant: str | None = None,
    review: str | None = None,
    wave: str | None = None,
    order: tuple[str, ...] = (),
) -> MissingPatterns:
    """Count people by the measurements they have.

    frame    : one row a person invited, blank where an answer is missing; with `wave` one row a person and wave, where
    a wave without a row is missing like a blank one (people without any row are not known here).
    outcomes : columns of numbers. With `wave` a measurement is an outcome at a wave, "outcome, wave".
    role     : a column; a person without one, or with several, is "not recorded".    order : of the waves, where they are text.
    review   : so that labels numbered afresh in every review are told from a person in several, who is taken once, with
    whatever was answered in any. Rows without arm or site are refused:
    whoever was invited was invited at a site.

    >>> people = pd.DataFrame({"arm": [1, 1, 0, 0], "site": [1, 1, 2, 2], "y": [3.0, None, 4.0, 5.0]})
    >>> found = missing_patterns(people, ["y"], arm="arm", site="site")
    >>> [(one.label, one.people, one.answered) for one in found.by_arm]
    [('0', 2, (2,)), ('1', 2, (1,))]
    """
    if not outcomes:
        raise BadData("no outcome was named; name the columns whose gaps are to be counted")
    if wave and not participant:
        raise BadData("wave is given without participant; name the column that says whose row it is")
    wanted = {*outcomes, arm, site, *(name for name in (role, participant, review, wave) if name)}
    absent = sorted(name for name in wanted if name not in frame.columns)
    if absent:
        raise BadData(f'there is no column "{absent[0]}"; name one of: {", ".join(map(str, frame.columns[:12]))}')
    arm_code, arm_labels = coded(frame[arm])
    site_code, site_labels = coded(frame[site])
    for name, codes in ((arm, arm_code), (site, site_code)):
        if (codes < 0).any():
            raise BadData(f'column "{name}" is empty in {rows(codes < 0)}; say it for everyone who was invited')
    site_arm = refusals.one_value_a_site(
        site_code, arm_code, site_labels, column=arm, kind="arm", places=np.arange(len(frame))
    )
    person = people_of(frame, site_code, participant, review)
    count = int(person.max()) + 1
    answered = np.column_stack([~np.isnan(numbers(frame[name], name)) for name in outcomes])
    names, has = _measurements(frame, list(outcomes), answered, person, count, wave, order)
    site_of = np.zeros(count, dtype=np.intp)
    site_of[person[::-1]] = site_code[::-1]
    role_label = _roles(frame, role, person, count)
    by_site = _groups(np.array(site_labels, dtype=object)[site_of], has)
    return MissingPatterns(
        measurements=names,
        everyone=_group("everyone", has),
        by_arm=_groups(np.array(arm_labels, dtype=object)[site_arm[site_of]], has),
        by_role=() if role_label is None else _groups(role_label, has),
        by_site=by_site,
        silent_sites=tuple(tuple(one.label for one in by_site if one.answered[k] == 0) for k in range(len(names))),
    )


def people_of(frame: pd.DataFrame, site: Codes, participant: str | None, review: str | None) -> Codes:
    """Person of each row, from 0, as `analysis.people.tell_apart` knows them; without `participant` each row is one.

    Labels at two sites are two people, a row without a label is one of its own.   site : (N,) codes.
    """
    if participant is None:
        return np.arange(len(frame), dtype=np.intp)
    label = coded(frame[participant])[0]
    unnamed = label < 0
    label = np.where(unnamed, label.max(initial=-1) + 1 + np.arange(len(label)), label)
    at = np.zeros(len(frame), dtype=np.intp) if review is None else coded(frame[review])[0]
    once, place = np.unique(np.column_stack((site, at, label)), axis=0, return_inverse=True)
    told = tell_apart(
        once[:, 2],
        once[:, 0],
        None if review is None else once[:, 1],
        np.ones(len(once), dtype=bool),
        places=np.arange(len(once)),
        column=participant,
    )
    whom = np.unique(np.column_stack((once[:, 0], told.person)), axis=0, return_inverse=True)[1]
    return np.asarray(whom.reshape(-1)[place.reshape(-1)], dtype=np.intp)


def _measurements(
    frame: pd.DataFrame,
    outcomes: list[str],
    answered: Mask,
    person: Codes,
    count: int,
    wave: str | None,
    order: tuple[str, ...],
) -> tuple[tuple[str, ...], Mask]:
    """Names of the measurements and, for each person, which of them they have: (people, measurements)."""
    at, labels = (np.zeros(len(frame), dtype=np.intp), [""]) if wave is None else coded(frame[wave])
    if (at < 0).any():
        raise BadData(f'column "{wave}" is empty in {rows(at < 0)}; say which wave each row is')
    if wave is not None:
        waves = wave_order(labels, Question("y", "a", "s", participant="p", wave=wave, wave_order=order))
        unused = [one for one in labels if one not in waves]
        if unused:
            raise BadData(f"the wave order leaves out {named(unused, 'wave', 'waves')}; name every wave")
        at, labels = np.array([waves.index(one) for one in labels], dtype=np.intp)[at], waves
    has = np.zeros((count, len(labels), len(outcomes)), dtype=bool)
    row, outcome = np.nonzero(answered)
    has[person[row], at[row], outcome] = True
    names = tuple(f"{name}, {label}" if wave else name for label in labels for name in outcomes)
    return names, has.reshape(count, -1)


def _roles(frame: pd.DataFrame, role: str | None, person: Codes, count: int) -> "np.typing.NDArray[np.object_] | None":
    if role is None:
        return None
    code, labels = coded(frame[role])
    lowest, highest = np.full(count, len(labels), dtype=np.intp), np.full(count, -1, dtype=np.intp)
    known = code >= 0
    np.minimum.at(lowest, person[known], code[known])
    np.maximum.at(highest, person[known], code[known])
    return np.array([labels[a] if a == b else NOT_RECORDED for a, b in zip(lowest, highest, strict=True)], dtype=object)


def _groups(label: "np.typing.NDArray[np.object_]", has: Mask) -> tuple[Group, ...]:
    return tuple(_group(one, has[label == one]) for one in sorted(set(label.tolist())))


def _group(label: str, has: Mask) -> Group:
    found = Counter(tuple(one) for one in has.tolist())
    patterns = sorted(found.items(), key=lambda one: (-one[1], tuple(not here for here in one[0])))
    return Group(
        label, len(has), tuple(has.sum(axis=0).tolist()), tuple(Pattern(kind, people) for kind, people in patterns)
    )
