"""Takes the README's pictures from a demonstration of the real product: `make pictures`."""

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner
from playwright.sync_api import Browser, Page

from evalapp.cli import main
from evalapp.languages import LANGUAGES
from tests.chromium import chromium
from tests.servers import Server

TARGET = Path(__file__).parent.parent / "docs" / "pictures"


def phone(browser: Browser, server: Server, code: str) -> None:
    page = browser.new_page(
        java_script_enabled=False,
        viewport={"width": 360, "height": 740},
        base_url=server.base_url,
        device_scale_factor=2,
    )
    page.goto("/")
    page.get_by_role("textbox").fill(code)
    for _ in range(2):
        page.get_by_role("button", name="Continue").or_(page.get_by_role("link", name="Continue")).first.click()
    page.check("input[name=agreed][value=yes]")
    page.get_by_role("button", name="Continue").click()
    page.locator("fieldset").first.locator("input").nth(3).check()
    page.screenshot(path=TARGET / "question.png")


def first_page(browser: Browser, server: Server, code: str) -> Iterator[tuple[str, bytes]]:
    """The first page of questions a code leads to, in each language, at the width of a telephone."""
    page = browser.new_page(java_script_enabled=False, viewport={"width": 360, "height": 440}, base_url=server.base_url)
    page.goto("/")
    page.get_by_role("textbox").fill(code)
    for _ in range(2):
        page.get_by_role("button", name="Continue").or_(page.get_by_role("link", name="Continue")).first.click()
    page.check("input[name=agreed][value=yes]")
    page.get_by_role("button", name="Continue").click()
    for spoken, language in LANGUAGES.items():
        if spoken != "en":
            page.get_by_role("button", name=language).click()
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
    sheet.screenshot(path=TARGET / "instruments.png", full_page=True)


def desk(browser: Browser, server: Server, known: dict[str, str], address: str, name: str) -> None:
    page: Page = browser.new_page(
        java_script_enabled=False, viewport={"width": 1200, "height": 1150}, base_url=server.base_url
    )
    page.goto("/staff/sign-in")
    page.get_by_label("E-mail").fill(known["email"])
    page.get_by_label("Password").fill(known["password"])
    page.locator("main").get_by_role("button").click()
    page.goto(address)
    page.screenshot(path=TARGET / name)


def take() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        built = CliRunner().invoke(main, ["demo", "--dir", folder, "--no-serve"])
        if built.exit_code:
            raise SystemExit(built.output)
        written = json.loads((Path(folder) / "demo.json").read_text())
        staff = {one["role"]: one for one in written["staff"]}
        server = Server({"EVALAPP_SECRETS": f"{folder}/settings.env"}, Path(folder) / "server.log")
        server.start()
        try:
            code = next(one["code"] for one in written["participants"] if one["role"] == "parent")
            phone(browser, server, code)
            contact_sheet(browser, server, written["participants"])
            desk(browser, server, staff["funder"], "/funder/demo", "funder.png")
            desk(browser, server, staff["evaluator"], "/dashboard/demo/outcomes/blame", "outcome.png")
        finally:
            server.stop()


if __name__ == "__main__":
    take()
