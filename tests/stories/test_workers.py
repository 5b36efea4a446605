"""Story: two workers are one proxy: both serve, both are heard once, both obey, both drain. Real processes."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import httpx

from daemon.adapters.clock import SystemClock
from daemon.adapters.routes import RoutesFile
from daemon.app.rig import CLIENT_KEY
from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from tests.stories.house import House, eventually, open_house
from tests.stories.test_restarts import QUIET, children, sockets, workers

TURNS = 25
"""On each connection, each time."""
OBEYED_SECONDS = 0.3
SPARK, STAND_IN = "gpt-5.3-codex-spark", "gpt-5.4"
ROUTE = SoftRoute(mitigation_id="m1", from_model=SPARK, to_model=STAND_IN)
BATCH = WorkloadClass(name="batch", headers={"x-app": "batch-*"})
BLOCK = SoftRoute(mitigation_id="m2", kind="block_model", from_model=STAND_IN, workload="batch")
SLOW = {"words": 40, "pace": "50ms"}


def served_by(house: House, answer: httpx.Response) -> int:
    """The worker that holds the other end of a connection."""
    near = answer.extensions["network_stream"].get_extra_info("socket")
    ends = f":{house.rig.proxy_port:04X}", f":{near.getsockname()[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    far = next(f"socket:[{row[9]}]" for row in rows if (row[1][8:], row[2][8:]) == ends)
    return next(worker for worker, pid in workers(house.rig.pid("run")).items() if far in sockets(pid))


@asynccontextmanager
async def one_client_of_each(house: House) -> AsyncIterator[list[httpx.AsyncClient]]:
    """The kernel spreads connects: it is asked until each worker has one, which is then kept."""
    async with AsyncExitStack() as stack:
        found: dict[int, httpx.AsyncClient] = {}
        while len(found) < 2:
            opened = httpx.AsyncClient(base_url=house.rig.proxy_url, trust_env=False, timeout=30.0)
            client = await stack.enter_async_context(opened)
            found.setdefault(served_by(house, await client.get("/health")), client)
        yield [found[0], found[1]]


async def turn(client: httpx.AsyncClient, model: str = STAND_IN, *, stream: bool = False) -> str:
    """The body of the answer."""
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "ping"}]}
    answer = await client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {CLIENT_KEY}"})
    assert answer.status_code == 200
    return answer.text


async def many(clients: list[httpx.AsyncClient]) -> None:
    async def some(client: httpx.AsyncClient) -> None:
        for _ in range(TURNS):
            await turn(client)

    await asyncio.gather(*map(some, clients))


async def by_worker(house: House) -> Counter[int]:
    """How many different events there are of each; the number is in the id."""
    events = await house.control.events(limit=500)
    assert len({event["event_id"] for event in events}) == len(events)
    return Counter(int(event["event_id"]) >> 12 & 15 for event in events)


async def heard(house: House, count: int) -> bool:
    return await by_worker(house) == {0: count, 1: count}


async def figure(house: House, name: str) -> float:
    text = (await house.http.get(f"{house.rig.control_url}/metrics")).text
    found = re.search(rf"^runbookd_{name} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def control_of(house: House) -> int:
    """Its process id."""
    return next(pid for pid in children(house.rig.pid("run")) if b"control" in _words(pid))


def _words(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


async def obeyed(client: httpx.AsyncClient) -> bool:
    return f'"{STAND_IN}"' in await turn(client, SPARK)


async def blocked(client: httpx.AsyncClient) -> bool:
    """Whether a class of traffic is refused a model that all others get."""
    await turn(client)
    answer = await client.post("/v1/chat/completions", json={"model": STAND_IN}, headers={"X-App": "batch-7"})
    return answer.status_code == 403 and answer.json()["error"]["code"] == "runbookd_blocked"


async def all_is_well(house: House) -> bool:
    """The turns before, those that were led or not, and a stream of each worker: none failed but what was blocked."""
    events = await house.control.events(limit=500)
    denied = [event for event in events if event["outcome"] != "ok"]
    assert {(event["outcome"], event["workload"], *event["mitigation_ids"]) for event in denied} == {
        ("denied", "batch", "m2")
    }
    return min((await by_worker(house)).values()) >= 2 * TURNS + 3 and sum(event["stream"] for event in events) == 2


async def drained(house: House, clients: list[httpx.AsyncClient]) -> None:
    """Told to stop inside a stream of each worker."""
    await house.fake.play(SLOW)
    before = (await house.fake.requests())["total"]
    streams = [asyncio.ensure_future(turn(client, stream=True)) for client in clients]

    async def have_begun() -> bool:
        return (await house.fake.requests())["total"] == before + 2

    await eventually(have_begun)
    house.rig.signal("run", signal.SIGTERM)
    assert [text.rstrip().endswith("data: [DONE]") for text in await asyncio.gather(*streams)] == [True, True]


async def test_two_workers_are_one_proxy() -> None:
    async with open_house(alerts=QUIET, PROXY_WORKERS="2") as house:
        await house.start("fake", "run")
        async with one_client_of_each(house) as clients:
            await many(clients)
            await eventually(lambda: heard(house, TURNS))
            assert await figure(house, "events_total") == 2 * TURNS
            assert await figure(house, "events_dropped_total") == 0
            assert (await house.control.get("status"))["spool"] == {"depth": 0, "dropped_total": 0}

            os.kill(control_of(house), signal.SIGKILL)  # what it had read and not stored is read again
            await many(clients)
            await eventually(lambda: heard(house, 2 * TURNS), within=15.0)

            frozen = control_of(house)
            os.kill(frozen, signal.SIGSTOP)  # it would renew the file with its own routes
            assert not any([await obeyed(client) for client in clients])
            with closing(RoutesFile(house.rig.places.routes, SystemClock())) as routes:
                routes.publish(RoutingTable(sequence=1 << 40, routes=(ROUTE,)))
                await asyncio.gather(*(eventually(lambda one=one: obeyed(one), OBEYED_SECONDS) for one in clients))
                routes.publish(RoutingTable(sequence=(1 << 40) + 1, routes=(BLOCK,), workloads=(BATCH,)))
                await asyncio.gather(*(eventually(lambda one=one: blocked(one), OBEYED_SECONDS) for one in clients))
                assert not any([await obeyed(client) for client in clients])
            os.kill(frozen, signal.SIGCONT)

            await drained(house, clients)
        assert await house.rig.stop("run") == 0
        await house.start("control")
        await eventually(lambda: all_is_well(house))
