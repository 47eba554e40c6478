"""Tablets handed round at a review, visits that know their tablet and their PIN, pages set aside when a PIN was forgotten,
readers of what people write, what they decided, and who asked to be rung."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MODES = "mode IN ('own_link', 'tablet', 'paper', 'interviewer', 'file')"


def upgrade() -> None:
    op.create_table(
        "tablet_session",
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("review_id", sa.String(16), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_tablet_session_review_id_review")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_tablet_session")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tablet_session_review_id"), "tablet_session", ["review_id"])
    op.create_table(
        "set_aside",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("response_id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("set_aside_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["response_id"], ["response.id"], name=op.f("fk_set_aside_response_id_response"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_set_aside_response_id"), "set_aside", ["response_id"])
    op.create_table(
        "words_decision",
        sa.Column("response_id", sa.String(16), nullable=False),
        sa.Column("item", sa.String(40), nullable=False),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.String(40), nullable=False),
        sa.CheckConstraint(
            "decision IN ('release', 'withhold', 'acted_on')", name=op.f("ck_words_decision_decision_known")
        ),
        sa.CheckConstraint(
            "(decision = 'release') = (sealed IS NOT NULL)", name=op.f("ck_words_decision_words_when_released")
        ),
        sa.ForeignKeyConstraint(
            ["response_id"], ["response.id"], name=op.f("fk_words_decision_response_id_response"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("response_id", "item", name=op.f("pk_words_decision")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "words_reader",
        sa.Column("trial_id", sa.String(16), nullable=False),
        sa.Column("user_id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"], name=op.f("fk_words_reader_trial_id_trial")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_words_reader_user_id_staff_user")),
        sa.PrimaryKeyConstraint("trial_id", "user_id", name=op.f("pk_words_reader")),
    )
    op.create_table(
        "call_back",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("trial_id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"], name=op.f("fk_call_back_trial_id_trial")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_back")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_call_back_trial_id"), "call_back", ["trial_id"])
    op.drop_table("participant_session")  # visits under way end; what they saved is kept
    _visits(
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("tablet_hash", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(
            ["tablet_hash"],
            ["tablet_session.key_hash"],
            name=op.f("fk_participant_session_tablet_hash_tablet_session"),
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("participant_session")
    _visits()
    op.drop_table("call_back")
    op.drop_table("words_reader")
    op.drop_table("words_decision")
    op.drop_table("set_aside")
    op.drop_table("tablet_session")


def _visits(*more: sa.schema.SchemaItem) -> None:
    op.create_table(
        "participant_session",
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(16), nullable=False),
        sa.Column("assignment_id", sa.String(16), nullable=True),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("mode", sa.String(12), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        *more,
        sa.CheckConstraint(MODES, name=op.f("ck_participant_session_mode_known")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_participant_session_assignment_id_assignment")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_participant_session_person_id_person")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_participant_session")),
        sqlite_with_rowid=False,
    )
