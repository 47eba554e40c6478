"""The database's promises: durable commits, one writer at a time, moments in UTC, rules held by the tables."""

import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from evalapp import db
from evalapp.models import Site, Trial
from tests import make
from tests.conftest import NOW

VERSIONS = [
    ((3, 6, 23), "WAL", "before the fault came in (and before WAL, which it then ignores)"),
    ((3, 7, 0), "DELETE", "the first with the fault"),
    ((3, 40, 1), "DELETE", "Debian 12"),
    ((3, 44, 5), "DELETE", "the last of its line with the fault"),
    ((3, 44, 6), "WAL", "mended in its line"),
    ((3, 45, 0), "DELETE", "a later line, not mended"),
    ((3, 50, 6), "DELETE", "the last of its line with the fault"),
    ((3, 50, 7), "WAL", "mended in its line"),
    ((3, 51, 0), "DELETE", "a later line, not mended"),
    ((3, 51, 2), "DELETE", "the last with the fault"),
    ((3, 51, 3), "WAL", "mended"),
    ((3, 54, 1), "WAL", "later than the mend"),
]


@pytest.mark.parametrize(("version", "mode", "why"), VERSIONS)
def test_wal_is_used_only_where_it_cannot_corrupt(version: tuple[int, int, int], mode: str, why: str) -> None:
    assert db.sqlite_journal_mode(version) == mode, why


def test_a_wal_database_on_a_faulty_library_is_refused(tmp_path: object) -> None:
    if db.sqlite_journal_mode() == "WAL":
        return  # this library is mended; the table above covers the others
    raw = sqlite3.connect(f"{tmp_path}/wal.db")
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("CREATE TABLE t (a)")
    raw.close()
    engine = db.make_engine(f"sqlite:///{tmp_path}/wal.db")
    assert "corrupt" in (db.undurable(engine) or "")
    db.prepare_file(engine)
    assert db.undurable(engine) is None
    engine.dispose()


def test_every_connection_syncs_fully_erases_fully_and_keeps_its_references(engine: Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
            return
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                 for name in ("synchronous", "secure_delete", "foreign_keys", "recursive_triggers")}  # fmt: skip
    assert found == {"synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "recursive_triggers": 1}


def test_a_reader_does_not_wait_for_a_writer(engine: Engine, session: Session) -> None:
    make.trial(session)
    with db.reading(engine) as reader:
        assert reader.scalars(select(Trial)).all() == []


def test_an_unknown_database_is_refused() -> None:
    with pytest.raises(ValueError, match="SQLite or PostgreSQL"):
        db.make_engine("mysql://localhost/x")


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_a_moment_comes_back_in_utc(session: Session, zone: timezone) -> None:
    made = make.trial(session, results_open_at=NOW.astimezone(zone))
    session.commit()
    session.expire_all()
    assert made.results_open_at == NOW
    assert made.results_open_at is not None
    assert made.results_open_at.utcoffset() == timedelta(0)


def test_a_moment_without_a_time_zone_is_refused(session: Session) -> None:
    with pytest.raises(StatementError, match="time zone"):
        make.trial(session, results_open_at=datetime(2026, 3, 2, 10))  # noqa: DTZ001


def test_the_tables_hold_the_rules_too(session: Session) -> None:
    of = make.trial(session)
    session.commit()
    known, slug = of.id, of.slug
    wrong = (
        lambda: Site(trial_id=known, name="Elsewhere", nation="france"),
        lambda: Site(trial_id="0" * 16, name="Nowhere"),
        lambda: Trial(slug="x", title="X", threshold=4),
        lambda: Trial(slug=slug, title="The same again"),
    )
    for make_wrong in wrong:
        session.add(make_wrong())
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()
