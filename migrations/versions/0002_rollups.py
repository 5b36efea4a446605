"""Rollups of events, and how far each node has rolled up."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("r10", "m1", "h1"):
        _create_rollup(name)
    op.create_table(
        "rolled",
        sa.Column("node_id", sa.Text, primary_key=True),
        sa.Column("until", BIG, nullable=False),
        sqlite_strict=True,
    )


def _create_rollup(name: str) -> None:
    op.create_table(
        name,
        sa.Column("bucket", BIG, primary_key=True, autoincrement=False),
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("think", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", BIG, primary_key=True, autoincrement=False),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("ok", sa.Integer, nullable=False),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("faults", sa.Text),
        sa.Column("input_tokens", BIG, nullable=False),
        sa.Column("input_tokens_events", sa.Integer, nullable=False),
        sa.Column("output_tokens", BIG, nullable=False),
        sa.Column("output_tokens_events", sa.Integer, nullable=False),
        sa.Column("reasoning_tokens", BIG, nullable=False),
        sa.Column("reasoning_tokens_events", sa.Integer, nullable=False),
        sa.Column("cache_read_tokens", BIG, nullable=False),
        sa.Column("cache_read_tokens_events", sa.Integer, nullable=False),
        sa.Column("cache_write_tokens", BIG, nullable=False),
        sa.Column("cache_write_tokens_events", sa.Integer, nullable=False),
        sa.Column("total_tokens", BIG, nullable=False),
        sa.Column("total_tokens_events", sa.Integer, nullable=False),
        sa.Column("duration_ms", sa.LargeBinary, nullable=False),
        sa.Column("ttft_ms", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
