"""The landing: what the wings promise each other. A port stands here only where two implementations or a fake exist."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from daemon.domain.alert import Alert
from daemon.domain.audit import EVERYTHING, AuditEntry, AuditFilter
from daemon.domain.canary import CanaryReport
from daemon.domain.check_up import Finding
from daemon.domain.credential import CredentialFile
from daemon.domain.decision import Decision
from daemon.domain.drill import DrillReport
from daemon.domain.event import Event, Wire
from daemon.domain.explanation import Explanation
from daemon.domain.foreign import Told
from daemon.domain.front import Front
from daemon.domain.heard import Heard
from daemon.domain.inventory import Lists
from daemon.domain.mitigation import Call, Mitigation
from daemon.domain.notification import Channel, Delivery, Message, Notification
from daemon.domain.probe import ProbeResult, ProbeRow, ProbeState
from daemon.domain.quota import QuotaReading
from daemon.domain.rollup import Closed, Resolution, Rollup
from daemon.domain.rule_figures import RuleFigures
from daemon.domain.silence import Silence
from daemon.domain.soft_routing import RoutingTable
from daemon.domain.upstream_past import Tally


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> int:
        """UTC epoch milliseconds."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


# ---- data plane ------------------------------------------------------------------------------------------------------


class EventSink(Protocol):
    """Takes events from the hot path; never blocks, never raises; drops the oldest and counts when full."""

    def offer(self, event: Event) -> None: ...


class RoutingReader(Protocol):
    """The data plane's view of `routes.json`: an empty table when nobody renews it."""

    def table(self) -> RoutingTable: ...


# ---- between the planes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolBatch:
    """Events that one worker wrote together. `sequence` counts every event ever emitted by the spool, up to and with
    this batch, dropped ones included: what is missing between two batches was lost."""

    spool_id: str
    batch_id: int
    sequence: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far a spool was applied: the last batch and its sequence; committed with the events."""

    batch_id: int
    sequence: int


class Spool(Protocol):
    """The control plane's end of the spool. Blocking: called in a thread."""

    def read(self, after: Mapping[str, Watermark], limit: int) -> Sequence[SpoolBatch]:
        """Batches after the watermarks (by spool id), oldest first, at most `limit` per spool file."""

    def acknowledge(self, applied: Mapping[str, Watermark]) -> None:
        """Publishes what the worker may prune, in `spool.ack`."""

    def depth(self, applied: Mapping[str, Watermark]) -> int:
        """Events waiting."""


class RouteTable(Protocol):
    """The control plane's end of `routes.json`."""

    def publish(self, table: RoutingTable) -> None:
        """Replaces the file atomically and wakes the data plane; raises OSError."""

    def read(self) -> RoutingTable:
        """What stands in the file now; an empty table when there is none."""


# ---- store -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Filters of an event listing: `where` maps event fields to the value they must have (as text)."""

    limit: int = 100
    before: int | None = None
    """Only events with a smaller id."""
    since: int | None = None
    """Only events emitted at or after this instant (epoch ms)."""
    where: Mapping[str, str] = field(default_factory=dict)


class EventStore(Protocol):
    """Events, for ever in time order, and their rollups. All methods raise `StoreFailure`."""

    async def append(
        self, events: Sequence[Event], watermarks: Mapping[str, Watermark], now: int, closed: Closed | None = None
    ) -> None:
        """Events, watermarks and closed rollups in one transaction. An event id or a rollup that is already there is
        left as it is."""

    async def watermarks(self) -> Mapping[str, Watermark]: ...

    async def last_alive(self) -> int | None:
        """When the last append was made (epoch ms): what separates downtime from time served."""

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """Newest first."""

    def replay(self, since: int) -> Iterator[Event]:
        """Stored events from an instant (epoch ms) on, oldest first. Blocking: called in a thread."""

    async def prune(self, before: int, limit: int) -> int:
        """Deletes at most `limit` of the oldest events emitted before an instant (epoch ms); how many there were."""

    async def rolled_until(self, node_id: str) -> int | None:
        """The `until` of the last rollups that a node has stored."""

    async def rollups(
        self, resolution: Resolution, since: int, until: int, where: Mapping[str, str]
    ) -> Sequence[Rollup]:
        """Rows of the buckets that start from `since` on and before `until` (epoch ms), oldest first; `where` maps
        labels to the value they must have (as text)."""

    async def prune_rollups(self, resolution: Resolution, before: int, limit: int) -> int:
        """Deletes at most `limit` of the oldest rows whose bucket ended by an instant (epoch ms); how many there
        were."""


class Ledger(Protocol):
    """Alerts, outbox, journal and audit: what must never be half done. All methods raise `StoreFailure`."""

    async def commit(self, decision: Decision) -> None:
        """Everything in one fully synced transaction."""

    async def alerts(self) -> Sequence[Alert]:
        """The latest row of every fingerprint."""

    async def transitions(self, alert: str, until: int, limit: int = 200) -> Sequence[Alert]:
        """Every row that the alerts of this name have had since some time before `until` (epoch ms), newest first."""

    async def story(self, since: int, until: int) -> Sequence[Alert]:
        """Every row that any alert has had, in the order in which they were committed, of states that began from
        `since` on and before `until` (epoch ms)."""

    async def heard(self, since: int, until: int) -> Sequence[Heard]:
        """What reached the judging from `since` on and before `until` (epoch ms), in order."""

    async def silences(self, ended_after: int) -> Sequence[Silence]:
        """Those that have not ended before an instant (epoch ms), oldest first."""

    async def queued(self) -> Sequence[Notification]:
        """Notifications still to be sent, oldest first."""

    async def notifications(self, limit: int = 100, until: int | None = None) -> Sequence[Notification]:
        """Newest first; those made by `until` (epoch ms), where that is said."""

    async def mitigations(self, limit: int = 200, until: int | None = None) -> Sequence[Mitigation]:
        """Open rows first, then ended ones, newest first; those planned by `until` (epoch ms), where that is said."""

    async def audit(
        self, limit: int = 200, until: int | None = None, wanted: AuditFilter = EVERYTHING
    ) -> Sequence[AuditEntry]:
        """Newest first; those written by `until` (epoch ms), where that is said."""

    async def prune(self, before: int, limit: int) -> int:
        """Deletes transitions, audit entries and ended notifications from before an instant (epoch ms), at most `limit`
        of each, the oldest first; how many there were of those that were most."""

    async def prune_heard(self, before: int, limit: int) -> int:
        """Deletes at most `limit` of the oldest entries of what was heard before an instant (epoch ms): without the
        events of that time they are of no use. How many there were."""

    async def prune_foreign(self, before: int, limit: int) -> int:
        """Deletes at most `limit` alerts of others that ended before an instant (epoch ms); their transitions stay.
        How many there were."""


class ProbeStore(Protocol):
    """What probes found. All methods raise `StoreFailure`."""

    async def states(self) -> Sequence[ProbeState]:
        """What is kept of each probe."""

    async def note(self, state: ProbeState, results: Sequence[ProbeResult], quota: Sequence[QuotaReading]) -> None:
        """One run, in one transaction; the state replaces that of the same probe."""

    async def results(self, limit: int = 200, probe: str | None = None) -> Sequence[ProbeResult]:
        """Newest first."""

    async def readings(self, limit: int = 1000) -> Sequence[QuotaReading]:
        """Newest first."""

    async def prune(self, before: int, limit: int) -> int:
        """Deletes at most `limit` verdicts and readings from before an instant (epoch ms), the oldest first; how many
        there were of those that were most."""


# ---- the world -------------------------------------------------------------------------------------------------------


class Notifier(Protocol):
    """Sends one message to all channels of a receiver, within a deadline, in another process. Never raises."""

    async def send(self, channels: Sequence[Channel], message: Message, deadline_seconds: float) -> Delivery: ...

    async def close(self) -> None: ...


class ManagementApi(Protocol):
    """The upstream's management API. Raises `ManagementFailure`; after the first 401 or 403 every call fails as
    `barred` without being sent, until the secret changes or 30 minutes pass."""

    @property
    def version(self) -> str | None:
        """What the upstream said it is, in its last answer; None before one, and where it does not say."""

    async def read(self, path: str) -> Any:
        """GET `/v0/management/{path}`, decoded."""

    async def send(self, call: Call) -> None:
        """Whether it took effect is for a reading to say."""

    async def config_fingerprints(self) -> Mapping[str, str]:
        """A hash of each top-level key of the upstream's config; no value is kept."""

    async def credential_files(self) -> Sequence[CredentialFile]: ...

    async def close(self) -> None: ...


class UpstreamProbes(Protocol):
    """Cold requests to the upstream: reachability, inventory, and the ping that releases a fallback."""

    async def reachable(self) -> bool: ...

    async def models(self) -> Lists | None:
        """The inventory of each client key that is given one; None without any key, or where none is given any."""

    async def front(self) -> Front:
        """What it shows without a management key; to be asked once in a while."""

    async def ping(self, model: str, wire: Wire) -> bool | None:
        """One small non-stream request to the original model, through our own proxy as a canary; None without a key."""

    async def close(self) -> None: ...


# ---- what the doors may ask ------------------------------------------------------------------------------------------


class Operations(Protocol):
    """What the web pages and the CLI may ask the engine. Actions raise `Conflict`."""

    async def status(self) -> Mapping[str, Any]:
        """The object of `GET /api/v1/status`."""

    def stalled(self) -> str | None:
        """What stands still, so that only a new start helps; None while all goes on."""

    async def ready(self) -> Sequence[str]:
        """What is still missing for readiness; empty when ready."""

    async def alerts(self) -> Sequence[Alert]: ...

    async def rules(self) -> Sequence[RuleFigures]:
        """How every rule in force fares."""

    async def providers(self, window_seconds: float) -> Mapping[str, Mapping[str, Any]]:
        """Figures per provider_key, as in `GET /api/v1/providers`."""

    async def events(self, query: EventQuery) -> Sequence[Event]: ...

    async def mitigations(self) -> Sequence[Mitigation]: ...

    async def notifications(self) -> Sequence[Notification]: ...

    async def audit(self, limit: int, wanted: AuditFilter) -> Sequence[AuditEntry]:
        """Newest first."""

    async def explain(self, alert: str, at: int | None) -> Explanation:
        """Why it fired or not, was sent or not, acted or not, at an instant (epoch ms), or now. Raises `Misuse`."""

    async def hear(self, told: Sequence[Told]) -> int:
        """Takes in what others raise; how many there were."""

    async def acknowledge(self, alert: str, actor: str) -> Sequence[Alert]:
        """Every firing severity of an episode, or of all episodes of an alert's name; they are repeated no more."""

    async def silences(self) -> Sequence[Silence]:
        """Those that have not ended; the one that ends first comes first."""

    async def silence(
        self,
        matchers: Mapping[str, str],
        *,
        starts_at: int | None = None,
        ends_at: int | None = None,
        seconds: float | None = None,
        actor: str,
        comment: str = "",
    ) -> Silence:
        """From now unless said, until an instant (epoch ms) or for so long. Raises `Misuse`."""

    async def expire_silence(self, silence: str, actor: str) -> Silence:
        """Ends it now."""

    async def act(
        self, mitigation: str, action: str, actor: str, seconds: float | None = None, comment: str = ""
    ) -> Mitigation:
        """apply, approve, revert, hold or release, on an id or a name; `seconds` end a hold, or what is applied."""

    async def probes(self) -> Sequence[ProbeRow]:
        """How every probe fares."""

    async def run_probe(self, name: str) -> Sequence[ProbeResult]:
        """Runs it now, whether it is on or not. Raises `Misuse` for a name that is not known."""

    async def canary(self, model: str, wire: Wire, *, stream: bool) -> CanaryReport:
        """One small request through our own proxy; it costs tokens. Raises `Conflict` when too many were sent."""

    async def models(self) -> Lists | None:
        """What the upstream lists; None where no list is to be had."""

    async def quota(self) -> Sequence[QuotaReading]:
        """The latest reading of each credential and model."""

    async def doctor(self) -> Sequence[Finding]:
        """What the daily checks come to now."""

    async def past(self) -> Sequence[Tally]:
        """What the upstream itself counted lately, one of each credential; none where it does not tell."""

    async def start_drill(self, actor: str) -> DrillReport:
        """A fire drill, which goes on by itself."""

    def drill(self) -> DrillReport | None:
        """How the latest one goes, or went; None while there was none."""

    def counters(self) -> Mapping[str, float]:
        """Gauges and counters of the daemon itself, by metric name."""


Job = Callable[[], Awaitable[None]]


class Schedule(Protocol):
    """Calls jobs at intervals; a job that still runs is not started again."""

    def every(self, seconds: float, job: Job, *, name: str, first: float | None = None, jitter: float = 0.0) -> None:
        """From `first` seconds on, or `seconds` unless said; each run up to `jitter` seconds earlier or later."""

    def drop(self, name: str) -> None:
        """The job is called no more; one of that name need not be there."""

    def start(self) -> None: ...

    def stop(self) -> None: ...
