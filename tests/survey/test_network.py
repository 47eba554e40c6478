"""A page of answers on a poor network, in a real browser: sent until it arrives, saved once, and told as it is."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from evalapp.models import Response
from evalapp.responses import Given
from tests.survey.conftest import World

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
PRESS = "main button[value=next]"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 320, "height": 640})
    complaints: list[str] = []
    opened.on("console", lambda one: complaints.append(one.text) if "Security" in one.text else None)
    opened.on("weberror", lambda one: complaints.append(str(one.error)))
    yield opened
    opened.close()
    assert complaints == []


def at_the_first_page(world: World, address: str, context: BrowserContext) -> tuple[Page, str]:
    """Somebody's browser with the first page of questions open, and their code."""
    _, code = world.person(instrument="every_kind")
    page = context.new_page()
    page.set_default_timeout(15_000)
    enter(page, address, str(code))
    page.goto(f"{address}/consent")
    page.check("#yes")
    page.click("main button.main")
    page.check("#a-agree-5")
    return page, str(code)


def enter(page: Page, address: str, code: str) -> None:
    page.goto(address)
    page.fill("#code", code)
    page.click("main button.main")


def stored(world: World) -> dict[str, Given]:
    """What the only response holds."""
    from evalapp import responses

    world.session.rollback()
    found = world.session.query(Response).one()
    given = responses.answers(world.session, found.id, vault=world.vault)
    world.session.rollback()
    return given


def test_with_script_each_button_does_what_it_does_without(world: World, address: str, context: BrowserContext) -> None:
    page, _ = at_the_first_page(world, address, context)
    by_script: list[str | None] = []
    page.on("request", lambda one: by_script.append(one.headers.get("x-sent-by")) if one.method == "POST" else None)
    page.dblclick(PRESS)
    page.wait_for_url("**/q/2")
    page.click("main button[value=back]")
    page.wait_for_url("**/q/1")
    assert page.is_checked("#a-agree-5")
    page.click("button[value=language-cy]")
    page.wait_for_selector("html[lang=cy]")
    page.click("button[value=language-en]")
    page.wait_for_selector("html[lang=en]")
    page.click(PRESS)
    page.wait_for_url("**/q/2")
    page.click(PRESS)
    page.wait_for_url("**/q/4")
    assert set(by_script) == {"script"}
    page.fill("#a-amount", "lots")
    page.click(PRESS)
    expect(page.locator("[role=alert]")).to_be_visible()  # what is wrong comes as the page it is without script
    assert by_script[-1] is None
    page.fill("#a-amount", "2.5")
    page.click("main button[value=stop]")
    page.wait_for_url("**/stopped")
    assert stored(world)["amount"] == Given(2.5)
    assert context.cookies() == [] or "visit" not in str(context.cookies())


def test_a_network_cut_is_told_waited_out_and_saved_once(world: World, address: str, context: BrowserContext) -> None:
    page, _ = at_the_first_page(world, address, context)
    context.set_offline(True)
    page.click(PRESS)
    line = page.locator("#sending")
    expect(line).to_contain_text("Not sent yet. We keep trying.")
    assert stored(world) == {}
    page.check("#a-face-3")  # the page goes on being filled in
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    context.set_offline(False)
    page.wait_for_url("**/q/2")
    assert stored(world)["agree"] == Given(5)
    assert stored(world)["face"] == Given(3)
    assert world.count(Response) == 1


def test_a_reply_lost_after_the_save_is_sent_again_without_harm(
    world: World, address: str, context: BrowserContext
) -> None:
    page, _ = at_the_first_page(world, address, context)
    lost: list[Route] = []

    def lose_the_first(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route)
            route.fetch()  # the server saves it
            route.abort()  # and the answer never comes back
        else:
            route.continue_()

    page.route("**/q/1", lose_the_first)
    page.click(PRESS)
    page.wait_for_url("**/q/2")
    assert lost
    assert stored(world)["agree"] == Given(5)
    assert "Which answers are right?" not in page.content()


def test_a_server_that_cannot_confirm_is_asked_again(world: World, address: str, context: BrowserContext) -> None:
    page, _ = at_the_first_page(world, address, context)
    answers = iter([503, 429, 502])

    def refuse(route: Route) -> None:
        status = next(answers, None) if route.request.method == "POST" else None
        route.continue_() if status is None else route.fulfill(status=status, body="busy")

    page.route("**/q/1", refuse)
    page.click(PRESS)
    expect(page.locator("#sending")).to_contain_text("Not sent yet")
    page.wait_for_url("**/q/2")
    assert stored(world)["agree"] == Given(5)


def test_a_visit_that_ended_carries_what_was_typed_through_the_door(
    world: World, address: str, context: BrowserContext
) -> None:
    page, code = at_the_first_page(world, address, context)
    context.clear_cookies()
    page.click(PRESS)
    page.wait_for_selector("#code")
    page.fill("#code", code)
    page.click("main button.main")
    expect(page.locator("#a-agree-5")).to_be_checked()
    page.click(PRESS)
    page.wait_for_url("**/q/2")
    assert stored(world)["agree"] == Given(5)


def test_two_tabs_show_both_answers_and_overwrite_nothing(world: World, address: str, context: BrowserContext) -> None:
    page, _ = at_the_first_page(world, address, context)
    other = context.new_page()
    other.goto(f"{address}/q/1")
    other.check("#a-agree")
    other.click(PRESS)
    other.wait_for_url("**/q/2")
    page.click(PRESS)
    expect(page.locator("h1")).to_have_text("Which answers are right?")
    assert stored(world)["agree"] == Given(1)


def test_leaving_with_something_unsent_is_warned_of_but_leave_now_is_not(
    world: World, address: str, context: BrowserContext
) -> None:
    page, _ = at_the_first_page(world, address, context)
    asked: list[str] = []
    page.on("dialog", lambda one: (asked.append(one.type), one.dismiss()))
    page.route("**/q/1", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.click(PRESS)
    expect(page.locator("#sending")).to_contain_text("Not sent yet")
    page.click("footer a")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    assert page.url.endswith("/q/1")
    page.click("button.exit")
    page.wait_for_url("**/exit")
    assert asked == ["beforeunload"]


def test_a_scanner_that_opens_the_link_first_takes_nothing_from_the_person(
    world: World, address: str, browser: Browser, context: BrowserContext
) -> None:
    place, code = world.person(instrument="every_kind")
    for _ in range(3):
        scanner = browser.new_context()
        looked = scanner.new_page()
        looked.goto(f"{address}/j#{code}", wait_until="networkidle")
        assert scanner.cookies() == []
        scanner.close()
    assert world.response(place) is None
    page = context.new_page()
    page.goto(f"{address}/j#{code}")
    page.click("main button.main")
    page.wait_for_url("**/about")
