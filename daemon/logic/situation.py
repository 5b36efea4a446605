"""The situation: what a plan is made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.mitigation import Mitigation, Mode
from daemon.domain.sample import Counts
from daemon.logic.mitigation import About
from daemon.logic.wishes import about


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """`rows` are the journal, newest first."""

    config: AlertsConfig
    rows: Sequence[Mitigation] = ()
    ceiling: Mode = Mode.AUTO
    has_management: bool = True
    served: frozenset[str] | None = None
    """The upstream's models; None when they are not known."""
    refused: frozenset[str] = frozenset()
    """Models that the upstream said it does not serve."""
    credentials: tuple[CredentialFile, ...] = ()
    """All that the upstream lists."""
    failing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of credentials that fail, the worst first, by provider."""
    capabilities: Capabilities = field(default_factory=Capabilities)
    """What the upstream was seen to be able to do."""
    errors: Mapping[str, Counts] = field(default_factory=dict)
    """How the latest turns of each model ended that may be led away or stand in, by what was sent upstream."""

    def about(self, alert: Alert) -> About:
        """What an alert is about, and what is known of its provider's credentials."""
        failing = self.failing.get(dict(alert.labels).get("provider_key", ""), ())
        return about(alert, failing, self.credentials, self.capabilities)

    def with_rows(self, rows: Iterable[Mitigation]) -> Sequence[Mitigation]:
        """The open rows, and these."""
        return [*rows, *(row for row in self.rows if row.state.is_open)]
