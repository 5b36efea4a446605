"""Joined: what the upstream's own record says of a turn, learned when the turn was counted already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon.domain.event import Event
from daemon.domain.thinking import ThinkingSetting

EVIDENCE = "usage_queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """One attempt of the upstream, as far as it may be kept: no key, no account, no address."""

    request_id: str
    """8 hex digits: the end of the trace id of its answer."""
    at: int
    """When the attempt began (epoch ms)."""
    provider_key: str
    auth_index: str | None = None
    requested_model: str | None = None
    endpoint: str = ""
    """`POST /v1/responses`: the pattern of the route."""
    failed: bool = False
    thinking: ThinkingSetting | None = None
    """What went to the vendor; None where nothing is said of it."""
    reasoning_tokens: int | None = None
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the vendor's answer, as far as they speak of quota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A turn, and the thinking that was applied to it. Rules count it when it is known: for those to whom the turn
    itself said nothing of that, it is the turn."""

    event: Event
    processed: ThinkingSetting
    match: bool
    emitted_at: int
    """When it was known (epoch ms)."""

    @property
    def learned(self) -> Event:
        """The turn with what was learned, as of now."""
        return replace(
            self.event,
            emitted_at=self.emitted_at,
            thinking_processed_mode=self.processed.mode,
            thinking_processed_level=self.processed.level,
            thinking_processed_budget=self.processed.budget,
            thinking_match=self.match,
            thinking_evidence=EVIDENCE,
        )

    def told(self) -> Mapping[str, Any]:
        """All but the instant, as data."""
        known = {name: value for name, value in msgspec.to_builtins(self.event).items() if value is not None}
        return {"event": known, "processed": msgspec.to_builtins(self.processed), "match": self.match}

    @classmethod
    def of(cls, at: int, what: Mapping[str, Any]) -> "Joined":
        """The one of which `told` gave these."""
        event = msgspec.convert(what["event"], Event)
        processed = msgspec.convert(what["processed"], ThinkingSetting)
        return cls(event=event, processed=processed, match=what["match"], emitted_at=at)
