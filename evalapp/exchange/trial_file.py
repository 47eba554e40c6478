"""Bringing a cluster trial in from a CSV: one row a person, an outcome on its own scale, the arms' labels from the file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.errors import BadData
from evalapp import audit, responses, roster
from evalapp.models import Allocation, Arm, Assignment, Membership, Person, Review, Site, Trial, Wave
from evalapp.responses import Given
from evalapp.vault import Vault

NEEDED = ("site", "arm", "outcome")
OPTIONAL = ("review", "participant", "baseline", "stratum")
MOST_ROWS = 50_000
INSTRUMENT, VERSION, ITEM, SCALE = "measure", 1, "value", "MEASURE"
WAVES = (roster.Window("before", "start", 0, 0), roster.Window("after", "end", 0, 0))


@dataclass(frozen=True)
class Described:
    """What a file cannot say of its own trial."""

    slug: str
    title: str
    label: str
    treatment: str
    design: str = "randomised"
    planned_sites: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    higher_is_better: bool = True
    smallest_worthwhile: float | None = None


@dataclass(frozen=True)
class Brought:
    """What came in, counted; `left_out` says why rows gave no answer."""

    sites: int
    reviews: int
    people: int
    answers: int
    left_out: Mapping[str, int]


def read_map(pairs: tuple[str, ...]) -> dict[str, str]:
    """Column names by meaning, from "site=school,arm=group" in one or several pieces. BadData names what is wrong."""
    found: dict[str, str] = {}
    for pair in (piece.strip() for whole in pairs for piece in whole.split(",") if piece.strip()):
        meaning, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or not column or meaning not in NEEDED + OPTIONAL:
            known = ", ".join(NEEDED + OPTIONAL)
            raise BadData(f"--map {pair!r} is not MEANING=COLUMN; the meanings are {known}")
        found[meaning] = column
    missing = [meaning for meaning in NEEDED if meaning not in found]
    if missing:
        raise BadData(f"--map does not say which column is the {' or the '.join(missing)}; add {missing[0]}=COLUMN")
    return found


def bring_in(
    session: Session, table: pd.DataFrame, columns: Mapping[str, str], said: Described, *, vault: Vault, now: datetime
) -> Brought:
    """Put a trial's rows into the database through the same door as every answer; the caller commits, or nothing stays.

    Raises BadData naming the column, the rows and what to do.
    """
    rows = _rows(table, columns)
    arms = _arms(rows, said.treatment)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", said.slug):
        raise BadData(f"--slug {said.slug!r} may hold small letters, numbers and dashes only")
    if session.scalar(select(Trial.id).where(Trial.slug == said.slug)):
        raise BadData(f"there is a trial {said.slug!r} already; choose another --slug")
    has_baseline = "baseline" in columns
    trial = roster.add_trial(
        session, said.slug, said.title, arms=arms, waves=WAVES if has_baseline else WAVES[1:], kind="live",
        design=said.design, planned_sites=said.planned_sites, results_open_at=now, plan=_plan(said, rows, has_baseline),
    )  # fmt: skip
    day = now.date()
    places = _places(session, trial, rows, said.design, now, day)
    answers = 0
    for wave, column in (("before", "baseline"), ("after", "outcome")):
        if column not in columns:
            continue
        wave_id = session.scalars(select(Wave.id).where(Wave.trial_id == trial.id, Wave.code == wave)).one()
        for place, value in zip(places, rows[column], strict=True):
            answers += _answer(session, place, wave_id, value, vault, day)
    audit.record(session, "system", "trial brought in", f"trial {trial.id}", now=now, rows=len(rows))
    left_out = {
        f"no {columns[name]}": int(rows[name].isna().sum())
        for name in ("baseline", "outcome")
        if name in columns and rows[name].isna().any()
    }
    reviews = int(rows.groupby("site")["review"].nunique().sum())
    return Brought(int(rows["site"].nunique()), reviews, len(rows), answers, left_out)


def _rows(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    absent = [column for column in columns.values() if column not in table.columns]
    if absent:
        raise BadData(f"there is no column {absent[0]!r}; the columns are {', '.join(map(str, table.columns))}")
    if len(table) > MOST_ROWS:
        raise BadData(f"{len(table)} rows are more than {MOST_ROWS}; `evalapp compare` takes files of any size")
    rows = pd.DataFrame({meaning: table[column] for meaning, column in columns.items()})
    for meaning in {"site", "arm"} | ({"review", "participant", "stratum"} & set(columns)):
        blank = rows[meaning].isna() | (rows[meaning].astype(str).str.strip() == "")
        if blank.any():
            raise BadData(f"column {columns[meaning]!r} is empty in {_lines(blank)}; fill it or remove the rows")
        rows[meaning] = rows[meaning].map(_label)
    for meaning in ("outcome", "baseline"):
        if meaning in columns:
            rows[meaning] = _numbers(rows[meaning], columns[meaning])
    if "review" not in columns:
        rows["review"] = "all"
    if "participant" in columns:
        twice = rows.duplicated(["site", "participant"], keep=False)
        if twice.any():
            raise BadData(
                f"column {columns['participant']!r} names a person twice in {_lines(twice)}; keep one row each"
            )
    several = rows.groupby("site")["arm"].nunique()
    if (several > 1).any():
        raise BadData(f"site {several[several > 1].index[0]!r} is in two arms; a site belongs to one arm")
    return rows


def _numbers(values: pd.Series, column: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = numbers.isna() & values.notna() & (values.astype(str).str.strip() != "")
    wrong |= numbers.abs() == float("inf")
    if wrong.any():
        raise BadData(f"column {column!r} must hold numbers; see {_lines(wrong)}")
    return numbers


def _arms(rows: pd.DataFrame, treatment: str) -> tuple[tuple[str, str], tuple[str, str]]:
    labels = sorted(rows["arm"].unique())
    if len(labels) != 2:
        raise BadData(f"the arm column must hold two labels, not {len(labels)}: {', '.join(labels[:5])}")
    if treatment not in labels:
        raise BadData(f"--treatment {treatment!r} is not an arm; the arms are {labels[0]} and {labels[1]}")
    control = next(label for label in labels if label != treatment)
    return (treatment, treatment), (control, control)


def _plan(said: Described, rows: pd.DataFrame, has_baseline: bool) -> dict[str, Any]:
    observed = rows[["outcome"] + (["baseline"] if has_baseline else [])]
    return {
        "design": said.design,
        "planned_sites": said.planned_sites,
        "alpha": 0.05,
        "level": 0.95,
        "seed": 1,
        "outcomes": [
            {
                "code": "outcome",
                "label": said.label,
                "scale": SCALE,
                "wave": "after",
                "baseline_wave": "before" if has_baseline else None,
                "roles": [],
                "minimum": said.minimum if said.minimum is not None else float(observed.min().min()),
                "maximum": said.maximum if said.maximum is not None else float(observed.max().max()),
                "higher_is_better": said.higher_is_better,
                "smallest_worthwhile": said.smallest_worthwhile,
                "primary": True,
            }
        ],
    }


def _places(
    session: Session, trial: Trial, rows: pd.DataFrame, design: str, now: datetime, day: date
) -> list[Membership]:
    arm_ids = {arm.code: arm.id for arm in session.scalars(select(Arm).where(Arm.trial_id == trial.id))}
    reviews: dict[tuple[str, str], Review] = {}
    for site_name, of_site in rows.groupby("site", sort=True):
        site = Site(trial_id=trial.id, name=str(site_name), joined_on=day)
        session.add(site)
        session.flush()
        stratum = str(of_site["stratum"].iloc[0]) if "stratum" in of_site else None
        scheme = "none" if design == "nonrandomised" else "stratified" if stratum else "complete"
        session.add(
            Allocation(
                site_id=site.id, arm_id=arm_ids[of_site["arm"].iloc[0]], scheme=scheme, stratum=stratum, allocated_at=now,
                revealed_at=now,
            )
        )  # fmt: skip
        for label in of_site["review"].unique():
            review = Review(site_id=site.id, label=str(label), starts_on=day, ends_on=day)
            session.add(review)
            session.flush()
            reviews[str(site_name), str(label)] = review
    people = [Person(trial_id=trial.id) for _ in range(len(rows))]
    session.add_all(people)
    session.flush()
    places = [
        Membership(person_id=person.id, site_id=review.site_id, review_id=review.id, role="practitioner")
        for person, review in zip(
            people, (reviews[key] for key in zip(rows["site"], rows["review"], strict=True)), strict=True
        )
    ]
    session.add_all(places)
    session.flush()
    return places


def _answer(session: Session, place: Membership, wave_id: str, value: float, vault: Vault, day: date) -> int:
    asked = Assignment(
        membership_id=place.id, wave_id=wave_id, instrument=INSTRUMENT, version=VERSION, opens_on=day, closes_on=day
    )
    session.add(asked)
    session.flush()
    if pd.isna(value):
        return 0
    response = responses.begin(
        session, asked.id, language="en", mode="file", consent_version="file", agreed=True, today=day
    )
    responses.save(session, response.id, {ITEM: Given(value)}, vault=vault)
    basis = responses.basis_of(session, response.id, [ITEM], vault=vault)
    responses.submit(session, response.id, vault=vault, today=day, basis=basis)
    return 1


def _label(value: Any) -> str:
    """A label as the file shows it: 3, not 3.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _lines(wrong: "pd.Series[bool]") -> str:
    """The rows to look at, numbered as in a spreadsheet (the header is row 1)."""
    numbers = [str(place + 2) for place in range(len(wrong)) if wrong.iloc[place]]
    more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
    return f"row{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:3])}{more}"
