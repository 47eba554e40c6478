"""Changing one's mind: what goes, what stays, and that nothing of what went is left anywhere, however the power fails."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from evalapp import audit, db, releases, responses, roster, withdrawals
from evalapp.cli import main
from evalapp.config import write_secrets
from evalapp.models import (
    WITHDRAWALS,
    Assignment,
    Audit,
    Base,
    Membership,
    ParticipantSession,
    Person,
    Response,
    Review,
    Trial,
    Withdrawal,
)
from evalapp.responses import Given
from evalapp.survey import journey
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW, SECRETS
from tests.dashboard import crowd

TODAY = NOW.date()
LATER = TODAY + timedelta(days=40)


def trial_of(session: Session, **facts: object) -> Trial:
    return make.trial(session, kind="demo", **facts)


def given_by(session: Session, vault: Vault, of: Trial, label: str = "Review 1") -> Membership:
    """Somebody who sent one questionnaire and has saved a page of another."""
    found = session.scalars(select(make.Site).where(make.Site.trial_id == of.id)).first()
    site = found or make.site(session, of)
    review = make.review(session, site, label, starts_on=TODAY - timedelta(days=3))
    place = make.person(session, review)
    make.answered(session, make.assignment(session, place, "before"), vault, {"TXT1": "words of my own"})
    open_now = make.assignment(session, place, "after")
    begun = responses.begin(
        session, open_now.id, language="en", mode="own_link", consent_version="1", agreed=True, today=TODAY
    )
    responses.save(session, begun.id, {"BLG1": Given(2)}, vault=vault)
    return place


def withdraw(session: Session, place: Membership, choice: str, vault: Vault, today: date = TODAY) -> Withdrawal:
    return withdrawals.withdraw(session, place.person_id, choice, vault=vault, now=NOW, today=today)


def states(session: Session, place: Membership) -> list[str]:
    rows = session.scalars(
        select(Response.state)
        .join(Assignment, Assignment.id == Response.assignment_id)
        .where(Assignment.membership_id == place.id)
    )
    return sorted(rows)


def asked_on(session: Session, place: Membership, day: date) -> list[str]:
    return [one.instrument for one in journey.asked_of(session, place.person_id) if one.is_open(day)]


@pytest.mark.parametrize(
    ("choice", "kept", "now", "later"),
    [
        ("no_contact", ["open", "submitted"], ["practitioner_after"], []),  # what is open can be finished
        ("keep", ["submitted"], [], []),  # pages that were not sent go
        ("delete", [], [], []),
    ],
)
def test_each_choice_does_what_its_words_say(
    session: Session, vault: Vault, choice: str, kept: list[str], now: list[str], later: list[str]
) -> None:
    place = given_by(session, vault, trial_of(session))
    in_three_months = make.assignment(session, place, "month3").opens_on
    assert asked_on(session, place, in_three_months) == ["practitioner_month3"]
    made = withdraw(session, place, choice, vault)
    assert (made.choice, made.withdrawn_on, len(made.receipt)) == (choice, TODAY, 9)
    assert states(session, place) == kept
    assert asked_on(session, place, TODAY) == now
    assert asked_on(session, place, in_three_months) == later


def test_the_same_choice_again_has_the_same_receipt_and_none_is_taken_back(session: Session, vault: Vault) -> None:
    place = given_by(session, vault, trial_of(session))
    found = [withdraw(session, place, choice, vault) for choice in ("no_contact", "no_contact", "delete", "keep")]
    assert found[0].receipt == found[1].receipt != found[2].receipt == found[3].receipt
    assert found[3].choice == "delete"
    assert withdrawals.by_receipt(session, found[3].receipt.lower()) is found[3]
    assert withdrawals.by_receipt(session, found[0].receipt) is None
    assert session.scalar(select(func.count()).select_from(Withdrawal)) == 1


@pytest.mark.parametrize(
    ("locks_on", "offered"),
    [
        (None, WITHDRAWALS),
        (TODAY + timedelta(days=1), WITHDRAWALS),  # today is the last day
        (TODAY, ("no_contact", "keep")),
        (TODAY - timedelta(days=9), ("no_contact", "keep")),
    ],
)
def test_deleting_ends_with_the_day_the_answers_are_locked(
    session: Session, vault: Vault, locks_on: date | None, offered: tuple[str, ...]
) -> None:
    of = trial_of(session, locks_on=locks_on)
    place = given_by(session, vault, of)
    assert withdrawals.choices(of, TODAY, None) == offered
    if "delete" in offered:
        withdraw(session, place, "delete", vault)
        return
    with pytest.raises(withdrawals.Locked):
        withdraw(session, place, "delete", vault)
    assert states(session, place) == ["open", "submitted"]
    assert withdrawals.of_person(session, place.person_id) is None


def test_a_choice_nobody_offers_is_refused(session: Session, vault: Vault) -> None:
    place = given_by(session, vault, trial_of(session))
    with pytest.raises(KeyError):
        withdraw(session, place, "perhaps", vault)


def test_a_code_opens_the_door_as_long_as_answers_can_be_deleted(session: Session, vault: Vault) -> None:
    of = trial_of(session)
    place = given_by(session, vault, of)
    usual = roster.card_ends_on(session, place.person_id)
    assert usual is not None
    of.locks_on = usual + timedelta(days=100)
    session.flush()
    assert roster.card_ends_on(session, place.person_id) == of.locks_on - timedelta(days=1)
    of.locks_on = usual - timedelta(days=100)
    session.flush()
    assert roster.card_ends_on(session, place.person_id) == usual


def test_nothing_is_begun_saved_or_sent_after_a_withdrawal(session: Session, vault: Vault) -> None:
    place = given_by(session, vault, trial_of(session))
    begun = responses.of_assignment(session, make.assignment(session, place, "after").id)
    assert begun is not None
    begun_id, assignment_id = begun.id, begun.assignment_id
    withdraw(session, place, "delete", vault)
    session.expire_all()
    with pytest.raises(responses.AlreadyAnswered):
        responses.save(session, begun_id, {"BLG1": Given(3)}, vault=vault)
    with pytest.raises(responses.AlreadyAnswered):
        responses.submit(session, begun_id, vault=vault, today=TODAY, basis="")
    with pytest.raises(responses.NotOpen):
        responses.begin(
            session, assignment_id, language="en", mode="own_link", consent_version="1", agreed=True, today=TODAY
        )


def test_what_becomes_known_later_asks_a_person_who_withdrew_nothing_new(session: Session, vault: Vault) -> None:
    place = given_by(session, vault, trial_of(session))
    withdraw(session, place, "keep", vault)
    before = session.scalar(select(func.count()).select_from(Assignment))
    session.get_one(Review, place.review_id).ends_on = None
    roster.assign(session, place)
    assert session.scalar(select(func.count()).select_from(Assignment)) == before  # so that they stay counted


def test_the_record_says_that_answers_were_erased_and_not_whose_nor_when_in_the_day(
    session: Session, vault: Vault
) -> None:
    of = trial_of(session)
    place = given_by(session, vault, of)
    withdraw(session, place, "delete", vault)
    row = session.scalars(select(Audit).order_by(Audit.id.desc())).first()
    assert row is not None
    assert (row.actor, row.action, row.object, row.detail) == ("participant", "answers erased", f"trial {of.id}", {})
    assert (row.at.hour, row.at.minute, row.at.second) == (0, 0, 0)
    assert audit.first_break(session) is None


def test_visits_forget_what_was_answered_in_them(session: Session, vault: Vault) -> None:
    place = given_by(session, vault, trial_of(session))
    key = journey.open_visit(session, place.person_id, language="en", now=NOW)
    journey.note(session, key, make.assignment(session, place, "after").id, answered=["BLG1"], now=NOW)
    withdraw(session, place, "delete", vault)
    visit = session.scalars(select(ParticipantSession).execution_options(populate_existing=True)).one()
    assert (visit.seen, visit.assignment_id) == ([], None)


def test_results_are_worked_out_without_it_and_a_release_stays_as_it_is(session: Session, vault: Vault) -> None:
    of = crowd.trial(session)
    places = crowd.people(session, of)
    released = releases.publish(session, of, actor="evaluator", now=NOW)
    content, before = released.content, responses.stamp(session)
    people = set(responses.scores_frame(session, of.id, "BLG", ["month3"])["participant"])
    withdraw(session, places[0], "delete", vault)
    session.flush()
    assert responses.stamp(session) > before
    left = set(responses.scores_frame(session, of.id, "BLG", ["month3"])["participant"])
    assert people - left == {places[0].person_id}
    assert session.scalars(select(releases.Release.content)).one() == content
    again = releases.content_of(releases.publish(session, of, actor="evaluator", now=NOW))["parts"]
    for key, part in releases.content_of(released)["parts"].items():
        if key.startswith(("outcome/", "recruitment/")):  # one person gone: too few to show a changed figure
            assert {**again[key], "as_of": None} == {**part, "as_of": None}, key


def test_fifty_clicks_at_one_moment_are_one_withdrawal(engine: Engine, session: Session, vault: Vault) -> None:
    place = given_by(session, vault, trial_of(session))
    person_id = place.person_id
    session.commit()

    def click(_: int) -> str:
        with db.writing(engine) as own:
            made = withdrawals.withdraw(own, person_id, "delete", vault=vault, now=NOW, today=TODAY)
            own.commit()
            return made.receipt

    with ThreadPoolExecutor(8) as threads:
        receipts = set(threads.map(click, range(50)))
    assert len(receipts) == 1
    assert session.scalar(select(func.count()).select_from(Withdrawal)) == 1
    actions = session.scalars(select(Audit.action)).all()
    assert actions.count("answers erased") == 1
    session.rollback()


# Nothing is left.

# What refers to a person and stays after an erasure, and why.
STAYS = {
    "card": "a hash; the code still opens the page with the receipt",
    "membership": "who was expected, so that the flow of people adds up",
    "assignment": "what they were expected to answer, for the same reason",
    "invitation_decision": "whether they might be asked: a decision of staff",
    "parental_consent": "a parent's say on a young person, which outlives the parent's own answers",
    "withdrawal": "so that they are not asked again",
    "participant_session": "emptied; it ends with the visit in which the receipt is read",
    "response": "deleted by `responses.erase`",
    "paper": "that one was printed; what was typed from it is deleted",
    "message": "deleted by `withdrawals.withdraw`",
}


def test_everything_that_belongs_to_a_response_goes_with_it_and_what_stays_is_known() -> None:
    """A new table that refers to a response must follow it; one that refers to a person must be thought about here."""
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            refers = key.column.table.name
            if refers == "response":
                assert key.ondelete == "CASCADE", f"{table.name}: ondelete='CASCADE', or its rows outlive an erasure"
            if refers in {"person", "membership", "assignment"}:
                assert table.name in STAYS, f"{table.name}: delete it in withdrawals.py, or say here why it stays"


@dataclass(frozen=True)
class Planted:
    """Somebody's answers in a file among many others', and every string by which they could be found there."""

    file: Path
    person_id: str
    strings: tuple[bytes, ...]

    def hits(self, *files: Path) -> list[str]:
        looked = [one for file in (files or (self.file,)) for one in file.parent.glob(f"{file.name}*") if one.is_file()]
        return [f"{one.name}: {string!r}" for one in looked for string in self.strings if string in one.read_bytes()]


@pytest.fixture
def planted(migrated_file: Path, tmp_path: Path, vault: Vault) -> Iterator[tuple[Engine, Planted]]:
    """Ten people's answers; those of the third are planted. Answers change places in the file as others come and go."""
    file = tmp_path / "trial.db"
    shutil.copy(migrated_file, file)
    engine = db.make_engine(f"sqlite:///{file}")
    with db.writing(engine) as session:
        of = trial_of(session)
        places = [given_by(session, vault, of, f"Review {number}") for number in range(8)]
        session.commit()
        place = places[2]
        strings: list[bytes] = []
        for response in session.scalars(
            select(Response)
            .join(Assignment, Assignment.id == Response.assignment_id)
            .where(Assignment.membership_id == place.id)
        ):
            strings += [response.id.encode(), *([response.receipt.encode()] if response.receipt else [])]
            sealed = session.execute(
                text("SELECT sealed FROM free_text WHERE response_id = :one"), {"one": response.id}
            ).scalars()
            strings += [one[:24] for one in sealed] + [response.basis.encode() for _ in range(bool(response.basis))]
        made = Planted(file, place.person_id, tuple(strings))
        session.commit()
    assert len(made.strings) >= 5
    assert {string for string in made.strings if string in file.read_bytes()} == set(made.strings)  # it can be found
    yield engine, made
    engine.dispose()


def erase(engine: Engine, made: Planted, vault: Vault) -> Withdrawal:
    with db.writing(engine) as session:
        done = withdrawals.withdraw(session, made.person_id, "delete", vault=vault, now=NOW, today=TODAY)
        session.commit()
    assert db.scrub(engine)
    return done


def test_no_string_of_what_was_erased_is_left_in_the_file_or_its_journals(
    planted: tuple[Engine, Planted], vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    engine, made = planted
    caplog.set_level(0)
    erase(engine, made, vault)
    assert made.hits() == []
    assert not any(string.decode(errors="replace") in caplog.text for string in made.strings)
    with db.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(Response)) == 14
        assert audit.first_break(session) is None
        dumped = "\n".join(engine.raw_connection().driver_connection.iterdump())
    assert not any(string.decode(errors="replace") in dumped for string in made.strings)


def test_the_same_holds_with_a_write_ahead_log(planted: tuple[Engine, Planted], vault: Vault) -> None:
    engine, made = planted
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[union-attr]
    erase(engine, made, vault)
    assert made.hits() == []


def test_rows_that_once_moved_between_pages_leave_no_copies(tmp_path: Path) -> None:
    """Where `secure_delete` alone leaves some: many rows, put in an order that splits pages again and again."""
    engine = db.make_engine(f"sqlite:///{tmp_path}/moved.db")
    db.prepare_file(engine)
    keys = [f"{number * 7919 % 4001:04d}-{number:04d}-planted" for number in range(1500)]
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"))
        for key in keys:
            connection.execute(
                text("INSERT INTO kept VALUES (:key, zeroblob(:size))"), {"key": key, "size": len(key) * 9}
            )
    gone = keys[::7]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM kept WHERE key = :key"), [{"key": key} for key in gone])
    assert db.scrub(engine)
    engine.dispose()
    file = (tmp_path / "moved.db").read_bytes()
    assert [key for key in gone if key.encode() in file] == []


def test_a_file_in_use_is_said_not_to_be_clean(planted: tuple[Engine, Planted]) -> None:
    engine, _ = planted
    other = db.make_engine(str(engine.url))
    with other.begin() as connection:
        connection.execute(text("UPDATE trial SET contact = 'x'"))
        held = engine.raw_connection()
        held.cursor().execute("PRAGMA busy_timeout=50")  # the pool hands the same connection out again
        held.close()
        assert not db.scrub(engine)
    assert db.scrub(engine)
    other.dispose()


@pytest.fixture
def command(planted: tuple[Engine, Planted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The `evalapp` command over the planted file, with the file that is kept outside it."""
    _, made = planted
    settings = tmp_path / "settings.env"
    write_secrets(
        settings,
        SECRETS
        | {
            "EVALAPP_DATABASE_URL": f"sqlite:///{made.file}",
            "EVALAPP_WITHDRAWALS": str(tmp_path / "elsewhere" / "marks.txt"),
        },
    )
    (tmp_path / "elsewhere").mkdir()
    for name in [one for one in os.environ if one.startswith("EVALAPP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EVALAPP_SECRETS", str(settings))
    return CliRunner()


def run(command: CliRunner, *words: str) -> str:
    found = command.invoke(main, list(words))
    assert found.exit_code == 0, found.output
    return found.output


def test_an_old_backup_restored_and_told_what_was_erased_leaves_nothing(
    planted: tuple[Engine, Planted], command: CliRunner, tmp_path: Path, vault: Vault
) -> None:
    engine, made = planted
    backup = tmp_path / "elsewhere" / "backup"
    shutil.copy(made.file, backup)
    out = run(command, "withdraw", made.person_id[:8].upper() + " " + made.person_id[8:], "delete")
    receipt = out.strip().removesuffix(".").rpartition(" ")[2]
    assert "Done: delete" in run(command, "receipt", receipt)
    run(command, "withdrawals", "--out", str(tmp_path / "list.txt"))
    outside = (tmp_path / "elsewhere" / "marks.txt").read_text()
    assert (tmp_path / "list.txt").read_text() == outside  # the file outside and the list say the same
    assert (tmp_path / "elsewhere" / "marks.txt").stat().st_mode & 0o077 == 0
    assert made.person_id not in outside
    engine.dispose()
    shutil.copy(backup, made.file)  # the disk was lost; the backup is older than the erasure
    assert made.hits() != []
    assert "1 withdrawals are done again; 0 marks" in run(command, "replay-erasures", str(tmp_path / "list.txt"))
    assert made.hits() == []
    assert "Done: delete" in run(command, "receipt", receipt)  # the receipt holds
    assert "1 withdrawals are done again" in run(command, "replay-erasures", str(tmp_path / "elsewhere" / "marks.txt"))
    run(command, "verify")
    assert not made.hits(tmp_path / "list.txt", tmp_path / "elsewhere" / "marks.txt")


def test_marks_of_people_who_are_not_here_are_counted_and_a_foreign_file_is_refused(
    planted: tuple[Engine, Planted], command: CliRunner, tmp_path: Path, vault: Vault
) -> None:
    path = tmp_path / "marks"
    path.write_text(f"{vault.withdrawal_mark('nobody')} delete 2026-03-01\n\n")
    assert "0 withdrawals are done again; 1 marks fit nobody" in run(command, "replay-erasures", str(path))
    for wrong in ("one two", "a erase 2026-03-01", "a delete yesterday"):
        path.write_text(f"{wrong}\n")
        found = command.invoke(main, ["replay-erasures", str(path)])
        assert (found.exit_code, "line 1 is no withdrawal's mark" in found.output) == (2, True)


def test_of_several_marks_of_a_person_the_furthest_holds() -> None:
    found = withdrawals.read_marks(
        "a delete 2026-03-02\na keep 2026-03-01\nb no_contact 2026-03-01\nb keep 2026-03-03\n"
    )
    assert [(one.mark, one.choice) for one in found] == [("a", "delete"), ("b", "keep")]


def test_every_choice_is_told_to_a_restored_backup(session: Session, vault: Vault) -> None:
    of = trial_of(session)
    places = [given_by(session, vault, of, f"Review {number}") for number in range(3)]
    marks = [withdrawals.Mark(vault.withdrawal_mark(place.person_id), choice, TODAY)
             for place, choice in zip(places, WITHDRAWALS, strict=True)]  # fmt: skip
    for _ in range(2):
        assert withdrawals.replay(session, marks, vault=vault, now=NOW) == (3, 0)
        assert [states(session, place) for place in places] == [["open", "submitted"], ["submitted"], []]
        assert [one.choice for one in withdrawals.marks(session, vault)].count("delete") == 1
    assert audit.first_break(session) is None


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from sqlalchemy import event
from evalapp import db, withdrawals
from evalapp.vault import Vault

url, root, person, point = sys.argv[1:]
engine = db.make_engine(url)
seen = 0

@event.listens_for(engine, "before_cursor_execute")
def count(connection, cursor, statement, *rest):
    global seen
    seen += statement.startswith("DELETE")
    if point.isdigit() and seen > int(point):
        connection.connection.driver_connection.execute("PRAGMA cache_spill")
        os.kill(os.getpid(), signal.SIGKILL)

with db.writing(engine) as session:
    now = datetime(2026, 3, 2, 10, tzinfo=UTC)
    withdrawals.withdraw(session, person, "delete", vault=Vault(root), now=now, today=now.date())
    if point == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    session.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("point", ["1", "3", "before", "after"])
def test_an_erasure_that_was_killed_is_whole_or_not_there_and_can_be_repeated(
    planted: tuple[Engine, Planted], vault: Vault, point: str
) -> None:
    engine, made = planted
    engine.dispose()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(engine.url), SECRETS["EVALAPP_ROOT_KEY"], made.person_id, point],
        check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with db.reading(engine) as session:
        withdrawn = withdrawals.of_person(session, made.person_id) is not None
        left = session.scalar(select(func.count()).select_from(Response))
        assert (withdrawn, left) == ((True, 14) if point == "after" else (False, 16))
    receipts = {erase(engine, made, vault).receipt for _ in range(2)}
    assert len(receipts) == 1
    assert made.hits() == []


def test_nobody_with_a_wrong_number_is_withdrawn(command: CliRunner) -> None:
    found = command.invoke(main, ["withdraw", "0000", "keep"])
    assert (found.exit_code, "nobody has this number" in found.output) == (2, True)


def test_the_command_refuses_to_delete_what_is_locked(planted: tuple[Engine, Planted], command: CliRunner) -> None:
    engine, made = planted
    with db.writing(engine) as session:
        session.scalars(select(Trial)).one().locks_on = date(2026, 1, 1)
        session.commit()
    found = command.invoke(main, ["withdraw", made.person_id, "delete"])
    assert (found.exit_code, "locked" in found.output) == (2, True)
    assert "The receipt is" in run(command, "withdraw", made.person_id, "keep")
    assert "Nothing of deleted rows" in run(command, "scrub")
    with db.reading(engine) as session:
        assert session.get_one(Person, made.person_id).trial_id
