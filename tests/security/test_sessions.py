"""Signing in and out: a fresh session each time, ended at once when it should be, useless when copied from a dump."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from evalapp import accounts
from evalapp.accounts import Staff
from evalapp.models import Base, StaffSession
from evalapp.vault import Vault, hashed
from tests import make
from tests.conftest import NOW, Clock
from tests.security import visitors
from tests.security.visitors import HOME, Browser, World

ADMIN = Staff("someone-else", "first@example.org", "admin")


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


def sign_in(app: Flask, role: str = "evaluator", password: str = make.PASSWORD) -> Browser:
    who = visitors.browser(app)
    who.fill("/staff/sign-in", {"email": f"{role}@example.org", "password": password})
    who.get("/staff/")
    return who


def kept(who: Browser) -> dict[str, object]:
    with who.client.session_transaction(base_url=HOME) as cookie:
        return dict(cookie)


def cookie_of(who: Browser) -> str:
    found = who.client.get_cookie("__Host-evalapp", domain="127.0.0.1")
    assert found is not None
    return found.value


def test_the_right_password_opens_the_staff_s_pages(app: Flask, session: Session) -> None:
    make.staff(session)
    session.commit()
    who = visitors.browser(app)
    answer = who.fill("/staff/sign-in", {"email": " Evaluator@Example.org ", "password": make.PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/staff/")
    assert who.get("/staff/").status_code == 200


def test_unknown_wrong_closed_and_not_yet_accepted_get_the_very_same_page(app: Flask, session: Session) -> None:
    make.staff(session)
    closed = make.staff(session, email="closed@example.org")
    accounts.disable(session, closed.id, actor=ADMIN, now=NOW)
    accounts.invite(session, "invited@example.org", "admin", actor="system", now=NOW)
    session.commit()
    pages = set()
    for name, password in (
        ("evaluator", "wrong"),
        ("nobody", make.PASSWORD),
        ("closed", make.PASSWORD),
        ("invited", "x"),
    ):
        answer = visitors.browser(app).post("/staff/sign-in", {"email": f"{name}@example.org", "password": password})
        page = visitors.TOKEN.sub("", answer.get_data(as_text=True)).replace(name, "NAME")
        pages.add((answer.status_code, page))
    assert len(pages) == 1
    assert pages.pop()[0] == 422


def test_a_wrong_password_is_never_shown_again_but_the_address_is(app: Flask, session: Session) -> None:
    answer = visitors.browser(app).fill(
        "/staff/sign-in", {"email": "nobody@example.org", "password": "mistyped secret"}
    )
    page = answer.get_data(as_text=True)
    assert "nobody@example.org" in page
    assert "mistyped secret" not in page


def test_the_sixth_try_in_a_minute_is_told_to_wait_and_others_are_not(app: Flask, session: Session) -> None:
    make.staff(session)
    make.staff(session, "funder")
    session.commit()
    answers = [
        visitors.browser(app).post("/staff/sign-in", {"email": "evaluator@example.org", "password": "wrong"})
        for _ in range(6)
    ]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert sign_in(app, "funder").get("/staff/").status_code == 200


def test_a_cookie_from_before_signing_in_never_becomes_a_session(app: Flask, session: Session) -> None:
    make.staff(session)
    session.commit()
    who = visitors.browser(app)
    who.get("/staff/sign-in")
    before = cookie_of(who)
    who.post("/staff/sign-in", {"email": "evaluator@example.org", "password": make.PASSWORD})
    thief = visitors.browser(app)
    thief.client.set_cookie("__Host-evalapp", before, domain="127.0.0.1", secure=True)
    assert thief.get("/staff/").status_code == 303
    assert who.get("/staff/").status_code == 200


def test_signing_in_again_takes_a_new_key_and_ends_the_old_one(app: Flask, session: Session) -> None:
    make.staff(session)
    session.commit()
    who = sign_in(app)
    first, cookie = kept(who)["staff"], cookie_of(who)
    who.fill("/staff/sign-in", {"email": "evaluator@example.org", "password": make.PASSWORD})
    assert kept(who)["staff"] != first
    thief = visitors.browser(app)
    thief.client.set_cookie("__Host-evalapp", cookie, domain="127.0.0.1", secure=True)
    assert thief.get("/staff/").status_code == 303


def test_signing_in_ends_a_participant_s_visit_in_the_same_browser(app: Flask, session: Session, world: World) -> None:
    make.staff(session)
    session.commit()
    who = visitors.visitor("participant", app, session, world)
    who.fill("/staff/sign-in", {"email": "evaluator@example.org", "password": make.PASSWORD})
    assert "visit" not in kept(who)


def test_signing_out_ends_the_session_on_the_server_too(app: Flask, session: Session) -> None:
    make.staff(session)
    session.commit()
    who = sign_in(app)
    cookie = cookie_of(who)
    assert who.post("/staff/sign-out").location == "/staff/sign-in"
    thief = visitors.browser(app)
    thief.client.set_cookie("__Host-evalapp", cookie, domain="127.0.0.1", secure=True)
    assert thief.get("/staff/").status_code == 303


@pytest.mark.parametrize("change", ["close", "invite", "role"])
def test_closing_inviting_again_and_changing_role_end_every_session_at_once(
    app: Flask, session: Session, world: World, change: str
) -> None:
    victim = visitors.staff_browser(app, session, world.colleague)
    second = visitors.staff_browser(app, session, world.colleague)
    admin = visitors.visitor("admin", app, session, world)
    assert victim.get("/staff/people").status_code == second.get("/staff/people").status_code == 200
    admin.fill(f"/staff/accounts/{world.colleague.id}/{change}", {"role": "admin"})
    assert victim.get("/staff/people").status_code == second.get("/staff/people").status_code == 303


def test_a_session_idles_out_lives_on_while_used_and_ends_after_eight_hours(
    app: Flask, session: Session, world: World, clock: Clock
) -> None:
    who, idle = (visitors.visitor("evaluator", app, session, world) for _ in range(2))
    for _ in range(19):
        clock.now += timedelta(minutes=25)
        assert who.get("/staff/").status_code == 200
    assert idle.get("/staff/").status_code == 303
    clock.now = NOW + timedelta(hours=8, minutes=1)
    assert who.get("/staff/").status_code == 303


@pytest.mark.parametrize("forged", ["", "x" * 43, "' OR 1=1 --", 7, None, ["key"], {"a": 1}])
def test_a_made_up_key_opens_nothing(app: Flask, session: Session, forged: object) -> None:
    who = visitors.browser(app)
    with who.client.session_transaction(base_url=HOME) as cookie:
        cookie["staff"] = forged
    assert who.get("/staff/").status_code == 303


def test_a_cookie_signed_with_another_key_opens_nothing(app: Flask, session: Session, world: World) -> None:
    who = visitors.visitor("admin", app, session, world)
    app.secret_key = "another key altogether, of some length"
    assert who.get("/staff/").status_code == 303


def test_a_dump_of_the_database_opens_nothing(app: Flask, session: Session, vault: Vault, world: World) -> None:
    """Every value of every table, tried as a session key and as an invitation; and no live key is among them."""
    make.staff(session)
    session.commit()
    key = kept(sign_in(app))["staff"]
    assert isinstance(key, str)
    invitation = accounts.invite(session, "name@council.gov.uk", "admin", actor="system", now=NOW)
    code = make.card(session, world.place, vault)
    session.commit()
    dump = [
        str(value)
        for table in Base.metadata.sorted_tables
        for row in session.execute(text(f'SELECT * FROM "{table.name}"'))  # noqa: S608  (our own tables' names)
        for value in row
    ]
    assert hashed(key) in dump
    assert not [value for value in dump if key in value or invitation in value or make.PASSWORD in value]
    assert not [value for value in dump if code.secret in value.upper()]
    held = session.scalars(select(StaffSession.key_hash)).all()
    assert all(accounts.find(session, one, now=NOW) is None for one in held)


def test_an_invitation_is_accepted_by_its_form_and_keeps_what_was_typed(app: Flask, session: Session) -> None:
    code = accounts.invite(session, "name@council.gov.uk", "funder", actor="system", now=NOW)
    session.commit()
    who = visitors.browser(app)
    poor = who.fill("/staff/accept", {"invitation": code, "password": "too short"})
    assert poor.status_code == 422
    assert code in poor.get_data(as_text=True)
    assert "too short" not in poor.get_data(as_text=True)
    assert who.post("/staff/accept", {"invitation": code, "password": make.PASSWORD}).location == "/staff/sign-in"
    assert who.post("/staff/accept", {"invitation": code, "password": make.PASSWORD}).status_code == 422


def test_signing_in_from_a_page_kept_open_too_long_needs_no_token(app: Flask, session: Session) -> None:
    """No session, nothing to bind a token to; where the form comes from was checked before."""
    make.staff(session)
    session.commit()
    answer = visitors.browser(app).post("/staff/sign-in", {"email": "evaluator@example.org", "password": make.PASSWORD})
    assert answer.status_code == 303
