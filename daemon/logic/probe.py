"""Probe: what every file of the shelf of probes offers, and what it is told and tells.

A run is: `requests` says what to ask, somebody asks it, `verdict` says what the replies come to. Both are pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

from pydantic import Field

from daemon.domain.alerts_config import AlertsConfig, ProbeOptions
from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.event import Wire
from daemon.domain.inventory import ModelEntry
from daemon.domain.probe import Ask, ProbeOutcome, ProbeResult, Reply
from daemon.domain.quota import QuotaReading
from daemon.domain.routed import Routed
from daemon.domain.units import Duration
from daemon.logic.wire import WireProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of the upstream at the moment of a run."""

    now: int
    """Epoch ms."""
    reachable: bool = True
    capabilities: Capabilities = field(default_factory=Capabilities)
    models: Mapping[str, Sequence[ModelEntry]] | None = None
    """By the name of the client key that was asked with; None where no list is to be had."""
    credentials: Sequence[CredentialFile] | None = None
    """None where the management API does not list them."""
    quota: Sequence[QuotaReading] = ()
    """The latest of each credential and model."""
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of the providers in the last ten minutes, from the events of clients."""
    routed: Sequence[Routed] = ()
    """Where the turns of clients went, as far as somebody expects them anywhere."""
    wires: Mapping[Wire, WireProtocol] = field(default_factory=dict)
    clients: Sequence[str] = ()
    """The names of the client keys that there are, the first one being the usual."""
    memory: Mapping[str, Any] = field(default_factory=dict)
    """What the probe itself asked to be remembered."""

    @property
    def entries(self) -> Iterator[ModelEntry]:
        """Every entry of every list; nothing where nobody knows."""
        return chain.from_iterable((self.models or {}).values())

    @property
    def served(self) -> frozenset[str] | None:
        """All models that any key is offered; None where nobody knows."""
        return None if self.models is None else frozenset(entry.model_id for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a run came to."""

    results: Sequence[ProbeResult] = ()
    quota: Sequence[QuotaReading] = ()
    memory: Mapping[str, Any] | None = None
    """What to remember instead of what was; None: the same."""
    tokens: int = 0
    """What it cost."""


class LookOptions(ProbeOptions):
    """Of a probe that judges what a look at the upstream learned: it is not run at times of its own, but after the
    first look that comes `every` so long, and by hand after a look that is made for it."""

    every: Duration = Field(60.0, ge=10.0)


class ProbeKind(Protocol):
    """A probe's module, seen as an object: these are module-level names of `logic/probes/<name>.py`."""

    OPTIONS: type[ProbeOptions]
    COSTS: bool
    """It costs tokens, and is off until the alerts file names it."""
    EXAMPLE: str
    """As it could stand under `probes:`."""

    def requests(self, options: Any, sight: Sight) -> Sequence[Ask]:
        """What to ask now; nothing where there is nothing to ask."""

    def verdict(self, options: Any, sight: Sight, replies: Sequence[Reply]) -> Found:
        """What the replies come to, in the order of what was asked. Must not raise for what an upstream says."""


def switched(name: str, kind: ProbeKind, config: AlertsConfig) -> tuple[ProbeOptions, bool]:
    """Its options, and whether it is on: what costs tokens is on only where it is named."""
    named = config.probes.get(name)
    options = kind.OPTIONS() if named is None else named
    return options, (named is not None or not kind.COSTS) if options.enabled is None else options.enabled


def told(probe: str, sight: Sight, outcome: ProbeOutcome | bool | None, reason: str = "", **more: Any) -> ProbeResult:
    """A verdict of this moment: True is ok, False is bad, None says that nobody knows."""
    if not isinstance(outcome, ProbeOutcome):
        outcome = {True: ProbeOutcome.OK, False: ProbeOutcome.BAD, None: ProbeOutcome.UNKNOWN}[outcome]
    return ProbeResult(probe=probe, outcome=outcome, reason=reason, emitted_at=sight.now, **more)
