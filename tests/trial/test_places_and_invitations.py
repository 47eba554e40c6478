"""Who is asked what: in a review or for a site, in which form, and a family only where somebody may ask them."""

import re
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from evalapp import audit, findings, responses, roster
from evalapp.models import Assignment, Audit, Membership, Review, Wave
from evalapp.survey import journey
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW
from tests.security import visitors
from tests.security.visitors import Browser, World

JOINED = date(2026, 2, 20)
YES = roster.Gate(safe=True, lawful=True, kind=True)


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


@pytest.fixture
def coordinator(app: Flask, session: Session, world: World) -> Browser:
    return visitors.visitor("coordinator", app, session, world)


def review_of(session: Session, outcome: str = "harm", **trial: object) -> Review:
    return make.review(session, make.site(session, make.trial(session, **trial)), outcome=outcome)


def asked(session: Session, place: Membership) -> dict[str, list[str]]:
    """The questionnaires a place is asked, by wave."""
    rows = session.execute(
        select(Wave.code, Assignment.instrument)
        .join(Wave, Wave.id == Assignment.wave_id)
        .where(Assignment.membership_id == place.id)
        .order_by(Wave.position, Assignment.instrument)
    )
    found: dict[str, list[str]] = {}
    for wave, name in rows:
        found.setdefault(wave, []).append(name)
    return found


STANDARD = {
    "before": ["parent_before"], "after": ["parent_after"], "month3": ["parent_month3"], "month12": ["story"],
}  # fmt: skip
BEREAVED = {"after": ["parent_bereaved_after"]}


@pytest.mark.parametrize(
    ("role", "form", "outcome", "expected"),
    [
        ("parent", "standard", "harm", STANDARD),
        ("parent", "standard", "not_recorded", STANDARD),
        # easy read wherever there is one, the standard form where there is none
        (
            "parent", "easy_read", "no_harm",
            {"before": ["parent_easy_read_before"], "after": ["parent_easy_read_after"], "month3": ["parent_month3"],
             "month12": ["story"]},
        ),
        ("young_person", "standard", "harm", {"after": ["young_person_after"]}),
        # nobody decided: after a death a family is asked nothing
        ("parent", "standard", "death", {}),
        ("parent", "easy_read", "death", {}),
        ("young_person", "standard", "death", {}),
        # staff are asked after a death, but not for stories of what went well
        (
            "practitioner", "standard", "death",
            {"before": ["practitioner_before"], "after": ["practitioner_after"], "month3": ["practitioner_month3"],
             "month12": ["practitioner_month12"]},
        ),
        (
            "leader", "standard", "harm",
            {"before": ["leader_before"], "after": ["leader_after"], "month3": ["leader_month3"],
             "month12": ["leader_month12", "story"]},
        ),
        ("facilitator", "standard", "death", {"after": ["fidelity_facilitator"]}),
        ("observer", "standard", "no_harm", {"after": ["fidelity_observer"]}),
    ],
)  # fmt: skip
def test_a_place_in_a_review_is_asked_what_fits_it(
    session: Session, role: str, form: str, outcome: str, expected: dict[str, list[str]]
) -> None:
    place = make.person(session, review_of(session, outcome), role, form=form)
    assert asked(session, place) == expected


@pytest.mark.parametrize("role", ["leader", "manager"])
def test_those_who_answer_for_a_site_are_asked_when_it_joins_and_a_year_on(session: Session, role: str) -> None:
    site = make.site(session, make.trial(session), joined_on=JOINED)
    place = make.person(session, site, role)
    assert (place.site_id, place.review_id) == (site.id, None)
    assert asked(session, place) == {"baseline": ["site_survey"], "month12": ["site_survey_month12"]}
    baseline = make.assignment(session, place, "baseline")
    assert (baseline.opens_on, baseline.closes_on) == (JOINED, JOINED + timedelta(days=42))


def test_a_site_whose_joining_is_not_recorded_asks_nobody_yet(session: Session) -> None:
    place = make.person(session, make.site(session, make.trial(session)), "leader")
    assert asked(session, place) == {}


def test_after_a_death_a_yes_asks_the_bereaved_form_alone_and_a_no_takes_it_back(session: Session) -> None:
    place = make.person(session, review_of(session, "death"), "parent", form="easy_read")
    roster.decide(session, place, YES, actor="lead", now=NOW)
    assert asked(session, place) == BEREAVED
    roster.decide(session, place, roster.Gate(True, True, kind=False), actor="lead", now=NOW)
    assert asked(session, place) == {}
    last = roster.decision_on(session, place)
    assert last is not None
    assert (last.number, last.invite, last.reason) == (2, False, "not_kind_now")
    assert (last.safe, last.lawful, last.kind) == (True, True, False)
    actions = session.scalars(select(Audit.action).order_by(Audit.id)).all()
    assert actions.count("invitation decided") == 2
    assert audit.first_break(session) is None


def test_a_no_takes_back_what_nobody_began_and_keeps_what_somebody_did(session: Session, vault: Vault) -> None:
    place = make.person(session, review_of(session), "parent")
    make.answered(session, make.assignment(session, place, "before"), vault)
    roster.decide(session, place, roster.Gate(True, True, True, "said_no"), actor="lead", now=NOW)
    assert asked(session, place) == {"before": ["parent_before"]}
    roster.decide(session, place, YES, actor="lead", now=NOW)
    assert asked(session, place) == STANDARD


def test_a_death_known_late_hides_what_a_parent_had_begun(session: Session, vault: Vault) -> None:
    review = review_of(session)
    place = make.person(session, review, "parent")
    before = make.assignment(session, place, "before")
    responses.begin(
        session, before.id, language="en", mode="own_link", consent_version="1", agreed=True, today=before.opens_on
    )
    assert journey.asked_of(session, place.person_id)[0].instrument == "parent_before"
    review.outcome = "death"
    roster.assign(session, place)
    assert asked(session, place) == {"before": ["parent_before"]}  # kept, because it was begun
    assert journey.asked_of(session, place.person_id) == []  # and never shown again


@pytest.mark.parametrize(
    ("facts", "told"),
    [({"kind": "live"}, False), ({"kind": "live", "text_reader": "a named lead"}, True), ({"kind": "demo"}, True)],
)
def test_stories_are_asked_only_where_somebody_reads_them(session: Session, facts: dict[str, str], told: bool) -> None:
    place = make.person(session, review_of(session, **facts), "facilitator")
    assert ("month12" in asked(session, place)) is told


def test_the_year_of_a_story_is_the_one_the_trial_began_in(session: Session) -> None:
    place = make.person(session, review_of(session, starts_on=date(2024, 9, 1)), "facilitator")
    (story,) = [one for one in journey.asked_of(session, place.person_id) if one.instrument == "story"]
    for language in ("en", "cy"):
        assert "2024" in journey.in_language(story, language).item("STORY4").text


def test_answers_for_a_site_have_no_review_and_are_not_compared_between_the_arms(
    session: Session, vault: Vault
) -> None:
    trial = make.trial(session, plan=roster.usual_plan(design="randomised", planned_sites=24))
    site = make.site(session, trial, joined_on=JOINED)
    survey = make.person(session, site, "manager")
    make.answered(session, make.assignment(session, survey, "baseline"), vault)
    worker = make.person(session, make.review(session, site), "manager")
    make.answered(session, make.assignment(session, worker, "before"), vault)
    frame = responses.scores_frame(session, trial.id, "BLG", ["baseline", "before"])
    assert frame.set_index("wave")["review"].isna().to_dict() == {"baseline": True, "before": False}
    people = responses.people_frame(session, trial.id)
    assert set(people.loc[people["review"].isna(), "wave"]) == {"baseline", "month12"}
    items = responses.answers_frame(session, trial.id, "site_survey", ["BLG1"])
    assert items["review"].isna().tolist() == [True]
    plan = findings.plan_of(trial)
    assert plan is not None
    how = findings.measured(session, trial, plan.outcomes[0], plan.design)
    assert findings.scores(session, trial, how)["participant"].tolist() == [worker.person_id]


def test_someone_in_a_review_and_for_the_site_counts_once_a_wave(session: Session, vault: Vault) -> None:
    trial = make.trial(session)
    site = make.site(session, trial, joined_on=JOINED)
    survey = make.person(session, site, "manager")
    person = session.get_one(roster.Person, survey.person_id)
    review = make.review(session, site)
    worker = roster.add_person(session, review, "manager", person=person)
    for place in (survey, worker):
        response = make.answered(session, make.assignment_of(session, place, "month12"), vault)
        assert response.state == "submitted"
    frame = responses.scores_frame(session, trial.id, "BLG", ["month12"])
    assert frame["review"].tolist() == [review.id]


def test_people_are_added_for_a_site_and_get_cards_of_their_own(
    coordinator: Browser, session: Session, world: World
) -> None:
    site = world.site
    site = session.merge(site)
    site.joined_on = JOINED
    session.commit()
    path = f"/staff/sites/{site.id}/people"
    assert "Nobody is expected yet" in coordinator.get(path).get_data(as_text=True)
    sent = {"role": "leader", "agency": "police", "level": "", "number": "2", "expected": "0"}
    cards = coordinator.fill(f"{path}/add", sent).get_data(as_text=True)
    assert len(re.findall(r'<p class="code">[0-9A-Z-]{14}</p>', cards)) == 2
    assert coordinator.fill(f"{path}/add", {**sent, "role": "parent"}).status_code == 422
    places = session.scalars(select(Membership).where(Membership.review_id.is_(None))).all()
    assert [place.site_id for place in places] == [site.id, site.id]
    session.commit()
    page = coordinator.get(path).get_data(as_text=True)
    assert "2 people" in page
    assert "20 February 2026" in page
    assert "(2)" in coordinator.get("/staff/people").get_data(as_text=True)
    assert coordinator.get(f"{path}/{places[0].person_id}/card").status_code == 200
    assert coordinator.get(f"{path}/{world.place.person_id}/card").status_code == 404  # of a review, not of the site


def test_what_becomes_known_of_a_review_is_kept_and_changes_what_is_asked(
    coordinator: Browser, session: Session, world: World
) -> None:
    parent = make.person(session, session.merge(world.review), "parent")
    session.commit()
    assert asked(session, parent) == STANDARD
    session.commit()
    path = f"/staff/people/{world.review.id}/facts"
    facts = {
        "outcome": "death", "trigger": "death", "triggered_on": "2026-01-05", "reported_on": "2026-05-01",
        "contact_days": "3", "model_version": "2",
    }  # fmt: skip
    for wrong in (
        {"triggered_on": "2026-03-11"},
        {"reported_on": "2026-03-09"},
        {"contact_days": "0"},
        {"trigger": "luck"},
    ):
        assert coordinator.fill(path, {**facts, **wrong}).status_code == 422, wrong
    assert coordinator.fill(path, facts).status_code == 303
    review = session.get_one(Review, world.review.id, populate_existing=True)
    assert (review.outcome, review.trigger, review.contact_days, review.model_version) == ("death", "death", 3, "2")
    assert (review.triggered_on, review.reported_on) == (date(2026, 1, 5), date(2026, 5, 1))
    assert asked(session, parent) == {}
    session.commit()
    page = coordinator.get(f"/staff/people/{world.review.id}").get_data(as_text=True)
    for said in ("5 January 2026", "1 May 2026", "Someone died"):
        assert said in page


def test_a_parent_can_be_given_easy_read(coordinator: Browser, session: Session, world: World) -> None:
    path = f"/staff/people/{world.review.id}/add"
    sent = {"role": "parent", "agency": "", "level": "", "number": "1", "expected": "1", "reads": "easy_read"}
    assert coordinator.fill(path, sent).status_code == 303  # no card before a lead has decided
    place = session.scalars(select(Membership).where(Membership.role == "parent")).one()
    assert asked(session, place) == {}
    roster.decide(session, place, YES, actor="lead", now=NOW)
    assert "parent_easy_read_before" in asked(session, place)["before"]
    session.commit()
    assert "easy read" in coordinator.get(f"/staff/people/{world.review.id}").get_data(as_text=True)
