"""The admin's pages: invitations shown once, changes asked about first, nobody changing themselves."""

import re

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from evalapp.models import Audit, StaffSession, StaffUser
from evalapp.vault import Vault
from tests import make
from tests.security import visitors
from tests.security.visitors import Browser, World
from tests.trial.test_nations import PAGES_OF

LINK = re.compile(r"staff/accept#([\w-]{43})")


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


@pytest.fixture
def admin(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("admin", app, session, world)


def test_an_invited_colleague_can_come_in_with_the_code_shown_once(
    app: Flask, session: Session, admin: Browser
) -> None:
    page = admin.fill("/staff/accounts", {"email": "New@Council.gov.uk", "role": "evaluator"}).get_data(as_text=True)
    code = LINK.findall(page)[0]
    assert code not in admin.get("/staff/accounts").get_data(as_text=True)
    colleague = visitors.browser(app)
    colleague.fill("/staff/accept", {"invitation": code, "password": make.PASSWORD})
    colleague.fill("/staff/sign-in", {"email": "new@council.gov.uk", "password": make.PASSWORD})
    assert colleague.get("/dashboard/").status_code == 200
    actions = session.scalars(select(Audit.action).order_by(Audit.id)).all()
    assert actions[-3:] == ["staff invited", "invitation accepted", "signed in"]


@pytest.mark.parametrize(
    ("email", "role"), [("not an address", "admin"), ("a@b.uk", ""), ("a@b.uk", "owner"), ("", "admin")]
)
def test_an_invitation_that_will_not_do_keeps_what_was_typed(
    session: Session, admin: Browser, email: str, role: str
) -> None:
    before = session.scalar(select(func.count()).select_from(StaffUser))
    session.rollback()
    answer = admin.fill("/staff/accounts", {"email": email, "role": role})
    assert answer.status_code == 422
    assert f'value="{email}"' in answer.get_data(as_text=True)
    assert session.scalar(select(func.count()).select_from(StaffUser)) == before


@pytest.mark.parametrize("change", ["close", "open", "invite", "role"])
def test_opening_the_page_of_a_change_changes_nothing(
    app: Flask, session: Session, admin: Browser, world: World, change: str
) -> None:
    colleague = visitors.staff_browser(app, session, world.colleague)
    for method in ("GET", "HEAD"):
        assert admin.ask(method, f"/staff/accounts/{world.colleague.id}/{change}").status_code == 200
    assert colleague.get("/staff/people").status_code == 200
    assert session.scalars(select(Audit.action).where(Audit.action.like("staff %"))).all() == []


def test_closing_and_opening_again_and_changing_the_role(session: Session, admin: Browser, world: World) -> None:
    path = f"/staff/accounts/{world.colleague.id}"
    admin.fill(f"{path}/close", {})
    assert "closed" in admin.get("/staff/accounts").get_data(as_text=True)
    admin.fill(f"{path}/open", {})
    admin.fill(f"{path}/role", {"role": "funder"})
    session.expire_all()
    user = session.get_one(StaffUser, world.colleague.id)
    assert (user.disabled_at, user.role) == (None, "funder")
    assert session.scalars(select(Audit.action).where(Audit.action.like("staff %")).order_by(Audit.id)).all() == [
        "staff disabled", "staff enabled", "staff role changed",
    ]  # fmt: skip


def test_nobody_changes_their_own_account(session: Session, admin: Browser) -> None:
    own = session.scalars(select(StaffSession.user_id)).one()
    session.rollback()
    for change in ("close", "open", "invite", "role"):
        assert admin.get(f"/staff/accounts/{own}/{change}").status_code == 403
        assert admin.post(f"/staff/accounts/{own}/{change}", {"role": "funder"}).status_code == 403
    assert "This is you" in admin.get("/staff/accounts").get_data(as_text=True)


def test_a_closed_account_is_opened_before_it_is_invited_again(admin: Browser, world: World) -> None:
    path = f"/staff/accounts/{world.colleague.id}"
    admin.fill(f"{path}/close", {})
    assert admin.fill(f"{path}/invite", {}).status_code == 303
    assert "Open it again first" in admin.get("/staff/accounts").get_data(as_text=True)
    admin.fill(f"{path}/open", {})
    assert LINK.findall(admin.fill(f"{path}/invite", {}).get_data(as_text=True))


@pytest.mark.parametrize(("role", "labels"), PAGES_OF.items())
def test_the_menu_and_the_start_page_lead_only_where_one_may_go(
    app: Flask, session: Session, world: World, role: str, labels: list[str]
) -> None:
    who = visitors.visitor(role, app, session, world)
    page = who.get("/staff/").get_data(as_text=True)
    menu = re.search(r"<nav.*?</nav>", page, re.DOTALL)
    assert menu
    links = re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', menu.group(0))
    assert [label for _, label in links] == labels
    assert {who.get(url).status_code for url, _ in links} <= {200, 303}
    assert page.count('<li class="card">') == len(labels) - 1
