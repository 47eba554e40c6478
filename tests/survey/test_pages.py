"""What every page has in common: small, neutral, plain, and whole in a real browser with and without script."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from textstat import textstat

import evalapp
from evalapp import languages
from evalapp.assets import OURS
from tests.survey.conftest import World
from tests.survey.person import Somebody

NEVER = re.compile(
    r"safeguard|child|abuse|social|council|police|review|agency|violence|court|danger|diogelu|plentyn|plant\b",
    re.IGNORECASE,
)
TITLE = re.compile(r"<title>(.*?)</title>")
TITLES_ON_THE_WAY = 12
EASIEST = 4.5  # the grade of a nine-year-old, rounded as the questionnaires' is


def every_page(world: World, language: str = "en") -> Iterator[tuple[str, Somebody]]:
    """Each kind of page, as it comes on the way."""
    _, code = world.person(instrument="every_kind")
    person = world.somebody()
    if language != "en":
        person.open("/").send("/", go=f"language-{language}")
    for path in ("/", "/j", "/help", "/exit", "/stopped", "/nowhere"):
        yield path, person.open(path)
    yield "mistyped", person.enter("ABC")
    yield "wrong", person.enter("0000-0000-0000")
    yield "about", person.enter(code)
    yield "consent", person.open("/consent")
    yield "undecided", person.send("/consent")
    yield "first", person.send("/consent", agreed="yes")
    yield "choose a PIN", person.open("/pin")
    yield "too easy", person.send("/pin/new", pin="1234")
    person.send("/pin/new", pin="2580")
    stale = person.filled("/q/1", go="next", **{"a-agree": 1})
    yield "second", person.next(1, agree=5)
    yield "changed", person.post("/q/1", stale)
    elsewhere = world.somebody()
    if language != "en":
        elsewhere.open("/").send("/", go=f"language-{language}")
    yield "asked for a PIN", elsewhere.enter(code)
    yield "figures", person.open("/q/2").next(2)
    yield "faulty", person.send("/q/4", go="next", **{"a-amount": "lots", "a-day-day": "40"})
    yield "words", person.open("/q/4").next(4)
    yield "check", person.next(5, line="one", lines="two\nthree")
    yield "done", person.send("/check")
    again, _, old = world.started(instrument="every_kind")
    again.next(1, agree=5, face=1, picture=1, rated=1)
    yield "earlier", world.somebody().enter(old).open("/q/1")


def test_the_scripts_are_small() -> None:
    scripts = Path(evalapp.__file__).parent / "static"
    assert (scripts / "send.js").stat().st_size <= 6000
    assert (scripts / "tablet.js").stat().st_size <= 2000


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_page_is_under_ten_kilobytes_with_its_style(world: World, language: str) -> None:
    client = world.app.test_client()
    style = re.findall(r'href="(/static/style[^"]+)"', world.somebody().open("/").text)[0]
    scripts = [f"/static/{world.app.extensions['assets'][name]}" for name in ("send.js", "tablet.js", "favicon.svg")]
    sizes = []
    for file in (style, *scripts):
        with client.get(file, base_url="https://localhost", headers={"Accept-Encoding": "br"}) as served:
            sizes.append(len(served.data))
    packed, with_script = sizes[0], sum(sizes)
    for role in ("practitioner", "parent"):
        person, _, _ = world.started(role=role)
        person.next(1, go=f"language-{language}")
        while person.path.startswith("/q/"):
            wire = person.client.get(person.path, base_url="https://localhost", headers={"Accept-Encoding": "br"})
            assert wire.headers["Content-Encoding"] == "br"
            assert len(wire.data) + packed < 10_000
            assert len(wire.data) + with_script < 16_000
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


@pytest.mark.parametrize("role", ["parent", "practitioner"])
def test_what_people_read_besides_the_questions_can_be_read_at_nine(world: World, role: str) -> None:
    _, code = world.person(role=role)
    person = world.somebody().enter(code)
    paths = ("/about", "/said", "/consent", "/change", "/done", "/help", "/stopped", "/exit")
    grades = {path: grade(person.open(path).text) for path in paths}
    assert {path: found for path, found in grades.items() if found > EASIEST} == {}


def test_the_check_of_the_reading_age_would_notice_a_hard_page() -> None:
    assert grade("<main><p>We see you. You can stop.</p></main>") < EASIEST
    assert grade("<main><p>Participation necessitates considerable familiarity with procedures.</p></main>") > EASIEST


def grade(page: str) -> float:
    """The Flesch–Kincaid grade of what a page says: years of school, so about five more in years of age."""
    main = re.sub(r"(?s).*<main[^>]*>(.*)</main>.*", r"\1", page)
    main = re.sub(r"<bdi>[^<]*</bdi>", "it", main)  # a name to quote, not to read
    main = re.sub(r'<strong lang="en">[^<]*</strong>', " ", main)  # the names that help lines have for themselves
    sentences = re.sub(r"<[^>]+>", " ", re.sub(r"</h[12]>", ". ", re.sub(r"</(li|p)>", " ", main)))
    # The dictionary of sounds lacks figures and these names.
    said = re.sub(r"[0-9]+", "two", " ".join(html.unescape(sentences).split()))
    said = said.replace("Childline", "child line").replace("GDPR", "law")
    return float(textstat.flesch_kincaid_grade(said))


def test_artificial_intelligence_is_nowhere(world: World) -> None:
    for _, person in every_page(world):
        assert not re.search(r"\bAI\b|artificial", person.text)


# In a real browser.


def enter(page: Page) -> None:
    """Press Enter and wait for the page it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def press(page: Page, button: str) -> None:
    """Press a button of a page of questions, and wait for the page it leads to: with script it is sent meanwhile."""
    with page.expect_navigation():
        page.click(button)


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
    press(page, "button[value=language-cy]")
    look("welsh")
    assert page.is_checked("#a-agree-4")
    press(page, "button[value=language-en]")
    press(page, "main button[value=next]")
    look("choices")
    press(page, "main button[value=next]")
    page.fill("#a-amount", "lots")
    enter(page)  # the first button of the form is Continue, not the language
    look("faulty")
    page.fill("#a-amount", "2.5")
    press(page, "main button[value=next]")
    page.fill("#a-lines", "one\ntwo")
    look("words")
    press(page, "main button[value=next]")
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
@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_whole_way_without_script_by_keyboard_under_the_real_policy(
    world: World, address: str, browser: Browser, language: str
) -> None:
    _, code = world.person(instrument="every_kind")
    context = browser.new_context(viewport={"width": 320, "height": 700}, java_script_enabled=False)
    page = context.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda one: elsewhere.append(one.url) if not one.url.startswith(address) else None)
    page.goto(address)
    if language != "en":
        page.focus(f"button[value=language-{language}]")
        enter(page)
    assert page.locator("html").get_attribute("lang") == language
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


_MISPLACED = """([width, size]) => {
  document.documentElement.style.fontSize = size;
  const found = document.documentElement.scrollWidth > width ? ['scrolls sideways'] : [];
  for (const one of document.querySelectorAll('body *:not(.unseen, .skip, script, option)')) {
    const box = one.getBoundingClientRect();
    if (box.width && (box.left < -0.5 || box.right > width + 0.5)) found.push('outside: ' + one.outerHTML.slice(0, 90));
    if (one.matches('button, a.main, a.second, a.plain, .choice') && box.width && (box.height < 44 || box.width < 24))
      found.push('small: ' + one.outerHTML.slice(0, 90));
  }
  for (const one of document.querySelectorAll('.choice')) {
    const [control, label] = [one.querySelector('input'), one.querySelector('span')].map(part => part.getBoundingClientRect());
    const turned = getComputedStyle(one).direction === 'rtl';
    if (turned ? control.left < label.right : control.right > label.left) found.push('not before its words: ' + one.textContent);
  }
  return found;
}"""


def drawn(page: Page, html: str, asset_folder: Path) -> None:
    """Lay a page's HTML out with its style, without a server and without script."""
    style = re.search(r'<link rel="stylesheet" href="/static/(style[^"]+)">', html)
    assert style is not None
    css = (asset_folder / style[1]).read_text(encoding="utf-8")
    page.set_content(
        re.sub(r"<script[^>]*></script>|<link [^>]*>", "", html).replace("</head>", f"<style>{css}</style></head>")
    )


def misplaced(page: Page, width: int, size: str) -> list[str]:
    """What lies outside a page of that width, is too small to hit or stands on the wrong side of its words, by size of text."""
    found: list[str] = page.evaluate(_MISPLACED, [width, size])
    return found


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_page_fits_a_small_telephone_in_every_language(
    world: World, browser: Browser, asset_folder: Path, language: str
) -> None:
    direction = "rtl" if language == "ar" else "ltr"
    context = browser.new_context(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    page = context.new_page()
    faults = {}
    for name, person in every_page(world, language):
        spoken = "en" if name == "earlier" else language
        assert f'<html lang="{spoken}" dir="{direction if spoken == language else "ltr"}"' in person.text, name
        drawn(page, person.text, asset_folder)
        for size in ("100%", "150%", "200%"):
            faults |= {(name, size): wrong} if (wrong := misplaced(page, 320, size)) else {}
    context.close()
    assert faults == {}


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


# A device with a Polish and an Arabic voice of its own, and an English one that would send the words away.
VOICES = """
const voices = [['Local', 'pl-PL', true], ['Local', 'ar_SA', true], ['Elsewhere', 'en-GB', false]]
  .map(([name, lang, localService]) => ({ name, lang, localService }));
window.said = []; window.stopped = 0;
window.SpeechSynthesisUtterance = function (text) { this.text = text; };
Object.defineProperty(window, 'speechSynthesis', { value: {
  getVoices: () => voices, addEventListener() {}, cancel() { window.stopped += 1; },
  speak(one) { window.said.push([one.text, one.lang, one.voice.name]); window.last = one; },
} });
"""


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_is_read_aloud_by_a_voice_of_the_device_and_by_no_other(
    world: World, address: str, browser: Browser
) -> None:
    context = browser.new_context()
    context.add_init_script(VOICES)
    page = context.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda one: elsewhere.append(one.url) if not one.url.startswith(address) else None)
    page.goto(f"{address}/help")
    assert page.locator("#aloud").is_hidden()  # the only English voice is not on this device
    page.goto(f"{address}/help?language=pl")
    page.get_by_role("button", name="Przeczytaj tę stronę na głos").click()
    said = page.evaluate("said")
    assert said[0] == ["Pomoc i numery telefonu", "pl-PL", "Local"]
    assert any("w dzień i w nocy" in text for text, _, _ in said)
    assert len({text for text, _, _ in said}) == len(said)
    before = page.evaluate("stopped")
    page.get_by_role("button", name="Przestań czytać").click()
    assert page.evaluate("stopped") == before + 1
    page.get_by_role("button", name="Przeczytaj tę stronę na głos").click()
    page.evaluate("last.onend()")
    assert page.locator("#aloud").inner_text() == "Przeczytaj tę stronę na głos"
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert page.evaluate("stopped") == before + 4
    assert elsewhere == []
    assert page.goto(f"{address}/exit") is not None
    assert page.locator("#aloud, script").count() == 0
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_voice_or_a_script_no_button_to_read_aloud_is_shown(address: str, browser: Browser) -> None:
    for script in (True, False):
        context = browser.new_context(java_script_enabled=script)
        page = context.new_page()
        page.goto(address)
        assert page.locator("#aloud").is_hidden()
        context.close()


def test_the_style_names_no_left_and_no_right() -> None:
    style = (OURS / "style.css").read_text(encoding="utf-8").partition("*/")[2]
    assert not re.search(r"\b(left|right)\b", style)


def test_the_script_that_reads_aloud_is_small() -> None:
    assert (OURS / "aloud.js").stat().st_size <= 2048


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast of two colours written rgb(r, g, b)."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    brighter, darker = sorted([light(one), light(other)], reverse=True)
    return (brighter + 0.05) / (darker + 0.05)
