"""Papers that come back: typed in by two people, settled, then stored as a response. Until then everything is sealed."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from evalapp import asking, audit, responses
from evalapp.codes import check_character, folded
from evalapp.models import Assignment, Membership, Paper, PaperEntry, Site, Trial
from evalapp.paper.questionnaire import INFORMATION, asked
from evalapp.responses import Given
from evalapp.shelf import questionnaire
from evalapp.vault import CROCKFORD, Vault, canonical
from instruments import Instrument

CONSENTS = ("yes", "no", "none")  # ticked yes, ticked no, neither ticked
FORGOTTEN = timedelta(days=1)  # an unfinished entry nobody touched for so long gives its place to somebody else
CONSENT, DAY = "consent", "day"


class Settled(Exception):
    """The paper was stored or put aside before; nothing was changed."""


class TypedByOthers(Exception):
    """Two other people type, or have typed, this paper."""


class NotAsked(Exception):
    """The questionnaire may not be asked of its person as things are: it says nothing of why."""


class Unfinished(Exception):
    """Something on the paper is not typed yet."""


class ChangedMeanwhile(Exception):
    """What two people typed is not what the page showed."""


@dataclass(frozen=True)
class Typed:
    """What one person typed from a paper: the consent, the day on it, an answer for every question there is."""

    consent: str | None = None
    day: date | None = None
    given: Mapping[str, Given] = field(default_factory=dict)

    def with_page(self, given: Mapping[str, Given]) -> "Typed":
        return replace(self, given={**self.given, **given})


@dataclass(frozen=True)
class Held:
    """What a paper is of: its row, its questionnaire in the paper's language, the days it can be from."""

    paper: Paper
    instrument: Instrument
    opens_on: date
    closes_on: date

    @property
    def codes(self) -> list[str]:
        return [item.code for item in asked(self.instrument, words_read=self.paper.words_read)]


@dataclass(frozen=True)
class UnderWay:
    """One line of a member of staff's list of papers: `stands` says what there is for them to do."""

    paper_id: str
    serial: str
    title: str
    stands: str  # mine, waiting, second, differs or held


def spaced(serial: str) -> str:
    """A serial as printed: two groups of four."""
    return f"{serial[:4]}-{serial[4:]}"


def issue(session: Session, assignment: Assignment, *, language: str, actor: str, now: datetime) -> Paper:
    """A paper for one person's questionnaire. Its serial is random: it says nothing of the person or their card.

    Raises NotAsked where they may not be asked it, or withdrew.
    """
    place = session.get_one(Membership, assignment.membership_id)
    if not asking.may_be_approached(session, place.person_id, about=assignment.id):
        raise NotAsked
    body = "".join(secrets.choice(CROCKFORD) for _ in range(7))
    paper = Paper(
        serial=body + check_character(body), assignment_id=assignment.id, language=language,
        consent_version=INFORMATION, words_read=words_read(session, assignment),
    )  # fmt: skip
    session.add(paper)
    session.flush()
    audit.record(session, actor, "paper printed", f"paper {paper.id}", now=now, language=language)
    return paper


def words_read(session: Session, assignment: Assignment) -> bool:
    """Whether there are boxes for words: somebody reads them, or it is a demonstration."""
    trial = _trial(session, assignment)
    return trial.kind == "demo" or bool(trial.text_reader)


def in_language(session: Session, assignment: Assignment, language: str) -> Instrument:
    """An assignment's questionnaire as printed, in a language it may be offered in, else in its own."""
    trial = _trial(session, assignment)
    found = questionnaire(assignment.instrument, assignment.version)
    allowed = found.languages if trial.kind == "demo" else found.approved_languages
    spoken = found.in_language(language) if language in allowed else found
    return spoken.filled({"year": str((trial.starts_on or assignment.opens_on).year)})


def of_serial(session: Session, typed: str) -> Paper | None:
    """The paper whose serial somebody typed or scanned; None when there is none."""
    serial = folded(typed.rpartition("/")[2])
    return session.scalar(select(Paper).where(Paper.serial == serial))


def of_id(session: Session, paper_id: str) -> Held | None:
    paper = session.get(Paper, paper_id)
    return None if paper is None else _held(session, paper)


def begin(session: Session, paper_id: str, staff_id: str, *, vault: Vault, now: datetime) -> PaperEntry:
    """The caller's own entry of a paper, begun now or before. Raises Settled, NotAsked, TypedByOthers."""
    held = _locked(session, paper_id)
    _may_be_asked(session, held)
    entries = entries_of(session, paper_id)
    own = next((one for one in entries if one.staff_id == staff_id), None)
    if own is not None:
        return own
    for left in entries if len(entries) == 2 else ():
        if not left.finished and now - left.touched_at > FORGOTTEN:
            _drop(session, left, actor=staff_id, now=now)
    entries = entries_of(session, paper_id)
    if len(entries) == 2:
        raise TypedByOthers
    place = 2 if entries and entries[0].place == 1 else 1
    own = PaperEntry(
        paper_id=paper_id, place=place, staff_id=staff_id, finished=False, touched_at=now,
        sealed=_seal(vault, paper_id, place, Typed()),
    )  # fmt: skip
    session.add(own)
    session.flush()
    audit.record(session, staff_id, "paper entry begun", f"paper {paper_id}", now=now, place=place)
    return own


def own_entry(session: Session, paper_id: str, staff_id: str) -> PaperEntry | None:
    return next((one for one in entries_of(session, paper_id) if one.staff_id == staff_id), None)


def typed_in(entry: PaperEntry, *, vault: Vault) -> Typed:
    """What an entry holds."""
    return _unpacked(vault.unseal(entry.sealed, _place(entry.paper_id, entry.place)))


def keep(session: Session, paper_id: str, staff_id: str, change: Typed, *, vault: Vault, now: datetime) -> Typed:
    """Add what was just typed to one's own entry. Raises Settled, also when the entry is finished or not there.

    No audit row a page: the entry's beginning and end are on the record, and what was typed is in it alone.
    """
    _locked(session, paper_id)
    entry = own_entry(session, paper_id, staff_id)
    if entry is None or entry.finished:
        raise Settled
    before = typed_in(entry, vault=vault)
    after = replace(
        before.with_page(change.given), consent=change.consent or before.consent, day=change.day or before.day
    )
    entry.sealed, entry.touched_at = _seal(vault, paper_id, entry.place, after), now
    session.flush()
    return after


def start_again(session: Session, paper_id: str, staff_id: str, *, now: datetime) -> None:
    """Delete one's own entry, until both are finished. Raises Settled."""
    _locked(session, paper_id)
    entries = entries_of(session, paper_id)
    own = next((one for one in entries if one.staff_id == staff_id), None)
    if own is None or (len(entries) == 2 and all(one.finished for one in entries)):
        raise Settled
    _drop(session, own, actor=staff_id, now=now)


def is_whole(held: Held, typed: Typed) -> bool:
    """Whether everything on the paper is typed; without a ticked yes there is nothing but the consent and the day."""
    if typed.consent is None or typed.day is None:
        return False
    return typed.consent != "yes" or set(held.codes) <= set(typed.given)


def finish(session: Session, paper_id: str, staff_id: str, *, vault: Vault, now: datetime) -> str:
    """End one's entry. When it is the second and both agree, the paper is stored at once.

    Returns where the paper stands: waiting, differs, stored, held or unused. The same finish twice gives the same.
    Raises Unfinished, Settled, NotAsked, NotOpen.
    """
    held = _locked(session, paper_id)
    _may_be_asked(session, held)
    own = own_entry(session, paper_id, staff_id)
    if own is None:
        raise Settled
    if not own.finished:
        if not is_whole(held, typed_in(own, vault=vault)):
            raise Unfinished
        own.finished, own.touched_at = True, now
        session.flush()
        audit.record(session, staff_id, "paper entry finished", f"paper {paper_id}", now=now, place=own.place)
    both = _both(session, paper_id, vault)
    if both is None:
        return "waiting"
    if differing(held, *both):
        return "differs"
    return _settle(session, held, both[0], actor=staff_id, vault=vault, now=now)


def differing(held: Held, first: Typed, second: Typed) -> list[str]:
    """Where two people typed something else: the consent, the day, items by code, in the order of the paper.

    While the consents differ the answers are not compared: only one of the two typed any.
    """
    found = [CONSENT] if first.consent != second.consent else []
    if first.day != second.day:
        found.append(DAY)
    if first.consent == second.consent == "yes":
        found += [code for code in held.codes if first.given.get(code) != second.given.get(code)]
    return found


def two_entries(session: Session, paper_id: str, *, vault: Vault) -> tuple[Typed, Typed] | None:
    """What both people typed, once both have finished; None before."""
    return _both(session, paper_id, vault)


def basis(paper_id: str, both: tuple[Typed, Typed], *, vault: Vault) -> str:
    """The fingerprint of two entries as a page shows them: it comes back with what was decided about them."""
    return vault.basis(paper_id, [_packed(one) for one in both])


def settle(
    session: Session, paper_id: str, chosen: Typed, shown: str, *, actor: str, vault: Vault, now: datetime
) -> str:
    """Decide what the paper says where two people typed differently, and store it.

    `chosen` holds what is right for each difference. Returns as `finish` does; "waiting" when a ticked yes was overlooked
    by one, whose entry is deleted: a second person still has to type the answers. Raises Settled, NotAsked,
    ChangedMeanwhile (the entries are not those `shown` is the fingerprint of), Unfinished (a difference is left), NotOpen.
    """
    held = _locked(session, paper_id)
    _may_be_asked(session, held)
    both = _both(session, paper_id, vault)
    if both is None or basis(paper_id, both, vault=vault) != shown:
        raise ChangedMeanwhile
    open_ones = differing(held, *both)
    left = [code for code in open_ones if code not in {CONSENT, DAY} and code not in chosen.given]
    if left or (CONSENT in open_ones and chosen.consent is None) or (DAY in open_ones and chosen.day is None):
        raise Unfinished
    audit.record(session, actor, "paper differences settled", f"paper {paper_id}", now=now, differences=len(open_ones))
    if CONSENT in open_ones and chosen.consent == "yes":
        for entry in entries_of(session, paper_id):
            typed = typed_in(entry, vault=vault)
            if typed.consent != "yes":
                _drop(session, entry, actor=actor, now=now)
            elif chosen.day is not None:
                entry.sealed = _seal(vault, paper_id, entry.place, replace(typed, day=chosen.day))
        session.flush()
        return "waiting"
    first = both[0]
    agreed = Typed(
        chosen.consent if CONSENT in open_ones else first.consent,
        chosen.day if DAY in open_ones else first.day,
        {**first.given, **{code: chosen.given[code] for code in open_ones if code in chosen.given}},
    )
    return _settle(session, held, agreed, actor=actor, vault=vault, now=now)


def decide(session: Session, paper_id: str, *, paper_counts: bool, actor: str, vault: Vault, now: datetime) -> str:
    """Where its person answered in another way too: which of the two counts. Neither is shown to whoever decides.

    The response that gives way to the paper is kept sealed with it; a paper that gives way is deleted.
    Raises Settled, NotAsked for a paper that may not count, and AlreadyAnswered where the person said no: a no is final.
    """
    held = _locked(session, paper_id, state="held")
    if paper_counts:
        _may_be_asked(session, held)
    typed = _unpacked(vault.unseal(held.paper.kept or b"", _place(paper_id, 0)))
    audit.record(session, actor, "paper decided", f"paper {paper_id}", now=now, paper_counts=paper_counts)
    held.paper.kept = None
    if not paper_counts:
        held.paper.state = "unused"
        session.flush()
        return "unused"
    other = responses.of_assignment(session, held.paper.assignment_id)
    aside = None
    if other is not None:
        aside = responses.take_out(session, other.id, vault=vault, place=_place(paper_id, 0))
    _store(session, held, typed, vault=vault)
    held.paper.kept = aside
    session.flush()
    return "stored"


def papers_for(session: Session, staff_id: str, *, decides: bool) -> list[UnderWay]:
    """The papers there is something to do about, and those of one's own that wait for somebody else."""
    rows = session.execute(
        select(Paper, Assignment.instrument, Assignment.version)
        .join(Assignment, Assignment.id == Paper.assignment_id)
        .where((Paper.state == "held") | Paper.id.in_(select(PaperEntry.paper_id)))
        .order_by(Paper.serial)
    ).all()
    entries: dict[str, list[PaperEntry]] = {}
    for entry in session.scalars(select(PaperEntry)):
        entries.setdefault(entry.paper_id, []).append(entry)
    found = []
    for paper, name, version in rows:
        stands = _stands(paper, entries.get(paper.id, []), staff_id, decides=decides)
        if stands is not None:
            found.append(UnderWay(paper.id, spaced(paper.serial), questionnaire(name, version).title, stands))
    return found


def entries_of(session: Session, paper_id: str) -> list[PaperEntry]:
    """A paper's entries as they are stored now, whatever this session knew of them before it held the paper."""
    query = select(PaperEntry).where(PaperEntry.paper_id == paper_id).order_by(PaperEntry.place)
    return list(session.scalars(query, execution_options={"populate_existing": True}))


def _stands(paper: Paper, entries: list[PaperEntry], staff_id: str, *, decides: bool) -> str | None:
    if paper.state == "held":
        return "held" if decides else None
    own = next((one for one in entries if one.staff_id == staff_id), None)
    finished = [one for one in entries if one.finished]
    if len(finished) == 2:
        return "differs"
    if own is not None:
        return "waiting" if own.finished else "mine"
    return "second" if finished and len(entries) == 1 else None


def _settle(session: Session, held: Held, agreed: Typed, *, actor: str, vault: Vault, now: datetime) -> str:
    """Store what is agreed, or hold it where the person has answered in another way too; the entries are deleted.

    Only here, when two people have typed a whole paper, does anyone learn that there is another response: a serial
    alone must not tell who has answered.
    """
    paper = held.paper
    session.get_one(Assignment, paper.assignment_id, with_for_update={"key_share": True})  # as `responses.begin` does
    if agreed.consent == "none":
        paper.state = "unused"
    elif responses.of_assignment(session, paper.assignment_id) is not None:
        paper.state, paper.kept = "held", _seal(vault, paper.id, 0, agreed)
    else:
        _store(session, held, agreed, vault=vault)
    session.execute(delete(PaperEntry).where(PaperEntry.paper_id == paper.id))
    session.flush()
    audit.record(session, actor, f"paper {paper.state}", f"paper {paper.id}", now=now)
    return paper.state


def _store(session: Session, held: Held, agreed: Typed, *, vault: Vault) -> None:
    """The paper becomes a response as any other does, dated as the paper is."""
    if agreed.day is None:
        raise Unfinished
    response = responses.begin(
        session, held.paper.assignment_id, language=held.paper.language, mode="paper",
        consent_version=held.paper.consent_version, agreed=agreed.consent == "yes", today=agreed.day,
    )  # fmt: skip
    if agreed.consent == "yes":
        responses.save(session, response.id, {code: agreed.given[code] for code in held.codes}, vault=vault)
        codes = [item.code for item in held.instrument.items]
        seen = responses.basis_of(session, response.id, codes, vault=vault)
        responses.submit(session, response.id, vault=vault, today=agreed.day, basis=seen)
    held.paper.state = "stored"


def _both(session: Session, paper_id: str, vault: Vault) -> tuple[Typed, Typed] | None:
    done = [typed_in(one, vault=vault) for one in entries_of(session, paper_id) if one.finished]
    return (done[0], done[1]) if len(done) == 2 else None


def _locked(session: Session, paper_id: str, *, state: str = "out") -> Held:
    """The paper, held until the transaction ends, while it stands as it has to. Raises Settled."""
    query = select(Paper).where(Paper.id == paper_id).with_for_update()
    paper = session.scalar(query, execution_options={"populate_existing": True})
    if paper is None or paper.state != state:
        raise Settled
    return _held(session, paper)


def _held(session: Session, paper: Paper) -> Held:
    assignment = session.get_one(Assignment, paper.assignment_id)
    return Held(paper, in_language(session, assignment, paper.language), assignment.opens_on, assignment.closes_on)


def _may_be_asked(session: Session, held: Held) -> None:
    if not asking.of_assignment(session, held.paper.assignment_id):
        raise NotAsked


def _trial(session: Session, assignment: Assignment) -> Trial:
    query = select(Trial).join(Site, Site.trial_id == Trial.id).join(Membership, Membership.site_id == Site.id)
    return session.scalars(query.where(Membership.id == assignment.membership_id)).one()


def _drop(session: Session, entry: PaperEntry, *, actor: str, now: datetime) -> None:
    audit.record(session, actor, "paper entry deleted", f"paper {entry.paper_id}", now=now, place=entry.place)
    session.delete(entry)
    session.flush()


def _place(paper_id: str, place: int) -> str:
    return f"paper_entry|{paper_id}|{place}" if place else f"paper|{paper_id}|kept"


def _seal(vault: Vault, paper_id: str, place: int, typed: Typed) -> bytes:
    return vault.seal(canonical(_packed(typed)), _place(paper_id, place))


def _packed(typed: Typed) -> dict[str, Any]:
    day = None if typed.day is None else typed.day.isoformat()
    return {
        CONSENT: typed.consent, DAY: day,
        "given": {code: [one.value, one.reason] for code, one in typed.given.items()},
    }  # fmt: skip


def _unpacked(text: str) -> Typed:
    found = json.loads(text)
    day = None if found[DAY] is None else date.fromisoformat(found[DAY])
    return Typed(found[CONSENT], day, {code: Given(*one) for code, one in found["given"].items()})
