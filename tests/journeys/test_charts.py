"""Charts in a real browser: whole without script, explored with it, never shifting, never speaking to anyone else."""

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.journeys.conftest import DESKTOP, PHONE, Demo, Opener

pytestmark = pytest.mark.browser
PAGES = (
    "/funder/demo",
    "/dashboard/demo/outcomes/blame",
    "/dashboard/demo/responses?by=site",
    "/dashboard/demo/questions/practitioner/BLG",
    "/dashboard/demo/fidelity",
    "/dashboard/demo/outcomes/days-to-report",
)
TAKEN = "[...document.querySelectorAll('.chart-stage')].filter(e => e.checkVisibility()).every(e => e.classList.contains('live'))"


def sign_in(page: Page, demo: Demo, role: str = "evaluator") -> None:
    who = demo.staff(role)
    page.goto("/staff/sign-in")
    page.fill("input[name=email]", who["email"])
    page.fill("input[name=password]", who["password"])
    page.click("main button")
    page.wait_for_url("**/staff/")


def scroll_through(page: Page) -> None:
    """Bring every chart into view."""
    for stage in page.query_selector_all(".chart-stage"):
        if stage.bounding_box():
            stage.scroll_into_view_if_needed()
            page.wait_for_timeout(60)


def wait_until_taken(page: Page) -> None:
    """Until every chart in sight can be explored. (Playwright's own waiting evaluates text, which the policy refuses.)"""
    ends = time.monotonic() + 30
    while not page.evaluate(TAKEN):
        assert time.monotonic() < ends, "a chart was not taken over within 30 seconds"
        page.wait_for_timeout(100)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_chart_is_taken_over_with_nothing_refused_moved_or_fetched_elsewhere(
    open_page: Opener, demo: Demo, size: dict[str, int]
) -> None:
    page, watch = open_page(script=True, size=size)
    sign_in(page, demo)
    for path in PAGES:
        page.goto(path)
        height = page.evaluate("document.documentElement.scrollHeight")
        scroll_through(page)
        wait_until_taken(page)
        assert page.evaluate("document.documentElement.scrollHeight") == height, path
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        assert page.query_selector_all(".modebar, [data-title*='cloud' i], [data-title*='Plotly' i]") == []
    watch.assert_quiet()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_without_script_every_chart_is_whole(open_page: Opener, demo: Demo, size: dict[str, int]) -> None:
    page, watch = open_page(script=False, size=size)
    sign_in(page, demo)
    for path in PAGES:
        page.goto(path)
        stages = page.query_selector_all(".chart-stage")
        assert stages
        for stage in stages:
            drawing = stage.query_selector("svg[role=img]")
            assert drawing is not None
            box = drawing.bounding_box()
            assert box is None or box["height"] > 40  # None where it is folded away
        assert page.locator(".chart-explore:visible").count() == 0
    watch.assert_quiet()


@pytest.mark.parametrize("path", PAGES)
def test_no_words_of_a_drawing_leave_it_or_lie_on_others_on_a_narrow_telephone(
    open_page: Opener, demo: Demo, path: str
) -> None:
    page, _ = open_page(script=False, size=PHONE)
    sign_in(page, demo)
    page.goto(path)
    for fold in page.locator("details.fold > summary").all():
        fold.click()
    faults: list[Any] = []
    for drawing in page.query_selector_all(".chart-stage > svg"):
        edge = drawing.bounding_box()
        if edge is None:
            continue
        said = [
            (one.text_content(), one.bounding_box()) for one in drawing.query_selector_all("text:not([aria-hidden])")
        ]
        for text, box in said:
            if box and (box["x"] < edge["x"] - 1 or box["x"] + box["width"] > edge["x"] + edge["width"] + 1):
                faults.append(("leaves", text))
        for place, (text, box) in enumerate(said):
            for other, second in said[place + 1 :]:
                if box and second and _overlap(box, second):
                    faults.append(("lies on", text, other))
    assert faults == []


def test_on_a_slow_line_a_chart_is_taken_over_only_when_asked(open_page: Opener, demo: Demo) -> None:
    page, watch = open_page(script=True, size=DESKTOP)
    page.add_init_script(
        "Object.defineProperty(navigator, 'connection', {value: {saveData: true, effectiveType: '4g'}})"
    )
    sign_in(page, demo)
    page.goto(PAGES[1])
    scroll_through(page)
    page.wait_for_timeout(1500)
    assert page.locator(".chart-stage.live").count() == 0
    assert page.evaluate("typeof window.Plotly") == "undefined"
    page.locator(".chart-explore:visible").first.click()
    page.wait_for_selector(".chart-stage.live", timeout=30_000)
    assert page.locator(".chart-stage.live").count() == 1
    watch.assert_quiet()


def test_the_drawn_and_the_explored_chart_hold_the_same_numbers(open_page: Opener, demo: Demo) -> None:
    page, _ = open_page(script=True, size=DESKTOP)
    sign_in(page, demo)
    page.goto(PAGES[0])
    page.evaluate("document.querySelectorAll('details.fold').forEach(one => { one.open = true; })")
    scroll_through(page)
    wait_until_taken(page)
    for stage in page.query_selector_all(".chart-stage"):
        name = stage.get_attribute("data-chart")
        kept = json.loads(page.text_content(f"#{name}-data") or "")
        drawn = page.evaluate(
            "name => JSON.parse(JSON.stringify(document.querySelector(`[data-chart=\"${name}\"] .chart-live`).data"
            ".map(trace => [trace.x, trace.y])))", name,
        )  # fmt: skip
        assert drawn == [[trace["x"], trace["y"]] for trace in kept["data"]]


def test_on_paper_the_server_s_drawing_is_used(open_page: Opener, demo: Demo) -> None:
    page, _ = open_page(script=True, size=DESKTOP)
    sign_in(page, demo, "funder")
    page.goto(PAGES[0])
    scroll_through(page)
    wait_until_taken(page)
    page.emulate_media(media="print")
    assert page.locator(".chart-live:visible").count() == 0
    opacity = "[...document.querySelectorAll('.chart-stage > svg')].every(e => getComputedStyle(e).opacity === '1')"
    assert page.evaluate(opacity)


def _overlap(one: Any, two: Any) -> bool:
    """Whether two boxes share more than a sliver (letters have air above and below)."""
    across = min(one["x"] + one["width"], two["x"] + two["width"]) - max(one["x"], two["x"])
    down = min(one["y"] + one["height"], two["y"] + two["height"]) - max(one["y"], two["y"])
    return bool(across > 2 and down > 5)
