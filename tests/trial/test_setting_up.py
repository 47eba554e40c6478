"""Setting a trial up by hand: trial, sites, allocation, reviews, people, cards; forms that keep what was typed."""

import re
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from analysis.plan import Plan
from evalapp import audit, responses
from evalapp.codes import proves, read_code
from evalapp.models import Allocation, Arm, Assignment, Audit, Card, Membership, Person, Review, Site, Trial
from evalapp.vault import Vault
from tests import make
from tests.security import visitors
from tests.security.visitors import Browser, World

CODE = re.compile(r'<p class="code">([0-9A-Z-]{14})</p>')
REVIEW = {
    "label": "Review 7",
    "review_type": "",
    "statutory": "",
    "outcome": "no_harm",
    "starts_on": "2026-04-01",
    "ends_on": "2026-04-03",
}
MANAGER = {"role": "manager", "agency": "", "level": ""}
PEOPLE = {"role": "practitioner", "agency": "police", "level": "front line"}


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


@pytest.fixture
def coordinator(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("coordinator", app, session, world)


@pytest.fixture
def evaluator(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("evaluator", app, session, world)


def expected(page: str) -> str:
    found = re.search(r'name="expected" value="(\d+)"', page)
    assert found
    return found.group(1)


def add_people(who: Browser, review_id: str, **more: object) -> object:
    path = f"/staff/people/{review_id}/add"
    page = who.get(path).get_data(as_text=True)
    return who.post(path, {**PEOPLE, "number": 1, "expected": expected(page), **more})


def test_a_trial_can_be_set_up_from_nothing_to_cards(app: Flask, session: Session, vault: Vault) -> None:
    admin = visitors.staff_browser(app, session, visitors.member(session, "admin"))
    assert "Start a trial" in admin.get("/staff/").get_data(as_text=True)
    assert "There is no trial yet" in admin.get("/staff/people").get_data(as_text=True)
    admin.fill("/staff/trials/new", {"title": "Reviews that Learn", "design": "randomised", "planned_sites": "24"})
    trial = session.scalars(select(Trial)).one()
    session.commit()
    assert (trial.slug, trial.planned_sites, trial.kind) == ("reviews-that-learn", 24, "live")
    assert Plan.from_dict(trial.plan).planned_sites == 24
    assert "no sites yet" in admin.get("/staff/sites").get_data(as_text=True)
    admin.fill(f"/staff/trials/{trial.id}/sites/new", {"name": "Northtown", "nation": "wales", "joined_on": ""})
    site = session.scalars(select(Site)).one()
    session.commit()
    assert "Regional Safeguarding Board" in admin.get("/staff/people").get_data(as_text=True)
    answer = admin.fill(f"/staff/sites/{site.id}/reviews/new", {**REVIEW, "review_type": "Local learning review"})
    review = session.scalars(select(Review)).one()
    session.commit()
    assert answer.location == f"/staff/people/{review.id}"
    cards = add_people(admin, review.id, number=3).get_data(as_text=True)  # type: ignore[attr-defined]
    codes = CODE.findall(cards)
    assert len(set(codes)) == 3
    found = {card.selector: card.secret_hash for card in session.scalars(select(Card))}
    assert all(proves(read_code(code), found[read_code(code).selector], vault) for code in codes)
    assert session.scalar(select(func.count()).select_from(Assignment)) > 0  # type: ignore[operator]
    assert audit.first_break(session) is None
    assert [row.action for row in session.scalars(select(Audit).order_by(Audit.id))] == [
        "trial started", "site added", "review added", *["person added", "card issued"] * 3,
    ]  # fmt: skip


def test_a_second_trial_of_the_same_title_is_refused(app: Flask, session: Session) -> None:
    admin = visitors.staff_browser(app, session, visitors.member(session, "admin"))
    given = {"title": "Reviews", "design": "randomised", "planned_sites": "24"}
    admin.fill("/staff/trials/new", given)
    answer = admin.fill("/staff/trials/new", {**given, "title": "REVIEWS!"})
    assert answer.status_code == 422
    assert "REVIEWS!" in answer.get_data(as_text=True)


def test_a_form_that_fails_keeps_what_was_typed_and_says_what_to_mend(coordinator: Browser, world: World) -> None:
    answer = coordinator.fill(
        f"/staff/sites/{world.site.id}/reviews/new",
        {**REVIEW, "ends_on": "2026-03-31", "review_type": "Rapid review", "statutory": "yes"},
    )
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "<title>Error: " in page
    assert "The last day cannot be before the first day." in page
    assert 'value="Review 7"' in page
    assert 'value="2026-04-01"' in page
    assert re.search(r'<option selected value="Rapid review">', page)
    assert re.search(r'<input checked [^>]*value="yes"', page)


@pytest.mark.parametrize("name", ["Northtown", "NORTHTOWN", " northtown "])
def test_a_site_s_name_is_taken_once(coordinator: Browser, world: World, name: str) -> None:
    answer = coordinator.fill(f"/staff/trials/{world.trial.id}/sites/new", {"name": name, "nation": "england"})
    assert answer.status_code == 422
    assert "already" in answer.get_data(as_text=True)


def test_a_review_s_name_is_taken_once_at_a_site(coordinator: Browser, session: Session, world: World) -> None:
    path = f"/staff/sites/{world.site.id}/reviews/new"
    assert coordinator.fill(path, {**REVIEW, "label": "review 1"}).status_code == 422
    elsewhere = make.site(session, world.trial, "Elsewhere")
    session.commit()
    assert (
        coordinator.fill(f"/staff/sites/{elsewhere.id}/reviews/new", {**REVIEW, "label": "Review 1"}).status_code == 303
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outcome", "unknown"),
        ("review_type", "Learning Review"),
        ("statutory", "perhaps"),
        ("starts_on", "30 Feb"),
        ("label", " "),
    ],
)
def test_a_review_takes_only_what_is_on_offer(coordinator: Browser, world: World, field: str, value: str) -> None:
    answer = coordinator.fill(f"/staff/sites/{world.site.id}/reviews/new", {**REVIEW, field: value})
    assert answer.status_code == 422


@pytest.mark.parametrize("number", ["0", "31", "-1", "many", "1.5", ""])
def test_people_are_added_one_to_thirty_at_a_time(
    coordinator: Browser, session: Session, world: World, number: str
) -> None:
    answer = add_people(coordinator, world.review.id, number=number)
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert session.scalar(select(func.count()).select_from(Person)) == 1


def test_a_page_sent_twice_adds_people_once(coordinator: Browser, session: Session, world: World) -> None:
    path = f"/staff/people/{world.review.id}/add"
    seen = expected(coordinator.get(path).get_data(as_text=True))
    sent = {**PEOPLE, "number": 2, "expected": seen}
    assert coordinator.post(path, sent).status_code == 200
    assert coordinator.post(path, sent).status_code == 422
    assert session.scalar(select(func.count()).select_from(Membership)) == 3


def test_someone_in_the_trial_is_added_to_another_review_and_keeps_their_card(
    coordinator: Browser, session: Session, world: World
) -> None:
    other = make.review(session, world.site, "Review 2")
    session.commit()
    grouped = " ".join(re.findall("....", world.place.person_id)).upper()
    answer = coordinator.fill(f"/staff/people/{other.id}/known", {**MANAGER, "person": grouped})
    assert answer.status_code == 303
    assert session.scalar(select(func.count()).select_from(Person)) == 1
    assert session.scalar(select(func.count()).select_from(Membership)) == 2
    session.commit()
    again = coordinator.fill(f"/staff/people/{other.id}/known", {**MANAGER, "person": grouped})
    assert again.status_code == 422


def test_a_person_of_another_trial_is_unknown_in_this_one(coordinator: Browser, session: Session, world: World) -> None:
    other = make.trial(session, "other")
    elsewhere = make.person(session, make.review(session, make.site(session, other, "Farbank")))
    session.commit()
    path = f"/staff/people/{world.review.id}/known"
    pages = {
        coordinator.fill(path, {**MANAGER, "person": number}).get_data(as_text=True).replace(number, "")
        for number in (elsewhere.person_id, "0123456789abcdef")
    }
    assert len({visitors.TOKEN.sub("", page) for page in pages}) == 1


def test_a_new_card_ends_the_old_one_and_a_page_sent_twice_does_not_end_the_new_one(
    coordinator: Browser, session: Session, world: World
) -> None:
    path = f"/staff/people/{world.review.id}/{world.place.person_id}/card"
    seen = re.search(r'name="seen" value="(\w+)"', coordinator.get(path).get_data(as_text=True))
    assert seen
    page = coordinator.post(path, {"seen": seen.group(1)}).get_data(as_text=True)
    selector = read_code(CODE.findall(page)[0]).selector
    assert coordinator.post(path, {"seen": seen.group(1)}).status_code == 303
    session.expire_all()
    assert {card.selector for card in session.scalars(select(Card)) if card.revoked_at is None} == {selector}
    assert session.scalar(select(func.count()).select_from(Card)) == 2


def test_opening_the_page_of_a_new_card_gives_none(coordinator: Browser, session: Session, world: World) -> None:
    path = f"/staff/people/{world.review.id}/{world.place.person_id}/card"
    for method in ("GET", "HEAD"):
        assert coordinator.ask(method, path).status_code == 200
    assert session.scalar(select(func.count()).select_from(Card)) == 1


def test_no_coordinator_s_page_changes_when_somebody_answers(
    coordinator: Browser, session: Session, vault: Vault, world: World
) -> None:
    """Nor when they begin, or decline: the pages are the same, letter for letter."""
    paths = ("/staff/", "/staff/people", f"/staff/people/{world.review.id}", "/staff/sites",
             f"/staff/people/{world.review.id}/{world.place.person_id}/card")  # fmt: skip

    def looked() -> list[str]:
        return [visitors.TOKEN.sub("", coordinator.get(path).get_data(as_text=True)) for path in paths]

    before = looked()
    asked = make.assignment(session, world.place)
    responses.begin(
        session, asked.id, language="en", mode="own_link", consent_version="1", agreed=True, today=asked.opens_on
    )
    session.commit()
    assert looked() == before
    make.answered(session, asked, vault)
    session.commit()
    assert looked() == before


def test_an_allocation_is_recorded_once_with_its_scheme_and_the_day_of_the_draw(
    evaluator: Browser, session: Session, world: World
) -> None:
    arm = session.scalars(select(Arm).where(Arm.is_treatment)).one()
    session.commit()
    path = f"/staff/sites/{world.site.id}/allocation"
    given = {"arm": arm.id, "scheme": "pairs", "stratum": "Pair 3", "drawn_on": "2026-02-27", "checked": "y"}
    assert evaluator.fill(path, {**given, "checked": ""}).status_code == 422
    assert evaluator.fill(path, {**given, "drawn_on": "2026-03-03"}).status_code == 422
    assert evaluator.fill(path, {**given, "drawn_on": "1900-01-01"}).status_code == 422
    assert evaluator.fill(path, {**given, "stratum": ""}).status_code == 422
    assert evaluator.fill(path, {**given, "scheme": "none"}).status_code == 422  # this trial says it is randomised
    assert session.scalars(select(Allocation)).all() == []
    session.rollback()
    assert evaluator.fill(path, given).status_code == 303
    made = session.scalars(select(Allocation)).one()
    assert (made.arm_id, made.scheme, made.stratum) == (arm.id, "pairs", "Pair 3")
    assert made.allocated_at.date() == date(2026, 2, 27)
    session.commit()
    assert evaluator.post(path, given).status_code == 303
    assert session.scalar(select(func.count()).select_from(Allocation)) == 1
    assert "Appreciative" in evaluator.get("/staff/sites").get_data(as_text=True)


def test_only_who_records_allocations_sees_them(
    app: Flask, coordinator: Browser, session: Session, world: World
) -> None:
    make.site(session, world.trial, "Farbank", arm="appreciative")
    session.commit()
    for who in (coordinator, visitors.visitor("admin", app, session, world)):
        assert "Appreciative" not in who.get("/staff/sites").get_data(as_text=True)
        assert "Appreciative" not in who.get("/staff/people").get_data(as_text=True)


def test_an_arm_of_another_trial_is_not_on_offer(evaluator: Browser, session: Session, world: World) -> None:
    other = make.trial(session, "other")
    arm = session.scalars(select(Arm).where(Arm.trial_id == other.id)).first()
    session.commit()
    assert arm is not None
    given = {"arm": arm.id, "scheme": "complete", "drawn_on": "2026-02-27", "checked": "y"}
    assert evaluator.fill(f"/staff/sites/{world.site.id}/allocation", given).status_code == 422
