"""What a dashboard keeps is never old: whatever it shows, a change of it is seen by the next look."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from evalapp import kept, responses, roster
from evalapp.models import Allocation, Arm, Assignment, Membership, Response, Review, Score, Site, Trial, Wave
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW
from tests.dashboard import crowd
from tests.dashboard.test_pages import evaluator, rows_of, text_of
from tests.security import visitors


def _sends(session: Session, vault: Vault) -> None:
    make.answered(session, make.assignment(session, _asked(session)), vault)


def _begins(session: Session, vault: Vault) -> None:
    _begun(session, agreed=True)


def _declines(session: Session, vault: Vault) -> None:
    _begun(session, agreed=False)


def _is_taken_away(session: Session, vault: Vault) -> None:
    one = session.scalars(select(Response).limit(1)).one()
    session.execute(delete(Response).where(Response.id == one.id))


def _is_scored_again(session: Session, vault: Vault) -> None:
    session.execute(update(Score).values(value=50.0))


def _is_allocated(session: Session, vault: Vault) -> None:
    site = session.scalars(select(Site).where(Site.id.not_in(select(Allocation.site_id)))).one()
    arm = session.scalars(select(Arm).order_by(Arm.position).limit(1)).one()
    roster.allocate(session, site, arm, scheme="complete", actor="system", now=NOW)


def _is_expected(session: Session, vault: Vault) -> None:
    make.person(session, session.scalars(select(Review).limit(1)).one())


def _is_moved(session: Session, vault: Vault) -> None:
    session.execute(update(Review).values(starts_on=Review.starts_on))


def _is_renamed(session: Session, vault: Vault) -> None:
    session.execute(update(Site).where(Site.name == "Unplaced").values(name="Elsewhere"))


def _is_planned_anew(session: Session, vault: Vault) -> None:
    session.execute(update(Trial).values(threshold=11))


def _has_an_arm_renamed(session: Session, vault: Vault) -> None:
    session.execute(update(Arm).where(Arm.is_treatment).values(label="Another name"))


def _is_asked_longer(session: Session, vault: Vault) -> None:
    session.execute(update(Assignment).values(closes_on=date(2028, 1, 1)))


def _is_asked_no_more(session: Session, vault: Vault) -> None:
    asked = make.assignment(session, _asked(session))
    session.execute(delete(Assignment).where(Assignment.id == asked.id))


CHANGES: tuple[Callable[[Session, Vault], None], ...] = (
    _sends, _begins, _declines, _is_taken_away, _is_scored_again, _is_allocated, _is_expected, _is_moved, _is_renamed,
    _is_planned_anew, _has_an_arm_renamed, _is_asked_longer, _is_asked_no_more,
)  # fmt: skip


def _asked(session: Session) -> Membership:
    """Somebody whose first questionnaire is open."""
    review = session.scalars(select(Review).where(Review.label == "Review to come")).one()
    return session.scalars(select(Membership).where(Membership.review_id == review.id).limit(1)).one()


def _begun(session: Session, *, agreed: bool) -> None:
    asked = make.assignment(session, _asked(session))
    responses.begin(
        session, asked.id, language="en", mode="own_link", consent_version="1", agreed=agreed, today=asked.opens_on
    )


def _trial(session: Session) -> Trial:
    of = crowd.trial(session)
    crowd.people(session, of, sites=1, reviews=1, each=2)
    site = make.site(session, of, "Unplaced")
    make.person(session, make.review(session, site, "Review to come", starts_on=date(2026, 3, 10)))
    session.commit()
    return of


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.__name__.strip("_"))
def test_the_stamp_moves_with_every_change_a_dashboard_shows(
    session: Session, vault: Vault, change: Callable[[Session, Vault], None]
) -> None:
    _trial(session)
    before = responses.stamp(session)
    change(session, vault)
    session.commit()
    assert responses.stamp(session) > before


def test_one_taken_away_and_another_sent_is_news_though_the_counts_are_as_before(
    session: Session, vault: Vault
) -> None:
    _trial(session)
    _sends(session, vault)
    session.commit()
    before = responses.stamp(session)
    _is_taken_away(session, vault)
    session.commit()
    assert responses.stamp(session) != before


def test_scores_derived_again_are_news_and_scores_found_right_are_none(session: Session, vault: Vault) -> None:
    site = make.site(session, crowd.trial(session))
    place = make.person(session, make.review(session, site))
    make.answered(session, make.assignment(session, place), vault)
    session.commit()
    before = responses.stamp(session)
    assert responses.rebuild_scores(session, vault=vault) == 0
    session.commit()
    assert responses.stamp(session) == before
    session.execute(update(Score).where(Score.scale == "MOR").values(value=1.5))
    session.commit()
    before = responses.stamp(session)
    assert responses.rebuild_scores(session, vault=vault) == 1
    session.commit()
    assert responses.stamp(session) > before


def test_a_page_shows_scores_derived_again_by_the_next_look(app: Flask, session: Session, vault: Vault) -> None:
    site = make.site(session, crowd.trial(session), arm="appreciative")
    review = make.review(session, site)
    for _ in range(3):
        make.answered(session, make.assignment(session, make.person(session, review)), vault)
    session.commit()
    who, page = evaluator(app, session), "/dashboard/trial/questions/practitioner/BLG"

    def seen() -> str:
        """The page, but for the form's token, which carries the second it was made in."""
        return visitors.TOKEN.sub("", text_of(who, page))

    right = seen()
    session.execute(update(Score).where(Score.scale == "BLG").values(value=0.0))
    session.commit()
    assert seen() != right
    assert responses.rebuild_scores(session, vault=vault) > 0
    session.commit()
    assert seen() == right


def test_a_change_that_was_not_kept_is_no_news(session: Session) -> None:
    _trial(session)
    before = responses.stamp(session)
    _is_expected(session, Vault.__new__(Vault))
    session.rollback()
    assert responses.stamp(session) == before


def test_a_look_without_news_works_nothing_out(session: Session) -> None:
    of, made = _trial(session), []
    key = (of.id, "tried")
    assert [kept.kept(session, key, lambda: made.append(1) or len(made)) for _ in range(3)] == [1, 1, 1]  # type: ignore[func-returns-value]


def test_what_is_kept_is_bounded(session: Session) -> None:
    of = _trial(session)
    for number in range(2 * kept.MOST):
        kept.kept(session, (of.id, str(number)), lambda: 1)
    assert len(kept._places) <= kept.MOST


def test_a_board_and_an_outcome_show_what_was_sent_since_the_last_look(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    places = crowd.people(session, of, waves=("before",))
    who = evaluator(app, session)
    board, outcome = "/dashboard/trial/responses", "/dashboard/trial/outcomes/blame"
    assert sum(int(row[3]) for row in rows_of(who, f"{board}.csv")[1:]) == 48
    assert "nothing to compare" in text_of(who, outcome)
    for place in places:
        crowd.answer(session, place, "month3", BLG=50.0)
    session.commit()
    assert sum(int(row[3]) for row in rows_of(who, f"{board}.csv")[1:]) == 96
    assert "nothing to compare" not in text_of(who, outcome)


def test_results_that_open_or_close_are_not_shown_from_before(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    who, outcome = evaluator(app, session), "/dashboard/trial/outcomes/blame"
    assert "Appreciative" in text_of(who, outcome)
    of.results_open_at = NOW + timedelta(days=1)
    session.commit()
    assert "Both groups together" in text_of(who, outcome)
    assert "Mixed model" not in text_of(who, outcome)
    of.results_open_at = NOW - timedelta(days=1)
    session.commit()
    assert "Mixed model" in text_of(who, outcome)


def test_every_wave_of_a_trial_is_seen_by_the_counter(session: Session) -> None:
    of = _trial(session)
    before = responses.stamp(session)
    session.execute(update(Wave).where(Wave.trial_id == of.id).values(closes_day=Wave.closes_day))
    session.commit()
    assert responses.stamp(session) > before
