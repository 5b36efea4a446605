"""Probing: builds what looks at the upstream from what the control plane is made of."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from daemon.adapters.log_file import read_log
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.probes import HttpProbes
from daemon.adapters.management.usage import ChannelRecords, NoRecords, QueueRecords
from daemon.app import shelf
from daemon.domain.alerts_config import UsageRecords
from daemon.domain.event import Wire
from daemon.domain.probe import Ask, Door, ProbeState, Reply
from daemon.domain.quota import QuotaReading
from daemon.engine.canaries import Canaries
from daemon.engine.core import Core
from daemon.engine.probe import Probes
from daemon.engine.usage import Usage, UsageSource
from daemon.logic.probe import Sight
from daemon.logic.wire import WireProtocol
from daemon.ports import Clock, ProbeStore, Schedule

Figures = Callable[[], Mapping[str, Mapping[str, Any]]]


def build(
    core: Core,
    probes: HttpProbes,
    store: ProbeStore,
    schedule: Schedule,
    clock: Clock,
    figures: Figures,
    threads: Executor,
) -> Probes:
    """`figures` are those of the last ten minutes, by provider; files are read in `threads`."""
    wires, inventory = _wires(), core.inventory

    def sight() -> Sight:
        return replace(inventory.sight(), quota=core.quota, figures=figures(), wires=wires, clients=probes.clients)

    async def ask(one: Ask) -> Reply:
        if one.door is not Door.FILE:
            return await probes.ask(one)
        return await asyncio.get_running_loop().run_in_executor(threads, read_log, one.path, one.body)

    return Probes(
        kinds=shelf.probes(),
        ask=ask,
        refresh=inventory.refresh,
        sight=sight,
        store=store,
        schedule=schedule,
        observe=core.evaluate.observe,
        take_quota=core.take_quota,
        clock=clock,
    )


def usage(core: Core, management: ManagementClient | None, url: str, store: ProbeStore, clock: Clock) -> Usage:
    """The upstream's own records, once the alerts file asks for them."""

    def opened(options: UsageRecords) -> UsageSource:
        if management is None:
            return NoRecords()
        if options.from_ == "resp":
            return ChannelRecords(management, url, options.every)
        return QueueRecords(management, options.every)

    async def take_quota(readings: Sequence[QuotaReading]) -> None:
        if fresh := core.take_quota(readings):
            await store.note(ProbeState(probe="usage_records"), (), fresh)

    def name_of(auth_index: str) -> str | None:
        return next((one.name for one in core.inventory.credentials if one.auth_index == auth_index), None)

    return Usage(open_source=opened, observe=core.evaluate.observe, take_quota=take_quota, name_of=name_of, clock=clock)


def canaries(probes: HttpProbes, clock: Clock) -> Canaries:
    """Those that a person asks for."""
    return Canaries(ask=probes.ask, wires=_wires(), clock=clock)


def _wires() -> Mapping[Wire, WireProtocol]:
    return {wire.WIRE: wire for wire in shelf.wires()}
