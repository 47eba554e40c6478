"""Bringing a database to this version's tables, and knowing whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from evalapp import db

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Run every migration that has not run, each whole or not at all."""
    db.prepare_file(engine)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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
