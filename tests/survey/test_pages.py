"""What every page has in common: small, neutral, plain, and whole in a real browser with and without script."""

import html
import re
import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page
from textstat import textstat
from werkzeug.serving import make_server

from evalapp import create_app
from evalapp.config import Settings
from tests.conftest import Clock
from tests.survey.conftest import World
from tests.survey.person import Somebody

NEVER = re.compile(
    r"safeguard|child|abuse|social|council|police|review|agency|violence|court|danger|diogelu|plentyn|plant\b",
    re.IGNORECASE,
)
TITLE = re.compile(r"<title>(.*?)</title>")
TITLES_ON_THE_WAY = 12


def every_page(world: World) -> Iterator[tuple[str, Somebody]]:
    """Each kind of page, as it comes on the way."""
    _, code = world.person(instrument="every_kind")
    person = world.somebody()
    for path in ("/", "/j", "/help", "/exit", "/stopped", "/nowhere"):
        yield path, person.open(path)
    yield "mistyped", person.enter("ABC")
    yield "wrong", person.enter("0000-0000-0000")
    yield "about", person.enter(code)
    yield "consent", person.open("/consent")
    yield "undecided", person.send("/consent")
    yield "first", person.send("/consent", agreed="yes")
    stale = person.filled("/q/1", go="next", **{"a-agree": 1})
    yield "second", person.next(1, agree=5)
    yield "changed", person.post("/q/1", stale)
    yield "figures", person.open("/q/2").next(2)
    yield "faulty", person.send("/q/4", go="next", **{"a-amount": "lots", "a-day-day": "40"})
    yield "words", person.open("/q/4").next(4)
    yield "check", person.next(5, line="one", lines="two\nthree")
    yield "done", person.send("/check")
    again, _, old = world.started(instrument="every_kind")
    again.next(1, agree=5, face=1, picture=1, rated=1)
    yield "earlier", world.somebody().enter(old).open("/q/1")


@pytest.mark.parametrize("language", ["en", "cy"])
def test_every_page_is_under_ten_kilobytes_with_its_style(world: World, language: str) -> None:
    client = world.app.test_client()
    style = re.findall(r'href="(/static/style[^"]+)"', world.somebody().open("/").text)[0]
    with client.get(style, base_url="https://localhost", headers={"Accept-Encoding": "br"}) as served:
        packed = len(served.data)
    for role in ("practitioner", "parent"):
        person, _, _ = world.started(role=role)
        person.next(1, go=f"language-{language}")
        while person.path.startswith("/q/"):
            wire = person.client.get(person.path, base_url="https://localhost", headers={"Accept-Encoding": "br"})
            assert wire.headers["Content-Encoding"] == "br"
            assert len(wire.data) + packed < 10_000
            person.next(int(person.path.split("/")[2]))
        wire = person.client.get("/check", base_url="https://localhost", headers={"Accept-Encoding": "br"})
        assert len(wire.data) + packed < 10_000


def test_nothing_in_a_title_or_an_address_tells_what_it_is_about(world: World) -> None:
    titles = set()
    for _, person in every_page(world):
        title = TITLE.findall(person.text)[0]
        titles.add(title)
        assert not NEVER.search(title)
        assert not NEVER.search(person.path)
        assert "/static/favicon" in person.text
        assert not re.search(r'<meta name="(description|og:)', person.text)
    assert len(titles) >= TITLES_ON_THE_WAY


def test_no_page_has_inline_script_style_or_anything_of_others(world: World) -> None:
    for name, person in every_page(world):
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", person.text), name
        addresses = re.findall(r'(?:src|href|action)="([^"]+)"', person.text)
        allowed = ("/", "#", "?", "tel:", "https://www.metoffice.gov.uk/")
        assert [one for one in addresses if not one.startswith(allowed)] == []


def test_every_question_is_a_fieldset_with_its_legend(world: World) -> None:
    for name, person in every_page(world):
        if name in {"first", "second", "figures", "words", "earlier"}:
            asked = dict(person.page.forms[person.path])["shown"].split()
            assert person.text.count("<fieldset") == person.text.count("<legend") == len(asked)
            assert "<table" not in person.text


def test_every_page_but_the_exit_offers_to_leave_and_help(world: World) -> None:
    for name, person in every_page(world):
        assert ('class="exit"' in person.text) is (name != "/exit")
        assert 'href="/help' in person.text


def test_every_page_of_questions_offers_to_stop_and_to_skip_the_rest(world: World) -> None:
    for name, person in every_page(world):
        if name in {"first", "second", "figures", "faulty", "words", "earlier"}:
            assert 'value="stop"' in person.text
            assert 'value="skip"' in person.text


@pytest.mark.parametrize("path", ["/about", "/said", "/consent", "/change", "/done"])
def test_what_people_read_first_can_be_read_at_nine(world: World, path: str) -> None:
    _, code = world.person(role="parent")
    text = world.somebody().enter(code).open(path).text
    main = re.sub(r"(?s).*<main[^>]*>(.*)</main>.*", r"\1", text)
    main = re.sub(r"<bdi>[^<]*</bdi>", "it", main)  # a name to quote, not to read
    sentences = " ".join(
        re.sub(r"<[^>]+>", " ", main.replace("</li>", " ").replace("</p>", " ").replace("</h2>", ". ")).split()
    )
    said = re.sub(r"[0-9]+", "two", html.unescape(sentences)).replace(
        "Childline", "child line"
    )  # the dictionary of sounds lacks these
    assert textstat.flesch_kincaid_grade(said) <= 4.5


def test_artificial_intelligence_is_nowhere(world: World) -> None:
    for _, person in every_page(world):
        assert not re.search(r"\bAI\b|artificial", person.text)


# In a real browser.


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


def enter(page: Page) -> None:
    """Press Enter and wait for the page it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def looked_at(page: Page, width: int) -> list[str]:
    """What is wrong with a page: what axe finds, sideways scrolling, targets too small to hit."""
    found = [one["id"] for one in Axe().run(page).response["violations"]]
    if page.evaluate("document.documentElement.scrollWidth") > width:
        found.append("scrolls sideways")
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, a.main, a.second, .choice, input:not([type=hidden])')]
        .filter(one => one.offsetParent && !one.matches('.unseen, .choice input'))
        .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
        .filter(([_, box]) => box.height < 44 || box.width < 24).map(([html]) => html)"""
    )
    return found + small


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("width", [320, 1280])
def test_the_whole_way_in_a_browser_has_no_barrier(world: World, address: str, browser: Browser, width: int) -> None:
    _, code = world.person(instrument="every_kind")
    context = browser.new_context(viewport={"width": width, "height": 700}, bypass_csp=True)
    page = context.new_page()
    faults: dict[str, list[str]] = {}

    def look(name: str) -> None:
        faults.update({name: wrong} if (wrong := looked_at(page, width)) else {})

    page.goto(f"{address}/j#{code}")
    assert page.url == f"{address}/j"  # the code is out of the address
    look("door")
    page.fill("#code", "ABC")
    page.click("main button.main")
    look("mistyped")
    page.fill("#code", str(code))
    enter(page)
    look("about")
    page.click("a.main")
    page.click("main button.main")
    look("undecided")
    page.check("#yes")
    page.click("main button.main")
    look("faces")
    page.check("#a-agree-4")
    page.click("button[value=language-cy]")
    look("welsh")
    assert page.is_checked("#a-agree-4")
    page.click("button[value=language-en]")
    page.click("main button[value=next]")
    look("choices")
    page.click("main button[value=next]")
    page.fill("#a-amount", "lots")
    enter(page)  # the first button of the form is Continue, not the language
    look("faulty")
    page.fill("#a-amount", "2.5")
    page.click("main button[value=next]")
    page.fill("#a-lines", "one\ntwo")
    look("words")
    page.click("main button[value=next]")
    look("check")
    page.click("main button.main")
    look("done")
    page.goto(f"{address}/help")
    look("help")
    page.click("button.exit")
    look("exit")
    page.go_back()
    assert "2.5" not in page.content()
    context.close()
    assert faults == {}


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_whole_way_without_script_by_keyboard_under_the_real_policy(
    world: World, address: str, browser: Browser
) -> None:
    _, code = world.person(instrument="every_kind")
    context = browser.new_context(viewport={"width": 320, "height": 700}, java_script_enabled=False)
    page = context.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda one: elsewhere.append(one.url) if not one.url.startswith(address) else None)
    page.goto(address)
    page.focus("#code")
    page.keyboard.type(str(code))
    enter(page)
    page.focus("a.main")
    enter(page)
    page.focus("#yes")
    page.keyboard.press("Space")
    enter(page)
    for number in (1, 2, 4, 5):
        assert page.url == f"{address}/q/{number}"
        page.focus("main button[value=next]")
        enter(page)
    page.focus("main button.main")
    enter(page)
    assert page.url == f"{address}/done"
    assert elsewhere == []
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_large_letters_wide_spacing_and_forced_colours_fit_a_phone(
    world: World, address: str, browser: Browser
) -> None:
    _, code = world.person(role="parent")
    context = browser.new_context(viewport={"width": 320, "height": 700}, bypass_csp=True, forced_colors="active")
    page = context.new_page()
    page.goto(address)
    page.fill("#code", str(code))
    page.click("main button.main")
    page.click("a.main")
    page.check("#yes")
    page.click("main button.main")
    page.add_style_tag(
        content="html{font-size:200%}*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate("getComputedStyle(document.querySelector('.choice')).borderTopWidth") == "2px"
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unselected_control_stands_out_from_the_page(world: World, address: str, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    edge = page.evaluate("getComputedStyle(document.querySelector('#code')).borderTopColor")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert contrast(edge, paper) >= 3


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast of two colours written rgb(r, g, b)."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    brighter, darker = sorted([light(one), light(other)], reverse=True)
    return (brighter + 0.05) / (darker + 0.05)
