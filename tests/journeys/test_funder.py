"""The funder's page in a real browser: two languages, a phone and a desk, paper, keyboard, without script and with it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests import make
from tests.dashboard import truths
from tests.journeys import checks
from tests.journeys.conftest import DESKTOP, PHONE, Watch
from tests.servers import Server

pytestmark = pytest.mark.browser
SHOWN = ("harm", "four", "one", "empty")
EMAIL = "funder@example.org"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A copy of its own with trials of known truth, and a funder who can sign in."""
    folder: Path = tmp_path_factory.mktemp("funder")
    settings = truths.copy_of_its_own(folder, SHOWN, email=EMAIL, password=make.PASSWORD, now=datetime.now(UTC))
    server = Server({"EVALAPP_SECRETS": str(settings)}, folder / "server.log")
    server.start()
    yield server
    assert server.stop() == 0


def opened(browser: Browser, served: Server, *, script: bool, size: dict[str, int]) -> tuple[Page, Watch]:
    context = browser.new_context(java_script_enabled=script, viewport=size, base_url=served.base_url, locale="en-GB")
    watch = Watch(context, served.base_url)
    page = context.new_page()
    page.goto("/staff/sign-in")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(make.PASSWORD)
    checks.go_on(page, page.locator("main").get_by_role("button"))
    page.wait_for_url("**/staff/")
    return page, watch


def unfold(page: Page) -> None:
    for fold in page.locator("details.fold > summary").all():
        fold.click()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["en", "cy"])
def test_the_page_is_whole_narrow_enough_and_accessible_in_both_languages(
    browser: Browser, served: Server, language: str, size: dict[str, int]
) -> None:
    page, watch = opened(browser, served, script=False, size=size)
    for name in SHOWN:
        page.goto(f"/funder/{name}" + ("" if language == "en" else "?language=cy"))
        checks.assert_fits(page, size["width"])
        unfold(page)
        checks.assert_fits(page, size["width"])
        checks.assert_accessible(page)
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("h1").count() == 1
    watch.assert_quiet()
    page.context.close()


def test_the_answers_stand_first_and_the_detail_is_folded(browser: Browser, served: Server) -> None:
    page, _ = opened(browser, served, script=False, size=DESKTOP)
    page.goto("/funder/harm")
    heads = page.locator(".answers h3").all_inner_texts()
    assert heads == ["Did it work?", "How sure can we be?", "What went badly?"]
    bottom = page.locator(".answers").bounding_box()
    assert bottom is not None
    assert bottom["y"] + bottom["height"] < DESKTOP["height"]  # all three without scrolling
    assert page.locator("details.fold[open]").count() == 0
    read = page.evaluate(
        "() => { document.querySelectorAll('main svg, main details, main .panel').forEach(one => one.remove());"
        " return document.querySelector('main').innerText.split(/\\s+/).length; }"
    )
    assert read < 550  # two minutes at a common pace, drawings and folded detail apart
    page.context.close()


def test_the_keyboard_alone_reaches_the_language_the_folds_and_the_numbers(browser: Browser, served: Server) -> None:
    page, _ = opened(browser, served, script=False, size=DESKTOP)
    page.goto("/funder/harm")
    reached: list[Any] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => { const one = document.activeElement, seen = getComputedStyle(one);"
                " return [one.tagName, one.innerText.trim(), seen.outlineStyle !== 'none' || seen.boxShadow !== 'none']; }"
            )
        )
    said = {text for _, text, _ in reached}
    assert {"Cymraeg", "How sure can we be, and why", "Was it truly appreciative?", "The numbers"} <= said
    assert all(shows for tag, _, shows in reached if tag in {"A", "SUMMARY", "BUTTON"})
    page.locator("summary", has_text="Was it truly appreciative?").focus()
    page.keyboard.press("Enter")
    assert page.locator("#fidelity-criteria svg[role=img]").is_visible()
    page.get_by_role("link", name="Cymraeg").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/funder/harm?language=cy")
    page.context.close()


def test_on_paper_every_fold_is_open_and_nothing_is_left_but_the_findings(browser: Browser, served: Server) -> None:
    page, _ = opened(browser, served, script=False, size=DESKTOP)
    page.goto("/funder/harm")
    page.emulate_media(media="print")
    for place in (
        "#certainty table",
        "#fidelity-criteria svg[role=img]",
        "#people svg[role=img]",
        "#parents .verdicts",
    ):
        box = page.locator(place).first.bounding_box()
        assert box is not None, place
        assert box["height"] > 40, place
    for gone in (".top", "footer", ".languages", ".chart-foot"):
        assert not page.locator(gone).first.is_visible(), gone
    assert len(page.pdf(format="A4")) > 20_000
    page.context.close()


def test_with_script_the_charts_of_both_languages_are_taken_over_within_the_policy(
    browser: Browser, served: Server
) -> None:
    page, watch = opened(browser, served, script=True, size=DESKTOP)
    for address in ("/funder/harm", "/funder/harm?language=cy"):
        page.goto(address)
        ends = time.monotonic() + 30
        while page.locator(".chart-stage.live").count() == 0 and time.monotonic() < ends:
            page.locator(".chart-stage").first.scroll_into_view_if_needed()
            page.wait_for_timeout(100)
        assert page.locator(".chart-stage.live").count() > 0, address
    watch.assert_quiet()
    page.context.close()


def test_the_page_is_small(browser: Browser, served: Server) -> None:
    page, _ = opened(browser, served, script=False, size=PHONE)
    wire = checks.Wire(page)
    page.goto("/funder/harm")
    page.wait_for_load_state("networkidle")
    assert wire.taken() < 60_000  # compressed, style sheets and every drawing included
    page.context.close()
