"""From the information to a receipt for a change of mind, on a small phone without script; and the pages around it."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import db, roster, withdrawals
from evalapp.config import from_environment
from evalapp.models import Assignment, Card, Membership, Response, SiteRules, StaffUser
from evalapp.vault import Vault
from tests.journeys import checks
from tests.journeys.conftest import DESKTOP, PHONE, Demo, Opener, Watch
from tests.journeys.test_questionnaires import at_the_questions, look
from tests.journeys.test_staff import look as look_at_staff_page
from tests.journeys.test_staff import sign_in

pytestmark = pytest.mark.browser


def database(demo: Demo) -> tuple[Session, Vault]:
    settings = from_environment({"EVALAPP_SECRETS": str(demo.folder / "settings.env")})
    return db.writing(db.make_engine(settings.database_url)), Vault(settings.root_key)


def new_card(demo: Demo, instrument: str) -> tuple[str, str]:
    """A card for somebody who is asked this now, began nothing and has no card: their person's id and the code."""
    session, vault = database(demo)
    with session:
        place = session.scalars(
            select(Membership)
            .join(Assignment, Assignment.membership_id == Membership.id)
            .where(
                Assignment.instrument == instrument,
                Assignment.opens_on <= datetime.now(UTC).date(),
                Assignment.closes_on >= datetime.now(UTC).date(),
                Assignment.id.not_in(select(Response.assignment_id)),
                Membership.person_id.not_in(select(Card.person_id)),
            )
            .order_by(Membership.id)
            .limit(1)
        ).one()
        code = roster.issue_card(session, place.person_id, vault=vault, actor="system", now=datetime.now(UTC))
        session.commit()
        return place.person_id, str(code)


def press(page: Page, name: str) -> None:
    checks.go_on(page, page.locator("main").get_by_role("button", name=name))


def test_consent_answers_then_delete_with_a_receipt(demo: Demo, open_page: Opener) -> None:
    person_id, code = new_card(demo, "practitioner_after")
    page, watch = open_page()
    wire = checks.Wire(page)
    at_the_questions(demo, page, watch, wire, code, "en")
    page.locator("main input[type=radio]").first.check()
    press(page, "Continue")
    page.wait_for_load_state("load")  # or what is left of this page counts as the next one's
    wire.taken()
    checks.go_on(page, page.locator("footer").get_by_role("link", name="Change your mind"))
    look(page, watch, wire, "change")
    press(page, "Continue")  # nothing chosen
    assert page.locator("[role=alert]").count() == 1
    look(page, watch, wire, "change, unanswered")
    page.check("input[name=choice][value=delete]")
    press(page, "Continue")
    look(page, watch, wire, "sure")
    press(page, "Yes, do it")
    assert page.url.endswith("/change/done")
    look(page, watch, wire, "changed")
    receipt = page.locator(".receipt").inner_text()
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", receipt)
    page.go_back()  # Back shows no answers, and pressing again changes nothing
    if page.get_by_role("button", name="Yes, do it").count():
        press(page, "Yes, do it")
        assert page.locator(".receipt").inner_text() == receipt
    session, _ = database(demo)
    with session:
        assert withdrawals.by_receipt(session, receipt) is not None
        mine = select(Response).join(Assignment).join(Membership).where(Membership.person_id == person_id)
        assert session.scalars(mine).all() == []
    again, _ = open_page()
    again.goto("/change")
    again.get_by_role("textbox").fill(code)
    press(again, "Continue")
    assert receipt in again.locator("main").inner_text()
    assert "There is nothing more to choose" in again.locator("main").inner_text()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_parent_reads_decides_on_their_child_and_stops_it(
    demo: Demo, open_page: Opener, size: dict[str, int]
) -> None:
    session, vault = database(demo)
    with session:
        young = session.scalars(
            select(Membership)
            .join(Assignment, Assignment.membership_id == Membership.id)
            .where(Membership.role == "young_person", Assignment.closes_on >= datetime.now(UTC).date())
            .where(
                Assignment.opens_on <= datetime.now(UTC).date(), Assignment.id.not_in(select(Response.assignment_id))
            )
            .order_by(Membership.id)
        ).first()
        assert young is not None
        session.get_one(SiteRules, young.site_id).young_people = "always"
        parent = session.scalars(
            select(Membership)
            .where(Membership.review_id == young.review_id, Membership.role == "parent")
            .where(Membership.person_id.not_in(select(Card.person_id)))
            .order_by(Membership.id)
        ).first()
        if parent is None:
            parent = roster.add_person(session, session.get_one(roster.Review, young.review_id), "parent")
            roster.decide(session, parent, roster.Gate(True, True, True), actor="system", now=datetime.now(UTC))
        roster.link(session, young, parent, actor="system", now=datetime.now(UTC))
        code = str(roster.issue_card(session, parent.person_id, vault=vault, actor="system", now=datetime.now(UTC)))
        session.commit()
        young_id, site_id = young.id, young.site_id
    try:
        page, watch = open_page(size=size)
        page.goto("/")
        page.get_by_role("textbox").fill(code)
        press(page, "Continue")
        assert page.url.endswith("/permission")
        _look(page, watch, size, "permission")
        page.check("input[name=agreed][value=yes]")
        press(page, "Continue")
        _look(page, watch, size, "permission given")
        press(page, "Stop it")
        assert "You said no" in page.locator("main").inner_text()
        checks.go_on(page, page.locator("main").get_by_role("link", name="Go on"))
        checks.go_on(page, page.get_by_role("link", name="What happens to what I say"))
        _look(page, watch, size, "said")
        with database(demo)[0] as session:
            assert not roster.has_parents_yes(session, young_id)
    finally:
        with database(demo)[0] as session:
            session.get_one(SiteRules, site_id).young_people = "never"
            session.commit()


def _look(page: Page, watch: Watch, size: dict[str, int], kind: str) -> None:
    page.wait_for_load_state("load")
    checks.assert_fits(page, size["width"])
    checks.assert_accessible_once(page, kind)
    watch.assert_quiet()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_lead_decides_and_the_board_shows_the_flow(demo: Demo, open_page: Opener, size: dict[str, int]) -> None:
    session, _ = database(demo)
    with session:
        lead = session.scalars(select(StaffUser).where(StaffUser.role == "coordinator")).first()
        assert lead is not None
        young = session.scalars(
            select(Membership).where(Membership.role == "young_person").order_by(Membership.id)
        ).first()
        assert young is not None
        parent = session.scalars(
            select(Membership).where(Membership.review_id == young.review_id, Membership.role == "parent")
        ).first()
        assert parent is not None
        paths = {
            "coordinator": [
                f"/staff/people/{young.review_id}",
                f"/staff/people/{young.review_id}/{parent.person_id}/invitation",
                f"/staff/people/{young.review_id}/{young.person_id}/parent",
                "/dashboard/demo/responses",
            ],
            "evaluator": [f"/staff/trials/{_trial_id(session)}/terms", "/dashboard/demo/responses"],
            "admin": ["/staff/sites", f"/staff/sites/{young.site_id}/rules"],
        }
    for role, addresses in paths.items():
        page, watch = open_page(size=size)
        sign_in(page, demo, role)
        for address in addresses:
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 200, address
            look_at_staff_page(page, watch, size)


def _trial_id(session: Session) -> str:
    return session.scalars(select(roster.Trial.id).where(roster.Trial.slug == "demo")).one()
