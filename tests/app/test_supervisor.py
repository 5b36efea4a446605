"""The supervisor's question whether a child is well: alive is who answers, and who says that it stands still is not."""

import asyncio
from contextlib import closing

import pytest

from daemon.app import supervisor
from daemon.app.rig import free_ports
from daemon.app.supervisor import _answers


@pytest.mark.parametrize(
    ("said", "is_well"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"", False),
        (None, False),
    ],
    ids=["well", "it stands still", "it hangs up", "frozen"],
)
async def test_who_stands_still_or_is_frozen_is_not_well(
    said: bytes | None, is_well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PROBE_SECONDS", 10.0 if said is not None else 0.05)
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            if said is None:
                await reader.read()
            writer.write(said or b"")
        ended.set()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(5):
            assert await _answers("127.0.0.1", port, "/healthz", wanted=b" 200 ") is is_well
            await ended.wait()


async def test_where_nobody_listens_nobody_is_well() -> None:
    assert await _answers("127.0.0.1", free_ports(1)[0], "/healthz") is False
