"""What became of everyone expected adds up, and tells a coordinator nothing about one person."""

from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import responses, roster, withdrawals
from evalapp.dashboard import flow
from evalapp.models import NOT_INVITED, Membership, Review, Trial
from evalapp.roster import ASKED, UNDECIDED, Gate
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW
from tests.dashboard.test_pages import evaluator, rows_of, text_of
from tests.security import visitors

TODAY = NOW.date()


def one_of_each(session: Session, vault: Vault) -> Trial:
    """A review just after its end: somebody sent, declined, withdrew in each way, is under way, missed, has not begun."""
    of = make.trial(session)
    review = make.review(session, make.site(session, of), starts_on=TODAY - timedelta(days=3))
    places = [make.person(session, review) for _ in range(7)]
    sent, declined, no_contact, keeps, deletes, begun, _ = places
    make.answered(session, make.assignment(session, sent, "before"), vault)
    for place in (no_contact, keeps, deletes):
        make.answered(session, make.assignment(session, place, "before"), vault)
    for place, agreed in ((declined, False), (begun, True)):
        responses.begin(
            session, make.assignment(session, place, "after").id, language="en", mode="own_link", consent_version="1",
            agreed=agreed, today=TODAY,
        )  # fmt: skip
    for place, choice in ((no_contact, "no_contact"), (keeps, "keep"), (deletes, "delete")):
        withdrawals.withdraw(session, place.person_id, choice, vault=vault, now=NOW, today=TODAY)
    session.commit()
    return of


def test_every_questionnaire_expected_is_somewhere_in_the_flow_and_nowhere_twice(
    session: Session, vault: Vault
) -> None:
    of = one_of_each(session, vault)
    tally = responses.flow_tally(session, of.id, TODAY)
    kinds = list(flow.KINDS)[1:]
    assert (tally[kinds].sum(axis=1) == tally["expected"]).all()
    found = {row.wave: tuple(getattr(row, kind) for kind in kinds) for row in tally.itertuples()}
    # answered, declined, withdrawn, under way, missed, waiting
    assert found["before"] == (3, 0, 1, 0, 3, 0)  # whoever had it deleted is counted as withdrawn
    assert found["after"] == (0, 1, 2, 1, 0, 3)  # no more contact leaves open what is open now
    assert found["month3"] == (0, 0, 3, 0, 0, 4)
    much_later = responses.flow_tally(session, of.id, date(2030, 1, 1)).set_index("wave")
    assert much_later.loc["month3", "missed"] == 4


def test_the_flow_has_the_board_s_own_counts(session: Session, vault: Vault) -> None:
    of = one_of_each(session, vault)
    board = responses.board_tally(session, of.id).groupby("wave")[["expected", "answered"]].sum()
    flowing = responses.flow_tally(session, of.id, TODAY).set_index("wave")[["expected", "answered"]]
    assert board.sort_index().to_dict() == flowing.sort_index().to_dict()


def gated(session: Session) -> Trial:
    """Fourteen parents: eleven asked, one decided against, one nobody decided on, one whose yes a death undid."""
    of = make.trial(session)
    site = make.site(session, of)
    review = make.review(session, site)
    for _ in range(11):
        make.person(session, review, "parent")
    refused, _ = (make.person(session, review, "parent", invited=False) for _ in range(2))
    roster.decide(session, refused, Gate(safe=False, lawful=True, kind=True), actor="lead", now=NOW)
    bereaved = make.review(session, site, "Review 2")
    make.person(session, bereaved, "parent")
    bereaved.outcome = "death"
    session.commit()
    return of


def test_the_gate_counts_everyone_once_by_the_decision_that_holds(session: Session) -> None:
    of = gated(session)
    counts = roster.gate_counts(session, of.id)
    assert set(counts) == {ASKED, UNDECIDED, *NOT_INVITED} == set(flow.GATE)
    assert {kind: number for kind, number in counts.items() if number} == {ASKED: 11, UNDECIDED: 2, "not_safe": 1}
    places = session.scalars(select(Membership).where(Membership.role == "parent")).all()
    by_rule = sum(roster.is_invited(session, one, session.get_one(Review, one.review_id)) for one in places)
    assert by_rule == counts[ASKED]  # what the board counts is what the door obeys


def test_an_evaluator_sees_the_gate_whole_and_a_coordinator_in_steps(app: Flask, session: Session) -> None:
    gated(session)
    whole = text_of(evaluator(app, session), "/dashboard/trial/responses")
    assert "11 of 14 parents expected (79 %) may be asked" in whole
    assert "it would not be safe" in whole
    assert "What became of them" in whole
    steps = text_of(evaluator(app, session, "coordinator"), "/dashboard/trial/responses")
    assert "May parents be asked?" in steps
    assert "fewer than 10" in steps
    for hidden in ("11 of 14", "would not be safe", "What became of them", "Withdrew"):
        assert hidden not in steps


@pytest.mark.parametrize("role", ["coordinator", "admin"])
def test_one_more_withdrawal_changes_nothing_a_coordinator_sees(
    app: Flask, session: Session, vault: Vault, role: str
) -> None:
    of = make.trial(session)
    review = make.review(session, make.site(session, of), starts_on=TODAY - timedelta(days=3))
    places = [make.person(session, review) for _ in range(12)]
    for place in places[:8]:
        make.answered(session, make.assignment(session, place, "before"), vault)
    session.commit()
    who = evaluator(app, session, role)
    paths = [f"/dashboard/trial/responses{kind}?by={by}" for kind in ("", ".csv") for by in ("wave", "review", "role")]
    paths += ["/staff/people", f"/staff/people/{review.id}"]

    def seen() -> list[str]:
        return [visitors.TOKEN.sub("", who.get(path).get_data(as_text=True)) for path in paths]

    before = seen()
    for place, choice in zip(places[5:8], ("no_contact", "keep", "delete"), strict=True):
        withdrawals.withdraw(session, place.person_id, choice, vault=vault, now=NOW, today=TODAY)
        session.commit()
        assert seen() == before


def test_a_withdrawal_and_a_decision_are_seen_by_the_next_look(app: Flask, session: Session, vault: Vault) -> None:
    of = gated(session)
    who = evaluator(app, session)
    assert "11 of 14 parents" in text_of(who, "/dashboard/trial/responses")
    undecided = session.scalars(
        select(Membership).where(
            Membership.role == "parent", Membership.id.not_in(select(roster.InvitationDecision.membership_id))
        )
    ).one()
    before = responses.stamp(session)
    roster.decide(session, undecided, Gate(True, True, True), actor="lead", now=NOW)
    session.commit()
    assert responses.stamp(session) > before
    assert "12 of 14 parents" in text_of(who, "/dashboard/trial/responses")
    withdrawals.withdraw(session, undecided.person_id, "keep", vault=vault, now=NOW, today=TODAY)
    session.commit()
    rows = rows_of(who, "/dashboard/trial/flow.csv")
    assert rows[0] == ["Wave", *flow.KINDS.values()]
    assert [row[4] for row in rows[1:]] == ["1"] * 4
    assert of.id


def test_with_nobody_expected_the_flow_is_empty(session: Session) -> None:
    assert responses.flow_tally(session, make.trial(session).id, TODAY).empty
