"""The door: who gets in, what the others are told, and how often one may guess."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import accounts
from evalapp.codes import Code, check_character, new_code
from evalapp.models import Attempt, ParticipantSession
from evalapp.survey import door
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW, Clock
from tests.survey.conftest import World
from tests.survey.person import HOME, SAME, Somebody


def wrong(code: Code) -> Code:
    """A code of the same card that cannot be its secret."""
    return Code(code.selector, "0000000" if code.secret != "0000000" else "1111111")


def visits(world: World) -> int:
    return world.count(ParticipantSession)


@pytest.mark.parametrize("path", ["/", "/j", "/help", "/exit", "/stopped", "/?again=1"])
def test_looking_changes_nothing_and_sets_no_cookie(world: World, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = world.somebody().client.open(path, method=method, base_url=HOME)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert visits(world) == 0


def test_a_link_that_a_scanner_opened_still_works_for_the_person(world: World) -> None:
    _, code = world.person()
    for _ in range(3):
        world.somebody().open("/j")
    assert world.somebody().open("/j").enter(code).path == "/about"


@pytest.mark.parametrize(
    "spell", [str, lambda code: str(code).lower().replace("-", " "), lambda code: str(code).replace("-", "")]
)
def test_a_code_is_read_however_it_is_typed(world: World, spell: object) -> None:
    _, code = world.person()
    assert world.somebody().enter(spell(code)).path == "/about"  # type: ignore[operator]


def test_a_mistyped_code_is_kept_in_the_box_and_not_counted(world: World) -> None:
    _, code = world.person()
    mistyped = str(code)[:-1] + ("0" if str(code)[-1] != "0" else "1")
    person = world.somebody()
    for _ in range(30):
        person.enter(mistyped)
        assert person.status == 422
        assert "Check the code" in person.words
        assert mistyped in person.text
    assert world.count(Attempt) == 0
    assert person.enter(code).path == "/about"


@pytest.mark.parametrize(
    "typed", ["", " ", "x" * 100_000, "\x00" * 12, "٣" * 12, "\u202e" * 12, "' OR 1=1 --", "🙂" * 12]
)
def test_any_text_in_the_code_box_is_only_a_mistyped_code(world: World, typed: str) -> None:
    person = world.somebody().enter(typed)
    assert person.status == 422
    assert "Check the code" in person.words


def ended(world: World, clock: Clock) -> Code:
    _, code = world.person()
    clock.now = NOW + timedelta(days=460)
    return code


def revoked(world: World, clock: Clock) -> Code:
    place, code = world.person()
    make.card(world.session, place, world.vault)
    world.session.commit()
    return code


def blocked(world: World, clock: Clock) -> Code:
    _, code = world.person()
    for _ in range(5):
        world.somebody().enter(wrong(code))
    return code


REFUSED = {
    "never given": lambda world, clock: new_code(),
    "wrong secret": lambda world, clock: wrong(world.person()[1]),
    "ended": ended,
    "revoked": revoked,
    "guessed at too often": blocked,
}


@pytest.mark.parametrize("why", REFUSED)
def test_every_refused_code_has_the_same_page(world: World, clock: Clock, why: str) -> None:
    code = REFUSED[why](world, clock)
    known = Code("ZZZZ", "ZZZZZZZ")
    first = world.somebody().enter(known).answer
    second = world.somebody().enter(code).answer
    assert (second.status_code, second.data, dict(second.headers)) == (
        first.status_code,
        first.data,
        dict(first.headers),
    )
    assert visits(world) == 0
    assert check_character("ZZZZZZZZZZZ")  # the comparison code is one that could exist


def test_refused_codes_take_the_same_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "A_CARD", 10_000)
    monkeypatch.setattr(door, "AN_ADDRESS", 10_000)
    _, code = world.person()
    known, unknown = wrong(code), new_code()
    person, times = world.somebody(), {str(known): [0.0], str(unknown): [0.0]}
    for _ in range(40):  # alternating, so that a busy machine slows both alike
        for one in (known, unknown):
            begin = time.perf_counter()
            person.enter(one)
            times[str(one)].append(time.perf_counter() - begin)
    # The quicker quarter: what the code costs, with little of what else the machine was doing.
    quick = [statistics.quantiles(found[1:], n=4)[0] for found in times.values()]
    assert abs(quick[0] - quick[1]) < 0.010


def test_five_wrong_codes_block_a_card_for_a_quarter_of_an_hour(world: World, clock: Clock) -> None:
    code = blocked(world, clock)
    assert world.somebody().enter(code).status == 422
    clock.now += timedelta(minutes=14)
    assert world.somebody().enter(code).status == 422
    clock.now += timedelta(minutes=2)
    assert world.somebody().enter(code).path == "/about"


def test_a_right_code_forgives_nobody_elses_guesses(world: World, clock: Clock) -> None:
    _, guessed = world.person()
    _, own = world.person()
    for _ in range(5):
        world.somebody().enter(wrong(guessed))
        assert world.somebody().enter(own).path == "/about"
    bucket = world.vault.bucket("card", guessed.selector)
    assert accounts.attempts(world.session, bucket, since=NOW - timedelta(hours=1)) == 5
    world.session.rollback()
    assert world.somebody().enter(guessed).status == 422


def test_an_address_is_slowed_after_twenty_and_never_locked_out(world: World) -> None:
    waits: list[float] = []
    world.app.extensions["wait"] = waits.append
    for _ in range(20):
        world.somebody().enter(new_code())
    assert waits == []
    world.somebody().enter(new_code())
    assert waits == [1.0]
    _, code = world.person()
    assert world.somebody().enter(code).path == "/about"
    assert waits == [1.0, 1.0]


def test_a_forged_address_changes_nothing(world: World) -> None:
    waits: list[float] = []
    world.app.extensions["wait"] = waits.append
    for number in range(21):
        forged = {**SAME, "X-Forwarded-For": f"10.0.0.{number}"}
        world.somebody().client.post("/", base_url=HOME, data={"code": str(new_code())}, headers=forged)
    assert waits == [1.0]


def test_two_hundred_wrong_codes_anywhere_slow_everyone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    waits: list[float] = []
    world.app.extensions["wait"] = waits.append
    everywhere = world.vault.bucket("card", "everywhere")
    world.session.add_all(Attempt(bucket=everywhere, at=NOW) for _ in range(200))
    world.session.commit()
    _, code = world.person()
    assert world.somebody().enter(code).path == "/about"
    assert waits == [1.0]
    assert "every code is now slowed" in caplog.text


def test_only_so_many_wait_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "AN_ADDRESS", 0)
    _, code = world.person()
    held = [door._slow_lane.acquire(blocking=False) for _ in range(3)]
    try:
        answer = world.somebody().enter(code).answer
    finally:
        for _ in held:
            door._slow_lane.release()
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "5"
    assert world.somebody().enter(code).path == "/about"


def test_guesses_sent_at_one_moment_stay_under_the_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, code = world.person()
    looked_at: list[bool] = []
    real = door.proves

    def watched(code: Code, secret_hash: str | None, vault: Vault) -> bool:
        looked_at.append(secret_hash is not None)
        return real(code, secret_hash, vault)

    monkeypatch.setattr(door, "proves", watched)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: Somebody(world.app).enter(wrong(code)).status, range(24)))
    assert set(statuses) <= {422, 429}
    assert sum(looked_at) <= 5


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_the_code_form_is_taken_from_our_own_page_alone(world: World, headers: dict[str, str]) -> None:
    _, code = world.person()
    answer = world.somebody().client.post("/", base_url=HOME, data={"code": str(code)}, headers=headers)
    assert answer.status_code == 400
    assert visits(world) == 0


def test_of_these_pages_only_two_go_without_a_token(app: Flask) -> None:
    """The code form has no session yet; mail programs stop messages for their reader (RFC 8058)."""
    ours = {name for name in app.extensions["csrf"]._exempt_views if name.startswith("evalapp.survey")}
    assert ours == {"evalapp.survey.routes.enter", "evalapp.survey.routes.messages_stopped"}


def test_a_new_code_ends_the_visit_before_it(world: World) -> None:
    person, _, _ = world.started()
    _, other = world.person()
    person.enter(other)
    assert person.path == "/about"
    assert visits(world) == 1


def test_the_database_holds_no_code_and_no_address(world: World, session: Session) -> None:
    _, code = world.person()
    world.somebody().enter(wrong(code))
    world.session.rollback()
    dump = " ".join(
        str(row) for table in (Attempt, ParticipantSession) for row in session.execute(select(table.__table__))
    )
    assert code.secret not in dump
    assert "127.0.0.1" not in dump
