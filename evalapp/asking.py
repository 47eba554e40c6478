"""Who may be asked what: the one rule by which a questionnaire is shown, printed, typed in from paper and reminded of."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import roster
from evalapp.models import Assignment, Membership, Review, Withdrawal
from evalapp.shelf import questionnaire


def of_place(session: Session, place: Membership, review: Review | None) -> bool:
    """Whether a lead's decision, a death and a parent's say leave a place open; each may close what was already begun."""
    if place.role not in roster.FAMILY or review is None:
        return True
    if not roster.is_invited(session, place, review):
        return False
    rules = roster.rules_of(session, place.site_id)
    return not roster.needs_a_parent(rules, place) or roster.has_parents_yes(session, place.id)


def wanted(one: Assignment, review: Review | None, withdrawn: Withdrawal | None) -> bool:
    """Whether a questionnaire may be asked where its place is open: not one that is never asked after a death, and nothing
    that somebody withdrew from being asked (everything, or what opens after they did)."""
    death = review is not None and review.outcome == "death"
    if death and questionnaire(one.instrument, one.version).not_after_death:
        return False
    if withdrawn is None:
        return True
    return withdrawn.choice == "no_contact" and one.opens_on <= withdrawn.withdrawn_on


def of_assignment(session: Session, assignment_id: str) -> bool:
    """Whether one questionnaire may be asked of its person now, whatever became of it so far."""
    found = session.execute(
        select(Assignment, Membership, Review, Withdrawal)
        .join(Membership, Membership.id == Assignment.membership_id)
        .outerjoin(Review, Review.id == Membership.review_id)
        .outerjoin(Withdrawal, Withdrawal.person_id == Membership.person_id)
        .where(Assignment.id == assignment_id)
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        return False
    one, place, review, withdrawn = found
    return wanted(one, review, withdrawn) and of_place(session, place, review)


def may_be_approached(session: Session, person_id: str, *, about: str | None = None) -> bool:
    """Whether somebody may be written to or handed a paper: not once they withdrew, however little that was, and only in a
    place that is open to them, or about a questionnaire (by the id of its assignment) they may be asked."""
    if session.get(Withdrawal, person_id, populate_existing=True) is not None:
        return False
    if about is not None:
        return of_assignment(session, about)
    places = session.execute(
        select(Membership, Review)
        .outerjoin(Review, Review.id == Membership.review_id)
        .where(Membership.person_id == person_id)
    ).all()
    return any(of_place(session, place, review) for place, review in places)
