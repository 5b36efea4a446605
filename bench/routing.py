"""What soft routing costs a request: the questions asked while nothing is active, and the whole path with it in force.

The path is ours alone, from the bytes of a request to its event: client and upstream are made up, no socket is there.
What is compared takes turns in one run.
"""

import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, cast

import uvloop

from daemon.adapters.clock import SystemClock
from daemon.adapters.proxy.calls import Asker, Call
from daemon.adapters.proxy.connection import ClientConnection
from daemon.adapters.proxy.forward import Forwarder
from daemon.adapters.proxy.gate import Gate
from daemon.adapters.proxy.observer import Keys, Observer
from daemon.adapters.proxy.rerouting import Rerouter
from daemon.adapters.proxy.server import ProxyServer
from daemon.adapters.proxy.tap import Ask
from daemon.app.shelf import wires
from daemon.domain.event import Event, EventIds
from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.routing_table import Lease

ROUNDS, REQUESTS, QUESTIONS = 15, 400, 20_000
MOST_MICROSECONDS = 2.0
BODY = b'{"model":"gpt-5.4","stream":false,"messages":[{"role":"user","content":"%b"}]}' % (b"words " * 300)
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\nUser-Agent: codex/1\r\n"
    b"X-App: ide-vim\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
ANSWER = (
    b'{"model":"gpt-5.4","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
)
HEADERS = ((b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(ANSWER)))
LINES = b"".join(b"\r\n%b: %b" % header for header in HEADERS)
CLASSES = (
    WorkloadClass(name="nightly", client="0" * 16),
    WorkloadClass(name="batch", headers={"x-app": "batch-*"}),
    WorkloadClass(name="editor", headers={"x-app": "ide-*"}),
)
TABLES = {
    "nothing active": RoutingTable(sequence=1),
    "three classes": RoutingTable(sequence=1, workloads=CLASSES),
    "another model led away": RoutingTable(
        sequence=1, routes=(SoftRoute(mitigation_id="m", from_model="x", to_model="y"),)
    ),
    "this model led away": RoutingTable(
        sequence=1, routes=(SoftRoute(mitigation_id="m", from_model="gpt-5.4", to_model="y"),)
    ),
    "led away, pinned, limited, in classes": RoutingTable(
        sequence=1,
        workloads=CLASSES,
        routes=(
            SoftRoute(mitigation_id="m", from_model="gpt-5.4", to_model="y"),
            SoftRoute(
                mitigation_id="n", kind="pin_thinking", workload="editor", thinking="high", thinking_in_body=True
            ),
            SoftRoute(mitigation_id="o", kind="limit_concurrency", from_model="y", limit=4, queue=4, wait_seconds=1.0),
        ),
    ),
}


class Reader:
    """A `RoutingReader` as in a worker: believes what was offered by its lease."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self.lease = Lease(1e9)

    def table(self) -> RoutingTable:
        return self.lease.table(self._clock.monotonic())


class Upstream:
    """Answers when it is told to."""

    authority, base_path = b"127.0.0.1:1", b""

    def __init__(self) -> None:
        self.asker: Asker | None = None

    def is_ours(self, *_: object) -> bool:
        return False

    def send(self, asker: Asker, method: str, first: bytes, *, is_complete: bool) -> Call:
        self.asker = asker
        return Call(asker, method, first, is_complete=is_complete)

    def answer(self) -> None:
        asker, self.asker = self.asker, None
        assert asker is not None
        asker.head(200, b"OK", HEADERS, LINES)
        asker.data(ANSWER)
        asker.flush()
        asker.ended(())


class Transport:
    """Takes what is written."""

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Sink:
    """Takes events."""

    dropped, failure, last = 0, None, None

    def offer(self, event: Event) -> None:
        self.last = event


class Path:
    """One connection of a client, through the gate, to the upstream."""

    def __init__(self) -> None:
        clock, keys = SystemClock(), Keys(hashing=b"k" * 32, canary=b"c")
        self.reader, self.upstream, self.sink = Reader(clock), Upstream(), Sink()
        self.rerouter = Rerouter(self.reader, clock, client_of=keys.client_of)
        self.observer = Observer(
            wires=wires(),
            sink=self.sink,
            clock=clock,
            ids=EventIds(1, 0),
            node_id="bench",
            keys=keys,
            class_of=self.rerouter.class_of,
        )
        forwarder = Forwarder(
            upstream=cast(Any, self.upstream),
            observer=self.observer,
            rerouter=self.rerouter,
            note_reachable=lambda _: None,
        )
        gate = Gate(forwarder=forwarder, observer=self.observer, own=cast(Any, None), allow_management=False)
        server = ProxyServer(gate, drain_seconds=1.0, most_connections=10)
        self._client = ClientConnection(server, asyncio.get_running_loop())
        self._client.connection_made(cast(Any, Transport()))

    def obey(self, table: RoutingTable) -> None:
        self.reader.lease.offer(table, 0.0)

    async def request(self) -> None:
        self._client.data_received(REQUEST)
        self.upstream.answer()
        self.observer.settle()

    def questions(self, ask: Ask) -> None:
        """What a request with nothing active asks: whether its body is to be held, and its class."""
        self.rerouter.has_routes()
        self.rerouter.class_of(ask, "gpt-5.4")


def _ask() -> Ask:
    path = Path()
    found: list[Ask] = []
    begin = path.observer.begin
    path.observer.begin = lambda ask: (found.append(ask), begin(ask))[1]  # type: ignore[method-assign]
    path._client.data_received(REQUEST)
    return found[0]


async def _per_request(path: Path, table: RoutingTable) -> float:
    """In microseconds."""
    path.obey(table)
    began = perf_counter()
    for _ in range(REQUESTS):
        await path.request()
    spent = perf_counter() - began
    await asyncio.sleep(0)
    return spent / REQUESTS * 1e6


def _per_question(path: Path, ask: Ask) -> float:
    path.obey(TABLES["nothing active"])
    began = perf_counter()
    for _ in range(QUESTIONS):
        path.questions(ask)
    return (perf_counter() - began) / QUESTIONS * 1e6


async def main() -> None:
    path, ask = Path(), _ask()
    spent: dict[str, list[float]] = {name: [] for name in TABLES}
    asked: list[float] = []
    for _ in range(ROUNDS):
        asked.append(_per_question(path, ask))
        for name, table in TABLES.items():
            spent[name].append(await _per_request(path, table))
    plain, questions = median(spent["nothing active"]), median(asked)
    print(f"{'':40}{'us a request':>14}{'ratio':>8}")
    for name, times in spent.items():
        print(f"{name:40}{median(times):14.1f}{median(times) / plain:8.2f}")
    print(f"\nsoft routing with nothing active: {questions:.2f} us of these {plain:.1f} ({questions / plain:.1%})")
    if questions >= MOST_MICROSECONDS:
        raise SystemExit(f"more than {MOST_MICROSECONDS} us")


if __name__ == "__main__":
    uvloop.run(main())
