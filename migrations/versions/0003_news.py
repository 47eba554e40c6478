"""A counter that moves with every change a dashboard would show, kept by the database itself."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEEN = ("trial", "arm", "site", "allocation", "review", "membership", "wave", "assignment", "response", "score")
ADD = "INSERT INTO news (slot, changes) VALUES ({slot}, 1) ON CONFLICT (slot) DO UPDATE SET changes = news.changes + 1"


def upgrade() -> None:
    op.create_table(
        "news",
        sa.Column("slot", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_news")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # A slot a connection: writers of different connections do not wait for one another's counter.
        op.execute(
            "CREATE FUNCTION note_news() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"{ADD.format(slot='pg_backend_pid() % 256')}; RETURN NULL; END $$"
        )
        for table in SEEN:
            op.execute(
                f"CREATE TRIGGER {table}_news AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION note_news()"
            )
        return
    for table in SEEN:
        for change in ("INSERT", "UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_news_{change.lower()} AFTER {change} ON {table} "
                f"BEGIN {ADD.format(slot=0)}; END"
            )


def downgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in SEEN:
        if on_postgresql:
            op.execute(f"DROP TRIGGER {table}_news ON {table}")
            continue
        for change in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER {table}_news_{change}")
    if on_postgresql:
        op.execute("DROP FUNCTION note_news()")
    op.drop_table("news")
