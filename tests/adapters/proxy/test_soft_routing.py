"""Soft routing over real sockets: what is led, pinned, blocked and limited, for whom, and what the event says of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from daemon.domain.event import OUR_FAULTS, Event, Outcome
from daemon.domain.soft_routing import SoftRoute, WorkloadClass
from tests.adapters.proxy.test_forward import BODY, CHAT, SHAPES, WHOLE, decoded, post
from tests.fakes.proxy import CANARY_SECRET, RunningProxy, running_proxy
from tests.fakes.raw_server import Peer, RawServer, always, raw_server, response

MESSAGES, RESPONSES = b"/v1/messages", b"/v1/responses"
GEMINI = b"/v1beta/models/%b:generateContent"
CANARY = b"X-Runbookd-Canary: " + CANARY_SECRET
BATCH, IDE = b"X-App: batch-7", b"X-App: ide-vim"
NIGHTLY = WorkloadClass(name="nightly", headers={"x-app": "batch-*"})
CHATTING = WorkloadClass(name="chatting", headers={"x-app": "ide-*"}, priority="latency")
FLASH = WorkloadClass(name="flash", model="*flash*")

House = tuple[RunningProxy, RawServer]


def route(kind: str, number: int = 1, **said: Any) -> SoftRoute:
    return SoftRoute(mitigation_id=f"m{number}", kind=kind, **said)


def asking(model: str, **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [], **more}).encode()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with raw_server(always(response(WHOLE))) as upstream, running_proxy(upstream.url) as proxy:
        yield proxy, upstream


async def turn(house: House, body: bytes, *headers: bytes, path: bytes = CHAT) -> tuple[bytes, Event]:
    """What was sent, target and body; and the event."""
    proxy, upstream = house
    proxy.sink.events.clear()
    await proxy.exchange(post(path, body, *headers))
    head, _, sent = bytes(upstream.peers[-1].received).rpartition(b"\r\n\r\n")
    return head.rpartition(b"POST ")[2].partition(b" HTTP")[0] + b" " + sent, await proxy.sink.one()


async def model_sent(house: House, model: str, *headers: bytes) -> str:
    sent, event = await turn(house, asking(model), *headers)
    model_id = json.loads(sent.partition(b" ")[2])["model"]
    assert event.model_id == model_id
    assert event.requested_model == model
    assert event.mitigation_ids == (() if model_id == model else ("m1",))
    return str(model_id)


# ---- led away --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "asked", "sent"),
    [
        ({"from_prefix": "iflow", "to_prefix": "openrouter"}, "iflow/glm-4.6(high)", "openrouter/glm-4.6(high)"),
        ({"from_prefix": "iflow", "to_prefix": "openrouter"}, "glm-4.6", "glm-4.6"),
        ({"from_prefix": "iflow", "to_prefix": "openrouter"}, "iflowy/glm-4.6", "iflowy/glm-4.6"),
        ({"from_model": "glm-4.6", "to_prefix": "openrouter"}, "glm-4.6", "openrouter/glm-4.6"),
        ({"from_model": "spark", "to_model": "gpt-5.5"}, "spark(low)", "gpt-5.5(low)"),
        ({"from_model": "spark", "to_model": "gpt-5.5"}, "x/spark", "x/spark"),
    ],
)
async def test_a_prefix_or_a_model_is_led_elsewhere(house: House, said: dict[str, str], asked: str, sent: str) -> None:
    house[0].routes.obey(route("reroute", **said))
    assert await model_sent(house, asked) == sent


async def test_a_route_may_be_for_one_class_or_one_key_alone(house: House) -> None:
    _, event = await turn(house, BODY, b"Authorization: Bearer theirs")
    house[0].routes.obey(
        route("reroute", from_model="spark", to_model="a", workload="nightly"), workloads=(NIGHTLY, CHATTING)
    )
    assert [await model_sent(house, "spark", *one) for one in ((BATCH,), (IDE,), ())] == ["a", "spark", "spark"]
    house[0].routes.obey(route("reroute", from_model="spark", to_model="a", client=str(event.client_key_id)))
    theirs, ours = b"Authorization: Bearer theirs", b"Authorization: Bearer ours"
    assert [await model_sent(house, "spark", one) for one in (theirs, ours)] == ["a", "spark"]


async def test_the_narrowest_route_is_taken_and_nothing_is_led_twice(house: House) -> None:
    house[0].routes.obey(
        route("model_alias", 1, from_model="spark", to_model="a"),
        route("reroute", 2, from_model="spark", to_model="b", workload="nightly"),
        route("model_alias", 3, from_model="a", to_model="c"),
        route("model_alias", 4, from_model="b", to_model="c"),
        workloads=(NIGHTLY,),
    )
    found = [(await turn(house, asking("spark"), *one))[1] for one in ((), (BATCH,))]
    assert [(one.model_id, one.mitigation_ids) for one in found] == [("a", ("m1",)), ("b", ("m2",))]


async def test_what_must_be_quick_is_led_only_by_what_names_it(house: House) -> None:
    for_all = route("model_alias", from_model="spark", to_model="a")
    house[0].routes.obey(for_all, workloads=(CHATTING,))
    assert [await model_sent(house, "spark", *one) for one in ((IDE,), ())] == ["spark", "a"]
    house[0].routes.obey(route("reroute", from_model="spark", to_model="b", workload="chatting"), workloads=(CHATTING,))
    assert await model_sent(house, "spark", IDE) == "b"


# ---- workloads -------------------------------------------------------------------------------------------------------


async def test_events_carry_their_class_as_long_as_somebody_says_the_classes(house: House) -> None:
    async def workload(*headers: bytes, model: str = "gpt-5.4") -> str | None:
        return (await turn(house, asking(model), *headers))[1].workload

    assert await workload(BATCH) is None
    house[0].routes.obey(workloads=(NIGHTLY, FLASH))
    assert [await workload(BATCH, model="x-flash"), await workload(model="x-flash")] == ["nightly", "flash"]
    assert [await workload(IDE), await workload(BATCH, CANARY)] == [None, None]
    house[0].routes.obey(route("model_alias", from_model="gpt-5.4", to_model="a"), workloads=(NIGHTLY,))
    assert [await workload(BATCH), await workload()] == ["nightly", None]
    house[0].routes.obey()
    assert await workload(BATCH) is None


# ---- thinking --------------------------------------------------------------------------------------------------------


async def test_a_pinned_level_is_a_suffix_and_the_event_says_what_was_asked(house: House) -> None:
    house[0].routes.obey(route("pin_thinking", from_model="gpt-5.5", thinking="high"))
    sent, event = await turn(house, asking("gpt-5.5", reasoning_effort="low"))
    assert json.loads(sent.partition(b" ")[2]) == {"model": "gpt-5.5(high)", "messages": [], "reasoning_effort": "low"}
    assert (event.requested_model, event.model_id, event.mitigation_ids) == ("gpt-5.5", "gpt-5.5(high)", ("m1",))
    assert (event.thinking_requested_mode, event.thinking_requested_level) == ("level", "low")
    assert await model_sent(house, "gpt-5.5(low)") == "gpt-5.5(high)"
    assert await model_sent(house, "gpt-5.5(high)") == "gpt-5.5(high)"


@pytest.mark.parametrize(
    ("path", "asked", "sent"),
    [
        (CHAT, {"reasoning_effort": "low"}, {"reasoning_effort": "high"}),
        (RESPONSES, {"reasoning": {"summary": "auto"}}, {"reasoning": {"summary": "auto", "effort": "high"}}),
        (
            MESSAGES,
            {"thinking": {"type": "disabled"}},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        ),
        (GEMINI % b"m", {}, {"generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}}}),
    ],
)
async def test_a_level_in_the_wires_own_field(
    house: House, path: bytes, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    house[0].routes.obey(route("pin_thinking", from_model="m", thinking="high", thinking_in_body=True))
    said, event = await turn(house, json.dumps({"model": "m", **asked}).encode(), path=path)
    assert json.loads(said.partition(b" ")[2]) == {"model": "m", **sent}
    assert (event.model_id, event.mitigation_ids) == ("m", ("m1",))


async def test_a_suffix_that_would_beat_the_field_is_another_one(house: House) -> None:
    house[0].routes.obey(route("pin_thinking", from_model="m", thinking="high", thinking_in_body=True))
    sent, event = await turn(house, asking("m(low)"))
    body = json.loads(sent.partition(b" ")[2])
    assert (body["model"], body["reasoning_effort"], event.thinking_requested_level) == ("m(high)", "high", "low")


async def test_what_is_led_away_thinks_as_pinned_too(house: House) -> None:
    pin = route("pin_thinking", 2, from_model="spark", thinking="high", to_model="spark-thinking")
    house[0].routes.obey(pin)
    assert (await turn(house, asking("spark")))[1].model_id == "spark-thinking(high)"
    house[0].routes.obey(route("model_alias", 1, from_model="spark", to_model="a"), pin)
    _, event = await turn(house, asking("spark"))
    assert (event.model_id, event.mitigation_ids) == ("a(high)", ("m1", "m2"))


# ---- blocked ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, GEMINI % b"spark"])
async def test_a_blocked_model_is_refused_in_the_wires_own_shape(house: House, path: bytes) -> None:
    proxy, upstream = house
    proxy.routes.obey(route("block_model", from_model="spark"))
    reader, writer = await proxy.connect()
    writer.write(post(path, asking("spark(high)") if b"spark" not in path else b"{}", close=False))
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
    assert head.startswith(b"HTTP/1.1 403 ")
    shape = next(shape for start, shape in SHAPES.items() if path.startswith(start[:8]))
    assert shape(json.loads(body)) == "runbookd_blocked"
    event = await proxy.sink.one()
    assert (event.outcome, event.status, event.mitigation_ids) == (Outcome.DENIED, 403, ("m1",))
    assert event.fault in OUR_FAULTS
    assert not event.is_judged
    assert upstream.peers == []
    writer.write(post(CHAT, BODY))  # the connection serves on
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_block_counts_what_would_be_sent_and_spares_canaries(house: House) -> None:
    block = route("block_model", 2, from_model="spark")
    house[0].routes.obey(route("model_alias", from_model="spark", to_model="a"), block)
    assert await model_sent(house, "spark") == "a"
    house[0].routes.obey(block)
    assert (await turn(house, asking("spark"), CANARY))[1].outcome is Outcome.OK
    house[0].routes.obey(route("model_alias", from_model="b", to_model="spark"), block)
    assert (await turn(house, asking("b"), CANARY))[1].outcome is Outcome.OK
    assert decoded(await house[0].exchange(post(CHAT, asking("b"))))[0] == 403


# ---- limited ---------------------------------------------------------------------------------------------------------


class Hall:
    """An upstream that answers each request when it is told to, and counts who is inside."""

    def __init__(self) -> None:
        self.inside = self.most = self.seen = 0
        self.ends: list[asyncio.Event] = []

    async def script(self, peer: Peer) -> None:
        while await peer.request():
            end = asyncio.Event()
            self.ends.append(end)
            self.inside += 1
            self.seen += 1
            self.most = max(self.most, self.inside)
            try:
                await end.wait()
            finally:
                self.inside -= 1
            await peer.send(response(WHOLE))

    async def until(self, fits: Callable[[], bool]) -> None:
        async with asyncio.timeout(5.0):
            while not fits():  # noqa: ASYNC110 - many may come
                await asyncio.sleep(0.001)


def limit(at_once: int, queue: int = 16, wait: float = 5.0, **said: Any) -> SoftRoute:
    return route("limit_concurrency", limit=at_once, queue=queue, wait_seconds=wait, **{"from_model": "m"} | said)


async def ask(proxy: RunningProxy, model: str = "m") -> int:
    return decoded(await proxy.exchange(post(CHAT, asking(model))))[0]


async def test_no_more_than_so_many_are_under_way_and_others_wait() -> None:
    hall = Hall()
    async with raw_server(hall.script) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.obey(limit(2))
        asking_ = [asyncio.ensure_future(ask(proxy)) for _ in range(6)]
        other = asyncio.ensure_future(ask(proxy, "another"))
        for done in range(7):
            await hall.until(lambda done=done: len(hall.ends) > done)
            hall.ends[done].set()
        assert await asyncio.gather(other, *asking_) == [200] * 7
        assert hall.most == 3
        assert [event.outcome for event in await proxy.sink.wait_for(7)] == [Outcome.OK] * 7
        assert {event.mitigation_ids for event in proxy.sink.events} == {()}


@pytest.mark.parametrize(("workers", "share"), [(1, 4), (2, 2), (8, 1)])
async def test_each_worker_has_its_share_and_at_least_one(workers: int, share: int) -> None:
    hall = Hall()
    async with raw_server(hall.script) as upstream, running_proxy(upstream.url, workers=workers) as proxy:
        proxy.routes.obey(limit(4, queue=80))
        tasks = [asyncio.ensure_future(ask(proxy)) for _ in range(5)]
        await hall.until(lambda: hall.seen == share)
        for done in range(5):
            await hall.until(lambda done=done: len(hall.ends) > done)
            assert hall.inside <= share
            hall.ends[done].set()
        assert await asyncio.gather(*tasks) == [200] * 5
        assert hall.most == share


async def test_who_finds_no_room_to_wait_comes_back_later() -> None:
    hall = Hall()
    async with raw_server(hall.script) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.obey(limit(1, queue=1))
        first = asyncio.ensure_future(ask(proxy))
        await hall.until(lambda: hall.inside == 1)
        second = asyncio.ensure_future(ask(proxy))
        await asyncio.sleep(0.05)
        status, headers, body = decoded(await proxy.exchange(post(MESSAGES, asking("m"))))
        assert (status, headers["retry-after"]) == (429, "3")
        assert json.loads(body)["type"] == "error"
        assert json.loads(body)["error"]["code"] == "runbookd_limited"
        event = await proxy.sink.one()
        assert (event.outcome, event.status, event.mitigation_ids) == (Outcome.DENIED, 429, ("m1",))
        assert not event.is_judged
        for done in range(2):
            await hall.until(lambda done=done: len(hall.ends) > done)
            hall.ends[done].set()
        assert await asyncio.gather(first, second) == [200, 200]


async def test_nobody_waits_longer_than_he_may() -> None:
    hall = Hall()
    async with raw_server(hall.script) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.obey(limit(1, wait=0.1))
        first = asyncio.ensure_future(ask(proxy))
        await hall.until(lambda: hall.inside == 1)
        assert await ask(proxy) == 429
        assert hall.seen == 1
        hall.ends[0].set()
        assert await first == 200


@pytest.mark.parametrize("how", ["inside", "waiting"])
async def test_who_leaves_gives_his_place_back(how: str) -> None:
    hall = Hall()
    async with raw_server(hall.script) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.obey(limit(1, queue=1))
        _, inside = await proxy.connect()
        inside.write(post(CHAT, asking("m")))
        await hall.until(lambda: hall.inside == 1)
        _, waiting = await proxy.connect()
        waiting.write(post(CHAT, asking("m")))
        await asyncio.sleep(0.05)
        leaving, staying = (inside, waiting) if how == "inside" else (waiting, inside)
        leaving.close()
        assert (await proxy.sink.one()).outcome is Outcome.CLIENT_ABORT
        third = asyncio.ensure_future(ask(proxy))
        if how == "inside":
            await hall.until(lambda: hall.seen == 2)
        for done in range(1, 3) if how == "inside" else range(2):
            await hall.until(lambda done=done: len(hall.ends) > done)
            hall.ends[done].set()
        assert await third == 200
        staying.close()


async def test_a_broken_upstream_gives_the_place_back() -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()

    async with raw_server(cut) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.obey(limit(1, queue=0))
        assert [await ask(proxy) for _ in range(3)] == [502, 502, 502]


async def test_two_limits_count_both() -> None:
    hall = Hall()
    async with raw_server(hall.script) as upstream, running_proxy(upstream.url) as proxy:
        wide = limit(2, queue=0)
        narrow = route("limit_concurrency", 2, limit=1, queue=0, workload="nightly")
        proxy.routes.obey(wide, narrow, workloads=(NIGHTLY,))
        first = asyncio.ensure_future(proxy.exchange(post(CHAT, asking("m"), BATCH)))
        await hall.until(lambda: hall.inside == 1)
        assert decoded(await proxy.exchange(post(CHAT, asking("m"), BATCH)))[0] == 429
        second = asyncio.ensure_future(ask(proxy))
        await hall.until(lambda: hall.inside == 2)
        assert await ask(proxy) == 429
        for end in hall.ends:
            end.set()
        assert [decoded(await first)[0], await second] == [200, 200]


async def test_those_who_wait_go_on_when_the_limit_is_lifted() -> None:
    hall = Hall()
    async with raw_server(hall.script) as upstream, running_proxy(upstream.url) as proxy:
        proxy.routes.obey(limit(1, wait=0.2))
        first = asyncio.ensure_future(ask(proxy))
        await hall.until(lambda: hall.inside == 1)
        second = asyncio.ensure_future(ask(proxy))
        await asyncio.sleep(0.05)
        proxy.routes.obey()
        await hall.until(lambda: hall.inside == 2)
        for end in hall.ends:
            end.set()
        assert await asyncio.gather(first, second) == [200, 200]


# ---- websockets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "said", "refused"),
    [
        (b"/v1/realtime?model=gpt-rt", {"from_model": "gpt-rt"}, True),
        (b"/v1/realtime?model=gpt-rt", {"from_model": "spark"}, False),
        (b"/v1/responses", {"from_model": "spark"}, True),
        (b"/v1/responses", {"from_model": "spark", "client": "0" * 16}, False),
        (b"/v1/responses", {"from_model": "spark", "workload": "nightly"}, False),
        (b"/v1/ws", {"from_model": "spark"}, False),
    ],
)
async def test_only_a_websocket_whose_model_may_be_led_is_sent_away(
    house: House, path: bytes, said: dict[str, str], refused: bool
) -> None:
    house[0].routes.obey(route("reroute", to_model="a", **said), workloads=(NIGHTLY,))
    opening = (
        b"GET %b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert decoded(await house[0].exchange(opening % path))[0] == 426
    assert bool(house[1].peers) is not refused
