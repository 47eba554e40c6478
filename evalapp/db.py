"""The database: an engine that never acknowledges what is not on disk, the base of every table, one session per request."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

CONSTRAINT_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table; each constraint has a name, so that a migration can find it."""

    metadata = MetaData(naming_convention=CONSTRAINT_NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. A naive datetime is refused, since nobody can tell afterwards what it meant."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def sqlite_journal_mode(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> str:
    """WAL only on SQLite libraries mended of the WAL-reset fault (3.7.0 to 3.51.2 but for the mended 3.44.6+ and 3.50.7+ lines)."""
    mended = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if mended or version < (3, 7, 0) else "DELETE"


def make_engine(url: str) -> Engine:
    """An engine whose commits are durable, on SQLite and PostgreSQL.

    On SQLite a transaction begins IMMEDIATE unless its connection carries the option `reading`,
    so two writers queue instead of failing half-way, and readers never take the write lock.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": 10, "check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        options = "-c statement_timeout=30000 -c lock_timeout=5000 -c synchronous_commit=on -c timezone=UTC"
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=10,
            pool_timeout=5,
            connect_args={"options": options, "connect_timeout": 3},
        )
    raise ValueError("the database must be SQLite or PostgreSQL: sqlite:///FILE or postgresql://HOST/NAME")


def _prepare_sqlite(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:  # noqa: ARG001
    raw: Any = connection
    raw.isolation_level = None  # SQLAlchemy's begin event opens transactions, not the driver
    cursor = raw.cursor()
    # No change of journal mode here: it needs the whole file and fails under load (see prepare_file).
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.execute("PRAGMA recursive_triggers=ON")  # or INSERT OR REPLACE would slip past "append-only"
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A reader begins no transaction: its lock on the file then lasts a statement, not a page that computes and draws
    # for seconds while nobody's answers could be stored. Each statement sees what is committed, as on PostgreSQL.
    if not connection.get_execution_options().get("reading", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def prepare_file(engine: Engine) -> None:
    """Make the file, for its owner alone, and set its journal mode once; both stay (journals take the file's mode)."""
    if engine.dialect.name != "sqlite":
        return
    if engine.url.database:
        Path(engine.url.database).touch(mode=0o600, exist_ok=True)
    raw = engine.raw_connection()
    try:
        raw.cursor().execute(f"PRAGMA journal_mode={sqlite_journal_mode()}")
    finally:
        raw.close()


def durability(engine: Engine) -> dict[str, str]:
    """What the database says of its own durability, for the health check and the start."""
    with engine.execution_options(reading=True).connect() as connection:
        if engine.dialect.name == "sqlite":
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            return {
                "database": f"SQLite {sqlite3.sqlite_version}",
                "journal_mode": str(mode),
                "synchronous": "full",
            }
        settings = ("fsync", "full_page_writes", "synchronous_commit")
        found = {name: str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in settings}
        return {"database": "PostgreSQL", **found}


def undurable(engine: Engine) -> str | None:
    """Why this database could lose an acknowledged answer, or None when it cannot."""
    found = durability(engine)
    if found.get("journal_mode") == "wal" and sqlite_journal_mode() != "WAL":
        return "this SQLite library can corrupt a WAL database; run `evalapp init` to set journal_mode=DELETE"
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if found.get(name) == "off"]
    return f"PostgreSQL runs with {', '.join(off)} off; switch it on" if off else None


# What an erasure touches, for PostgreSQL's vacuum; the store of contact details has one table.
ERASED = "response, answer, free_text, score, set_aside, words_decision, paper, paper_entry, message, participant_session, person"
CONTACTS = "contact"


def scrub(engine: Engine, *, tables: str = ERASED) -> bool:
    """Leave nothing of deleted rows in an SQLite file and its journals; False when others were using it just then.

    `secure_delete` alone is not enough: rows that once moved between pages leave copies in the pages' unused parts
    (5 of 200 deleted rows could still be read so). The file is built anew, and a write-ahead log is emptied. On
    PostgreSQL the tables are vacuumed; its log and its backups keep what was deleted until they themselves are.
    """
    if engine.dialect.name == "postgresql":
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text(f"VACUUM {tables}"))
        except DBAPIError:  # it took longer than a statement may; the database's own vacuum comes to it later
            return False
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        found = cursor.fetchone()
        return found is not None and found[0] == 0  # 1: a reader kept the log from being emptied
    except sqlite3.OperationalError:  # somebody used the file for longer than its patience lasts
        return False
    finally:
        raw.close()


def reading(engine: Engine) -> Session:
    """A session that only reads: on SQLite it never takes the write lock."""
    return Session(engine.execution_options(reading=True), autoflush=False)


def writing(engine: Engine) -> Session:
    """A session that may write; the caller commits before it answers."""
    return Session(engine, expire_on_commit=False)
