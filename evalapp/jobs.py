"""Durable background work: messages that fall due are written down, handed over, and their end noted, whatever dies.

DBOS keeps which jobs were begun in a database of its own and finishes them after a crash. Jobs carry ids alone, written
as JSON: no address, code or answer is in them.
"""

import email
import email.policy
import fcntl
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from evalapp import access, contacts, db, outbox, post, schema
from evalapp.config import NotConfigured, Settings
from evalapp.letters import letter
from evalapp.models import Message, Person, Trial
from evalapp.outbox import Due, Outcome
from evalapp.post import Carrier
from evalapp.vault import Vault

log = logging.getLogger(__name__)

TICK = 60.0  # seconds between two looks at what is due
AT_ONCE = 4  # messages on their way at the same time
_LOCK = 0x45_56_4A_42  # one number, so that only one worker runs on a PostgreSQL database


@dataclass(frozen=True)
class Postroom:
    """What sending needs: the trial's database, the store of contact details, the keys, the carriers, a clock."""

    engine: Engine
    store: Engine
    vault: Vault
    carriers: dict[str, Carrier]
    door: str
    clock: Callable[[], datetime]

    def fall_due(self) -> list[tuple[str, int]]:
        """Write down what falls due today; what is to be handed over now, with its tries so far."""
        now = self.clock()
        with db.reading(self.store) as store:
            known = contacts.reachable(store)
        with db.writing(self.engine) as session:
            outbox.plan(
                session,
                reachable=lambda person_id: self.vault.pseudonym(person_id) in known,
                today=now.astimezone(access.LONDON).date(),
            )
            session.commit()
            return outbox.waiting(session, now=now)

    def deliver(self, message_id: str) -> str:
        """Hand one message over, and write down what came of it; its outcome, or why it was not sent."""
        now = self.clock()
        today = now.astimezone(access.LONDON).date()
        with db.writing(self.engine) as session:
            due = outbox.take(session, message_id, vault=self.vault, today=today)
            if due is None:
                session.commit()
                return "not sent"
            reached = self._reached(due.person_id)
            reason = self._cannot(reached)
            if reason is not None or reached is None:
                outbox.drop(session, message_id, reason or "no_contact")
                session.commit()
                return reason or "no_contact"
            demonstration = _trial_of(session, due.person_id).kind == "demo"
            session.commit()
        stop = f"{self.door}/stop/{self.vault.stop_token(reached.id)}"
        written = letter(due, reached.language, door=self.door, stop=stop, demonstration=demonstration)
        began: list[Due] = []

        def about_to() -> None:
            with db.writing(self.engine) as session:
                outbox.handing_over(session, due)
            began.append(due)

        try:
            outcome = self.carriers[reached.channel].hand_over(
                message_id, reached.address, written, again=due.again, about_to=about_to
            )
        except outbox.NotAnyMore:
            return "not sent"
        with db.writing(self.engine) as session:
            outbox.note(session, message_id, outcome, now=now, due=began[0] if began else None)
            session.commit()
        if outcome is Outcome.REFUSED:
            with db.writing(self.store) as store:
                contacts.not_reached(store, reached.id, today=today)
                store.commit()
        return str(outcome)

    def broke_off(self, message_id: str) -> None:
        """A try ended in a fault of ours: whether the message was sent is not known."""
        with db.writing(self.engine) as session:
            outbox.note(session, message_id, Outcome.UNKNOWN, now=self.clock())
            session.commit()

    def _reached(self, person_id: str) -> contacts.Reached | None:
        with db.reading(self.store) as store:
            return contacts.of(store, person_id, vault=self.vault)

    def _cannot(self, reached: contacts.Reached | None) -> str | None:
        if reached is None or reached.channel not in self.carriers:
            return "no_contact"
        return "stopped" if reached.stopped else "undeliverable" if reached.undeliverable else None


def _trial_of(session: Session, person_id: str) -> Trial:
    return session.get_one(Trial, session.get_one(Person, person_id).trial_id)


@contextmanager
def postroom(settings: Settings, clock: Callable[[], datetime] = access.utc_now) -> Iterator[Postroom]:
    """A postroom on these settings. Raises NotConfigured when a store, a carrier or a version is missing."""
    if settings.contacts_url is None:
        raise NotConfigured("no contact details are kept here; set EVALAPP_CONTACTS_URL to a database of their own")
    found = post.carriers(settings)
    if not found:
        raise NotConfigured("nothing carries messages; set EVALAPP_SMTP and EVALAPP_MAIL_FROM, or EVALAPP_NOTIFY_KEY")
    engine, store = db.make_engine(settings.database_url), db.make_engine(settings.contacts_url)
    try:
        reason = schema.behind(engine) or schema.behind(store, store=schema.CONTACTS)
        if reason:
            raise NotConfigured(reason)
        yield Postroom(engine, store, Vault(settings.root_key), found, settings.door, clock)
    finally:
        engine.dispose()
        store.dispose()


def work(settings: Settings, *, once: bool, asked_to_stop: threading.Event) -> int:
    """Send what falls due until asked to stop, or once; how many messages were handed over or settled.

    Raises NotConfigured; one worker alone runs on a database.
    """
    with postroom(settings) as room, _alone(room.engine):
        try:
            # An extra, and a second and a half to import.
            from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID  # noqa: PLC0415
        except ImportError:
            raise NotConfigured("durable jobs need DBOS; install requirements-all.txt") from None
        DBOS(
            config={
                "name": "evalapp",
                "system_database_url": jobs_database(settings),
                "application_version": "1",  # a job begun before an update is finished after it
                "serializer": DBOSPortableJSONSerializer(),  # its own default would unpickle whatever stands in the database
                "console_log_level": "WARNING",
                "enable_otlp": False,
            }
        )

        @DBOS.step(name="hand over")
        def hand_over(message_id: str) -> str:
            return room.deliver(message_id)

        @DBOS.workflow(name="deliver")
        def deliver(message_id: str) -> str:
            return hand_over(message_id)

        DBOS.launch()
        DBOS.register_queue("post", worker_concurrency=AT_ONCE)
        settled = 0
        try:
            while True:
                try:
                    begun = []
                    for message_id, tries in room.fall_due():
                        with SetWorkflowID(f"{message_id}-{tries}"):  # asked for twice, done once
                            begun.append((message_id, DBOS.enqueue_workflow("post", deliver, message_id)))
                    for message_id, job in begun:
                        settled += _end_of(room, message_id, job)
                except SQLAlchemyError:
                    if once:
                        raise
                    log.warning("the database does not answer; trying again in a minute")
                if once or asked_to_stop.wait(TICK):
                    return settled
        finally:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=30)


def _end_of(room: Postroom, message_id: str, job: Any) -> bool:
    """Wait for a job. One that broke off is tried again later, as a try nobody knows the end of."""
    try:
        job.get_result()
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.warning("a message could not be handed over (%s); it is tried again later", type(error).__name__)
        room.broke_off(message_id)
        return False
    return True


def jobs_database(settings: Settings) -> str:
    """Where DBOS keeps its jobs: said, or beside the trial's own database."""
    if settings.jobs_url:
        return settings.jobs_url
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{Path(str(url.database)).resolve().with_name('jobs.db')}"
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the one worker's place. DBOS begins again what a worker left: two at once would both send."""
    taken = NotConfigured("a worker is running on this database already; stop it first")
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one():
                raise taken
            connection.commit()
            yield
        return
    held: IO[Any]
    with Path(str(engine.url.database)).with_suffix(".worker").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise taken from None
        yield


def returned(session: Session, store: Session, raw: bytes, settings: Settings) -> bool:
    """Note a returned message (RFC 3464): whose address it was follows from our own Message-ID in it.

    Only a failure for good counts (`Action: failed`); a delay does not. Whether the message was one of ours.
    """
    report = email.message_from_bytes(raw, policy=email.policy.default)
    parts = list(report.walk())
    failed = any(
        block.get("Action", "").strip().lower() == "failed"
        for part in parts
        if part.get_content_type() == "message/delivery-status"
        for block in part.walk()
        if block is not part
    )
    if not failed or not settings.mail_from:
        return False
    ours = re.compile(rf"<([0-9a-f]{{16}})@{re.escape(settings.mail_from.rpartition('@')[2])}>", re.IGNORECASE)
    for part in parts:
        if part.get_content_type() not in {"message/rfc822", "text/rfc822-headers"} and part is not report:
            continue
        found = ours.search(part.as_string())
        message = None if found is None else session.get(Message, found.group(1))
        if message is not None:
            message.state, message.reason, message.sealed = "failed", "undeliverable", None
            reached = contacts.of(store, message.person_id, vault=Vault(settings.root_key))
            if reached is not None:
                contacts.not_reached(store, reached.id, today=access.utc_now().astimezone(access.LONDON).date())
            return True
    return False
