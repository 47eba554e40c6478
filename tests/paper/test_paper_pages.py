"""The staff's pages about paper: printed for a person, typed in twice, settled; who may, and what nobody learns."""

import re

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from evalapp import responses
from evalapp.models import Audit, Paper, PaperEntry, Response
from evalapp.paper import entry, keys, printing, questionnaire
from evalapp.responses import BLANK, Given
from evalapp.vault import Vault
from instruments import Instrument, Item
from tests import make
from tests.paper import reading
from tests.security import visitors
from tests.security.visitors import Browser, World

SERIAL = re.compile(r'<span class="serial" dir="ltr">([0-9A-Z-]{9})</span>')
FIRST = {"consent": "1", "day": "27 2 2026"}


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


@pytest.fixture
def ann(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("coordinator", app, session, world)


@pytest.fixture
def bob(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("coordinator", app, session, world)


@pytest.fixture
def eve(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("evaluator", app, session, world)


def instrument_of(session: Session, world: World) -> Instrument:
    held = entry.of_id(session, world.paper.id)
    assert held is not None
    session.commit()
    return held.instrument


def texts(instrument: Instrument, items: tuple[Item, ...], changed: dict[str, str]) -> dict[str, str]:
    plain = {
        one.code: keys.shown(instrument, one, Given(make.plain_answer(one)))
        for one in items
        if one.kind != "information"
    }
    return plain | {code: text for code, text in changed.items() if code in plain}


def type_in(who: Browser, session: Session, world: World, **changed: str) -> str:
    """Type a whole paper; where the last page leads, and what it says."""
    instrument = instrument_of(session, world)
    answer = who.fill("/staff/paper", {"serial": entry.spaced(world.paper.serial)})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    path = f"/staff/paper/{world.paper.id}"
    assert answer.location == f"{path}/0"
    answer = who.fill(f"{path}/0", {**FIRST, **{name: text for name, text in changed.items() if name in FIRST}})
    for number, (_, items) in enumerate(questionnaire.parts(instrument, words_read=True), start=1):
        if answer.location != f"{path}/{number}":
            break
        answer = who.fill(answer.location, texts(instrument, items, changed))
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return f"{answer.location} {who.get(answer.location).get_data(as_text=True)}"


def stored(session: Session, vault: Vault) -> dict[str, Given]:
    session.rollback()
    found = session.scalars(select(Response)).one()
    given = responses.answers(session, found.id, vault=vault)
    session.rollback()
    return given


def test_a_paper_is_printed_for_one_person_with_a_serial_and_without_their_number(
    ann: Browser, session: Session, world: World
) -> None:
    path = f"/staff/people/{world.review.id}/{world.place.person_id}/paper"
    asked = make.assignment(session, world.place)
    session.commit()
    assert "Before: " in ann.get(path).get_data(as_text=True)
    page = ann.fill(path, {"assignment": asked.id, "language": "cy", "size": "large"}).get_data(as_text=True)
    serials = set(SERIAL.findall(page))
    assert len(serials) == 1
    made = entry.of_serial(session, serials.pop())
    assert made is not None
    assert (made.assignment_id, made.language, made.state) == (asked.id, "cy", "out")
    assert world.place.person_id not in page
    assert world.place.person_id[:4] + " " not in page
    assert '<html lang="cy"' in page
    assert [one.action for one in session.scalars(select(Audit))][-1] == "paper printed"


def test_a_paper_can_be_saved_as_a_pdf(ann: Browser, session: Session, world: World) -> None:
    path = f"/staff/people/{world.review.id}/{world.place.person_id}/paper"
    asked = make.assignment(session, world.place)
    session.commit()
    answer = ann.fill(path, {"assignment": asked.id, "made": "pdf"})
    assert answer.mimetype == "application/pdf"
    instrument = instrument_of(session, world)
    reading.assert_tagged(answer.data, language="en", title=instrument.title)


def test_where_no_pdf_can_be_made_no_paper_is_made(
    ann: Browser, session: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise printing.NoPdf

    monkeypatch.setattr(printing, "_weasyprint", missing)
    path = f"/staff/people/{world.review.id}/{world.place.person_id}/paper"
    asked = make.assignment(session, world.place)
    session.commit()
    answer = ann.fill(path, {"assignment": asked.id, "made": "pdf"})
    assert (answer.status_code, "requirements-all.txt" in answer.get_data(as_text=True)) == (422, True)
    assert session.scalar(select(func.count()).select_from(Paper)) == 1


def test_only_what_a_person_is_asked_is_printed_for_them(ann: Browser, session: Session, world: World) -> None:
    other = make.assignment(session, make.person(session, world.review))
    session.commit()
    path = f"/staff/people/{world.review.id}/{world.place.person_id}/paper"
    assert ann.fill(path, {"assignment": other.id}).status_code == 422


def test_a_paper_for_nobody_in_particular_has_no_serial(eve: Browser, session: Session, world: World) -> None:
    page = eve.get("/staff/questionnaires?name=parent_after&language=cy&words=yes").get_data(as_text=True)
    assert 'class="part"' in page
    assert not SERIAL.findall(page)
    assert "Anything else" not in eve.get("/staff/questionnaires?name=parent_after").get_data(as_text=True)
    assert eve.get("/staff/questionnaires?name=nothing").status_code == 422
    assert session.scalar(select(func.count()).select_from(Paper)) == 1


def test_two_people_type_a_paper_and_it_is_stored(
    ann: Browser, bob: Browser, session: Session, vault: Vault, world: World
) -> None:
    assert "somebody else has to type the same paper" in type_in(ann, session, world, BLG1="p", BLG2="-")
    assert "The paper is stored" in type_in(bob, session, world, BLG1="P", BLG2=" - ")
    found = stored(session, vault)
    assert (found["BLG1"], found["BLG2"]) == (Given(None, "prefer_not"), BLANK)
    assert session.scalars(select(Response)).one().mode == "paper"
    assert session.scalar(select(func.count()).select_from(PaperEntry)) == 0


def test_one_person_cannot_type_both(ann: Browser, session: Session, world: World) -> None:
    type_in(ann, session, world)
    answer = ann.fill("/staff/paper", {"serial": world.paper.serial})
    assert (answer.status_code, "Somebody else has to type it" in answer.get_data(as_text=True)) == (422, True)
    path = f"/staff/paper/{world.paper.id}/1"
    assert ann.get(path).status_code == ann.post(path, {"BLG1": "5"}).status_code == 303
    assert session.scalar(select(func.count()).select_from(Response)) == 0


def test_nobody_sees_what_another_typed_before_both_have_finished(
    ann: Browser, bob: Browser, eve: Browser, session: Session, world: World
) -> None:
    words = next(one.code for one in instrument_of(session, world).items if one.kind == "long_text")
    type_in(ann, session, world, **{words: "the planted words"})
    for who in (bob, eve):
        for path in (f"/staff/paper/{world.paper.id}/differences", f"/staff/paper/{world.paper.id}/0", "/staff/paper"):
            assert "planted" not in who.get(path, follow_redirects=True).get_data(as_text=True)
    bob.fill("/staff/paper", {"serial": world.paper.serial})
    number = len(questionnaire.parts(instrument_of(session, world), words_read=True))
    assert "planted" not in bob.get(f"/staff/paper/{world.paper.id}/{number}").get_data(as_text=True)


def test_a_difference_is_settled_by_a_third_person_who_sees_both(
    ann: Browser, bob: Browser, eve: Browser, session: Session, vault: Vault, world: World
) -> None:
    type_in(ann, session, world, BLG1="1", BLG3="2")
    where = type_in(bob, session, world, BLG1="5", BLG3="n")
    path = f"/staff/paper/{world.paper.id}/differences"
    assert where.startswith(path)
    page = eve.get(path).get_data(as_text=True)
    for said in ("1: Strongly disagree", "5: Strongly agree", "2: Disagree", "n: Does not apply"):
        assert said in page
    shown = re.search(r'name="basis" value="(\w+)"', page)
    assert shown
    sent = {"basis": shown.group(1), "BLG1-pick": "second"}
    wrong = eve.post(path, sent)
    assert (wrong.status_code, "Choose what the paper says." in wrong.get_data(as_text=True)) == (422, True)
    assert eve.post(path, {**sent, "BLG3-pick": "other", "BLG3-other": "9"}).status_code == 422
    whole = {**sent, "BLG3-pick": "other", "BLG3-other": "4"}
    assert eve.post(path, whole).status_code == eve.post(path, whole).status_code == 303  # pressed twice
    found = stored(session, vault)
    assert (found["BLG1"], found["BLG3"]) == (Given(5), Given(4))


def test_a_page_says_what_is_not_typed_and_keeps_what_is(ann: Browser, session: Session, world: World) -> None:
    ann.fill("/staff/paper", {"serial": world.paper.serial})
    path = f"/staff/paper/{world.paper.id}"
    late = ann.fill(f"{path}/0", {"consent": "3", "day": "27 2 2027"})
    assert late.status_code == 422
    assert "Type 1, 2, -" in late.get_data(as_text=True)
    assert "in the future" in late.get_data(as_text=True)
    ann.fill(f"{path}/0", FIRST)
    answer = ann.fill(f"{path}/1", {"BLG1": "4", "BLG2": "7"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "Type one of 1, 2, 3, 4, 5." in page
    assert "Type what is ticked, or - where nothing is." in page
    assert re.search(r'name="BLG2" value="7"', page)
    assert re.search(r'name="BLG1" value="4"', ann.get(f"{path}/1").get_data(as_text=True))


@pytest.mark.parametrize("day", ["1 1 2026", "2 3 2027", "30 2 2026", ""])
def test_a_day_on_which_it_was_not_asked_is_refused_and_nothing_is_stored(
    ann: Browser, session: Session, world: World, day: str
) -> None:
    ann.fill("/staff/paper", {"serial": world.paper.serial})
    assert ann.fill(f"/staff/paper/{world.paper.id}/0", {**FIRST, "day": day}).status_code == 422


def test_a_no_needs_no_more_pages(ann: Browser, bob: Browser, session: Session, world: World) -> None:
    type_in(ann, session, world, consent="2")
    assert "stored" in type_in(bob, session, world, consent="2")
    assert session.scalars(select(Response)).one().state == "declined"


@pytest.mark.parametrize("typed", ["", "0000-0000", "not a number", "7K2M-9QXR"])
def test_a_wrong_serial_opens_nothing(ann: Browser, world: World, typed: str) -> None:
    answer = ann.fill("/staff/paper", {"serial": typed})
    assert answer.status_code == 422


def test_who_answered_online_too_is_told_after_two_whole_entries_and_decided_by_an_evaluator(
    ann: Browser, bob: Browser, eve: Browser, session: Session, vault: Vault, world: World
) -> None:
    make.answered(session, make.assignment(session, world.place), vault, {"BLG1": 1})
    session.commit()
    assert "another way" not in type_in(ann, session, world, BLG1="5")
    assert "answered in another way too. Both are kept" in type_in(bob, session, world, BLG1="5")
    assert stored(session, vault)["BLG1"] == Given(1)
    path = f"/staff/paper/{world.paper.id}/decision"
    assert bob.get(path).status_code == 403
    assert f"{path}" in eve.get("/staff/paper").get_data(as_text=True)
    assert f"{path}" not in bob.get("/staff/paper").get_data(as_text=True)
    assert eve.fill(path, {}).status_code == 422
    assert eve.fill(path, {"counts": "paper"}).status_code == eve.post(path, {"counts": "other"}).status_code == 303
    assert stored(session, vault)["BLG1"] == Given(5)
    assert session.scalars(select(Response)).one().mode == "paper"


def test_the_pages_show_no_coordinator_who_answered(ann: Browser, session: Session, vault: Vault, world: World) -> None:
    """Nor may printing a paper: what is on offer is the same, letter for letter, after somebody answered."""
    paths = (f"/staff/people/{world.review.id}/{world.place.person_id}/paper", "/staff/paper", "/staff/questionnaires")

    def looked() -> list[str]:
        return [visitors.TOKEN.sub("", ann.get(path).get_data(as_text=True)) for path in paths]

    before = looked()
    make.answered(session, make.assignment(session, world.place), vault)
    session.commit()
    assert looked() == before


def test_one_s_own_entry_can_be_deleted_and_begun_anew(ann: Browser, session: Session, world: World) -> None:
    type_in(ann, session, world)
    assert ann.post(f"/staff/paper/{world.paper.id}/again").status_code == 303
    assert session.scalar(select(func.count()).select_from(PaperEntry)) == 0
    session.commit()
    assert "somebody else" in type_in(ann, session, world)
