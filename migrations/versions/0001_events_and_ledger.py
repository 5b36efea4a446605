"""Events with their vocabularies, spool watermarks, and the ledger."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Double().with_variant(sa.REAL(), "sqlite")


def upgrade() -> None:
    _create(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, unique=True, nullable=False),
        sa.Column("node_id", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("wire", sa.Text, nullable=False),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("requested_model", sa.Text),
        sa.Column("model_id", sa.Text),
        sa.Column("prefix", sa.Text),
        sa.Column("provider_key", sa.Text, nullable=False),
        sa.Column("provider_evidence", sa.Text),
        sa.Column("workload", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
    )
    _create(
        "result",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, unique=True, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("fault", sa.Text),
        sa.Column("response_model", sa.Text),
        sa.Column("finish_reason", sa.Text),
        sa.Column("usage_present", sa.Integer),
        sa.Column("empty_payload", sa.Integer),
        sa.Column("has_tool_result_image", sa.Integer),
        sa.Column("has_tool_use", sa.Integer),
    )
    _create(
        "think",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, unique=True, nullable=False),
        sa.Column("thinking_requested_mode", sa.Text),
        sa.Column("thinking_requested_level", sa.Text),
        sa.Column("thinking_requested_budget", BIG),
        sa.Column("thinking_processed_mode", sa.Text),
        sa.Column("thinking_processed_level", sa.Text),
        sa.Column("thinking_processed_budget", BIG),
        sa.Column("thinking_match", sa.Integer),
        sa.Column("thinking_evidence", sa.Text),
    )
    _create(
        "dim",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, unique=True, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    _create(
        "event",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("result", sa.Integer, nullable=False),
        sa.Column("think", sa.Integer, nullable=False),
        sa.Column("client_key_id", sa.Integer),
        sa.Column("credential", sa.Integer),
        sa.Column("auth_index", sa.Integer),
        sa.Column("client", sa.Integer),
        sa.Column("mitigation_ids", sa.Integer),
        sa.Column("started_lag_ms", BIG),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("ttfb_ms", sa.Integer),
        sa.Column("ttft_ms", sa.Integer),
        sa.Column("largest_gap_ms", sa.Integer),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.Integer),
        sa.Column("output_tokens", sa.Integer),
        sa.Column("reasoning_tokens", sa.Integer),
        sa.Column("cache_read_tokens", sa.Integer),
        sa.Column("cache_write_tokens", sa.Integer),
        sa.Column("total_tokens", sa.Integer),
        sa.Column("request_bytes", BIG, nullable=False),
        sa.Column("response_bytes", BIG, nullable=False),
        sa.Column("retry_after_seconds", REAL),
        sa.Column("quota_reset_seconds", REAL),
        sa.Column("trace_id", sa.Text),
        sa.Column("turn_key", sa.Text),
    )
    _create(
        "applied",
        sa.Column("spool_id", sa.Text, primary_key=True),
        sa.Column("batch_id", BIG, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
    )
    _create(
        "alert",
        sa.Column("fingerprint", sa.Text, primary_key=True),
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
        sa.Column("samples", BIG, nullable=False),
        sa.Column("bad", BIG, nullable=False),
        sa.Column("lower_bound", REAL),
        sa.Column("window_seconds", REAL),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("runbook", sa.Text),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("mitigate", sa.Text, nullable=False),
        sa.Column("degraded", sa.Integer, nullable=False),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("silenced", sa.Integer, nullable=False),
    )
    _create(
        "notification",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("episodes", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("not_before", BIG, nullable=False),
        sa.Column("delivered_at", BIG),
        sa.Column("error", sa.Text),
    )
    _create(
        "mitigation",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("soft", sa.Integer, nullable=False),
        sa.Column("owners", sa.Text, nullable=False),
        sa.Column("value_before", sa.Text, nullable=False),
        sa.Column("value_wanted", sa.Text, nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("planned_at", BIG, nullable=False),
        sa.Column("applied_at", BIG),
        sa.Column("hold_until", BIG),
        sa.Column("expires_at", BIG),
        sa.Column("ended_at", BIG),
        sa.Column("held_by", sa.Text),
        sa.Column("hold", REAL, nullable=False),
        sa.Column("cool_off", REAL, nullable=False),
        sa.Column("max_hold", REAL, nullable=False),
        sa.Column("release", sa.Text, nullable=False),
        sa.Column("verify", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("passes", sa.Integer, nullable=False),
        sa.Column("effect", sa.Text, nullable=False),
        sa.Column("config_fingerprints", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("evidence", sa.Text, nullable=False),
    )
    _create(
        "audit",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, unique=True, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )


def _create(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(name, *columns, sqlite_strict=True)
