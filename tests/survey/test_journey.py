"""The way through: what comes when, what is asked of whom, and what each button does."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from evalapp import create_app
from evalapp.config import NotConfigured, Settings
from evalapp.models import ParticipantSession, Response
from evalapp.responses import BLANK, Given
from tests import make
from tests.conftest import NOW, Clock
from tests.survey.conftest import World
from tests.survey.person import Somebody


def through(person: Somebody, limit: int = 20) -> Somebody:
    """Press Continue on every page of questions."""
    while person.path.startswith("/q/") and limit:
        number, limit = int(person.path.split("/")[2].split("?")[0]), limit - 1
        person.next(number)
    return person


def sent(person: Somebody) -> Somebody:
    return through(person).send("/check")


def test_the_whole_way_from_code_to_receipt(world: World) -> None:
    place, code = world.person(instrument="every_kind")
    person = world.somebody().enter(code)
    assert person.path == "/about"
    assert "about 4 minutes" in person.words
    assert "until 9 March 2026" in person.words
    person.open("/consent").send("/consent", agreed="yes")
    assert person.path == "/q/1"
    assert "Page 1 of 5" in person.words
    person.next(1, agree=4, face=3, picture="prefer_not", rated=10)
    assert person.path == "/q/2"
    person.next(2, one="blue", some=["cake", "bread"], tea="yes")
    assert person.path == "/q/2"  # how many cups: asked because of the tea, on the same page
    person.next(2, cups="1")
    assert person.path == "/q/4"  # no milk with one cup: page 3 has nothing to ask
    assert "Page 4 of 5" in person.words
    person.send("/q/4", go="next", **{"a-amount": "2.5", "a-day-day": 1, "a-day-month": 2, "a-day-year": 2026})
    person.next(5, line="Assam", lines="Warm it.\nThank you.")
    assert person.path == "/check"
    for said in (
        "Agree",
        "Good",
        "Prefer not to say",
        "10 – Hot",
        "Blue",
        "Bread; Cake",
        "2.5",
        "1 February 2026",
        "Assam",
    ):
        assert said in person.words
    person.send("/check")
    assert person.path == "/done"
    response = world.response(place)
    assert response is not None
    assert response.receipt is not None
    assert response.receipt in person.words
    assert (response.state, response.language, response.mode, response.consent_version) == (
        "submitted",
        "en",
        "own_link",
        "practitioner-E1-en",
    )
    assert world.stored(place) == {
        "agree": Given(4), "face": Given(3), "picture": Given(None, "prefer_not"), "rated": Given(10), "one": Given("blue"),
        "some": Given(["bread", "cake"]), "tea": Given("yes"), "cups": Given(1), "amount": Given(2.5),
        "day": Given("2026-02-01"), "line": Given("Assam"), "lines": Given("Warm it.\nThank you."),
    }  # fmt: skip


@pytest.mark.parametrize("role", ["practitioner", "manager", "parent"])
def test_each_shipped_questionnaire_can_be_walked_through(world: World, role: str) -> None:
    person, place, _ = world.started(role=role)
    assert sent(person).path == "/done"
    assert all(one == BLANK for one in world.stored(place).values())
    assert world.stored(place)


def test_blanks_are_stored_as_shown_and_skipped_after_each_page(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1, agree=2)
    assert world.stored(place) == {"agree": Given(2), "face": BLANK, "picture": BLANK, "rated": BLANK}


def test_a_no_is_recorded_is_final_and_stores_no_answer(world: World) -> None:
    place, code = world.person()
    person = world.somebody().enter(code).open("/consent").send("/consent", agreed="no")
    assert person.path == "/done"
    assert "changes nothing else" in person.words
    response = world.response(place)
    assert response is not None
    assert response.state == "declined"
    for path in ("/about", "/consent", "/q/1", "/check", "/go"):
        assert person.open(path).path == "/done"
    again = world.somebody().enter(code)
    assert again.path == "/done"
    assert "There is nothing for you to do" in again.words


def test_neither_yes_nor_no_is_asked_again(world: World) -> None:
    place, code = world.person()
    person = world.somebody().enter(code).open("/consent").send("/consent")
    assert person.status == 422
    assert "Choose yes or no" in person.words
    assert world.response(place) is None


def test_questions_are_shown_only_after_a_yes(world: World) -> None:
    _, code = world.person()
    person = world.somebody().enter(code)
    for path in ("/q/1", "/check", "/go"):
        assert person.open(path).path == "/about"


def test_nobody_jumps_ahead_of_what_is_saved(world: World) -> None:
    person, _, _ = world.started()
    assert person.open("/q/4").path == "/q/1"
    assert person.open("/check").path == "/q/1"
    assert person.open("/q/99").status == 404


def test_a_questionnaire_not_yet_open_says_from_which_day(world: World, clock: Clock) -> None:
    _, code = world.person()
    clock.now = NOW - timedelta(days=100)
    person = world.somebody().enter(code)
    assert person.path == "/done"
    assert "not open yet" in person.words
    assert "from 10 February 2026" in person.words
    assert "received" not in person.words


def test_a_closed_questionnaire_says_so_kindly(world: World, clock: Clock) -> None:
    place, code = world.person()
    clock.now = NOW + timedelta(days=430)  # after the last window, a year on, and before the card ends
    person = world.somebody().enter(code)
    assert person.path == "/done"
    assert "The time for these questions is over. That is all right" in person.words
    assert world.response(place) is None


def test_windows_open_and_close_at_midnight_in_london(world: World, clock: Clock) -> None:
    place, code = world.person()
    closes = world.assignment(place).closes_on
    world.session.rollback()
    clock.now = NOW.replace(year=closes.year, month=closes.month, day=closes.day, hour=23, minute=59)
    assert world.somebody().enter(code).path == "/about"
    clock.now += timedelta(minutes=2)
    assert world.somebody().enter(code).path == "/done"


def test_a_visit_under_way_at_midnight_may_be_finished(world: World, clock: Clock) -> None:
    place, code = world.person()
    closes = world.assignment(place).closes_on
    world.session.rollback()
    clock.now = NOW.replace(year=closes.year, month=closes.month, day=closes.day, hour=23, minute=50)
    person = world.somebody().enter(code).agree()
    clock.now += timedelta(minutes=20)
    assert sent(person).path == "/done"
    assert "We have received" in person.words


def test_after_sending_a_new_visit_says_only_thank_you(world: World) -> None:
    person, _, code = world.started(instrument="every_kind")
    person.next(1, agree=5).next(2, one="red")
    person.next(4).next(5, line="A planted phrase").send("/check")
    again = world.somebody().enter(code)
    assert again.path == "/done"
    assert "We have received your answers. There is nothing more to do." in again.words
    for path in ("/about", "/consent", "/q/1", "/q/5", "/check", "/go", "/done"):
        again.open(path)
        assert again.path == "/done"
        for planted in ("A planted phrase", "Strongly agree", "Red", "receipt"):
            assert planted not in again.text


def test_the_wave_after_is_answered_with_the_same_code(world: World, clock: Clock) -> None:
    person, place, code = world.started()
    sent(person)
    assert "You can answer the next questions from 11 March 2026, with the same code." in person.words
    clock.now = NOW + timedelta(days=10)
    again = world.somebody().enter(code)
    assert again.path == "/about"
    sent(again.agree())
    world.session.rollback()
    found = world.session.query(Response).filter_by(state="submitted").count()
    assert found == 2
    assert world.assignment(place, "after").instrument == "practitioner_after"


def test_what_closes_first_comes_first(world: World) -> None:
    place, code = world.person()
    second = make.review(world.session, make.site(world.session, world.trial, "Southport"), starts_on=date(2026, 3, 5))
    make.person(world.session, second, "parent", person=world.session.get_one(make.roster.Person, place.person_id))
    world.session.commit()
    person = world.somebody().enter(code)
    assert "until 4 March 2026" in person.words
    sent(person.agree())
    assert "There are more questions for you" in person.words
    person.open("/go")
    assert person.path == "/about"
    assert "until 9 March 2026" in person.words
    sent(person.agree())
    assert "There are more questions" not in person.words


def test_boxes_for_words_wait_for_a_reader(real: World) -> None:
    person, _, _ = real.started(instrument="every_kind")
    person.next(1).next(2).next(4)
    assert person.path == "/check"
    assert person.open("/q/5").path == "/check"
    real.trial.text_reader = "The safeguarding lead"
    real.session.commit()
    person.open("/go")
    assert person.path == "/q/5"
    assert "ring 999" in person.words
    assert "<textarea" in person.text


def test_a_page_of_words_that_is_not_offered_is_not_saved_either(real: World) -> None:
    person, place, _ = real.started(instrument="every_kind")
    person.next(1).next(2)
    fields = [*person.filled("/q/4", go="next"), ("a-lines", "a smuggled phrase")]
    person.post("/q/4", fields)
    person.post("/q/5", [*[(n, v) for n, v in fields if n != "shown"], ("shown", "line lines")])
    assert "lines" not in real.stored(place)


def test_every_box_for_words_stands_under_a_plain_warning(world: World) -> None:
    person, _, _ = world.started(instrument="every_kind")
    person.next(1).next(2).next(4)
    assert person.text.count("what you write may not stay private") == 2
    assert person.text.count("ring 999") == 2


def test_going_back_shows_what_was_given_and_changes_it(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1, agree=2).next(2, one="red", go="back")
    assert person.path == "/q/1"
    assert ("a-agree", "2") in person.page.forms["/q/1"]
    person.next(1, agree=3)
    assert ("a-one", "red") in person.page.forms["/q/2"]
    assert world.stored(place)["agree"] == Given(3)


def test_back_saves_what_was_typed_and_counts_no_blank_as_skipped(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1).next(2, one="red", go="back")
    assert world.stored(place)["one"] == Given("red")
    assert "tea" not in world.stored(place)


def test_stopping_saves_and_ends_the_visit(world: World) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1, agree=5).next(2, one="red", go="stop")
    assert person.path == "/stopped"
    assert world.stored(place)["one"] == Given("red")
    assert world.count(ParticipantSession) == 0
    assert person.open("/go").path == "/?again=1"
    again = world.somebody().enter(code)
    assert again.path == "/q/2"


def test_the_rest_can_be_skipped(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1, go="skip", agree=5)
    assert person.path == "/check?rest=skipped"
    assert "Not looked at" in person.words
    person.send("/check")
    assert person.path == "/done"
    assert set(world.stored(place)) == {"agree", "face", "picture", "rated"}


def test_a_change_from_the_check_page_leads_back_to_it(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1, agree=1).next(2).next(4).next(5)
    person.open("/q/1?check=1").next(1, agree=5)
    assert person.path == "/check"
    assert world.stored(place)["agree"] == Given(5)


def test_leaving_ends_the_visit_and_clears_the_browser(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1, agree=5)
    person.send("/exit", follow=False)
    assert person.status == 303
    assert person.answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert world.count(ParticipantSession) == 0
    person.open("/exit")
    assert "https://www.metoffice.gov.uk/" in person.text
    assert world.stored(place)["agree"] == Given(5)
    assert person.open("/q/1").path == "/?again=1"


def test_leaving_works_even_from_a_page_grown_old(world: World) -> None:
    person, _, _ = world.started()
    person.post("/exit", {"csrf_token": "stale"})
    assert person.path == "/exit"
    assert world.count(ParticipantSession) == 0


def test_forty_minutes_without_use_end_a_visit_and_keep_the_pages(world: World, clock: Clock) -> None:
    person, place, code = world.started(instrument="every_kind")
    person.next(1, agree=5)
    clock.now += timedelta(minutes=39)
    assert person.open("/q/2").path == "/q/2"  # reading keeps it alive
    clock.now += timedelta(minutes=39)
    assert person.open("/q/2").path == "/q/2"
    clock.now += timedelta(minutes=41)
    assert person.open("/q/2").path == "/?again=1"
    assert "Pages you saved are kept" in person.words
    assert world.stored(place)["agree"] == Given(5)
    assert person.enter(code).path == "/q/2"


def test_the_language_changes_and_keeps_what_is_typed(world: World) -> None:
    person, place, _ = world.started()
    assert 'lang="en" dir="ltr"' in person.text
    person.next(1, go="language-cy", BLG1=4)
    assert person.path == "/q/1"
    assert person.page.attributes == {"lang": "cy", "dir": "ltr"}
    assert "Tudalen 1 o" in person.words
    assert "Cytuno" in person.words
    assert ("a-BLG1", "4") in person.page.forms["/q/1"]
    assert world.stored(place) == {"BLG1": Given(4)}
    person.next(1)
    response = world.response(place)
    assert response is not None
    assert response.language == "cy"


def test_the_language_changes_even_where_something_is_wrong_and_keeps_it(world: World) -> None:
    person, place, _ = world.started(instrument="every_kind")
    person.next(1).next(2).next(4, amount="abc", go="language-cy")
    assert person.page.attributes["lang"] == "cy"
    assert ("a-amount", "abc") in person.page.forms["/q/4"]
    assert "amount" not in world.stored(place)


NOTICE = {
    "cy": "Mae'r cwestiynau yn Saesneg am y tro",
    "pl": "Pytania są na razie po angielsku",
    "ar": "أما الأسئلة فهي بالإنجليزية في الوقت الحالي",
}


@pytest.mark.parametrize("language", NOTICE)
def test_drafts_are_not_used_in_earnest(real: World, language: str) -> None:
    person, place, _ = real.started()
    person.next(1, go=f"language-{language}")
    assert person.page.attributes["lang"] == language
    assert NOTICE[language] in person.words
    turned = ' dir="ltr"' if language == "ar" else ""
    assert f'<h1 lang="en"{turned}>' in person.text
    assert f'<legend id="a-BLG1-ask" lang="en"{turned}>' in person.text
    assert "Strongly agree" in person.words
    person.next(1)
    response = real.response(place)
    assert response is not None
    assert response.language == "en"


@pytest.mark.parametrize("language", ["cy", "pl", "ar"])
def test_the_language_answered_in_is_stored_with_the_answers(world: World, language: str) -> None:
    person, place, _ = world.started()
    person.next(1, go=f"language-{language}").next(1, BLG1=2)
    response = world.response(place)
    assert response is not None
    assert (response.language, response.instrument, response.mode) == (language, "practitioner_before", "own_link")


def test_only_the_languages_of_the_settings_are_offered(settings: Settings, clock: Clock) -> None:
    app = create_app(replace(settings, languages=()), clock=clock)
    person = Somebody(app)
    for path in ("/?language=pl", "/help?language=ar"):
        assert person.open(path).page.attributes["lang"] == "en"
        assert "Polski" not in person.text
    assert person.open("/").send("/", go="language-ar").page.attributes["lang"] == "en"
    app.extensions["evalapp"].engine.dispose()
    with pytest.raises(NotConfigured, match="EVALAPP_LANGUAGES names 'fr', which is not known"):
        create_app(replace(settings, languages=("cy", "fr")), clock=clock)


def test_larger_text_holds_for_the_visit_and_keeps_what_is_typed(world: World) -> None:
    person, place, _ = world.started()
    assert "class" not in person.page.attributes
    person.next(1, go="size-large", BLG1=4)
    assert (person.path, person.page.attributes["class"]) == ("/q/1", "large")
    assert ("a-BLG1", "4") in person.page.forms["/q/1"]
    assert world.stored(place) == {"BLG1": Given(4)}
    assert person.next(1).page.attributes["class"] == "large"
    assert person.next(2, go="stop").page.attributes["class"] == "large"
    assert "class" not in person.open("/stopped?text=usual").page.attributes
    assert person.open("/").page.attributes["class"] == "large"  # an address holds for one page


def test_larger_text_chosen_at_the_door_goes_along_and_leaving_forgets_it(world: World) -> None:
    _, code = world.person()
    person = world.somebody().open("/").send("/", go="size-large", code=str(code))
    assert person.page.attributes["class"] == "large"
    person.send("/", go=None)
    assert (person.path, person.page.attributes["class"]) == ("/about", "large")
    person.send("/language", go="size-usual")
    assert (person.path, "class" in person.page.attributes) == ("/about", False)
    person.send("/language", go="size-large").send("/exit")
    assert "class" not in person.open("/").page.attributes


def test_without_a_visit_links_keep_language_and_size_together(world: World) -> None:
    person = world.somebody().open("/help?language=ar&text=large")
    assert person.page.attributes == {"lang": "ar", "dir": "rtl", "class": "large"}
    assert 'href="?language=pl&amp;text=large"' in person.text
    assert 'href="?language=ar&amp;text=usual"' in person.text
    assert 'href="/help?language=ar&amp;text=large"' in person.text
    assert world.somebody().open("/help?text=enormous").page.attributes == {"lang": "en", "dir": "ltr"}


def test_the_door_speaks_welsh_and_keeps_the_code(world: World) -> None:
    _, code = world.person()
    person = world.somebody().open("/").send("/", code=str(code), go="language-cy")
    assert person.page.attributes["lang"] == "cy"
    assert ("code", str(code)) in person.page.forms["/"]
    person.send("/", go=None)
    assert person.path == "/about"
    assert person.page.attributes["lang"] == "cy"


def test_other_pages_change_language_and_stay(world: World) -> None:
    _, code = world.person()
    person = world.somebody().enter(code)
    person.send("/language", go="language-cy")
    assert (person.path, person.page.attributes["lang"]) == ("/about", "cy")
    person.send("/language", go="language-cy", back="https://elsewhere.example/")
    assert person.path == "/about"
