"""The end of a proxy that is told to stop while streams and turns are under way."""

import asyncio
import signal
import subprocess
from collections.abc import Sequence
from time import monotonic

from bench.storm import frames
from bench.storm.acts import CHAT
from bench.storm.plan import Plan
from bench.storm.tally import Tally
from bench.storm.upstream import Upstream
from bench.storm.wire import Wire

STREAMS = SOCKETS = IDLERS = 5
LONG = 60_000
RESTARTS = b"\x03\xf4"
"""1012, as a close frame says it."""


async def ends_well(
    port: int, upstream: Upstream, tally: Tally, processes: Sequence["subprocess.Popen[bytes]"], patience: float
) -> list[str]:
    """What did not: streams end whole, idle websockets are told, idle connections closed, and the exit code is 0."""
    streams = [Wire(port) for _ in range(STREAMS)]
    sockets = [Wire(port) for _ in range(SOCKETS)]
    idlers = [Wire(port) for _ in range(IDLERS)]
    plans = [Plan.new("sse", LONG, 1 + at) for at in range(STREAMS)]
    tally.possible += STREAMS + SOCKETS + IDLERS
    tally.certain += STREAMS + IDLERS
    for wire, plan in zip(streams, plans, strict=True):
        await wire.send(_get(plan))
        await wire.begun()
    for wire in sockets:
        await wire.send(frames.opening("/v1/responses", Plan.new("json", 1, 1).line))
        await wire.answer("GET")
    for wire in idlers:
        await wire.send(_get(Plan.new("json", 1, 1)))
        await wire.answer("GET")
    for process in processes:
        process.send_signal(signal.SIGTERM)
    problems = [] if await _all_closed(idlers) else ["an idle connection was not closed at the stop"]
    for wire in sockets:
        problems += await _told(wire)
    for wire, plan in zip(streams, plans, strict=True):
        problems += await _streamed(wire, plan)
    return problems + await _gone(processes, patience)


def _get(plan: Plan) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: storm\r\n%b\r\n" % (CHAT.encode(), plan.line)


async def _all_closed(wires: Sequence[Wire]) -> bool:
    try:
        async with asyncio.timeout(3.0):
            return not any([await (await wire.reader()).read() for wire in wires])
    except TimeoutError:
        return False


async def _told(wire: Wire) -> list[str]:
    try:
        async with asyncio.timeout(3.0):
            opcode, payload = await frames.read(await wire.reader())
    except (TimeoutError, asyncio.IncompleteReadError) as error:
        return [f"a websocket was not told of the stop: {error!r}"]
    return [] if opcode == frames.CLOSE and payload[:2] == RESTARTS else [f"a websocket was told {payload!r}"]


async def _streamed(wire: Wire, plan: Plan) -> list[str]:
    answer = await wire.answer("GET")
    is_well = answer.is_whole and answer.body == plan.body
    return [] if is_well else [f"a stream was cut by the stop: {len(answer.body)} of {len(plan.body)} bytes"]


async def _gone(processes: Sequence["subprocess.Popen[bytes]"], patience: float) -> list[str]:
    until = monotonic() + patience
    while monotonic() < until and any(process.poll() is None for process in processes):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    codes = [process.poll() for process in processes]
    return [] if not any(code != 0 for code in codes) else [f"exit codes {codes}"]
