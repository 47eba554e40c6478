"""Contact details, in a store of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("pseudonym", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("stopped_on", sa.Date(), nullable=True),
        sa.Column("undeliverable_on", sa.Date(), nullable=True),
        sa.CheckConstraint("channel IN ('email', 'text')", name=op.f("ck_contact_channel_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_contact_pseudonym")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("contact")
