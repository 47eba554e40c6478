"""Alembic's entry: migrate over a connection handed in, or over the database the environment names."""

from alembic import context
from sqlalchemy import Connection

from evalapp import config, db, models

assert models.Trial.metadata is db.Base.metadata  # noqa: S101  (importing models is what fills the metadata)


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=context.config.attributes.get("metadata", db.Base.metadata),
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    migrate(handed_in)
else:
    with db.make_engine(config.from_environment().database_url).begin() as opened:
        migrate(opened)
