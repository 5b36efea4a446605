"""What probes found: verdicts, quotas that were read, and what each probe remembers and has spent."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Double().with_variant(sa.REAL(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "probe_state",
        sa.Column("probe", sa.Text, primary_key=True),
        sa.Column("ran_at", BIG, nullable=False),
        sa.Column("day", BIG, nullable=False),
        sa.Column("requests", BIG, nullable=False),
        sa.Column("tokens", BIG, nullable=False),
        sa.Column("memory", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "probe_result",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("probe", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("value", REAL),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("emitted_at", BIG, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "quota",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("provider_key", sa.Text, nullable=False),
        sa.Column("auth_index", sa.Text),
        sa.Column("credential", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("quota_remaining", REAL),
        sa.Column("quota_exhausted", sa.Integer),
        sa.Column("usage_percentage", REAL),
        sa.Column("quota_reset_seconds", REAL),
        sa.Column("refresh_state", sa.Text),
        sa.Column("window_seconds", REAL),
        sa.Column("observed_at", BIG, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sqlite_strict=True,
    )
