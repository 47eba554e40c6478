"""What the browser stories share: one demonstration trial, served by a process of its own, and a real Chromium."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, BrowserContext, Page

from evalapp.cli import main
from tests.servers import Server

PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 900}


@dataclass
class Demo:
    """The demonstration: its folder, what demo.json says, and the server over it."""

    folder: Path
    written: dict[str, Any]
    server: Server

    def take(self, role: str, wave: str, state: str = "new") -> dict[str, str]:
        """A code nobody used yet."""
        for place, one in enumerate(self.written["participants"]):
            if (one["role"], one["wave"], one["state"]) == (role, wave, state):
                return self.written["participants"].pop(place)  # type: ignore[no-any-return]
        raise LookupError(f"no {state} code for a {role} at {wave} is left")

    def take_for(self, instrument: str) -> dict[str, str]:
        """A code nobody used yet that leads to this questionnaire; managers' are left to stories that ask for them."""
        known = self.written["participants"]
        found = [one for one in known if (one["instrument"], one["state"]) == (instrument, "new")]
        if not found:
            raise LookupError(f"no new code for {instrument} is left")
        known.remove(chosen := min(found, key=lambda one: one["role"] == "manager"))
        return chosen  # type: ignore[no-any-return]

    def staff(self, role: str) -> dict[str, str]:
        return next(one for one in self.written["staff"] if one["role"] == role)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    built = CliRunner().invoke(main, ["demo", "--dir", str(folder), "--no-serve"])
    assert built.exit_code == 0, built.output
    settings = {"EVALAPP_SECRETS": str(folder / "settings.env"), "EVALAPP_INSTRUMENTS": str(folder / "instruments")}
    server = Server(settings, folder / "server.log")
    server.start()
    yield Demo(folder, json.loads((folder / "demo.json").read_text()), server)
    assert server.stop() == 0


class Watch:
    """What a browser did besides showing pages: where it went, and what its policy refused."""

    def __init__(self, context: BrowserContext, base_url: str) -> None:
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda one: self._note(one.url, base_url))
        context.on("console", lambda one: self.complaints.append(one.text) if one.type == "error" else None)
        context.on("weberror", lambda one: self.complaints.append(str(one.error)))

    def _note(self, url: str, base_url: str) -> None:
        if not url.startswith((base_url, "data:", "blob:")):
            self.elsewhere.append(url)

    def assert_quiet(self) -> None:
        assert self.elsewhere == []
        assert [text for text in self.complaints if "the server responded with a status of" not in text] == []


Opener = Callable[..., tuple[Page, Watch]]


@pytest.fixture
def open_page(browser: Browser, demo: Demo) -> Iterator[Opener]:
    """Open a fresh browser (own cookies): `open_page(script=False, size=PHONE)` gives a page and its watch."""
    contexts: list[BrowserContext] = []

    def opened(*, script: bool = False, size: dict[str, int] = PHONE) -> tuple[Page, Watch]:
        context = browser.new_context(
            java_script_enabled=script, viewport=size, base_url=demo.server.base_url, locale="en-GB"
        )
        contexts.append(context)
        watch = Watch(context, demo.server.base_url)
        return context.new_page(), watch

    yield opened
    for context in contexts:
        context.close()
