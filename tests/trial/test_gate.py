"""The parent gate: a named lead answers safe, lawful and kind before a parent is asked, and a young person waits for two yeses."""

from datetime import date, timedelta
from itertools import product

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from evalapp import roster
from evalapp.models import Card, InvitationDecision, Membership, ParentalConsent, Person, Review, Site, SiteRules, Trial
from evalapp.roster import Gate
from evalapp.shelf import questionnaire, shelf
from evalapp.survey import journey
from evalapp.trial import register
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW
from tests.security import visitors
from tests.security.visitors import Browser, World
from tests.trial.test_places_and_invitations import BEREAVED, STANDARD, asked, review_of

YES = Gate(safe=True, lawful=True, kind=True)
TODAY = NOW.date()


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


def lead_at(session: Session, world: World, role: str = "coordinator") -> tuple[str, str]:
    """A member of staff who is the lead of the world's site: id and e-mail address."""
    user = visitors.member(session, role)
    session.merge(SiteRules(site_id=world.site.id, lead_id=user.id, young_people="always"))
    session.commit()
    return user.id, user.email


def lead_browser(app: Flask, session: Session, world: World) -> Browser:
    user_id, _ = lead_at(session, world)
    return visitors.staff_browser(app, session, session.get_one(visitors.StaffUser, user_id))


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        (YES, None),
        (Gate(safe=False, lawful=True, kind=True), "not_safe"),
        (Gate(safe=True, lawful=False, kind=True), "not_lawful"),
        (Gate(safe=True, lawful=True, kind=False), "not_kind_now"),
        (Gate(safe=False, lawful=False, kind=False, other="other"), "not_safe"),  # the weightiest is the reason
        (Gate(safe=True, lawful=True, kind=True, other="cannot_reach"), "cannot_reach"),
    ],
)
def test_three_yeses_and_no_other_reason_let_a_parent_be_asked(
    session: Session, gate: Gate, reason: str | None
) -> None:
    place = make.person(session, review_of(session), "parent", invited=False)
    assert asked(session, place) == {}
    kept = roster.decide(session, place, gate, actor="lead", now=NOW)
    assert (kept.invite, kept.reason, kept.safe, kept.lawful, kept.kind) == (
        reason is None, reason, gate.safe, gate.lawful, gate.kind,
    )  # fmt: skip
    assert asked(session, place) == (STANDARD if reason is None else {})


def test_the_database_refuses_a_yes_over_an_unsafe_unlawful_or_unkind_answer(session: Session) -> None:
    place = make.person(session, review_of(session), "parent", invited=False)
    session.add(
        InvitationDecision(
            membership_id=place.id, number=1, invite=True, safe=True, lawful=False, kind=True, decided_at=NOW,
            decided_by="lead",
        )
    )  # fmt: skip
    with pytest.raises(DBAPIError):
        session.flush()


def test_a_parent_has_no_card_before_the_decision_and_a_lost_one_is_replaced_after_a_later_no(
    session: Session, vault: Vault
) -> None:
    place = make.person(session, review_of(session), "parent", invited=False)
    with pytest.raises(roster.NotInvited):
        make.card(session, place, vault)
    roster.decide(session, place, YES, actor="lead", now=NOW)
    make.card(session, place, vault)
    roster.decide(session, place, Gate(safe=False, lawful=True, kind=True), actor="lead", now=NOW)
    make.card(session, place, vault)  # it still opens the page on which they take their answers back


def test_a_practitioner_who_is_a_parent_elsewhere_keeps_their_card(session: Session, vault: Vault) -> None:
    review = review_of(session)
    worker = make.person(session, review)
    second = make.review(session, session.get_one(Site, review.site_id), "Review 2")
    make.person(session, second, "parent", person=session.get_one(Person, worker.person_id), invited=False)
    make.card(session, worker, vault)


def test_a_later_no_closes_what_a_parent_has_open(session: Session) -> None:
    place = make.person(session, review_of(session), "parent")
    assert [one.instrument for one in journey.asked_of(session, place.person_id)] != []
    roster.decide(session, place, Gate(safe=False, lawful=True, kind=True), actor="lead", now=NOW)
    assert journey.asked_of(session, place.person_id) == []


STEPS = ("death", "harm", "yes", "no", "assign")


def test_no_path_offers_a_standard_question_after_a_death(session: Session, vault: Vault) -> None:
    """Every order of what can happen, cards given first: once someone died, only the bereaved form, and only by a yes after it."""
    site = make.site(session, make.trial(session))
    never = {one.name for one in shelf() if one.not_after_death}
    for number, steps in enumerate(product(STEPS, repeat=3)):
        if "death" not in steps:
            continue
        review = make.review(session, site, f"Review {number}", outcome="harm")
        place = make.person(session, review, "parent", form="easy_read" if number % 2 else "standard")
        decided_knowing = False
        for step in steps:
            if step in {"death", "harm"}:
                register.change_facts(session, review, {"outcome": step}, actor="coordinator", now=NOW)
            elif step == "assign":
                roster.assign(session, place)
            else:
                gate = YES if step == "yes" else Gate(safe=True, lawful=True, kind=False)
                roster.decide(session, place, gate, actor="lead", now=NOW)
                decided_knowing = review.outcome == "death"
            if review.outcome != "death":
                continue
            shown = {one.instrument for one in journey.asked_of(session, place.person_id)}
            assert not (shown | {name for names in asked(session, place).values() for name in names}) & never, steps
            allowed = (
                {"parent_bereaved_after"} if decided_knowing and roster.is_invited(session, place, review) else set()
            )
            assert shown == allowed, steps


def test_a_yes_from_before_the_death_was_known_does_not_bring_the_bereaved_form(session: Session) -> None:
    review = review_of(session)
    place = make.person(session, review, "parent")
    register.change_facts(session, review, {"outcome": "death"}, actor="coordinator", now=NOW)
    assert asked(session, place) == {}
    roster.decide(session, place, YES, actor="lead", now=NOW)
    assert asked(session, place) == BEREAVED


def test_a_begun_standard_form_is_not_shown_after_a_death_even_by_a_yes(session: Session, vault: Vault) -> None:
    review = review_of(session)
    place = make.person(session, review, "parent")
    before = make.assignment(session, place, "before")
    journey.responses.begin(
        session, before.id, language="en", mode="own_link", consent_version="1", agreed=True, today=before.opens_on
    )
    register.change_facts(session, review, {"outcome": "death"}, actor="coordinator", now=NOW)
    roster.decide(session, place, YES, actor="lead", now=NOW)
    for one in journey.asked_of(session, place.person_id):
        assert not questionnaire(one.instrument, one.version).not_after_death


def test_only_the_named_lead_decides_on_a_page(app: Flask, session: Session, world: World) -> None:
    place = make.person(session, session.merge(world.review), "parent", invited=False)
    session.commit()
    path = f"/staff/people/{world.review.id}/{place.person_id}/invitation"
    answers = {"safe": "yes", "lawful": "yes", "kind": "yes", "other": ""}
    others = [visitors.visitor(kind, app, session, world) for kind in ("admin", "coordinator", "evaluator")]
    for who in others:
        assert who.fill(path, answers).status_code == 403
    lead = lead_browser(app, session, world)
    for who in others:
        assert who.fill(path, answers).status_code == 403
    review_page = f"/staff/people/{world.review.id}"
    assert "No: nobody has decided" in lead.get(review_page).get_data(as_text=True)
    assert "None before a decision" in lead.get(review_page).get_data(as_text=True)
    assert "decides whether a parent may be asked" in others[1].get(review_page).get_data(as_text=True)
    assert "/invitation" not in others[1].get(review_page).get_data(as_text=True)
    for lacking in ("safe", "lawful", "kind"):
        assert lead.fill(path, {**answers, lacking: ""}).status_code == 422
    assert lead.fill(path, {**answers, "other": "bad luck"}).status_code == 422
    assert lead.fill(path, {**answers, "lawful": "no"}).status_code == 303
    assert "not be lawful" in lead.get(review_page).get_data(as_text=True)
    assert lead.fill(path, answers).status_code == 303
    kept = session.scalars(select(InvitationDecision).order_by(InvitationDecision.number)).all()
    assert [(one.invite, one.reason) for one in kept] == [(False, "not_lawful"), (True, None)]
    assert {one.decided_by for one in kept} == {session.get_one(SiteRules, world.site.id).lead_id}
    assert asked(session, place) == STANDARD
    session.commit()
    assert lead.get(f"/staff/people/{world.review.id}/{world.place.person_id}/invitation").status_code == 404


def test_a_lead_whose_account_is_closed_decides_nothing(app: Flask, session: Session, world: World) -> None:
    user_id, _ = lead_at(session, world)
    place = make.person(session, session.merge(world.review), "parent", invited=False)
    session.commit()
    lead = visitors.staff_browser(app, session, session.get_one(visitors.StaffUser, user_id))
    session.get_one(visitors.StaffUser, user_id).role = "funder"
    session.commit()
    assert lead.get(f"/staff/people/{world.review.id}/{place.person_id}/invitation").status_code == 403


def test_parents_are_added_without_a_card_and_get_one_once_decided(app: Flask, session: Session, world: World) -> None:
    lead = lead_browser(app, session, world)
    path = f"/staff/people/{world.review.id}/add"
    sent = {"role": "parent", "agency": "", "level": "", "number": "2", "expected": "1", "reads": "standard"}
    before = session.scalars(select(Card.id)).all()
    session.commit()
    assert lead.fill(path, sent).status_code == 303
    assert session.scalars(select(Card.id)).all() == before
    place = session.scalars(select(Membership).where(Membership.role == "parent")).first()
    assert place is not None
    session.commit()
    card = f"/staff/people/{world.review.id}/{place.person_id}/card"
    assert "lead decides first" in lead.client.post(
        card, base_url=visitors.HOME, headers=lead.headers, data={"csrf_token": lead.token}, follow_redirects=True
    ).get_data(as_text=True)  # fmt: skip
    roster.decide(session, place, YES, actor="lead", now=NOW)
    session.commit()
    assert lead.fill(card, {}).status_code == 200


def test_an_admin_names_the_lead_and_the_rule_for_young_people(app: Flask, session: Session, world: World) -> None:
    admin = visitors.visitor("admin", app, session, world)
    path = f"/staff/sites/{world.site.id}/rules"
    assert admin.fill(path, {"lead": world.colleague.id, "young_people": "under_16"}).status_code == 303
    rules = session.get_one(SiteRules, world.site.id, populate_existing=True)
    assert (rules.lead_id, rules.young_people) == (world.colleague.id, "under_16")
    session.commit()
    page = admin.get(path).get_data(as_text=True)
    assert f'<option selected value="{world.colleague.id}">' in page
    funder = visitors.member(session, "funder")
    assert admin.fill(path, {"lead": funder.id, "young_people": "always"}).status_code == 422
    assert admin.fill(path, {"lead": "", "young_people": "now and then"}).status_code == 422


def test_the_day_of_locking_is_never_made_earlier(app: Flask, session: Session, world: World) -> None:
    evaluator = visitors.visitor("evaluator", app, session, world)
    path = f"/staff/trials/{world.trial.id}/terms"
    assert evaluator.fill(path, {"contact": "The team, 01234 567890", "locks_on": "2026-03-02"}).status_code == 422
    assert evaluator.fill(path, {"contact": "The team, 01234 567890", "locks_on": "2026-09-01"}).status_code == 303
    for wrong in ("2026-08-31", ""):
        assert evaluator.fill(path, {"contact": "", "locks_on": wrong}).status_code == 422
    assert evaluator.fill(path, {"contact": "The team", "locks_on": "2026-10-01"}).status_code == 303
    trial = session.get_one(Trial, world.trial.id, populate_existing=True)
    assert (trial.contact, trial.locks_on) == ("The team", date(2026, 10, 1))


# A young person and a parent.


def family(session: Session, policy: str = "always", *, under_16: bool | None = None) -> tuple[Membership, Membership]:
    """A young person and a linked parent, where the rule is `policy`; the young person's questions are open."""
    review = make.review(
        session, make.site(session, make.trial(session)), starts_on=TODAY - timedelta(days=3), outcome="harm"
    )
    session.add(SiteRules(site_id=review.site_id, young_people=policy))
    young, parent = make.person(session, review, "young_person"), make.person(session, review, "parent")
    young.under_16 = under_16
    roster.link(session, young, parent, actor="coordinator", now=NOW)
    return young, parent


def is_open(session: Session, young: Membership) -> bool:
    return any(one.is_open(TODAY) for one in journey.asked_of(session, young.person_id))


def say(session: Session, young: Membership, parent: Membership, *, agreed: bool) -> bool:
    return roster.say(session, young.id, parent.id, agreed=agreed, consent_version="parent-E1-en", today=TODAY)


@pytest.mark.parametrize(
    ("policy", "under_16", "waits"),
    [
        ("always", True, True),
        ("always", False, True),
        ("always", None, True),
        ("under_16", True, True),
        ("under_16", False, False),
        ("under_16", None, True),  # an age nobody recorded counts as under 16
        ("never", True, False),
        ("never", None, False),
    ],
)
def test_whether_a_young_person_waits_for_a_parent_is_the_site_s_rule(
    session: Session, policy: str, under_16: bool | None, waits: bool
) -> None:
    young, parent = family(session, policy, under_16=under_16)
    assert is_open(session, young) is not waits
    assert bool(journey.children_of(session, parent.person_id)) is waits
    say(session, young, parent, agreed=True)
    assert is_open(session, young)


def test_a_site_without_rules_asks_no_young_person_without_a_parent(session: Session) -> None:
    young, _ = family(session)
    session.delete(session.get_one(SiteRules, young.site_id))
    session.flush()
    assert not is_open(session, young)


def test_a_parent_s_no_is_final_and_a_yes_can_be_stopped(session: Session) -> None:
    young, parent = family(session)
    assert say(session, young, parent, agreed=True)
    assert is_open(session, young)
    assert not say(session, young, parent, agreed=False)
    assert not is_open(session, young)
    assert not say(session, young, parent, agreed=True)  # said later, and it changes nothing
    assert not is_open(session, young)
    pair = session.get_one(ParentalConsent, (young.id, parent.id))
    assert (pair.agreed, pair.consent_version, pair.decided_on) == (False, "parent-E1-en", TODAY)


def test_of_two_parents_each_can_stop_and_one_yes_is_enough(session: Session) -> None:
    young, first = family(session)
    second = make.person(session, session.get_one(Review, young.review_id), "parent")
    roster.link(session, young, second, actor="coordinator", now=NOW)
    say(session, young, first, agreed=True)
    assert is_open(session, young)
    say(session, young, second, agreed=False)
    assert not is_open(session, young)


def test_only_a_young_person_and_a_parent_of_one_review_are_linked(session: Session) -> None:
    young, parent = family(session)
    other = make.review(session, session.get_one(Site, young.site_id), "Review 2")
    stranger, worker = make.person(session, other, "parent"), make.person(session, other)
    for wrong in ((young, stranger), (parent, young), (young, worker)):
        with pytest.raises(ValueError, match="can be linked"):
            roster.link(session, *wrong, actor="coordinator", now=NOW)


def test_what_a_parent_says_shows_on_no_page_of_staff_and_in_no_record(
    app: Flask, session: Session, world: World
) -> None:
    review = session.merge(world.review)
    young, parent = make.person(session, review, "young_person"), make.person(session, review, "parent")
    session.commit()
    coordinator = visitors.visitor("coordinator", app, session, world)
    path = f"/staff/people/{review.id}/{young.person_id}/parent"
    assert coordinator.fill(path, {"under_16": "yes", "parent": world.place.id}).status_code == 422  # no parent
    assert coordinator.fill(path, {"under_16": "yes", "parent": parent.id}).status_code == 303
    assert session.get_one(Membership, young.id, populate_existing=True).under_16 is True
    session.commit()
    paths = (path, f"/staff/people/{review.id}", "/staff/people", f"/dashboard/{world.trial.slug}/responses")

    def seen() -> list[str]:
        return [visitors.TOKEN.sub("", coordinator.get(one).get_data(as_text=True)) for one in paths]

    seen()  # the page after a form says once that it was kept
    before = seen()
    for agreed in (True, False):
        say(session, young, parent, agreed=agreed)
        session.commit()
        assert seen() == before
    records = session.scalars(select(make.roster.audit.Audit.action)).all()
    assert [action for action in records if "consent" in action or "parent" in action] == ["parent linked"]


def test_after_a_death_nobody_is_asked_about_a_young_person(session: Session) -> None:
    young, parent = family(session)
    say(session, young, parent, agreed=True)
    register.change_facts(
        session, session.get_one(Review, young.review_id), {"outcome": "death"}, actor="coordinator", now=NOW
    )
    assert not is_open(session, young)
    assert journey.children_of(session, parent.person_id) == []
