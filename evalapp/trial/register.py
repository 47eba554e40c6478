"""Setting a trial up by hand: trials, sites, reviews, people and their cards, each addition on the record."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from evalapp import audit, roster
from evalapp.accounts import NotAccepted
from evalapp.models import (
    Allocation,
    Arm,
    Assignment,
    Card,
    InvitationDecision,
    Membership,
    ParentalConsent,
    Person,
    Review,
    Site,
    StaffUser,
    Trial,
    Wave,
)
from evalapp.vault import Vault


@dataclass(frozen=True)
class Place:
    """One person's place in a review as a coordinator sees it: nothing here tells who answered."""

    person_id: str
    role: str
    agency: str | None
    level: str | None
    form: str
    card_id: str | None
    membership_id: str


@dataclass(frozen=True)
class NewCard:
    """A person and their new code, shown once."""

    person_id: str
    role: str
    agency: str | None
    level: str | None
    code: str


def start_trial(session: Session, title: str, design: str, planned_sites: int, *, actor: str, now: datetime) -> Trial:
    """A trial with the usual two arms, waves and plan; NotAccepted when the title is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "trial"
    if session.scalar(select(Trial.id).where(Trial.slug == slug)) is not None:
        raise NotAccepted("There is a trial with this title already.")
    plan = roster.usual_plan(design=design, planned_sites=planned_sites)
    trial = roster.add_trial(
        session, slug, title, design=design, planned_sites=planned_sites, plan=plan, starts_on=now.date()
    )
    audit.record(session, actor, "trial started", f"trial {trial.id}", now=now, design=design)
    return trial


def add_site(
    session: Session, trial: Trial, name: str, nation: str, joined_on: date | None, *, actor: str, now: datetime
) -> Site:
    """A site of a trial; NotAccepted when its name is taken, however it is spelt in capitals."""
    taken = select(Site.id).where(Site.trial_id == trial.id, func.lower(Site.name) == name.lower())
    if session.scalar(taken) is not None:
        raise NotAccepted("There is a site with this name already.")
    site = Site(trial_id=trial.id, name=name, nation=nation, joined_on=joined_on)
    session.add(site)
    session.flush()
    audit.record(session, actor, "site added", f"site {site.id}", now=now, nation=nation)
    return site


def add_review(session: Session, site: Site, label: str, *, actor: str, now: datetime, **facts: object) -> Review:
    """A review at a site; NotAccepted when its short name is taken there."""
    taken = select(Review.id).where(Review.site_id == site.id, func.lower(Review.label) == label.lower())
    if session.scalar(taken) is not None:
        raise NotAccepted("This site has a review with this name already.")
    review = Review(site_id=site.id, label=label, **facts)
    session.add(review)
    session.flush()
    audit.record(session, actor, "review added", f"review {review.id}", now=now)
    return review


def add_people(
    session: Session, where: Review | Site, role: str, agency: str | None, level: str | None, form: str, number: int,
    *, vault: Vault, actor: str, now: datetime,
) -> list[NewCard]:  # fmt: skip
    """New people in a review, or at a site outside its reviews, each with a card of their own.

    Parents get theirs once a named lead has decided that they may be asked.
    """
    cards = []
    for _ in range(number):
        place = roster.add_person(session, where, role, agency=agency, level=level, form=form)
        audit.record(session, actor, "person added", f"membership {place.id}", now=now, role=role)
        if not roster.may_have_card(session, place.person_id):
            continue
        code = roster.issue_card(session, place.person_id, vault=vault, actor=actor, now=now)
        cards.append(NewCard(place.person_id, role, agency, level, str(code)))
    return cards


def add_known_person(
    session: Session, review: Review, typed: str, role: str, agency: str | None, level: str | None, form: str,
    *, actor: str, now: datetime,
) -> None:  # fmt: skip
    """A place in a further review for someone already in the trial: they keep their card, and are counted once."""
    site = session.get_one(Site, review.site_id)
    person = session.get(Person, re.sub(r"[\s–-]", "", typed).lower())
    if person is None or person.trial_id != site.trial_id:
        raise NotAccepted("Nobody in this trial has this number. It stands beside each person in their review.")
    taken = select(Membership.id).where(Membership.person_id == person.id, Membership.review_id == review.id)
    if session.scalar(taken) is not None:
        raise NotAccepted("This person is in this review already.")
    place = roster.add_person(session, review, role, agency=agency, level=level, person=person, form=form)
    audit.record(session, actor, "person added", f"membership {place.id}", now=now, role=role)


def replace_card(
    session: Session, place: Place, seen: str | None, *, vault: Vault, actor: str, now: datetime
) -> NewCard:
    """A new card for a person; their old one stops working.

    `seen` is the card in force when the page was shown. NotAccepted when there is another by now: a page sent
    twice must not silently end the card that was just written down.
    """
    if place.card_id != seen:
        raise NotAccepted(
            "This person was given a new card since you opened the page. Give another only if it is lost."
        )
    try:
        code = roster.issue_card(session, place.person_id, vault=vault, actor=actor, now=now)
    except roster.NotInvited:
        raise NotAccepted(
            "A named lead decides first whether this parent may be asked. Then they get a card."
        ) from None
    return NewCard(place.person_id, place.role, place.agency, place.level, str(code))


def places(session: Session, where: Review | Site) -> list[Place]:
    """Everyone expected in a review, or at a site outside its reviews, by role, agency and level, then in no order that
    means anything."""
    card = select(Card.person_id, func.max(Card.id).label("id")).where(Card.revoked_at.is_(None))
    live = card.group_by(Card.person_id).subquery()
    rows = session.execute(
        select(
            Membership.person_id, Membership.role, Membership.agency, Membership.level, Membership.form, live.c.id,
            Membership.id,
        )
        .outerjoin(live, live.c.person_id == Membership.person_id)
        .where(_within(where))
        .order_by(Membership.role, Membership.agency, Membership.level, Membership.person_id)
    )  # fmt: skip
    return [Place(*row) for row in rows]


def decisions(session: Session, review: Review) -> dict[str, InvitationDecision]:
    """The decision that holds on each place of a review on which somebody decided, by place."""
    rows = session.scalars(
        select(InvitationDecision)
        .join(Membership, Membership.id == InvitationDecision.membership_id)
        .where(Membership.review_id == review.id)
        .order_by(InvitationDecision.number)
    )
    return {one.membership_id: one for one in rows}  # the last of each place stays


def set_rules(
    session: Session, site: Site, lead_id: str | None, young_people: str, *, actor: str, now: datetime
) -> None:
    """Name who decides at a site, and when its young people need a parent's yes."""
    rules = roster.rules_of(session, site.id)
    rules.lead_id, rules.young_people = lead_id, young_people
    session.add(rules)
    session.flush()
    audit.record(session, actor, "site rules set", f"site {site.id}", now=now, lead=lead_id, young_people=young_people)


def leads(session: Session) -> list[StaffUser]:
    """Who can be named a site's lead: staff with an open account who may decide."""
    return list(
        session.scalars(
            select(StaffUser)
            .where(StaffUser.role.in_(("admin", "coordinator")), StaffUser.disabled_at.is_(None))
            .order_by(StaffUser.email)
        )
    )


def set_terms(
    session: Session,
    trial: Trial,
    contact: str | None,
    locks_on: date | None,
    *,
    actor: str,
    now: datetime,
    today: date,
) -> None:
    """Say whom people may ask, and from which day answers are locked. What people were told is never cut short.

    NotAccepted for a day that has passed, one before the day people were told, or a day taken back.
    """
    if locks_on != trial.locks_on:
        if trial.locks_on is not None and (locks_on is None or locks_on < trial.locks_on):
            raise NotAccepted(f"People were told they have until {trial.locks_on:%-d %B %Y}. It can only be later.")
        if locks_on is not None and locks_on <= today:
            raise NotAccepted("The day must be in the future, so that people have time to change their mind.")
    trial.contact, trial.locks_on = contact, locks_on
    session.flush()
    day = None if locks_on is None else locks_on.isoformat()
    audit.record(session, actor, "terms set", f"trial {trial.id}", now=now, locks_on=day)


def invited_in(session: Session, review: Review) -> list[Place]:
    """The families of a review who may be asked, by what was decided."""
    return [
        place
        for place in places(session, review)
        if place.role in roster.FAMILY
        and roster.is_invited(session, session.get_one(Membership, place.membership_id), review)
    ]


def change_facts(session: Session, review: Review, facts: dict[str, Any], *, actor: str, now: datetime) -> None:
    """Record what became known of a review, and bring what its people are asked into line."""
    changed = sorted(name for name, value in facts.items() if getattr(review, name) != value)
    for name in changed:
        setattr(review, name, facts[name])
    session.flush()
    if "outcome" in changed:
        for place in session.scalars(select(Membership).where(Membership.review_id == review.id)).all():
            roster.assign(session, place)
    audit.record(session, actor, "review changed", f"review {review.id}", now=now, changed=changed)


def reviews_of(session: Session, site_ids: list[str]) -> dict[str, list[tuple[Review, int]]]:
    """The reviews of some sites by site, each with how many people are expected."""
    expected = select(Membership.review_id, func.count().label("people")).group_by(Membership.review_id).subquery()
    rows = session.execute(
        select(Review, func.coalesce(expected.c.people, 0))
        .outerjoin(expected, expected.c.review_id == Review.id)
        .where(Review.site_id.in_(site_ids))
        .order_by(Review.starts_on, Review.label)
    )
    found: dict[str, list[tuple[Review, int]]] = {site_id: [] for site_id in site_ids}
    for review, people in rows:
        found[review.site_id].append((review, people))
    return found


def people_at(session: Session, site_ids: list[str]) -> dict[str, int]:
    """How many answer for each site outside its reviews; sites with nobody are left out."""
    rows = session.execute(
        select(Membership.site_id, func.count())
        .where(Membership.site_id.in_(site_ids), Membership.review_id.is_(None))
        .group_by(Membership.site_id)
    )
    return {site_id: people for site_id, people in rows}  # noqa: C416  (pairs, to mypy)


def sites_of(session: Session, trial_id: str) -> list[Site]:
    return list(session.scalars(select(Site).where(Site.trial_id == trial_id).order_by(Site.name)))


def allocations_of(session: Session, trial_id: str) -> dict[str, tuple[Allocation, Arm]]:
    """What each allocated site was given, by site."""
    rows = session.execute(
        select(Allocation, Arm).join(Arm, Arm.id == Allocation.arm_id).where(Arm.trial_id == trial_id)
    )
    return {allocation.site_id: (allocation, arm) for allocation, arm in rows}


def linked(session: Session, review: Review) -> dict[str, list[str]]:
    """The parents (by person number) asked about each young person of a review (by place); never what they said."""
    young, parent = aliased(Membership), aliased(Membership)
    rows = session.execute(
        select(ParentalConsent.young_id, parent.person_id)
        .join(young, young.id == ParentalConsent.young_id)
        .join(parent, parent.id == ParentalConsent.parent_id)
        .where(young.review_id == review.id)
        .order_by(parent.person_id)
    )
    found: dict[str, list[str]] = {}
    for young_id, person_id in rows:
        found.setdefault(young_id, []).append(person_id)
    return found


def windows_of(session: Session, where: Review | Site) -> list[tuple[str, date, date]]:
    """When the people of a review, or of a site outside its reviews, are asked: wave, first and last day, in order."""
    rows = session.execute(
        select(Wave.code, func.min(Assignment.opens_on), func.max(Assignment.closes_on))
        .join(Assignment, Assignment.wave_id == Wave.id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .where(_within(where))
        .group_by(Wave.code, Wave.position)
        .order_by(Wave.position)
    )
    return [(code, opens, closes) for code, opens, closes in rows]


def _within(where: Review | Site) -> ColumnElement[bool]:
    """Places in a review, or at a site outside its reviews."""
    if isinstance(where, Site):
        return (Membership.site_id == where.id) & Membership.review_id.is_(None)
    return Membership.review_id == where.id
