"""The tables, in words that SQLite and Postgres both understand; `migrations/` makes them.

Labels are interned: an event names its `series` (who was asked), its `result` (how it ended), its `think` (thinking
asked for and applied), and single values in `dim`. An interned row is never changed or deleted; `digest` finds it.
"""

import json
from collections.abc import Callable, Mapping, Set
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

from daemon.domain.alert import AlertState, ResolvedBecause, Severity
from daemon.domain.event import Fault, Outcome, Source, Wire
from daemon.domain.heard import HeardKind
from daemon.domain.mitigation import Effect, MitigationState, Mode
from daemon.domain.notification import NotificationReason, NotificationStatus
from daemon.domain.probe import ProbeOutcome
from daemon.domain.rollup import TOKENS, Resolution

Big = BigInteger().with_variant(Integer(), "sqlite")
Real: Double[float] = Double().with_variant(REAL(), "sqlite")
HIGHEST_BIG = 2**63 - 1
HIGHEST_SMALL = 2**31 - 1


def storable(text: str) -> str:
    """The text as every database takes it: NUL and lone surrogates, which some refuse, are replaced."""
    if text.isprintable():
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class Words(TypeDecorator[str]):
    """Any text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Word(TypeDecorator[StrEnum]):
    """One word of a closed list."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.words(value)


class Budget(TypeDecorator[int]):
    """A number that somebody asked for, cut to what fits."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[int]:
        return dialect.type_descriptor(Big)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else max(-HIGHEST_BIG, min(HIGHEST_BIG, value))


class Flag(TypeDecorator[bool]):
    """Yes, no, or unknown: 1, 0, NULL."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class Json(TypeDecorator[Any]):
    """Any value as JSON text; `restore` turns the decoded value back into what it was."""

    impl = Text
    cache_ok = True

    def __init__(self, restore: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        self.restore = restore

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value, separators=(",", ":"), default=_plain)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        decoded = None if value is None else json.loads(value)
        return decoded if self.restore is None else self.restore(decoded)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, Set) else str(value)


def _pairs(decoded: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in decoded)


metadata = MetaData()


def _table(name: str, *columns: Column[Any], **options: Any) -> Table:
    return Table(name, metadata, *columns, sqlite_strict=True, **options)


def _vocabulary(name: str, *columns: Column[Any]) -> Table:
    return _table(
        name,
        Column("id", Integer, primary_key=True),
        Column("digest", LargeBinary, nullable=False, unique=True),
        *columns,
    )


def _some(name: str, kind: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **options)


# ---- events ----------------------------------------------------------------------------------------------------------

series = _vocabulary(
    "series",
    _some("node_id", Words),
    _some("method", Words),
    _some("endpoint", Words),
    _some("wire", Word(Wire)),
    _some("stream", Flag),
    Column("requested_model", Words),
    Column("model_id", Words),
    Column("prefix", Words),
    _some("provider_key", Words),
    Column("provider_evidence", Words),
    Column("workload", Words),
    _some("source", Word(Source)),
)

result = _vocabulary(
    "result",
    Column("status", Integer),
    _some("outcome", Word(Outcome)),
    Column("fault", Word(Fault)),
    Column("response_model", Words),
    Column("finish_reason", Words),
    Column("usage_present", Flag),
    Column("empty_payload", Flag),
    Column("has_tool_result_image", Flag),
    Column("has_tool_use", Flag),
)

think = _vocabulary(
    "think",
    Column("thinking_requested_mode", Words),
    Column("thinking_requested_level", Words),
    Column("thinking_requested_budget", Budget),
    Column("thinking_processed_mode", Words),
    Column("thinking_processed_level", Words),
    Column("thinking_processed_budget", Budget),
    Column("thinking_match", Flag),
    Column("thinking_evidence", Words),
)

dim = _vocabulary("dim", _some("kind", Words), _some("value", Words))

event = _table(
    "event",
    Column("id", Big, primary_key=True, autoincrement=False),  # event_id; it carries emitted_at, and is the only index
    _some("series", Integer),
    _some("result", Integer),
    _some("think", Integer),
    # values of `dim`, whose `kind` is the column's name
    Column("client_key_id", Integer),
    Column("credential", Integer),
    Column("auth_index", Integer),
    Column("client", Integer),
    Column("mitigation_ids", Integer),
    # emitted_at - duration_ms - started_at, NULL when that is nothing
    Column("started_lag_ms", Big),
    _some("duration_ms", Integer),
    Column("ttfb_ms", Integer),
    Column("ttft_ms", Integer),
    Column("largest_gap_ms", Integer),
    _some("attempt", Integer),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("cache_read_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("total_tokens", Integer),
    _some("request_bytes", Big),
    _some("response_bytes", Big),
    Column("retry_after_seconds", Real),
    Column("quota_reset_seconds", Real),
    Column("trace_id", Words),
    Column("turn_key", Words),
)

applied = _table(
    "applied",
    Column("spool_id", Text, primary_key=True),
    _some("batch_id", Big),
    _some("sequence", Big),
    _some("updated_at", Big),
)

# ---- rollups ---------------------------------------------------------------------------------------------------------


def _rollup(name: str) -> Table:
    """Its key begins with the time, by which rollups are read, written and deleted."""
    return _table(
        name,
        Column("bucket", Big, primary_key=True, autoincrement=False),
        Column("series", Integer, primary_key=True, autoincrement=False),
        Column("think", Integer, primary_key=True, autoincrement=False),
        Column("part", Big, primary_key=True, autoincrement=False),
        _some("requests", Integer),
        _some("ok", Integer),
        _some("retries", Integer),
        Column("faults", Text),  # JSON of fault and count, NULL when there was none
        *[_some(f"{name}{suffix}", kind) for name in TOKENS for suffix, kind in (("", Big), ("_events", Integer))],
        _some("duration_ms", LargeBinary),
        _some("ttft_ms", LargeBinary),
        sqlite_with_rowid=False,
    )


rollups = {
    Resolution.TEN_SECONDS: _rollup("r10"),
    Resolution.MINUTE: _rollup("m1"),
    Resolution.HOUR: _rollup("h1"),
}

rolled = _table(
    "rolled",
    Column("node_id", Text, primary_key=True),  # empty where the database is one node's alone
    _some("until", Big),
)

# ---- ledger ----------------------------------------------------------------------------------------------------------


def _of_an_alert(fingerprint: Column[Any]) -> list[Column[Any]]:
    """The fields of an alert."""
    return [
        fingerprint,
        _some("episode", Text),
        _some("alert", Words),
        _some("severity", Word(Severity)),
        _some("labels", Json(_pairs)),
        _some("state", Word(AlertState)),
        _some("since", Big),
        Column("fired_at", Big),
        Column("resolved_at", Big),
        Column("resolved_because", Word(ResolvedBecause)),
        _some("last_data_at", Big),
        Column("value", Real),
        _some("value_text", Words),
        _some("samples", Big),
        _some("bad", Big),
        Column("lower_bound", Real),
        Column("window_seconds", Real),
        _some("summary", Words),
        Column("runbook", Words),
        _some("models", Json(tuple)),
        _some("mitigate", Json(tuple)),
        _some("expression", Words),
        _some("degraded", Flag),
        Column("acknowledged_by", Words),
        _some("silenced", Flag),
        _some("source", Words),
    ]


alert = _table("alert", *_of_an_alert(Column("fingerprint", Text, primary_key=True)))

transition = _table(
    "transition",
    Column("place", Integer, primary_key=True),  # the order in which they were committed
    *_of_an_alert(_some("fingerprint", Text)),
)
"""Every row that an alert has had."""

Index("transition_alert_since", transition.columns.alert, transition.columns.since)

heard = _table(
    "heard",
    Column("place", Integer, primary_key=True),  # the order in which it was heard
    _some("at", Big),
    _some("after", Big),
    _some("kind", Word(HeardKind)),
    _some("what", Json),
)

silence = _table(
    "silence",
    Column("id", Text, primary_key=True),
    _some("matchers", Json(_pairs)),
    _some("starts_at", Big),
    _some("ends_at", Big),
    _some("author", Words),
    _some("comment", Words),
    _some("created_at", Big),
)

notification = _table(
    "notification",
    Column("id", Text, primary_key=True),
    _some("receiver", Words),
    _some("group_key", Words),
    _some("reason", Word(NotificationReason)),
    _some("severity", Words),
    _some("episodes", Json(tuple)),
    _some("status", Word(NotificationStatus)),
    _some("attempts", Integer),
    _some("title", Words),
    _some("body", Words),
    _some("created_at", Big),
    _some("not_before", Big),
    Column("delivered_at", Big),
    Column("error", Words),
)

mitigation = _table(
    "mitigation",
    Column("id", Text, primary_key=True),
    _some("name", Words),
    _some("kind", Words),
    _some("target", Words),
    _some("state", Word(MitigationState)),
    _some("mode", Word(Mode)),
    _some("soft", Flag),
    _some("owners", Json(tuple)),
    _some("value_before", Json),
    _some("value_wanted", Json),
    _some("epoch", Big),
    _some("planned_at", Big),
    Column("applied_at", Big),
    Column("hold_until", Big),
    Column("expires_at", Big),
    Column("ended_at", Big),
    Column("held_by", Words),
    Column("hold_expires_at", Big),
    Column("approve_until", Big),
    _some("hold", Real),
    _some("cool_off", Real),
    _some("max_hold", Real),
    _some("release", Json),
    _some("verify", Json),
    _some("attempts", Integer),
    _some("passes", Integer),
    _some("effect", Word(Effect)),
    _some("config_fingerprints", Json),
    Column("outcome", Words),
    _some("evidence", Words),
    _some("proof", Words),
    _some("figures", Json),
    Column("saved_turns", Big),
    _some("note", Words),
)

audit = _table(
    "audit",
    Column("place", Integer, primary_key=True),  # the order in which entries were written
    _some("id", Text, unique=True),
    _some("at", Big),
    _some("actor", Words),
    _some("subject", Words),
    _some("action", Words),
    _some("before", Json),
    _some("after", Json),
    _some("reason", Words),
    _some("outcome", Words),
)

# ---- probes ----------------------------------------------------------------------------------------------------------

probe_state = _table(
    "probe_state",
    Column("probe", Text, primary_key=True),
    _some("ran_at", Big),
    _some("day", Big),
    _some("requests", Big),
    _some("tokens", Big),
    _some("memory", Json),
)

probe_result = _table(
    "probe_result",
    Column("place", Integer, primary_key=True),  # the order in which they were found
    _some("probe", Words),
    _some("subject", Words),
    _some("outcome", Word(ProbeOutcome)),
    Column("value", Real),
    _some("reason", Words),
    _some("emitted_at", Big),
)

quota = _table(
    "quota",
    Column("place", Integer, primary_key=True),  # the order in which they were read
    _some("provider_key", Words),
    Column("auth_index", Words),
    Column("credential", Words),
    Column("model_id", Words),
    Column("quota_remaining", Real),
    Column("quota_exhausted", Flag),
    Column("usage_percentage", Real),
    Column("quota_reset_seconds", Real),
    Column("refresh_state", Words),
    Column("window_seconds", Real),
    _some("observed_at", Big),
    _some("source", Words),
)
