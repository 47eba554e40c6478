"""A participant with a browser that runs no script: opens pages, fills forms, presses buttons, keeps the cookie."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from evalapp.codes import Code

HOME = "https://localhost"
SAME = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}


class _Page(HTMLParser):
    """The forms of a page, each as a browser would send it with nothing changed, and its words."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, list[tuple[str, str]]] = {}
        self.words: list[str] = []
        self.attributes: dict[str, str] = {}
        self._into: list[tuple[str, str]] = []
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.attributes = found
        if tag == "form":
            self._into = self.forms.setdefault(found.get("action", ""), [])
        if tag == "textarea":
            self._area = found["name"]
            self._into.append((self._area, ""))
        if tag == "input" and "name" in found:
            kind = found.get("type", "text")
            if kind not in {"radio", "checkbox"} or "checked" in found:
                self._into.append((found["name"], found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._into[-1] = (self._area, self._into[-1][1] + data)
        elif data.strip():
            self.words.append(" ".join(data.split()))


@dataclass
class Somebody:
    """One person in one browser. `answer` is what came back last."""

    app: Flask
    answer: TestResponse = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def open(self, path: str) -> "Somebody":
        """Open a page and follow where it leads."""
        self.answer = self.client.get(path, base_url=HOME)
        while self.answer.status_code in {302, 303, 308}:
            self.answer = self.client.get(self.answer.location, base_url=HOME)
        return self

    def post(self, path: str, fields: Any, *, follow: bool = True) -> "Somebody":
        self.answer = self.client.post(path, base_url=HOME, data=MultiDict(fields), headers=SAME)
        if follow and self.answer.status_code == 303:
            self.open(self.answer.location)
        return self

    def enter(self, code: Code | str) -> "Somebody":
        return self.post("/", {"code": str(code)})

    def agree(self) -> "Somebody":
        """From the page that says what it is about to the first page of questions."""
        self.open("/consent")
        return self.send("/consent", agreed="yes")

    def send(self, action: str, *, go: str | None = None, follow: bool = True, **changed: Any) -> "Somebody":
        """Send the form of the page that is open, with some fields changed (None leaves one out)."""
        return self.post(action, self.filled(action, go=go, **changed), follow=follow)

    def filled(self, action: str, *, go: str | None = None, **changed: Any) -> list[tuple[str, str]]:
        kept = [(name, value) for name, value in self.page.forms[action] if name not in changed]
        for name, value in changed.items():
            kept += [(name, str(one)) for one in (value if isinstance(value, list) else [value]) if one is not None]
        return kept if go is None else [*kept, ("go", go)]

    def next(self, number: int, *, go: str = "next", follow: bool = True, **given: Any) -> "Somebody":
        """Answer the page of questions that is open, by item code."""
        return self.send(f"/q/{number}", go=go, follow=follow, **{f"a-{code}": one for code, one in given.items()})

    @property
    def page(self) -> _Page:
        reader = _Page()
        reader.feed(self.text)
        return reader

    @property
    def text(self) -> str:
        return self.answer.get_data(as_text=True)

    @property
    def words(self) -> str:
        return " ".join(self.page.words)

    @property
    def path(self) -> str:
        return self.answer.request.full_path.removesuffix("?")

    @property
    def status(self) -> int:
        return self.answer.status_code
