"""The worker: messages go out once, whatever dies or does not answer, and nothing of them stands in its database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import contacts, db, jobs, outbox, schema
from evalapp.access import utc_now
from evalapp.cli import main
from evalapp.config import NotConfigured, Settings
from evalapp.models import Message, Person
from evalapp.vault import Vault
from tests import make
from tests.conftest import SECRETS
from tests.post_servers import KEY, MailServer, mail_server, notify_server
from tests.servers import environ_without_settings, free_port

SENDER = "questions@example.org"


@dataclass
class Office:
    """A copy that sends: its environment, its stores, and the people invited with the code each is to get."""

    environment: dict[str, str]
    engine: db.Engine
    store: db.Engine
    vault: Vault

    def invited(self, count: int = 1, channel: str = "email", address: str = "kim{}@example.net") -> list[str]:
        """The codes of new people whose invitations wait."""
        today = utc_now().date()
        with db.writing(self.engine) as session, db.writing(self.store) as store:
            trial = session.scalar(select(outbox.Trial)) or make.trial(session)
            site = session.scalar(select(outbox.Site)) or make.site(session, trial)
            review = make.review(
                session, site, f"Review {session.scalar(select(db.text('count(*) FROM review'))) or 0}"
            )
            codes = []
            for number in range(count):
                place = make.person(session, review)
                code = make.card(session, place, self.vault, now=utc_now())
                outbox.invite(session, place.person_id, code, vault=self.vault, today=today)
                contacts.keep(store, place.person_id, channel, address.format(number), "en", vault=self.vault)
                codes.append(str(code))
            session.commit()
            store.commit()
        return codes

    def states(self) -> list[str]:
        with db.reading(self.engine) as session:
            return sorted(session.scalars(select(Message.state)))

    def hurry(self) -> None:
        """Let the next try be due now."""
        with db.writing(self.engine) as session:
            for one in session.scalars(select(Message)):
                one.retry_at = None
            session.commit()

    def work(self, *, once: bool = True, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "evalapp.cli", "work", *(["--once"] if once else [])]
        return subprocess.Popen(
            command, env={**os.environ, **environ_without_settings(), **self.environment, **more}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def ended(worker: subprocess.Popen[str]) -> tuple[int, str]:
    said, complained = worker.communicate(timeout=120)
    return worker.returncode, said + complained


@pytest.fixture
def office(database_url: str, engine: db.Engine, vault: Vault, tmp_path: Path) -> Iterator[Office]:
    url = f"sqlite:///{tmp_path / 'contacts.db'}"
    store = db.make_engine(url)
    schema.upgrade(store, store=schema.CONTACTS)
    yield Office(
        {
            "EVALAPP_DATABASE_URL": database_url, "EVALAPP_CONTACTS_URL": url, **SECRETS,
            "EVALAPP_JOBS_URL": f"sqlite:///{tmp_path / 'jobs.db'}", "EVALAPP_HOSTS": "q.example.org",
            "EVALAPP_MAIL_FROM": SENDER,
        },
        engine, store, vault,
    )  # fmt: skip
    store.dispose()


def links(taken: list[EmailMessage]) -> list[str]:
    return sorted(message.get_content().split("/j#")[1][:14] for message in taken)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_everybody_gets_their_own_code_once_and_nothing_is_left_of_it(office: Office, tmp_path: Path) -> None:
    codes = office.invited(5)
    with mail_server() as server:
        office.environment["EVALAPP_SMTP"] = server.url
        status, said = ended(office.work())
        assert (status, said) == (0, "5 messages were looked after.\n")
        assert links(server.taken) == sorted(codes)
        ended(office.work())  # run again: nothing is due
        assert len(server.taken) == 5
    assert office.states() == ["sent"] * 5
    planted = [*codes, *(code.replace("-", "") for code in codes), "example.net", *SECRETS.values()]
    for path in tmp_path.iterdir():
        raw = path.read_bytes()
        assert [one for one in planted if one.encode() in raw] == [], path.name


def test_a_mail_server_that_is_down_costs_time_and_no_message(office: Office) -> None:
    codes, port = office.invited(3), free_port()
    down = room(office, smtp=f"smtp://127.0.0.1:{port}")
    assert [down.deliver(message_id) for message_id, _ in down.fall_due()] == ["later"] * 3
    assert office.states() == ["waiting"] * 3
    assert down.fall_due() == []  # not before some minutes have passed
    office.hurry()
    with mail_server(port) as server:
        up = room(office, server)
        assert [up.deliver(message_id) for message_id, _ in up.fall_due()] == ["sent"] * 3
        assert links(server.taken) == sorted(codes)
    assert office.states() == ["sent"] * 3


@pytest.mark.crash
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_killed_at_any_moment_sends_each_message_once_or_at_most_twice(office: Office) -> None:
    codes = office.invited(12)
    with mail_server() as server:
        office.environment["EVALAPP_SMTP"] = server.url
        for pause in (0.0, 0.1):
            worker = office.work(once=False)
            seen = len(server.taken)
            _until(lambda seen=seen: len(server.taken) > seen, worker)
            time.sleep(pause)
            worker.send_signal(signal.SIGKILL)
            worker.communicate()
        for _ in range(2):
            office.hurry()
            assert ended(office.work())[0] == 0
        got = links(server.taken)
        # Two deaths while one message was on its way: whether it arrived is not known, and that is what is written down.
        assert len(set(codes) - set(got)) <= office.states().count("unsure"), "a message was lost"
        assert max(got.count(code) for code in codes) <= 2
        ids = [message["Message-ID"] for message in server.taken]
        assert len(set(ids)) == len(set(got))  # one that came twice is known by its id
    assert set(office.states()) <= {"sent", "unsure"}


def _until(condition: object, worker: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + 90
    while time.monotonic() < ends:
        if condition():  # type: ignore[operator]
            return
        if worker.poll() is not None:
            raise AssertionError(worker.communicate())
        time.sleep(0.01)
    raise AssertionError("the worker sent nothing in 90 seconds")


@pytest.mark.crash
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_one_worker_runs_at_a_time(office: Office) -> None:
    office.invited(1)
    with mail_server() as server:
        office.environment["EVALAPP_SMTP"] = server.url
        first = office.work(once=False)
        _until(lambda: server.taken, first)
        status, said = ended(office.work())
        assert status == 2
        assert "a worker is running on this database already" in said
        first.send_signal(signal.SIGTERM)
        assert ended(first)[0] == 0


def test_an_address_that_does_not_exist_is_written_to_once(office: Office) -> None:
    office.invited(1)
    with mail_server(says={"RCPT": "550 nobody"}) as server:
        here = room(office, server)
        assert [here.deliver(message_id) for message_id, _ in here.fall_due()] == ["refused"]
        assert here.fall_due() == []
    assert office.states() == ["failed"]
    with db.reading(office.store) as store:
        assert contacts.reachable(store) == frozenset()


def room(office: Office, server: MailServer | None = None, **given: object) -> jobs.Postroom:
    from evalapp import post

    found = Settings(
        database_url="sqlite:///x", secret_key="s", root_key="r", assets=Path("a"), mail_from=SENDER,
    )  # fmt: skip
    if server is not None:
        given["smtp"] = server.url
    return jobs.Postroom(
        office.engine, office.store, office.vault, post.carriers(replace(found, **given)),  # type: ignore[arg-type]
        "https://q.example.org", utc_now,
    )  # fmt: skip


def test_who_asked_for_no_more_is_sent_no_more_even_what_was_waiting(office: Office) -> None:
    office.invited(1)
    with mail_server() as server:
        here = room(office, server)
        ((message_id, _),) = here.fall_due()
        with db.writing(office.store) as store, db.reading(office.engine) as session:
            person_id = session.scalars(select(Person.id)).one()
            reached = contacts.of(store, person_id, vault=office.vault)
            assert reached is not None
            contacts.stop(store, office.vault.stop_token(reached.id), today=utc_now().date(), vault=office.vault)
            store.commit()
        assert here.deliver(message_id) == "stopped"
        assert server.taken == []


def test_a_reminder_has_no_code_and_comes_only_to_who_has_not_answered(office: Office) -> None:
    today = utc_now().date()
    with db.writing(office.engine) as session, db.writing(office.store) as store:
        review = make.review(session, make.site(session, make.trial(session)), starts_on=today + jobs_days(8))
        silent, spoken = make.person(session, review), make.person(session, review)
        for number, place in enumerate((silent, spoken)):
            make.card(session, place, office.vault)
            contacts.keep(store, place.person_id, "email", f"kim{number}@example.net", "en", vault=office.vault)
        make.answered(session, make.assignment(session, spoken, "before"), office.vault)
        session.commit()
        store.commit()
    with mail_server() as server:
        here = room(office, server)
        outcomes = [here.deliver(message_id) for message_id, _ in here.fall_due()]
        assert outcomes == ["sent"]
        (message,) = server.taken
    assert message["To"] == "kim0@example.net"
    assert "/j#" not in message.get_content()
    assert "https://q.example.org" in message.get_content()


def jobs_days(number: int) -> object:
    from datetime import timedelta

    return timedelta(days=number)


def test_a_text_message_goes_through_notify(office: Office) -> None:
    codes = office.invited(1, "text", "07700 90012{}")
    with notify_server() as stub:
        here = room(office, notify_key=KEY, notify_text="template", notify_url=stub.url, mail_from=None)
        outcomes = [here.deliver(message_id) for message_id, _ in here.fall_due()]
        assert outcomes == ["sent"]
        (taken,) = stub.taken
    assert taken["phone_number"] == "+447700900120"
    assert codes[0] in taken["personalisation"]["body"]


RETURNED = """\
From: MAILER-DAEMON@example.net
To: questions@example.org
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This person is not here.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Final-Recipient: rfc822; kim0@example.net
Action: {action}
Status: 5.1.1

--b
Content-Type: message/rfc822

From: questions@example.org
Message-ID: <{message_id}@example.org>
Subject: A few questions for you

Hello
--b--
"""


@pytest.mark.parametrize(("action", "noted"), [("failed", True), ("delayed", False)])
def test_a_returned_message_ends_writing_to_its_address(office: Office, action: str, *, noted: bool) -> None:
    office.invited(1)
    with mail_server() as server:
        here = room(office, server)
        ((message_id, _),) = here.fall_due()
        here.deliver(message_id)
    returned = RETURNED.format(action=action, message_id=message_id)
    answer = CliRunner().invoke(main, ["bounce"], input=returned, env=office.environment)
    assert answer.exit_code == 0, answer.output
    assert ("Noted" in answer.output) == noted
    assert office.states() == ["failed" if noted else "sent"]
    with db.reading(office.store) as store:
        assert (contacts.reachable(store) == frozenset()) == noted


@pytest.mark.parametrize("raw", ["", "hello", RETURNED.format(action="failed", message_id="0" * 16)])
def test_what_is_no_returned_message_of_ours_changes_nothing(office: Office, raw: str) -> None:
    answer = CliRunner().invoke(main, ["bounce"], input=raw, env=office.environment)
    assert "not a returned message of ours" in answer.output


def test_settings_that_are_missing_are_named(office: Office) -> None:
    for missing in ("EVALAPP_SMTP", "EVALAPP_CONTACTS_URL"):
        office.environment.pop(missing, None)
        answer = CliRunner().invoke(main, ["work", "--once"], env={**office.environment, missing: ""})
        assert answer.exit_code == 2
        assert missing in answer.output


def test_the_jobs_stand_beside_the_trial_unless_said_otherwise(tmp_path: Path) -> None:
    made = Settings(database_url=f"sqlite:///{tmp_path / 'trial.db'}", secret_key="s", root_key="r", assets=tmp_path)
    assert jobs.jobs_database(made) == f"sqlite:///{tmp_path / 'jobs.db'}"
    assert jobs.jobs_database(replace(made, jobs_url="sqlite:///elsewhere.db")) == "sqlite:///elsewhere.db"
    with pytest.raises(NotConfigured, match="EVALAPP_CONTACTS_URL"), jobs.postroom(made):
        pass


def test_a_try_that_broke_off_is_tried_again_and_counted(office: Office, session: Session) -> None:
    office.invited(1)
    with mail_server() as server:
        here = room(office, server)
        ((message_id, _),) = here.fall_due()
        here.broke_off(message_id)
    message = session.get_one(Message, message_id)
    assert (message.state, message.tries) == ("waiting", 1)
    assert message.retry_at is not None
