"""Bringing a database to this version's tables, and knowing whether it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from evalapp import db

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run every migration that has not run, each whole or not at all."""
    db.prepare_file(engine)
    _migrate(engine, lambda config: command.upgrade(config, revision))


def downgrade(engine: Engine, revision: str) -> None:
    """Take migrations back to `revision`. What earlier tables have no place for is lost: keep a copy first."""
    _migrate(engine, lambda config: command.downgrade(config, revision))


def _migrate(engine: Engine, change: Callable[[Config], None]) -> None:
    """Run a change in one transaction.

    SQLite changes a table by building it anew, and would follow the references to it while it is gone: they are
    not followed meanwhile, and all are looked at before anything is kept.
    """
    with engine.connect() as connection:
        _follow_references(connection, follow=False)
        try:
            with connection.begin():
                config = _config()
                config.attributes["connection"] = connection
                change(config)
                if engine.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise RuntimeError("a reference would lead nowhere after this change; nothing was changed")
        finally:
            _follow_references(connection, follow=True)


def _follow_references(connection: Connection, *, follow: bool) -> None:
    if connection.dialect.name == "sqlite":  # straight on the driver: within a transaction SQLite ignores it
        raw: Any = connection.connection.driver_connection
        raw.execute(f"PRAGMA foreign_keys={'ON' if follow else 'OFF'}")


def behind(engine: Engine) -> str | None:
    """Why the database's tables are not this version's, or None when they are."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with engine.execution_options(reading=True).connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return None if found == head else "the database is not at this version; run: evalapp init"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
