"""A participant's way through: their visit, the questionnaire that is next for them, and its pages as they see them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, aliased

from evalapp import asking, pins, responses, roster, tablets
from evalapp.consents import Terms
from evalapp.models import (
    Assignment,
    Membership,
    ParentalConsent,
    ParticipantSession,
    Person,
    Response,
    Review,
    Site,
    TabletSession,
    Trial,
    Withdrawal,
)
from evalapp.responses import TEXT_KINDS, Given
from evalapp.shelf import questionnaire
from evalapp.tablets import Tablet
from evalapp.vault import Vault, hashed, new_key
from instruments import Instrument, Item, Page, pages

IDLE = timedelta(minutes=40)
TABLET_IDLE = timedelta(minutes=10)  # the next person is waiting, and others are in the room


@dataclass(frozen=True)
class Asked:
    """One questionnaire a person is asked to answer; `state` is None before they said yes or no."""

    assignment_id: str
    review_id: str | None
    instrument: str
    version: int
    opens_on: date
    closes_on: date
    response_id: str | None
    state: str | None
    demonstration: bool
    words_read: bool
    year: int  # in which the trial began, for questions that look back to it
    role: str
    nation: str
    terms: Terms  # what the trial itself puts into the words of its information

    def is_open(self, today: date) -> bool:
        return self.state in {None, "open"} and self.opens_on <= today <= self.closes_on


@dataclass(frozen=True)
class Visit:
    """What this visit knows: whose it is, which questionnaire it is about, what was answered in it, and on what.

    `review_id` is the review a shared tablet is for; None on a device of one's own.
    """

    key: str
    person_id: str
    assignment_id: str | None
    seen: frozenset[str]
    proven: bool
    mode: str
    review_id: str | None


@dataclass(frozen=True)
class Sheet:
    """A questionnaire under way, in the language it is shown in, with what is stored of it."""

    asked: Asked
    response_id: str
    instrument: Instrument
    stored: Mapping[str, Given]
    seen: frozenset[str]

    @property
    def refusals(self) -> dict[str, str]:
        return dict(self.instrument.refusals)

    @property
    def words_allowed(self) -> bool:
        """Boxes for words only where somebody reads them (or in a demonstration)."""
        return self.asked.demonstration or self.asked.words_read

    def pages(self) -> list[tuple[Page, tuple[Item, ...]]]:
        """The pages that have something to show now, each with what it shows."""
        found = (
            (page, tuple(item for item in items if self.words_allowed or item.kind not in TEXT_KINDS))
            for page, items in pages(self.instrument, responses.values_of(self.stored))
        )
        return [(page, items) for page, items in found if items]

    def items(self, number: int) -> tuple[Item, ...]:
        """What page `number` shows; empty when it shows nothing now."""
        return next((items for page, items in self.pages() if page.number == number), ())

    def first_unsaved(self) -> int | None:
        """The first page with a question that was never shown; None when all are saved."""
        return next((page.number for page, items in self.pages() if self._unsaved(items)), None)

    def after(self, number: int) -> int | None:
        """The page that follows; the same one when an answer on it made another question appear there."""
        if self._unsaved(self.items(number)):
            return number
        return next((page.number for page, _ in self.pages() if page.number > number), None)

    def before(self, number: int) -> int | None:
        return max((page.number for page, _ in self.pages() if page.number < number), default=None)

    def is_hidden(self, code: str) -> bool:
        """Whether an answer is stored that was given in an earlier visit, and so is not shown in this one."""
        given = self.stored.get(code, responses.BLANK)
        return given != responses.BLANK and code not in self.seen

    def shown(self, codes: Iterable[str]) -> dict[str, Given]:
        """What may be shown of the stored answers: those given in this visit."""
        return {code: self.stored[code] for code in codes if code in self.stored and code in self.seen}

    def saved(self, given: Mapping[str, Given]) -> "Sheet":
        return replace(self, stored={**self.stored, **given})

    def _unsaved(self, items: Iterable[Item]) -> bool:
        return any(item.kind != "information" and item.code not in self.stored for item in items)


def find_participant(session: Session, key: str, now: datetime) -> str | None:
    """Whose visit a key belongs to; None when it ended or stood still for forty minutes (on a tablet, for ten)."""
    visit = session.get(ParticipantSession, hashed(key))
    if visit is None:
        return None
    idle = IDLE if visit.tablet_hash is None else TABLET_IDLE
    if visit.tablet_hash is not None:
        tablet = session.get(TabletSession, visit.tablet_hash)
        if tablet is None or now - tablet.opened_at >= tablets.LASTS:
            return None
    return None if now - visit.last_seen_at > idle else visit.person_id


def open_visit(session: Session, person_id: str, *, language: str, now: datetime, tablet: Tablet | None = None) -> str:
    """Begin a visit and return its key; visits that stood still too long are forgotten."""
    session.execute(delete(ParticipantSession).where(ParticipantSession.last_seen_at < now - IDLE))
    key = new_key()
    session.add(
        ParticipantSession(
            key_hash=hashed(key), person_id=person_id, language=language, last_seen_at=now,
            mode="own_link" if tablet is None else "tablet", tablet_hash=tablet and tablet.key_hash,
        )
    )  # fmt: skip
    return key


def end_visit(session: Session, key: str) -> None:
    session.execute(delete(ParticipantSession).where(ParticipantSession.key_hash == hashed(key)))


def visit_of(session: Session, key: str) -> Visit:
    """The visit of a key that the guard has let in."""
    found = session.get_one(ParticipantSession, hashed(key))
    tablet = None if found.tablet_hash is None else session.get(TabletSession, found.tablet_hash)
    return Visit(
        key=key,
        person_id=found.person_id,
        assignment_id=found.assignment_id,
        seen=frozenset(found.seen),
        proven=found.proven,
        mode=found.mode,
        review_id=None if tablet is None else tablet.review_id,
    )


def is_expected_at(session: Session, person_id: str, review_id: str) -> bool:
    query = select(Membership.id).where(Membership.person_id == person_id, Membership.review_id == review_id)
    return session.scalar(query) is not None


def note(session: Session, key: str, assignment_id: str, *, answered: Iterable[str] = (), now: datetime) -> None:
    """Note in a visit that it is in use, which questionnaire it is about, and what was answered in it."""
    query = select(ParticipantSession).where(ParticipantSession.key_hash == hashed(key)).with_for_update()
    visit = session.scalars(query.execution_options(populate_existing=True)).one()
    before = visit.seen if visit.assignment_id == assignment_id else []
    visit.assignment_id = assignment_id
    visit.seen = sorted({*before, *answered})
    visit.last_seen_at = now


def note_pin(session: Session, key: str, *, proven: bool) -> None:
    """Note in a visit that the person's PIN was given or chosen; or that they began again without it."""
    visit = session.get_one(ParticipantSession, hashed(key))
    visit.proven = proven
    if not proven:
        visit.seen = []


def stale(session: Session, key: str, now: datetime) -> bool:
    """Whether a visit's last use was noted over five minutes ago: so reading a page rarely writes."""
    visit = session.get(ParticipantSession, hashed(key))
    return visit is not None and now - visit.last_seen_at > timedelta(minutes=5)


def touch(session: Session, key: str, now: datetime) -> None:
    visit = session.get(ParticipantSession, hashed(key))
    if visit is not None:
        visit.last_seen_at = now


def asked_of(session: Session, person_id: str, *, review_id: str | None = None) -> list[Asked]:
    """Everything a person is asked to answer (or, with a review's id, in that review), in the order they get it: what
    closes first comes first.

    What must never be asked after a death is not, even when the death became known after somebody had begun. Nor is what
    a lead decided against, what a parent has not said yes to, or what somebody who withdrew does not want to be asked.
    """
    query = (
        select(Assignment, Response.id, Response.state, Trial, Membership, Review, Site, Withdrawal)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Person, Person.id == Membership.person_id)
        .join(Trial, Trial.id == Person.trial_id)
        .join(Site, Site.id == Membership.site_id)
        .outerjoin(Review, Review.id == Membership.review_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .outerjoin(Withdrawal, Withdrawal.person_id == Person.id)
        .where(Membership.person_id == person_id)
        .order_by(Assignment.closes_on, Assignment.opens_on, Assignment.instrument, Assignment.id)
    )
    if review_id is not None:
        query = query.where(Membership.review_id == review_id)
    rows = session.execute(query).all()
    places = {place.id: (place, review) for _, _, _, _, place, review, _, _ in rows}
    closed = {key for key, (place, review) in places.items() if not asking.of_place(session, place, review)}
    return [
        Asked(
            assignment_id=one.id,
            review_id=place.review_id,
            instrument=one.instrument,
            version=one.version,
            opens_on=one.opens_on,
            closes_on=one.closes_on,
            response_id=response_id,
            state=state,
            demonstration=trial.kind == "demo",
            words_read=bool(trial.text_reader),
            year=(trial.starts_on or one.opens_on).year,
            role=place.role,
            nation=site.nation,
            terms=Terms(contact=trial.contact, locks_on=trial.locks_on),
        )
        for one, response_id, state, trial, place, review, site, withdrawn in rows
        if state in {"submitted", "declined"} or (place.id not in closed and asking.wanted(one, review, withdrawn))
    ]


@dataclass(frozen=True)
class Child:
    """A young person a parent is asked about, without a name: which one a family knows by the number on their card."""

    young_id: str
    parent_id: str
    number: str  # of their person, as it stands on their card
    agreed: bool | None
    nation: str
    demonstration: bool
    terms: Terms


def children_of(session: Session, person_id: str) -> list[Child]:
    """The young people a person is asked about where that is needed, those nobody decided on yet first."""
    of_young = aliased(Membership)
    rows = session.execute(
        select(ParentalConsent, of_young, Site, Trial, Review)
        .join(Membership, Membership.id == ParentalConsent.parent_id)
        .join(of_young, of_young.id == ParentalConsent.young_id)
        .join(Site, Site.id == of_young.site_id)
        .join(Trial, Trial.id == Site.trial_id)
        .join(Review, Review.id == of_young.review_id)
        .where(Membership.person_id == person_id)
        .order_by(ParentalConsent.agreed.is_not(None), ParentalConsent.young_id)
    )
    return [
        Child(
            pair.young_id, pair.parent_id, young.person_id, pair.agreed, site.nation, trial.kind == "demo",
            Terms(contact=trial.contact, locks_on=trial.locks_on),
        )
        for pair, young, site, trial, review in rows
        if roster.needs_a_parent(roster.rules_of(session, site.id), young) and review.outcome != "death"
    ]  # fmt: skip


def current(asked: Iterable[Asked], visit: Visit, today: date) -> Asked | None:
    """The questionnaire that is next: the one this visit is about while it is under way, else what closes first."""
    known = list(asked)
    under_way = [one for one in known if one.assignment_id == visit.assignment_id and one.state == "open"]
    still_open = [one for one in known if one.is_open(today)]
    return next(iter([*under_way, *still_open]), None)


def in_language(asked: Asked, language: str) -> Instrument:
    """The questionnaire in a language it may be offered in, else in its own. Drafts are for demonstrations alone."""
    instrument = questionnaire(asked.instrument, asked.version)
    offered = instrument.languages if asked.demonstration else instrument.approved_languages
    shown = instrument.in_language(language) if language in offered else instrument
    return shown.filled({"year": str(asked.year)})


def is_locked(session: Session, sheet: Sheet, visit: Visit) -> bool:
    """Whether a questionnaire waits for its person's PIN: they chose one, and answers of an earlier visit are in it."""
    earlier = sheet.asked.state == "open" and any(sheet.is_hidden(code) for code in sheet.stored)
    return earlier and not visit.proven and pins.has_pin(session, visit.person_id)


def may_choose_pin(session: Session, visit: Visit, asked: Iterable[Asked], *, vault: Vault) -> bool:
    """Whether this visit may choose a PIN: not while there are answers of an earlier one, which the PIN would show."""
    if pins.has_pin(session, visit.person_id) and not visit.proven:
        return False
    sheets = (
        sheet_of(session, one, visit, language="en", vault=vault)
        for one in asked
        if one.state == "open" and one.response_id is not None
    )
    return not any(sheet.is_hidden(code) for sheet in sheets for code in sheet.stored)


def begin_again(session: Session, visit: Visit, asked: Iterable[Asked], *, vault: Vault, today: date) -> None:
    """Start blank without the PIN: what was saved of questionnaires under way is set aside for staff, and the PIN goes."""
    for one in asked:
        if one.state == "open" and one.response_id is not None:
            responses.set_aside(session, one.response_id, vault=vault, today=today)
    pins.forget(session, visit.person_id)
    note_pin(session, visit.key, proven=False)


def sheet_of(session: Session, asked: Asked, visit: Visit, *, language: str, vault: Vault) -> Sheet:
    """The questionnaire with what is stored of it; for one whose response was begun."""
    if asked.response_id is None:
        raise ValueError("this questionnaire was not begun")
    stored = responses.answers(session, asked.response_id, vault=vault)
    seen = visit.seen if visit.assignment_id == asked.assignment_id else frozenset[str]()
    return Sheet(
        asked=asked,
        response_id=asked.response_id,
        instrument=in_language(asked, language),
        stored=stored,
        seen=frozenset(stored) if visit.proven else seen,
    )


def proof(vault: Vault, visit: Visit, asked: Asked, codes: Iterable[str], basis: str) -> str:
    """Shows that this visit was given a page with this basis.

    Without it, somebody with another's card could post an invented basis and be shown the stored answers
    on the page that says "these were changed".
    """
    return vault.basis(visit.key, [asked.assignment_id, *codes, basis])
