"""The upstream's own past: what its credentials answered lately, for whoever looks before we have seen anything."""

import logging
from collections.abc import Sequence
from contextlib import suppress

from daemon.domain.errors import ManagementFailure
from daemon.domain.upstream_past import Tally
from daemon.logic.upstream_past_counts import tallies, together
from daemon.ports import Clock, ManagementApi

log = logging.getLogger(__name__)

FRESH_SECONDS = 60.0


class UpstreamPast:
    """Asks at most once in a minute, and only when somebody looks. Never raises for what the upstream does."""

    def __init__(self, management: ManagementApi | None, clock: Clock) -> None:
        self._management = management
        self._clock = clock
        self._asked_at = float("-inf")
        self._known: Sequence[Tally] = ()

    async def lately(self) -> Sequence[Tally]:
        """One of each credential, over the 200 minutes for which the upstream counts; the busiest comes first."""
        if self._management is not None and self._clock.monotonic() - self._asked_at >= FRESH_SECONDS:
            self._asked_at = self._clock.monotonic()
            self._known = await self._ask(self._management)
        return self._known

    async def _ask(self, management: ManagementApi) -> Sequence[Tally]:
        try:
            files = await management.read("auth-files")
        except ManagementFailure as failure:
            log.info("the upstream's past is not known: %s", failure)
            return ()
        keys = None
        with suppress(ManagementFailure):  # older builds do not count those of API keys
            keys = await management.read("api-key-usage")
        return together(tallies(files, keys, self._clock.now()))
