"""The PIN a person may choose for coming back: hashed with a pepper, and tried at most five times in a quarter of an hour."""

import unicodedata
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from evalapp import accounts
from evalapp.models import Attempt, Person, random_id
from evalapp.vault import Vault

SHORTEST, LONGEST = 4, 6
TRIES, TRIES_FOR = 5, timedelta(minutes=15)
_FORWARDS, _BACKWARDS = "01234567890", "09876543210"

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # as for cards: the floor, and a pepper


class NotAPin(ValueError):
    """What was typed is not four to six figures."""


class TooEasy(ValueError):
    """A PIN that somebody else would try first."""


class TooManyTries(Exception):
    """Five wrong PINs in a quarter of an hour: no more are looked at until it is over."""


def read_pin(typed: str) -> str:
    """The PIN that was typed, in the figures of any script, spaces forgiven. Raises NotAPin."""
    found = [unicodedata.decimal(one, None) for one in typed[:40] if not one.isspace()]
    figures = [one for one in found if one is not None]
    if len(figures) != len(found) or not SHORTEST <= len(figures) <= LONGEST:
        raise NotAPin("a PIN has 4 to 6 figures")
    return "".join(map(str, figures))


def has_pin(session: Session, person_id: str) -> bool:
    return session.get_one(Person, person_id).pin_hash is not None


def choose(session: Session, person_id: str, pin: str, *, vault: Vault) -> None:
    """Keep a person's PIN. Raises TooEasy for one figure over and over, and for figures in their order."""
    if len(set(pin)) == 1 or pin in _FORWARDS or pin in _BACKWARDS:
        raise TooEasy("this PIN is easy to guess")
    session.get_one(Person, person_id).pin_hash = _hasher.hash(_peppered(person_id, pin, vault))


def forget(session: Session, person_id: str) -> None:
    session.get_one(Person, person_id).pin_hash = None


def proves(session: Session, person_id: str, pin: str, *, vault: Vault, now: datetime) -> bool:
    """Whether this is the person's PIN.

    The try is counted and committed before the PIN is looked at, so that guesses sent at one moment, to however
    many processes, stay under the limit; a right one takes back its own count alone. Raises TooManyTries.
    """
    bucket, own = vault.bucket("pin", person_id), random_id()
    session.add(Attempt(id=own, bucket=bucket, at=now))
    session.commit()
    if accounts.attempts(session, bucket, since=now - TRIES_FOR) > TRIES:
        session.execute(delete(Attempt).where(Attempt.id == own))  # waiting is what counts, not knocking meanwhile
        session.commit()
        raise TooManyTries
    kept = session.get_one(Person, person_id).pin_hash
    session.rollback()  # no lock is held while the PIN is hashed
    if kept is None:
        return False
    try:
        _hasher.verify(kept, _peppered(person_id, pin, vault))
    except VerifyMismatchError:
        return False
    session.execute(delete(Attempt).where(Attempt.id == own))
    return True


def _peppered(person_id: str, pin: str, vault: Vault) -> str:
    return vault.peppered(f"pin {person_id} {pin}")
