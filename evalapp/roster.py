"""Who is expected: sites, reviews, people, their places in reviews, their cards and what each is asked to answer."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from evalapp import audit
from evalapp.codes import Code, hash_secret, new_code
from evalapp.models import (
    Allocation,
    Arm,
    Assignment,
    Card,
    Membership,
    ParticipantSession,
    Person,
    Review,
    Site,
    Trial,
    Wave,
)
from evalapp.shelf import shelf
from evalapp.vault import Vault
from instruments import Instrument

GRACE = timedelta(days=30)  # how long after the last window a card still opens the door


@dataclass(frozen=True)
class Window:
    """A wave's window in days from a review's start or end, both days included."""

    code: str
    anchor: str
    opens_day: int
    closes_day: int


# "Before" ends the day before the first day, so that nothing of the review is in it.
USUAL_WAVES = (
    Window("before", "start", -28, -1),
    Window("after", "end", 0, 7),
    Window("month3", "end", 76, 118),
)


_WORK = ("practitioner", "manager")
# (code, label, scale, wave, baseline wave, roles): the first decides. A scale whose wording points at something else
# before and after has no baseline here: only the arms are compared. Worthwhile: 8 points of 100 (0.4 SD).
_USUAL_OUTCOMES = (
    ("blame", "Freedom from blame", "BLG", "month3", "before", _WORK),
    ("morale", "Morale", "MOR", "month3", "before", _WORK),
    ("review-blame", "Freedom from blame in this review", "BLR", "after", None, _WORK),
    ("affirmed", "Parents affirmed", "AFF", "after", None, ("parent",)),
    ("candour", "Hard things talked about", "CAN", "after", None, _WORK),
)
# (code, label, items, reply, roles, higher is better): shares of people, the harms as plainly as the benefits.
_USUAL_SHARES = (
    ("all-four", "Parents who were recognised, affirmed, built upon and heard", ("AFF1", "AFF2", "AFF3", "VOI2"), "agree",
     ("parent",), True),
    ("failure", "Parents who felt like a failure", ("HARM1",), "agree", ("parent",), False),
    ("blamed", "Parents who felt blamed", ("HARM2",), "agree", ("parent",), False),
    ("unsafe", "Parents who did not feel safe to speak", ("RSP3",), "disagree", ("parent",), False),
    ("avoided", "Professionals who say hard things were steered around", ("CAN3",), "agree", _WORK, False),
    ("smaller", "Professionals who left feeling smaller", ("TALL1",), "disagree", _WORK, False),
)  # fmt: skip
# (code, label, process, higher is better; None where it only tells whether the groups were reviewed in different ways).
_USUAL_PROCESSES = (
    ("fidelity", "Fidelity to the appreciative way", "fidelity", None),
    ("high-fidelity", "Reviews of high fidelity", "high_fidelity", None),
    ("contact-days", "Days on which people met", "contact_days", None),
    ("days-to-report", "The time from trigger to report", "days_to_report", False),
    ("new-idea", "Reviews that brought a new idea", "new_idea", True),
    ("own-actions", "Actions begun without being told", "own_actions", True),
)


def usual_plan(*, design: str, planned_sites: int) -> dict[str, Any]:
    """The plan a trial starts with, as data for `analysis.plan`: freedom from blame at three months decides."""
    outcomes = [
        {
            "code": code, "label": label, "scale": scale, "wave": wave, "baseline_wave": baseline, "roles": list(roles),
            "minimum": 0, "maximum": 100, "higher_is_better": True, "smallest_worthwhile": 8, "primary": place == 0,
        }
        for place, (code, label, scale, wave, baseline, roles) in enumerate(_USUAL_OUTCOMES)
    ]  # fmt: skip
    outcomes += [
        {
            "code": code, "label": label, "kind": "share", "items": list(items), "reply": reply, "wave": "after",
            "roles": list(roles), "higher_is_better": better, "smallest_worthwhile": 10,
        }
        for code, label, items, reply, roles, better in _USUAL_SHARES
    ]  # fmt: skip
    outcomes += [
        {"code": code, "label": label, "kind": "process", "scale": process, "wave": "after", "higher_is_better": better}
        for code, label, process, better in _USUAL_PROCESSES
    ]
    return {
        "design": design, "planned_sites": planned_sites, "alpha": 0.05, "level": 0.95, "seed": 1, "outcomes": outcomes,
    }  # fmt: skip


def add_trial(
    session: Session,
    slug: str,
    title: str,
    *,
    arms: tuple[tuple[str, str], tuple[str, str]] = (
        ("appreciative", "Appreciative"),
        ("traditional", "Traditional"),
    ),
    waves: tuple[Window, ...] = USUAL_WAVES,
    **facts: object,
) -> Trial:
    """A trial with its two arms (code, label; the first is the treatment) and its waves."""
    trial = Trial(slug=slug, title=title, **facts)
    session.add(trial)
    session.flush()
    for position, (code, label) in enumerate(arms):
        session.add(Arm(trial_id=trial.id, code=code, label=label, is_treatment=position == 0, position=position))
    for position, wave in enumerate(waves):
        session.add(
            Wave(
                trial_id=trial.id, code=wave.code, position=position, anchor=wave.anchor,
                opens_day=wave.opens_day, closes_day=wave.closes_day,
            )
        )  # fmt: skip
    session.flush()
    return trial


def allocate(
    session: Session,
    site: Site,
    arm: Arm,
    *,
    scheme: str,
    actor: str,
    now: datetime,
    stratum: str | None = None,
    drawn_at: datetime | None = None,
    revealed_at: datetime | None = None,
) -> None:
    """Record which arm a site was given. Recorded once: the table refuses a change.

    `drawn_at` is when the draw was made, when that was before it is recorded here; `revealed_at` when the site
    learns of it, when that is another moment. First answers given before then are a clean starting point.
    """
    session.add(
        Allocation(
            site_id=site.id, arm_id=arm.id, scheme=scheme, stratum=stratum,
            allocated_at=drawn_at or now, revealed_at=revealed_at or now,
        )
    )  # fmt: skip
    audit.record(session, actor, "site allocated", f"site {site.id}", now=now, scheme=scheme)


def add_person(
    session: Session, review: Review, role: str, *, agency: str | None = None, level: str | None = None,
    person: Person | None = None,
) -> Membership:  # fmt: skip
    """Someone's place in a review (a new person, or one already in the trial), with what their role is asked to answer.

    A questionnaire is assigned for each wave of the trial that has one for the role and whose anchor date the review has.
    """
    site = session.get_one(Site, review.site_id)
    if person is None:
        person = Person(trial_id=site.trial_id)
        session.add(person)
        session.flush()
    place = Membership(person_id=person.id, review_id=review.id, role=role, agency=agency, level=level)
    session.add(place)
    session.flush()
    for wave in session.scalars(select(Wave).where(Wave.trial_id == site.trial_id).order_by(Wave.position)):
        anchor = review.starts_on if wave.anchor == "start" else review.ends_on
        if anchor is None:
            continue
        opens, closes = (anchor + timedelta(days=day) for day in (wave.opens_day, wave.closes_day))
        for instrument in questionnaires(role, wave.code, review):
            session.add(
                Assignment(
                    membership_id=place.id, wave_id=wave.id, instrument=instrument.name, version=instrument.version,
                    opens_on=opens, closes_on=closes,
                )
            )  # fmt: skip
    session.flush()
    return place


def questionnaires(role: str, wave: str, review: Review) -> tuple[Instrument, ...]:
    """What a role is asked at a wave of a review; what must never be asked after a death is left out there."""
    asked = shelf().for_role_and_wave(role, wave)
    return tuple(one for one in asked if one.asked and not (one.not_after_death and review.outcome == "death"))


def issue_card(session: Session, person_id: str, *, vault: Vault, actor: str, now: datetime) -> Code:
    """A new code for a person; any earlier card of theirs stops working, and visits opened with it end.

    The code is returned once and never kept.
    """
    session.execute(delete(ParticipantSession).where(ParticipantSession.person_id == person_id))
    for card in session.scalars(select(Card).where(Card.person_id == person_id, Card.revoked_at.is_(None))):
        card.revoked_at = now
    while True:
        code = new_code()
        if session.scalar(select(Card.id).where(Card.selector == code.selector)) is None:
            break
    session.add(Card(person_id=person_id, selector=code.selector, secret_hash=hash_secret(code, vault)))
    try:
        session.flush()
    except IntegrityError as error:  # two cards drew one selector at the same moment
        raise RuntimeError("could not make a new card just now; try again") from error
    audit.record(session, actor, "card issued", f"person {person_id}", now=now)
    return code


def card_ends_on(session: Session, person_id: str) -> date | None:
    """The last day a person's card opens the door: thirty days after their last window. None without any questionnaire."""
    last = session.scalar(
        select(Assignment.closes_on)
        .join(Membership, Membership.id == Assignment.membership_id)
        .where(Membership.person_id == person_id)
        .order_by(Assignment.closes_on.desc())
        .limit(1)
    )
    return None if last is None else last + GRACE
