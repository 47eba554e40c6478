"""When something goes wrong: a plain page, nothing given away, nothing typed lost, and no database needed."""

import json
import logging

import pytest
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import abort

from evalapp import access, headers
from tests.survey.conftest import World
from tests.survey.person import HOME, SAME

SECRET = "words that somebody wrote"
BROKEN = OperationalError("INSERT INTO free_text", {"value": SECRET}, Exception("database is locked"))
FAULTS = {
    "locked": (BROKEN, 503),
    "pool": (PoolTimeout(), 503),
    "gone": (IntegrityError("INSERT", {"value": SECRET}, Exception("lost"), connection_invalidated=True), 503),
    "constraint": (IntegrityError("INSERT", {"value": SECRET}, Exception(SECRET)), 500),
    "bug": (RuntimeError(SECRET), 500),
}


@pytest.mark.parametrize("why", FAULTS)
def test_a_failed_save_is_a_plain_page_that_gives_nothing_away(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    error, status = FAULTS[why]
    person, place, _ = world.started()
    with monkeypatch.context() as patch:
        patch.setattr("evalapp.responses.save", lambda *_, **__: (_ for _ in ()).throw(error))
        person.next(1, BLG1=4)
    assert person.status == status
    assert SECRET not in person.text
    assert SECRET not in caplog.text
    assert "INSERT" not in caplog.text
    assert type(error).__name__ in caplog.text
    assert world.stored(place) == {}


def test_a_database_that_does_not_answer_gives_the_answers_back_to_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, place, _ = world.started()
    with monkeypatch.context() as patch:
        patch.setattr("evalapp.responses.save", lambda *_, **__: (_ for _ in ()).throw(BROKEN))
        person.next(1, BLG1=4)
    assert person.answer.headers["Retry-After"] == "10"
    assert "We could not confirm" in person.words
    assert "not saved" not in person.words
    person.send("/q/1")
    assert person.path == "/q/2"
    assert world.stored(place)["BLG1"].value == 4


def test_a_reply_lost_after_the_save_is_a_page_that_tries_again_without_harm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, place, _ = world.started()
    fields = person.filled("/q/1", go="next", **{"a-BLG1": 4})
    with monkeypatch.context() as patch:
        patch.setattr("evalapp.survey.sheets._next_address", lambda *_: (_ for _ in ()).throw(BROKEN))
        person.post("/q/1", fields)
    assert person.status == 503
    person.send("/q/1")
    assert person.path == "/q/2"
    assert world.stored(place)["BLG1"].value == 4


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 415, 418, 429, 500, 503])
def test_every_status_has_a_plain_page(app: Flask, status: int) -> None:
    app.view_functions["health"] = access.requires(access.Permission.OPEN_THE_DOOR)(lambda: abort(status, SECRET))
    answer = app.test_client().get("/health", base_url=HOME)
    text = answer.get_data(as_text=True)
    assert answer.status_code == status
    assert "<h1>" in text
    assert "this number" in text
    assert SECRET not in text
    assert answer.headers["Content-Security-Policy"] == headers.CSP
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_problem_page_needs_no_database(app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalapp.db.reading", lambda _: (_ for _ in ()).throw(BROKEN))
    monkeypatch.setattr("evalapp.db.writing", lambda _: (_ for _ in ()).throw(BROKEN))
    client = app.test_client()
    with client.session_transaction(base_url=HOME) as kept:
        kept["visit"], kept["language"] = "a visit", "cy"
    for path, status in (("/q/1", 503), ("/nowhere", 404), ("/", 200), ("/j", 200), ("/help", 200), ("/exit", 200)):
        answer = client.get(path, base_url=HOME)
        assert answer.status_code == status
        assert '<html lang="cy" dir="ltr">' in answer.get_data(as_text=True)


@pytest.mark.parametrize("token", ["stale", None])
def test_leaving_works_without_the_database(world: World, monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    person, _, _ = world.started()
    monkeypatch.setattr("evalapp.db.writing", lambda _: (_ for _ in ()).throw(BROKEN))
    person.send("/exit", follow=False, **({"csrf_token": token} if token else {}))
    assert (person.status, person.answer.location) == (303, "/exit")
    assert "cookies" in person.answer.headers["Clear-Site-Data"]
    with person.client.session_transaction(base_url=HOME) as kept:
        assert "visit" not in kept


def test_too_much_at_once_is_said_plainly(world: World) -> None:
    person, place, _ = world.started()
    person.send("/q/1", go="next", **{"a-BLG1": "x" * 3_000_000})
    assert person.status == 413
    assert "make what you wrote shorter" in person.words
    assert world.stored(place) == {}


def test_a_host_that_is_not_ours_gets_a_plain_page(app: Flask) -> None:
    answer = app.test_client().get("/", base_url="https://elsewhere.example")
    assert answer.status_code == 400
    assert "<h1>" in answer.get_data(as_text=True)


def test_a_wrong_method_names_the_right_ones(app: Flask) -> None:
    answer = app.test_client().put("/", base_url=HOME)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_password_is_never_given_back(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalapp.db.writing", lambda _: (_ for _ in ()).throw(BROKEN))
    answer = app.test_client().post(
        "/staff/sign-in", base_url=HOME, headers=SAME, data={"email": "a@example.org", "password": SECRET}
    )
    assert answer.status_code == 503
    assert SECRET not in answer.get_data(as_text=True)


def test_the_logs_of_a_whole_visit_hold_nothing_a_person_wrote(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    person, _, code = world.started(instrument="every_kind")
    person.next(1).next(2).next(4, amount="lots").next(4, amount="3").next(5, line=SECRET[:30], lines=SECRET)
    person.send("/check")
    world.somebody().enter(str(code)[:-1] + "0")
    logged = caplog.text + json.dumps([str(record.args) for record in caplog.records])
    for never in (SECRET, SECRET[:30], str(code), code.secret):
        assert never not in logged
