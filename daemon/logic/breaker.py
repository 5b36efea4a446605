"""The breaker of a receiver: after failures in a row it is left alone, but for a try every few minutes."""

from dataclasses import dataclass

from daemon.domain.notification import Delivery

OPENS_AFTER = 3
TRY_SECONDS = 180.0
LONGEST_WAIT_SECONDS = 3600.0
"""A channel may ask for more; it is tried nevertheless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What the last sends to a receiver have taught."""

    failures: int = 0
    """In a row."""
    rests_until: int = 0
    """Epoch ms; nothing is sent before."""

    @property
    def is_open(self) -> bool:
        return self.failures >= OPENS_AFTER

    def after(self, delivery: Delivery, now: int) -> "Breaker":
        """When a send has ended."""
        if delivery.delivered:
            return Breaker()
        failures = self.failures + 1
        seconds = max(TRY_SECONDS if failures >= OPENS_AFTER else 0.0, wait_seconds(delivery))
        return Breaker(failures=failures, rests_until=now + round(seconds * 1000))


def wait_seconds(delivery: Delivery) -> float:
    """How long a channel has asked to be left alone."""
    return min(delivery.retry_after_seconds or 0.0, LONGEST_WAIT_SECONDS)
