"""What the proxy adds to the upstream asked directly, in time and memory: `python -m bench.proxy_latency`.

Upstream, proxy and loader are processes of their own; the two ways are measured in turn, in one run. The upstream and
the loader are raw asyncio protocols, so that neither is slower than what is measured.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import uvloop

from daemon.app.rig import Rig

ROUNDS = 3
SECONDS = 2.0
WARM_UP_SHARE = 0.2
CONNECTIONS = (1, 32)
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5.4",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 1700}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 300, "total_tokens": 500},
}
ASK = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "y" * 900}]}


def _message(first_line: str, body: bytes, *headers: str) -> bytes:
    head = [first_line, "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


ANSWER = _message("HTTP/1.1 200 OK", json.dumps(CHAT).encode())


class Upstream(asyncio.Protocol):
    """Answers each request at once; knows lengths only."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.data = transport, b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0 and len(self.data) >= (whole := end + 4 + _length(self.data)):
            self.data = self.data[whole:]
            self.transport.write(ANSWER)


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer, until the end."""

    def __init__(self, request: bytes, until: float) -> None:
        self.request, self.until = request, until
        self.took: list[tuple[float, float]] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or len(self.data) < end + 4 + _length(self.data):
            return
        now = time.perf_counter()
        assert self.data.startswith(b"HTTP/1.1 200"), self.data[:200]
        self.took.append((now, now - self.asked))
        if now < self.until:
            self._ask()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set_result(self.took)

    def _ask(self) -> None:
        self.data, self.asked = b"", time.perf_counter()
        self.transport.write(self.request)


def _length(data: bytes) -> int:
    start = data.lower().index(b"content-length:") + 15
    return int(data[start : data.index(b"\r", start)])


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


async def _load(port: int, connections: int) -> dict[str, float]:
    body = json.dumps(ASK).encode()
    request = _message("POST /v1/chat/completions HTTP/1.1", body, "Host: bench", "Authorization: Bearer bench-key")
    begin = time.perf_counter()
    until, loop = begin + SECONDS, asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(request, until), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    took = [one for caller in callers for one in await caller.done]
    counted = sorted(duration for at, duration in took if at > begin + SECONDS * WARM_UP_SHARE)
    return {
        "rps": len(counted) / (SECONDS * (1 - WARM_UP_SHARE)),
        "p50_us": counted[len(counted) // 2] * 1e6,
        "p99_us": counted[len(counted) * 99 // 100] * 1e6,
    }


@contextmanager
def _child(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "bench.proxy_latency", *arguments], stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _measure(port: int, connections: int) -> dict[str, float]:
    with _child("load", str(port), str(connections)) as process:
        return dict(json.loads(process.communicate()[0]))


def _resident_mib(pid: int) -> float:
    (line,) = (one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def _compare() -> None:
    with tempfile.TemporaryDirectory(prefix="rb") as directory:
        rig = Rig(Path(directory), {"LOG_LEVEL": "warning"})
        with _child("serve", str(rig.fake_port)):
            await rig.start("proxy")
            try:
                print(f"RSS idle {_resident_mib(rig.pid('proxy')):.0f} MiB")
                for connections in CONNECTIONS:
                    _print(connections, rig)
                print(f"RSS after {_resident_mib(rig.pid('proxy')):.0f} MiB")
            finally:
                await rig.close()


def _print(connections: int, rig: Rig) -> None:
    direct, through = [], []
    for _ in range(ROUNDS):
        direct.append(_measure(rig.fake_port, connections))
        through.append(_measure(rig.proxy_port, connections))
    before, after = ({name: median(one[name] for one in rounds) for name in direct[0]} for rounds in (direct, through))
    print(
        f"{connections:3} connections: +p50 {after['p50_us'] - before['p50_us']:6.0f} us, "
        f"+p99 {after['p99_us'] - before['p99_us']:6.0f} us; "
        f"{after['rps']:6.0f} req/s through us, {before['rps']:6.0f} direct, ratio {after['rps'] / before['rps']:.3f}"
    )


def main() -> None:
    match sys.argv[1:]:
        case ["serve", port]:
            uvloop.run(_serve(int(port)))
        case ["load", port, connections]:
            print(json.dumps(uvloop.run(_load(int(port), int(connections)))))
        case _:
            asyncio.run(_compare())


if __name__ == "__main__":
    main()
