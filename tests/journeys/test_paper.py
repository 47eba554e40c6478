"""Paper, in a real browser without script: cards, a questionnaire printed for a person, typed by two people, settled, stored."""

import re
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from evalapp import config, db, responses
from evalapp.models import Assignment, Membership, Response
from evalapp.paper import keys, questionnaire
from evalapp.responses import Given
from evalapp.shelf import shelf
from evalapp.vault import Vault
from tests import make
from tests.journeys import checks
from tests.journeys.conftest import DESKTOP, PHONE, Demo, Opener, Watch
from tests.journeys.test_staff import sign_in

pytestmark = pytest.mark.browser


def settings_of(demo: Demo) -> config.Settings:
    return config.from_environment({"EVALAPP_SECRETS": str(demo.folder / "settings.env")})


def unanswered(demo: Demo) -> tuple[str, Membership, str, date]:
    """Something a practitioner of a review is asked now and has not begun: its id, their place, its name, its first day."""
    engine = db.make_engine(settings_of(demo).database_url)
    today = date.today()  # noqa: DTZ011  (the demonstration's own days)
    with db.reading(engine) as session:
        found = session.execute(
            select(Assignment, Membership)
            .join(Membership, Membership.id == Assignment.membership_id)
            .where(Assignment.opens_on <= today, Assignment.closes_on >= today, Membership.review_id.is_not(None))
            .where(Assignment.id.not_in(select(Response.assignment_id)), Assignment.instrument == "practitioner_before")
            .order_by(Assignment.id.desc())
        ).first()
        assert found is not None
        assignment, place = found
        session.expunge_all()
    engine.dispose()
    return assignment.id, place, assignment.instrument, assignment.opens_on


def seen(page: Page, watch: Watch, size: dict[str, int]) -> None:
    checks.assert_fits(page, size["width"])
    checks.assert_accessible(page)
    watch.assert_quiet()


def type_in(
    page: Page, watch: Watch, size: dict[str, int], serial: str, name: str, day: date, changed: dict[str, str]
) -> None:
    """By keyboard alone: the serial, then page by page a key and Tab for every question, Enter at the end."""
    page.goto("/staff/questionnaires")
    seen(page, watch, size)
    page.goto("/staff/paper")
    seen(page, watch, size)
    page.get_by_label("Number of the paper").fill(serial.lower())
    page.keyboard.press("Enter")
    page.wait_for_url("**/staff/paper/*/0")
    instrument = shelf().latest(name)
    seen(page, watch, size)
    page.locator("#consent").focus()
    page.keyboard.type("1")
    page.keyboard.press("Tab")
    page.keyboard.type(keys.day_shown(day))
    page.keyboard.press("Enter")
    parts = questionnaire.parts(instrument, words_read=True)
    for number, (_, items) in enumerate(parts, start=1):
        page.wait_for_url(f"**/{number}")
        asked = [one for one in items if one.kind != "information"]
        page.locator(f"#{asked[0].code}").focus()
        for item in asked:
            plain = keys.shown(instrument, item, Given(make.plain_answer(item)))
            page.keyboard.type(changed.get(item.code, plain))
            page.keyboard.press("Tab")
        if number == 1:
            seen(page, watch, size)
        forth = page.get_by_role("button", name="Keep and").first
        forth.dblclick() if number == len(parts) else forth.click()
    page.wait_for_url(re.compile(r"/staff/paper$|/differences$"))


def test_a_paper_is_printed_typed_by_two_people_settled_and_stored(
    demo: Demo, open_page: Opener, tmp_path: Path
) -> None:
    assignment_id, place, name, day = unanswered(demo)
    first, first_watch = open_page(size=PHONE)
    sign_in(first, demo, "coordinator")
    first.goto(f"/staff/people/{place.review_id}/{place.person_id}/paper")
    seen(first, first_watch, PHONE)
    first.locator(f"input[value='{assignment_id}']").check()
    checks.go_on(first, first.get_by_role("button", name="Make the paper"))
    serial = first.locator(".serial").first.inner_text()
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", serial)
    seen(first, first_watch, PHONE)

    type_in(first, first_watch, PHONE, serial, name, day, {"BLG1": "5"})
    expect(first.locator("main")).to_contain_text("somebody else has to type the same paper")
    second, second_watch = open_page(size=DESKTOP)
    sign_in(second, demo, "evaluator")
    type_in(second, second_watch, DESKTOP, serial, name, day, {"BLG1": "p"})
    second.wait_for_url("**/differences")
    seen(second, second_watch, DESKTOP)
    assert second.locator("fieldset").count() == 1
    second.get_by_label("First: 5: Strongly agree").check()
    second.get_by_role("button", name="Store the paper").dblclick()
    second.wait_for_url("**/staff/paper")
    expect(second.locator("main")).to_contain_text("stored")

    settings = settings_of(demo)
    engine = db.make_engine(settings.database_url)
    with db.reading(engine) as session:
        found = responses.of_assignment(session, assignment_id)
        assert found is not None
        assert (found.mode, found.state, found.submitted_on) == ("paper", "submitted", day)
        given = responses.answers(session, found.id, vault=Vault(settings.root_key))
        assert given["BLG1"] == Given(5)
    engine.dispose()
    first_watch.assert_quiet()
    second_watch.assert_quiet()


def test_cards_are_shown_once_and_print_eight_on_a_sheet(demo: Demo, open_page: Opener) -> None:
    _, place, _, _ = unanswered(demo)
    page, watch = open_page(size=PHONE)
    sign_in(page, demo, "coordinator")
    page.goto(f"/staff/people/{place.review_id}/add")
    seen(page, watch, PHONE)
    page.get_by_label("Role in this review").select_option("practitioner")
    page.get_by_label("How many people").fill("9")
    checks.go_on(page, page.get_by_role("button", name="Add them and make the cards"))
    seen(page, watch, PHONE)
    codes = page.locator(".code").all_inner_texts()
    assert len(set(codes)) == 9
    assert not [code for code in codes if code in page.url or code in page.title()]
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})
    sheets = [sheet.bounding_box() for sheet in page.locator(".sheet").all()]
    assert [round(one["height"] * 25.4 / 96) for one in sheets if one] == [280, 280]
    assert page.locator(".sheet").first.locator(".card").count() == 8
    assert page.locator(".bar").is_hidden()
    watch.assert_quiet()
    log = (demo.folder / "server.log").read_text()
    assert not [code for code in codes if code in log]
