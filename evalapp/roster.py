"""Who is expected: sites, reviews, people, their places in reviews, their cards and what each is asked to answer."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from evalapp import audit
from evalapp.codes import Code, hash_secret, new_code
from evalapp.models import (
    NOT_INVITED,
    Allocation,
    Arm,
    Assignment,
    Card,
    InvitationDecision,
    Membership,
    Paper,
    PaperEntry,
    ParentalConsent,
    ParticipantSession,
    Person,
    Response,
    Review,
    Site,
    SiteRules,
    Trial,
    Wave,
    Withdrawal,
)
from evalapp.shelf import shelf
from evalapp.vault import Vault
from instruments import Instrument

GRACE = timedelta(days=30)  # how long after the last window a card still opens the door


class NotInvited(Exception):
    """Nobody has decided that this parent may be asked, so they get no card yet."""


@dataclass(frozen=True)
class Gate:
    """A lead's answers on whether somebody may be asked. `other` is a reason that is none of the three."""

    safe: bool
    lawful: bool
    kind: bool
    other: str | None = None

    @property
    def reason(self) -> str | None:
        """Why they are not asked, the weightiest first; None when they are."""
        three = (("not_safe", self.safe), ("not_lawful", self.lawful), ("not_kind_now", self.kind))
        return next((code for code, answer in three if not answer), self.other)


@dataclass(frozen=True)
class Window:
    """A wave's window in days from a review's start or end, or from the day a site joined; both days included."""

    code: str
    anchor: str
    opens_day: int
    closes_day: int


# "Before" ends the day before the first day, so that nothing of the review is in it. "Baseline" is asked of people who
# answer for their site, and is over before a site that joins in good time learns its group.
USUAL_WAVES = (
    Window("baseline", "joined", 0, 42),
    Window("before", "start", -28, -1),
    Window("after", "end", 0, 7),
    Window("month3", "end", 76, 118),
    Window("month12", "end", 350, 410),
)
FAMILY = ("parent", "young_person")
GATED = ("parent",)  # never asked before a named lead has decided that they may be


_WORK = ("practitioner", "manager")
# (code, label, scale, wave, baseline wave, roles): the first decides. A scale whose wording points at something else
# before and after has no baseline here: only the arms are compared. Worthwhile: 8 points of 100 (0.4 SD).
_USUAL_OUTCOMES = (
    ("blame", "Freedom from blame", "BLG", "month3", "before", _WORK),
    ("morale", "Morale", "MOR", "month3", "before", _WORK),
    ("review-blame", "Freedom from blame in this review", "BLR", "after", None, _WORK),
    ("affirmed", "Parents affirmed", "AFF", "after", None, ("parent",)),
    ("candour", "Hard things talked about", "CAN", "after", None, _WORK),
)
# (code, label, items, reply, roles, higher is better): shares of people, the harms as plainly as the benefits.
_USUAL_SHARES = (
    ("all-four", "Parents who were recognised, affirmed, built upon and heard", ("AFF1", "AFF2", "AFF3", "VOI2"), "agree",
     ("parent",), True),
    ("failure", "Parents who felt like a failure", ("HARM1",), "agree", ("parent",), False),
    ("blamed", "Parents who felt blamed", ("HARM2",), "agree", ("parent",), False),
    ("unsafe", "Parents who did not feel safe to speak", ("RSP3",), "disagree", ("parent",), False),
    ("avoided", "Professionals who say hard things were steered around", ("CAN3",), "agree", _WORK, False),
    ("smaller", "Professionals who left feeling smaller", ("TALL1",), "disagree", _WORK, False),
)  # fmt: skip
# (code, label, process, higher is better; None where it only tells whether the groups were reviewed in different ways).
_USUAL_PROCESSES = (
    ("fidelity", "Fidelity to the appreciative way", "fidelity", None),
    ("high-fidelity", "Reviews of high fidelity", "high_fidelity", None),
    ("contact-days", "Days on which people met", "contact_days", None),
    ("days-to-report", "The time from trigger to report", "days_to_report", False),
    ("new-idea", "Reviews that brought a new idea", "new_idea", True),
    ("own-actions", "Actions begun without being told", "own_actions", True),
)


def usual_plan(*, design: str, planned_sites: int) -> dict[str, Any]:
    """The plan a trial starts with, as data for `analysis.plan`: freedom from blame at three months decides."""
    outcomes = [
        {
            "code": code, "label": label, "scale": scale, "wave": wave, "baseline_wave": baseline, "roles": list(roles),
            "minimum": 0, "maximum": 100, "higher_is_better": True, "smallest_worthwhile": 8, "primary": place == 0,
        }
        for place, (code, label, scale, wave, baseline, roles) in enumerate(_USUAL_OUTCOMES)
    ]  # fmt: skip
    outcomes += [
        {
            "code": code, "label": label, "kind": "share", "items": list(items), "reply": reply, "wave": "after",
            "roles": list(roles), "higher_is_better": better, "smallest_worthwhile": 10,
        }
        for code, label, items, reply, roles, better in _USUAL_SHARES
    ]  # fmt: skip
    outcomes += [
        {"code": code, "label": label, "kind": "process", "scale": process, "wave": "after", "higher_is_better": better}
        for code, label, process, better in _USUAL_PROCESSES
    ]
    return {
        "design": design, "planned_sites": planned_sites, "alpha": 0.05, "level": 0.95, "seed": 1, "outcomes": outcomes,
    }  # fmt: skip


def add_trial(
    session: Session,
    slug: str,
    title: str,
    *,
    arms: tuple[tuple[str, str], tuple[str, str]] = (
        ("appreciative", "Appreciative"),
        ("traditional", "Traditional"),
    ),
    waves: tuple[Window, ...] = USUAL_WAVES,
    **facts: object,
) -> Trial:
    """A trial with its two arms (code, label; the first is the treatment) and its waves."""
    trial = Trial(slug=slug, title=title, **facts)
    session.add(trial)
    session.flush()
    for position, (code, label) in enumerate(arms):
        session.add(Arm(trial_id=trial.id, code=code, label=label, is_treatment=position == 0, position=position))
    for position, wave in enumerate(waves):
        session.add(
            Wave(
                trial_id=trial.id, code=wave.code, position=position, anchor=wave.anchor,
                opens_day=wave.opens_day, closes_day=wave.closes_day,
            )
        )  # fmt: skip
    session.flush()
    return trial


def allocate(
    session: Session,
    site: Site,
    arm: Arm,
    *,
    scheme: str,
    actor: str,
    now: datetime,
    stratum: str | None = None,
    drawn_at: datetime | None = None,
    revealed_at: datetime | None = None,
) -> None:
    """Record which arm a site was given. Recorded once: the table refuses a change.

    `drawn_at` is when the draw was made, when that was before it is recorded here; `revealed_at` when the site
    learns of it, when that is another moment. First answers given before then are a clean starting point.
    """
    session.add(
        Allocation(
            site_id=site.id, arm_id=arm.id, scheme=scheme, stratum=stratum,
            allocated_at=drawn_at or now, revealed_at=revealed_at or now,
        )
    )  # fmt: skip
    audit.record(session, actor, "site allocated", f"site {site.id}", now=now, scheme=scheme)


def add_person(
    session: Session, where: Review | Site, role: str, *, agency: str | None = None, level: str | None = None,
    person: Person | None = None, form: str = "standard",
) -> Membership:  # fmt: skip
    """Someone's place in a review, or at a site outside its reviews, with what they are asked to answer there.

    The person is a new one, or one already in the trial.
    """
    site = where if isinstance(where, Site) else session.get_one(Site, where.site_id)
    if person is None:
        person = Person(trial_id=site.trial_id)
        session.add(person)
        session.flush()
    place = Membership(
        person_id=person.id, site_id=site.id, review_id=None if isinstance(where, Site) else where.id, role=role,
        agency=agency, level=level, form=form,
    )  # fmt: skip
    session.add(place)
    session.flush()
    assign(session, place)
    return place


def assign(session: Session, place: Membership) -> None:
    """Bring what a place is asked into line with what is known now: its review's days and outcome, the decision to invite.

    A questionnaire is asked at each wave of the trial that has one for the place and whose day is known. What is no
    longer asked is taken back, unless an answer to it was begun. For somebody who has withdrawn nothing changes: they are
    asked nothing more (`journey.asked_of`), and what they had been asked stays counted.
    """
    if session.get(Withdrawal, place.person_id) is not None:
        return
    site = session.get_one(Site, place.site_id)
    review = None if place.review_id is None else session.get_one(Review, place.review_id)
    typed = select(Paper.assignment_id).join(PaperEntry, PaperEntry.paper_id == Paper.id)
    begun = select(Response.assignment_id).union(typed)  # answers being typed in from paper are answers
    trial = session.get_one(Trial, site.trial_id)
    words = trial.kind == "demo" or bool(trial.text_reader)
    had = session.scalars(select(Assignment).where(Assignment.membership_id == place.id)).all()
    known = {(one.wave_id, one.instrument): one for one in had}
    wanted = set()
    for wave in session.scalars(select(Wave).where(Wave.trial_id == site.trial_id).order_by(Wave.position)):
        anchor = _day(wave, site, review)
        if anchor is None:
            continue
        opens, closes = (anchor + timedelta(days=day) for day in (wave.opens_day, wave.closes_day))
        for instrument in expected(session, place, wave.code, review):
            if not words and not instrument.closed_items:
                continue  # nothing but boxes, and nobody named to read them
            wanted.add((wave.id, instrument.name))
            if (wave.id, instrument.name) not in known:
                session.add(
                    Assignment(
                        membership_id=place.id, wave_id=wave.id, instrument=instrument.name, version=instrument.version,
                        opens_on=opens, closes_on=closes,
                    )
                )  # fmt: skip
    gone = [one.id for key, one in known.items() if key not in wanted]
    if gone:
        session.execute(delete(Assignment).where(Assignment.id.in_(gone), Assignment.id.not_in(begun)))
    session.flush()


def _day(wave: Wave, site: Site, review: Review | None) -> date | None:
    """The day a wave's window is counted from; None while it is not known, or where the wave is not asked."""
    if review is None:
        return site.joined_on
    return {"start": review.starts_on, "end": review.ends_on}.get(wave.anchor)


def expected(session: Session, place: Membership, wave: str, review: Review | None) -> tuple[Instrument, ...]:
    """What a place is asked at a wave. A parent, and after a death a family, is asked nothing unless somebody decided that
    they may be."""
    if review is not None and not is_invited(session, place, review):
        return ()
    return questionnaires(place.role, wave, review, form=place.form)


def questionnaires(role: str, wave: str, review: Review | None, *, form: str = "standard") -> tuple[Instrument, ...]:
    """What a role is asked at a wave of a review (or, without one, at a site), by what happened in the case."""
    death = review is not None and review.outcome == "death"
    asked = [
        one
        for one in shelf().for_role_and_wave(role, wave, outside_reviews=review is None)
        if not (one.not_after_death if death else one.only_after_death)
    ]
    in_form = tuple(one for one in asked if one.form == form)
    return in_form or tuple(one for one in asked if one.form == "standard")


def decision_on(session: Session, place: Membership) -> InvitationDecision | None:
    """The decision that holds on whether somebody may be asked; None while nobody has decided."""
    return session.scalar(
        select(InvitationDecision)
        .where(InvitationDecision.membership_id == place.id)
        .order_by(InvitationDecision.number.desc())
        .limit(1)
    )


def is_invited(session: Session, place: Membership, review: Review) -> bool:
    """Whether somebody in a review may be asked by what was decided; only families need a decision.

    A yes from before a death was known does not hold after it: it was given for other questions.
    """
    if place.role not in FAMILY:
        return True
    decision, death = decision_on(session, place), review.outcome == "death"
    if decision is not None and not (death and decision.invite and decision.after_death is False):
        return decision.invite
    return place.role not in GATED and not death


def decide(session: Session, place: Membership, gate: Gate, *, actor: str, now: datetime) -> InvitationDecision:
    """Record whether somebody may be asked, and ask or take back accordingly."""
    last = decision_on(session, place)
    invite = gate.reason is None
    review = None if place.review_id is None else session.get_one(Review, place.review_id)
    decision = InvitationDecision(
        membership_id=place.id, number=1 if last is None else last.number + 1, invite=invite, reason=gate.reason,
        safe=gate.safe, lawful=gate.lawful, kind=gate.kind,
        after_death=review is not None and review.outcome == "death", decided_at=now, decided_by=actor,
    )  # fmt: skip
    session.add(decision)
    session.flush()
    audit.record(
        session, actor, "invitation decided", f"membership {place.id}", now=now, invite=invite, reason=gate.reason
    )
    assign(session, place)
    return decision


UNDECIDED, ASKED = "nobody_decided", "asked"


def gate_counts(session: Session, trial_id: str, role: str = "parent") -> dict[str, int]:
    """Of everyone of a role expected in a review: how many may be asked, on how many nobody has decided, and how many are
    kept from it by each reason. A person in two reviews is decided on twice, and counts twice."""
    last = (
        select(InvitationDecision.membership_id, func.max(InvitationDecision.number).label("number"))
        .group_by(InvitationDecision.membership_id)
        .subquery()
    )
    lapsed = and_(Review.outcome == "death", InvitationDecision.after_death.is_(False), InvitationDecision.invite)
    found = case(
        (InvitationDecision.id.is_(None), UNDECIDED),
        (lapsed, UNDECIDED),
        (InvitationDecision.invite, ASKED),
        else_=InvitationDecision.reason,
    ).label("found")
    query = (
        select(found, func.count())
        .select_from(Membership)
        .join(Review, Review.id == Membership.review_id)
        .join(Site, Site.id == Review.site_id)
        .outerjoin(last, last.c.membership_id == Membership.id)
        .outerjoin(
            InvitationDecision,
            and_(InvitationDecision.membership_id == Membership.id, InvitationDecision.number == last.c.number),
        )
        .where(Site.trial_id == trial_id, Membership.role == role)
        .group_by(found)
    )
    counted = {kind: number for kind, number in session.execute(query)}  # noqa: C416  (pairs, to mypy)
    return {kind: counted.get(kind, 0) for kind in (ASKED, UNDECIDED, *NOT_INVITED)}


def rules_of(session: Session, site_id: str) -> SiteRules:
    """A site's rules; without a row nobody is named, and every young person needs a parent's yes."""
    return session.get(SiteRules, site_id) or SiteRules(site_id=site_id, lead_id=None, young_people="always")


def needs_a_parent(rules: SiteRules, place: Membership) -> bool:
    """Whether a young person is asked only once a parent has said yes; an age nobody recorded counts as under 16."""
    if place.role != "young_person" or rules.young_people == "never":
        return False
    return rules.young_people == "always" or place.under_16 is not False


def link(session: Session, young: Membership, parent: Membership, *, actor: str, now: datetime) -> None:
    """Make a parent the one who is asked about a young person of the same review. A link is never taken back, so that no
    second one can pass over a no."""
    if (young.role, parent.role) != ("young_person", "parent") or young.review_id != parent.review_id:
        raise ValueError("only a young person and a parent of one review can be linked")
    if session.get(ParentalConsent, (young.id, parent.id)) is None:
        session.add(ParentalConsent(young_id=young.id, parent_id=parent.id))
        audit.record(session, actor, "parent linked", f"membership {young.id}", now=now)
    session.flush()


def has_parents_yes(session: Session, young_id: str) -> bool:
    """Whether a linked parent has said yes and none has said no."""
    said = session.scalars(select(ParentalConsent.agreed).where(ParentalConsent.young_id == young_id)).all()
    return True in said and False not in said


def say(session: Session, young_id: str, parent_id: str, *, agreed: bool, consent_version: str, today: date) -> bool:
    """Keep what a parent says of a young person, and return what holds. A no is final; a yes can become one.

    Nothing goes on the record of staff's doings: nobody there learns who said no.
    """
    query = select(ParentalConsent).where(ParentalConsent.young_id == young_id, ParentalConsent.parent_id == parent_id)
    pair = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()
    if pair.agreed is not False and pair.agreed != agreed:
        pair.agreed, pair.consent_version, pair.decided_on = agreed, consent_version, today
        session.flush()
    return bool(pair.agreed)


def issue_card(session: Session, person_id: str, *, vault: Vault, actor: str, now: datetime) -> Code:
    """A new code for a person; any earlier card of theirs stops working, and visits opened with it end.

    The code is returned once and never kept. Raises NotInvited for a parent on whom nobody has decided.
    """
    if not may_have_card(session, person_id):
        raise NotInvited
    session.execute(delete(ParticipantSession).where(ParticipantSession.person_id == person_id))
    for card in session.scalars(select(Card).where(Card.person_id == person_id, Card.revoked_at.is_(None))):
        card.revoked_at = now
    while True:
        code = new_code()
        if session.scalar(select(Card.id).where(Card.selector == code.selector)) is None:
            break
    session.add(Card(person_id=person_id, selector=code.selector, secret_hash=hash_secret(code, vault)))
    try:
        session.flush()
    except IntegrityError as error:  # two cards drew one selector at the same moment
        raise RuntimeError("could not make a new card just now; try again") from error
    audit.record(session, actor, "card issued", f"person {person_id}", now=now)
    return code


def may_have_card(session: Session, person_id: str) -> bool:
    """Whether a person has any place in which they may be asked, or had a card already: a lost one is always replaced,
    since it also opens the page to take answers back."""
    if session.scalar(select(Card.id).where(Card.person_id == person_id).limit(1)) is not None:
        return True
    places = session.execute(
        select(Membership, Review)
        .outerjoin(Review, Review.id == Membership.review_id)
        .where(Membership.person_id == person_id)
    )
    return any(
        place.role not in GATED or (place.review_id is not None and is_invited(session, place, review))
        for place, review in places
    )


def card_ends_on(session: Session, person_id: str) -> date | None:
    """The last day a person's card opens the door: thirty days after their last window, or the last day on which what they
    gave can be taken out, where that is later. None without any questionnaire."""
    found = session.execute(
        select(Assignment.closes_on, Trial.locks_on)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Site, Site.id == Membership.site_id)
        .join(Trial, Trial.id == Site.trial_id)
        .where(Membership.person_id == person_id)
        .order_by(Assignment.closes_on.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    last: date = found.closes_on + GRACE
    return last if found.locks_on is None else max(last, found.locks_on - timedelta(days=1))
