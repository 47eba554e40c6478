"""A scale's page in a real browser: by keyboard alone, on paper, and compared only when asked."""

import pytest

from tests.journeys.conftest import DESKTOP, PHONE, Demo, Opener
from tests.journeys.test_staff import look, sign_in

pytestmark = pytest.mark.browser
SCALE = "/dashboard/demo/questions/practitioner/VAL"


def test_by_keyboard_alone_another_time_is_chosen_and_the_groups_are_compared(demo: Demo, open_page: Opener) -> None:
    page, watch = open_page(size=PHONE)
    sign_in(page, demo, "evaluator")
    page.goto(SCALE)
    page.get_by_role("navigation", name="When").get_by_role("link", name="Before").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**wave=before**")
    page.locator("#compared > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Compare the groups"
    page.keyboard.press("Enter")
    page.wait_for_url("**compare=yes**")
    assert page.locator("#compared").get_attribute("open") is not None
    assert page.locator("#compared dl.facts").get_by_text("Exploratory: not in the plan").count() == 1
    look(page, watch, PHONE)


def test_on_paper_a_scale_s_page_has_every_drawing_and_no_button(demo: Demo, open_page: Opener) -> None:
    page, watch = open_page(size=DESKTOP)
    sign_in(page, demo, "evaluator")
    page.goto(SCALE)
    drawings = page.locator(".chart-stage > svg[role=img]:visible").count()
    page.emulate_media(media="print")
    assert page.locator(".chart-stage > svg[role=img]:visible").count() == drawings >= 5
    assert page.locator("button:visible, .crumbs:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"]
    watch.assert_quiet()
