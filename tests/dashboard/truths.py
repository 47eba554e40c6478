"""Whole trials whose truth is known, made fast: the demonstration's own answers, put in as a submit leaves them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from evalapp import accounts, assets, config, db, demo, releases, responses, roster, schema
from evalapp.demo import Asked, Truth
from evalapp.models import (
    Answer,
    Arm,
    Assignment,
    Membership,
    Person,
    Release,
    Response,
    Review,
    Score,
    Site,
    Trial,
    Wave,
    random_id,
)  # fmt: skip
from instruments import score

SIMILAR = {True: 0.85, False: 0.45}
BENEFIT = Truth({("BLG", "after"): 0.5, ("BLG", "month3"): 0.6, ("AFF", "after"): 0.8, ("VOI", "after"): 0.6}, SIMILAR)
NULL = Truth({}, SIMILAR)
HARM = Truth(
    {("BLG", "month3"): -0.6, ("CAN", "after"): -0.7, ("HARM1", "after"): 1.2, ("MOR", "month3"): -0.5}, SIMILAR
)
TURNOUT = {"before": 0.95, "after": 0.9, "month3": 0.85}


@dataclass(frozen=True)
class Made:
    """A kind of trial: its truth, sites in each arm, and how many reviews a site and practitioners a review.

    title : tells a reader of its page nothing of its truth.
    """

    title: str
    truth: Truth
    sites: tuple[int, int]
    planned: int
    reviews: int = 3
    practitioners: int = 6
    seed: int = 1
    parents: tuple[int, ...] = (1, 2)


TRIALS: Mapping[str, Made] = {
    "benefit": Made("The Alder trial", BENEFIT, (12, 12), 24),
    "null": Made("The Birch trial", NULL, (12, 12), 24),
    "harm": Made("The Cedar trial", HARM, (12, 12), 24),
    "four": Made("The Elm trial", BENEFIT, (4, 4), 8, reviews=4),
    "empty": Made("The Hazel trial", NULL, (0, 0), 24),
    "one": Made("The Rowan trial", BENEFIT, (1, 0), 24, reviews=4),
}  # fmt: skip


@dataclass
class _Rows:
    """What is put in at the end, a table at a time."""

    people: list[dict[str, Any]] = field(default_factory=list)
    places: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)

    def put(self, session: Session) -> None:
        for table, rows in (
            (Person, self.people), (Membership, self.places), (Assignment, self.asked), (Response, self.responses),
            (Answer, self.answers), (Score, self.scores),
        ):  # fmt: skip
            if rows:
                session.execute(insert(table), rows)


def build(session: Session, name: str, *, now: datetime, slug: str | None = None, **facts: Any) -> Trial:
    """The trial of this name, its results open; the caller commits."""
    made = TRIALS[name]
    facts = {
        "kind": "demo", "design": "randomised", "planned_sites": made.planned, "results_open_at": now - timedelta(days=1),
        "plan": roster.usual_plan(design="randomised", planned_sites=made.planned),
        "targets": {"sites": made.planned, "reviews": 4 * made.planned, "practitioners": 28 * made.planned, "weeks": 35}, **facts,
    }  # fmt: skip
    trial = roster.add_trial(session, slug or name, made.title, **facts)
    rng, rows = np.random.default_rng(made.seed), _Rows()
    arms = session.scalars(select(Arm).where(Arm.trial_id == trial.id).order_by(Arm.position)).all()
    waves = {one.code: one for one in session.scalars(select(Wave).where(Wave.trial_id == trial.id))}
    last = now.date() - timedelta(days=200)
    for arm, count in zip(arms, made.sites, strict=True):
        for number in range(count):
            day = last - timedelta(weeks=count - 1 - number)  # a site an arm a week
            site = Site(
                trial_id=trial.id, name=f"{'North' if arm.is_treatment else 'South'}town {number + 1}", joined_on=day
            )
            session.add(site)
            session.flush()
            roster.allocate(
                session, site, arm, scheme="complete", actor="system", now=now, drawn_at=now - timedelta(days=300),
                revealed_at=datetime.combine(day, datetime.min.time(), now.tzinfo),
            )  # fmt: skip
            mood = float(rng.normal(0, demo.SITE_SD))
            for label in range(made.reviews):
                _review(session, made, site, f"Review {label + 1}", day, arm.is_treatment, mood, waves, rng, rows)
    rows.put(session)
    return trial


def copy_of_its_own(
    folder: Path, names: Iterable[str], *, email: str, password: str, now: datetime, evaluator: str | None = None
) -> Path:
    """A whole installation in a folder, with these trials and a funder (and an evaluator) to sign in; its settings file."""
    settings = folder / "settings.env"
    kept = config.new_secrets() | {
        "EVALAPP_DATABASE_URL": f"sqlite:///{(folder / 'truths.db').resolve()}",
        "EVALAPP_ASSETS": str((folder / "assets").resolve()),
        "EVALAPP_HTTPS": "0",
    }
    config.write_secrets(settings, kept)
    assets.build(folder / "assets", quality=4)
    engine = db.make_engine(kept["EVALAPP_DATABASE_URL"])
    schema.upgrade(engine)
    with db.writing(engine) as session:
        for name in names:
            publish(session, build(session, name, now=now), now=now)
        accounts.create(session, email, "funder", password, now=now)
        if evaluator is not None:
            accounts.create(session, evaluator, "evaluator", password, now=now)
        session.commit()
    engine.dispose()
    return settings


def publish(session: Session, trial: Trial, *, now: datetime) -> Release | None:
    """The trial's release; None while nobody has answered."""
    try:
        return releases.publish(session, trial, actor="system", now=now)
    except releases.NobodyAnswered:
        return None


def _review(
    session: Session, made: Made, site: Site, label: str, day: date, treated: bool, mood: float,
    waves: Mapping[str, Wave], rng: np.random.Generator, rows: _Rows,
) -> None:  # fmt: skip
    def days(between: tuple[int, int]) -> int:
        return int(rng.integers(between[0], between[1] + 1))

    ends = day + timedelta(days=1)
    review = Review(
        site_id=site.id, label=label, starts_on=day, ends_on=ends, outcome="no_harm", contact_days=days(demo.CONTACT[treated]),
        triggered_on=day - timedelta(days=days(demo.WAITED[treated])),
        reported_on=ends + timedelta(days=days(demo.WRITTEN[treated])),
    )  # fmt: skip
    session.add(review)
    session.flush()
    mood += float(rng.normal(0, demo.REVIEW_SD))
    roles = ["practitioner"] * made.practitioners + ["parent"] * int(rng.choice(made.parents)) + ["facilitator"]
    roles += ["observer"] if rng.random() < 0.5 else []
    for role in roles:
        person, place = random_id(), Membership(id=random_id(), role=role, site_id=site.id, review_id=review.id)
        rows.people.append({"id": person, "trial_id": site.trial_id})
        rows.places.append(
            {"id": place.id, "person_id": person, "site_id": site.id, "review_id": review.id, "role": role}
        )
        own = mood + float(rng.normal(0, demo.PERSON_SD))
        for code, wave in waves.items():
            anchor = {"start": review.starts_on, "end": review.ends_on}.get(wave.anchor)
            if anchor is not None and code in TURNOUT:
                _ask(made.truth, place, review, site, wave, anchor, treated, own, rng, rows)


def _ask(
    truth: Truth, place: Membership, review: Review, site: Site, wave: Wave, anchor: date, treated: bool, mood: float,
    rng: np.random.Generator, rows: _Rows,
) -> None:  # fmt: skip
    for instrument in roster.questionnaires(place.role, wave.code, review):
        opens = anchor + timedelta(days=wave.opens_day)
        one = {
            "id": random_id(), "membership_id": place.id, "wave_id": wave.id, "instrument": instrument.name,
            "version": instrument.version, "opens_on": opens, "closes_on": anchor + timedelta(days=wave.closes_day),
        }  # fmt: skip
        rows.asked.append(one)
        if rng.random() > TURNOUT[wave.code]:
            continue
        response = random_id()
        rows.responses.append(
            {
                "id": response, "assignment_id": one["id"], "instrument": instrument.name, "version": instrument.version,
                "language": "en", "mode": "own_link", "consent_version": "1", "state": "submitted", "submitted_on": opens,
                "receipt": random_id(), "basis": "-",
            }
        )  # fmt: skip
        asked = Asked(Assignment(**one), place, review, site, wave.code, treated)
        given = demo.given_by(instrument, asked, mood, rng, truth)
        rows.answers += [
            {"response_id": response, "item": item, "value": said.value, "reason": said.reason}
            for item, said in given.items()
        ]
        scored = score(instrument, responses.values_of(given))
        rows.scores += [{"response_id": response, "scale": scale, "value": value} for scale, value in scored.items()]
