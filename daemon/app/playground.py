"""Playground: a stage with everything around it in memory, on which made-up time is played."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from daemon.adapters.clock import HandClock
from daemon.adapters.memory.events import MemoryEventStore
from daemon.adapters.memory.ledger import MemoryLedger
from daemon.adapters.memory.notifier import MemoryNotifier
from daemon.adapters.memory.routes import MemoryRoutes
from daemon.adapters.memory.upstream import MemoryUpstream
from daemon.app import shelf
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.mitigation import Mode
from daemon.engine.core import Surroundings
from daemon.engine.stage import Stage


class Playground:
    """Begins at an instant (epoch ms). Everything but the stage's process outlives its restarts."""

    def __init__(
        self,
        config: AlertsConfig,
        off: Collection[str] = (),
        *,
        begins_at: int,
        mode: Mode = Mode.AUTO,
        settings: Mapping[str, Any] | None = None,
        models: Sequence[str] | None = None,
        answers: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`settings` and `models` are those of the upstream, which does not serve an inventory without `models`;
        `answers` tells of a model whether a ping goes well."""
        self.clock = HandClock(begins_at)
        self.ledger = MemoryLedger()
        self.events = MemoryEventStore()
        self.routes = MemoryRoutes()
        self.upstream = MemoryUpstream(settings, models, answers)
        self.notifier = MemoryNotifier(self.clock)
        around = Surroundings(
            clock=self.clock,
            ledger=self.ledger,
            events=self.events,
            routes=self.routes,
            management=self.upstream,
            probes=self.upstream,
            notifier=self.notifier,
            ceiling=mode,
            public_url="http://127.0.0.1:8319",
        )
        self.stage = Stage(around, self.clock, config, off, looks=shelf.looks())
