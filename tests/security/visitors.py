"""Visitors of every kind, each in a browser of their own, and a small trial for them to ask about."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from evalapp import db, roster
from evalapp.models import Membership, Paper, Review, Site, StaffSession, StaffUser, Trial, random_id
from evalapp.paper import entry
from evalapp.survey import journey
from evalapp.vault import Vault, hashed, new_key
from tests import make
from tests.conftest import NOW

HOME = "https://127.0.0.1"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class Browser:
    """A browser: it keeps its cookie, says where its posts come from, and carries the page's token."""

    client: FlaskClient
    token: str = ""
    headers: dict[str, str] = field(default_factory=lambda: {"Origin": HOME, "Sec-Fetch-Site": "same-origin"})

    def get(self, path: str, **more: Any) -> TestResponse:
        answer = self.client.get(path, base_url=HOME, **more)
        found = TOKEN.search(answer.get_data(as_text=True)) if answer.mimetype == "text/html" else None
        self.token = found.group(1) if found else self.token
        return answer

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        sent = {"csrf_token": self.token, **(data or {})}
        return self.client.post(path, base_url=HOME, data=sent, headers=self.headers, **more)

    def ask(self, method: str, path: str) -> TestResponse:
        if method == "POST":
            return self.post(path)
        return self.client.open(path, method=method, base_url=HOME)

    def fill(self, path: str, data: dict[str, Any], **more: Any) -> TestResponse:
        """Open a page and send its form."""
        self.get(path)
        return self.post(path, data, **more)


def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


def staff_browser(app: Flask, session: Session, user: StaffUser, *, since: datetime = NOW) -> Browser:
    """A browser signed in as someone, without the slow hashing of a password."""
    key = new_key()
    session.add(StaffSession(key_hash=hashed(key), user_id=user.id, started_at=since, last_seen_at=since))
    session.commit()
    return _holding(app, {"staff": key})


def participant_browser(app: Flask, session: Session, person_id: str) -> Browser:
    key = journey.open_visit(session, person_id, language="en", now=NOW)
    session.commit()
    return _holding(app, {"visit": key})


def _holding(app: Flask, kept: dict[str, str]) -> Browser:
    """A browser with these keys in its cookie, and the token of a page it was shown."""
    made = browser(app)
    with made.client.session_transaction(base_url=HOME) as cookie:
        cookie.update(kept)
    made.get("/staff/sign-in")
    return made


def member(session: Session, role: str, *, email: str | None = None, closed: bool = False) -> StaffUser:
    """A member of staff nobody signs in as with a password."""
    user = StaffUser(
        email=email or f"{role}-{random_id()}@example.org", role=role, password_hash="none", created_at=NOW,
        disabled_at=NOW if closed else None,
    )  # fmt: skip
    session.add(user)
    session.commit()
    return user


@dataclass(frozen=True)
class World:
    """One trial with a site, a review and a person who has a card and a paper; a colleague; the keys that stand in paths."""

    trial: Trial
    site: Site
    review: Review
    place: Membership
    colleague: StaffUser
    paper: Paper

    @property
    def paths(self) -> dict[str, str]:
        return {
            "slug": self.trial.slug,
            "trial_id": self.trial.id,
            "site_id": self.site.id,
            "review_id": self.review.id,
            "person_id": self.place.person_id,
            "user_id": self.colleague.id,
            "token": "0" * 48,
            "aside_id": "0" * 16,
            "response_id": "0" * 16,
            "call_id": "0" * 16,
            "paper_id": self.paper.id,
            "code": "blame",
            "name": "responses",
            "number": "1",
            "family": "practitioner",
            "scale": "BLG",
            "item": "BLG1",
        }


def world(engine: Engine, vault: Vault) -> World:
    with db.writing(engine) as session:
        trial = make.trial(session, plan=roster.usual_plan(design="randomised", planned_sites=24))
        site = make.site(session, trial)
        review = make.review(session, site)
        place = make.person(session, review)
        make.card(session, place, vault)
        colleague = member(session, "coordinator", email="colleague@example.org")
        paper = entry.issue(session, make.assignment(session, place), language="en", actor=colleague.id, now=NOW)
        session.commit()
        return World(trial, site, review, place, colleague, paper)


def visitor(kind: str, app: Flask, session: Session, world: World) -> Browser:
    """A browser of one kind of visitor: a role, or someone whose rights have ended."""
    if kind == "anyone":
        return _holding(app, {})
    if kind == "participant":
        return participant_browser(app, session, world.place.person_id)
    if kind == "closed":
        return staff_browser(app, session, member(session, "admin", closed=True))
    if kind == "ended":
        return staff_browser(app, session, member(session, "admin"), since=NOW - timedelta(hours=9))
    return staff_browser(app, session, member(session, kind))
