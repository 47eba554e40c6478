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
TRIAL, CONTACTS = "versions", "contacts"  # the folder of each store's migrations
NAMES = {TRIAL: "database", CONTACTS: "store of contact details"}


def upgrade(engine: Engine, revision: str = "head", *, store: str = TRIAL) -> None:
    """Run every migration of a store that has not run, each whole or not at all."""
    db.prepare_file(engine)
    _migrate(engine, store, lambda config: command.upgrade(config, revision))


def downgrade(engine: Engine, revision: str, *, store: str = TRIAL) -> None:
    """Take migrations back to `revision`. What earlier tables have no place for is lost: keep a copy first."""
    _migrate(engine, store, lambda config: command.downgrade(config, revision))


def _migrate(engine: Engine, store: str, change: Callable[[Config], None]) -> None:
    """Run a change in one transaction.

    SQLite changes a table by building it anew, and would follow the references to it while it is gone: they are
    not followed meanwhile, and all are looked at before anything is kept.
    """
    with engine.connect() as connection:
        _follow_references(connection, follow=False)
        try:
            with connection.begin():
                config = _config(store)
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


def behind(engine: Engine, *, store: str = TRIAL) -> str | None:
    """Why a store's tables are not this version's, or None when they are."""
    head = ScriptDirectory.from_config(_config(store)).get_current_head()
    with engine.execution_options(reading=True).connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return None if found == head else f"the {NAMES[store]} is not at this version; run: evalapp init"


def _config(store: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS / store))
    config.set_main_option("path_separator", "os")
    return config
