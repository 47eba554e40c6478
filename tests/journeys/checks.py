"""What every page must be, whatever it shows: accessible, narrow enough, with targets a thumb can hit, light, at home."""

import json
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import CDPSession, Locator, Page

SMALLEST_TARGET = 24
MOST_BYTES = 10_240

_SMALL_TARGETS = """smallest => {
  // A label is part of its control's target; a link inside a sentence is exempt (WCAG 2.5.8).
  const found = [];
  for (const one of document.querySelectorAll('a, button, input:not([type=hidden]), textarea, select, summary')) {
    const style = getComputedStyle(one);
    if (style.visibility === 'hidden' || style.display === 'none' || one.closest('.skip')) continue;
    const alone = one.parentElement.textContent.trim() === one.textContent.trim();
    if (one.tagName === 'A' && style.display === 'inline' && !alone) continue;
    const label = one.closest('label');
    const box = (label || one).getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || one.closest('details:not([open])')) continue;
    if (box.width < smallest || box.height < smallest) found.push(one.outerHTML.slice(0, 120) + ` ${box.width}×${box.height}`);
  }
  return found;
}"""


def go_on(page: Page, control: Locator) -> None:
    """Press what leads to another page, and wait until that page is there and whole."""
    with page.expect_navigation():
        control.click()


def violations(page: Page) -> list[str]:
    """What axe finds. Timers do not run where script is off, and axe waits for them: they are made to run at once."""
    page.evaluate(
        "() => { window.setTimeout = (run, _, ...rest) => { Promise.resolve().then(() => run(...rest)); return 0; } }"
    )
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{one['id']}: {json.dumps([node['html'][:160] for node in one['nodes'][:3]])}" for one in found["violations"]
    ]


def assert_fits(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    small = page.evaluate(_SMALL_TARGETS, SMALLEST_TARGET)
    assert small == [], f"{page.url}: {small}"


def assert_accessible(page: Page) -> None:
    found = violations(page)
    assert found == [], f"{page.url}: {found}"
    assert page.locator("html").get_attribute("lang")
    assert page.locator("html").get_attribute("dir") in {None, "ltr", "rtl"}
    for group in page.locator("input[type=radio]").all():
        assert group.evaluate("one => !!one.closest('fieldset') && !!one.closest('fieldset').querySelector('legend')")


_seen: set[object] = set()


def assert_accessible_once(page: Page, kind: object) -> None:
    """As above, for the first page of its kind in this run: axe takes longer than everything else of a page."""
    if kind not in _seen:
        assert_accessible(page)
        _seen.add(kind)


class Wire:
    """Bytes that came over the wire since the last look, compressed as they came, everything a page needs included."""

    def __init__(self, page: Page) -> None:
        self._bytes = 0
        session: CDPSession = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.on("Network.loadingFinished", self._add)

    def _add(self, event: dict[str, Any]) -> None:
        self._bytes += int(event["encodedDataLength"])

    def taken(self) -> int:
        found, self._bytes = self._bytes, 0
        return found
