"""Codex over a websocket through a real proxy, where it is installed: nothing falls back, each turn is one event."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from daemon.adapters.fake import wires
from daemon.app.rig import CLIENT_KEY
from daemon.domain.event import Outcome, Wire
from tests.clients.conftest import Front, attempts
from tests.clients.programs import PROGRAMS
from tests.stories.house import eventually, open_house

WORDS = ("All", " systems", " are", " nominal", ".")
USAGE = wires.Tokens(input=100, output=12)


@dataclass(slots=True)
class Upstream:
    """Speaks websocket only: every `response.create` is answered as over HTTP, a message for an event."""

    cuts: int = 0
    """How many turns, from the first one on, break off in the middle."""
    warm_ups: int = 0
    turns: int = 0

    async def serve(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):  # it leaves as soon as it has its answer
            async for message in connection:
                await self._answer(connection, json.loads(message))

    async def _answer(self, connection: ServerConnection, asked: dict[str, object]) -> None:
        is_warm_up = asked.get("generate") is False
        self.warm_ups, self.turns = self.warm_ups + is_warm_up, self.turns + (not is_warm_up)
        ask = wires.read_ask(Wire.OPENAI_RESPONSES, {**asked, "stream": True}, 0)
        name = f"{self.warm_ups}-{self.turns}"
        frames = wires.frames(ask, wires.Reply(id=name, created=0, words=() if is_warm_up else WORDS, usage=USAGE))
        is_cut = not is_warm_up and self.turns <= self.cuts
        for frame in frames.body[:5] if is_cut else (*frames.body, *frames.ending):
            await connection.send(frame.decode().partition("data: ")[2].strip())
        if is_cut:
            connection.transport.close()


@asynccontextmanager
async def front_of(upstream: Upstream) -> AsyncIterator[Front]:
    """A proxy in front of it."""
    async with serve(upstream.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_house(UPSTREAM_URL=f"http://127.0.0.1:{port}") as house:
            await house.start("proxy")
            yield Front(house)


@pytest.mark.parametrize(("cuts", "noted"), [(0, ["ok 0"]), (1, ["truncated 0", "ok 1"])])
async def test_a_turn_over_a_websocket_is_one_event(tmp_path: Path, cuts: int, noted: list[str]) -> None:
    codex, upstream = PROGRAMS["codex_websocket"], Upstream(cuts)
    codex.need()
    async with front_of(upstream) as front:
        ended = await codex.run(tmp_path, front.url, CLIENT_KEY)
        assert (ended.code, "".join(WORDS) in ended.out) == (0, True), ended
        await eventually(lambda: len(front.noted()) >= upstream.turns)
        assert attempts(front.noted()) == noted
        assert upstream.warm_ups > 0
        for event in front.noted():
            assert (event.method, event.wire, event.model_id, event.client) == ("GET", codex.wire, codex.model, "codex")
            if event.outcome is Outcome.OK:
                assert (event.usage, event.input_tokens, event.output_tokens) == ("counted", USAGE.input, USAGE.output)
        assert len({event.turn_key for event in front.noted()}) == 1
