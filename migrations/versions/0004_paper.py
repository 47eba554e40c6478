"""Questionnaires printed for a person, and what two people typed from each until it is settled."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paper",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("serial", sa.String(8), nullable=False),
        sa.Column("assignment_id", sa.String(16), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("consent_version", sa.String(20), nullable=False),
        sa.Column("words_read", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state IN ('out', 'held', 'stored', 'unused')", name=op.f("ck_paper_state_known")),
        sa.CheckConstraint("kept IS NULL OR state IN ('held', 'stored')", name=op.f("ck_paper_kept_when_two")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_paper_assignment_id_assignment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper")),
        sa.UniqueConstraint("serial", name=op.f("uq_paper_serial")),
    )
    op.create_index(op.f("ix_paper_assignment_id"), "paper", ["assignment_id"], unique=False)
    op.create_table(
        "paper_entry",
        sa.Column("paper_id", sa.String(16), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("staff_id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("place IN (1, 2)", name=op.f("ck_paper_entry_place_known")),
        sa.ForeignKeyConstraint(
            ["paper_id"], ["paper.id"], name=op.f("fk_paper_entry_paper_id_paper"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_user.id"], name=op.f("fk_paper_entry_staff_id_staff_user")),
        sa.PrimaryKeyConstraint("paper_id", "place", name=op.f("pk_paper_entry")),
        sa.UniqueConstraint("paper_id", "staff_id", name=op.f("uq_paper_entry_paper_id_staff_id")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refuses while a paper holds answers that are stored nowhere else."""
    only_here = op.get_bind().scalar(
        sa.text("SELECT (SELECT count(*) FROM paper_entry) + (SELECT count(*) FROM paper WHERE kept IS NOT NULL)")
    )
    if only_here:
        raise RuntimeError(f"{only_here} rows hold answers typed from paper that are not settled; settle them first")
    op.drop_table("paper_entry")
    op.drop_index(op.f("ix_paper_assignment_id"), table_name="paper")
    op.drop_table("paper")
