"""Tablets handed from person to person at a review: opened by staff, ended after a day's work or when staff close them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from evalapp import audit
from evalapp.models import TabletSession
from evalapp.vault import hashed, new_key

LASTS = timedelta(hours=12)
SMALLEST_EXPECTED, STEP = 10, 5  # as on the board: nobody learns from a count whether one person has finished


@dataclass(frozen=True)
class Tablet:
    """A device and the review it is for. `key_hash` is what its visits are bound to."""

    key_hash: str
    review_id: str


def open_tablet(session: Session, review_id: str, *, actor: str, now: datetime) -> str:
    """Make a device a review's tablet and return its key; tablets that have ended are forgotten."""
    session.execute(delete(TabletSession).where(TabletSession.opened_at <= now - LASTS))
    key = new_key()
    session.add(TabletSession(key_hash=hashed(key), review_id=review_id, opened_at=now))
    audit.record(session, actor, "tablet opened", f"review {review_id}", now=now)
    return key


def find(session: Session, key: str, *, now: datetime) -> Tablet | None:
    """The tablet a key belongs to; None when it was closed or is twelve hours old."""
    found = session.get(TabletSession, hashed(key))
    return None if found is None or now - found.opened_at >= LASTS else Tablet(found.key_hash, found.review_id)


def close(session: Session, tablet: Tablet, *, actor: str, now: datetime) -> None:
    """End one tablet, and with it the visit under way on it; what was saved is kept."""
    session.execute(delete(TabletSession).where(TabletSession.key_hash == tablet.key_hash))
    audit.record(session, actor, "tablet closed", f"review {tablet.review_id}", now=now)


def close_all(session: Session, review_id: str, *, actor: str, now: datetime) -> None:
    """End every tablet of a review, one that was lost or left behind too."""
    session.execute(delete(TabletSession).where(TabletSession.review_id == review_id))
    audit.record(session, actor, "tablets closed", f"review {review_id}", now=now)


def open_at(session: Session, review_id: str, *, now: datetime) -> int:
    """How many tablets a review has open."""
    counted = select(func.count()).select_from(TabletSession)
    return (
        session.scalar(counted.where(TabletSession.review_id == review_id, TabletSession.opened_at > now - LASTS)) or 0
    )


def in_steps(expected: int, finished: int) -> int | None:
    """A count that tells of nobody: in steps of five, and none where fewer than ten are expected."""
    return None if expected < SMALLEST_EXPECTED else STEP * (finished // STEP)
