"""The check-up: gathers what the doctor judges, from what the engine knows and one knock at the upstream's door."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.check_up import Finding, Inside
from daemon.domain.errors import StoreFailure
from daemon.domain.event import Event, Source
from daemon.domain.probe import Ask, Door, Reply
from daemon.engine.inventory import Inventory
from daemon.logic.doctor import examine
from daemon.logic.flavour import heard
from daemon.ports import Clock, EventQuery, Operations

FRONT_DOOR = Ask(door=Door.UPSTREAM, path="/", client="")
DAY_MS = 86_400_000
MOST_EVENTS = 1000


class CheckUp:
    """`config` and `channels` are those in force; `ask` asks the upstream without ever raising."""

    def __init__(
        self,
        *,
        clock: Clock,
        ask: Callable[[Ask], Awaitable[Reply]],
        inventory: Inventory,
        config: Callable[[], AlertsConfig],
        channels: Callable[[], Mapping[str, Sequence[Any]]],
        has_client_key: bool,
        has_management_key: bool,
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._inventory = inventory
        self._config = config
        self._channels = channels
        self._has_client_key = has_client_key
        self._has_management_key = has_management_key

    async def examine(self, operations: Operations) -> list[Finding]:
        """What all checks come to now. Raises nothing for what the upstream or the store does."""
        return examine(await self._look(operations))

    async def _look(self, operations: Operations) -> Inside:
        status, reply = await asyncio.gather(operations.status(), self._ask(FRONT_DOOR))
        now, inventory = self._clock.now(), self._inventory
        return Inside(
            now=now,
            knock=heard(status["upstream"]["url"], reply, now),
            capabilities=inventory.capabilities,
            has_client_key=self._has_client_key,
            has_management_key=self._has_management_key,
            management_trouble=inventory.trouble,
            credentials=inventory.credentials if inventory.capabilities.management else (),
            spool_depth=status["spool"]["depth"],
            dropped_total=status["spool"]["dropped_total"],
            store_ok=status["store"]["ok"],
            config_errors=status["config"]["errors"],
            missing=await operations.ready(),
            config=self._config(),
            deaf=sorted(name for name, channels in self._channels().items() if not channels),
            cut_off=status["receivers"]["cut_off"],
            usage_records=status["usage_records"],
            probes=await operations.probes(),
            quota=await operations.quota(),
            alerts=await operations.alerts(),
            events=await self._events(operations, now),
        )

    async def _events(self, operations: Operations, now: int) -> Sequence[Event] | None:
        """The latest of the last day."""
        query = EventQuery(limit=MOST_EVENTS, since=now - DAY_MS, where={"source": Source.CLIENT.value})
        try:
            return [event for event in await operations.events(query) if event.is_model_call]
        except StoreFailure:
            return None
