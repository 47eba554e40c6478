"""The only module that writes and reads answers."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import (
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
    update,
)
from sqlalchemy import cast as as_type
from sqlalchemy.orm import Session, aliased

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
    Site,
    Wave,
    Withdrawal,
)
from evalapp.shelf import questionnaire
from evalapp.vault import Vault
from instruments import Instrument, score, visible

if TYPE_CHECKING:
    import pandas as pd

TEXT_KINDS = frozenset({"short_text", "long_text"})
REASONS = ("prefer_not", "not_applicable")


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
        .select_from(Score)
        .join(Response, Response.id == Score.response_id)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .where(Score.scale == scale, Assignment.wave_id.in_(list(wanted)), Response.state == "submitted")
    )
    rows = _rows_of(session, query, ["site", "review", "participant", "role", "wave", "value"])
    frame = pd.DataFrame(rows, dtype=object)
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
        .select_from(Answer)
        .join(Response, Response.id == Answer.response_id)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Site, Site.id == Membership.site_id)
        .outerjoin(Review, Review.id == Membership.review_id)
        .outerjoin(Allocation, Allocation.site_id == Site.id)
        .outerjoin(Arm, Arm.id == Allocation.arm_id)
        .where(Site.trial_id == trial_id, Response.instrument == instrument, Answer.item.in_(list(items)))
        .where(Response.state == "submitted")
    )  # fmt: skip
    columns = ["site", "review", "participant", "role", "wave", "arm", "item", "value", "reason"]
    return pd.DataFrame(session.execute(query).all(), columns=columns)


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
        .select_from(Assignment)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Site, Site.id == Membership.site_id)
        .outerjoin(Review, Review.id == Membership.review_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .outerjoin(Allocation, Allocation.site_id == Site.id)
        .outerjoin(Arm, Arm.id == Allocation.arm_id)
        .where(Site.trial_id == trial_id)
        .order_by(Site.name, Review.label, Wave.position, Membership.role)
    )  # fmt: skip
    columns = [
        "site", "site_name", "review", "review_label", "participant", "role", "wave", "arm",
        "instrument", "opens_on", "closes_on", "state",
    ]  # fmt: skip
    frame = pd.DataFrame(session.execute(query).all(), columns=columns)
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
        .select_from(Assignment)
        .join(Membership, Membership.id == Assignment.membership_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .where(Assignment.wave_id.in_(select(Wave.id).where(Wave.trial_id == trial_id)))
        .group_by(*keys)
    )
    columns = ["site", "review", "wave", "role", "expected", "opened", "answered"]
    found = pd.DataFrame(session.execute(query).all(), columns=columns)
    of_trial = select(Review.id, Review.label).join(Site, Site.id == Review.site_id).where(Site.trial_id == trial_id)
    labels = _by_id(session, of_trial)
    names = _by_id(session, select(Site.id, Site.name).where(Site.trial_id == trial_id))
    waves = _by_id(session, select(Wave.id, Wave.code).where(Wave.trial_id == trial_id))
    return found.assign(
        site_name=found["site"].map(names).astype(object),
        review_label=found["review"].map(labels).astype(object),
        wave=found["wave"].map(waves).astype(object),
    )


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
    key: Any = columns[by]
    query = (
        select(key, func.count(Membership.person_id.distinct()))
        .select_from(Assignment)
        .join(Membership, Membership.id == Assignment.membership_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .where(Wave.trial_id == trial_id, *(columns[name] == value for name, value in filters.items()))
        .group_by(key)
    )
    return _by_id(session, query)


def asked_of(session: Session, trial_id: str) -> list[Asked]:
    """Every questionnaire of a trial, by wave in its order, name and version, with how many are expected and sent."""
    query = (
        select(
            Wave.code, Assignment.instrument, Assignment.version, func.count(),
            func.sum(case((Response.state == "submitted", 1), else_=0)),
        )
        .select_from(Assignment)
        .join(Wave, Wave.id == Assignment.wave_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .where(Wave.trial_id == trial_id)
        .group_by(Wave.position, Wave.code, Assignment.instrument, Assignment.version)
        .order_by(Wave.position, Assignment.instrument, Assignment.version)
    )  # fmt: skip
    return [Asked(*row) for row in session.execute(query)]


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

    query = (
        _sent(
            select(Membership.site_id, Membership.review_id, Wave.code, Score.value, func.count()),
            trial_id,
            instruments,
        )
        .join(Score, Score.response_id == Response.id)
        .where(Score.scale == scale)
        .group_by(Membership.site_id, Membership.review_id, Wave.code, Score.value)
    )
    found = [tuple(row) for row in session.execute(query)]  # plain, or pandas looks at each for what it is
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
    who = _sent(select(Response.id, Wave.code.label("wave"), arm.label("arm")), trial_id, instruments)
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
        .where(Answer.item.in_(list(items)))
        .group_by(*keys)
    )
    found = [
        (item, wave, group, _read(given), reason, people)
        for item, wave, group, given, reason, people in session.execute(query)
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
    query = _sent(select(*keys, func.count(), *values), trial_id, instruments)
    for code, one in zip(codes, given, strict=True):  # a join an item, each by the table's key
        query = query.outerjoin(one, and_(one.response_id == Response.id, one.item == code))
    query = query.group_by(*keys, *values)
    found = pd.DataFrame(
        session.execute(query).all(),
        columns=["wave", "role", "language", "instrument", "version", "people", *codes],
    )
    return found.astype(dict.fromkeys(codes, float))


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
    # One row a place: whoever is asked several questionnaires before the review has answered with one of them.
    starts = (
        select(start.membership_id, func.max(case((began.state == "submitted", 1), else_=0)).label("answered"))
        .outerjoin(began, began.assignment_id == start.id)
        .where(start.wave_id == first.id)
        .group_by(start.membership_id)
        .subquery()
    )
    sent = case((Response.state == "submitted", 1), else_=0)
    later = case((and_(Wave.position > first.position, starts.c.answered.is_not(None)), 1), else_=0)
    query = (
        select(
            Membership.site_id, Wave.code, Membership.role, func.count(), func.sum(sent),
            func.sum(case((Response.state == "declined", 1), else_=0)),
            func.sum(sent * later * func.coalesce(starts.c.answered, 0)), func.sum(later),
        )
        .select_from(Assignment)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .outerjoin(Response, Response.assignment_id == Assignment.id)
        .outerjoin(starts, starts.c.membership_id == Assignment.membership_id)
        .where(Wave.trial_id == trial_id, Assignment.opens_on <= today)
        .group_by(Membership.site_id, Wave.code, Membership.role)
    )  # fmt: skip
    columns = ["site", "wave", "role", "expected", "answered", "declined", "both", "asked_both"]
    return pd.DataFrame(session.execute(query).all(), columns=columns)


def blanks_tally(session: Session, trial_id: str) -> "pd.DataFrame":
    """How many closed questions were shown, left blank and refused, counted by the database: a row a site, wave, role.

    Columns: site, wave, role, shown, blank, refused (questions of submitted questionnaires). Places for one's own
    words are not here: an empty one is no missing answer.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    blank = case((and_(Answer.value.is_(None), Answer.reason.is_(None)), 1), else_=0)
    written = [
        item.code for one in {row.instrument: questionnaire(row.instrument, row.version) for row in
                              asked_of(session, trial_id)}.values() for item in one.items if item.kind in TEXT_KINDS
    ]  # fmt: skip
    counted = (
        select(
            Answer.response_id, func.count().label("shown"), func.sum(blank).label("blank"),
            func.count(Answer.reason).label("refused"),
        )
        .where(Answer.item.not_in(written))
        .group_by(Answer.response_id)
        .subquery()
    )  # fmt: skip
    keys = (Membership.site_id, Wave.code, Membership.role)
    sums = (func.sum(counted.c.shown), func.sum(counted.c.blank), func.sum(counted.c.refused))
    query = _sent(select(*keys, *sums), trial_id, None)
    query = query.join(counted, counted.c.response_id == Response.id).group_by(*keys)
    return pd.DataFrame(session.execute(query).all(), columns=["site", "wave", "role", "shown", "blank", "refused"])


def _sent(
    query: Select[*tuple[Any, ...]], trial_id: str, instruments: Collection[str] | None
) -> Select[*tuple[Any, ...]]:
    """Submitted responses of a trial with their wave and place.

    Of `instruments` alone, each person once: in the first review (by start, then id) in which they sent one of them; places
    outside reviews count as they are.
    """
    query = (
        query.select_from(Response)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .join(Membership, Membership.id == Assignment.membership_id)
        .where(Wave.trial_id == trial_id, Response.state == "submitted")
    )
    if instruments is None:
        return query
    query = query.where(Response.instrument.in_(list(instruments)))
    return query.where(Membership.id.not_in(_in_later_reviews(instruments)))


def _in_later_reviews(instruments: Collection[str]) -> Select[tuple[str]]:
    """Places of people who sent one of these questionnaires in several reviews, but for each person's first such place.

    Few people have several places: only theirs are ranked.
    """
    place, review, asked, sent = aliased(Membership), aliased(Review), aliased(Assignment), aliased(Response)
    several = select(Membership.person_id).group_by(Membership.person_id).having(func.count() > 1)
    answered = (
        select(asked.id)
        .join(sent, sent.assignment_id == asked.id)
        .where(asked.membership_id == place.id, sent.state == "submitted", asked.instrument.in_(list(instruments)))
        .exists()
    )
    order = (func.coalesce(review.starts_on, date.max), review.id)
    ranked = (
        select(place.id, func.row_number().over(partition_by=place.person_id, order_by=order).label("rank"))
        .join(review, review.id == place.review_id)
        .where(place.person_id.in_(several), answered)
        .subquery()
    )
    return select(ranked.c.id).where(ranked.c.rank > 1)


def _read(value: str | None) -> Any:
    """An answer from its JSON text, a list as a tuple, so that answers can be counted."""
    found = None if value is None else json.loads(value)
    return tuple(found) if isinstance(found, list) else found


def _by_id(session: Session, query: Select[Any, Any]) -> dict[Any, Any]:
    """A query's second column by its first."""
    return {row[0]: row[1] for row in session.execute(query)}


def _rows_of(session: Session, query: Select[*tuple[Any, ...]], columns: list[str]) -> dict[str, list[Any]]:
    """A query's columns as lists in which one text is one object however many rows hold it.

    Read whole and at once: a cursor left open would block writers of an SQLite file.
    """
    same: dict[Any, Any] = {}
    found: dict[str, list[Any]] = {column: [] for column in columns}
    for row in session.execute(query).all():
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
