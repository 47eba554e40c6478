"""Changing one's mind: what a person who withdraws chooses, what then goes, and what a restored backup must be told.

Until the day the trial's answers are locked a person chooses between no more contact, keeping what they gave, and having
it deleted; from that day on nothing can be taken out of what was counted, and the first two are left.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from evalapp import audit, responses
from evalapp.models import (
    WITHDRAWALS,
    Assignment,
    Membership,
    Message,
    Paper,
    PaperEntry,
    ParticipantSession,
    Person,
    Trial,
    Withdrawal,
)
from evalapp.vault import Vault


class Locked(Exception):
    """What was given cannot be taken out any more: the trial's answers are locked."""


@dataclass(frozen=True)
class Mark:
    """A withdrawal without its person: a keyed mark that fits one person and tells nobody which."""

    mark: str
    choice: str
    withdrawn_on: date

    def __str__(self) -> str:
        return f"{self.mark} {self.choice} {self.withdrawn_on.isoformat()}"


def of_person(session: Session, person_id: str) -> Withdrawal | None:
    return session.get(Withdrawal, person_id, populate_existing=True)


def by_receipt(session: Session, receipt: str) -> Withdrawal | None:
    """The withdrawal a receipt belongs to, for someone who asks whether it was done."""
    return session.scalar(select(Withdrawal).where(Withdrawal.receipt == receipt.strip().upper()))


def may_delete(trial: Trial, today: date) -> bool:
    """Whether what somebody gave can still be taken out."""
    return trial.locks_on is None or today < trial.locks_on


def choices(trial: Trial, today: date, had: Withdrawal | None) -> tuple[str, ...]:
    """What a person may choose now: a later choice may go further than an earlier one, and none takes one back."""
    known = WITHDRAWALS if may_delete(trial, today) else WITHDRAWALS[:-1]
    return known if had is None else tuple(one for one in known if _reach(one) > _reach(had.choice))


def withdraw(session: Session, person_id: str, choice: str, *, vault: Vault, now: datetime, today: date) -> Withdrawal:
    """Do what a person chose and return its record, with the receipt; the caller commits, and then scrubs the file.

    The same choice again, or one that does not go as far as an earlier one, changes nothing and has the earlier receipt.
    Raises Locked for a wish to delete that comes too late, KeyError for a choice nobody offers.
    """
    if choice not in WITHDRAWALS:
        raise KeyError(choice)
    person = session.get_one(Person, person_id, with_for_update=True)  # two clicks at one moment are one withdrawal
    trial = session.get_one(Trial, person.trial_id)
    had = of_person(session, person_id)
    if had is not None and _reach(choice) <= _reach(had.choice):
        return had
    if choice == "delete" and not may_delete(trial, today):
        raise Locked
    if had is not None:
        session.delete(had)
        session.flush()
    made = Withdrawal(
        person_id=person_id, choice=choice, withdrawn_on=today,
        receipt=vault.receipt(f"withdrawal|{person_id}", [choice, today.isoformat()]),
    )  # fmt: skip
    session.add(made)
    _do(session, person_id, choice)
    # The day alone, and not who: what took minutes to tell a colleague must not be found by its minute.
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    done = "answers erased" if choice == "delete" else "withdrawal recorded"
    audit.record(session, "participant", done, f"trial {trial.id}", now=day)
    return made


def mark_of(made: Withdrawal, vault: Vault) -> Mark:
    return Mark(vault.withdrawal_mark(made.person_id), made.choice, made.withdrawn_on)


def marks(session: Session, vault: Vault) -> list[Mark]:
    """Every withdrawal as a mark, by mark: their order tells nothing."""
    found = (mark_of(one, vault) for one in session.scalars(select(Withdrawal)))
    return sorted(found, key=lambda one: one.mark)


def read_marks(text: str) -> list[Mark]:
    """The marks of a file, the furthest-reaching of each person; ValueError names a line that is none."""
    found: dict[str, Mark] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            mark, choice, day = line.split()
            one = Mark(mark, choice, date.fromisoformat(day))
            reach = _reach(choice)
        except ValueError:
            raise ValueError(f"line {number} is no withdrawal's mark; use a file that `withdrawals` wrote") from None
        if mark not in found or reach > _reach(found[mark].choice):
            found[mark] = one
    return list(found.values())


def keep_outside(path: Path, mark: Mark) -> None:
    """Add a mark to a file outside the database, on disk before this returns: a backup older than it can be told."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, f"{mark}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def replay(session: Session, found: Iterable[Mark], *, vault: Vault, now: datetime) -> tuple[int, int]:
    """Do again, in a restored database, what people chose after its backup was made; the caller commits and scrubs.

    Returns how many withdrawals were done again and how many marks fit nobody here (people of another copy, or people
    added after the backup). What was done before is done again all the same, and so leaves nothing however often it is
    repeated.
    """
    listed = list(found)
    people = {vault.withdrawal_mark(one): one for one in session.scalars(select(Person.id))}
    known = [(people[one.mark], one) for one in listed if one.mark in people]
    for person_id, one in known:
        had = of_person(session, person_id)
        if had is None or _reach(had.choice) < _reach(one.choice):
            if had is not None:
                session.delete(had)
                session.flush()
            receipt = vault.receipt(f"withdrawal|{person_id}", [one.choice, one.withdrawn_on.isoformat()])
            session.add(
                Withdrawal(
                    person_id=person_id, choice=one.choice, withdrawn_on=one.withdrawn_on, receipt=receipt
                )
            )  # fmt: skip
        _do(session, person_id, one.choice)
    audit.record(session, "system", "withdrawals replayed", "withdrawal", now=now, people=len(known))
    return len(known), len(listed) - len(known)


def _do(session: Session, person_id: str, choice: str) -> None:
    """Delete what a choice says goes, and let every visit of the person know no more of it."""
    if choice != "no_contact":
        responses.erase(session, person_id, sent=choice == "delete")
        forget_papers(session, person_id, stored=choice == "delete")
    if choice == "delete":
        session.execute(delete(Message).where(Message.person_id == person_id))
        session.execute(update(Person).where(Person.id == person_id).values(pin_hash=None))
    waiting = (Message.person_id == person_id) & Message.state.in_(("waiting", "handed"))
    session.execute(update(Message).where(waiting).values(state="dropped", reason="stopped", sealed=None))
    mine = ParticipantSession.person_id == person_id
    session.execute(update(ParticipantSession).where(mine).values(seen=[], assignment_id=None))
    session.flush()


def forget_papers(session: Session, person_id: str, *, stored: bool) -> None:
    """What was typed from a person's papers and not stored goes, and no paper of theirs is typed in any more; with
    `stored`, what gave way to a paper goes too. That they were printed stays."""
    mine = (
        select(Paper.id)
        .join(Assignment, Assignment.id == Paper.assignment_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .where(Membership.person_id == person_id)
    )
    if not stored:
        mine = mine.where(Paper.state != "stored")
    found = session.scalars(mine.with_for_update(of=Paper)).all()  # held, so that nobody begins to type one meanwhile
    session.execute(delete(PaperEntry).where(PaperEntry.paper_id.in_(found)))
    session.execute(update(Paper).where(Paper.id.in_(found)).values(kept=None, state="unused"))


def end_other_visits(session: Session, person_id: str, key_hash: str) -> None:
    """End a person's visits but for the one they read their receipt in."""
    session.execute(
        delete(ParticipantSession).where(
            ParticipantSession.person_id == person_id, ParticipantSession.key_hash != key_hash
        )
    )


def _reach(choice: str) -> int:
    """How far a choice goes; ValueError for one nobody offers."""
    return WITHDRAWALS.index(choice)
