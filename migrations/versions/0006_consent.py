"""Withdrawals, a parent's say on a young person, who decides at a site, and the three answers of a decision to invite."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SEEN = ("withdrawal", "invitation_decision")  # what the board counts, beside what migration 0003 watches
ADD = "INSERT INTO news (slot, changes) VALUES (0, 1) ON CONFLICT (slot) DO UPDATE SET changes = news.changes + 1"
SAFE_LAWFUL_KIND = "safe IS NULL OR NOT invite OR (safe AND lawful AND kind)"


def upgrade() -> None:
    op.add_column("trial", sa.Column("locks_on", sa.Date(), nullable=True))
    op.add_column("trial", sa.Column("contact", sa.String(200), nullable=True))
    op.add_column("membership", sa.Column("under_16", sa.Boolean(), nullable=True))
    with op.batch_alter_table("invitation_decision") as decision:
        for answer in ("safe", "lawful", "kind", "after_death"):
            decision.add_column(sa.Column(answer, sa.Boolean(), nullable=True))
        decision.create_check_constraint(
            op.f("ck_invitation_decision_invited_when_safe_lawful_and_kind"), SAFE_LAWFUL_KIND
        )
    op.create_table(
        "site_rules",
        sa.Column("site_id", sa.String(16), nullable=False),
        sa.Column("lead_id", sa.String(16), nullable=True),
        sa.Column("young_people", sa.String(12), nullable=False),
        sa.CheckConstraint(
            "young_people IN ('always', 'under_16', 'never')", name=op.f("ck_site_rules_young_people_known")
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["staff_user.id"], name=op.f("fk_site_rules_lead_id_staff_user")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_rules_site_id_site")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_rules")),
    )
    op.create_table(
        "parental_consent",
        sa.Column("young_id", sa.String(16), nullable=False),
        sa.Column("parent_id", sa.String(16), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.Column("consent_version", sa.String(20), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.CheckConstraint("young_id <> parent_id", name=op.f("ck_parental_consent_two_people")),
        sa.CheckConstraint(
            "(agreed IS NULL) = (decided_on IS NULL)", name=op.f("ck_parental_consent_day_when_decided")
        ),
        sa.ForeignKeyConstraint(["young_id"], ["membership.id"], name=op.f("fk_parental_consent_young_id_membership")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["membership.id"], name=op.f("fk_parental_consent_parent_id_membership")
        ),
        sa.PrimaryKeyConstraint("young_id", "parent_id", name=op.f("pk_parental_consent")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_parental_consent_parent_id"), "parental_consent", ["parent_id"], unique=False)
    op.create_table(
        "withdrawal",
        sa.Column("person_id", sa.String(16), nullable=False),
        sa.Column("choice", sa.String(12), nullable=False),
        sa.Column("withdrawn_on", sa.Date(), nullable=False),
        sa.Column("receipt", sa.String(20), nullable=False),
        sa.CheckConstraint("choice IN ('no_contact', 'keep', 'delete')", name=op.f("ck_withdrawal_choice_known")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_withdrawal_person_id_person")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_withdrawal")),
        sa.UniqueConstraint("receipt", name=op.f("uq_withdrawal_receipt")),
        sqlite_with_rowid=False,
    )
    for table in SEEN:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_news AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION note_news()"
            )
            continue
        for change in ("INSERT", "UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {table}_news_{change.lower()} AFTER {change} ON {table} BEGIN {ADD}; END")


def downgrade() -> None:
    """Refuses while somebody has withdrawn or a parent has said no: the earlier tables would ask them again."""
    withdrawn = op.get_bind().scalar(sa.text("SELECT count(*) FROM withdrawal"))
    refused = op.get_bind().scalar(sa.text("SELECT count(*) FROM parental_consent WHERE NOT agreed"))
    if withdrawn or refused:
        raise RuntimeError(
            f"{withdrawn} people have withdrawn and {refused} parents have said no: "
            "the earlier tables have no place for that, and they would be asked again"
        )
    for table in SEEN:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP TRIGGER {table}_news ON {table}")
            continue
        for change in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER {table}_news_{change}")
    op.drop_table("withdrawal")
    op.drop_index(op.f("ix_parental_consent_parent_id"), table_name="parental_consent")
    op.drop_table("parental_consent")
    op.drop_table("site_rules")
    with op.batch_alter_table("invitation_decision") as decision:
        decision.drop_constraint(op.f("ck_invitation_decision_invited_when_safe_lawful_and_kind"), type_="check")
        for answer in ("after_death", "kind", "lawful", "safe"):
            decision.drop_column(answer)
    op.drop_column("membership", "under_16")
    op.drop_column("trial", "contact")
    op.drop_column("trial", "locks_on")
