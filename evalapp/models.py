"""Every table: the trial's data dictionary."""

import secrets
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from evalapp.db import Base, UtcDateTime

ROLES = ("practitioner", "manager", "leader", "parent", "young_person", "facilitator", "observer")
STAFF_ROLES = ("admin", "evaluator", "coordinator", "funder")
WAVES = ("baseline", "before", "after", "month3", "month12")
NATIONS = ("england", "wales", "scotland", "northern_ireland")
MODES = ("own_link", "tablet", "paper", "interviewer", "file")
ANCHORS = ("joined", "start", "end")
FORMS = ("standard", "easy_read")
TRIGGERS = ("not_recorded", "success", "good_practice", "near_miss", "harm", "death")
DECISIONS_ON_WORDS = ("release", "withhold", "acted_on")
PAPER_STATES = ("out", "held", "stored", "unused")
NOT_INVITED = ("not_safe", "not_lawful", "not_kind_now", "cannot_reach", "said_no", "other")
YOUNG_PEOPLE = ("always", "under_16", "never")  # for whom a parent's yes is needed beside their own
WITHDRAWALS = ("no_contact", "keep", "delete")  # from the least to the most: a choice may be followed by a later one

MESSAGE_STATES = ("waiting", "handed", "sent", "unsure", "failed", "dropped")
NOT_SENT = ("no_contact", "stopped", "undeliverable", "answered", "closed", "same_day", "replaced", "refused")


def random_id() -> str:
    """A key that tells nothing: not order, not time (64 random bits)."""
    return secrets.token_hex(8)


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class Trial(Base):
    """One trial: its design, its plan as data, when results may be seen by arm, and its disclosure threshold."""

    __tablename__ = "trial"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(8), default="live")
    design: Mapped[str] = mapped_column(String(16), default="randomised")
    planned_sites: Mapped[int | None] = mapped_column(Integer)
    starts_on: Mapped[date | None] = mapped_column(Date)  # its year stands in the questions that look ahead
    targets: Mapped[dict[str, int]] = mapped_column(
        JSON, default=dict
    )  # expected to be recruited, by what; in how many weeks
    plan: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # parsed by analysis.plan
    results_open_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    threshold: Mapped[int] = mapped_column(Integer, default=10)
    reminder_days: Mapped[list[int] | None] = mapped_column(JSON)  # days after a window opens; None, the usual ones
    text_reader: Mapped[str | None] = mapped_column(String(200))  # who reads free text; no reader, no boxes
    locks_on: Mapped[date | None] = mapped_column(Date)  # from this day on nobody's answers can be taken out any more
    contact: Mapped[str | None] = mapped_column(
        String(200)
    )  # whom people may ask about the study: printed as it stands
    arms: Mapped[list["Arm"]] = relationship(order_by="Arm.position")
    waves: Mapped[list["Wave"]] = relationship(order_by="Wave.position")
    __table_args__ = (
        one_of("kind", ("live", "demo")),
        one_of("design", ("randomised", "nonrandomised")),
        CheckConstraint("threshold >= 5", name="threshold_floor"),
    )


class Arm(Base):
    """One arm of a trial; exactly one is the treatment the contrast is for."""

    __tablename__ = "arm"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    code: Mapped[str] = mapped_column(String(40))
    label: Mapped[str] = mapped_column(String(80))
    is_treatment: Mapped[bool] = mapped_column(Boolean)
    position: Mapped[int] = mapped_column(Integer, default=0)
    __table_args__ = (UniqueConstraint("trial_id", "code"), UniqueConstraint("trial_id", "is_treatment"))


class Site(Base):
    """One cluster: a safeguarding partnership, board or committee; its nation decides its terms."""

    __tablename__ = "site"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    name: Mapped[str] = mapped_column(String(120))
    nation: Mapped[str] = mapped_column(String(20), default="england")
    joined_on: Mapped[date | None] = mapped_column(Date)
    __table_args__ = (UniqueConstraint("trial_id", "name"), one_of("nation", NATIONS))


class SiteRules(Base):
    """Who decides at a site whether a parent may be asked, and when a young person needs a parent's yes beside their own.

    A site without a row has nobody named, and asks no young person without a parent's yes.
    """

    __tablename__ = "site_rules"
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    lead_id: Mapped[str | None] = mapped_column(ForeignKey("staff_user.id"))
    young_people: Mapped[str] = mapped_column(String(12), default="always")
    __table_args__ = (one_of("young_people", YOUNG_PEOPLE),)


class Allocation(Base):
    """Which arm a site was given, how and when: written once, never changed (triggers refuse it)."""

    __tablename__ = "allocation"
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    arm_id: Mapped[str] = mapped_column(ForeignKey("arm.id"))
    scheme: Mapped[str] = mapped_column(String(20), default="complete")
    stratum: Mapped[str | None] = mapped_column(String(80))
    allocated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revealed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    __table_args__ = (one_of("scheme", ("complete", "stratified", "pairs", "constrained", "minimised", "none")),)


class Review(Base):
    """One case review at a site: the event people answer about. Its id is random, never a local reference."""

    __tablename__ = "review"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    label: Mapped[str] = mapped_column(String(80))
    review_type: Mapped[str | None] = mapped_column(String(80))
    statutory: Mapped[bool | None] = mapped_column(Boolean)
    outcome: Mapped[str] = mapped_column(String(12), default="not_recorded")
    trigger: Mapped[str] = mapped_column(String(16), default="not_recorded")  # what made people hold it
    model_version: Mapped[str | None] = mapped_column(String(40))  # of the way of reviewing, as its authors number it
    triggered_on: Mapped[date | None] = mapped_column(Date)
    starts_on: Mapped[date | None] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date)
    reported_on: Mapped[date | None] = mapped_column(Date)
    contact_days: Mapped[int | None] = mapped_column(Integer)  # days on which people met, not days from first to last
    __table_args__ = (
        UniqueConstraint("site_id", "label"),
        UniqueConstraint("id", "site_id"),  # so that a place names a review and its own site, or neither
        one_of("outcome", ("not_recorded", "no_harm", "harm", "death")),
        one_of("trigger", TRIGGERS),
        CheckConstraint("ends_on IS NULL OR starts_on IS NULL OR ends_on >= starts_on", name="ends_after_start"),
        CheckConstraint(
            "triggered_on IS NULL OR starts_on IS NULL OR triggered_on <= starts_on", name="triggered_before_start"
        ),
        CheckConstraint(
            "reported_on IS NULL OR starts_on IS NULL OR reported_on >= starts_on", name="reported_after_start"
        ),
        CheckConstraint("contact_days IS NULL OR contact_days BETWEEN 1 AND 366", name="contact_days_possible"),
    )


class Person(Base):
    """Someone taking part. No name, e-mail or telephone number is ever held here."""

    __tablename__ = "person"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    pin_hash: Mapped[str | None] = mapped_column(String(200))  # for resuming with a PIN the person chose


class Card(Base):
    """A person's code: a selector to find it by and a hash of its secret; the code itself is never kept."""

    __tablename__ = "card"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    selector: Mapped[str] = mapped_column(String(4), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(200))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Membership(Base):
    """A person's place in one review, or at a site outside its reviews: role, agency, level, and the form they read best."""

    __tablename__ = "membership"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"))
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    review_id: Mapped[str | None] = mapped_column(String(16), index=True)
    role: Mapped[str] = mapped_column(String(20))
    agency: Mapped[str | None] = mapped_column(String(40))
    level: Mapped[str | None] = mapped_column(String(40))
    form: Mapped[str] = mapped_column(String(12), default="standard")
    under_16: Mapped[bool | None] = mapped_column(Boolean)  # of young people alone; never a date of birth
    __table_args__ = (
        ForeignKeyConstraint(["review_id", "site_id"], ["review.id", "review.site_id"]),
        UniqueConstraint("person_id", "review_id"),
        Index(
            "uq_membership_person_id_site_id_outside", "person_id", "site_id", unique=True,
            sqlite_where=text("review_id IS NULL"), postgresql_where=text("review_id IS NULL"),
        ),
        one_of("role", ROLES),
        one_of("form", FORMS),
    )  # fmt: skip


class InvitationDecision(Base):
    """Whether someone may be asked: is it safe, lawful and kind? The last decision on a place holds.

    The three answers, and whether a death was known, are missing from decisions made before they were kept.
    """

    __tablename__ = "invitation_decision"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    membership_id: Mapped[str] = mapped_column(ForeignKey("membership.id"))
    number: Mapped[int] = mapped_column(Integer)
    invite: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str | None] = mapped_column(String(16))  # why not
    safe: Mapped[bool | None] = mapped_column(Boolean)
    lawful: Mapped[bool | None] = mapped_column(Boolean)
    kind: Mapped[bool | None] = mapped_column(Boolean)
    after_death: Mapped[bool | None] = mapped_column(
        Boolean
    )  # whether a death was known: a yes from before does not hold
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[str] = mapped_column(String(40))
    __table_args__ = (
        UniqueConstraint("membership_id", "number"),
        one_of("reason", NOT_INVITED),
        CheckConstraint("invite = (reason IS NULL)", name="reason_when_not_invited"),
        CheckConstraint(
            "safe IS NULL OR NOT invite OR (safe AND lawful AND kind)", name="invited_when_safe_lawful_and_kind"
        ),
    )


class ParentalConsent(Base):
    """A parent's say on whether a young person may be asked. No answer yet is neither yes nor no; a no is final."""

    __tablename__ = "parental_consent"
    young_id: Mapped[str] = mapped_column(ForeignKey("membership.id"), primary_key=True)
    parent_id: Mapped[str] = mapped_column(ForeignKey("membership.id"), primary_key=True, index=True)
    agreed: Mapped[bool | None] = mapped_column(Boolean)
    consent_version: Mapped[str | None] = mapped_column(String(20))  # what the parent was shown
    decided_on: Mapped[date | None] = mapped_column(Date)
    __table_args__ = (
        CheckConstraint("young_id <> parent_id", name="two_people"),
        CheckConstraint("(agreed IS NULL) = (decided_on IS NULL)", name="day_when_decided"),
        {"sqlite_with_rowid": False},
    )


class Withdrawal(Base):
    """What a person chose when they changed their mind: nothing in it says why, and a day is all that is known of when."""

    __tablename__ = "withdrawal"
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True)
    choice: Mapped[str] = mapped_column(String(12))
    withdrawn_on: Mapped[date] = mapped_column(Date)
    receipt: Mapped[str] = mapped_column(String(20), unique=True)
    __table_args__ = (one_of("choice", WITHDRAWALS), {"sqlite_with_rowid": False})


class Wave(Base):
    """A round of questionnaires and its window, both days included: in days from a review's start or end, or from the day
    the site joined. At a site outside its reviews every wave counts from the day it joined."""

    __tablename__ = "wave"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    code: Mapped[str] = mapped_column(String(20))
    position: Mapped[int] = mapped_column(Integer)
    anchor: Mapped[str] = mapped_column(String(8))
    opens_day: Mapped[int] = mapped_column(Integer)
    closes_day: Mapped[int] = mapped_column(Integer)
    __table_args__ = (
        UniqueConstraint("trial_id", "code"),
        one_of("code", WAVES),
        one_of("anchor", ANCHORS),
        CheckConstraint("closes_day >= opens_day", name="closes_after_opening"),
    )


class Assignment(Base):
    """One questionnaire one person is asked to answer, and the days on which they can."""

    __tablename__ = "assignment"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    membership_id: Mapped[str] = mapped_column(ForeignKey("membership.id"))
    wave_id: Mapped[str] = mapped_column(ForeignKey("wave.id"), index=True)
    instrument: Mapped[str] = mapped_column(String(60))
    version: Mapped[int] = mapped_column(Integer)
    opens_on: Mapped[date] = mapped_column(Date)
    closes_on: Mapped[date] = mapped_column(Date)
    __table_args__ = (
        UniqueConstraint("membership_id", "wave_id", "instrument"),
        CheckConstraint("closes_on >= opens_on", name="closes_after_opening"),
    )


class Response(Base):
    """One person's questionnaire: consent, state, and how it was given. No address, device or time of day."""

    __tablename__ = "response"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id"), unique=True)
    instrument: Mapped[str] = mapped_column(String(60))
    version: Mapped[int] = mapped_column(Integer)
    language: Mapped[str] = mapped_column(String(8))
    mode: Mapped[str] = mapped_column(String(12))
    consent_version: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10), default="open")
    submitted_on: Mapped[date | None] = mapped_column(Date)
    receipt: Mapped[str | None] = mapped_column(String(20), unique=True)
    basis: Mapped[str | None] = mapped_column(
        String(64)
    )  # what was on the page when it was sent: a repeat is known by it
    __table_args__ = (
        one_of("mode", MODES),
        one_of("state", ("open", "declined", "submitted")),
        CheckConstraint("(state = 'submitted') = (receipt IS NOT NULL)", name="receipt_when_submitted"),
        Index("ix_response_instrument_state", "instrument", "state"),
        {"sqlite_with_rowid": False},  # no row order that tells who answered when
    )


class Answer(Base):
    """One answer. A null value means shown and left blank; no row, never shown; a reason, a refusal."""

    __tablename__ = "answer"
    response_id: Mapped[str] = mapped_column(ForeignKey("response.id", ondelete="CASCADE"), primary_key=True)
    item: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    reason: Mapped[str | None] = mapped_column(String(16))
    __table_args__ = (
        CheckConstraint("reason IS NULL OR value IS NULL", name="value_or_reason"),
        CheckConstraint("reason IN ('prefer_not', 'not_applicable')", name="reason_known"),
        {"sqlite_with_rowid": False},
    )


class FreeText(Base):
    """Words a person wrote, encrypted; read by one audited function alone."""

    __tablename__ = "free_text"
    response_id: Mapped[str] = mapped_column(ForeignKey("response.id", ondelete="CASCADE"), primary_key=True)
    item: Mapped[str] = mapped_column(String(40), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = ({"sqlite_with_rowid": False},)


class WordsDecision(Base):
    """What a named reader decided on words somebody wrote; until then they are held and nobody else can read them."""

    __tablename__ = "words_decision"
    response_id: Mapped[str] = mapped_column(ForeignKey("response.id", ondelete="CASCADE"), primary_key=True)
    item: Mapped[str] = mapped_column(String(40), primary_key=True)
    decision: Mapped[str] = mapped_column(String(10))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # the words as released, names and places taken out
    decided_on: Mapped[date] = mapped_column(Date)
    decided_by: Mapped[str] = mapped_column(String(40))
    __table_args__ = (
        one_of("decision", DECISIONS_ON_WORDS),
        CheckConstraint("(decision = 'release') = (sealed IS NOT NULL)", name="words_when_released"),
        {"sqlite_with_rowid": False},
    )


class WordsReader(Base):
    """A colleague named by an admin to read what people write in a trial, and to ring back who asks for it."""

    __tablename__ = "words_reader"
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), primary_key=True)


class CallBack(Base):
    """Somebody who asked to be rung: how to reach them, sealed. It names no person, card or answer of the trial."""

    __tablename__ = "call_back"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    asked_on: Mapped[date] = mapped_column(Date)
    __table_args__ = ({"sqlite_with_rowid": False},)


class Score(Base):
    """A scale's score of a submitted response: derived at submit, rebuilt by command, null when too little was answered."""

    __tablename__ = "score"
    response_id: Mapped[str] = mapped_column(ForeignKey("response.id", ondelete="CASCADE"), primary_key=True)
    scale: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[float | None] = mapped_column(Float)
    __table_args__ = (Index("ix_score_scale", "scale"), {"sqlite_with_rowid": False})


class SetAside(Base):
    """Pages saved before somebody began again without their PIN: sealed, until staff say what becomes of them."""

    __tablename__ = "set_aside"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    response_id: Mapped[str] = mapped_column(ForeignKey("response.id", ondelete="CASCADE"), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    answered: Mapped[int] = mapped_column(Integer)  # questions with an answer in it: all that staff see of it
    set_aside_on: Mapped[date] = mapped_column(Date)
    __table_args__ = ({"sqlite_with_rowid": False},)


class TabletSession(Base):
    """A device handed from person to person at one review, opened by staff, found by the hash of its key."""

    __tablename__ = "tablet_session"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    review_id: Mapped[str] = mapped_column(ForeignKey("review.id"), index=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = ({"sqlite_with_rowid": False},)


class Paper(Base):
    """A questionnaire printed for one person. Its serial stands on every sheet; only this row says whose it is.

    out: printed, perhaps being typed in. held: typed in, and its person has answered in another way too; somebody
    decides. stored: the response is this paper's. unused: without consent, or the other response counts. `kept` is
    sealed: what was typed while held; the response that gave way when this one was stored in its place.
    """

    __tablename__ = "paper"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    serial: Mapped[str] = mapped_column(String(8), unique=True)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id", ondelete="CASCADE"), index=True)
    language: Mapped[str] = mapped_column(String(8))
    consent_version: Mapped[str] = mapped_column(String(20))
    words_read: Mapped[bool] = mapped_column(Boolean)  # whether it has boxes for words
    state: Mapped[str] = mapped_column(String(8), default="out")
    kept: Mapped[bytes | None] = mapped_column(LargeBinary)
    __table_args__ = (
        one_of("state", PAPER_STATES),
        CheckConstraint("kept IS NULL OR state IN ('held', 'stored')", name="kept_when_two"),
    )


class PaperEntry(Base):
    """What one member of staff typed from a paper, sealed, and deleted as soon as the paper is settled."""

    __tablename__ = "paper_entry"
    paper_id: Mapped[str] = mapped_column(ForeignKey("paper.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # typed first or second
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    finished: Mapped[bool] = mapped_column(Boolean, default=False)
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (
        UniqueConstraint("paper_id", "staff_id"),  # nobody is their own second pair of eyes
        CheckConstraint("place IN (1, 2)", name="place_known"),
        {"sqlite_with_rowid": False},
    )


class ParticipantSession(Base):
    """A participant's visit: found by the hash of its key; it knows what was answered in this visit, and shows no more."""

    __tablename__ = "participant_session"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"))
    assignment_id: Mapped[str | None] = mapped_column(ForeignKey("assignment.id"))
    language: Mapped[str] = mapped_column(String(8), default="en")
    mode: Mapped[str] = mapped_column(String(12), default="own_link")
    seen: Mapped[list[str]] = mapped_column(JSON, default=list)  # item codes answered in this visit
    proven: Mapped[bool] = mapped_column(Boolean, default=False)  # the person's PIN was given or chosen in it
    tablet_hash: Mapped[str | None] = mapped_column(ForeignKey("tablet_session.key_hash", ondelete="CASCADE"))
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (one_of("mode", MODES), {"sqlite_with_rowid": False})


class StaffUser(Base):
    """A member of staff. A password is kept as argon2id; an invitation as a hash with an end."""

    __tablename__ = "staff_user"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    role: Mapped[str] = mapped_column(String(12))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    invitation_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    invitation_ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (
        one_of("role", STAFF_ROLES),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )


class StaffSession(Base):
    """A signed-in session, kept on the server and found by the hash of its key."""

    __tablename__ = "staff_session"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), index=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = ({"sqlite_with_rowid": False},)


class Attempt(Base):
    """A wrong code or password, counted against a keyed bucket for an hour and then forgotten."""

    __tablename__ = "attempt"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    bucket: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (Index("ix_attempt_bucket_at", "bucket", "at"),)


class Audit(Base):
    """What was done, by whom, to what and when, each row chained to the one before (triggers refuse any change)."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(60))
    object: Mapped[str] = mapped_column(String(80))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    previous_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64))


class Release(Base):
    """A numbered, suppressed snapshot: the only thing a funder ever sees (triggers refuse any change)."""

    __tablename__ = "release"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    number: Mapped[int] = mapped_column(Integer)
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(String(40))
    content: Mapped[str] = mapped_column(Text)  # canonical JSON, so that its hash can be checked
    # Exact numbers of people behind it, for the next release's check; never shown, and long: read when asked for.
    withheld: Mapped[str] = mapped_column(Text, default="{}", deferred=True)
    sha256: Mapped[str] = mapped_column(String(64))
    __table_args__ = (
        UniqueConstraint("trial_id", "number"),
        CheckConstraint("number > 0", name="number_positive"),
    )


class News(Base):
    """How often anything a dashboard shows has changed; triggers count, so that no writer can forget to.

    The sum over slots moves with every change and says nothing of whose it was or when. Slots keep writers on
    PostgreSQL from waiting for one counter.
    """

    __tablename__ = "news"
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    changes: Mapped[int] = mapped_column(BigInteger)


class Message(Base):
    """One message somebody is to be sent: an invitation with their code, that a questionnaire is open, or a reminder.

    No address is here: it is looked up in the store of contact details at the moment of sending. `sealed` holds the
    code of an invitation until it is sent, and never longer.
    """

    __tablename__ = "message"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=random_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    assignment_id: Mapped[str | None] = mapped_column(ForeignKey("assignment.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)  # of the messages about one questionnaire, or of the invitations
    due_on: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(8), default="waiting", index=True)
    reason: Mapped[str | None] = mapped_column(String(16))  # why it was not sent
    again: Mapped[bool] = mapped_column(Boolean, default=False)  # a second try after one that nobody knows the end of
    tries: Mapped[int] = mapped_column(Integer, default=0)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    __table_args__ = (
        UniqueConstraint("person_id", "kind", "assignment_id", "number"),
        one_of("kind", ("invitation", "opening", "reminder")),
        one_of("state", MESSAGE_STATES),
        one_of("reason", NOT_SENT),
        CheckConstraint("(kind = 'invitation') = (assignment_id IS NULL)", name="invitation_or_questionnaire"),
        CheckConstraint("sealed IS NULL OR state IN ('waiting', 'handed')", name="code_only_until_sent"),
    )
