"""The coordinator's pages on messages: an address is kept and not shown, a code is sent and seen by nobody."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from evalapp import contacts, create_app, db, schema
from evalapp.config import Settings
from evalapp.models import Audit, Card, Message
from evalapp.vault import Vault
from tests import make
from tests.conftest import Clock
from tests.security import visitors
from tests.security.visitors import Browser, World


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    made = db.make_engine(f"sqlite:///{tmp_path / 'contacts.db'}")
    schema.upgrade(made, store=schema.CONTACTS)
    yield made
    made.dispose()


@pytest.fixture
def app(settings: Settings, clock: Clock, store: Engine) -> Iterator[Flask]:
    made = create_app(replace(settings, contacts_url=str(store.url)), clock=clock)
    made.testing = False
    yield made
    made.extensions["evalapp"].engine.dispose()
    made.extensions["evalapp"].contacts.dispose()


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


@pytest.fixture
def coordinator(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("coordinator", app, session, world)


def address_of(world: World) -> str:
    return f"/staff/people/{world.review.id}/{world.place.person_id}/contact"


KIM = {"channel": "email", "address": "kim.jones@example.org", "language": "cy"}


def test_an_address_is_kept_and_not_shown_again(
    coordinator: Browser, world: World, store: Engine, vault: Vault
) -> None:
    answer = coordinator.fill(address_of(world), KIM)
    assert answer.status_code == 303
    page = coordinator.get(address_of(world)).get_data(as_text=True)
    assert "kim.jones@example.org" not in page
    assert "k…@example.org" in page
    with db.reading(store) as reader:
        found = contacts.of(reader, world.place.person_id, vault=vault)
    assert found is not None
    assert (found.address, found.language) == ("kim.jones@example.org", "cy")


def test_a_wrong_address_comes_back_with_what_was_typed(coordinator: Browser, world: World) -> None:
    answer = coordinator.fill(address_of(world), {**KIM, "address": "kim@"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'value="kim@"' in page
    assert "such as name@example.org" in page


def test_a_code_is_sent_and_seen_by_nobody(coordinator: Browser, world: World, session: Session, vault: Vault) -> None:
    coordinator.fill(address_of(world), KIM)
    coordinator.get(address_of(world))
    answer = coordinator.post(address_of(world), {"do": "send", "seen": ""})
    assert answer.status_code == 303
    page = coordinator.get(address_of(world)).get_data(as_text=True)
    assert "waiting to be sent" in page
    assert not re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", page)
    message = session.scalars(select(Message)).one()
    assert message.sealed is not None
    live = session.scalars(select(Card).where(Card.revoked_at.is_(None))).all()
    assert len(live) == 1  # the card they had has stopped working
    everything = repr([(row.action, row.object, row.detail) for row in session.scalars(select(Audit))])
    assert "kim" not in everything
    assert "example.org" not in everything


def test_the_same_page_sent_twice_makes_one_invitation(coordinator: Browser, world: World, session: Session) -> None:
    coordinator.fill(address_of(world), KIM)
    coordinator.get(address_of(world))
    for _ in range(2):
        coordinator.post(address_of(world), {"do": "send", "seen": ""})
    assert len(session.scalars(select(Message)).all()) == 1
    assert "since you opened this page" in coordinator.get(address_of(world)).get_data(as_text=True)


def test_removed_details_are_gone_and_nothing_can_be_sent(coordinator: Browser, world: World, store: Engine) -> None:
    coordinator.fill(address_of(world), KIM)
    coordinator.get(address_of(world))
    coordinator.post(address_of(world), {"do": "forget"})
    with db.reading(store) as reader:
        assert contacts.reachable(reader) == frozenset()
    coordinator.get(address_of(world))
    coordinator.post(address_of(world), {"do": "send", "seen": ""})
    assert "Nothing can be sent" in coordinator.get(address_of(world)).get_data(as_text=True)


def test_the_stop_link_asks_first_and_a_mail_program_may_send_it_for_its_reader(
    app: Flask, coordinator: Browser, world: World, store: Engine, vault: Vault
) -> None:
    coordinator.fill(address_of(world), KIM)
    with db.reading(store) as reader:
        known = contacts.of(reader, world.place.person_id, vault=vault)
    assert known is not None
    path = f"/stop/{vault.stop_token(known.id)}"
    anybody = visitors.browser(app)
    for _ in range(3):  # scanners open links
        assert "no more messages?" in anybody.get(path).get_data(as_text=True)
    with db.reading(store) as reader:
        assert len(contacts.reachable(reader)) == 1
    bare = app.test_client().post(path, base_url=visitors.HOME, data={"List-Unsubscribe": "One-Click"})
    assert bare.status_code == 200
    with db.reading(store) as reader:
        assert contacts.reachable(reader) == frozenset()
    forged = app.test_client().post("/stop/" + "0" * 48, base_url=visitors.HOME)
    assert (forged.status_code, forged.data) == (200, bare.data)


def test_reminders_are_counted_in_steps_that_name_nobody(
    coordinator: Browser, world: World, session: Session, vault: Vault
) -> None:
    def add(count: int) -> None:
        for _ in range(count):
            place = make.person(session, session.merge(world.review))
            asked = make.assignment(session, place, "before")
            session.add(
                Message(person_id=place.person_id, kind="reminder", assignment_id=asked.id, number=1,
                        due_on=asked.opens_on, state="sent")
            )  # fmt: skip
        session.commit()

    add(9)
    assert "fewer than 10" in coordinator.get("/staff/messages").get_data(as_text=True)
    add(4)
    before = coordinator.get("/staff/messages").get_data(as_text=True)
    add(1)
    assert coordinator.get("/staff/messages").get_data(as_text=True) == before
    assert "about 15" in before


def test_a_copy_without_a_store_says_so(settings: Settings, clock: Clock, session: Session, world: World) -> None:
    bare = create_app(settings, clock=clock)
    browser = visitors.visitor("coordinator", bare, session, world)
    answer = browser.get(address_of(world))
    assert answer.status_code == 303
    assert "keeps no contact details" in browser.get(f"/staff/people/{world.review.id}").get_data(as_text=True)
    assert "sends no messages" in browser.get("/staff/messages").get_data(as_text=True)
    bare.extensions["evalapp"].engine.dispose()
