"""The heartbeat: an address outside hears of us while judging and sending work, and else raises the alarm for us."""

import logging
from collections.abc import Awaitable, Callable

from daemon.ports import Clock

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks whether a beat is due."""


class Heartbeat:
    """A job for the schedule. `beat` gives why the address could not be asked, without naming it; `trouble` what does
    not work here; either gives None when all is well."""

    def __init__(
        self, *, clock: Clock, beat: Callable[[str], Awaitable[str | None]], trouble: Callable[[], str | None]
    ) -> None:
        self._clock = clock
        self._beat = beat
        self._trouble = trouble
        self._url: str | None = None
        self._every_seconds = 0.0
        self._due_at = 0.0
        self._said: str | None = None

    def configure(self, url: str | None, every_seconds: float) -> None:
        """At boot and at each reload; without a URL there is none."""
        self._url, self._every_seconds = url, every_seconds
        self._due_at = self._clock.monotonic()

    async def look(self) -> None:
        """One beat, if it is time. What is wrong is logged once."""
        now = self._clock.monotonic()
        if self._url is None or now < self._due_at:
            return
        self._due_at = now + self._every_seconds
        said = self._trouble() or await self._beat(self._url)
        if said != self._said:
            self._said = said
            log.log(
                logging.WARNING if said else logging.INFO, "the heartbeat %s", f"stops: {said}" if said else "goes on"
            )
