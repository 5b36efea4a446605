"""A day that is over, judged again from what was recorded of it."""

import asyncio
from collections.abc import Sequence

from daemon.adapters.clock import HandClock
from daemon.adapters.memory.ledger import MemoryLedger
from daemon.adapters.memory.notifier import MemoryNotifier
from daemon.adapters.memory.routes import MemoryRoutes
from daemon.adapters.memory.upstream import MemoryUpstream
from daemon.domain.alert import Alert
from daemon.domain.mitigation import Mode
from daemon.engine.baselines import Baselines
from daemon.engine.core import Surroundings
from daemon.engine.replay import Replay
from daemon.engine.stage import Stage
from tests.simulation.rules import config_of
from tests.simulation.world import T0, World


def judged_again(world: World) -> Sequence[Alert]:
    """Every row that an alert has then."""
    clock, ledger = HandClock(T0), MemoryLedger()
    around = Surroundings(
        clock=clock,
        ledger=ledger,
        events=world.events,
        routes=MemoryRoutes(),
        management=None,
        probes=MemoryUpstream(),
        notifier=MemoryNotifier(clock),
        ceiling=Mode.SHADOW,
        public_url="",
    )
    stage = Stage(around, clock, config_of(world.history.rules), is_recorded=True)
    baselines = Baselines(store=world.events, book=lambda: stage.core.evaluate.book, learn=lambda *_: None)
    replay = Replay(stage, world.ledger.heard_rows, baselines, {})
    asyncio.run(stage.play(replay.script(world.events.replay(T0)), world.clock.now()))
    return ledger.transition_rows
