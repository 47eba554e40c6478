"""Takes the pictures of docs/pictures from the real product: the README's from a demonstration, the funder's and the
evaluator's pages from trials of known truth: `make pictures`."""

import base64
import io
import json
import secrets
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, Page

from evalapp.cli import main
from evalapp.languages import LANGUAGES
from tests.chromium import chromium
from tests.dashboard import truths
from tests.journeys import checks
from tests.servers import Server

TARGET = Path(__file__).parent.parent / "docs" / "pictures"
NARROW = Path(__file__).parent.parent / "build" / "pictures"  # as on a small telephone, to be looked at and not kept
COLOURS = 64  # the pages have few, and a picture of so many is a third as large
# The evaluator's pages, of the trial in which it worked.
PAGES = {
    "evaluator-scale": "/dashboard/benefit/questions/practitioner/BLG",
    "evaluator-question": "/dashboard/benefit/questions/practitioner/items/BLG1",
    "evaluator-reliability": "/dashboard/benefit/questions/practitioner/BLG/reliability",
    "evaluator-agreement": "/dashboard/benefit/fidelity",
    "evaluator-days": "/dashboard/benefit/outcomes/days-to-report",
}


def to_the_questions(page: Page) -> None:
    """From a typed code to the first question: what it is about, and a yes."""
    forth = page.get_by_role("button", name="Continue").or_(page.get_by_role("link", name="Continue"))
    for _ in range(2):
        checks.go_on(page, forth.first)
    page.check("input[name=agreed][value=yes]")
    checks.go_on(page, forth.first)


def phone(browser: Browser, server: Server, code: str) -> None:
    page = browser.new_page(
        java_script_enabled=False,
        viewport={"width": 360, "height": 740},
        base_url=server.base_url,
        device_scale_factor=2,
    )
    page.goto("/")
    page.get_by_role("textbox").fill(code)
    to_the_questions(page)
    page.locator("fieldset").first.locator("input").nth(3).check()
    keep(page.screenshot(), TARGET / "question.png")


def first_page(browser: Browser, server: Server, code: str) -> Iterator[tuple[str, bytes]]:
    """The first page of questions a code leads to, in each language, at the width of a telephone."""
    page = browser.new_page(java_script_enabled=False, viewport={"width": 360, "height": 440}, base_url=server.base_url)
    page.goto("/")
    page.get_by_role("textbox").fill(code)
    to_the_questions(page)
    for spoken, language in LANGUAGES.items():
        if spoken != "en":
            checks.go_on(page, page.get_by_role("button", name=language))
            page.wait_for_selector(f"html[lang={spoken}]")
        page.wait_for_load_state("networkidle")  # a picture taken while a page is being exchanged fails now and then
        yield language, page.screenshot()
    page.close()


def contact_sheet(browser: Browser, server: Server, participants: list[dict[str, str]]) -> None:
    """Every questionnaire that is asked, its first page in each language, on one sheet."""
    codes = {one["instrument"]: one["code"] for one in participants if one["state"] == "new"}
    figures = []
    for name in sorted(codes):
        for language, taken in first_page(browser, server, codes[name]):
            image = base64.b64encode(taken).decode()
            figures.append(
                f'<figure><img src="data:image/png;base64,{image}" alt=""><figcaption>{name}, {language}</figcaption></figure>'
            )
    sheet = browser.new_page(viewport={"width": 12 * 150, "height": 400})
    sheet.set_content(
        "<style>body{margin:4px;display:grid;grid-template-columns:repeat(12,1fr);gap:6px;font:9px sans-serif}"
        "figure{margin:0}img{width:100%;border:1px solid #999}</style>" + "".join(figures)
    )
    keep(sheet.screenshot(full_page=True), TARGET / "instruments.png")


def desk(browser: Browser, server: Server, known: dict[str, str], address: str, name: str) -> None:
    page = signed_in(browser, server, known["email"], known["password"])
    page.set_viewport_size({"width": 1200, "height": 1150})
    page.goto(address)
    keep(page.screenshot(), TARGET / name)
    page.close()


def keep(taken: bytes, path: Path) -> None:
    """Written small: a palette in place of every shade."""
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def signed_in(browser: Browser, server: Server, email: str, password: str) -> Page:
    page = browser.new_page(
        java_script_enabled=False, viewport={"width": 1280, "height": 900}, base_url=server.base_url
    )
    page.goto("/staff/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    checks.go_on(page, page.locator("main").get_by_role("button"))
    page.wait_for_url("**/staff/")
    return page


def whole(page: Page, address: str, name: str) -> None:
    """The whole page, on a desk and on a small telephone."""
    page.goto(address)
    for width, folder in ((1280, TARGET), (320, NARROW)):
        page.set_viewport_size({"width": width, "height": 900})
        keep(page.screenshot(full_page=True), folder / f"{name}.png")


def known_truths(browser: Browser, folder: Path) -> None:
    """The funder's page of each trial whose truth is known, and the evaluator's pages of one."""
    folder.mkdir()
    password = secrets.token_hex(16)
    funder, evaluator = "funder@example.org", "evaluator@example.org"
    settings = truths.copy_of_its_own(
        folder, truths.TRIALS, email=funder, password=password, now=datetime.now(UTC), evaluator=evaluator
    )
    server = Server({"EVALAPP_SECRETS": str(settings)}, folder / "server.log")
    server.start()
    try:
        page = signed_in(browser, server, funder, password)
        for name in truths.TRIALS:
            whole(page, f"/funder/{name}", f"funder-{name}")
        page.close()
        page = signed_in(browser, server, evaluator, password)
        for name, address in PAGES.items():
            whole(page, address, name)
        page.close()
    finally:
        server.stop()


def take() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    NARROW.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        known_truths(browser, Path(folder) / "truths")
        demonstration(browser, Path(folder) / "demo")


def demonstration(browser: Browser, folder: Path) -> None:
    """The README's own four."""
    built = CliRunner().invoke(main, ["demo", "--dir", str(folder), "--no-serve"])
    if built.exit_code:
        raise SystemExit(built.output)
    written = json.loads((folder / "demo.json").read_text())
    staff = {one["role"]: one for one in written["staff"]}
    server = Server({"EVALAPP_SECRETS": f"{folder}/settings.env"}, folder / "server.log")
    server.start()
    try:
        asked = [one for one in written["participants"] if one["instrument"] == "parent_before"]
        code = next(one["code"] for one in asked if one["state"] == "new")
        phone(browser, server, code)
        contact_sheet(browser, server, written["participants"])
        desk(browser, server, staff["funder"], "/funder/demo", "funder.png")
        desk(browser, server, staff["evaluator"], "/dashboard/demo/outcomes/blame", "outcome.png")
    finally:
        server.stop()


if __name__ == "__main__":
    take()
