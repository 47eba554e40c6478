"""The store of contact details: the only module that names it. It knows addresses and nothing of who answered what.

A contact goes by a keyed pseudonym of the person. Whoever reads this store, the trial's, or both, cannot match them:
that takes the key, which is in neither.
"""

import re
from dataclasses import dataclass
from datetime import date

from sqlalchemy import CheckConstraint, Date, LargeBinary, MetaData, String, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from evalapp.db import CONSTRAINT_NAMES
from evalapp.models import random_id
from evalapp.vault import Vault

CHANNELS = {"email": "E-mail", "text": "Text message"}
PURPOSE = "contact details"
_EMAIL = re.compile(r"[^@\s,;<>\"()\\]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_MOBILE = re.compile(r"\+[1-9][0-9]{7,14}")


class NotAnAddress(ValueError):
    """What was typed is no e-mail address, or no mobile number; the message says what is wanted."""


class ContactsBase(DeclarativeBase):
    """The base of the store's one table."""

    metadata = MetaData(naming_convention=CONSTRAINT_NAMES)


class Contact(ContactsBase):
    """How one person is reached. The address is sealed; no column tells whose it is."""

    __tablename__ = "contact"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    pseudonym: Mapped[str] = mapped_column(String(64), unique=True)
    channel: Mapped[str] = mapped_column(String(8))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    language: Mapped[str] = mapped_column(String(8))
    stopped_on: Mapped[date | None] = mapped_column(Date)
    undeliverable_on: Mapped[date | None] = mapped_column(Date)
    __table_args__ = (
        CheckConstraint("channel IN ('email', 'text')", name="channel_known"),
        {"sqlite_with_rowid": False},
    )


@dataclass(frozen=True)
class Reached:
    """How a person is reached: the address itself, for whoever sends."""

    id: str
    channel: str
    address: str
    language: str
    stopped: bool
    undeliverable: bool

    @property
    def masked(self) -> str:
        """Enough to recognise an address by, and no more."""
        if self.channel == "text":
            return f"{self.address[:3]} … {self.address[-3:]}"
        name, _, host = self.address.partition("@")
        return f"{name[:1]}…@{host}"


def keep(store: Session, person_id: str, channel: str, typed: str, language: str, *, vault: Vault) -> Reached:
    """Keep how a person is reached, in place of what was known. A new address may be written to again.

    Raises NotAnAddress.
    """
    address = read_address(channel, typed)
    found = _found(store, person_id, vault)
    if found is None:
        found = Contact(id=random_id(), pseudonym=vault.pseudonym(person_id), sealed=b"")
        store.add(found)
    elif _reached(found, vault).address != address or found.channel != channel:
        found.stopped_on = found.undeliverable_on = None
    found.channel, found.language = channel, language
    found.sealed = vault.seal(address, _place(found.id), purpose=PURPOSE)
    store.flush()
    return _reached(found, vault)


def read_address(channel: str, typed: str) -> str:
    """An e-mail address, or a mobile number as +44…; spaces and a British leading 0 are forgiven."""
    if channel == "email":
        address = typed.strip()
        if len(address) > 254 or not _EMAIL.fullmatch(address):
            raise NotAnAddress("Enter an e-mail address, such as name@example.org.")
        return address
    digits = re.sub(r"[\s().–-]", "", typed)
    digits = re.sub(r"^(0044|0(?=7))", "+44", digits)
    if not _MOBILE.fullmatch(digits):
        raise NotAnAddress("Enter a mobile number, such as 07700 900123, or with + and the country's number.")
    return digits


def of(store: Session, person_id: str, *, vault: Vault) -> Reached | None:
    """How a person is reached, if anybody said so."""
    found = _found(store, person_id, vault)
    return None if found is None else _reached(found, vault)


def reachable(store: Session) -> frozenset[str]:
    """The pseudonyms of everybody who may be written to."""
    rows = store.scalars(
        select(Contact.pseudonym).where(Contact.stopped_on.is_(None), Contact.undeliverable_on.is_(None))
    )
    return frozenset(rows)


def forget(store: Session, person_id: str, *, vault: Vault) -> bool:
    """Remove what is known of how a person is reached; whether anything was."""
    found = store.execute(
        delete(Contact).where(Contact.pseudonym == vault.pseudonym(person_id)).returning(Contact.id)
    ).all()
    return bool(found)


def stop(store: Session, token: str, *, today: date, vault: Vault) -> bool:
    """No more messages to whom a stop link belongs; whether the link is one of ours. Asking twice changes nothing."""
    contact = store.get(Contact, token[:16])
    if contact is None or vault.stop_token(contact.id) != token:
        return False
    contact.stopped_on = contact.stopped_on or today
    return True


def not_reached(store: Session, contact_id: str, *, today: date) -> None:
    """Note that an address does not take messages: nothing more is sent to it."""
    contact = store.get(Contact, contact_id)
    if contact is not None:
        contact.undeliverable_on = contact.undeliverable_on or today


def _found(store: Session, person_id: str, vault: Vault) -> Contact | None:
    return store.scalar(select(Contact).where(Contact.pseudonym == vault.pseudonym(person_id)))


def _reached(contact: Contact, vault: Vault) -> Reached:
    return Reached(
        contact.id,
        contact.channel,
        vault.unseal(contact.sealed, _place(contact.id), purpose=PURPOSE),
        contact.language,
        contact.stopped_on is not None,
        contact.undeliverable_on is not None,
    )


def _place(contact_id: str) -> str:
    return f"contact|{contact_id}|address"
