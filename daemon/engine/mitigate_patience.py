"""Patience: a row that is stuck waits longer each time and is never forgotten; a restore that fails is told."""

import logging

from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.engine.mitigate_journal import Journal
from daemon.logic.journal import OURSELVES
from daemon.logic.noting import note
from daemon.ports import Clock

log = logging.getLogger(__name__)

LONGEST_BACK_OFF_SECONDS = 300.0
TOLD_AFTER = 3
"""So many restores in a row must fail before people are told."""

_RESTORES = (MitigationState.APPLIED, MitigationState.RESTORING)
"""An applied row that waits waits for its restore."""


class Patience:
    """When each row is tried again, by the monotonic clock."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._later: dict[str, tuple[int, float]] = {}

    def is_over(self, row: Mitigation) -> bool:
        """Whether it may be tried now."""
        return self._clock.monotonic() >= self._later.get(row.id, (0, float("-inf")))[1]

    def settle(self, row: Mitigation, seconds: float) -> None:
        """Not before so long; nothing has failed, but a write may still be on its way."""
        failures = self._later.get(row.id, (0, 0.0))[0]
        self._later[row.id] = (failures, self._clock.monotonic() + seconds)

    def forget(self, row: Mitigation) -> None:
        """It went as far as it can go."""
        self._later.pop(row.id, None)

    async def wait(self, row: Mitigation, reason: str) -> None:
        """One more failure. Raises `StoreFailure`."""
        failures = self._later.get(row.id, (0, 0.0))[0]
        pause = min(2.0**failures, LONGEST_BACK_OFF_SECONDS)
        self._later[row.id] = (failures + 1, self._clock.monotonic() + pause)
        log.warning("%s is %s and waits %.0f s: %s", row.target, row.state.value, pause, reason)
        await self._journal.say(note(OURSELVES, row.target, reason, self._clock.now(), row.id))
        if failures + 1 == TOLD_AFTER and row.state in _RESTORES:
            words = f"critical: its restore failed {TOLD_AFTER} times, it is tried until it works: {reason}"
            await self._journal.note(row, words)
