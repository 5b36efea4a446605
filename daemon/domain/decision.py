"""The decision: everything that one step changes, committed in one transaction."""

from dataclasses import dataclass

from daemon.domain.alert import Alert
from daemon.domain.audit import AuditEntry
from daemon.domain.heard import Heard
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification
from daemon.domain.silence import Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Rows to write, by id: a row that exists is replaced, an audit entry is only ever added. An alert may have several
    rows, in order: it moved more than once."""

    alerts: tuple[Alert, ...] = ()
    notifications: tuple[Notification, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    silences: tuple[Silence, ...] = ()
    heard: tuple[Heard, ...] = ()
    """Only ever added."""

    def __bool__(self) -> bool:
        return any((self.alerts, self.notifications, self.mitigations, self.audit, self.silences, self.heard))
