"""A trial of a national size, put in whole: every row that a submit leaves, made from a seed, on SQLite or PostgreSQL."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from evalapp import db, demo, releases, roster
from evalapp.models import (
    Answer,
    Arm,
    Assignment,
    Base,
    Membership,
    Person,
    Response,
    Review,
    Score,
    Trial,
    Wave,
)
from evalapp.responses import TEXT_KINDS
from evalapp.vault import Vault
from instruments import Instrument, Item, score
from instruments.conditions import holds
from tests import make

SEED, SITES = 20_262, 150
SHARED = 16 / 36  # of the places of a review, taken by people of another review of the site
# Everyone's part in a review: 32 professionals, two parents, a young person and a facilitator.
ROLES = (*("practitioner",) * 28, *("manager",) * 3, "leader", "parent", "parent", "young_person", "facilitator")
TURNOUT = {"before": 0.90, "after": 0.86, "month3": 0.80, "month12": 0.74}
DECLINED, BLANK, REFUSED = 0.015, 0.015, 0.015
FIRST_DAY = 500  # days ago on which the first review began: every window has closed
INTO = "INSERT INTO {table} ({columns}) VALUES ({marks})"

Codes = NDArray[np.int64]
_BLANK, _REFUSED, _HIDDEN = -1, -2, -3  # in place of a position among an item's answers


@dataclass(frozen=True)
class Size:
    """How large a trial is made: responses about 110 times the reviews for 36 places, fewer for fewer."""

    name: str
    reviews: int
    places: int
    every_answer: bool = True  # or those alone that pages of outcomes and releases read: families' and facilitators'


SIZES: Mapping[str, Size] = {
    "10k": Size("10k", 1, 20),
    "30k": Size("30k", 2, 32),
    "100k": Size("100k", 6, 36),
    "1M": Size("1M", 60, 36, every_answer=False),
}


@dataclass(frozen=True)
class Filled:
    """What was made. cards : codes of people whose questionnaire is open today."""

    trial: str
    sites: int
    reviews: int
    people: int
    assignments: int
    responses: int
    answers: int
    scores: int
    cards: tuple[str, ...]


def fill(engine: Engine, size: Size, vault: Vault, *, now: datetime, waiting: int) -> Filled:
    """Make the trial in a migrated, empty database, publish its release, and hand cards to `waiting` more people."""
    rng = np.random.default_rng(SEED)
    today = now.date()
    with db.writing(engine) as session:
        trial = _trial(session, now)
        sites = _sites(session, trial, rng, now)
        made = _Maker(session, trial, size, rng, today)
        for site, treated in sites:
            made.site(site, treated)
        session.commit()
    answers = made.answer()
    counted = _put(engine, made, answers)
    with db.writing(engine) as session:
        trial = session.get_one(Trial, trial.id)
        releases.publish(session, trial, actor="system", now=now)
        cards = tuple(_waiting(session, sites[0][0], vault, now, waiting))
        session.commit()
    if engine.dialect.name == "postgresql":  # as its own daemon does; nothing counts an SQLite file's rows, nor do we
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")
    people = len(made.people)
    return Filled(trial.slug, len(sites), len(made.reviews), people, len(made.asked), len(made.given), *counted, cards)


def _trial(session: Session, now: datetime) -> Trial:
    return roster.add_trial(
        session, "national", "A national trial", kind="live", design="randomised", planned_sites=SITES,
        plan=roster.usual_plan(design="randomised", planned_sites=SITES), targets={"sites": SITES},
        results_open_at=now - timedelta(days=1), starts_on=now.date() - timedelta(days=FIRST_DAY),
    )  # fmt: skip


def _sites(session: Session, trial: Trial, rng: np.random.Generator, now: datetime) -> list[tuple[Any, bool]]:
    arms = session.scalars(select(Arm).where(Arm.trial_id == trial.id).order_by(Arm.position)).all()
    found = []
    for number, arm in enumerate(rng.permutation([0, 1] * (SITES // 2))):
        site = make.site(session, trial, f"Place {number + 1:03}")
        known = now - timedelta(days=FIRST_DAY - 1)
        roster.allocate(
            session, site, arms[int(arm)], scheme="complete", actor="system", now=now, drawn_at=known, revealed_at=known
        )
        found.append((site, arms[int(arm)].is_treatment))
    return found


class _Maker:
    """The trial's people, places and questionnaires as they are made, then their answers a questionnaire at a time."""

    def __init__(self, session: Session, trial: Trial, size: Size, rng: np.random.Generator, today: date) -> None:
        self._trial, self._size, self._rng, self._today = trial, size, rng, today
        self._waves = {one.code: one for one in session.scalars(select(Wave).where(Wave.trial_id == trial.id))}
        self._asks = {
            (role, wave): roster.questionnaires(role, wave, Review(outcome="no_harm"))
            for role in set(ROLES) for wave in TURNOUT
        }  # fmt: skip
        self.people: list[dict[str, Any]] = []
        self.reviews: list[dict[str, Any]] = []
        self.places: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.given: list[dict[str, Any]] = []
        self._moods: dict[tuple[str, int, str, bool], list[tuple[str, float]]] = {}

    def ids(self, count: int) -> list[str]:
        drawn = self._rng.bytes(8 * count).hex()
        return [drawn[16 * place : 16 * place + 16] for place in range(count)]

    def site(self, site: Any, treated: bool) -> None:
        """A site's reviews a few days after one another, some of its professionals in several of them."""
        rng = self._rng
        start = self._today - timedelta(days=FIRST_DAY - 3)
        mood = float(rng.normal(0, demo.SITE_SD))
        known: list[tuple[str, float]] = []  # professionals already met at this site
        for label, review in enumerate(self.ids(self._size.reviews)):
            begins = start + timedelta(days=(label * 7) % 60)
            self.reviews.append(
                {
                    "id": review, "site_id": site.id, "label": f"Review {label + 1}", "outcome": "no_harm",
                    "trigger": "good_practice", "starts_on": begins, "ends_on": begins + timedelta(days=1),
                    "triggered_on": begins - timedelta(days=int(rng.integers(*demo.WAITED[treated]))),
                    "reported_on": begins + timedelta(days=1 + int(rng.integers(*demo.WRITTEN[treated]))),
                    "contact_days": int(rng.integers(1, 4)),
                }
            )  # fmt: skip
            own = mood + float(rng.normal(0, demo.REVIEW_SD))
            self._people_of(review, site.id, begins, treated, own, known)

    def _people_of(
        self, review: str, site: str, begins: date, treated: bool, mood: float, known: list[tuple[str, float]]
    ) -> None:
        rng, roles = self._rng, ROLES[-self._size.places :]
        again: set[str] = set()
        for role, place, fresh in zip(roles, self.ids(len(roles)), self.ids(len(roles)), strict=True):
            person, level = fresh, float(rng.normal(0, demo.PERSON_SD))
            wants = role == "practitioner" and known and rng.random() < SHARED * 36 / 28 * 1.5
            if wants:
                person, level = known[int(rng.integers(len(known)))]
            if not wants or person in again:
                person, level = fresh, float(rng.normal(0, demo.PERSON_SD))
                self.people.append({"id": person, "trial_id": self._trial.id})
                if role == "practitioner":
                    known.append((person, level))
            again.add(person)
            self.places.append(
                {
                    "id": place,
                    "person_id": person,
                    "site_id": site,
                    "review_id": review,
                    "role": role,
                    "form": "standard",
                }
            )
            for wave, turnout in TURNOUT.items():
                for instrument in self._asks[role, wave]:
                    if instrument.closed_items:
                        self._ask(place, wave, instrument, begins, treated, mood + level, turnout)

    def _ask(
        self, place: str, wave: str, instrument: Instrument, begins: date, treated: bool, mood: float, turnout: float
    ) -> None:
        asked, response = self.ids(2)
        window = self._waves[wave]
        anchor = begins if window.anchor == "start" else begins + timedelta(days=1)
        opens = anchor + timedelta(days=window.opens_day)
        self.asked.append(
            {
                "id": asked, "membership_id": place, "wave_id": window.id, "instrument": instrument.name,
                "version": instrument.version, "opens_on": opens, "closes_on": anchor + timedelta(days=window.closes_day),
            }
        )  # fmt: skip
        chance = self._rng.random()
        if chance > turnout + DECLINED:
            return
        said_no = chance > turnout
        self.given.append(
            {
                "id": response, "assignment_id": asked, "instrument": instrument.name, "version": instrument.version,
                "language": "en", "mode": "own_link", "consent_version": "1",
                "state": "declined" if said_no else "submitted", "submitted_on": None if said_no else opens,
                "receipt": None if said_no else response[::-1].upper(), "basis": None if said_no else 64 * "0",
            }
        )  # fmt: skip
        if not said_no:
            key = (instrument.name, instrument.version, wave, treated)
            self._moods.setdefault(key, []).append((response, mood))

    def answer(self) -> Iterator[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]:
        """Rows of answers and scores, some thousand people at a time, in the order of their keys."""
        known = {(one.name, one.version): one for asks in self._asks.values() for one in asks}
        for (name, version, wave, treated), people in self._moods.items():
            instrument = known[name, version]
            scorer = _Scorer(instrument)
            people.sort()
            for start in range(0, len(people), 20_000):
                part = people[start : start + 20_000]
                moods = np.array([mood for _, mood in part])
                said, scored = _answered(
                    instrument, wave, treated, [one for one, _ in part], moods, self._rng, scorer,
                    keep=self._size.every_answer or not name.startswith("practitioner"),
                )  # fmt: skip
                yield said, scored


def _answered(
    instrument: Instrument, wave: str, treated: bool, ids: list[str], moods: NDArray[np.float64],
    rng: np.random.Generator, scorer: "_Scorer", *, keep: bool,
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:  # fmt: skip
    """Answers of many people to one questionnaire, as the demonstration draws them one by one."""
    scales = {code: scale for scale in instrument.scales if scale.part_of is None for code in scale.items}
    tilt = {one.code: rng.normal(0, 0.3, len(ids)) for one in instrument.scales}
    columns: dict[str, Codes] = {}
    offered: dict[str, tuple[Any, ...]] = {}
    for item in instrument.items:
        if item.kind == "information" or item.kind in TEXT_KINDS:
            continue
        values = offered[item.code] = _values(item)
        scale = scales.get(item.code)
        effect = demo.TRUE_EFFECT.get((scale.code if scale else item.code, wave), 0.0) if treated else 0.0
        if item.kind in {"agreement", "faces", "pictures", "rating"}:
            code = scale.code if scale else item.code
            lean = -moods if code.startswith("HARM") else moods
            centre = demo.USUAL.get(code, 3.3) + effect + lean + tilt.get(code, 0.0)
            drawn = (centre - 1) / 4 * (len(values) - 1) + rng.normal(0, demo.ITEM_SD, len(ids))
            if scale is not None and item.code in scale.reversed:
                drawn = len(values) - 1 - drawn
            chosen = np.clip(np.rint(drawn), 0, len(values) - 1).astype(np.int64)
        else:
            chosen = rng.integers(0, len(values), len(ids))
        chance = rng.random(len(ids))
        chosen[chance < BLANK] = _BLANK
        if item.refusals:
            chosen[(chance >= BLANK) & (chance < BLANK + REFUSED)] = _REFUSED
        if item.show_if is not None:
            on = item.show_if.item  # type: ignore[union-attr]
            shows = np.array([holds(item.show_if, {on: value}) for value in offered[on]] + [False])
            chosen[~shows[np.clip(columns[on], -1, None)]] = _HIDDEN
        columns[item.code] = chosen
    return _rows(instrument, ids, columns, offered) if keep else [], scorer.rows(ids, columns, offered)


def _rows(
    instrument: Instrument, ids: list[str], columns: Mapping[str, Codes], offered: Mapping[str, tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """(response, item, value as JSON, reason), sorted by the table's key."""
    by_item = []
    for code in sorted(columns):
        item = instrument.item(code)
        cells = [(code, json.dumps(value), None) for value in offered[code]]
        extra = [None, (code, None, item.refusals[0] if item.refusals else None), (code, None, None)]  # −3, −2, −1
        by_item.append([*cells, *extra])
    found = []
    table = np.column_stack([columns[code] for code in sorted(columns)]).tolist()
    for response, line in zip(ids, table, strict=True):
        for cells, place in zip(by_item, line, strict=True):
            cell = cells[place]
            if cell is not None:
                found.append((response, *cell))
    return found


class _Scorer:
    """Scores by the product's own rule, each set of answers to a scale worked out once."""

    def __init__(self, instrument: Instrument) -> None:
        self._scales = []
        conditions = {item.code: item.show_if for item in instrument.items if item.show_if is not None}
        for scale in sorted(instrument.scales, key=lambda one: one.code):
            needs = dict.fromkeys(
                [*(conditions[code].item for code in scale.items if code in conditions), *scale.items]
            )  # type: ignore[union-attr]
            self._scales.append((scale.code, replace(instrument, scales=(scale,)), tuple(needs), {}))

    def rows(
        self, ids: list[str], columns: Mapping[str, Codes], offered: Mapping[str, tuple[Any, ...]]
    ) -> list[tuple[Any, ...]]:
        found = []
        for code, alone, needs, known in self._scales:
            patterns = zip(*(columns[item].tolist() for item in needs), strict=True)
            for response, pattern in zip(ids, patterns, strict=True):
                if pattern not in known:
                    values = {
                        item: offered[item][place] for item, place in zip(needs, pattern, strict=True) if place >= 0
                    }
                    known[pattern] = score(alone, values)[code]
                found.append((response, code, known[pattern]))
        return sorted(found, key=lambda row: row[:2])


def _values(item: Item) -> tuple[Any, ...]:
    if item.kind == "several":
        return (*([one] for one in item.codes), list(item.codes[:2]))
    if item.kind == "number":
        low = int(item.minimum or 0)  # type: ignore[arg-type]
        return tuple(range(low, min(int(item.maximum), low + 30) + 1))  # type: ignore[arg-type]
    return item.codes


def _put(
    engine: Engine, made: _Maker, answers: Iterable[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]
) -> tuple[int, int]:
    """Every row into its table, in the order of the references; returns how many answers and scores."""
    write = _sqlite if engine.dialect.name == "sqlite" else _postgresql
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        with write(raw) as put:
            for table, rows in (
                (Person, made.people), (Review, made.reviews), (Membership, made.places), (Assignment, made.asked),
                (Response, sorted(made.given, key=lambda row: str(row["id"]))),
            ):  # fmt: skip
                columns = list(rows[0])
                put(table, columns, [tuple(row[column] for column in columns) for row in rows])
            counted = [0, 0]
            for said, scored in answers:
                if said:
                    put(Answer, ["response_id", "item", "value", "reason"], said)
                if scored:
                    put(Score, ["response_id", "scale", "value"], scored)
                counted[0] += len(said)
                counted[1] += len(scored)
    return counted[0], counted[1]


class _sqlite:  # noqa: N801  (a context manager, called as a function is)
    """Rows by the driver itself; references are checked once at the end, and nothing is kept if one leads nowhere."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    def __enter__(self) -> Any:
        self._raw.rollback()
        for pragma in ("foreign_keys=OFF", "cache_size=-400000", "synchronous=OFF"):
            self._raw.execute(f"PRAGMA {pragma}")
        self._raw.execute("BEGIN IMMEDIATE")
        return self._put

    def _put(self, table: type[Base], columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        statement = INTO.format(
            table=table.__tablename__,
            columns=", ".join(f'"{one}"' for one in columns),
            marks=", ".join("?" * len(columns)),
        )
        told = [tuple(str(cell) if isinstance(cell, date) else cell for cell in row) for row in rows] if any(
            isinstance(cell, date) for cell in rows[0]
        ) else rows  # fmt: skip
        self._raw.executemany(statement, told)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._raw.execute("COMMIT")
        for pragma in ("foreign_keys=ON", "cache_size=-2000", "synchronous=FULL"):
            self._raw.execute(f"PRAGMA {pragma}")


class _postgresql:  # noqa: N801  (as above)
    """Rows by COPY, as a dump is read in."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __enter__(self) -> Any:
        self._raw.rollback()
        self._raw.execute("SET statement_timeout = 0")
        return self._put

    def _put(self, table: type[Base], columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        named = ", ".join(f'"{one}"' for one in columns)
        with self._raw.cursor() as cursor, cursor.copy(f"COPY {table.__tablename__} ({named}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._raw.commit()
            self._raw.execute("SET statement_timeout = 30000")
            self._raw.commit()
        else:
            self._raw.rollback()


def _waiting(session: Session, site: Any, vault: Vault, now: datetime, count: int) -> Iterator[str]:
    """Professionals of a review that begins in some days, each with a card: who answers while pages are looked at."""
    review = make.review(session, site, "Review to come", starts_on=now.date() + timedelta(days=8))
    for _ in range(count):
        yield str(roster.issue_card(
            session, make.person(session, review).person_id, vault=vault, actor="system", now=now,
        ))  # fmt: skip
