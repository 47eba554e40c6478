"""Changing one's mind on the pages: found from everywhere, asked twice, done once, with a receipt; and a parent's say."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from evalapp import consents, languages, roster, withdrawals
from evalapp.models import (
    Audit,
    Membership,
    ParentalConsent,
    ParticipantSession,
    Response,
    Review,
    SiteRules,
    Withdrawal,
)
from evalapp.paper.printing import words
from tests import make
from tests.conftest import NOW, Clock
from tests.survey.conftest import World
from tests.survey.person import Somebody
from tests.survey.test_journey import sent
from tests.survey.test_pages import drawn, misplaced

TODAY = NOW.date()


def chosen(person: Somebody, choice: str) -> Somebody:
    """From the page of choices, asked twice, to the receipt."""
    return person.open("/change").send("/change", choice=choice).send("/change/sure")


def receipt_on(person: Somebody) -> str:
    found = re.search(r'class="receipt"><bdi>([^<]+)<', person.text)
    assert found is not None
    return found.group(1)


def withdrawn(world: World, place: Membership) -> Withdrawal | None:
    world.session.rollback()
    found = withdrawals.of_person(world.session, place.person_id)
    if found is not None:
        world.session.expunge(found)
    world.session.rollback()
    return found


@pytest.mark.parametrize("path", ["/", "/j", "/help", "/stopped", "/nowhere"])
def test_the_way_to_change_one_s_mind_stands_on_every_page_and_asks_for_the_code(world: World, path: str) -> None:
    place, code = world.person()
    person = world.somebody().open(path)
    assert 'href="/change"' in person.text
    person.open("/change")
    assert "type your code first" in person.words
    person.send("/", code="0000-0000-0000")  # a wrong code keeps the way
    assert person.status == 422
    person.send("/", code=str(code))
    assert person.path == "/change"
    assert withdrawn(world, place) is None


def test_the_language_switch_at_the_door_keeps_the_way(world: World) -> None:
    _, code = world.person()
    person = world.somebody().open("/change").send("/", code=str(code), go="language-cy")
    person.send("/", go=None)
    assert (person.path, person.page.attributes["lang"]) == ("/change", "cy")


def test_deleting_is_asked_twice_done_once_and_has_a_receipt(world: World) -> None:
    person, place, code = world.started()
    person.next(1, BLG1=4)
    person.open("/change")
    assert "Stop now, and delete what I gave" in person.words
    person.send("/change", choice="delete")
    assert "Are you sure?" in person.words
    assert "cannot be brought back" in person.words
    assert world.stored(place) != {}  # nothing is done yet
    again = person.filled("/change/sure")
    person.send("/change/sure")
    assert person.path == "/change/done"
    receipt = receipt_on(person)
    for _ in range(3):  # the button pressed again and again
        assert receipt_on(person.post("/change/sure", again)) == receipt
    found = withdrawn(world, place)
    assert found is not None
    assert (found.choice, found.receipt) == ("delete", receipt)
    assert world.count(Response) == 0
    assert person.open("/go").path == "/done"
    assert "You asked us to stop" in person.words
    assert receipt in person.words
    fresh = world.somebody().enter(code)
    assert fresh.path == "/done"
    assert "You asked us to stop" in fresh.words
    assert "There is nothing more to choose" in fresh.open("/change").words


def test_stopping_keeps_what_was_sent_and_a_later_choice_may_go_further(world: World, clock: Clock) -> None:
    person, place, code = world.started()
    sent(person)
    chosen(person, "no_contact")
    assert receipt_on(person)
    assert world.response(place) is not None
    clock.now += timedelta(days=11)
    again = world.somebody().enter(code)  # the questions after the review would be open by now
    assert again.path == "/done"
    again.open("/change")
    assert "You chose this before: Do not ask me again" in again.words
    assert "Stop now, and keep what I sent" in again.words
    assert 'value="no_contact"' not in again.text
    chosen(again, "delete")
    assert world.response(place) is None
    found = withdrawn(world, place)
    assert found is not None
    assert (found.choice, found.withdrawn_on) == ("delete", clock.now.date())


def test_other_visits_end_and_a_page_left_open_elsewhere_saves_nothing(world: World) -> None:
    first, place, code = world.started()
    stale = first.filled("/q/1", go="next", **{"a-BLG1": 4})
    second = world.somebody().enter(code)
    assert world.count(ParticipantSession) == 2
    chosen(second, "delete")
    assert world.count(ParticipantSession) == 1
    first.post("/q/1", stale)
    assert first.status == 401
    assert world.stored(place) == {}
    assert world.count(Response) == 0


def test_a_page_left_open_in_the_same_visit_saves_nothing_either(world: World) -> None:
    person, place, _ = world.started()
    stale = person.filled("/q/1", go="next", **{"a-BLG1": 4})
    consent = [*stale, ("agreed", "yes")]
    chosen(person, "keep")
    assert person.post("/q/1", stale).status == 409
    assert person.post("/consent", consent).status == 409
    assert world.count(Response) == 0
    assert place.id


def test_after_the_lock_the_words_say_why_nothing_can_be_deleted(world: World, clock: Clock) -> None:
    world.trial.locks_on = TODAY + timedelta(days=1)
    world.session.commit()
    person, place, code = world.started()
    sent(person)
    assert "up to the end of 2 March 2026" in person.open("/change").words
    person.send("/change", choice="delete")
    clock.now += timedelta(days=1)
    person = world.somebody().enter(code)
    late = person.open("/change")
    assert "can no longer be deleted" in late.words
    assert "mixed with what many people gave" in late.words
    assert 'value="delete"' not in late.text
    assert late.send("/change", choice="delete").status == 422
    assert late.post("/change/sure", {**dict(late.page.forms["/change"]), "choice": "delete"}).status == 409
    assert "The day for that has passed" in late.words
    assert withdrawn(world, place) is None
    assert world.response(place) is not None
    chosen(world.somebody().enter(code), "keep")
    assert world.response(place) is not None


def test_no_choice_or_an_unknown_one_changes_nothing(world: World) -> None:
    person, place, _ = world.started()
    for given in (None, "everything"):
        person.open("/change").send("/change", choice=given)
        assert person.status == 422
        assert "Choose one of the answers." in person.words
    person.post(
        "/change/sure", {"csrf_token": dict(person.page.forms["/change"])["csrf_token"], "choice": "everything"}
    )
    assert person.status == 400
    assert withdrawn(world, place) is None


def test_another_s_choice_cannot_be_sent_from_elsewhere(world: World) -> None:
    person, place, _ = world.started()
    person.post("/change/sure", {"choice": "delete"})  # no token
    assert person.status == 400
    assert withdrawn(world, place) is None


def test_the_mark_outside_is_on_disk_before_anything_is_erased(
    world: World, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses
    from pathlib import Path

    path = Path(str(tmp_path)) / "marks"
    parts = world.app.extensions["evalapp"]
    world.app.extensions["evalapp"] = dataclasses.replace(parts, withdrawals=path)
    person, place, _ = world.started()
    chosen(person, "delete")
    (mark,) = withdrawals.read_marks(path.read_text())
    assert mark.mark == world.vault.withdrawal_mark(place.person_id)
    assert place.person_id not in path.read_text()


def test_what_happens_to_what_i_say_can_be_read_before_and_after(world: World) -> None:
    place, code = world.person(role="parent")
    person = world.somebody().enter(code)
    assert 'href="/said"' in person.text
    person.open("/said")
    assert "Only the small team that runs this study sees your answers" in person.words
    assert "local safeguarding children partnership" in person.words
    assert "parent-E1-en" in person.words
    person.agree()
    response = world.response(place)
    assert response is not None
    assert response.consent_version == "parent-E1-en"
    assert "local safeguarding" in person.open("/said").words


@pytest.mark.parametrize("language", [code for code in languages.LANGUAGES if code != "en"])
def test_a_draft_is_not_shown_in_earnest_and_the_page_says_so(real: World, language: str) -> None:
    place, code = real.person()
    person = real.somebody().enter(code)
    person.send("/language", go=f"language-{language}")
    assert "We are a small study team" in person.words
    assert '<section lang="en" dir="ltr">' in person.text
    assert words(language)("What follows is in English for now.") in person.words
    # An English sentence has an English day, whatever the page's language.
    assert re.search(r"come back with your code until [0-9]+ March 2026\.", person.words)
    person.agree()
    response = real.response(place)
    assert response is not None
    assert response.consent_version == "practitioner-E1-en"


@pytest.mark.parametrize(("language", "day"), [("cy", "Mawrth"), ("pl", "marca"), ("ar", "مارس")])
def test_what_is_shown_in_a_language_has_its_days_and_is_named_in_what_is_stored(
    world: World, language: str, day: str
) -> None:
    place, code = world.person()
    person = world.somebody().enter(code).send("/language", go=f"language-{language}")
    shown = consents.information("practitioner", language, drafts=True)
    assert shown.about[0].lines[0].replace("'", "’") in person.words.replace("'", "’")
    assert re.search(rf"[0-9]+ {day} 2026", person.words)
    person.agree()
    response = world.response(place)
    assert response is not None
    assert response.consent_version == f"practitioner-E1-{language}"


# A parent's say on a young person.


@pytest.fixture
def family(world: World) -> tuple[World, Membership, Membership]:
    """A young person whose questions would be open, a parent of the same review, and the site's usual rule."""
    session = world.session
    review = session.scalars(select(Review)).one()
    review.starts_on, review.ends_on = TODAY - timedelta(days=3), TODAY - timedelta(days=2)
    young, parent = make.person(session, review, "young_person"), make.person(session, review, "parent")
    roster.link(session, young, parent, actor="coordinator", now=NOW)
    session.commit()
    return world, young, parent


def enter(world: World, place: Membership) -> Somebody:
    code = make.card(world.session, place, world.vault)
    world.session.commit()
    return world.somebody().enter(code)


def test_the_young_person_s_questions_open_once_both_said_yes(family: tuple[World, Membership, Membership]) -> None:
    world, young, parent = family
    child = enter(world, young)
    assert child.path == "/done"
    waiting = child.words
    grown_up = enter(world, parent)
    assert grown_up.path == "/permission"
    assert "May we ask your child?" in grown_up.words
    assert young.person_id in grown_up.words
    assert grown_up.send("/permission").status == 422
    grown_up.send("/permission", agreed="later")
    assert grown_up.path == "/about"  # their own questions; nothing was decided
    assert enter(world, young).words == waiting
    grown_up.open("/go").send("/permission", agreed="yes")
    assert "You said yes" in grown_up.words
    child = enter(world, young)
    assert child.path == "/about"
    child.open("/consent").send("/consent", agreed="yes")
    assert child.path == "/q/1"
    pair = world.session.scalars(select(ParentalConsent)).one()
    assert (pair.agreed, pair.consent_version) == (True, "parent-E1-en")
    world.session.rollback()
    before = grown_up.open("/permission").words
    assert before == grown_up.open("/permission").words  # the parent does not learn what the child said
    child.next(1)
    assert world.count(Response) == 1
    grown_up.send("/permission")  # stop
    assert "You said no" in grown_up.words
    assert world.count(Response) == 0  # what was saved and not sent is gone
    assert "/permission" not in grown_up.page.forms
    assert enter(world, young).words == waiting  # the same words as before: they tell nobody why


def told_and_asked(family: tuple[World, Membership, Membership], language: str) -> Iterator[tuple[str, Somebody]]:
    """Each page on which a parent is told or asked something, or changes their mind, in one language."""
    world, _, parent = family
    code = make.card(world.session, parent, world.vault)
    world.session.commit()
    person = world.somebody().open("/").send("/", go=f"language-{language}")
    yield "a code first", person.open("/change")
    person.open("/").enter(code)
    yield "permission", person.open("/permission")
    yield "permission, undecided", person.send("/permission")
    yield "about", person.send("/permission", agreed="later")
    yield "said", person.open("/said")
    yield "consent", person.open("/consent")
    yield "consent, undecided", person.send("/consent")
    yield "children", person.open("/permission").send("/permission", agreed="yes")
    yield "change", person.open("/change")
    yield "change, undecided", person.send("/change")
    for choice in ("delete", "keep", "no_contact"):
        yield f"sure, {choice}", person.open("/change").send("/change", choice=choice)
    yield "changed", person.send("/change/sure")
    yield "about, having chosen", person.open("/go")
    yield "change, once more", person.open("/change")


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("language", "drafts"), [*((code, True) for code in languages.LANGUAGES if code != "en"), ("ar", False)]
)
def test_what_people_are_told_and_asked_fits_a_small_telephone_and_runs_as_its_language_does(
    family: tuple[World, Membership, Membership], browser: Browser, asset_folder: Path, language: str, drafts: bool
) -> None:
    world = family[0]
    if not drafts:
        world.trial.kind = "live"
        world.session.commit()
    turned = "rtl" if language == "ar" else "ltr"
    context = browser.new_context(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    page = context.new_page()
    faults = {}
    for name, person in told_and_asked(family, language):
        assert f'<html lang="{language}" dir="{turned}"' in person.text, name
        drawn(page, person.text, asset_folder)
        foreign = page.locator("main [lang=en]").count()
        assert bool(foreign) is (not drafts and re.match("permission|about|said|consent", name) is not None), name
        # Whatever is in English runs from the left, and everything in it that is not runs as the page does.
        for said in ("en", language):
            runs = {
                one.evaluate("one => getComputedStyle(one).direction")
                for one in page.locator(f"main [lang={said}]").all()
            }
            assert runs <= {"ltr" if said == "en" else turned}, (name, said)
        for size in ("100%", "150%", "200%"):
            faults |= {(name, size): wrong} if (wrong := misplaced(page, 320, size)) else {}
    context.close()
    assert faults == {}


def test_a_parent_s_no_tells_the_young_person_nothing_and_stops_nothing_else(
    family: tuple[World, Membership, Membership],
) -> None:
    world, young, parent = family
    waiting = enter(world, young).words
    grown_up = enter(world, parent).send("/permission", agreed="no")
    assert "You said no. That is fine" in grown_up.words
    assert grown_up.open("/go").path == "/about"  # their own questions are asked as before
    assert enter(world, young).words == waiting
    form = {**dict(grown_up.open("/change").page.forms["/change"]), "young": young.id, "agreed": "yes"}
    grown_up.post("/permission", form)
    assert enter(world, young).words == waiting  # a yes sent after it changes nothing
    actions = world.session.scalars(select(Audit.action)).all()
    world.session.rollback()
    assert not [one for one in actions if "consent" in one or "said" in one]


def test_a_parent_who_withdrew_is_not_asked_about_a_child_again_and_can_still_say(
    family: tuple[World, Membership, Membership],
) -> None:
    world, young, parent = family
    chosen(enter(world, parent), "keep")
    grown_up = enter(world, parent)
    assert grown_up.path == "/done"
    assert 'href="/permission"' in grown_up.text
    grown_up.open("/permission").send("/permission", agreed="yes")
    assert enter(world, young).path == "/about"


def test_another_parent_s_child_is_refused(family: tuple[World, Membership, Membership]) -> None:
    world, young, _ = family
    review = world.session.scalars(select(Review)).one()
    stranger = enter(world, make.person(world.session, review, "parent"))
    assert stranger.open("/permission").path == "/about"
    token = dict(stranger.open("/change").page.forms["/change"])["csrf_token"]
    assert stranger.post("/permission", {"csrf_token": token, "young": young.id, "agreed": "no"}).status == 409
    assert world.session.scalars(select(ParentalConsent.agreed)).all() == [None]
    world.session.rollback()


def test_where_the_rule_needs_no_parent_nobody_asks_one(family: tuple[World, Membership, Membership]) -> None:
    world, young, parent = family
    world.session.add(SiteRules(site_id=young.site_id, young_people="never"))
    world.session.commit()
    assert enter(world, parent).path == "/about"
    assert enter(world, young).path == "/about"
