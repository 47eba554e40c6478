"""The only module that writes and reads answers."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy import cast as as_type
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.sql.expression import FunctionElement

from evalapp import audit
from evalapp.models import (
    Allocation,
    Answer,
    Arm,
    Assignment,
    FreeText,
    Membership,
    News,
    Person,
    Response,
    Review,
    Score,
    SetAside,
    Site,
    Trial,
    Wave,
    Withdrawal,
    WordsDecision,
    random_id,
)
from evalapp.shelf import questionnaire
from evalapp.vault import Vault, canonical
from instruments import Instrument, score, visible

if TYPE_CHECKING:
    import pandas as pd

TEXT_KINDS = frozenset({"short_text", "long_text"})
REASONS = ("prefer_not", "not_applicable")
_DIGITS = "0123456789abcdef"  # of which ids are made
# Places read by one statement (or those of one site, where it has more): SQLite keeps writers waiting as long as it
# runs, and PostgreSQL ends one that takes half a minute.
PLACES = {"sqlite": 1_000, "postgresql": 30_000}


class NotOpen(Exception):
    """The questionnaire has not opened yet, or has closed."""


class AlreadyAnswered(Exception):
    """The questionnaire was submitted (or declined) before; nothing was changed."""


class Changed(Exception):
    """The answers on this page were changed elsewhere since the page was shown; nothing was overwritten."""

    def __init__(self, stored: Mapping[str, "Given"]) -> None:
        super().__init__("the answers on this page were changed in another place")
        self.stored = stored


@dataclass(frozen=True)
class Given:
    """What someone gave for one item: a value, a refusal, or (both None) a blank."""

    value: Any = None
    reason: str | None = None


class Aside(NamedTuple):
    """Pages somebody saved and then began again without: how many answers are in them, how many were given since."""

    id: str
    on: date
    trial: str
    wave: str
    instrument: str
    version: int
    before: int
    since: int
    state: str


class Held(NamedTuple):
    """Words that wait for a named reader: where they were written and since when; not what they say."""

    response_id: str
    item: str
    trial: str
    site: str
    wave: str
    role: str
    instrument: str
    version: int
    sent_on: date


class Released(NamedTuple):
    """Words as a reader released them: of no site, review or person."""

    trial: str
    wave: str
    instrument: str
    version: int
    item: str
    words: str


class Asked(NamedTuple):
    """One questionnaire at one wave of a trial: how many were expected to answer it and how many did."""

    wave: str
    instrument: str
    version: int
    expected: int
    submitted: int


BLANK = Given()

# Made once: these run at every page of every participant. Straight on the tables: no row becomes an object.
_answer, _words = cast("Table", Answer.__table__), cast("Table", FreeText.__table__)
_score = cast("Table", Score.__table__)
_ANSWERS = select(_answer.c.item, _answer.c.value, _answer.c.reason).where(
    _answer.c.response_id == bindparam("response")
)
_WORDS = select(_words.c.item, _words.c.sealed).where(_words.c.response_id == bindparam("response"))
_FORGET = tuple(
    delete(table).where(table.c.response_id == bindparam("response"), table.c.item == bindparam("code"))
    for table in (_answer, _words)
)
_FORGET_ALL = tuple(delete(table).where(table.c.response_id == bindparam("response")) for table in (_answer, _words))
_ERASED = tuple(delete(table) for table in (_answer, _words, _score))
_RESPONSE = select(Response).where(Response.id == bindparam("response")).with_for_update()
_OF_ASSIGNMENT = select(Response).where(Response.assignment_id == bindparam("assignment")).with_for_update()


def instrument_of(response: Response | Assignment) -> Instrument:
    return questionnaire(response.instrument, response.version)


def begin(
    session: Session,
    assignment_id: str,
    *,
    language: str,
    mode: str,
    consent_version: str,
    agreed: bool,
    today: date,
) -> Response:
    """Start (or come back to) the response to an assignment: consent given, or the wish not to take part.

    Raises NotOpen outside the window and to somebody who has withdrawn, AlreadyAnswered after a submit or a "no".
    """
    # Held, so that two yeses at one moment begin one response: there is no row of it to lock yet.
    assignment = session.get_one(Assignment, assignment_id, with_for_update={"key_share": True})
    found = _locked(session, _OF_ASSIGNMENT, assignment=assignment_id)
    if found is not None:
        if found.state != "open":
            raise AlreadyAnswered
        if not agreed:
            _decline(session, found)
        return found
    if not assignment.opens_on <= today <= assignment.closes_on or _has_withdrawn(session, assignment):
        raise NotOpen
    response = Response(
        assignment_id=assignment_id,
        instrument=assignment.instrument,
        version=assignment.version,
        language=language,
        mode=mode,
        consent_version=consent_version,
        state="open" if agreed else "declined",
    )
    session.add(response)
    session.flush()
    return response


def of_assignment(session: Session, assignment_id: str) -> Response | None:
    return session.scalar(select(Response).where(Response.assignment_id == assignment_id))


def receipt_of(session: Session, assignment_id: str) -> str | None:
    """The receipt of what an assignment's person sent; None when nothing was."""
    return session.scalar(select(Response.receipt).where(Response.assignment_id == assignment_id))


def save(
    session: Session,
    response_id: str,
    given: Mapping[str, Given],
    *,
    vault: Vault,
    basis: str | None = None,
    language: str | None = None,
) -> None:
    """Store what a page gave, item by item; the caller commits before the next page is shown.

    `basis` is the fingerprint of these items when the page was shown (`basis_of`). When others have been
    stored since, Changed is raised and nothing is written, unless they are these very answers (a double
    click, a resend). Raises AlreadyAnswered after submit, KeyError for an item the instrument lacks.
    """
    response = _locked(session, _RESPONSE, response=response_id)
    if response is None or response.state != "open":
        raise AlreadyAnswered
    instrument = instrument_of(response)
    kinds = {item.code: item.kind for item in instrument.items}
    unknown = [code for code in given if code not in kinds]
    if unknown:
        raise KeyError(f"{instrument.name} {instrument.version} has no item {unknown[0]}")
    if basis is not None:
        stored = answers(session, response_id, given, vault=vault)
        if _fingerprint(vault, response_id, stored, given) != basis:
            if {code: stored.get(code, BLANK) for code in given} == dict(given):
                return
            raise Changed(stored)
    _replace(session, response_id, given, kinds, vault)
    if language is not None:
        response.language = language


def basis_of(session: Session, response_id: str, items: Iterable[str], *, vault: Vault) -> str:
    """The fingerprint of what is stored for some items now: a form carries it to `save` or `submit`."""
    codes = list(items)
    return _fingerprint(vault, response_id, answers(session, response_id, codes, vault=vault), codes)


def submit(session: Session, response_id: str, *, vault: Vault, today: date, basis: str) -> str:
    """Finish a response: drop what ended up unasked, score it, and return the receipt. The same submit twice gives the same.

    Raises Changed when answers were saved after the check page was shown, AlreadyAnswered when a different
    version of the answers was submitted before (or the person declined).
    """
    response = _locked(session, _RESPONSE, response=response_id)
    if response is None or response.state == "declined":
        raise AlreadyAnswered
    if response.state == "submitted":
        if response.basis != basis or response.receipt is None:
            raise AlreadyAnswered
        return response.receipt
    instrument = instrument_of(response)
    stored = answers(session, response_id, vault=vault)
    if basis != _fingerprint(vault, response_id, stored, [item.code for item in instrument.items]):
        raise Changed(stored)
    kept = _drop_unasked(session, instrument, response_id, stored)
    response.receipt = vault.receipt(response_id, {code: [one.value, one.reason] for code, one in kept.items()})
    response.state, response.submitted_on, response.basis = "submitted", today, basis
    _store_scores(session, response_id, instrument, kept)
    session.flush()
    return response.receipt


def answers(
    session: Session, response_id: str, items: Iterable[str] | None = None, *, vault: Vault
) -> dict[str, Given]:
    """What is stored for a response (or for some of its items), written words included."""
    wanted = None if items is None else set(items)
    found = {row.item: Given(row.value, row.reason) for row in session.execute(_ANSWERS, {"response": response_id})}
    for row in session.execute(_WORDS, {"response": response_id}):
        if wanted is None or row.item in wanted:
            found[row.item] = Given(vault.unseal(row.sealed, _place(response_id, row.item)))
    return found if wanted is None else {code: one for code, one in found.items() if code in wanted}


def set_aside(session: Session, response_id: str, *, vault: Vault, today: date) -> None:
    """Take everything saved out of a response under way and keep it sealed, so that the person can start blank."""
    response = _locked(session, _RESPONSE, response=response_id)
    if response is None or response.state != "open":
        raise AlreadyAnswered
    stored = answers(session, response_id, vault=vault)
    if all(one == BLANK for one in stored.values()):
        return
    key = random_id()
    pages = canonical({code: [one.value, one.reason] for code, one in stored.items()})
    session.add(
        SetAside(
            id=key, response_id=response_id, sealed=vault.seal(pages, _aside(key)), set_aside_on=today,
            answered=sum(one != BLANK for one in stored.values()),
        )
    )  # fmt: skip
    _forget(session, response_id, stored)
    session.flush()


def asides(session: Session) -> list[Aside]:
    """Pages set aside and what became of their questionnaire since; nothing of what they say."""
    given = case((and_(Answer.value.is_(None), Answer.reason.is_(None)), 0), else_=1)
    counted = select(Answer.response_id, func.sum(given).label("given")).group_by(Answer.response_id).subquery()
    words = select(FreeText.response_id, func.count().label("given")).group_by(FreeText.response_id).subquery()
    now = func.coalesce(counted.c.given, 0) + func.coalesce(words.c.given, 0)
    query = (
        select(SetAside.id, SetAside.set_aside_on, Trial.title, Wave.code, Response.instrument, Response.version,
               SetAside.answered, now, Response.state)
        .join(Response, Response.id == SetAside.response_id)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Trial, Trial.id == Wave.trial_id)
        .outerjoin(counted, counted.c.response_id == Response.id)
        .outerjoin(words, words.c.response_id == Response.id)
        .order_by(SetAside.set_aside_on, SetAside.id)
    )  # fmt: skip
    return [Aside(*row) for row in session.execute(query)]


def reconcile(session: Session, aside_id: str, *, fill: bool, vault: Vault) -> int | None:
    """Say what becomes of pages set aside: they are dropped, or fill what is blank in what was sent later.

    An answer given later is never replaced. Returns how many answers were filled in; None when the pages are not
    there any more, or the questionnaire is still under way (its person must not be shown what was set aside).
    """
    aside = session.scalar(select(SetAside).where(SetAside.id == aside_id).with_for_update())
    response = None if aside is None else _locked(session, _RESPONSE, response=aside.response_id)
    if aside is None or response is None or response.state != "submitted":
        return None
    filled = _fill(session, response, vault.unseal(aside.sealed, _aside(aside.id)), vault) if fill else 0
    session.delete(aside)
    session.flush()
    return filled


def held_words(session: Session, trial_ids: Collection[str]) -> list[Held]:
    """Words in questionnaires that were sent, on which no reader has decided yet, the longest waiting first; not the
    words themselves."""
    decided = and_(WordsDecision.response_id == FreeText.response_id, WordsDecision.item == FreeText.item)
    query = (
        select(FreeText.response_id, FreeText.item, Trial.title, Site.name, Wave.code, Membership.role,
               Response.instrument, Response.version, Response.submitted_on)
        .join(Response, Response.id == FreeText.response_id)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Site, Site.id == Membership.site_id)
        .join(Trial, Trial.id == Site.trial_id)
        .outerjoin(WordsDecision, decided)
        .where(Trial.id.in_(list(trial_ids)), Response.state == "submitted", WordsDecision.item.is_(None))
        .order_by(Response.submitted_on, FreeText.response_id, FreeText.item)
    )  # fmt: skip
    return [Held(*row) for row in session.execute(query)]  # type: ignore[arg-type]  # what was sent has its day


def read_words(session: Session, held: Held, *, vault: Vault, actor: str, now: datetime) -> str:
    """The words themselves, for a named reader; the reading is recorded in the same transaction."""
    sealed = session.scalar(
        select(FreeText.sealed).where(FreeText.response_id == held.response_id, FreeText.item == held.item)
    )
    if sealed is None:
        raise LookupError("these words were taken away")
    audit.record(session, actor, "words read", f"free_text {held.response_id} {held.item}", now=now)
    return vault.unseal(sealed, _place(held.response_id, held.item))


def decide_on_words(
    session: Session, held: Held, decision: str, released: str | None, *, vault: Vault, actor: str, now: datetime,
    today: date,
) -> None:  # fmt: skip
    """Record what a reader decided: words are released as they were redacted, withheld, or acted on and withheld."""
    place = _released(held.response_id, held.item)
    session.add(
        WordsDecision(
            response_id=held.response_id, item=held.item, decision=decision, decided_on=today, decided_by=actor,
            sealed=None if released is None else vault.seal(released, place),
        )
    )  # fmt: skip
    where = f"free_text {held.response_id} {held.item}"
    audit.record(session, actor, "words decided on", where, now=now, decision=decision)


def released_words(session: Session, *, vault: Vault) -> list[Released]:
    """Words as their readers released them, by trial, questionnaire and question, in no order that tells when or by whom."""
    query = (
        select(
            WordsDecision.response_id, WordsDecision.item, WordsDecision.sealed, Trial.title, Wave.code,
            Response.instrument, Response.version,
        )
        .join(Response, Response.id == WordsDecision.response_id)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Trial, Trial.id == Wave.trial_id)
        .where(WordsDecision.decision == "release")
        .order_by(Trial.title, Wave.position, Response.instrument, WordsDecision.item, WordsDecision.response_id)
    )  # fmt: skip
    return [
        Released(trial, wave, instrument, version, item, vault.unseal(sealed or b"", _released(response_id, item)))
        for response_id, item, sealed, trial, wave, instrument, version in session.execute(query)
    ]


def values_of(given: Mapping[str, Given]) -> dict[str, Any]:
    """Plain values for conditions and scoring; a refusal or a blank is missing."""
    return {code: one.value for code, one in given.items() if one.value is not None}


def rebuild_scores(session: Session, *, vault: Vault) -> int:
    """Derive every stored score again from the answers; returns how many differed from what was stored."""
    differing = 0
    for response in session.scalars(select(Response).where(Response.state == "submitted")).all():
        fresh = score(instrument_of(response), values_of(answers(session, response.id, vault=vault)))
        stored = session.execute(select(Score.scale, Score.value).where(Score.response_id == response.id))
        old = {row.scale: row.value for row in stored}
        if fresh != old:
            differing += 1
            session.execute(delete(_score).where(_score.c.response_id == response.id))
            _insert_scores(session, response.id, fresh)
    return differing


def scores_frame(session: Session, trial_id: str, scale: str, waves: Iterable[str]) -> "pd.DataFrame":
    """Stored scores of one scale, a row a person and wave, ready for the analysis.

    Columns: site, review, participant, role, wave (text), arm (its code; None before allocation), stratum,
    value (float; NaN when too little was answered). A person in several reviews counts in the first
    (by start, then id); what somebody answers for a site outside its reviews has no review, and counts where they
    have no answer of a review at that wave. Only submitted responses are here.
    """
    import pandas as pd  # noqa: PLC0415  (kept out of the participant's path: importing it takes a second)

    wanted = _by_id(session, select(Wave.id, Wave.code).where(Wave.trial_id == trial_id, Wave.code.in_(list(waves))))
    query = (
        select(
            Membership.site_id,
            Membership.review_id,
            Membership.person_id,
            Membership.role,
            Assignment.wave_id,
            Score.value,
        )
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .join(Response, Response.assignment_id == Assignment.id)
        .join(Score, Score.response_id == Response.id)
        .where(at_its_sites(), _unindexed(Assignment.wave_id).in_(list(wanted)))
        .where(_unindexed(Response.state) == "submitted", _unindexed(Score.scale) == scale)
    )
    columns = ["site", "review", "participant", "role", "wave", "value"]
    frame = pd.DataFrame(_columns_of(site_by_site(session, trial_id, query), columns), dtype=object)
    sites = {
        site: (arm, stratum)
        for site, arm, stratum in session.execute(
            select(Site.id, Arm.code, Allocation.stratum)
            .outerjoin(Allocation, Allocation.site_id == Site.id)
            .outerjoin(Arm, Arm.id == Allocation.arm_id)
            .where(Site.trial_id == trial_id)
        )
    }
    starts = select(Review.id, Review.starts_on).join(Site, Site.id == Review.site_id).where(Site.trial_id == trial_id)
    began = _by_id(session, starts)
    frame["wave"] = frame["wave"].map(wanted).astype(object)
    frame.insert(5, "arm", frame["site"].map({site: arm for site, (arm, _) in sites.items()}).astype(object))
    frame.insert(
        6, "stratum", frame["site"].map({site: stratum for site, (_, stratum) in sites.items()}).astype(object)
    )
    frame["value"] = frame["value"].astype(float)
    frame["starts_on"] = frame["review"].map(began).astype(object)
    frame = frame.sort_values(["starts_on", "review"], kind="stable", na_position="last")
    first = frame.groupby("participant", sort=False)["review"].transform("first")  # the first there is
    frame = frame[(frame["review"] == first) | frame["review"].isna()]
    return frame.drop_duplicates(["participant", "wave"]).drop(columns="starts_on").reset_index(drop=True)


def answers_frame(session: Session, trial_id: str, instrument: str, items: Iterable[str]) -> "pd.DataFrame":
    """Answers to some closed items of one instrument, a row an answer shown.

    Columns: site, review (missing outside reviews), participant, role, wave, arm, item, value (object; None when
    blank or refused), reason. Written words never leave by this door.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    query = (
        select(
            Site.id, Review.id, Membership.person_id, Membership.role, Wave.code, Arm.code,
            Answer.item, Answer.value, Answer.reason,
        )
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .join(Response, Response.assignment_id == Assignment.id)
        .join(Answer, Answer.response_id == Response.id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Site, Site.id == Membership.site_id)
        .outerjoin(Review, Review.id == Membership.review_id)
        .outerjoin(Allocation, Allocation.site_id == Site.id)
        .outerjoin(Arm, Arm.id == Allocation.arm_id)
        .where(at_its_sites(), _unindexed(Assignment.instrument) == instrument)
        .where(_unindexed(Answer.item).in_(list(items)), _unindexed(Response.state) == "submitted")
    )  # fmt: skip
    columns = ["site", "review", "participant", "role", "wave", "arm", "item", "value", "reason"]
    return pd.DataFrame(list(site_by_site(session, trial_id, query)), columns=columns)


def people_frame(session: Session, trial_id: str) -> "pd.DataFrame":
    """Who was expected to answer what, and whether they did: a row an assignment.

    Columns: site, site_name, review, review_label (both missing outside reviews), participant, role, wave, arm (code
    or None), instrument, opens_on, closes_on (dates), state ("expected", "open", "declined" or "submitted").
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    query = (
        select(
            Site.id, Site.name, Review.id, Review.label, Membership.person_id, Membership.role, Wave.code, Arm.code,
            Assignment.instrument, Assignment.opens_on, Assignment.closes_on, Response.state,
        )
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Site, Site.id == Membership.site_id)
        .outerjoin(Review, Review.id == Membership.review_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .outerjoin(Allocation, Allocation.site_id == Site.id)
        .outerjoin(Arm, Arm.id == Allocation.arm_id)
        .where(at_its_sites())
        .order_by(Site.name, Review.label, Wave.position, Membership.role)
    )  # fmt: skip
    columns = [
        "site", "site_name", "review", "review_label", "participant", "role", "wave", "arm",
        "instrument", "opens_on", "closes_on", "state",
    ]  # fmt: skip
    frame = pd.DataFrame(_columns_of(site_by_site(session, trial_id, query), columns))
    frame["state"] = frame["state"].astype(object).where(frame["state"].notna(), "expected")
    return frame


def board_tally(session: Session, trial_id: str) -> "pd.DataFrame":
    """How many questionnaires are expected, opened and answered, counted by the database.

    Columns: site, site_name, review, review_label (both missing outside reviews), wave, role, expected, opened (begun,
    declined or sent), answered. A row a review (or site outside its reviews), wave and role.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    keys = (Membership.site_id, Membership.review_id, Assignment.wave_id, Membership.role)
    query = (
        select(
            *keys, func.count(), func.count(Response.id), func.sum(case((Response.state == "submitted", 1), else_=0))
        )
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .where(at_its_sites())
        .group_by(*keys)
    )
    columns = ["site", "review", "wave", "role", "expected", "opened", "answered"]
    found = pd.DataFrame(list(site_by_site(session, trial_id, query)), columns=columns)
    of_trial = select(Review.id, Review.label).join(Site, Site.id == Review.site_id).where(Site.trial_id == trial_id)
    labels = _by_id(session, of_trial)
    names = _by_id(session, select(Site.id, Site.name).where(Site.trial_id == trial_id))
    waves = _by_id(session, select(Wave.id, Wave.code).where(Wave.trial_id == trial_id))
    return found.assign(
        site_name=found["site"].map(names).astype(object),
        review_label=found["review"].map(labels).astype(object),
        wave=found["wave"].map(waves).astype(object),
    )


def finished_at(session: Session, review_id: str, today: date) -> tuple[int, int]:
    """How many people of a review are asked something today, and how many of them have sent it or said no to it.

    Whoever said no is finished as well, so that a count of all says of nobody that they answered.
    """
    per_person = (
        select(
            Membership.person_id,
            func.count().label("asked"),
            func.sum(case((Response.state.in_(("submitted", "declined")), 1), else_=0)).label("finished"),
        )
        .select_from(Assignment)
        .join(Membership, Membership.id == Assignment.membership_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .where(Membership.review_id == review_id, Assignment.opens_on <= today, Assignment.closes_on >= today)
        .group_by(Membership.person_id)
        .subquery()
    )
    finished = func.sum(case((per_person.c.asked == per_person.c.finished, 1), else_=0))
    expected, done = session.execute(select(func.count(), finished).select_from(per_person)).one()
    return int(expected), int(done or 0)


def flow_tally(session: Session, trial_id: str, today: date) -> "pd.DataFrame":
    """What became of every questionnaire expected, counted by the database: a row a wave, in the trial's order.

    Columns: wave, expected, answered, declined, withdrawn (their person withdrew from being asked it, or had it deleted),
    under_way, missed (closed without an answer), waiting (open or yet to open). The last six always make up `expected`.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    unwanted = and_(
        Withdrawal.choice.is_not(None),
        (Withdrawal.choice != "no_contact") | (Assignment.opens_on > Withdrawal.withdrawn_on),
    )
    became = case(
        (Response.state == "submitted", "answered"),
        (Response.state == "declined", "declined"),
        (unwanted, "withdrawn"),
        (Assignment.closes_on < today, "missed"),
        (Response.state == "open", "under_way"),
        else_="waiting",
    ).label("became")
    query = (
        select(Wave.position, Wave.code, became, func.count())
        .select_from(Assignment)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .outerjoin(Withdrawal, Withdrawal.person_id == Membership.person_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .where(Wave.trial_id == trial_id)
        .group_by(Wave.position, Wave.code, became)
    )
    counts: dict[tuple[int, str], dict[str, int]] = {}
    for position, wave, kind, number in session.execute(query):
        counts.setdefault((position, wave), {})[kind] = number
    kinds = ["answered", "declined", "withdrawn", "under_way", "missed", "waiting"]
    rows = [
        {"wave": wave, "expected": sum(found.values()), **{kind: found.get(kind, 0) for kind in kinds}}
        for (_, wave), found in sorted(counts.items())
    ]
    return pd.DataFrame(rows, columns=["wave", "expected", *kinds])


def people_expected(session: Session, trial_id: str, by: str, filters: Mapping[str, str]) -> dict[str | None, int]:
    """How many different people are expected to answer something, by the id of a site or review, or by wave or role.

    filters : site, wave or role to a value, and only those are counted.
    """
    columns = {"site": Membership.site_id, "review": Membership.review_id, "wave": Wave.code, "role": Membership.role}
    key = _unindexed(columns[by])
    query = (
        select(key, func.count(Membership.person_id.distinct()))
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .where(_unindexed(Wave.trial_id) == trial_id)
        .where(*(_unindexed(columns[name]) == value for name, value in filters.items()))
        .group_by(key)
    )
    if session.get_bind().dialect.name != "sqlite":
        return _by_id(session, query)
    found: dict[str | None, int] = {}
    # Some people at a time (`site_by_site` says why), since someone at two sites is one person.
    for start, end in pairwise(("", *_DIGITS[1:], "~")):
        some = query.where(Membership.person_id >= start, Membership.person_id < end)
        for code, people in session.execute(some).all():
            found[code] = found.get(code, 0) + people
    return found


def asked_of(session: Session, trial_id: str) -> list[Asked]:
    """Every questionnaire of a trial, by wave in its order, name and version, with how many are expected and sent."""
    keys = (Assignment.wave_id, Assignment.instrument, Assignment.version)
    query = (
        select(*keys, func.count(), func.sum(case((Response.state == "submitted", 1), else_=0)))
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .where(at_its_sites())
        .group_by(*keys)
    )
    found = _summed(site_by_site(session, trial_id, query), 2)
    waves = session.execute(select(Wave.id, Wave.code).where(Wave.trial_id == trial_id).order_by(Wave.position)).all()
    return [
        Asked(code, *key[1:], *counts)
        for wave, code in waves
        for key, counts in found.items()
        if key[0] == wave
    ]  # fmt: skip


def questionnaires_of(session: Session, trial_id: str) -> list[tuple[str, str, int]]:
    """Every (wave, questionnaire, version) of a trial, in the order of `asked_of`, without its counts."""
    keys = (Assignment.wave_id, Assignment.instrument, Assignment.version)
    query = (
        select(*keys)
        .select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .where(at_its_sites())
        .distinct()
    )
    found = sorted({tuple(row) for row in site_by_site(session, trial_id, query)})
    waves = session.execute(select(Wave.id, Wave.code).where(Wave.trial_id == trial_id).order_by(Wave.position)).all()
    return [(code, name, version) for wave, code in waves for asked, name, version in found if asked == wave]


def stamp(session: Session) -> int:
    """A number that moves whenever anything a dashboard shows has changed: a response begun, sent, declined or taken away,
    scores derived again, a site allocated, somebody expected. The database counts (migration 0003); other trials of the
    installation move it too, which costs a look and never shows an old number."""
    return int(session.scalar(select(func.coalesce(func.sum(News.changes), 0))) or 0)


def scores_tally(session: Session, trial_id: str, scale: str, instruments: Collection[str]) -> "pd.DataFrame":
    """How many people had each score of one scale, counted by the database: a row a review, wave and score.

    Columns: site, review (missing outside reviews), wave, value (float; NaN where too little was answered), people.
    Of `instruments` alone; people in several reviews count in the first, as in `scores_frame`; only submitted
    responses are here.
    """
    import pandas as pd  # noqa: PLC0415  (kept out of the participant's path: importing it takes a second)

    keys = (Membership.site_id, Membership.review_id, Wave.code, Score.value)
    query = (
        _sent(select(*keys, func.count()), instruments)
        .join(Score, Score.response_id == Response.id)
        .where(_unindexed(Score.scale) == scale)
        .group_by(*keys)
    )
    # Plain, or pandas looks at each for what it is.
    found = [tuple(row) for row in site_by_site(session, trial_id, query)]
    frame = pd.DataFrame(found, columns=["site", "review", "wave", "value", "people"])
    frame = frame.astype({"site": "category", "review": "category", "wave": "category", "value": float})
    return frame.sort_values(["site", "review", "wave", "value"], ignore_index=True)


def answers_tally(
    session: Session, trial_id: str, instruments: Collection[str], items: Collection[str], *, by_arm: bool
) -> "pd.DataFrame":
    """How many people gave each answer to some closed items, counted by the database.

    Columns: item, wave, arm (its code, None before allocation; None throughout unless `by_arm`), value (object; None
    when blank or refused), reason, people. The people are those of `scores_tally`. Written words never leave here.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    arm = Arm.code if by_arm else null()
    who = _sent(select(Response.id, Wave.code.label("wave"), arm.label("arm")), instruments)
    if by_arm:
        who = who.outerjoin(Allocation, Allocation.site_id == Membership.site_id)
        who = who.outerjoin(Arm, Arm.id == Allocation.arm_id)
    # Whose answers they are is found once a response, not once an answer: half of the time on a trial of 100,000.
    sent = who.cte("sent").prefix_with("MATERIALIZED")
    value = as_type(Answer.value, String)  # PostgreSQL compares no JSON; its text is one for equal answers
    keys = (Answer.item, sent.c.wave, sent.c.arm, value, Answer.reason)
    query = (
        select(*keys, func.count())
        .select_from(sent)
        .join(Answer, Answer.response_id == sent.c.id)
        .where(_unindexed(Answer.item).in_(list(items)))
        .group_by(*keys)
    )
    found = [
        (item, wave, group, _read(given), reason, people)
        for (item, wave, group, given, reason), (people,) in _summed(site_by_site(session, trial_id, query), 1).items()
    ]
    # As objects, or pandas would make numbers of None.
    frame = pd.DataFrame(found, columns=["item", "wave", "arm", "value", "reason", "people"], dtype=object)
    return frame.astype({"people": int})


def patterns_tally(
    session: Session, trial_id: str, instruments: Collection[str], items: Collection[str]
) -> "pd.DataFrame":
    """How many people gave each set of numbers to some items, counted by the database: what reliability needs.

    Columns: wave, role, language, instrument, version, people, then one an item (float; NaN when blank, refused or
    never shown). The people are those of `scores_tally`. Never by arm, site or review.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    codes = list(items)
    given = [aliased(Answer) for _ in codes]
    values = [as_type(one.value, String).label(f"given_{place}") for place, one in enumerate(given)]
    keys = (Wave.code, Membership.role, Response.language, Response.instrument, Response.version)
    query = _sent(select(*keys, *values, func.count()), instruments)
    for code, one in zip(codes, given, strict=True):  # a join an item, each by the table's key
        query = query.outerjoin(one, and_(one.response_id == Response.id, one.item == code))
    query = query.group_by(*keys, *values)
    found = [
        (*key[: len(keys)], people, *key[len(keys) :])
        for key, (people,) in _summed(site_by_site(session, trial_id, query), 1).items()
    ]
    columns = ["wave", "role", "language", "instrument", "version", "people", *codes]
    return pd.DataFrame(found, columns=columns).astype(dict.fromkeys(codes, float))


def turnout_tally(session: Session, trial_id: str, today: date) -> "pd.DataFrame":
    """Who was asked by today and who answered, counted by the database: a row a site, wave and role.

    Columns: site, wave, role, expected (questionnaires whose window has opened), answered, declined, both (answered
    now and before the review), asked_both (expected at both). In a trial without answers before the review its
    first wave takes that place.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    order = (case((Wave.code == "before", 0), else_=1), Wave.position)
    first = session.execute(
        select(Wave.id, Wave.position).where(Wave.trial_id == trial_id).order_by(*order).limit(1)
    ).one()
    start, began = aliased(Assignment), aliased(Response)
    # One number a place: whoever is asked several questionnaires before the review has answered with one of them.
    answered = (
        select(func.max(case((began.state == "submitted", 1), else_=0)))
        .select_from(start)
        .outerjoin(began, began.assignment_id == start.id)
        .where(start.membership_id == Membership.id, start.wave_id == first.id)
        .correlate(Membership)
        .scalar_subquery()
    )
    places = (
        select(Membership.id, Membership.site_id, Membership.role, answered.label("answered"))
        .where(at_its_sites())
        .cte("places")
        .prefix_with("MATERIALIZED")
    )
    sent = case((Response.state == "submitted", 1), else_=0)
    later = case((and_(Wave.position > first.position, places.c.answered.is_not(None)), 1), else_=0)
    keys = (places.c.site_id, Wave.code, places.c.role)
    query = (
        select(
            *keys, func.count(), func.sum(sent), func.sum(case((Response.state == "declined", 1), else_=0)),
            func.sum(sent * later * func.coalesce(places.c.answered, 0)), func.sum(later),
        )
        .select_from(places)
        .join(Assignment, Assignment.membership_id == places.c.id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .where(_unindexed(Assignment.opens_on) <= today)
        .group_by(*keys)
    )  # fmt: skip
    columns = ["site", "wave", "role", "expected", "answered", "declined", "both", "asked_both"]
    return pd.DataFrame(list(site_by_site(session, trial_id, query)), columns=columns)


def blanks_tally(session: Session, trial_id: str) -> "pd.DataFrame":
    """How many closed questions were shown, left blank and refused, counted by the database: a row a site, wave, role.

    Columns: site, wave, role, shown, blank, refused (questions of submitted questionnaires). Places for one's own
    words are not here: an empty one is no missing answer.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    blank = case((and_(Answer.value.is_(None), Answer.reason.is_(None)), 1), else_=0)
    asked = {name: version for _, name, version in questionnaires_of(session, trial_id)}
    written = [
        item.code for name, version in asked.items() for item in questionnaire(name, version).items
        if item.kind in TEXT_KINDS
    ]  # fmt: skip
    counted = (  # in the order of the answers' key: nothing is sorted
        select(
            Answer.response_id, func.count().label("shown"), func.sum(blank).label("blank"),
            func.count(Answer.reason).label("refused"),
        )
        .where(Answer.response_id.in_(_sent(select(Response.id), None)))
        .where(Answer.item.not_in(written))
        .group_by(Answer.response_id)
        .subquery()
    )  # fmt: skip
    keys = (Membership.site_id, Wave.code, Membership.role)
    query = (
        select(*keys, func.sum(counted.c.shown), func.sum(counted.c.blank), func.sum(counted.c.refused))
        .select_from(counted)
        .join(Response, Response.id == counted.c.response_id)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .group_by(*keys)
    )
    found = list(site_by_site(session, trial_id, query))
    return pd.DataFrame(found, columns=["site", "wave", "role", "shown", "blank", "refused"])


class _unindexed(FunctionElement[Any]):  # noqa: N801  (called as a function is)
    """A column as it is, by which SQLite chooses no index.

    Without statistics of its own it takes a questionnaire's responses of the whole trial for as few as a site's.
    """

    inherit_cache = True
    name = "unindexed"

    def __init__(self, column: InstrumentedAttribute[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(_unindexed)
def _as_it_is(element: _unindexed, compiler: Any, **options: Any) -> str:
    (column,) = element.clauses
    return str(compiler.process(column, **options))


@compiles(_unindexed, "sqlite")
def _as_it_is_plus(element: _unindexed, compiler: Any, **options: Any) -> str:
    return f"+{_as_it_is(element, compiler, **options)}"


def at_its_sites() -> ColumnElement[bool]:
    """Places at some sites of a trial: what a query for `site_by_site` is narrowed to."""
    return Membership.site_id.in_(bindparam("some_sites", expanding=True))


def site_by_site(session: Session, trial_id: str, query: Select[*tuple[Any, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
    """A query's rows, read at some sites after others (by name), each site whole.

    As long as a statement runs it keeps an SQLite file from every writer: that of a thousand people's places some
    hundredths of a second, a national trial's seconds. What somebody sends meanwhile may be among the rows or not, as
    it may be of two statements.
    """
    most = PLACES[session.get_bind().dialect.name]
    sites = session.execute(
        select(Site.id, func.count(Membership.id))
        .outerjoin(Membership, Membership.site_id == Site.id)
        .where(Site.trial_id == trial_id)
        .group_by(Site.name, Site.id)
        .order_by(Site.name, Site.id)
    ).all()
    some, places = [], 0
    for number, (site, count) in enumerate(sites, start=1):
        some.append(site)
        places += count
        if places >= most or number == len(sites):
            yield from session.execute(query, {"some_sites": some}).all()
            some, places = [], 0


def _summed(rows: Iterable[Row[*tuple[Any, ...]]], sums: int) -> dict[tuple[Any, ...], list[int]]:
    """Rows of keys and then `sums` counts, added up by their keys and in their order."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        counts = found.setdefault(tuple(row[:-sums]), [0] * sums)
        for place, count in enumerate(row[-sums:]):
            counts[place] += int(count)
    return dict(sorted(found.items(), key=lambda pair: [(one is not None, str(one)) for one in pair[0]]))


def _sent(query: Select[*tuple[Any, ...]], instruments: Collection[str] | None) -> Select[*tuple[Any, ...]]:
    """Submitted responses of a trial with their wave and place, for `site_by_site`.

    Of `instruments` alone, each person once: in the first review (by start, then id) in which they sent one of them; places
    outside reviews count as they are.
    """
    query = (
        query.select_from(Membership)
        .join(Assignment, Assignment.membership_id == Membership.id)
        .join(Response, Response.assignment_id == Assignment.id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .where(at_its_sites(), _unindexed(Response.state) == "submitted")
    )
    if instruments is None:
        return query
    query = query.where(_unindexed(Assignment.instrument).in_(list(instruments)))
    return query.where(~_sent_in_an_earlier_review(instruments))


def _sent_in_an_earlier_review(instruments: Collection[str]) -> ColumnElement[bool]:
    """Whether a place's person had sent one of these questionnaires in a review before the place's own."""
    place, review, asked, sent, own = (
        aliased(Membership), aliased(Review), aliased(Assignment), aliased(Response), aliased(Review)
    )  # fmt: skip
    return (
        select(place.id)
        .join(review, review.id == place.review_id)
        .join(own, own.id == Membership.review_id)
        .join(asked, asked.membership_id == place.id)
        .join(sent, sent.assignment_id == asked.id)
        .where(place.person_id == Membership.person_id, _unindexed(sent.state) == "submitted")
        .where(_unindexed(asked.instrument).in_(list(instruments)))
        .where(
            tuple_(func.coalesce(review.starts_on, date.max), review.id)
            < tuple_(func.coalesce(own.starts_on, date.max), own.id)
        )
        .correlate(Membership)
        .exists()
    )


def _read(value: str | None) -> Any:
    """An answer from its JSON text, a list as a tuple, so that answers can be counted."""
    found = None if value is None else json.loads(value)
    return tuple(found) if isinstance(found, list) else found


def _by_id(session: Session, query: Select[Any, Any]) -> dict[Any, Any]:
    """A query's second column by its first."""
    return {row[0]: row[1] for row in session.execute(query)}


def _columns_of(rows: Iterable[Row[*tuple[Any, ...]]], columns: list[str]) -> dict[str, list[Any]]:
    """Rows as columns in which one text is one object however many rows hold it."""
    same: dict[Any, Any] = {}
    found: dict[str, list[Any]] = {column: [] for column in columns}
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            found[column].append(same.setdefault(cell, cell))
    return found


def by_receipt(session: Session, receipt: str) -> tuple[str, date] | None:
    """The instrument and day of the response a receipt belongs to, for someone who asks whether theirs arrived."""
    row = session.execute(
        select(Response.instrument, Response.submitted_on).where(Response.receipt == receipt.strip().upper())
    ).first()
    return (row.instrument, row.submitted_on) if row and row.submitted_on else None


def _locked(session: Session, query: Select[Response], **key: str) -> Response | None:
    """The response, held until the transaction ends (SQLite's IMMEDIATE transaction holds the whole file)."""
    return session.scalar(query, key, execution_options={"populate_existing": True})


def _has_withdrawn(session: Session, assignment: Assignment) -> bool:
    """Whether the person asked not to be asked this. Their row is held, so that what they take back meanwhile stays so."""
    person = (
        select(Person.id)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.id == assignment.membership_id)
        .with_for_update(read=True, key_share=True, of=Person)
    )
    withdrawn = session.get(Withdrawal, session.scalars(person).one(), populate_existing=True)
    if withdrawn is None:
        return False
    return withdrawn.choice != "no_contact" or assignment.opens_on > withdrawn.withdrawn_on


def erase(session: Session, person_id: str, *, sent: bool) -> None:
    """Delete what a person gave: pages saved and not sent, and with `sent` everything, a no to taking part included.

    Rows alone go here; what SQLite leaves of them in its file goes with `db.scrub`, after the commit.
    """
    mine = (
        select(Response.id)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .where(Membership.person_id == person_id)
    )
    if not sent:
        mine = mine.where(Response.state == "open")
    gone = session.scalars(mine.with_for_update(of=Response)).all()
    for statement in _ERASED if gone else ():
        session.execute(statement.where(statement.table.c.response_id.in_(gone)))
    session.execute(delete(Response).where(Response.id.in_(gone)))  # what else belongs to them follows by its key
    session.flush()


def _decline(session: Session, response: Response) -> None:
    for statement in _FORGET_ALL:
        session.execute(statement, {"response": response.id})
    response.state = "declined"


def _place(response_id: str, item: str) -> str:
    return f"free_text|{response_id}|{item}"


def _released(response_id: str, item: str) -> str:
    return f"words_decision|{response_id}|{item}"


def _aside(key: str) -> str:
    return f"set_aside|{key}|sealed"


def _fill(session: Session, response: Response, pages: str, vault: Vault) -> int:
    """Put answers set aside where a submitted response has none, and score it again; returns how many."""
    instrument = instrument_of(response)
    kinds = {item.code: item.kind for item in instrument.items}
    stored = answers(session, response.id, vault=vault)
    earlier = {code: Given(*one) for code, one in json.loads(pages).items() if stored.get(code, BLANK) == BLANK}
    _replace(session, response.id, earlier, kinds, vault)
    kept = _drop_unasked(session, instrument, response.id, {**stored, **earlier})
    session.execute(delete(_score).where(_score.c.response_id == response.id))
    _store_scores(session, response.id, instrument, kept)
    touch_language(session, response.id, response.language)  # news for pages that show answers without a score
    return sum(one != BLANK and code in kept for code, one in earlier.items())


def _fingerprint(vault: Vault, response_id: str, stored: Mapping[str, Given], items: Iterable[str]) -> str:
    shown = {code: [stored[code].value, stored[code].reason] for code in items if code in stored}
    return vault.basis(response_id, shown)


def _replace(
    session: Session, response_id: str, given: Mapping[str, Given], kinds: Mapping[str, str], vault: Vault
) -> None:
    words = {code for code, one in given.items() if kinds[code] in TEXT_KINDS and one.value}
    closed = [
        {"response_id": response_id, "item": code, "value": one.value, "reason": one.reason}
        for code, one in given.items()
        if code not in words
    ]
    sealed = [
        {
            "response_id": response_id,
            "item": code,
            "sealed": vault.seal(given[code].value, _place(response_id, code)),
        }
        for code in sorted(words)
    ]
    _forget(session, response_id, given)
    if closed:
        session.execute(insert(_answer), closed)
    if sealed:
        session.execute(insert(_words), sealed)


def _forget(session: Session, response_id: str, items: Iterable[str]) -> None:
    """Delete what is stored for some items of a response."""
    rows = [{"response": response_id, "code": code} for code in items]
    for statement in _FORGET if rows else ():
        session.execute(statement, rows)


def _drop_unasked(
    session: Session, instrument: Instrument, response_id: str, stored: Mapping[str, Given]
) -> dict[str, Given]:
    """Delete answers to questions that later answers made not apply: they were taken back by the person."""
    shown = {item.code for item in visible(instrument, values_of(stored))}
    unasked = [code for code in stored if code not in shown]
    _forget(session, response_id, unasked)
    return {code: one for code, one in stored.items() if code in shown}


def _store_scores(session: Session, response_id: str, instrument: Instrument, stored: Mapping[str, Given]) -> None:
    _insert_scores(session, response_id, score(instrument, values_of(stored)))


def _insert_scores(session: Session, response_id: str, scores: Mapping[str, float | None]) -> None:
    rows = [{"response_id": response_id, "scale": scale, "value": value} for scale, value in scores.items()]
    if rows:
        session.execute(insert(_score), rows)


def touch_language(session: Session, response_id: str, language: str) -> None:
    """Note the language a response is being answered in; the answers stay as they are."""
    session.execute(update(Response).where(Response.id == response_id).values(language=language))


def take_out(session: Session, response_id: str, *, vault: Vault, place: str) -> bytes:
    """Take a response whole out of the trial, so that another of the same person can stand in its place.

    Returns it sealed, bound to `place`, so that nothing is lost. A "no" is never taken out: AlreadyAnswered.
    """
    response = _locked(session, _RESPONSE, response=response_id)
    if response is None or response.state == "declined":
        raise AlreadyAnswered
    names = ("assignment_id", "instrument", "version", "language", "mode", "consent_version", "state", "receipt")
    whole: dict[str, Any] = {name: getattr(response, name) for name in names}
    whole["submitted_on"] = None if response.submitted_on is None else response.submitted_on.isoformat()
    given = answers(session, response_id, vault=vault)
    whole["answers"] = {code: [one.value, one.reason] for code, one in given.items()}
    session.delete(response)
    session.flush()
    return vault.seal(canonical(whole), place)
