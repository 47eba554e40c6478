"""People who answer for their site, the decision to invite, what is known of a review, and windows from a site's joining."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FORMS = "form IN ('standard', 'easy_read')"
TRIGGERS = "trigger IN ('not_recorded', 'success', 'good_practice', 'near_miss', 'harm', 'death')"
REASONS = "reason IN ('not_safe', 'not_lawful', 'not_kind_now', 'cannot_reach', 'said_no', 'other')"
OUTSIDE = sa.text("review_id IS NULL")


def upgrade() -> None:
    op.add_column("trial", sa.Column("starts_on", sa.Date(), nullable=True))
    with op.batch_alter_table("wave") as wave:
        wave.drop_constraint(op.f("ck_wave_anchor_known"), type_="check")
        wave.create_check_constraint(op.f("ck_wave_anchor_known"), "anchor IN ('joined', 'start', 'end')")

    with op.batch_alter_table("review") as review:
        review.add_column(sa.Column("trigger", sa.String(16), nullable=False, server_default="not_recorded"))
        review.add_column(sa.Column("model_version", sa.String(40), nullable=True))
        review.add_column(sa.Column("triggered_on", sa.Date(), nullable=True))
        review.add_column(sa.Column("reported_on", sa.Date(), nullable=True))
        review.add_column(sa.Column("contact_days", sa.Integer(), nullable=True))
        review.create_unique_constraint(op.f("uq_review_id_site_id"), ["id", "site_id"])
        review.create_check_constraint(op.f("ck_review_trigger_known"), TRIGGERS)
        review.create_check_constraint(
            op.f("ck_review_triggered_before_start"),
            "triggered_on IS NULL OR starts_on IS NULL OR triggered_on <= starts_on",
        )
        review.create_check_constraint(
            op.f("ck_review_reported_after_start"),
            "reported_on IS NULL OR starts_on IS NULL OR reported_on >= starts_on",
        )
        review.create_check_constraint(
            op.f("ck_review_contact_days_possible"), "contact_days IS NULL OR contact_days BETWEEN 1 AND 366"
        )
    with op.batch_alter_table("review") as review:
        review.alter_column("trigger", existing_type=sa.String(16), existing_nullable=False, server_default=None)

    with op.batch_alter_table("membership") as membership:
        membership.add_column(sa.Column("site_id", sa.String(16), nullable=True))
        membership.add_column(sa.Column("form", sa.String(12), nullable=False, server_default="standard"))
    op.execute("UPDATE membership SET site_id = (SELECT site_id FROM review WHERE review.id = membership.review_id)")
    with op.batch_alter_table("membership") as membership:
        membership.alter_column("site_id", existing_type=sa.String(16), nullable=False)
        membership.alter_column("review_id", existing_type=sa.String(16), nullable=True)
        membership.alter_column("form", existing_type=sa.String(12), existing_nullable=False, server_default=None)
        membership.create_check_constraint(op.f("ck_membership_form_known"), FORMS)
        membership.drop_constraint(op.f("fk_membership_review_id_review"), type_="foreignkey")
        membership.create_foreign_key(op.f("fk_membership_site_id_site"), "site", ["site_id"], ["id"])
        membership.create_foreign_key(
            op.f("fk_membership_review_id_review"), "review", ["review_id", "site_id"], ["id", "site_id"]
        )
        membership.create_index(op.f("ix_membership_site_id"), ["site_id"], unique=False)
    op.create_index(
        "uq_membership_person_id_site_id_outside", "membership", ["person_id", "site_id"], unique=True,
        sqlite_where=OUTSIDE, postgresql_where=OUTSIDE,
    )  # fmt: skip

    op.create_table(
        "invitation_decision",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("membership_id", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("invite", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(40), nullable=False),
        sa.CheckConstraint(REASONS, name=op.f("ck_invitation_decision_reason_known")),
        sa.CheckConstraint("invite = (reason IS NULL)", name=op.f("ck_invitation_decision_reason_when_not_invited")),
        sa.ForeignKeyConstraint(
            ["membership_id"], ["membership.id"], name=op.f("fk_invitation_decision_membership_id_membership")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation_decision")),
        sa.UniqueConstraint("membership_id", "number", name=op.f("uq_invitation_decision_membership_id_number")),
    )


def downgrade() -> None:
    """Refuses while somebody answers for a site outside its reviews, or a wave counts from a joining."""
    outside = op.get_bind().scalar(sa.text("SELECT count(*) FROM membership WHERE review_id IS NULL"))
    joined = op.get_bind().scalar(sa.text("SELECT count(*) FROM wave WHERE anchor = 'joined'"))
    if outside or joined:
        raise RuntimeError(
            f"{outside} people answer for a site outside its reviews and {joined} waves count from a site's joining: "
            "the earlier tables have no place for them; take them out first"
        )
    op.drop_table("invitation_decision")
    op.drop_index("uq_membership_person_id_site_id_outside", table_name="membership")
    with op.batch_alter_table("membership") as membership:
        membership.drop_index(op.f("ix_membership_site_id"))
        membership.drop_constraint(op.f("fk_membership_review_id_review"), type_="foreignkey")
        membership.drop_constraint(op.f("fk_membership_site_id_site"), type_="foreignkey")
        membership.drop_constraint(op.f("ck_membership_form_known"), type_="check")
        membership.create_foreign_key(op.f("fk_membership_review_id_review"), "review", ["review_id"], ["id"])
        membership.alter_column("review_id", existing_type=sa.String(16), nullable=False)
        membership.drop_column("form")
        membership.drop_column("site_id")

    with op.batch_alter_table("review") as review:
        for check in ("trigger_known", "triggered_before_start", "reported_after_start", "contact_days_possible"):
            review.drop_constraint(op.f(f"ck_review_{check}"), type_="check")
        review.drop_constraint(op.f("uq_review_id_site_id"), type_="unique")
        for column in ("trigger", "model_version", "triggered_on", "reported_on", "contact_days"):
            review.drop_column(column)

    with op.batch_alter_table("wave") as wave:
        wave.drop_constraint(op.f("ck_wave_anchor_known"), type_="check")
        wave.create_check_constraint(op.f("ck_wave_anchor_known"), "anchor IN ('start', 'end')")
    with op.batch_alter_table("trial") as trial:
        trial.drop_column("starts_on")
