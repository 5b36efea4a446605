"""A control port with a fake engine behind it, on a real socket, and the settings that lead there; and who is told."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn

from daemon.adapters.web.app import build
from daemon.app.sink import Sink, receiving
from tests.fakes.clock import FakeClock
from tests.fakes.operations import NOW, FakeOperations

TOKEN = "cli-token-canary-4711"


@dataclass(frozen=True)
class Control:
    operations: FakeOperations
    port: int


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[Control]:
    operations = FakeOperations()
    app = build(operations, token=TOKEN, version="0.1.0", allowed_hosts=(), clock=FakeClock(NOW))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    monkeypatch.delenv("RUNBOOKD_TEST_POSTGRES", raising=False)  # a setting of the tests, not of ours
    monkeypatch.setenv("RUNBOOKD_CONTROL_PORT", str(port))
    monkeypatch.setenv("RUNBOOKD_CONTROL_TOKEN", TOKEN)
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path))
    yield Control(operations, port)
    server.should_exit = True
    thread.join()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """In a thread, for the command has a loop of its own."""
    loop = asyncio.new_event_loop()
    context = receiving()
    sink = loop.run_until_complete(context.__aenter__())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield sink
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(context.__aexit__(None, None, None))
    loop.close()
