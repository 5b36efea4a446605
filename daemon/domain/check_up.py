"""The check-up: what the daily checks look at, and what each of them came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.event import Event
from daemon.domain.probe import ProbeRow
from daemon.domain.quota import QuotaReading


class Health(StrEnum):
    """How one thing fares. `unknown`: we could not look."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row of the check-up, in words for people."""

    area: str
    verdict: Health
    evidence: str = ""
    advice: str = ""
    """What to do; empty where nothing is to be done."""
    essential: bool = True
    """What is not may stay unknown, and all is well without it."""

    @classmethod
    def ok(cls, area: str, evidence: str) -> Self:
        return cls(area=area, verdict=Health.OK, evidence=evidence)

    @classmethod
    def warning(cls, area: str, evidence: str, advice: str) -> Self:
        return cls(area=area, verdict=Health.WARNING, evidence=evidence, advice=advice)

    @classmethod
    def critical(cls, area: str, evidence: str, advice: str) -> Self:
        return cls(area=area, verdict=Health.CRITICAL, evidence=evidence, advice=advice)

    @classmethod
    def unknown(cls, area: str, evidence: str, advice: str, *, essential: bool = True) -> Self:
        return cls(area=area, verdict=Health.UNKNOWN, evidence=evidence, advice=advice, essential=essential)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What the upstream's front door said; instants are epoch ms."""

    url: str
    asked_at: int
    status: int | None = None
    """None: there was no answer."""
    says: str = ""
    """The name that it gives itself."""
    clock: int | None = None
    """Its own time, in whole seconds, as of its answer."""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What can be seen without the control plane: files, and who answers at which door."""

    alerts_file: str
    mistakes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    deaf: Sequence[str] = ()
    """Receivers that have no channel."""
    rules: int = 0
    receivers: int = 0
    loose: Sequence[str] = ()
    """Files and directories that others may read, with their modes."""
    has_state: bool = True
    """There is a state directory: the daemon has run here."""
    proxy: Mapping[str, object] | None = None
    """The answer of its `/health`; None where it does not answer."""
    proxy_at: str = ""
    control_at: str = ""
    control_runs: bool = False
    """It says that it is alive, to whoever asks."""
    control_trouble: str = ""
    """Why the control plane told us nothing; empty where it did."""
    knock: Knock | None = None
    """Asked for only where the control plane tells nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the control plane knows of itself and of the upstream."""

    now: int
    """Epoch ms."""
    knock: Knock
    capabilities: Capabilities
    has_client_key: bool
    management_trouble: str | None
    """Why the management API tells nothing; None where it does, or where there is no key."""
    has_management_key: bool
    credentials: Sequence[CredentialFile] = ()
    """As the upstream listed them last."""
    spool_depth: int = 0
    dropped_total: int = 0
    store_ok: bool = True
    config_errors: Sequence[str] = ()
    missing: Sequence[str] = ()
    """What is not ready."""
    config: AlertsConfig = field(default_factory=AlertsConfig)
    deaf: Sequence[str] = ()
    """Receivers that have no channel."""
    cut_off: Sequence[str] = ()
    """Receivers that cannot be reached."""
    usage_records: Mapping[str, Any] | None = None
    """How it goes with the upstream's own records; None where nobody asked for them."""
    probes: Sequence[ProbeRow] = ()
    quota: Sequence[QuotaReading] = ()
    alerts: Sequence[Alert] = ()
    events: Sequence[Event] | None = ()
    """The latest model calls of clients; None where the store does not answer."""
