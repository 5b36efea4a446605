"""Cold requests against the fake upstream, which here also plays the part of our own proxy."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.adapters.management.probes import HttpProbes, read_whole
from daemon.domain.event import Wire
from daemon.domain.front import Front
from daemon.domain.inventory import USUAL, ModelEntry
from daemon.logic.canary import canary
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


@asynccontextmanager
async def closing(probes: HttpProbes) -> AsyncIterator[HttpProbes]:
    yield probes
    await probes.close()


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
    assert ModelEntry(model_id="gpt-5.4", owned_by="openai") in (await connect(url).models() or {})[USUAL]
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
    assert await probes.models() == {USUAL: [ModelEntry(model_id="gpt")]}


async def test_each_key_has_an_inventory_of_its_own_and_a_wrong_one_none(start: Start) -> None:
    url = await start(api_keys=[CLIENT_KEY, "other"])
    async with closing(HttpProbes(url, url, None, "c", FakeClock(), None, {"ci": "other", "old": "wrong"})) as probes:
        assert set(await probes.models() or ()) == {"ci"}
        assert (probes.clients, await probes.ping("gpt-5.4", Wire.OPENAI_CHAT)) == (("ci", "old"), True)


@pytest.mark.parametrize(
    ("build", "model", "dialect"),
    [
        ("mainline", "gpt-5.4", Wire.OPENAI_CHAT),
        ("openai", "gpt-5.4", Wire.OPENAI_CHAT),
        ("anthropic", "claude-sonnet-4-6", Wire.ANTHROPIC_MESSAGES),
        ("gemini", "gemini-2.5-pro", Wire.GEMINI_GENERATE_CONTENT),
    ],
)
async def test_each_kind_is_asked_in_its_own_manner(
    start: Start, connect: Connect, build: str, model: str, dialect: Wire
) -> None:
    probes = connect(await start(version=build))
    assert model in {entry.model_id for entry in (await probes.models() or {})[USUAL]}
    assert (await probes.front()).dialect is dialect


async def test_a_manner_that_was_understood_is_kept(start: Start, connect: Connect) -> None:
    """An upstream that fails for a moment would show other names to who asks in another manner."""
    asked: list[str] = []
    ok = True

    async def models(request: Request) -> Response:
        asked.append(request.url.path)
        return JSONResponse({"data": [{"id": "m"}]} if ok else {"error": {}}, status_code=200 if ok else 404)

    app = Starlette(routes=[Route("/{path:path}", models)])
    probes = connect(await start(app=app))
    await probes.models()
    ok = False
    assert await probes.models() is None
    assert asked == ["/v1/models"] * 2


@pytest.mark.parametrize(
    ("build", "keys", "is_open", "healthz", "introduces", "metrics"),
    [
        ("mainline", [CLIENT_KEY], False, True, True, False),
        ("mainline", [], True, True, True, False),
        ("PP-38", [CLIENT_KEY], False, False, True, True),
        ("PLUS-692", [CLIENT_KEY], False, False, True, False),
        ("openai", [CLIENT_KEY], False, False, False, None),
        ("anthropic", [CLIENT_KEY], False, False, False, None),
        ("gemini", [CLIENT_KEY], False, False, False, None),
    ],
)
async def test_what_it_shows_without_a_key(
    start: Start,
    connect: Connect,
    build: str,
    keys: list[str],
    is_open: bool,
    healthz: bool,
    introduces: bool,
    metrics: bool | None,
) -> None:
    probes = connect(await start(version=build, api_keys=keys))
    await probes.models()
    front = await probes.front()
    assert (front.open_without_key, front.healthz, front.introduces, front.provider_metrics) == (
        is_open,
        healthz,
        introduces,
        metrics,
    )


async def test_of_one_that_is_away_nothing_is_known(connect: Connect) -> None:
    assert await connect(NOWHERE).front() == Front()


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


async def test_what_came_of_an_answer_that_broke_off_is_kept(start: Start, connect: Connect) -> None:
    from daemon.adapters.fake.scenario import read_scenario

    scenario = read_scenario({"rules": [{"fault": "truncate"}]})
    reply = await connect(await start(scenario=scenario)).ask(canary("gpt-5.4", stream=True))
    assert (reply.status, reply.ok, reply.error) == (200, False, "the answer broke off (RemoteProtocolError)")
    assert reply.body.startswith(b"data: {")


class Flood(httpx.AsyncByteStream):
    """Pieces without an end; how many were taken."""

    taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.taken < 100:
            self.taken += 1
            yield b"x" * (1 << 18)


async def test_of_an_answer_that_does_not_end_the_beginning_is_enough() -> None:
    flood = Flood()
    body, error = await read_whole(httpx.Response(200, stream=flood))
    assert (len(body), error, flood.taken) == (1 << 20, "", 4)
