"""Making what a test needs, with a verb and defaults."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import accounts, responses, roster
from evalapp.codes import Code
from evalapp.models import Arm, Assignment, Membership, Response, Review, Site, StaffUser, Trial, Wave
from evalapp.responses import Given
from evalapp.vault import Vault
from instruments import visible
from tests.conftest import NOW

PASSWORD = "seven green kettles sing"


def trial(session: Session, slug: str = "trial", **facts: Any) -> Trial:
    """A trial whose results are open, unless told otherwise."""
    facts = {"kind": "demo", "planned_sites": 24, "results_open_at": NOW - timedelta(days=1), **facts}
    return roster.add_trial(session, slug, facts.pop("title", "A trial"), **facts)


def site(
    session: Session, of: Trial, name: str = "Northtown", *, arm: str | None = None, nation: str = "england",
    joined_on: date | None = None, scheme: str = "complete",
) -> Site:  # fmt: skip
    """A site, allocated when an arm's code is given."""
    made = Site(trial_id=of.id, name=name, nation=nation, joined_on=joined_on)
    session.add(made)
    session.flush()
    if arm is not None:
        found = session.scalars(select(Arm).where(Arm.trial_id == of.id, Arm.code == arm)).one()
        roster.allocate(session, made, found, scheme=scheme, actor="system", now=NOW)
    return made


def review(
    session: Session,
    at: Site,
    label: str = "Review 1",
    *,
    starts_on: date = date(2026, 3, 10),
    days: int = 2,
    **facts: Any,
) -> Review:
    """A review; by default it starts in eight days, so that "before" is open."""
    facts = {"ends_on": starts_on + timedelta(days=days - 1), **facts}
    made = Review(site_id=at.id, label=label, starts_on=starts_on, **facts)
    session.add(made)
    session.flush()
    return made


def person(
    session: Session, of: Review | Site, role: str = "practitioner", *, invited: bool | None = None, **facts: Any
) -> Membership:
    """Someone in a review, or (given a site) someone who answers for it outside its reviews.

    A parent may be asked unless `invited` is False or someone died; then nobody has decided.
    """
    place = roster.add_person(session, of, role, **facts)
    if invited is None:
        invited = role in roster.GATED and isinstance(of, Review) and of.outcome != "death"
    if invited:
        roster.decide(session, place, roster.Gate(True, True, True), actor="lead", now=NOW)
    return place


def card(session: Session, of: Membership, vault: Vault, *, now: datetime = NOW) -> Code:
    return roster.issue_card(session, of.person_id, vault=vault, actor="system", now=now)


def assignment(session: Session, of: Membership, wave: str = "before") -> Assignment:
    """What a person is asked at a wave."""
    query = select(Assignment).join(Wave, Wave.id == Assignment.wave_id)
    return session.scalars(query.where(Assignment.membership_id == of.id, Wave.code == wave)).one()


def assignment_of(session: Session, of: Membership, wave: str) -> Assignment:
    """What a person is asked first at a wave that asks more than one thing."""
    query = select(Assignment).join(Wave, Wave.id == Assignment.wave_id)
    query = query.where(Assignment.membership_id == of.id, Wave.code == wave).order_by(Assignment.instrument)
    return session.scalars(query.limit(1)).one()


def plain_answer(item: Any) -> Any:
    """Some answer an item accepts."""
    if item.kind in {"several"}:
        return [item.codes[0]]
    if item.codes:
        return item.codes[len(item.codes) // 2]
    return {
        "number": item.minimum or 1,
        "date": "2026-02-01",
        "short_text": "a word",
        "long_text": "some words",
    }.get(item.kind)


def answered(
    session: Session,
    of: Assignment,
    vault: Vault,
    given: Mapping[str, Any] | None = None,
    *,
    language: str = "en",
) -> Response:
    """A submitted response: the values given, and some answer to everything else that is shown."""
    response = responses.begin(
        session,
        of.id,
        language=language,
        mode="own_link",
        consent_version="1",
        agreed=True,
        today=of.opens_on,
    )
    instrument = responses.instrument_of(response)
    values = dict(given or {})
    for item in instrument.items:
        if item.kind != "information" and item in visible(instrument, values):
            values.setdefault(item.code, plain_answer(item))
    responses.save(session, response.id, {code: Given(value) for code, value in values.items()}, vault=vault)
    basis = responses.basis_of(session, response.id, [item.code for item in instrument.items], vault=vault)
    responses.submit(session, response.id, vault=vault, today=of.opens_on, basis=basis)
    return response


def staff(session: Session, role: str = "evaluator", email: str | None = None, *, now: datetime = NOW) -> StaffUser:
    """A member of staff whose password is `PASSWORD`."""
    return accounts.create(session, email or f"{role}@example.org", role, PASSWORD, now=now)
