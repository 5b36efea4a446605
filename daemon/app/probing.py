"""Probing: builds what looks at the upstream from what the control plane is made of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daemon.adapters.management.probes import HttpProbes
from daemon.app import shelf
from daemon.domain.event import Wire
from daemon.domain.quota import QuotaReading
from daemon.engine.core import Core
from daemon.engine.probe import Probes
from daemon.logic.probe import Sight
from daemon.logic.wire import WireProtocol
from daemon.ports import Clock, ProbeStore, Schedule

Figures = Callable[[], Mapping[str, Mapping[str, Any]]]


def build(
    core: Core, probes: HttpProbes, store: ProbeStore, schedule: Schedule, clock: Clock, figures: Figures
) -> Probes:
    """`figures` are those of the last ten minutes, by provider."""
    wires: Mapping[Wire, WireProtocol] = {wire.WIRE: wire for wire in shelf.wires()}
    inventory = core.inventory

    def sight() -> Sight:
        return Sight(
            now=clock.now(),
            reachable=inventory.reachable,
            capabilities=inventory.capabilities,
            models=inventory.models,
            credentials=inventory.credentials if inventory.capabilities.management else None,
            quota=core.quota,
            figures=figures(),
            wires=wires,
            clients=probes.clients,
        )

    def take_quota(readings: Sequence[QuotaReading]) -> None:
        core.take_quota(readings)

    return Probes(
        kinds=shelf.probes(),
        ask=probes.ask,
        sight=sight,
        store=store,
        schedule=schedule,
        observe=core.evaluate.observe,
        take_quota=take_quota,
        clock=clock,
    )
