"""The migrations make the tables the models describe, on both databases, and the append-only tables refuse a change."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from evalapp import audit, db, schema
from evalapp.models import Base


def test_the_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migrated_database_is_at_this_version(engine: Engine) -> None:
    assert schema.behind(engine) is None


def test_an_empty_database_is_told_what_to_run(tmp_path: object) -> None:
    made = db.make_engine(f"sqlite:///{tmp_path}/empty.db")
    assert "evalapp init" in (schema.behind(made) or "")
    made.dispose()


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'other'", "DELETE FROM audit"])
def test_the_record_refuses_a_change(session: Session, change: str) -> None:
    audit.record(session, "system", "tried", "nothing")
    session.commit()
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(change))


def test_the_database_keeps_what_it_acknowledges(engine: Engine) -> None:
    assert db.undurable(engine) is None


def test_postgresql_refuses_to_empty_the_record(postgresql: str) -> None:
    made = db.make_engine(postgresql)
    with pytest.raises(DBAPIError, match="append-only"), made.begin() as connection:
        connection.execute(text("TRUNCATE audit"))
    made.dispose()


def test_the_migration_can_be_taken_back_and_run_again(database_url: str) -> None:
    from alembic import command

    if database_url.startswith("postgresql"):
        database_url = database_url.replace("/postgres", "/again")
        made = db.make_engine(database_url.replace("/again", "/postgres"))
        with made.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("DROP DATABASE IF EXISTS again"))
            connection.execute(text("CREATE DATABASE again"))
        made.dispose()
    engine = db.make_engine(database_url)
    schema.upgrade(engine)
    with engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert schema.behind(engine) is not None
    schema.upgrade(engine)
    assert schema.behind(engine) is None
    engine.dispose()
