"""The record of what was done: append-only, each row holding the hash of the one before."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from evalapp.models import Audit
from evalapp.vault import canonical

START = "0" * 64
_POSTGRESQL_LOCK = 0x45_56_41_4C  # one number, so that only one transaction at a time extends the chain


def record(
    session: Session, actor: str, action: str, thing: str, *, now: datetime | None = None, **detail: Any
) -> None:
    """Add a row in the caller's transaction: what is not recorded is not done.

    `actor` is a staff id, "system" or "participant"; `thing` names a table and a row; `detail` never holds
    an answer, a code, a name or an address.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})
    last = session.execute(select(Audit.id, Audit.hash).order_by(Audit.id.desc()).limit(1)).first()
    number, previous = (last.id + 1, last.hash) if last else (1, START)
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    link = _link(number, previous, moment, actor, action, thing, detail)
    session.add(
        Audit(
            id=number, at=moment, actor=actor, action=action, object=thing, detail=detail, previous_hash=previous, hash=link
        )
    )  # fmt: skip
    session.flush()


def first_break(session: Session) -> int | None:
    """The number of the first row that does not follow from the one before, or None when the chain is whole."""
    previous, expected = START, 1
    for row in session.scalars(select(Audit).order_by(Audit.id)).yield_per(500):
        linked = _link(row.id, row.previous_hash, row.at, row.actor, row.action, row.object, row.detail)
        if row.id != expected or row.previous_hash != previous or row.hash != linked:
            return row.id
        previous, expected = row.hash, expected + 1
    return None


def length(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Audit)) or 0


def _link(number: int, previous: str, at: datetime, actor: str, action: str, thing: str, detail: dict[str, Any]) -> str:
    content = [number, at.astimezone(UTC).isoformat(), actor, action, thing, detail]
    return hashlib.sha256((previous + canonical(content)).encode()).hexdigest()
