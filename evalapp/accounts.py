"""Staff accounts: invitations, passwords, server-side sessions, and the counting of wrong attempts."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from evalapp import audit
from evalapp.models import STAFF_ROLES, Attempt, StaffSession, StaffUser, random_id
from evalapp.vault import Vault, hashed, new_key

SHORTEST_PASSWORD, LONGEST_PASSWORD = 15, 128
INVITATION_LASTS = timedelta(days=7)
IDLE = {"admin": timedelta(minutes=15)}
IDLE_OTHERS, LONGEST_SESSION = timedelta(minutes=30), timedelta(hours=8)
FAILURES_ALLOWED, FAILURE_WINDOW = 5, timedelta(minutes=1)
CONTEXT_WORDS = ("password", "evalapp", "safeguarding", "safeguard", "qwertyuiop", "qwerty", "letmein", "12345678")

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)  # RFC 9106, second recommended option
_few_at_once = threading.BoundedSemaphore(2)  # each hash takes 64 MiB: a rush of sign-ins must not take the memory
_nobody: list[str] = []


class NotAccepted(Exception):
    """What was asked cannot be done; the message is for the person who asked."""


@dataclass(frozen=True)
class Staff:
    """Who is signed in."""

    id: str
    email: str
    role: str


@dataclass(frozen=True)
class Account:
    """One account as an admin sees it; `state` is active, invited, invitation ended or closed."""

    id: str
    email: str
    role: str
    state: str


def invite(session: Session, email: str, role: str, *, actor: str, now: datetime) -> str:
    """Add an account, or invite again one not yet used; the invitation code is returned once and kept hashed."""
    address = email.strip().lower()
    name, _, domain = address.partition("@")
    if not name or "." not in domain or any(letter.isspace() for letter in address) or len(address) > 254:
        raise NotAccepted("Enter an e-mail address, like name@council.gov.uk.")
    if role not in STAFF_ROLES:
        raise NotAccepted("Choose one of the roles.")
    user = session.scalar(select(StaffUser).where(StaffUser.email == address))
    if user is None:
        user = StaffUser(email=address, role=role, created_at=now)
        session.add(user)
        session.flush()
    elif user.password_hash is not None:
        raise NotAccepted("Someone with this address already has an account.")
    user.role = role
    code = new_key()
    user.invitation_hash, user.invitation_ends_at = hashed(code), now + INVITATION_LASTS
    audit.record(session, actor, "staff invited", f"staff_user {user.id}", now=now, role=role)
    return code


def accept(session: Session, invitation: str, password: str, *, now: datetime) -> StaffUser:
    """Set the first password with an invitation code; the code works once."""
    user = session.scalar(select(StaffUser).where(StaffUser.invitation_hash == hashed(invitation.strip())))
    if user is None or user.disabled_at or user.invitation_ends_at is None or user.invitation_ends_at < now:
        raise NotAccepted("This invitation is not valid any more. Ask whoever invited you for a new one.")
    _set_password(user, password)
    user.invitation_hash = user.invitation_ends_at = None
    audit.record(session, user.id, "invitation accepted", f"staff_user {user.id}", now=now)
    return user


def create(session: Session, email: str, role: str, password: str, *, now: datetime) -> StaffUser:
    """An account with a password at once: for the first admin from the command line, and demonstrations."""
    code = invite(session, email, role, actor="system", now=now)
    return accept(session, code, password, now=now)


def sign_in(session: Session, email: str, password: str, vault: Vault, *, now: datetime) -> tuple[Staff, str] | None:
    """A new session's key for the right address and password, else None; unknown, disabled and wrong take the same.

    The try is counted and committed before the password is looked at, so that guesses sent at one moment cannot
    all slip under the limit, and no lock is held while the password is hashed. What follows, the caller commits.
    Raises NotAccepted after five failures in a minute for one account.
    """
    address = email.strip().lower()
    bucket = vault.bucket("staff", address)
    own = random_id()
    _forget_attempts(session, now)
    session.add(Attempt(id=own, bucket=bucket, at=now))
    session.commit()
    if attempts(session, bucket, since=now - FAILURE_WINDOW) > FAILURES_ALLOWED:
        session.execute(delete(Attempt).where(Attempt.id == own))  # waiting is what counts, not knocking meanwhile
        session.commit()
        raise NotAccepted("Too many tries. Wait a minute, then try again.")
    known = _usable(session, address)
    user_id, password_hash = (known.id, known.password_hash) if known else (None, None)
    session.rollback()
    right = _verify(password_hash, password)
    user = _usable(session, address)  # again: the account may have been closed in the meantime
    if not right or user is None or password_hash is None or user.password_hash != password_hash:
        audit.record(session, user_id or "unknown", "sign-in refused", "staff_user", now=now)
        return None
    session.execute(delete(Attempt).where(Attempt.id == own))
    if _hasher.check_needs_rehash(password_hash):
        user.password_hash = _hasher.hash(password)
    key = new_key()
    session.add(StaffSession(key_hash=hashed(key), user_id=user.id, started_at=now, last_seen_at=now))
    session.execute(delete(StaffSession).where(StaffSession.started_at < now - LONGEST_SESSION))
    audit.record(session, user.id, "signed in", f"staff_user {user.id}", now=now)
    return Staff(user.id, user.email, user.role), key


def find(session: Session, key: str, *, now: datetime) -> Staff | None:
    """Who a session key belongs to; None when it ended, idled out, or its owner was disabled."""
    row = session.execute(
        select(StaffSession, StaffUser)
        .join(StaffUser, StaffUser.id == StaffSession.user_id)
        .where(StaffSession.key_hash == hashed(key))
    ).first()
    if row is None:
        return None
    visit, user = row
    idle = IDLE.get(user.role, IDLE_OTHERS)
    if user.disabled_at or now - visit.last_seen_at > idle or now - visit.started_at > LONGEST_SESSION:
        return None
    return Staff(user.id, user.email, user.role)


def is_stale(session: Session, key: str, *, now: datetime) -> bool:
    """Whether a session's last use was noted over a minute ago: so reading a page rarely writes."""
    visit = session.get(StaffSession, hashed(key))
    return visit is not None and now - visit.last_seen_at > timedelta(minutes=1)


def touch(session: Session, key: str, *, now: datetime) -> None:
    """Note that a session is in use."""
    visit = session.get(StaffSession, hashed(key))
    if visit is not None:
        visit.last_seen_at = now


def sign_out(session: Session, key: str, *, now: datetime) -> None:
    visit = session.get(StaffSession, hashed(key))
    if visit is not None:
        audit.record(session, visit.user_id, "signed out", f"staff_user {visit.user_id}", now=now)
        session.delete(visit)


def disable(session: Session, user_id: str, *, actor: Staff, now: datetime) -> None:
    """Close an account and end its sessions at once."""
    user = _other(session, user_id, actor)
    user.disabled_at = now
    _end_sessions(session, user.id)
    audit.record(session, actor.id, "staff disabled", f"staff_user {user.id}", now=now)


def enable(session: Session, user_id: str, *, actor: Staff, now: datetime) -> None:
    user = _other(session, user_id, actor)
    user.disabled_at = None
    audit.record(session, actor.id, "staff enabled", f"staff_user {user.id}", now=now)


def change_role(session: Session, user_id: str, role: str, *, actor: Staff, now: datetime) -> None:
    """Give an account another role; its sessions end, so that no page keeps the old rights."""
    if role not in STAFF_ROLES:
        raise NotAccepted("Choose one of the roles.")
    user = _other(session, user_id, actor)
    was, user.role = user.role, role
    _end_sessions(session, user.id)
    audit.record(session, actor.id, "staff role changed", f"staff_user {user.id}", now=now, was=was, role=role)


def invite_again(session: Session, user_id: str, *, actor: Staff, now: datetime) -> str:
    """A fresh invitation code for someone who lost theirs or forgot their password: what they had stops working now."""
    user = _other(session, user_id, actor)
    if user.disabled_at is not None:
        raise NotAccepted("This account is closed. Open it again first.")
    code = new_key()
    user.password_hash = None
    user.invitation_hash, user.invitation_ends_at = hashed(code), now + INVITATION_LASTS
    _end_sessions(session, user.id)
    audit.record(session, actor.id, "staff invited again", f"staff_user {user.id}", now=now)
    return code


def everyone(session: Session, *, now: datetime) -> list[Account]:
    """Every account, by e-mail address."""
    users = session.scalars(select(StaffUser).order_by(StaffUser.email)).all()
    return [Account(user.id, user.email, user.role, _state(user, now)) for user in users]


def _state(user: StaffUser, now: datetime) -> str:
    if user.disabled_at is not None:
        return "closed"
    if user.password_hash is not None:
        return "active"
    return "invited" if user.invitation_ends_at and user.invitation_ends_at >= now else "invitation ended"


def attempts(session: Session, bucket: str, *, since: datetime) -> int:
    """How many wrong tries a bucket has since a moment."""
    counted = select(func.count()).select_from(Attempt).where(Attempt.bucket == bucket, Attempt.at > since)
    return session.scalar(counted) or 0


def count_attempt(session: Session, *buckets: str, now: datetime | None = None) -> None:
    """Count one wrong try in each bucket, and forget what is over an hour old."""
    moment = now or datetime.now(UTC)
    _forget_attempts(session, moment)
    session.add_all(Attempt(bucket=bucket, at=moment) for bucket in buckets)


def _forget_attempts(session: Session, now: datetime) -> None:
    session.execute(delete(Attempt).where(Attempt.at < now - timedelta(hours=1)))


def _usable(session: Session, address: str) -> StaffUser | None:
    """The account that may sign in with this address, if there is one."""
    user = session.scalar(select(StaffUser).where(StaffUser.email == address))
    return user if user is not None and user.disabled_at is None and user.password_hash is not None else None


def _set_password(user: StaffUser, password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise NotAccepted(f"Use {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters. A few words together work well.")
    rest = password.lower()
    for word in (*CONTEXT_WORDS, *user.email.split("@")):
        rest = rest.replace(word, "")
    if len(set(rest)) < 6:
        raise NotAccepted("That password is easy to guess. A few words together work well.")
    user.password_hash = _hasher.hash(password)


def _verify(password_hash: str | None, password: str) -> bool:
    if not _nobody:
        _nobody.append(_hasher.hash("nobody's"))
    try:
        with _few_at_once:
            _hasher.verify(password_hash or _nobody[0], password[:LONGEST_PASSWORD])
    except (VerifyMismatchError, InvalidHashError):
        return False
    return password_hash is not None and len(password) <= LONGEST_PASSWORD


def _other(session: Session, user_id: str, actor: Staff) -> StaffUser:
    if user_id == actor.id:
        raise NotAccepted("Ask another admin to change your own account.")
    user = session.get(StaffUser, user_id)
    if user is None:
        raise NotAccepted("That account is not there any more.")
    return user


def _end_sessions(session: Session, user_id: str) -> None:
    session.execute(delete(StaffSession).where(StaffSession.user_id == user_id))
