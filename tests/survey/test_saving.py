"""Nothing acknowledged is lost, nothing is overwritten unseen, nothing crosses from one person or visit to another."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from evalapp.models import Response
from evalapp.responses import BLANK, Given
from tests.conftest import Clock
from tests.survey.conftest import World
from tests.survey.person import HOME, SAME, Somebody
from tests.survey.test_journey import through


def test_a_double_click_saves_once_and_goes_on(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    fields = person.filled("/q/1", go="next", **{"a-agree": 4})
    person.post("/q/1", fields)
    assert person.path == "/q/2"
    person.post("/q/1", fields)
    assert person.path == "/q/2"
    assert world.stored(place)["agree"] == Given(4)


def test_a_stale_page_shows_both_answers_and_overwrites_nothing(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    stale = person.filled("/q/1", go="next", **{"a-agree": 1})
    person.next(1, agree=5)
    person.post("/q/1", stale)
    assert person.status == 409
    assert "Strongly agree" in person.words
    assert "Strongly disagree" in person.words
    assert world.stored(place)["agree"] == Given(5)


def test_the_person_chooses_between_a_stored_and_a_new_answer(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    stale = person.filled("/q/1", go="next", **{"a-agree": 1})
    person.next(1, agree=5)
    person.post("/q/1", stale)
    assert 'href="/q/2"' in person.text  # keep what was saved
    person.send("/q/1", go="next")
    assert person.path == "/q/2"
    assert world.stored(place)["agree"] == Given(1)


def test_two_devices_at_one_page_are_asked_too(world: World) -> None:
    first, place, code = world.started(instrument="every_kind")
    second = world.somebody().enter(code)
    assert second.path == "/q/1"
    first.next(1, agree=5)
    second.next(1, agree=1)
    assert second.status == 409
    assert "Strongly agree" in second.words
    assert world.stored(place)["agree"] == Given(5)


def test_a_stored_answer_cannot_be_fished_for_with_an_invented_basis(world: World) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1, agree=5, face=3)
    other = world.somebody().enter(code).open("/q/1")
    for basis in ("", "0" * 64, dict(other.page.forms["/q/1"])["basis"][:-1] + "x"):
        other.open("/q/1").send("/q/1", go="next", basis=basis, **{"a-agree": 1})
        assert other.status == 409
        assert "Saved before" not in other.words
        assert ("a-agree", "5") not in other.page.forms["/q/1"]
        assert ("a-agree", "1") in other.page.forms["/q/1"]  # what was typed is still there
    assert world.stored(place)["agree"] == Given(5)


def test_another_persons_page_is_refused_whole(world: World) -> None:
    first, first_place, _ = world.started(instrument="every_kind")
    page = first.filled("/q/1", go="next", **{"a-agree": 5})
    _, second_code = world.person(instrument="every_kind")
    first.enter(second_code).agree()  # the next person on a shared tablet
    token = dict(first.page.forms["/q/1"])["csrf_token"]
    stale_tab = [(name, value) for name, value in page if name != "csrf_token"]
    first.post("/q/1", [*stale_tab, ("csrf_token", token)])
    assert first.status == 409
    assert "Nothing on it was saved" in first.words
    assert world.stored(first_place) == {}


@pytest.mark.parametrize("assignment", ["", "0" * 16, "' OR 1=1 --", None])
def test_an_invented_assignment_is_refused(world: World, assignment: str | None) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.send("/q/1", go="next", assignment=assignment, **{"a-agree": 5})
    assert person.status == 409
    assert world.stored(place) == {}


def test_answers_of_an_earlier_visit_are_not_shown_in_a_new_one(world: World) -> None:
    person, _, code = world.started(instrument="every_kind")
    person.next(1, agree=5, face=3).next(2, one="red").next(4).next(5, lines="A planted phrase")
    again = world.somebody().enter(code)
    assert again.path == "/check"
    assert again.words.count("Answered earlier") == 4
    for planted in ("Strongly agree", "Good", "Red", "A planted phrase"):
        assert planted not in again.text
    for number in (1, 2, 5):
        again.open(f"/q/{number}?check=1")
        assert "You answered this earlier" in again.words
        assert not re.search(r"<input type=\"radio\"[^>]*checked", again.text)
        assert "A planted phrase" not in again.text


def test_a_resumed_questionnaire_continues_at_the_first_page_not_saved(world: World) -> None:
    person, _, code = world.started(instrument="every_kind")
    person.next(1, agree=5)
    assert world.somebody().enter(code).path == "/q/2"


def test_untouched_questions_keep_the_answers_of_an_earlier_visit(world: World) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1, agree=5, face=3, picture="prefer_not").next(2, some=["cake"]).next(4, amount=3).next(5, lines="kept")
    before = world.stored(place)
    again = world.somebody().enter(code)
    for number in (1, 2, 4, 5):
        again.open(f"/q/{number}?check=1").next(number)
        assert again.path == "/check"
    assert world.stored(place) == before
    assert again.words.count("Answered earlier") == 6


def test_an_answer_of_an_earlier_visit_can_be_given_anew(world: World) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1, agree=5, face=3)
    again = world.somebody().enter(code).open("/q/1").next(1, agree=2)
    assert world.stored(place)["agree"] == Given(2)
    assert world.stored(place)["face"] == Given(3)
    again.open("/q/1")
    assert ("a-agree", "2") in again.page.forms["/q/1"]  # given in this visit: shown
    assert ("a-face", "3") not in again.page.forms["/q/1"]


def test_words_of_an_earlier_visit_can_be_taken_away(world: World) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1).next(2).next(4).next(5, line="first", lines="second")
    again = world.somebody().enter(code).open("/q/5?check=1")
    again.send("/q/5", go="next", **{"a-lines-erase": "1"})
    assert world.stored(place)["lines"] == BLANK
    assert world.stored(place)["line"] == Given("first")


def test_in_one_visit_a_blank_takes_an_answer_back(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1).next(2).next(4, amount=3)
    person.open("/q/4").next(4, amount="")
    assert world.stored(place)["amount"] == BLANK


def test_a_wrong_answer_keeps_everything_typed_and_says_what_to_do(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1).next(2)
    person.send("/q/4", go="next", **{"a-amount": "lots", "a-day-day": "30", "a-day-month": "2", "a-day-year": "2026"})
    assert person.status == 422
    for kept in (("a-amount", "lots"), ("a-day-day", "30"), ("a-day-month", "2"), ("a-day-year", "2026")):
        assert kept in person.page.forms["/q/4"]
    assert '<a href="#a-amount">' in person.text
    assert 'id="a-amount"' in person.text
    assert '<a href="#a-day">' in person.text
    assert 'id="a-day"' in person.text
    assert re.search(r'id="a-amount"[^>]*aria-describedby="a-amount-fault"[^>]*aria-invalid="true"', person.text)
    assert "amount" not in world.stored(place)


def test_fifty_posts_of_the_check_page_make_one_response_and_one_receipt(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    through(person)
    assert person.path == "/check"
    fields = person.filled("/check")
    cookie = person.client.get_cookie("__Host-evalapp")
    assert cookie is not None

    def send(_: int) -> tuple[int, str]:
        one = Somebody(world.app)
        one.client.set_cookie("__Host-evalapp", cookie.value, secure=True)
        one.post("/check", fields)
        return one.status, re.findall(r'class="receipt"><bdi>([^<]+)', one.text)[0]

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(send, range(50)))
    response = world.response(place)
    assert response is not None
    assert answers == {(200, response.receipt)}
    assert world.count(Response) == 1


def test_a_check_page_grown_old_is_shown_anew_and_sends_nothing(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    through(person)
    stale = person.filled("/check")
    person.open("/q/1?check=1").next(1, agree=5)
    person.post("/check", stale)
    assert person.status == 409
    assert "Check them once more" in person.words
    response = world.response(place)
    assert response is not None
    assert response.state == "open"
    person.send("/check")
    assert person.path == "/done"


def test_what_is_typed_after_sending_is_refused_and_said_so(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    late = person.filled("/q/1", go="next", **{"a-agree": 5})
    through(person).send("/check")
    person.post("/q/1", late)
    assert person.status == 409
    assert "was not added" in person.words
    assert world.stored(place)["agree"] == BLANK


def test_a_lost_visit_carries_what_was_typed_through_the_door(world: World, clock: Clock) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1)
    clock.now += timedelta(minutes=41)
    person.next(2, one="red", some=["bread", "cake"])
    assert person.status == 401
    assert "what you typed last is still here" in person.words
    assert "one" not in world.stored(place)
    person.send("/", code=str(code))
    assert person.status == 200
    assert "What you typed is still here" in person.words
    assert ("a-one", "red") in person.page.forms["/q/2"]
    assert {("a-some", "bread"), ("a-some", "cake")} <= set(person.page.forms["/q/2"])
    person.next(2)
    assert world.stored(place)["one"] == Given("red")


def test_what_one_person_typed_is_not_carried_to_another(world: World, clock: Clock) -> None:
    person, _, _ = world.started(instrument="every_kind")
    person.next(1)
    _, other = world.person(instrument="every_kind")
    clock.now += timedelta(minutes=41)
    person.next(2, one="red")
    person.send("/", code=str(other))
    assert person.path == "/about"
    assert "a-one" not in person.text


def test_a_mistyped_code_at_that_moment_loses_nothing_either(world: World, clock: Clock) -> None:
    person, _, code = world.started(instrument="every_kind")
    clock.now += timedelta(minutes=41)
    person.next(1, agree=5)
    person.send("/", code="ABCD").send("/", code="0000-0000-0000").send("/", code=str(code))
    assert ("a-agree", "5") in person.page.forms["/q/1"]


@pytest.mark.parametrize("kept", ["assignment=" + "x" * 100_000, "&" * 5000, "%00=%ff", "a=b&" * 2000])
def test_an_invented_carried_page_is_only_ignored(world: World, kept: str) -> None:
    _, code = world.person()
    for at in ("/q/1", "/q/99", "/staff", "//elsewhere.example", "/q/1?x"):
        person = world.somebody().post("/", {"code": str(code), "kept": kept, "kept_at": at})
        assert person.path == "/about"


def test_a_form_without_its_token_comes_back_with_what_was_typed(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.send("/q/1", go="next", csrf_token=None, **{"a-agree": 5})
    assert person.status == 400
    assert world.stored(place) == {}
    person.send("/q/1")
    assert person.path == "/q/2"
    assert world.stored(place)["agree"] == Given(5)


@pytest.mark.parametrize("action", ["/consent", "/check", "/language", "/q/1"])
def test_every_form_but_the_code_needs_its_token(world: World, action: str) -> None:
    _, code = world.person()
    person = world.somebody().enter(code)
    assert person.client.post(action, base_url=HOME, headers=SAME).status_code == 400


def test_starting_twice_at_once_begins_one_response(world: World) -> None:
    _, code = world.person()
    people = [world.somebody().enter(code).open("/consent") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: one.send("/consent", agreed="yes"), people))
    assert world.count(Response) == 1
    assert {one.path for one in people} == {"/q/1"}
