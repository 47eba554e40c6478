"""A PIN shows earlier answers to whoever chose it, and to nobody with the code alone; without it one begins again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from evalapp import pins, responses
from evalapp.codes import Code
from evalapp.models import Attempt, Membership, Person, SetAside
from evalapp.responses import BLANK, Given
from tests.conftest import NOW, Clock
from tests.security import visitors
from tests.survey.conftest import World
from tests.survey.person import Somebody
from tests.survey.test_journey import sent

PLANTED = ("Strongly agree", "Red", "A planted phrase")


@pytest.fixture
def stopped(world: World) -> tuple[Membership, Code]:
    """Somebody who chose 2580 on the first page, gave some answers and stopped."""
    person, place, code = world.started(instrument="every_kind")
    person.next(1, go="pin", agree=5).send("/pin/new", pin="2580")
    assert person.path == "/q/1"
    person.next(1, face=3).next(2, one="red").next(4).next(5, lines="A planted phrase").send("/exit")
    return place, code


def test_the_right_pin_shows_the_earlier_answers_and_they_can_be_changed(
    world: World, stopped: tuple[Membership, Code]
) -> None:
    place, code = stopped
    person = world.somebody().enter(code)
    assert person.path == "/pin"
    person.send("/pin", go="on", pin="25 80")
    assert person.path == "/check"
    assert all(one in person.words for one in PLANTED)
    person.open("/q/1?check=1")
    assert ("a-agree", "5") in person.page.forms["/q/1"]
    person.next(1, agree=2)
    assert world.stored(place)["agree"] == Given(2)
    assert world.stored(place)["face"] == Given(3)


def test_the_code_alone_shows_and_sends_nothing_of_it(world: World, stopped: tuple[Membership, Code]) -> None:
    place, code = stopped
    before = world.stored(place)
    person = world.somebody().enter(code)
    for path in ("/go", "/q/1", "/q/2", "/q/5", "/check", "/check?rest=skipped", "/pin"):
        person.open(path)
        assert person.path == "/pin"
        assert not [one for one in PLANTED if one in person.text]
    token = dict(person.page.forms["/pin"])["csrf_token"]
    fields = {"csrf_token": token, "assignment": world.assignment(place).id}
    world.session.rollback()
    person.post("/check", {**fields, "basis": "0" * 64})
    assert person.path == "/pin"
    person.post("/q/1", {**fields, "shown": "agree", "basis": "", "proof": "", "a-agree": "1"})
    assert person.status == 401
    assert world.stored(place) == before


def test_five_wrong_pins_close_it_for_a_quarter_of_an_hour(
    world: World, stopped: tuple[Membership, Code], clock: Clock
) -> None:
    _, code = stopped
    person = world.somebody().enter(code)
    for guess in ("1111", "2581", "99999", "258000", "0852"):
        assert person.send("/pin", go="on", pin=guess).status == 422
        assert "This is not the PIN" in person.words
        assert guess not in person.text
    other = world.somebody().enter(code)  # another device is no way round
    assert other.send("/pin", go="on", pin="2580").status == 429
    clock.now += timedelta(minutes=16)
    assert other.send("/pin", go="on", pin="2580").path == "/check"


def test_pins_sent_at_one_moment_stay_under_the_limit(world: World, stopped: tuple[Membership, Code]) -> None:
    _, code = stopped
    people = [world.somebody().enter(code) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda one: one.send("/pin", go="on", pin="1379").status, people))
    assert statuses.count(422) <= pins.TRIES
    assert set(statuses) <= {422, 429}


def test_a_right_pin_takes_back_its_own_count_alone(world: World, stopped: tuple[Membership, Code]) -> None:
    _, code = stopped
    person = world.somebody().enter(code)
    person.send("/pin", go="on", pin="1379").send("/pin", go="on", pin="2580")
    assert world.count(Attempt) == 1


def test_without_the_pin_one_begins_again_and_the_old_pages_are_kept_apart(
    world: World, stopped: tuple[Membership, Code]
) -> None:
    place, code = stopped
    person = world.somebody().enter(code).send("/pin", go="again")
    assert person.path == "/q/1"
    assert "You answered this earlier" not in person.words
    assert "Choose a PIN" in person.words
    assert world.stored(place) == {}
    assert world.count(SetAside) == 1
    sent(person.next(1, agree=1))
    assert world.stored(place)["agree"] == Given(1)
    row = world.session.query(SetAside).one()
    assert row.answered == 4
    assert b"planted" not in row.sealed
    world.session.rollback()


@pytest.mark.parametrize("keep", ["fill", "drop"])
def test_an_evaluator_says_what_becomes_of_them_without_reading_them(
    world: World, stopped: tuple[Membership, Code], keep: str
) -> None:
    place, code = stopped
    person = world.somebody().enter(code).send("/pin", go="again")
    who = visitors.staff_browser(world.app, world.session, visitors.member(world.session, "evaluator"))
    assert "Not sent yet" in who.get("/staff/set-aside").get_data(as_text=True)
    aside = world.session.query(SetAside).one().id
    world.session.rollback()
    who.post(f"/staff/set-aside/{aside}", {"keep": keep})
    assert world.count(SetAside) == 1  # nothing of it while the questionnaire is under way
    sent(person.next(1, agree=1))
    page = who.get("/staff/set-aside").get_data(as_text=True)
    assert not [one for one in PLANTED if one in page]
    assert who.post(f"/staff/set-aside/{aside}", {"keep": keep}).status_code == 303
    assert world.count(SetAside) == 0
    kept = world.stored(place)
    assert kept["agree"] == Given(1)  # an answer given later is never replaced
    assert kept["one"] == (Given("red") if keep == "fill" else BLANK)
    assert kept["lines"] == (Given("A planted phrase") if keep == "fill" else BLANK)
    assert responses.rebuild_scores(world.session, vault=world.vault) == 0
    world.session.rollback()


def test_a_pin_cannot_be_chosen_for_answers_of_an_earlier_visit(world: World) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1, agree=5)
    again = world.somebody().enter(code)
    assert "Choose a PIN" not in again.open("/q/1").words
    assert again.open("/pin").path == "/q/2"
    token = dict(again.page.forms["/q/2"])
    again.post("/pin/new", {"csrf_token": token["csrf_token"], "assignment": token["assignment"], "pin": "2580"})
    assert world.session.get_one(Person, place.person_id).pin_hash is None
    world.session.rollback()


@pytest.mark.parametrize("typed", ["", "123", "1234567", "12a4", "0000", "1234", "987654", "9876", "٠٠٠٠"])
def test_a_pin_that_is_none_or_easily_guessed_is_asked_again(world: World, typed: str) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1, go="pin").send("/pin/new", pin=typed)
    assert person.status == 422
    assert world.session.get_one(Person, place.person_id).pin_hash is None
    world.session.rollback()


def test_a_pin_is_read_in_the_figures_of_any_script() -> None:
    assert pins.read_pin(" ٢٥ ٨٠ ") == pins.read_pin("２５８０") == "2580"


def test_a_pin_is_kept_as_a_hash_bound_to_its_person(world: World, stopped: tuple[Membership, Code]) -> None:
    place, _ = stopped
    other, _ = world.person()
    kept = world.session.get_one(Person, place.person_id).pin_hash
    assert kept is not None
    assert kept.startswith("$argon2id$")
    world.session.get_one(Person, other.person_id).pin_hash = kept
    world.session.commit()
    assert not pins.proves(world.session, other.person_id, "2580", vault=world.vault, now=NOW)
    assert pins.proves(world.session, place.person_id, "2580", vault=world.vault, now=NOW)
    world.session.rollback()


def test_nobody_is_asked_for_a_pin_who_never_chose_one_or_saved_nothing(world: World) -> None:
    person, _, code = world.started(instrument="every_kind")
    person.next(1, go="pin").send("/pin/new", pin="2580").send("/exit")
    assert world.somebody().enter(code).path == "/q/1"


def test_after_sending_no_pin_shows_anything(world: World, stopped: tuple[Membership, Code]) -> None:
    _, code = stopped
    world.somebody().enter(code).send("/pin", go="on", pin="2580").send("/check")
    again = world.somebody().enter(code)
    assert again.path == "/done"
    assert again.open("/pin").path == "/done"
    assert not [one for one in PLANTED if one in again.text]


def test_what_was_typed_when_a_visit_ended_is_carried_past_the_pin(
    world: World, stopped: tuple[Membership, Code], clock: Clock
) -> None:
    _, code = stopped
    person: Somebody = world.somebody().enter(code).send("/pin", go="on", pin="2580").open("/q/2?check=1")
    clock.now += timedelta(minutes=41)
    person.next(2, one="blue")
    assert person.status == 401
    person.send("/", code=str(code))
    assert "Type your PIN" in person.words
    person.send("/pin", go="on", pin="1379").send("/pin", go="on", pin="2580")
    assert ("a-one", "blue") in person.page.forms["/q/2"]
