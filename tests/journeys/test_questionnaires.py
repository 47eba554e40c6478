"""A practitioner and a parent, before and after, in English and Welsh: by code, on a small phone, without script."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from evalapp import db, responses
from evalapp.config import from_environment
from evalapp.models import Response, Score
from evalapp.shelf import questionnaire
from evalapp.vault import Vault
from instruments import Instrument, Item, score
from tests.journeys import checks
from tests.journeys.conftest import Demo, Opener, Watch

pytestmark = pytest.mark.browser

CONTINUE = {"en": "Continue", "cy": "Parhau"}
REFUSED, BLANK = "prefer_not", None


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


def give(page: Page, item: Item, value: Any) -> None:
    name = f"a-{item.code}"
    if value is None:
        return
    if item.kind in {"short_text", "long_text", "number"}:
        page.fill(f"[name='{name}']", str(value))
    elif item.kind == "date":
        for part, text in zip(("year", "month", "day"), value.split("-"), strict=True):
            page.fill(f"[name='{name}-{part}']", text)
    else:
        for one in value if isinstance(value, list) else [value]:
            page.check(f"input[name='{name}'][value='{one}']")


def look(page: Page, watch: Watch, wire: checks.Wire) -> None:
    """The checks of every page, where one stands."""
    page.wait_for_load_state("networkidle")
    weight = wire.taken()
    assert 0 < weight <= checks.MOST_BYTES, f"{page.url} took {weight} bytes"
    checks.assert_fits(page, 320)
    checks.assert_accessible(page)
    watch.assert_quiet()
    title = page.title().lower()
    assert not re.search(r"safeguard|child|review|abuse|police|social", title + page.url.lower())


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


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("wave", ["before", "after"])
@pytest.mark.parametrize("role", ["practitioner", "parent"])
def test_a_questionnaire_is_answered_and_stored_as_given(
    demo: Demo, open_page: Opener, role: str, wave: str, language: str
) -> None:
    card = demo.take(role, wave)
    page, watch = open_page()
    wire = checks.Wire(page)
    page.goto("/")
    if language == "cy":
        page.get_by_role("button", name="Cymraeg").click()
    assert page.locator("html").get_attribute("lang") == language
    wire.taken()
    page.reload() if language == "en" else page.goto("/?language=cy")
    look(page, watch, wire)
    page.get_by_role("textbox").fill(card["code"].lower().replace("-", " "))
    go_on = page.get_by_role("button", name=CONTINUE[language])
    go_on.click()
    assert page.url.endswith("/about")
    look(page, watch, wire)
    page.get_by_role("link", name=CONTINUE[language]).or_(go_on).click()
    look(page, watch, wire)
    page.check("input[name=agreed][value=yes]")
    go_on.click()

    instrument: Instrument = questionnaire(f"{role}_{wave}", 1)
    places = {item.code: place for place, item in enumerate(instrument.items)}
    expected: dict[str, Any] = {}
    for _ in range(len(instrument.pages)):
        if "/q/" not in page.url:
            break
        look(page, watch, wire)
        for item in instrument.pages[int(page.url.rsplit("/", 1)[1]) - 1].items:
            shown = instrument.item(item)
            if shown.kind == "information" or not page.locator(f"[name^='a-{item}']").count():
                continue
            expected[item] = value_for(shown, places[item])
            give(page, shown, expected[item])
        go_on.click()
    assert page.url.endswith("/check")
    look(page, watch, wire)
    page.locator("main form button").last.click()
    assert page.url.endswith("/done")
    look(page, watch, wire)
    receipt = re.search(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", page.locator("main").inner_text())
    assert receipt is not None

    response, given, scores = stored(demo, receipt.group())
    assert given == expected
    assert (response.instrument, response.version, response.language) == (f"{role}_{wave}", 1, language)
    values = {code: value for code, value in expected.items() if value not in (REFUSED, BLANK)}
    assert scores == score(instrument, values)
    assert any(value is not None for value in scores.values())

    again, _ = open_page()
    again.goto("/")
    again.get_by_role("textbox").fill(card["code"])
    again.get_by_role("button", name="Continue").click()
    assert "thank you" in again.locator("main").inner_text().lower()
    assert receipt.group() not in again.content()


def test_a_link_fills_in_the_code_and_leaves_no_trace_of_it(demo: Demo, open_page: Opener) -> None:
    card = demo.take("manager", "before")
    page, watch = open_page(script=True)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(card["link"].replace(demo.written["base_url"], demo.server.base_url))
    page.wait_for_function("document.querySelector('input[name=code]').value !== ''")
    assert "#" not in page.url
    page.get_by_role("button", name="Continue").click()
    assert page.url.endswith("/about")
    watch.assert_quiet()
    assert not any(card["code"] in url or card["code"].replace("-", "") in url for url in asked)
    assert card["code"] not in (demo.folder / "server.log").read_text()


def test_someone_who_stopped_goes_on_where_they_were_and_sees_no_earlier_answer(demo: Demo, open_page: Opener) -> None:
    card = demo.take("practitioner", "before", "started")
    page, _ = open_page()
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    page.get_by_role("button", name="Continue").click()
    assert "/q/" in page.url
    assert not page.url.endswith("/q/1")
    page.goto("/q/1")
    assert page.locator("input[type=radio]:checked").count() == 0


def test_back_and_a_double_click_lose_and_double_nothing(demo: Demo, open_page: Opener) -> None:
    card = demo.take("manager", "after")
    page, _ = open_page(script=True)
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Continue").or_(page.get_by_role("button", name="Continue")).click()
    page.check("input[name=agreed][value=yes]")
    page.get_by_role("button", name="Continue").click()
    page.locator("fieldset input[value='4']").first.check()
    page.get_by_role("button", name="Continue").dblclick()
    page.wait_for_url("**/q/2")
    page.goto("/q/1")
    assert page.locator("fieldset input[value='4']").first.is_checked()
    page.go_back()
    page.go_forward()
    page.get_by_role("button", name="Continue").click()
    assert "/q/2" in page.url


def test_leaving_ends_the_visit_and_back_shows_nothing(demo: Demo, open_page: Opener) -> None:
    card = demo.take("practitioner", "month3")
    page, _ = open_page()
    page.goto("/")
    page.get_by_role("textbox").fill(card["code"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Leave now").click()
    assert page.url.endswith("/exit")
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
