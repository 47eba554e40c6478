"""The record: whole, append-only on both databases, and honest about having been tampered with."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from evalapp import audit, db
from evalapp.models import Audit
from tests import make
from tests.conftest import NOW

TAMPERINGS = [
    ("UPDATE audit SET actor = 'another' WHERE id = 3", 3, "a changed actor"),
    ("UPDATE audit SET at = '2020-01-01 00:00:00+00:00' WHERE id = 3", 3, "a changed moment"),
    ('UPDATE audit SET detail = \'{"role": "other"}\' WHERE id = 3', 3, "a changed detail"),
    ("DELETE FROM audit WHERE id = 3", 4, "a missing row"),
    ("DELETE FROM audit WHERE id = 1", 2, "a missing first row"),
    ("UPDATE audit SET hash = previous_hash WHERE id = 5", 5, "a changed last link"),
]


def fill(session: Session, rows: int = 5) -> None:
    for number in range(rows):
        audit.record(session, "system", "tried", f"thing {number}", now=NOW, role="admin")
    session.commit()


def without_triggers(session: Session) -> None:
    """What someone with the database's own rights could do."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET session_replication_role = replica"))
        return
    session.execute(text("DROP TRIGGER audit_no_update"))
    session.execute(text("DROP TRIGGER audit_no_delete"))


def test_an_empty_and_a_filled_record_are_whole(session: Session) -> None:
    assert audit.first_break(session) is None
    fill(session)
    assert audit.first_break(session) is None
    assert audit.length(session) == 5


def test_each_row_holds_the_hash_of_the_one_before(session: Session) -> None:
    fill(session, 3)
    rows = session.scalars(select(Audit).order_by(Audit.id)).all()
    assert [row.previous_hash for row in rows] == [audit.START, rows[0].hash, rows[1].hash]


@pytest.mark.parametrize(("tampering", "number", "why"), TAMPERINGS)
def test_tampering_names_the_first_row_that_does_not_follow(
    session: Session, tampering: str, number: int, why: str
) -> None:
    fill(session)
    without_triggers(session)
    session.execute(text(tampering))
    assert audit.first_break(session) == number, why
    session.rollback()


def test_two_rows_that_changed_places_are_found(session: Session) -> None:
    fill(session)
    without_triggers(session)
    for was, becomes in ((2, 99), (3, 2), (99, 3)):
        session.execute(text("UPDATE audit SET id = :becomes WHERE id = :was"), {"was": was, "becomes": becomes})
    assert audit.first_break(session) == 2
    session.rollback()


@pytest.mark.parametrize("table", ["audit", "allocation", "release"])
@pytest.mark.parametrize("change", ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}"])
def test_what_is_written_once_refuses_a_change(session: Session, table: str, change: str) -> None:
    trial = make.trial(session)
    make.site(session, trial, arm="appreciative")
    audit.record(session, "system", "tried", "thing", now=NOW)
    session.execute(
        text("INSERT INTO release (id, trial_id, number, published_at, published_by, content, withheld, sha256) "
             "VALUES ('r', :trial, 1, :now, 'someone', '{}', '{}', 'x')"),
        {"trial": trial.id, "now": NOW.isoformat()},
    )  # fmt: skip
    session.commit()
    column = {"audit": "actor", "allocation": "scheme", "release": "content"}[table]
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(change.format(table=table, column=column)))


def test_writing_over_an_allocation_is_refused_too(session: Session) -> None:
    """SQLite's INSERT OR REPLACE deletes the old row without asking a DELETE trigger, unless it is told to ask."""
    if session.get_bind().dialect.name == "postgresql":
        replace = "INSERT INTO allocation SELECT * FROM allocation ON CONFLICT (site_id) DO UPDATE SET scheme = 'none'"
    else:
        replace = "INSERT OR REPLACE INTO allocation SELECT * FROM allocation"
    make.site(session, make.trial(session), arm="appreciative")
    session.commit()
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(replace))


def test_a_refused_record_leaves_the_change_undone(session: Session) -> None:
    """The row is in the caller's transaction: no record, no change."""
    fill(session, 1)
    make.trial(session, "another")
    audit.record(session, "system", "trial started", "trial", now=NOW)
    session.rollback()
    assert audit.length(session) == 1
    assert session.execute(text("SELECT count(*) FROM trial")).scalar() == 0


def test_a_moment_in_another_time_zone_is_the_same_moment(session: Session) -> None:
    audit.record(session, "system", "tried", "thing", now=NOW.astimezone(timezone(timedelta(hours=5))))
    session.commit()
    session.expire_all()
    assert audit.first_break(session) is None


def test_writers_at_one_moment_make_one_chain(engine: Engine) -> None:
    def write(writer: int) -> None:
        for number in range(10):
            with db.writing(engine) as session:
                audit.record(session, f"writer {writer}", "tried", f"thing {number}", now=NOW)
                session.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with db.reading(engine) as session:
        assert audit.length(session) == 40
        assert audit.first_break(session) is None
