"""Readers named for a trial: who reads what people write, and rings back who asked for it. Without one both are off."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from evalapp import audit, roster
from evalapp.models import CallBack, Membership, Person, Site, StaffUser, Trial, WordsReader, random_id
from evalapp.vault import Vault, canonical


@dataclass(frozen=True)
class Waiting:
    """Somebody who asked to be rung, without how to reach them."""

    id: str
    trial: str
    asked_on: date


@dataclass(frozen=True)
class Contact:
    """How to reach somebody, in their own words."""

    name: str
    reach: str
    when: str


def appoint(session: Session, trial: Trial, user_ids: Collection[str], *, actor: str, now: datetime) -> None:
    """Name a trial's readers; with none, boxes for words and call-backs are off in a real trial."""
    users = session.scalars(
        select(StaffUser).where(
            StaffUser.id.in_(list(user_ids)), StaffUser.role == "coordinator", StaffUser.disabled_at.is_(None)
        )
    ).all()
    session.execute(delete(WordsReader).where(WordsReader.trial_id == trial.id))
    session.add_all(WordsReader(trial_id=trial.id, user_id=user.id) for user in users)
    had, trial.text_reader = trial.text_reader, f"{len(users)} named" if users else None
    session.flush()
    if bool(had) != bool(users) and trial.kind != "demo":  # questionnaires of nothing but boxes are asked, or not
        for place in session.scalars(select(Membership).join(Site).where(Site.trial_id == trial.id)).all():
            roster.assign(session, place)
    audit.record(
        session, actor, "readers named", f"trial {trial.id}", now=now, readers=sorted(user.id for user in users)
    )


def stand_down(session: Session, user_id: str, *, actor: str, now: datetime) -> None:
    """Whoever can read no more (an account closed, another role) is no reader any more: nobody writes to them in vain."""
    for trial_id in trials_read_by(session, user_id):
        left = readers_of(session, trial_id) - {user_id}
        appoint(session, session.get_one(Trial, trial_id), left, actor=actor, now=now)


def readers_of(session: Session, trial_id: str) -> set[str]:
    return set(session.scalars(select(WordsReader.user_id).where(WordsReader.trial_id == trial_id)))


def trials_read_by(session: Session, user_id: str) -> list[str]:
    return list(session.scalars(select(WordsReader.trial_id).where(WordsReader.user_id == user_id)))


def rings_back(session: Session, person_id: str) -> bool:
    """Whether somebody is named who rings people of this person's trial back."""
    query = (
        select(WordsReader.user_id)
        .join(Person, Person.trial_id == WordsReader.trial_id)
        .join(StaffUser, StaffUser.id == WordsReader.user_id)
        .where(Person.id == person_id, StaffUser.role == "coordinator", StaffUser.disabled_at.is_(None))
    )
    return session.scalar(query.limit(1)) is not None


def ask_to_be_rung(session: Session, person_id: str, contact: Contact, *, vault: Vault, today: date) -> None:
    """Keep how to reach somebody, sealed, for their trial's readers: nothing says which person of the trial it is."""
    key, trial_id = random_id(), session.get_one(Person, person_id).trial_id
    sealed = vault.seal(canonical([contact.name, contact.reach, contact.when]), _place(key))
    session.add(CallBack(id=key, trial_id=trial_id, sealed=sealed, asked_on=today))


def waiting(session: Session, trial_ids: Collection[str]) -> list[Waiting]:
    """Who waits to be rung in some trials, the longest waiting first."""
    rows = session.execute(
        select(CallBack.id, Trial.title, CallBack.asked_on)
        .join(Trial, Trial.id == CallBack.trial_id)
        .where(CallBack.trial_id.in_(list(trial_ids)))
        .order_by(CallBack.asked_on, CallBack.id)
    )
    return [Waiting(*row) for row in rows]


def contact_of(session: Session, call_id: str, *, vault: Vault, actor: str, now: datetime) -> Contact:
    """How to reach somebody, for a named reader; the look is recorded in the same transaction."""
    found = session.get_one(CallBack, call_id)
    audit.record(session, actor, "call-back read", f"call_back {call_id}", now=now)
    return Contact(*json.loads(vault.unseal(found.sealed, _place(call_id))))


def close(session: Session, call_id: str, *, actor: str, now: datetime) -> None:
    """They were rung: how to reach them is forgotten."""
    session.execute(delete(CallBack).where(CallBack.id == call_id))
    audit.record(session, actor, "call-back done", f"call_back {call_id}", now=now)


def _place(key: str) -> str:
    return f"call_back|{key}|sealed"
