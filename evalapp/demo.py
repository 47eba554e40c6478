"""The demonstration trial: 24 sites answering through the same door as everyone, with effects we know to be true."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import accounts, consents, db, releases, responses, roster, schema
from evalapp.access import LONDON
from evalapp.models import Allocation, Arm, Assignment, Membership, Review, Site, SiteRules, Trial, Wave
from evalapp.responses import Given
from evalapp.vault import Vault
from instruments import Instrument, Item, Scale, visible

SLUG = "demo"
SEED = 20_261
PLACES = (
    "Ashcombe", "Birchford", "Calderby", "Dunmere", "Eastwick", "Farlow", "Glenross", "Hartsea", "Inverlea", "Kelbrook",
    "Llanfair Vale", "Marston", "Netherby", "Oakridge", "Penhallow", "Quayside", "Redmoor", "Stonebridge", "Thornbury Dale",
    "Upwell", "Vale of Ithon", "Westerham Cross", "Yarrow", "Wexcombe",
)  # fmt: skip
WELSH = frozenset({"Llanfair Vale", "Vale of Ithon"})
SCOTTISH = frozenset({"Glenross", "Inverlea", "Yarrow"})
TRIGGERS = {"no_harm": ("success", "good_practice", "near_miss"), "harm": ("harm",), "death": ("death",)}
AGENCIES = ("children's social care", "police", "health", "school", "voluntary sector", "housing")

# The truth the demonstration is made with: differences between the arms after the review, in points of a 5-point
# answer (0.4 is 10 points of 100). One benefit, one harm; everything else is the same in both arms.
TRUE_EFFECT = {("BLG", "after"): 0.40, ("BLG", "month3"): 0.48, ("CAN", "after"): -0.24}
# How much of the twelve parts of an appreciative review there truly is, by arm: what facilitators say lies a little above
# it, what observers say a little below. The parts in which the arms differ most and least, in shares of the range.
FIDELITY = {True: 0.85, False: 0.45}
SAID = {"facilitator": 0.03, "observer": -0.03}
PARTS = {"FID3": 0.25, "FID5": 0.15, "FID8": 0.1, "FID6": -0.2, "FID10": -0.15, "FID12": -0.15}  # in the other arm
NEW_IDEA, OWN_ACTS = {True: 0.75, False: 0.45}, {True: 2.4, False: 1.1}
OBSERVED = 1 / 3  # of the reviews
# Days on which people met, days from what set a review off to its start, and from its end to its report: (from, to).
CONTACT = {True: (2, 3), False: (1, 2)}
WAITED = {True: (20, 60), False: (40, 140)}
WRITTEN = {True: (10, 40), False: (50, 160)}
USUAL = {"BLG": 2.9, "BLR": 3.2, "MOR": 3.3, "AFF": 3.0, "CAN": 3.5, "HARM1": 2.2, "HARM2": 2.4}
SITE_SD, REVIEW_SD, PERSON_SD, ITEM_SD = 0.15, 0.22, 0.62, 0.75
TURNOUT = {
    "practitioner": {"before": 0.88, "after": 0.84, "month3": 0.68, "month12": 0.55},
    "manager": {"baseline": 0.80, "before": 0.86, "after": 0.80, "month3": 0.64, "month12": 0.52},
    "leader": {"baseline": 0.76, "before": 0.80, "after": 0.74, "month3": 0.60, "month12": 0.50},
    "parent": {"before": 0.72, "after": 0.66, "month3": 0.50, "month12": 0.30},
    "young_person": {"after": 0.62},
    "facilitator": {"after": 0.95, "month12": 0.40},
    "observer": {"after": 0.93},
}
EASY_READ = 0.15  # of the parents
NOT_INVITED = ("not_safe", "not_lawful", "not_kind_now", "not_kind_now", "cannot_reach")
AT_A_SITE = ("leader", "leader", "leader", "manager", "manager", "manager")  # who answers for it outside its reviews
NEW, STARTED = 2, 1  # cards of each kind


@dataclass(frozen=True)
class Truth:
    """What answers are drawn from: differences between the arms by scale (or item that belongs to none) and wave, in points
    of a 5-point answer; the fidelity of reviews by arm, appreciative or not."""

    effect: Mapping[tuple[str, str], float]
    fidelity: Mapping[bool, float]


TRUTH = Truth(TRUE_EFFECT, FIDELITY)


@dataclass(frozen=True)
class Asked:
    """One questionnaire someone was asked to answer, with all that decides how they answer it."""

    assignment: Assignment
    place: Membership
    review: Review | None
    site: Site
    wave: str
    appreciative: bool


def make(folder: Path, settings_url: str, vault: Vault, *, base_url: str, now: datetime) -> dict[str, Any]:
    """Build the demonstration trial in an empty database and write `demo.json` into `folder`; returns what it wrote."""
    engine = db.make_engine(settings_url)
    schema.upgrade(engine)
    rng = np.random.default_rng(SEED)
    with db.writing(engine) as session:
        trial = _trial(session, now)
        staff = _staff(session, now)
        _sites(session, trial, rng, now)
        _rules(session, trial, next(user.id for user, role, _ in staff if role == "coordinator"))
        _answer(session, trial, vault, rng, now.astimezone(LONDON).date())
        participants = list(_cards(session, trial, vault, base_url, now))
        evaluator = next(user for user, role, _ in staff if role == "evaluator")
        releases.publish(session, trial, actor=evaluator.id, now=now)
        session.commit()
    engine.dispose()
    written = {
        "base_url": base_url,
        "trial": SLUG,
        "staff": [
            {"role": role, "email": user.email, "password": password, "totp_secret": None}
            for user, role, password in staff
        ],
        "participants": participants,
    }
    path = folder / "demo.json"
    path.touch(mode=0o600, exist_ok=True)
    path.write_text(json.dumps(written, indent=1))
    return written


def _trial(session: Session, now: datetime) -> Trial:
    return roster.add_trial(
        session, SLUG, "Demonstration trial", kind="demo", design="randomised", planned_sites=24,
        plan=roster.usual_plan(design="randomised", planned_sites=24),
        targets={"sites": 24, "reviews": 96, "practitioners": 700, "parents": 120, "weeks": 60},
        results_open_at=now - timedelta(days=1), starts_on=(now - timedelta(days=420)).date(),
    )  # fmt: skip


def _staff(session: Session, now: datetime) -> list[tuple[Any, str, str]]:
    made = []
    for role in ("admin", "evaluator", "coordinator", "funder"):
        password = "-".join(secrets.token_hex(3) for _ in range(4))
        made.append((accounts.create(session, f"{role}@example.org", role, password, now=now), role, password))
    return made


# Sites joined one after another: how many stand where today, and when the first review of each began (days from today).
STAGES = (
    (16, (-330, -150)),  # all done, three months after the review included
    (2, (-364, -358)),  # answering a year after
    (2, (-100, -98)),  # answering three months after
    (2, (-9, -8)),  # answering just after
    (2, (6, 8)),  # answering before; their group is not known yet
)


JOINED_BEFORE = timedelta(days=45)  # so that the last to join are still answering for their site


def _sites(session: Session, trial: Trial, rng: np.random.Generator, now: datetime) -> None:
    """24 sites allocated 12 and 12, each with 3 to 5 reviews begun within days of each other.

    A site learns its group on the morning of its first review, after everyone's first questionnaire: so those are
    a clean starting point.
    """
    arms = session.scalars(select(Arm).where(Arm.trial_id == trial.id).order_by(Arm.position)).all()
    today = now.astimezone(LONDON).date()
    places = iter(PLACES)
    for sites, (earliest, latest) in STAGES:
        for arm in rng.permutation([0, 1] * (sites // 2)):
            place = next(places)
            nation = "wales" if place in WELSH else "scotland" if place in SCOTTISH else "england"
            first_day = today + timedelta(days=int(rng.integers(earliest, latest + 1)))
            site = Site(trial_id=trial.id, name=place, nation=nation, joined_on=first_day - JOINED_BEFORE)
            session.add(site)
            session.flush()
            morning = datetime.combine(first_day, time(8), LONDON)
            roster.allocate(
                session, site, arms[int(arm)], scheme="complete", actor="system",
                now=now, drawn_at=now - timedelta(days=400), revealed_at=morning,
            )  # fmt: skip
            for role in AT_A_SITE:
                roster.add_person(session, site, role, agency=str(rng.choice(AGENCIES)), level="senior manager")
            under_way = latest > -150
            for count in range(int(rng.integers(3, 6))):
                start = first_day + timedelta(days=count)
                outcome = OUTCOMES.get(count) if under_way or latest < -330 else None
                _review(session, site, f"Review {count + 1}", start, rng, now, arms[int(arm)].is_treatment, outcome)


# Where people answer today there is a review of each kind, so that every questionnaire can be tried.
OUTCOMES = {0: "no_harm", 1: "death", 2: "harm"}


def _review(
    session: Session, site: Site, label: str, start: date, rng: np.random.Generator, now: datetime, appreciative: bool,
    outcome: str | None,
) -> None:  # fmt: skip
    today = now.astimezone(LONDON).date()

    def days(between: tuple[int, int]) -> int:
        return int(rng.integers(between[0], between[1] + 1))

    to_try = outcome is not None
    outcome = outcome or str(rng.choice(["no_harm", "harm", "death"], p=[0.4, 0.45, 0.15]))
    ends = start + timedelta(days=int(rng.integers(1, 3)))
    review = Review(
        site_id=site.id, label=label, starts_on=start, ends_on=ends, outcome=outcome, statutory=outcome == "death",
        review_type="local learning review", trigger=str(rng.choice(TRIGGERS[outcome])), model_version="1",
        triggered_on=start - timedelta(days=days(WAITED[appreciative])),
    )  # fmt: skip
    if ends < today:
        review.contact_days = days(CONTACT[appreciative])
        report = ends + timedelta(days=days(WRITTEN[appreciative]))
        review.reported_on = report if report <= today else None
    session.add(review)
    session.flush()
    for _ in range(int(rng.integers(5, 10))):
        roster.add_person(session, review, "practitioner", agency=str(rng.choice(AGENCIES)), level="front line")
    for _ in range(int(rng.integers(1, 3))):
        roster.add_person(session, review, "manager", agency=str(rng.choice(AGENCIES)), level="manager")
    for _ in range(int(rng.integers(1, 3))):
        roster.add_person(session, review, "leader", agency=str(rng.choice(AGENCIES)), level="board or partnership")
    _family(session, review, rng, now, to_try=to_try)
    roster.add_person(session, review, "facilitator")
    if to_try or rng.random() < OBSERVED:
        roster.add_person(session, review, "observer")


def _family(session: Session, review: Review, rng: np.random.Generator, now: datetime, *, to_try: bool) -> None:
    """Parents, some in easy read, and now and then a young person. After a death a named lead decides who may be asked."""
    for number in range(4 if to_try else int(rng.integers(1, 3))):
        easy = number >= 2 or (not to_try and rng.random() < EASY_READ)
        place = roster.add_person(session, review, "parent", form="easy_read" if easy else "standard")
        reason = None
        if review.outcome == "death" and not (to_try or rng.random() < 0.5):
            reason = str(rng.choice(NOT_INVITED))
        first = review.ends_on if review.outcome == "death" else review.triggered_on
        day = datetime.combine(first or now.date(), time(9), LONDON)
        gate = roster.Gate(reason != "not_safe", reason != "not_lawful", reason != "not_kind_now", _other(reason))
        roster.decide(session, place, gate, actor="system", now=min(day, now))
    if review.outcome != "death" and (to_try or rng.random() < 0.25):
        for _ in range(2 if to_try else 1):
            roster.add_person(session, review, "young_person")


def _rules(session: Session, trial: Trial, lead_id: str) -> None:
    """The coordinator is every site's lead; young people decide for themselves, so that each card can be tried alone."""
    for site_id in session.scalars(select(Site.id).where(Site.trial_id == trial.id)).all():
        session.add(SiteRules(site_id=site_id, lead_id=lead_id, young_people="never"))
    session.flush()


def _other(reason: str | None) -> str | None:
    """A reason that is none of a lead's three answers."""
    return None if reason in {"not_safe", "not_lawful", "not_kind_now"} else reason


def _asked(session: Session, trial: Trial) -> Iterator[Asked]:
    treatment = {arm.id for arm in session.scalars(select(Arm).where(Arm.trial_id == trial.id, Arm.is_treatment))}
    query = (
        select(Assignment, Membership, Review, Site, Wave.code, Allocation.arm_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Site, Site.id == Membership.site_id)
        .outerjoin(Review, Review.id == Membership.review_id)
        .join(Allocation, Allocation.site_id == Site.id)
        .where(Site.trial_id == trial.id)
        .order_by(Wave.position, Assignment.instrument)
    )
    everyone: dict[str, list[Asked]] = {}
    for assignment, place, review, site, wave, arm_id in session.execute(query):
        everyone.setdefault(place.id, []).append(Asked(assignment, place, review, site, wave, arm_id in treatment))

    def order(of_one: list[Asked]) -> tuple[object, ...]:
        """Ids are random: only people who are asked the same things may change places, so that the answers stay the same."""
        asked = of_one[0]
        label = asked.review.label if asked.review else ""
        return asked.site.name, label, asked.place.role, [one.assignment.instrument for one in of_one], asked.place.id

    for of_one in sorted(everyone.values(), key=order):
        yield from of_one


def _answer(session: Session, trial: Trial, vault: Vault, rng: np.random.Generator, today: date) -> None:
    """Everyone who would have answered by now answers, through the same functions as a participant's pages."""
    levels: dict[tuple[str, str], float] = {}

    def level(kind: str, key: str, sd: float) -> float:
        if (kind, key) not in levels:
            levels[kind, key] = float(rng.normal(0, sd))
        return levels[kind, key]

    for asked in list(_asked(session, trial)):
        answers_on = asked.assignment.opens_on + timedelta(days=int(rng.integers(1, 7)))
        wants_to = rng.random() < TURNOUT[asked.place.role][asked.wave]
        if not wants_to or asked.assignment.closes_on >= today:
            continue
        mood = (
            level("site", asked.site.id, SITE_SD)
            + (level("review", asked.review.id, REVIEW_SD) if asked.review else 0.0)
            + level("person", asked.place.id, PERSON_SD)
        )
        _fill(session, asked, mood, vault, rng, min(answers_on, asked.assignment.closes_on))


def _fill(session: Session, asked: Asked, mood: float, vault: Vault, rng: np.random.Generator, day: date) -> None:
    language = "cy" if asked.site.name in WELSH and rng.random() < 0.3 else "en"
    response = responses.begin(
        session, asked.assignment.id, language=language, mode="own_link",
        consent_version=_told(asked, language), agreed=bool(rng.random() > 0.02), today=day,
    )  # fmt: skip
    if response.state == "declined":
        return
    instrument = responses.instrument_of(response)
    given = given_by(instrument, asked, mood, rng)
    responses.save(session, response.id, given, vault=vault)
    basis = responses.basis_of(session, response.id, [item.code for item in instrument.items], vault=vault)
    responses.submit(session, response.id, vault=vault, today=day, basis=basis)


def _told(asked: Asked, language: str) -> str:
    """The name of what somebody was told before they said yes or no."""
    return consents.information(asked.place.role, language, drafts=True).name(asked.place.role, asked.site.nation)


def given_by(
    instrument: Instrument, asked: Asked, mood: float, rng: np.random.Generator, truth: Truth = TRUTH
) -> dict[str, Given]:
    """Answers to a questionnaire as somebody in this place and mood would give them."""
    scales: Mapping[str, Scale] = {
        code: scale for scale in instrument.scales if scale.part_of is None for code in scale.items
    }
    tilt = {scale.code: float(rng.normal(0, 0.3)) for scale in instrument.scales}
    given: dict[str, Given] = {}
    for item in instrument.items:
        if item.kind == "information":
            continue
        if item.show_if is not None and item not in visible(instrument, responses.values_of(given)):
            continue
        chance = rng.random()
        if chance < 0.015 and item.refusals:
            given[item.code] = Given(reason=item.refusals[int(rng.integers(len(item.refusals)))])
        elif chance < 0.03:
            given[item.code] = Given()
        else:
            given[item.code] = Given(_value(item, scales.get(item.code), asked, mood, tilt, rng, truth))
    return given


def _value(
    item: Item,
    scale: Scale | None,
    asked: Asked,
    mood: float,
    tilt: Mapping[str, float],
    rng: np.random.Generator,
    truth: Truth,
) -> Any:
    if asked.place.role in SAID and item.code != "TXT1":
        return _watched(item.code, asked, mood, rng, truth)
    if item.kind in {"agreement", "faces", "pictures", "rating"}:
        lowest, highest = int(item.codes[0]), int(item.codes[-1])
        code = scale.code if scale else item.code
        effect = truth.effect.get((code, asked.wave), 0.0) if asked.appreciative else 0.0
        leaning = -mood if code.startswith("HARM") else mood
        centre = USUAL.get(code, 3.3) + effect + leaning + tilt.get(code, 0.0)
        wanted = lowest + (centre - 1) / 4 * (highest - lowest) + rng.normal(0, ITEM_SD)
        if scale is not None and item.code in scale.reversed:
            wanted = lowest + highest - wanted
        return int(np.clip(round(wanted), lowest, highest))
    if item.kind in {"single", "yes_no"}:
        return item.codes[int(rng.integers(len(item.codes)))]
    if item.kind == "several":
        return [code for code in item.codes if rng.random() < 0.4] or [item.codes[0]]
    if item.kind == "number":
        low = float(item.minimum or 0)  # type: ignore[arg-type]
        high = float(item.maximum if item.maximum is not None else low + 30)  # type: ignore[arg-type]
        return int(rng.integers(int(low), int(min(high, low + 30)) + 1))
    return None


def _watched(code: str, asked: Asked, mood: float, rng: np.random.Generator, truth: Truth) -> Any:
    """What a facilitator or an observer says was there."""
    if code == "NEWIDEA":
        return "yes" if rng.random() < NEW_IDEA[asked.appreciative] else "no"
    if code == "OWNACT":
        return int(rng.poisson(OWN_ACTS[asked.appreciative]))
    tilt = 0.0 if asked.appreciative else PARTS.get(code, 0.0)
    share = truth.fidelity[asked.appreciative] + SAID[asked.place.role] + tilt + 0.08 * mood
    return int(rng.binomial(2, np.clip(share, 0.02, 0.98)))


def _cards(session: Session, trial: Trial, vault: Vault, base_url: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Cards for people who can answer today: of each role and questionnaire two new, and one with a page already saved."""
    today = now.astimezone(LONDON).date()
    taken: dict[tuple[str, str], int] = {}
    met: set[str] = set()  # a code leads to what comes first for a person
    for asked in list(_asked(session, trial)):
        kind = (asked.place.role, asked.assignment.instrument)
        is_open = asked.assignment.opens_on <= today <= asked.assignment.closes_on
        if not is_open or asked.place.person_id in met:
            continue
        met.add(asked.place.person_id)
        if taken.get(kind, 0) == NEW + STARTED or responses.of_assignment(session, asked.assignment.id):
            continue
        taken[kind] = taken.get(kind, 0) + 1
        code = roster.issue_card(session, asked.place.person_id, vault=vault, actor="system", now=now)
        started = taken[kind] > NEW
        if started:
            _start(session, asked, vault, today)
        yield {
            "code": str(code), "link": f"{base_url}/j#{code}", "role": asked.place.role, "site": asked.site.name,
            "review": asked.review.label if asked.review else None, "wave": asked.wave,
            "instrument": asked.assignment.instrument, "state": "started" if started else "new",
        }  # fmt: skip


def _start(session: Session, asked: Asked, vault: Vault, today: date) -> None:
    response = responses.begin(
        session,
        asked.assignment.id,
        language="en",
        mode="own_link",
        consent_version=_told(asked, "en"),
        agreed=True,
        today=today,
    )
    first = next(page for page in responses.instrument_of(response).pages if page.items)
    kinds = {item.code: item for item in responses.instrument_of(response).items}
    page = [kinds[code] for code in first.items if kinds[code].kind != "information"]
    responses.save(
        session,
        response.id,
        {item.code: Given(item.codes[0] if item.codes else None) for item in page},
        vault=vault,
    )
