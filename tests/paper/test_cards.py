"""Cards: seen, scanned, typed or said; neutral outside; nothing on them says whose they are."""

import logging
import re
from datetime import date

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from evalapp import languages, responses
from evalapp.codes import MistypedCode, new_code, read_code
from evalapp.models import Audit, Card, Person
from evalapp.paper import cards, printing
from evalapp.responses import Given
from evalapp.survey import door
from evalapp.vault import CROCKFORD, Vault
from tests import make
from tests.conftest import NOW
from tests.paper import reading
from tests.security import visitors
from tests.security.visitors import Browser, World

DOOR = "https://reviews.example.org/"
CODE = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")
PERSON = "0123 4567 89ab cdef"
NOT_NEUTRAL = re.compile(r"safeguard|child|agency|police|parent|trial|plentyn|diogelu|asiantaeth", re.IGNORECASE)


LONGEST = ("NNNN-NNNN-NNNN", "WWWW-WWWW-WWWW")  # to say, and to draw


def sheet(count: int = 11, **how: object) -> tuple[list[str], str]:
    """Some cards: their codes and the document."""
    codes = [*LONGEST, *(str(new_code()) for _ in range(count))][:count]
    made = cards.faces(codes, DOOR)
    rows = [cards.Row(number, PERSON, "Practitioner, police") for number in range(1, count + 1)]
    drawn = cards.sheet(made, rows, door=DOOR, ends_on=date(2027, 5, 4), where="Review 1, Northtown", **how)  # type: ignore[arg-type]
    return codes, drawn


def test_every_letter_a_code_may_have_can_be_said() -> None:
    said = [line for start in range(0, 32, 4) for line in cards.spoken(CROCKFORD[start : start + 4])]
    assert len(said) == 8
    assert said[2] == "8 (eight), 9 (nine), A as in Alfa, B as in Bravo"
    words = re.findall(r"as in ([\w-]+)", " ".join(said))
    assert [word[0] for word in words] == list(CROCKFORD[10:])


def test_what_is_heard_is_typed_back_as_the_same_code() -> None:
    code = str(new_code())
    heard = re.findall(r"([0-9A-Z]) (?:as in|\()", " ".join(cards.spoken(code)))
    assert str(read_code(" ".join(heard).lower())) == code


def test_eight_cards_stand_on_a_sheet_and_the_list_of_whose_they_are_on_one_of_its_own() -> None:
    codes, drawn = sheet(11)
    made = printing.pdf(drawn)
    reading.assert_tagged(made, language="en", title="Your views")
    pages = [page.extract_text() for page in reading.read(made).pages]
    assert [CODE.findall(page) for page in pages] == [codes[:8], codes[8:], []]
    assert "0123" not in pages[0] + pages[1]
    assert pages[2].count("0123") == 11
    size = reading.read(made).pages[0].mediabox
    assert (round(size.width), round(size.height)) == (595, 842)  # A4 in points


def test_no_card_says_what_it_is_about_or_whose_it_is() -> None:
    _, drawn = sheet(3, third="ar")
    outside = re.findall(r'<div class="outside">(.*?)</div>', drawn, re.DOTALL)
    assert {re.sub(r"<[^>]+>|\s+", " ", one).split("tear")[0].strip(" 0123456789") for one in outside} == {
        "Your views  ·  Eich barn  ·  " + printing.words("ar")("Your views")
    }
    on_cards = drawn.partition('<section class="list">')[0]
    assert not NOT_NEUTRAL.search(re.sub(r"<[^>]+>", " ", on_cards))
    assert not NOT_NEUTRAL.search(" ".join(re.findall(r'alt="([^"]*)"', on_cards)))
    assert PERSON not in on_cards
    assert "Practitioner" not in on_cards


def test_a_card_is_in_english_and_welsh_and_in_the_language_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _, drawn = sheet(1)
    assert re.findall(r'<p lang="(\w+)" dir="(\w+)">', drawn) == [("en", "ltr"), ("cy", "ltr")]
    monkeypatch.setitem(languages.LANGUAGES, "ar", "العربية")
    _, drawn = sheet(1, third="ar")
    assert re.findall(r'<p lang="(\w+)" dir="(\w+)">', drawn) == [("en", "ltr"), ("cy", "ltr"), ("ar", "rtl")]
    assert "4 May 2027" in drawn
    assert "4 Mai 2027" in drawn


def test_a_large_card_has_a_sheet_of_its_own_in_letters_of_eighteen_points_and_more() -> None:
    codes, drawn = sheet(2, large=True)
    made = printing.pdf(drawn)
    assert [CODE.findall(page.extract_text()) for page in reading.read(made).pages] == [[codes[0]], [codes[1]], []]
    found = reading.sizes(made)
    assert min(found.values()) >= 18
    assert max(found.values()) >= 36
    assert "as in" in reading.read(made).pages[0].extract_text()


def test_a_card_printed_alone_has_no_number_and_no_list() -> None:
    _, drawn = sheet(1)
    assert 'class="tab"' not in drawn
    assert 'class="list"' not in drawn
    assert len(reading.read(printing.pdf(drawn)).pages) == 1


@pytest.mark.browser
@pytest.mark.parametrize(("large", "third"), [(False, "cy"), (True, "cy"), (False, "pl"), (False, "ar")])
def test_a_camera_reads_the_link_in_every_square_and_nothing_runs_over(
    browser: Chromium, large: bool, third: str
) -> None:
    codes, drawn = sheet(8, third=third, large=large)
    page = reading.as_printed(browser, drawn)
    try:
        sheets = page.locator(".sheet").all()
        assert len(sheets) == (8 if large else 1)
        read = [text for one in sheets for text in reading.squares(one.screenshot())]
        assert sorted(read) == sorted(f"{DOOR}j#{code}" for code in codes)
        spilt = "one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1"
        assert not [one for one in page.locator(".card, .inside, .outside").all() if one.evaluate(spilt)]
        width = page.locator(".card").first.bounding_box()
        assert width is not None
        assert width["width"] == pytest.approx((194 if large else 97) * 96 / 25.4, abs=1)
    finally:
        page.context.close()


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


@pytest.fixture
def coordinator(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("coordinator", app, session, world)


def add(who: Browser, world: World, **more: object) -> object:
    path = f"/staff/people/{world.review.id}/add"
    given = {"role": "practitioner", "agency": "police", "level": "", "number": 2, "expected": 1}
    return who.fill(path, {**given, **more})


def test_a_pdf_of_new_cards_is_the_answer_itself_and_nothing_else_holds_a_code(
    coordinator: Browser, session: Session, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = add(coordinator, world, made="pdf", size="large")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")  # type: ignore[attr-defined]
    assert answer.headers["Cache-Control"] == "no-store"  # type: ignore[attr-defined]
    assert answer.headers["Content-Disposition"].startswith("attachment")  # type: ignore[attr-defined]
    text = " ".join(page.extract_text() for page in reading.read(answer.data).pages)  # type: ignore[attr-defined]
    codes = CODE.findall(text)
    assert len(set(codes)) == 2
    live = set(session.scalars(select(Card.selector)))
    session.commit()
    for code in codes:
        assert read_code(code).selector in live
        kept = [*(f"{row.action} {row.object} {row.detail}" for row in session.scalars(select(Audit))), caplog.text,
                *(answer.headers.getlist("Set-Cookie"))]  # type: ignore[attr-defined]  # fmt: skip
        secret = read_code(code).secret
        assert not [one for one in kept if code in one or secret in one]


def test_the_page_of_new_cards_says_how_to_hand_them_out(coordinator: Browser, session: Session, world: World) -> None:
    page = add(coordinator, world).get_data(as_text=True)  # type: ignore[attr-defined]
    assert len(set(CODE.findall(page))) == 2
    assert "The codes are shown only now." in page
    assert "print.css" not in page  # the style sheet is named by its content
    assert re.search(r'href="/static/print\.\w+\.css"', page)
    codes, lists = page.split('<section class="list">')
    newest = [one.id for one in session.scalars(select(Person)) if one.id != world.place.person_id]
    session.commit()
    assert all(
        " ".join(re.findall("....", one)) in lists and one[:4] not in re.sub(r'="[^"]*"', "", codes) for one in newest
    )


def test_where_no_pdf_can_be_made_nobody_is_added_and_the_remedy_is_said(
    coordinator: Browser, session: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise printing.NoPdf

    monkeypatch.setattr(printing, "_weasyprint", missing)
    answer = add(coordinator, world, made="pdf")
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert "requirements-all.txt" in answer.get_data(as_text=True)  # type: ignore[attr-defined]
    assert session.scalar(select(func.count()).select_from(Card)) == 1


def test_where_weasyprint_is_not_installed_no_pdf_is_offered(
    coordinator: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/staff/people/{world.review.id}/add"
    assert 'value="pdf"' in coordinator.get(path).get_data(as_text=True)
    monkeypatch.setattr(printing, "offered", lambda: False)
    assert 'value="pdf"' not in coordinator.get(path).get_data(as_text=True)
    assert len(CODE.findall(add(coordinator, world, made="pdf").get_data(as_text=True))) == 2  # type: ignore[attr-defined]


def test_a_pdf_that_fails_loses_no_code(
    coordinator: Browser, session: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> bytes:
        raise MemoryError

    monkeypatch.setattr(printing, "pdf", broken)
    page = add(coordinator, world, made="pdf").get_data(as_text=True)  # type: ignore[attr-defined]
    live = set(session.scalars(select(Card.selector)))
    assert len({read_code(one).selector for one in CODE.findall(page)} & live) == 2
    assert "The PDF could not be made" in page


def test_a_lost_card_is_replaced_by_one_card_and_the_same_answers_go_on(
    app: Flask, coordinator: Browser, session: Session, vault: Vault, world: World
) -> None:
    old = make.card(session, world.place, vault)
    asked = make.assignment(session, world.place)
    begun = responses.begin(
        session, asked.id, language="en", mode="own_link", consent_version="1", agreed=True, today=asked.opens_on
    )
    responses.save(session, begun.id, {"BLG1": Given(4)}, vault=vault)
    session.commit()
    path = f"/staff/people/{world.review.id}/{world.place.person_id}/card"
    seen = re.search(r'name="seen" value="(\w+)"', coordinator.get(path).get_data(as_text=True))
    assert seen
    page = coordinator.post(path, {"seen": seen.group(1), "size": "large"}).get_data(as_text=True)
    codes = set(CODE.findall(page))
    assert len(codes) == 1

    def opens(code: str) -> str | None:
        found = door.person_with(
            session, read_code(code), address="", vault=vault, now=NOW, today=NOW.date(), wait=lambda _: None
        )
        session.commit()
        return found

    assert opens(str(old)) is None
    assert opens(codes.pop()) == world.place.person_id
    assert responses.answers(session, begun.id, vault=vault) == {"BLG1": Given(4)}


@pytest.mark.parametrize("wrong", [{"size": "huge"}, {"third": "xx"}, {"made": "fax"}])
def test_cards_are_made_only_as_offered(
    coordinator: Browser, session: Session, world: World, wrong: dict[str, str]
) -> None:
    assert add(coordinator, world, **wrong).status_code == 422  # type: ignore[attr-defined]
    assert session.scalar(select(func.count()).select_from(Card)) == 1


def test_the_address_printed_is_not_mistaken_for_a_code() -> None:
    with pytest.raises(MistypedCode):
        read_code("reviews.example.org/j")
