"""Two people and one tablet in a real browser: Back, history and cache show the second nothing of the first."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from evalapp.responses import Given
from tests import make
from tests.conftest import NOW, Clock
from tests.journeys import checks
from tests.survey.conftest import World
from tests.survey.test_pages import looked_at, press

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
PRESS = "main button[value=next]"


def made_a_tablet(world: World, address: str, page: Page) -> None:
    make.staff(world.session, "coordinator")
    world.session.commit()
    review = world._review.id
    world.session.rollback()
    page.goto(f"{address}/staff/sign-in")
    page.fill("#email", "coordinator@example.org")
    page.fill("#password", make.PASSWORD)
    checks.go_on(page, page.locator("main button"))
    page.goto(f"{address}/staff/people/{review}")
    checks.go_on(page, page.get_by_role("link", name="Make this device a tablet"))
    checks.go_on(page, page.get_by_role("button", name="Make this device a tablet"))
    page.wait_for_url(f"{address}/")


def enter(page: Page, code: str) -> None:
    page.fill("#code", code)
    checks.go_on(page, page.locator("main button.main"))


def answer(page: Page, address: str, planted: str) -> None:
    page.goto(f"{address}/consent")
    page.check("#yes")
    checks.go_on(page, page.locator("main button.main"))
    page.check("#a-agree-5")
    for number in (1, 2, 4):
        page.wait_for_url(f"**/q/{number}")
        page.click(PRESS)
    page.wait_for_url("**/q/5")
    page.fill("#a-lines", planted)
    page.click(PRESS)
    page.wait_for_url("**/check")


@pytest.mark.parametrize("script", [True, False])
def test_the_second_person_finds_nothing_of_the_first(
    world: World, address: str, browser: Browser, *, script: bool
) -> None:
    (first, one), (second, two) = (world.person(instrument="every_kind") for _ in range(2))
    context = browser.new_context(viewport={"width": 768, "height": 1024}, java_script_enabled=script)
    page = context.new_page()
    page.set_default_timeout(15_000)
    made_a_tablet(world, address, page)
    enter(page, str(one))
    answer(page, address, "A planted phrase")
    checks.go_on(page, page.locator("main button.main"))
    expect(page.locator(".receipt")).to_be_visible()
    receipt = page.locator(".receipt").inner_text()
    checks.go_on(page, page.get_by_role("link", name="Close my pages"))
    page.wait_for_url(f"{address}/")
    for _ in range(12):
        page.go_back()
        shown = page.content()
        assert "A planted phrase" not in shown
        assert receipt not in shown
        assert not re.search(r"checked", shown)
        assert str(one) not in shown
    page.goto(f"{address}/")
    assert page.input_value("#code") == ""
    enter(page, str(two))
    answer(page, address, "Other words")
    assert "A planted phrase" not in page.content()
    checks.go_on(page, page.locator("main button.main"))
    page.wait_for_url("**/done")
    assert [world.stored(place)["lines"] for place in (first, second)] == [
        Given("A planted phrase"),
        Given("Other words"),
    ]
    assert {found.mode for place in (first, second) if (found := world.response(place))} == {"tablet"}
    page.goto(f"{address}/staff/")
    assert page.url == f"{address}/"
    context.close()


def test_a_tablet_left_lying_asks_and_then_goes_back_to_the_code_page(
    world: World, address: str, browser: Browser, clock: Clock
) -> None:
    place, code = world.person(instrument="every_kind")
    context = browser.new_context(viewport={"width": 768, "height": 1024})
    page = context.new_page()
    made_a_tablet(world, address, page)
    page.clock.install(time=NOW)
    enter(page, str(code))
    page.goto(f"{address}/consent")
    page.check("#yes")
    checks.go_on(page, page.locator("main button.main"))
    page.check("#a-agree-5")
    page.click(PRESS)
    page.wait_for_url("**/q/2")
    page.clock.run_for(545_000)
    expect(page.locator("#still-there")).to_be_visible()
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#still-there")).to_be_hidden()
    page.clock.run_for(602_000)
    page.wait_for_url("**/?away=1")
    expect(page.locator("main")).to_contain_text("What was saved is kept")
    page.go_back()
    assert "/q/" not in page.url
    assert world.stored(place)["agree"] == Given(5)
    context.close()


@pytest.mark.parametrize("width", [320, 768])
def test_the_tablet_s_pages_have_no_barrier(world: World, address: str, browser: Browser, width: int) -> None:
    places = [world.person(instrument="every_kind") for _ in range(10)]
    context = browser.new_context(viewport={"width": width, "height": 700}, bypass_csp=True)
    page = context.new_page()
    made_a_tablet(world, address, page)
    faults = {"door": looked_at(page, width)}
    assert "At least 0 of 10 people" in page.content()
    enter(page, str(places[0][1]))
    page.goto(f"{address}/consent")
    page.check("#yes")
    checks.go_on(page, page.locator("main button.main"))
    faults["question"] = looked_at(page, width)
    press(page, "button[value=pin]")
    faults["choose a PIN"] = looked_at(page, width)
    page.fill("#pin", "1234")
    checks.go_on(page, page.locator("main button.main"))
    faults["too easy"] = looked_at(page, width)
    page.fill("#pin", "2580")
    checks.go_on(page, page.locator("main button.main"))
    page.check("#a-agree-5")
    press(page, "button[value=stop]")
    faults["stopped"] = looked_at(page, width)
    page.goto(address)
    enter(page, str(places[0][1]))
    faults["PIN"] = looked_at(page, width)
    page.goto(f"{address}/tablet/close")
    faults["close"] = looked_at(page, width)
    context.close()
    assert {name: found for name, found in faults.items() if found} == {}
