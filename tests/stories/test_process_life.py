"""Story: processes are stopped, killed and frozen at any moment. What was answered is recorded; traffic notices little.

`RUNBOOKD_TEST_KILLS=1000` kills more often.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from daemon.adapters.spool.reader import SpoolReader
from daemon.domain.event import Event, Outcome, Wire
from tests.adapters.proxy.test_forward import EVENT_STREAM, WHOLE, chunked, decoded, post
from tests.fakes.certificates import Authority, tls_in_front
from tests.fakes.raw_server import Peer, raw_server, response
from tests.stories.house import House, eventually, open_house

QUIET = "version: 1\n"
KILLS = int(os.environ.get("RUNBOOKD_TEST_KILLS", "5"))
FLUSH_SECONDS = 0.25
"""So long after its answer an event is on disk."""
CLIENTS, STREAMS, SOON_SECONDS = 4, 100, 15.0
DONE = b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def recorded(house: House) -> list[Event]:
    """What the proxy has put into its spool."""
    places = house.rig.places
    return [one for batch in SpoolReader(places.spool, places.spool_ack).read({}, 100_000) for one in batch.events]


def asked(model: str) -> bytes:
    return post(body=b'{"model":"%b"}' % model.encode(), close=False)


async def answering(peer: Peer) -> None:
    while await peer.request():
        await peer.send(response(WHOLE))


@dataclass
class Load:
    """Clients that ask again and again, each time for another model; `answered` says when that was answered."""

    port: int
    pause: float = 0.002
    answered: dict[str, float] = field(default_factory=dict)
    asked: int = 0
    broken: int = 0
    slowest: float = 0.0

    async def client(self) -> None:
        """Leaves when nobody listens any more."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return
            try:
                await self._ask(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.broken += 1
            finally:
                writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.asked += 1
            model, began = f"m-{self.asked}", time.monotonic()
            writer.write(asked(model))
            assert decoded(await reader.readuntil(WHOLE))[0] == 200
            self.answered[model] = time.monotonic()
            self.slowest = max(self.slowest, self.answered[model] - began)
            await asyncio.sleep(self.pause)

    async def more(self, count: int = 100) -> None:
        enough = len(self.answered) + count
        await eventually(lambda: len(self.answered) >= enough, within=SOON_SECONDS)


@asynccontextmanager
async def loaded(port: int, *, pause: float = 0.002) -> AsyncIterator[Load]:
    load = Load(port, pause)
    clients = [asyncio.get_running_loop().create_task(load.client()) for _ in range(CLIENTS)]
    try:
        yield load
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


# ---- the data plane --------------------------------------------------------------------------------------------------


async def test_idle_it_ends_at_once_and_keeps_what_it_saw() -> None:
    async with open_house() as house:
        await house.start("fake", "proxy")
        assert (await house.send(20, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 20}
        began = time.monotonic()
        house.rig.signal("proxy", signal.SIGTERM)
        await eventually(lambda: not house.rig.is_running("proxy"))
        assert time.monotonic() - began < 2.0
        assert house.rig.exit_code("proxy") == 0
        assert len(recorded(house)) == 20


async def test_of_many_streams_each_may_end_by_itself_and_the_rest_is_cut() -> None:
    begun, go_on = 0, asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal begun
        head = await peer.request()
        await peer.send(EVENT_STREAM, chunked(b": begun\n\n"))
        begun += 1
        await go_on.wait()
        if b"ends" in head:
            await peer.send(chunked(DONE), b"0\r\n\r\n")
        await peer.gone()

    async with raw_server(script) as upstream, open_house(UPSTREAM_URL=upstream.url, PROXY_DRAIN="1s") as house:
        await house.start("proxy")
        models = [f"{'ends' if number % 2 else 'stays'}-{number}" for number in range(STREAMS)]
        streams = [asyncio.ensure_future(_stream(house.rig.proxy_port, model)) for model in models]
        await eventually(lambda: begun == STREAMS)
        house.rig.signal("proxy", signal.SIGTERM)
        await eventually(lambda: _refuses(house.rig.proxy_port))
        go_on.set()
        ended = await asyncio.gather(*streams)
        assert await house.rig.stop("proxy") == 0
        assert [answer.endswith(DONE + b"\r\n0\r\n\r\n") for answer in ended] == [
            model.startswith("ends") for model in models
        ]
        outcomes = {str(event.requested_model): event.outcome for event in recorded(house)}
        assert outcomes == {model: Outcome.OK if model.startswith("ends") else Outcome.CUT_BY_DRAIN for model in models}


async def _stream(port: int, model: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked(model))
    answer = await reader.read(-1)
    writer.close()
    return answer


async def _refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_killed_at_any_moment_it_has_kept_what_it_answered_a_moment_before() -> None:
    chance, must_be_there, broken = random.Random(), set(), 0
    async with raw_server(answering) as upstream, open_house(UPSTREAM_URL=upstream.url) as house:
        for kill in range(KILLS):
            await house.start("proxy")
            async with loaded(house.rig.proxy_port) as load:
                load.asked = kill << 20
                await load.more(20)
                await asyncio.sleep(FLUSH_SECONDS + chance.random() / 5)
                at = time.monotonic()
                house.rig.kill("proxy")
            must_be_there |= {model for model, when in load.answered.items() if when <= at - FLUSH_SECONDS}
            broken += load.broken
        found = recorded(house)
    assert must_be_there
    assert must_be_there <= {event.requested_model for event in found}
    assert len({event.event_id for event in found}) == len(found)
    assert broken <= KILLS * CLIENTS


async def test_frozen_its_connects_wait_and_are_answered_when_it_thaws() -> None:
    async with raw_server(answering) as upstream, open_house(UPSTREAM_URL=upstream.url) as house:
        await house.start("proxy")
        house.rig.signal("proxy", signal.SIGSTOP)
        async with loaded(house.rig.proxy_port) as load:
            await eventually(lambda: load.asked == CLIENTS)  # connected, all of them
            await asyncio.sleep(0.5)
            assert (load.broken, load.answered) == (0, {})
            house.rig.signal("proxy", signal.SIGCONT)
            await load.more()
        assert load.broken == 0
        await eventually(lambda: set(load.answered) <= {event.requested_model for event in recorded(house)})


# ---- the control plane -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_control_plane_that_is_gone_is_not_missed_and_catches_up(trouble: signal.Signals) -> None:
    async with raw_server(answering) as upstream, open_house(alerts=QUIET, UPSTREAM_URL=upstream.url) as house:
        await house.start("proxy", "control")
        async with loaded(
            house.rig.proxy_port, pause=0.1
        ) as load:  # of a thousand new models in an hour some are others
            await load.more()
            house.rig.signal("control", trouble)
            await load.more(200)
            slowest, load.slowest = load.slowest, 0.0
            if trouble == signal.SIGKILL:
                house.rig.kill("control")
                await house.rig.start("control")
            else:
                house.rig.signal("control", signal.SIGCONT)
            await load.more()
        assert load.broken == 0
        assert slowest < 1.0
        await eventually(lambda: _all_arrived(house, set(load.answered)), within=SOON_SECONDS)


async def _all_arrived(house: House, models: set[str]) -> bool:
    """Every event once."""
    seen: list[str] = []
    page = await house.control.get("events", limit=1000)
    while page["events"]:
        seen += [event["requested_model"] for event in page["events"]]
        if not page["next"]:
            break
        page = await house.control.get("events", limit=1000, before=page["next"])
    assert len(seen) == len(set(seen))
    return models <= set(seen)


# ---- the upstream ----------------------------------------------------------------------------------------------------


async def test_an_upstream_that_was_killed_is_used_again_as_soon_as_it_listens() -> None:
    async with open_house() as house:
        await house.start("fake", "proxy")
        assert (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).outcome == "ok"
        house.rig.kill("fake")
        for _ in range(3):
            assert (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).outcome == "502"
        house.rig.launch("fake")
        while await _refuses(house.rig.fake_port):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        listened = time.monotonic()
        while (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).outcome != "ok":
            assert time.monotonic() - listened < 1.0
        assert time.monotonic() - listened < 1.0
        assert (await house.send(50, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 50}


async def test_an_upstream_over_tls_is_streamed_from(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(EVENT_STREAM, chunked(b": begun\n\n"))
            await go_on.wait()
            await peer.send(chunked(DONE), b"0\r\n\r\n")

    async with open_house() as house:
        authority = Authority(house.rig.directory)
        authority.found()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
        context = authority.certify("localhost")
        async with raw_server(script) as upstream, tls_in_front(upstream.port, context) as port:
            house.rig.settings = {**house.rig.settings, "UPSTREAM_URL": f"https://localhost:{port}"}
            await house.start("proxy")
            for number in range(1, 4):
                reader, writer = await asyncio.open_connection("127.0.0.1", house.rig.proxy_port)
                writer.write(asked(f"m-{number}"))
                await reader.readuntil(b"begun\n\n\r\n")
                go_on.set()
                await reader.readuntil(DONE + b"\r\n0\r\n\r\n")
                go_on.clear()
                writer.close()
            assert len(upstream.peers) == 1
            await eventually(lambda: len(recorded(house)) == 3)
            assert {event.outcome for event in recorded(house)} == {Outcome.OK}
