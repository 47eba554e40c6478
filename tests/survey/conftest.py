"""A trial with open questionnaires, one of every kind of question, and people with cards."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from evalapp import create_app, responses
from evalapp.codes import Code
from evalapp.config import Settings
from evalapp.db import Base
from evalapp.models import Assignment, Membership, Response, Trial
from evalapp.responses import Given
from evalapp.vault import Vault
from instruments import library
from instruments.files import Library, read
from tests import make
from tests.conftest import Clock
from tests.survey.person import Somebody

EVERY_KIND = read(Path(__file__).parent / "examples" / "every_kind" / "1.toml")


@dataclass
class World:
    """The database as a test looks into it, and people to look through."""

    app: Flask
    session: Session
    vault: Vault
    trial: Trial

    def person(self, role: str = "practitioner", *, instrument: str | None = None) -> tuple[Membership, Code]:
        """Somebody with a card whose "before" is open: the shipped questionnaire, or one of these examples."""
        place = make.person(self.session, self._review, role)
        if instrument is not None:
            make.assignment(self.session, place).instrument = instrument
        code = make.card(self.session, place, self.vault)
        self.session.commit()
        return place, code

    def somebody(self) -> Somebody:
        return Somebody(self.app)

    def started(self, **how: str) -> tuple[Somebody, Membership, Code]:
        """Somebody who has said yes and has the first page of questions open."""
        place, code = self.person(**how)
        return self.somebody().enter(code).agree(), place, code

    def assignment(self, place: Membership, wave: str = "before") -> Assignment:
        return make.assignment(self.session, place, wave)

    def response(self, place: Membership) -> Response | None:
        self.session.rollback()
        self.session.expire_all()
        found = self.session.scalar(select(Response).where(Response.assignment_id == self.assignment(place).id))
        if found is not None:
            self.session.expunge(found)  # readable after the lock is let go
        self.session.rollback()
        return found

    def count(self, table: type[Base]) -> int:
        """How many rows a table has, without keeping the file locked."""
        self.session.rollback()
        found = self.session.scalar(select(func.count()).select_from(table)) or 0
        self.session.rollback()
        return found

    def stored(self, place: Membership) -> dict[str, Given]:
        """What the database holds of a person's answers."""
        found = self.response(place)
        given = {} if found is None else responses.answers(self.session, found.id, vault=self.vault)
        self.session.rollback()
        return given

    def __post_init__(self) -> None:
        self._review = make.review(self.session, make.site(self.session, self.trial), starts_on=date(2026, 3, 10))
        self.session.commit()


@pytest.fixture
def world(app: Flask, session: Session, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> World:
    """A demonstration trial, so that there are boxes for words and Welsh drafts."""
    with_examples = Library([*library(), EVERY_KIND])
    monkeypatch.setattr("evalapp.shelf.shelf", lambda: with_examples)
    app.extensions["wait"] = lambda _: None
    return World(app, session, vault, make.trial(session, kind="demo"))


@pytest.fixture
def real(world: World) -> World:
    """The same trial in earnest: no reader of words, no drafts."""
    world.trial.kind = "live"
    world.session.commit()
    return world


@pytest.fixture
def address(world: World, settings: Settings, clock: Clock) -> Iterator[str]:
    """The app on a free port, without https as in a demonstration."""
    app: Flask = create_app(Settings(**{**vars(settings), "https": False}), clock=clock)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    running = threading.Thread(target=server.serve_forever)
    running.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    running.join(10)
    server.server_close()
    app.extensions["evalapp"].engine.dispose()
