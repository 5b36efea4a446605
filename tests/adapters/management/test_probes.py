"""Cold requests against the fake upstream, which here also plays the part of our own proxy."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.adapters.management.probes import HttpProbes
from daemon.domain.event import Wire
from daemon.domain.inventory import ModelEntry
from tests.adapters.management.conftest import CLIENT_KEY, Start
from tests.fakes.clock import FakeClock

NOWHERE = "http://127.0.0.1:9"
MODELS = {
    Wire.OPENAI_CHAT: "gpt-5.4",
    Wire.OPENAI_RESPONSES: "gpt-5.3-codex-spark",
    Wire.ANTHROPIC_MESSAGES: "claude-sonnet-4-6",
    Wire.GEMINI_GENERATE_CONTENT: "gemini-2.5-pro",
}
Connect = Callable[..., HttpProbes]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def make(url: str, key: str | None = CLIENT_KEY) -> HttpProbes:
            probes = HttpProbes(url, url, key, "canary-secret", FakeClock())
            stack.push_async_callback(probes.close)
            return probes

        yield make


async def test_whether_it_is_there(start: Start, connect: Connect) -> None:
    assert await connect(await start()).reachable()
    assert not await connect(NOWHERE).reachable()


@pytest.mark.parametrize(("status", "expected"), [(200, True), (404, True), (502, False)])
async def test_without_healthz_the_root_decides(start: Start, connect: Connect, status: int, expected: bool) -> None:
    async def root(_: Request) -> Response:
        return Response(status_code=status)

    assert await connect(await start(app=Starlette(routes=[Route("/", root)]))).reachable() is expected


async def test_the_inventory(start: Start, connect: Connect) -> None:
    url = await start()
    assert ModelEntry(model_id="gpt-5.4", owned_by="openai") in (await connect(url).models() or ())
    assert await connect(url, None).models() is None
    assert await connect(url, "wrong").models() is None
    assert await connect(NOWHERE).models() is None


@pytest.mark.parametrize("body", [[], {"data": None}, {"models": []}, "text"])
async def test_another_shape_is_no_inventory(start: Start, connect: Connect, body: Any) -> None:
    async def models(_: Request) -> Response:
        return JSONResponse(body)

    assert await connect(await start(app=Starlette(routes=[Route("/v1/models", models)]))).models() is None


async def test_odd_entries_are_left_out(start: Start, connect: Connect) -> None:
    async def models(_: Request) -> Response:
        return JSONResponse({"data": ["x", {"id": 1}, {"id": "gpt", "owned_by": 3}]})

    probes = connect(await start(app=Starlette(routes=[Route("/v1/models", models)])))
    assert await probes.models() == [ModelEntry(model_id="gpt")]


@pytest.mark.parametrize("wire", list(MODELS))
async def test_a_ping_speaks_the_wire_of_the_model(start: Start, connect: Connect, wire: Wire) -> None:
    assert await connect(await start()).ping(MODELS[wire], wire) is True


@pytest.mark.parametrize("fault", ["429", "500", "404_model_not_found", "connect_drop", "truncate"])
async def test_a_ping_fails_with_its_model(start: Start, connect: Connect, fault: str) -> None:
    from daemon.adapters.fake.scenario import read_scenario

    scenario = read_scenario({"name": "bad", "rules": [{"match": {"model": "gpt-5.4"}, "fault": fault}]})
    probes = connect(await start(scenario=scenario))
    assert await probes.ping("gpt-5.4", Wire.OPENAI_CHAT) is False
    assert await probes.ping("gpt-5.5", Wire.OPENAI_CHAT) is True


async def test_without_a_key_that_works_there_is_no_ping(start: Start, connect: Connect) -> None:
    url = await start()
    assert await connect(url, None).ping("gpt-5.4", Wire.OPENAI_CHAT) is None
    assert await connect(url, "wrong").ping("gpt-5.4", Wire.OPENAI_CHAT) is None
    assert await connect(NOWHERE).ping("gpt-5.4", Wire.OPENAI_CHAT) is False


@pytest.mark.parametrize("wire", [*MODELS, Wire.OTHER])
async def test_a_ping_is_small_whole_and_marked_as_a_canary(start: Start, connect: Connect, wire: Wire) -> None:
    seen: list[Request] = []
    bodies: list[bytes] = []

    async def answer(request: Request) -> Response:
        seen.append(request)
        bodies.append(await request.body())
        return JSONResponse({})

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    assert await connect(await start(app=app)).ping("some-model", wire) is True
    assert seen[0].headers["x-runbookd-canary"] == "canary-secret"
    assert "some-model" in seen[0].url.path + bodies[0].decode()
    assert len(bodies[0]) < 200
    assert not json.loads(bodies[0]).get("stream", False)
