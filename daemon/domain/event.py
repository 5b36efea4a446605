"""The event: one row per request seen to its end. Its field names are the only names for these things."""

from enum import StrEnum
from typing import Literal

import msgspec

EPOCH_2020_MS = 1_577_836_800_000


class Wire(StrEnum):
    """The wire protocol a request spoke; `other` calls no model that we can read."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI_GENERATE_CONTENT = "gemini_generate_content"
    OTHER = "other"


class Outcome(StrEnum):
    """How a request ended. Only `ok` and `failed` are in any ratio."""

    OK = "ok"
    FAILED = "failed"
    CLIENT_ABORT = "client_abort"
    DENIED = "denied"
    CUT_BY_DRAIN = "cut_by_drain"
    ABORTED_BY_RESTART = "aborted_by_restart"


class Fault(StrEnum):
    """Why a request failed, told apart by who is at fault. The list is closed."""

    CLIENT_ERROR = "client_error"
    CLIENT_UNAUTHORIZED = "client_unauthorized"
    TRANSLATION = "translation"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_QUOTA = "provider_quota"
    LOCAL_COOLDOWN = "local_cooldown"
    PROVIDER_AUTH = "provider_auth"
    MODEL_NOT_FOUND = "model_not_found"
    NO_CREDENTIAL = "no_credential"
    PROVIDER_ERROR = "provider_error"
    ERROR_IN_STREAM = "error_in_stream"
    TRUNCATED = "truncated"
    OVERLOADED = "overloaded"
    UPSTREAM_CONNECT = "upstream_connect"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_PROTOCOL = "upstream_protocol"
    UPSTREAM_TLS = "upstream_tls"
    REJECTED_FRAMING = "rejected_framing"
    DENIED = "denied"


CALLER_FAULTS = frozenset({Fault.CLIENT_ERROR, Fault.CLIENT_UNAUTHORIZED, Fault.TRANSLATION})
"""The caller's own faults: in no provider's figure."""

OUR_FAULTS = frozenset({Fault.REJECTED_FRAMING, Fault.DENIED})


class Source(StrEnum):
    """Who asked."""

    CLIENT = "client"
    CANARY = "canary"
    DRILL = "drill"


Usage = Literal["missing", "zero", "counted"]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request seen to its end. Instants are UTC epoch milliseconds; absent is None, never 0.

    A struct, not a dataclass: one is made per request on the hot path, and a dataclass of sixty fields costs four times
    as much there.
    """

    event_id: int
    emitted_at: int
    started_at: int
    duration_ms: int
    ttfb_ms: int | None = None
    ttft_ms: int | None = None
    largest_gap_ms: int | None = None
    node_id: str = ""
    method: str
    endpoint: str
    wire: Wire = Wire.OTHER
    stream: bool = False
    status: int | None = None
    outcome: Outcome
    fault: Fault | None = None
    requested_model: str | None = None
    model_id: str | None = None
    response_model: str | None = None
    prefix: str | None = None
    provider_key: str = "unknown"
    auth_index: str | None = None
    credential: str | None = None
    workload: str | None = None
    client_key_id: str | None = None
    turn_key: str | None = None
    attempt: int = 0
    client: str | None = None
    source: Source = Source.CLIENT
    provider_evidence: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    total_tokens: int | None = None
    usage_present: bool | None = None
    thinking_requested_mode: str | None = None
    thinking_requested_level: str | None = None
    thinking_requested_budget: int | None = None
    thinking_processed_mode: str | None = None
    thinking_processed_level: str | None = None
    thinking_processed_budget: int | None = None
    thinking_match: bool | None = None
    thinking_evidence: str | None = None
    finish_reason: str | None = None
    empty_payload: bool | None = None
    has_tool_result_image: bool | None = None
    has_tool_use: bool | None = None
    retry_after_seconds: float | None = None
    quota_reset_seconds: float | None = None
    trace_id: str | None = None
    mitigation_ids: tuple[str, ...] = ()
    request_bytes: int = 0
    response_bytes: int = 0

    @property
    def usage(self) -> Usage | None:
        """What the usage counters said; None when no usage was to be expected."""
        if self.usage_present is None:
            return None
        if not self.usage_present:
            return "missing"
        return "counted" if self.input_tokens or self.output_tokens or self.total_tokens else "zero"

    @property
    def is_model_call(self) -> bool:
        """Whether it called a model on a wire that we read."""
        return self.wire is not Wire.OTHER

    @property
    def is_judged(self) -> bool:
        """Whether it counts in provider figures: a finished model call, not spoilt by its caller."""
        return (
            self.is_model_call
            and (self.outcome is Outcome.OK or self.outcome is Outcome.FAILED)
            and self.fault not in CALLER_FAULTS
        )


EVENT_FIELDS = Event.__struct_fields__


class EventIds:
    """Makes 63-bit, time-ordered ids: 41 bits of ms since 2020, 6 node, 4 worker, 12 sequence. Never goes back."""

    __slots__ = ("_last", "_place")

    def __init__(self, node: int, worker: int) -> None:
        self._place = (node & 0x3F) << 16 | (worker & 0xF) << 12
        self._last = (0, 0)

    def next(self, now: int) -> int:
        """The next id at `now` (epoch ms); a clock that went back, or 4096 ids in one ms, borrow the next ms."""
        last, sequence = self._last
        if now > last:
            self._last = (now, 0)
        elif sequence < 0xFFF:
            self._last = (last, sequence + 1)
        else:
            self._last = (last + 1, 0)
        stamp, sequence = self._last
        return (stamp - EPOCH_2020_MS) << 22 | self._place | sequence


def emitted_at_of(event_id: int) -> int:
    """The emission instant (epoch ms) that an id carries."""
    return (event_id >> 22) + EPOCH_2020_MS


def id_floor(instant: int) -> int:
    """The smallest event id of an instant (epoch ms): time ranges are id ranges."""
    return max(0, instant - EPOCH_2020_MS) << 22
