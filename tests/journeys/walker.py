"""A participant without a browser: reads the forms on a page, fills them, sends them, keeps the cookie. Many fit in one test."""

import http.client
import urllib.parse
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form as a browser would send it when its first button is pressed."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)  # radio buttons and boxes: every value offered
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(found.get("action", ""))
            self.forms.append(self._open)
        if self._open is None or not found.get("name"):
            return
        name, value, kind = found["name"], found.get("value", "on"), found.get("type", "text")
        if tag == "button":
            self._open.buttons.append((name, value))
        elif tag == "textarea":
            self._open.fields.append((name, ""))
        elif tag == "input" and kind in {"radio", "checkbox"}:
            self._open.choices.setdefault(name, []).append(value)
            if "checked" in found:
                self._open.fields.append((name, value))
        elif tag == "input" and kind not in {"submit", "button"}:
            self._open.fields.append((name, found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


@dataclass
class Answer:
    """What came back."""

    status: int
    location: str
    text: str

    def form(self, action: str) -> Form:
        reader = _Forms()
        reader.feed(self.text)
        return next(one for one in reader.forms if one.action.startswith(action) or one.action == "")


class Walker:
    """One person's client. Connection errors are the caller's to meet."""

    def __init__(self, port: int, patience: float = 20) -> None:
        self._port = port
        self._patience = patience  # seconds
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None)

    def post(self, path: str, fields: list[tuple[str, str]]) -> Answer:
        return self._ask("POST", path, urllib.parse.urlencode(fields))

    def enter(self, code: str) -> Answer:
        return self.post("/", [("code", code)])

    def _ask(self, method: str, path: str, body: str | None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, rest = cookie.partition("=")
                self._cookies[name] = rest.partition(";")[0]
            return Answer(answer.status, answer.headers.get("Location", ""), text)
        finally:
            connection.close()


def filled(form: Form, choose: dict[str, str], button: tuple[str, str] = ("go", "next")) -> list[tuple[str, str]]:
    """A form's fields with the choices made, sent with a button."""
    kept = [(name, value) for name, value in form.fields if name not in choose]
    return [*kept, *choose.items(), button]
