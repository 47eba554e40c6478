"""What every response carries, and which requests are refused before any page sees them."""

import dataclasses
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from evalapp import create_app, headers
from evalapp.config import Settings
from evalapp.models import Audit, Site
from evalapp.vault import Vault
from tests.conftest import Clock
from tests.security import visitors
from tests.security.test_matrix import ROWS, path_of
from tests.security.visitors import HOME, World

PARTICIPANTS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'"
)
CHARTS_POLICY = re.compile(
    r"default-src 'none'; script-src 'self'; style-src 'self'( 'sha256-[A-Za-z0-9+/=]{44}')*; img-src 'self' data: blob:; "
    r"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
FIXED = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
NEVER = ("Server", "X-Powered-By", "Access-Control-Allow-Origin", "ETag", "Last-Modified")
POSTS = sorted(rule for method, rule in ROWS if method == "POST")


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


@pytest.fixture
def every_answer(app: Flask, session: Session, world: World) -> list[tuple[str, TestResponse]]:
    """One answer of every rule to a visitor who may and to one who may not, and of every way to fail."""
    found = []
    for kind in ("anyone", "admin", "evaluator", "participant"):
        who = visitors.visitor(kind, app, session, world)
        for method, rule in ROWS:
            if rule not in {"/staff/sign-out", "/exit"}:
                path = path_of(rule, world)
                found.append((path, who.ask(method, path)))
        found += [
            (path, who.get(path)) for path in ("/nothing", "/staff/nothing", "/dashboard/nothing", "/funder/no/no")
        ]
        found.append(("/staff/sites", who.ask("PUT", "/staff/sites")))
    return found


def test_every_answer_carries_the_policy_of_its_page_and_the_fixed_headers(
    every_answer: list[tuple[str, TestResponse]],
) -> None:
    assert {answer.status_code for _, answer in every_answer} >= {200, 303, 401, 403, 404, 405, 409, 422}
    for path, answer in every_answer:
        policy = answer.headers["Content-Security-Policy"]
        if path.startswith(("/dashboard", "/funder")):
            assert CHARTS_POLICY.fullmatch(policy), path
        else:
            assert policy == PARTICIPANTS_POLICY, path
        assert {name: answer.headers.get(name) for name in FIXED} == FIXED, path
        assert answer.headers.getlist("Cache-Control") == ["no-store"], path
        assert not [name for name in NEVER if name in answer.headers], path


def test_no_answer_holds_an_inline_script_or_style_or_another_site(
    every_answer: list[tuple[str, TestResponse]],
) -> None:
    for path, answer in every_answer:
        if answer.mimetype != "text/html":
            continue
        page = answer.get_data(as_text=True)
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", page), path
        assert not [tag for tag in re.findall(r"<script[^>]*>", page) if "src=" not in tag and "json" not in tag], path
        loaded = re.findall(r'<(?:script|link|img|iframe|source)[^>]*(?:src|href)="([^"]+)"', page)
        assert not [url for url in loaded if not url.startswith(("/static/", "data:"))], path


def test_a_page_that_breaks_carries_them_too_and_says_nothing_of_itself(
    app: Flask, session: Session, world: World
) -> None:
    def break_down() -> str:
        raise RuntimeError("a secret of the inside")

    break_down.permission = app.view_functions["survey.help_lines"].permission  # type: ignore[attr-defined]
    app.view_functions["survey.help_lines"] = break_down
    answer = visitors.browser(app).get("/help")
    assert answer.status_code == 500
    assert answer.headers["Content-Security-Policy"] == PARTICIPANTS_POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    assert "secret" not in answer.get_data(as_text=True)
    assert "RuntimeError" not in answer.get_data(as_text=True)


def test_static_files_may_be_kept_and_carry_the_policy(app: Flask) -> None:
    names = [name for name in app.extensions["assets"].values() if "." in name and " " not in name]
    assert len(names) > 4
    for name in names:
        answer = app.test_client().get(f"/static/{name}", base_url=HOME)
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"] == PARTICIPANTS_POLICY
        assert {key: answer.headers.get(key) for key in FIXED} == FIXED
        assert "immutable" in answer.headers["Cache-Control"]
        assert "Access-Control-Allow-Origin" not in answer.headers
        answer.close()


def test_without_https_nothing_is_promised_about_it(settings: Settings, clock: Clock) -> None:
    app = create_app(dataclasses.replace(settings, https=False), clock=clock)
    answer = app.test_client().get("/help")
    assert "Strict-Transport-Security" not in answer.headers
    assert answer.headers["Content-Security-Policy"] == headers.CSP
    app.extensions["evalapp"].engine.dispose()


def test_there_is_one_cookie_and_it_is_locked_to_this_host(app: Flask, session: Session, world: World) -> None:
    cookies = visitors.browser(app).get("/staff/sign-in").headers.getlist("Set-Cookie")
    assert len(cookies) == 1
    name, *marks = (part.strip() for part in cookies[0].split(";"))
    assert name.startswith("__Host-evalapp=")
    assert set(marks) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}


@pytest.mark.parametrize("path", ["/", "/j", "/help", "/exit", "/health", "/stopped"])
def test_opening_the_door_or_a_link_sets_no_cookie(app: Flask, session: Session, world: World, path: str) -> None:
    for _ in range(3):
        assert not visitors.browser(app).get(path).headers.getlist("Set-Cookie")


def changes(session: Session) -> tuple[int, int]:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Audit)) or 0, session.scalar(
        select(func.count()).select_from(Site)
    ) or 0


@pytest.mark.parametrize("kind", ["admin", "evaluator", "participant"])
def test_a_form_without_its_token_is_refused(app: Flask, session: Session, world: World, kind: str) -> None:
    """Refused for want of a token, unless the visitor may not be here at all: that comes first."""
    # The code form and leaving: the guard has seen where they come from. A stop link is its own proof.
    exempt = {"/": 422, "/exit": 303, "/stop/<token>": 200}
    before = changes(session)
    for rule in POSTS:
        who = visitors.visitor(kind, app, session, world)
        who.token = ""
        answer = who.post(path_of(rule, world), {"name": "Elsewhere", "nation": "england"})
        cell = "" if rule == "/staff/sign-out" and kind != "participant" else ROWS["POST", rule][kind]
        refused = {"in": 303, "401": 401, "403": 403}.get(cell)
        assert answer.status_code == (refused or exempt.get(rule, 400)), rule
    assert changes(session) == before


def test_a_token_of_another_browser_is_refused(app: Flask, session: Session, world: World) -> None:
    one, other = (visitors.visitor("admin", app, session, world) for _ in range(2))
    one.token = other.token
    assert (
        one.post(f"/staff/trials/{world.trial.id}/sites/new", {"name": "Elsewhere", "nation": "wales"}).status_code
        == 400
    )


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "https://127.0.0.1.evil.example"},
    {"Origin": "https://127.0.0.1:8443"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": HOME, "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("sent", FOREIGN, ids=str)
def test_a_form_from_another_site_is_refused_on_every_page(
    app: Flask, session: Session, world: World, sent: dict[str, str]
) -> None:
    who = visitors.visitor("admin", app, session, world)
    before = changes(session)
    who.headers = sent
    for rule in POSTS:
        assert who.post(path_of(rule, world)).status_code == 400, rule
    assert changes(session) == before


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:443", "127.0.0.1@evil.example", ""]
)
def test_another_host_is_refused(app: Flask, session: Session, world: World, host: str) -> None:
    for path in ("/", "/staff/sign-in", "/nothing", "/health"):
        answer = app.test_client().get(path, base_url=HOME, headers={"Host": host})
        assert answer.status_code == 400, path
        assert "evil" not in answer.get_data(as_text=True)


def test_a_forwarded_header_changes_nothing_without_a_proxy(app: Flask) -> None:
    sent = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
    answer = app.test_client().get("/staff/", base_url=HOME, headers=sent)
    assert answer.status_code == 303
    assert answer.location == "/staff/sign-in"


def test_a_request_of_ten_megabytes_is_refused(app: Flask, session: Session, world: World) -> None:
    who = visitors.visitor("admin", app, session, world)
    for rule in POSTS:
        answer = who.client.post(
            path_of(rule, world), base_url=HOME, headers=who.headers, data=b"x" * 10_000_000,
            content_type="application/x-www-form-urlencoded",
        )  # fmt: skip
        refused = {"403": 403}.get(ROWS["POST", rule]["admin"])
        assert answer.status_code == (refused or 413), rule


@pytest.fixture
def hostile() -> Iterator[str]:
    return iter(["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{'xy'*3}}", "'; DROP TABLE site; --"])


def test_what_staff_type_is_shown_as_text(app: Flask, session: Session, world: World, hostile: Iterator[str]) -> None:
    who = visitors.visitor("admin", app, session, world)
    for words in hostile:
        answer = who.fill(f"/staff/trials/{world.trial.id}/sites/new", {"name": words, "nation": "england"})
        assert answer.status_code == 303
        page = who.get("/staff/sites").get_data(as_text=True)
        assert "<script>" not in page
        assert "<img" not in page
        assert "xyxyxy" not in page
    assert session.scalar(select(func.count()).select_from(Site)) == 5
