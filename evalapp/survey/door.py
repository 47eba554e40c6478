"""The door: from a typed code to a visit, with limits on guessing that cannot be told apart from a wrong code."""

import logging
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from evalapp import accounts, roster
from evalapp.codes import Code, proves
from evalapp.models import Attempt, Card, random_id
from evalapp.vault import Vault

A_CARD, A_CARD_FOR = 5, timedelta(minutes=15)  # wrong codes with one selector, and for how long they block it
AN_ADDRESS, EVERYWHERE, AN_HOUR = 20, 200, timedelta(hours=1)
DELAY = 1.0  # seconds; schools and councils share an address, so it only ever slows
_slow_lane = threading.BoundedSemaphore(3)  # threads that may wait at once: the others keep serving

log = logging.getLogger("evalapp.survey")


class TooBusy(Exception):
    """Too many slowed tries at once; the same code may be tried again in a moment."""


def person_with(
    session: Session,
    code: Code,
    *,
    address: str,
    vault: Vault,
    now: datetime,
    today: date,
    wait: Callable[[float], object],
) -> str | None:
    """Whose card the code is; None when it is wrong, was replaced, has ended, was never given or was guessed at too often.

    The try is counted and committed before the code is looked at, so that guesses sent at one moment cannot
    all slip under the limit, and no lock is held while the secret is hashed. A right code takes back its own
    count and nobody else's. Raises TooBusy.
    """
    names = {
        "card": vault.bucket("card", code.selector),
        "address": vault.bucket("card address", address),
        "everywhere": vault.bucket("card", "everywhere"),
    }
    own = {name: random_id() for name in names}
    session.execute(delete(Attempt).where(Attempt.at < now - AN_HOUR))
    session.add_all(Attempt(id=own[name], bucket=bucket, at=now) for name, bucket in names.items())
    session.commit()
    blocked = accounts.attempts(session, names["card"], since=now - A_CARD_FOR) > A_CARD
    slow = accounts.attempts(session, names["address"], since=now - AN_HOUR) > AN_ADDRESS
    everywhere = accounts.attempts(session, names["everywhere"], since=now - AN_HOUR)
    if blocked:  # waiting is what counts, not knocking meanwhile
        session.execute(delete(Attempt).where(Attempt.id == own["card"]))
    session.commit()
    if everywhere == EVERYWHERE + 1:
        log.warning("over %d wrong codes in an hour: every code is now slowed", EVERYWHERE)
    if slow or everywhere > EVERYWHERE:
        _slow_down(wait)
    card = session.execute(
        select(Card.person_id, Card.secret_hash, Card.revoked_at).where(Card.selector == code.selector)
    ).first()
    session.rollback()
    right = proves(code, None if card is None or blocked else card.secret_hash, vault)
    if not right or card is None or card.revoked_at is not None:
        return None
    ends = roster.card_ends_on(session, card.person_id)
    if ends is not None and today > ends:
        session.rollback()
        return None
    session.execute(delete(Attempt).where(Attempt.id.in_(own.values())))
    found: str = card.person_id
    return found


def _slow_down(wait: Callable[[float], object]) -> None:
    if not _slow_lane.acquire(blocking=False):
        raise TooBusy
    try:
        wait(DELAY)
    finally:
        _slow_lane.release()
