"""What people are to be sent, and whether it was: written in the transaction that makes it due, sent later by a job.

A message is handed to the mail server at most twice, and the second time only where nobody can know the end of the
first: the process died between handing over and writing that down.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from evalapp import asking
from evalapp.codes import Code, read_code
from evalapp.models import Assignment, Card, Membership, Message, Response, Site, Trial, Withdrawal
from evalapp.vault import Vault

# Days after a window opens: the first says that it is open, the others remind whoever has not answered.
USUAL_DAYS = (0, 7, 14)
PURPOSE = "code to be sent"
LONGEST_WAIT = timedelta(hours=1)  # between two tries while a server does not answer
LATEST = timedelta(days=14)  # an invitation that could not be sent by then is given up


class Outcome(StrEnum):
    """What came of handing a message over."""

    SENT = "sent"
    REFUSED = "refused"  # this address takes no messages
    FAILED = "failed"  # the server will not take this message, whoever it is for
    LATER = "later"  # certainly not sent; to be tried again
    UNKNOWN = "unknown"  # it may have been sent


@dataclass(frozen=True)
class Due:
    """One message to be sent now: what kind, whose, and, with an invitation, the code."""

    id: str
    person_id: str
    kind: str
    code: str | None
    closes_on: date | None
    again: bool


def invite(session: Session, person_id: str, code: Code, *, vault: Vault, today: date) -> Message:
    """Have a person sent the code just made for them. An earlier invitation that still waits is not sent any more."""
    earlier = session.scalars(select(Message).where(Message.person_id == person_id, Message.kind == "invitation")).all()
    for one in earlier:
        if one.state in {"waiting", "handed"}:
            _end(one, "dropped", "replaced")
    message = Message(person_id=person_id, kind="invitation", number=len(earlier) + 1, due_on=today)
    session.add(message)
    session.flush()
    message.sealed = vault.seal(str(code), _place(message.id), purpose=PURPOSE)
    return message


def plan(session: Session, *, reachable: Callable[[str], bool], today: date) -> int:
    """Write down the openings and reminders that fall due; how many.

    One a person and day at most. Days that nobody ran this on are not made up for: the latest alone is sent.
    """
    told_today = set(
        session.scalars(
            select(Message.person_id).where(Message.due_on == today, Message.state.not_in(("dropped", "failed")))
        )
    )
    numbers = session.execute(
        select(Message.assignment_id, func.max(Message.number))
        .where(Message.assignment_id.is_not(None))
        .group_by(Message.assignment_id)
    )
    last = {row[0]: row[1] for row in numbers}
    added = 0
    for assignment_id, opens_on, person_id, days in _waited_for(session, today):
        number = sum(opens_on + timedelta(days=day) <= today for day in sorted(days)) - 1
        if number <= last.get(assignment_id, -1) or not reachable(person_id):
            continue
        if not asking.may_be_approached(session, person_id, about=assignment_id):
            continue
        message = Message(
            person_id=person_id, kind="reminder" if number else "opening", assignment_id=assignment_id, number=number,
            due_on=today,
        )  # fmt: skip
        if person_id in told_today:
            message.state, message.reason = "dropped", "same_day"
        else:
            told_today.add(person_id)
            added += 1
        session.add(message)
    session.flush()
    return added


def waiting(session: Session, *, now: datetime) -> list[tuple[str, int]]:
    """The messages to be handed over now, those nobody knows the end of among them, the oldest first; with their tries."""
    rows = session.execute(
        select(Message.id, Message.tries)
        .where(Message.state.in_(("waiting", "handed")), or_(Message.retry_at.is_(None), Message.retry_at <= now))
        .order_by(Message.due_on, Message.id)
    )
    return [(message_id, tries) for message_id, tries in rows]


def take(session: Session, message_id: str, *, vault: Vault, today: date) -> Due | None:
    """What a message to be handed over holds; None when it is not to be sent, which is then written down."""
    message = session.get(Message, message_id, with_for_update=session.get_bind().dialect.name == "postgresql")
    if message is None or message.state not in {"waiting", "handed"}:
        return None
    if message.state == "handed" and message.again:
        _end(message, "unsure", None)  # twice is the most
        return None
    code = None
    if message.sealed is not None:
        code = vault.unseal(message.sealed, _place(message.id), purpose=PURPOSE)
    reason = _no_longer(session, message, code, today)
    if reason is not None:
        _end(message, "dropped", reason)
        return None
    closes = session.scalar(select(Assignment.closes_on).where(Assignment.id == message.assignment_id))
    return Due(message.id, message.person_id, message.kind, code, closes, message.state == "handed")


class NotAnyMore(Exception):
    """A message was taken back between the look at what it holds and the moment of handing it over."""


def handing_over(session: Session, due: Due) -> None:
    """Write down, and commit, that a message is about to be handed over: from here on it may have been sent.

    Raises NotAnyMore where it was taken back meanwhile: its person withdrew, or has another code.
    """
    message = session.get(Message, due.id, with_for_update=session.get_bind().dialect.name == "postgresql")
    if message is None or message.state not in {"waiting", "handed"}:
        raise NotAnyMore
    message.state, message.again = "handed", due.again
    session.commit()


def note(session: Session, message_id: str, outcome: Outcome, *, now: datetime, due: Due | None = None) -> None:
    """Write down what came of handing a message over. What nobody knows the end of stays handed.

    `due` : what was about to be handed over, where it came so far.
    """
    message = session.get(Message, message_id)
    if message is None or (due is None and message.state == "dropped"):
        return  # taken back meanwhile: its person withdrew
    message.tries += 1
    if outcome is Outcome.SENT:
        _end(message, "sent", None)
    elif outcome in {Outcome.REFUSED, Outcome.FAILED}:
        _end(message, "failed", "undeliverable" if outcome is Outcome.REFUSED else "refused")
    else:
        message.retry_at = now + min(timedelta(minutes=2 ** min(message.tries, 10)), LONGEST_WAIT)
        if outcome is Outcome.LATER and due is not None:
            # The try did not count; one before it that may have been sent still does.
            message.state, message.again = "handed" if due.again else "waiting", False


def drop(session: Session, message_id: str, reason: str) -> None:
    """Not to be sent after all: no address, or its owner asked for no more messages."""
    _end(session.get_one(Message, message_id), "dropped", reason)


def invitation_of(session: Session, person_id: str) -> Message | None:
    """The last invitation made for a person: what staff may know of its way."""
    return session.scalar(
        select(Message)
        .where(Message.person_id == person_id, Message.kind == "invitation")
        .order_by(Message.number.desc())
        .limit(1)
    )


def counts(session: Session, trial_id: str) -> dict[tuple[str, str], int]:
    """How many messages of a trial by kind and state: nobody's, so that it does not tell who has not answered."""
    rows = session.execute(
        select(Message.kind, Message.state, func.count())
        .join(Membership, Membership.person_id == Message.person_id)
        .join(Site, Site.id == Membership.site_id)
        .where(Site.trial_id == trial_id, Membership.id == _one_place())
        .group_by(Message.kind, Message.state)
    )
    return Counter({(kind, state): number for kind, state, number in rows})


def _one_place() -> object:
    """One of a message's person's places, so that somebody in two reviews is counted once."""
    places = select(func.min(Membership.id)).where(Membership.person_id == Message.person_id)
    return places.correlate(Message).scalar_subquery()


def _waited_for(session: Session, today: date) -> Iterator[tuple[str, date, str, tuple[int, ...]]]:
    """Each questionnaire that is open and not answered, whose owner has a card: its first day, person and days."""
    answered = exists().where(
        Response.assignment_id == Assignment.id, or_(Response.state == "submitted", Response.state == "declined")
    )
    withdrawn = exists().where(Withdrawal.person_id == Membership.person_id)
    card = exists().where(and_(Card.person_id == Membership.person_id, Card.revoked_at.is_(None)))
    rows = session.execute(
        select(Assignment.id, Assignment.opens_on, Membership.person_id, Trial.reminder_days)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Site, Site.id == Membership.site_id)
        .join(Trial, Trial.id == Site.trial_id)
        .where(Assignment.opens_on <= today, Assignment.closes_on >= today, ~answered, ~withdrawn, card)
        .order_by(Assignment.closes_on, Assignment.id)
    )
    for assignment_id, opens_on, person_id, days in rows.all():
        yield assignment_id, opens_on, person_id, USUAL_DAYS if days is None else tuple(days)


def _no_longer(session: Session, message: Message, code: str | None, today: date) -> str | None:
    """Why a message is not sent after all."""
    if session.get(Withdrawal, message.person_id) is not None:
        return "stopped"
    if message.assignment_id is None:
        if today - message.due_on > LATEST:
            return "closed"
        if not asking.may_be_approached(session, message.person_id):
            return "closed"
        selector = "" if code is None else read_code(code).selector
        card = select(Card.id).where(
            Card.person_id == message.person_id, Card.selector == selector, Card.revoked_at.is_(None)
        )
        return None if session.scalar(card) else "replaced"
    assignment = session.get_one(Assignment, message.assignment_id)
    state = session.scalar(select(Response.state).where(Response.assignment_id == assignment.id))
    if state in {"submitted", "declined"}:
        return "answered"
    asked = asking.of_assignment(session, assignment.id) and assignment.opens_on <= today <= assignment.closes_on
    return None if asked else "closed"


def _end(message: Message, state: str, reason: str | None) -> None:
    """No more is done about a message; its code is not kept."""
    message.sealed = None
    message.state, message.reason = state, reason


def _place(message_id: str) -> str:
    return f"message|{message_id}|sealed"


def link(door: str, code: str) -> str:
    """Where an invitation leads: the code stands behind the #, which no server, proxy or log sees."""
    return f"{door}/j#{read_code(code)}"
