"""Silences, and every row that an alert has had."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Double().with_variant(sa.REAL(), "sqlite")


def upgrade() -> None:
    op.add_column("alert", sa.Column("source", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "transition",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("episode", sa.Text, nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", BIG, nullable=False),
        sa.Column("fired_at", BIG),
        sa.Column("resolved_at", BIG),
        sa.Column("resolved_because", sa.Text),
        sa.Column("last_data_at", BIG, nullable=False),
        sa.Column("value", REAL),
        sa.Column("value_text", sa.Text, nullable=False),
        sa.Column("samples", BIG, nullable=False),
        sa.Column("bad", BIG, nullable=False),
        sa.Column("lower_bound", REAL),
        sa.Column("window_seconds", REAL),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("runbook", sa.Text),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("mitigate", sa.Text, nullable=False),
        sa.Column("expression", sa.Text, nullable=False),
        sa.Column("degraded", sa.Integer, nullable=False),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("silenced", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("transition_alert_since", "transition", ["alert", "since"])
    op.create_table(
        "silence",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("starts_at", BIG, nullable=False),
        sa.Column("ends_at", BIG, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sqlite_strict=True,
    )
