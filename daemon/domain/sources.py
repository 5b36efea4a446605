"""Sources: what a rule can be about, by the word that the alerts file has for it."""

from collections.abc import Mapping

from daemon.domain.event import Event
from daemon.domain.joined import Joined
from daemon.domain.probe import ProbeResult
from daemon.domain.quota import QuotaReading
from daemon.domain.self_reading import SelfReading

EVENTS = "events"
"""What rules are about that do not say it."""

Read = SelfReading | ProbeResult | QuotaReading | Joined
"""What is read now and then, rather than counted."""

SOURCES: Mapping[str, type] = {
    EVENTS: Event,
    "probes": ProbeResult,
    "quota": QuotaReading,
    "self": SelfReading,
}
