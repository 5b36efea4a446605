"""Probes: what is asked of the upstream, what it replied, and what that came to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from daemon.domain.event import Wire


class ProbeOutcome(StrEnum):
    """`unknown`: we could not look, which says nothing about what we wanted to see."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One verdict of one probe about one thing."""

    probe: str
    subject: str = ""
    """What was looked at: a model, a credential, a prefix; nothing where the probe has but one."""
    outcome: ProbeOutcome
    value: float | None = None
    """A number that was read, such as how many models there are."""
    reason: str = ""
    """In words, for people."""
    emitted_at: int
    """Epoch ms."""


class Door(StrEnum):
    """The way by which something is asked."""

    UPSTREAM = "upstream"
    """Cold, as anybody may ask it."""
    PROXY = "proxy"
    """Through our own proxy, as a client would, marked as a canary."""
    MANAGEMENT = "management"
    """Its management API; `path` is what comes after `/v0/management/`."""
    FILE = "file"
    """A log on this machine: `path` is where it is, and the body says from where on it is to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request of a probe, as data."""

    door: Door
    method: str = "GET"
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire | None = None
    """The wire that a canary speaks: where its key goes, and how its reply is read."""
    client: str | None = None
    """The name of the client key to ask with; the first one unless said. Empty: without a key."""
    patience_seconds: float | None = None
    """How long to wait for an answer of the management API; as long as it usually takes unless said."""

    @property
    def stream(self) -> bool:
        """Whether an event stream is asked for."""
        return bool((self.body or {}).get("stream")) or ":streamGenerateContent" in self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of it. Header names are lower-case; a body is cut at 1 MiB."""

    status: int | None = None
    """None: there was no answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    duration_ms: int = 0
    error: str = ""
    """Why there was no answer, or not the whole of it, or none was asked for, in words."""

    @property
    def ok(self) -> bool:
        return self.status is not None and self.status < 300 and not self.error

    def json(self) -> Any:
        """The decoded body; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    """What is kept of a probe between its runs, and across a restart. Instants are epoch ms."""

    probe: str
    ran_at: int = 0
    day: int = 0
    """The day (UTC, since 1970) in which the following was spent."""
    requests: int = 0
    tokens: int = 0
    memory: Mapping[str, Any] = field(default_factory=dict)
    """What the probe itself wants to know at its next run; plain JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRow:
    """How one probe fares, for whoever looks."""

    probe: str
    enabled: bool
    costs: bool
    every_seconds: float
    state: ProbeState
    budget_requests: int
    budget_tokens: int
    results: tuple[ProbeResult, ...]
    """The latest of each subject."""
