"""Every questionnaire that is asked, in English and Welsh: by code, on a small phone, without script."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from evalapp import db, responses
from evalapp.config import from_environment
from evalapp.models import Response, Score
from evalapp.shelf import shelf
from evalapp.vault import Vault
from instruments import Instrument, Item, score
from tests.journeys import checks
from tests.journeys.conftest import Demo, Opener, Watch

pytestmark = pytest.mark.browser

CONTINUE = {"en": "Continue", "cy": "Parhau"}
REFUSED, BLANK = "prefer_not", None
ASKED = sorted({one.name for one in shelf() if one.asked})


def value_for(item: Item, place: int) -> Any:
    """What this story gives: every fifth question blank, every seventh refused, the rest spread over the answers."""
    if place % 7 == 6 and REFUSED in item.refusals and item.codes:
        return REFUSED
    if place % 5 == 4:
        return BLANK
    if item.kind == "several":
        return list(item.codes[:2])
    if item.codes:
        return item.codes[place % len(item.codes)]
    if item.kind == "number":
        return int(item.minimum or 3)  # type: ignore[arg-type]
    return {"date": "2026-02-03", "short_text": "Ŵyr a nain", "long_text": "Roedd hi’n dda.\nDiolch"}[item.kind]


def answer_for(item: Item, place: int) -> Any:
    """As above, but a yes to every yes-or-no question, so that what hangs on it is met too."""
    return "yes" if item.kind == "yes_no" else value_for(item, place)


def give(page: Page, item: Item, value: Any) -> None:
    name = f"a-{item.code}"
    if value is None:
        return
    if value == REFUSED and item.kind in {"several", "number", "date"}:
        page.check(f"input[name='{name}-no'][value='{value}']")
        return
    if item.kind in {"short_text", "long_text", "number"}:
        page.fill(f"[name='{name}']", str(value))
    elif item.kind == "date":
        for part, text in zip(("year", "month", "day"), value.split("-"), strict=True):
            page.fill(f"[name='{name}-{part}']", text)
    else:
        for one in value if isinstance(value, list) else [value]:
            page.check(f"input[name='{name}'][value='{one}']")


def look(page: Page, watch: Watch, wire: checks.Wire, kind: object) -> None:
    """The checks of every page, where one stands; axe looks at each kind of page once."""
    page.wait_for_load_state("load")
    weight = wire.taken()
    assert 0 < weight <= checks.MOST_BYTES, f"{page.url} took {weight} bytes"
    checks.assert_fits(page, 320)
    checks.assert_accessible_once(page, kind)
    watch.assert_quiet()
    title = page.title().lower()
    assert not re.search(r"safeguard|child|review|abuse|police|social", title + page.url.lower())


def kind_of(items: list[Item], language: str) -> object:
    """What a page of questions is made of."""
    made = ((item.kind, len(item.options), item.pictures, bool(item.hint), bool(item.picture)) for item in items)
    return language, frozenset(made)


def stored(demo: Demo, receipt: str) -> tuple[Response, dict[str, Any], dict[str, float | None]]:
    settings = from_environment({"EVALAPP_SECRETS": str(demo.folder / "settings.env")})
    engine = db.make_engine(settings.database_url)
    with db.reading(engine) as session:
        response = session.scalars(select(Response).where(Response.receipt == receipt)).one()
        given = responses.answers(session, response.id, vault=Vault(settings.root_key))
        scores = {
            row.scale: row.value for row in session.scalars(select(Score).where(Score.response_id == response.id))
        }
    engine.dispose()
    return response, {code: one.reason or one.value for code, one in given.items()}, scores


def at_the_questions(demo: Demo, page: Page, watch: Watch, wire: checks.Wire, code: str, language: str) -> None:
    """From the first page to the first question: language, code, what it is about, consent."""
    page.goto("/")
    if language == "cy":
        checks.go_on(page, page.get_by_role("button", name="Cymraeg"))
    assert page.locator("html").get_attribute("lang") == language
    wire.taken()
    page.reload() if language == "en" else page.goto("/?language=cy")
    look(page, watch, wire, (language, "door"))
    page.get_by_role("textbox").fill(code.lower().replace("-", " "))
    go_on = page.get_by_role("button", name=CONTINUE[language])
    checks.go_on(page, go_on)
    assert page.url.endswith("/about")
    look(page, watch, wire, (language, "about"))
    checks.go_on(page, page.get_by_role("link", name=CONTINUE[language]).or_(go_on))
    look(page, watch, wire, (language, "consent"))
    page.check("input[name=agreed][value=yes]")
    checks.go_on(page, go_on)


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("name", ASKED)
def test_a_questionnaire_is_answered_and_stored_as_given(
    demo: Demo, open_page: Opener, name: str, language: str
) -> None:
    card = demo.take_for(name)
    page, watch = open_page()
    wire = checks.Wire(page)
    at_the_questions(demo, page, watch, wire, card["code"], language)
    go_on = page.get_by_role("button", name=CONTINUE[language])
    instrument: Instrument = shelf().latest(name)
    places = {item.code: place for place, item in enumerate(instrument.items)}
    expected: dict[str, Any] = {}
    while "/q/" in page.url:
        shown = [instrument.item(code) for code in instrument.pages[int(page.url.rsplit("/", 1)[1]) - 1].items]
        shown = [
            item for item in shown if item.kind == "information" or page.locator(f"[name^='a-{item.code}']").count()
        ]
        look(page, watch, wire, kind_of(shown, language))
        before = len(expected)
        for item in shown:
            if item.kind != "information":
                expected[item.code] = answer_for(item, places[item.code])
                give(page, item, expected[item.code])
        assert len(expected) > before, f"{page.url} asks nothing new"
        checks.go_on(page, go_on)
    assert page.url.endswith("/check")
    look(page, watch, wire, (language, "check"))
    checks.go_on(page, page.locator("main form button").last)
    assert page.url.endswith("/done")
    look(page, watch, wire, (language, "done"))
    receipt = re.search(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", page.locator("main").inner_text())
    assert receipt is not None

    response, given, scores = stored(demo, receipt.group())
    assert given == expected
    assert set(expected) == {item.code for item in instrument.items if item.kind != "information"}
    assert (response.instrument, response.version, response.language) == (name, instrument.version, language)
    values = {code: value for code, value in expected.items() if value not in (REFUSED, BLANK)}
    assert scores == score(instrument, values)
    assert any(value is not None for value in scores.values()) or not instrument.scales


def test_a_code_whose_questionnaires_are_done_says_thank_you_and_shows_no_answer(demo: Demo, open_page: Opener) -> None:
    card = demo.take("manager", "before")
    page, watch = open_page()
    at_the_questions(demo, page, watch, checks.Wire(page), card["code"], "en")
    checks.go_on(page, page.get_by_role("button", name="Skip the rest"))
    checks.go_on(page, page.locator("main form button").last)
    receipt = page.locator(".receipt").inner_text()
    again, _ = open_page()
    again.goto("/")
    again.get_by_role("textbox").fill(card["code"])
    checks.go_on(again, again.get_by_role("button", name="Continue"))
    assert "thank you" in again.locator("main").inner_text().lower()
    assert receipt not in again.content()


def test_the_story_s_year_is_the_trial_s(demo: Demo, open_page: Opener) -> None:
    card = next(
        one for one in demo.written["participants"] if (one["instrument"], one["state"]) == ("story", "started")
    )
    page, _ = open_page()
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    checks.go_on(page, page.get_by_role("button", name="Continue"))
    for number in (2, 3):
        assert page.url.endswith(f"/q/{number}")
        checks.go_on(page, page.get_by_role("button", name="Continue"))
    legend = page.locator("legend").inner_text()
    assert re.search(r"hoped for in 20\d\d has come true", legend)


def test_a_link_fills_in_the_code_and_leaves_no_trace_of_it(demo: Demo, open_page: Opener) -> None:
    card = demo.take("manager", "before")
    page, watch = open_page(script=True)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(card["link"].replace(demo.written["base_url"], demo.server.base_url))
    page.wait_for_function("document.querySelector('input[name=code]').value !== ''")
    assert "#" not in page.url
    checks.go_on(page, page.get_by_role("button", name="Continue"))
    assert page.url.endswith("/about")
    watch.assert_quiet()
    assert not any(card["code"] in url or card["code"].replace("-", "") in url for url in asked)
    assert card["code"] not in (demo.folder / "server.log").read_text()


def test_someone_who_stopped_goes_on_where_they_were_and_sees_no_earlier_answer(demo: Demo, open_page: Opener) -> None:
    card = demo.take("practitioner", "before", "started")
    page, _ = open_page()
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    checks.go_on(page, page.get_by_role("button", name="Continue"))
    assert "/q/" in page.url
    assert not page.url.endswith("/q/1")
    page.goto("/q/1")
    assert page.locator("input[type=radio]:checked").count() == 0


def test_back_and_a_double_click_lose_and_double_nothing(demo: Demo, open_page: Opener) -> None:
    card = demo.take("manager", "after")
    page, _ = open_page(script=True)
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    checks.go_on(page, page.get_by_role("button", name="Continue"))
    checks.go_on(page, page.get_by_role("link", name="Continue").or_(page.get_by_role("button", name="Continue")))
    page.check("input[name=agreed][value=yes]")
    checks.go_on(page, page.get_by_role("button", name="Continue"))
    page.locator("fieldset input[value='4']").first.check()
    page.get_by_role("button", name="Continue").dblclick()
    page.wait_for_url("**/q/2")
    page.goto("/q/1")
    assert page.locator("fieldset input[value='4']").first.is_checked()
    page.go_back()
    page.go_forward()
    checks.go_on(page, page.get_by_role("button", name="Continue"))
    page.wait_for_url("**/q/2")


def test_leaving_ends_the_visit_and_back_shows_nothing(demo: Demo, open_page: Opener) -> None:
    card = demo.take("manager", "month3")
    page, _ = open_page()
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    checks.go_on(page, page.get_by_role("button", name="Continue"))
    checks.go_on(page, page.get_by_role("button", name="Leave now"))
    page.wait_for_url("**/exit")
    page.wait_for_load_state("load")  # the browser forgets what it kept before it can go back
    page.go_back()
    assert "/about" not in page.url or "code" in page.locator("main").inner_text().lower()
    page.goto("/about")
    assert page.url.split("?")[0] == f"{demo.server.base_url}/"


def test_enter_in_the_code_box_goes_on(demo: Demo, open_page: Opener) -> None:
    card = demo.take("parent", "before", "started")
    page, _ = open_page()
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_url("**/q/*")
    assert page.locator("html").get_attribute("lang") == "en"
