"""Messages to be sent, and on which days after a window opens people are reminded."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trial", sa.Column("reminder_days", sa.JSON(), nullable=True))
    op.create_table(
        "message",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("person_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("assignment_id", sa.String(length=16), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("kind IN ('invitation', 'opening', 'reminder')", name=op.f("ck_message_kind_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'handed', 'sent', 'unsure', 'failed', 'dropped')", name=op.f("ck_message_state_known")
        ),
        sa.CheckConstraint(
            "reason IN ('no_contact', 'stopped', 'undeliverable', 'answered', 'closed', 'same_day', 'replaced', 'refused')",
            name=op.f("ck_message_reason_known"),
        ),
        sa.CheckConstraint(
            "(kind = 'invitation') = (assignment_id IS NULL)", name=op.f("ck_message_invitation_or_questionnaire")
        ),
        sa.CheckConstraint(
            "sealed IS NULL OR state IN ('waiting', 'handed')", name=op.f("ck_message_code_only_until_sent")
        ),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_message_assignment_id_assignment"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_message_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "person_id", "kind", "assignment_id", "number", name=op.f("uq_message_person_id_kind_assignment_id_number")
        ),
    )
    op.create_index(op.f("ix_message_person_id"), "message", ["person_id"])
    op.create_index(op.f("ix_message_state"), "message", ["state"])


def downgrade() -> None:
    op.drop_table("message")
    op.drop_column("trial", "reminder_days")
