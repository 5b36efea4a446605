"""Story: bytes out equal bytes in for every split, on each wire, and a cut never looks like an end. Real processes."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon.adapters.spool.reader import SpoolReader
from daemon.app.rig import CLIENT_KEY
from daemon.app.traffic import TERMINAL
from daemon.app.traffic import Turn as PlainTurn
from daemon.domain.event import Event, Fault, Outcome, Wire
from tests.fakes.raw_server import Peer, raw_server
from tests.stories.house import House, eventually, open_house

MODELS = {
    Wire.OPENAI_CHAT: "gpt-5.4",
    Wire.OPENAI_RESPONSES: "gpt-5.5",
    Wire.ANTHROPIC_MESSAGES: "claude-sonnet-4-6",
    Wire.GEMINI_GENERATE_CONTENT: "gemini-2.5-pro",
}
ENOUGH = {Wire.OPENAI_CHAT: '"finish_reason":"stop"'}
"""What makes a stream complete before its terminal marker: some vendors leave that out."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PARALLEL = 40


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as house:
        await house.start("fake", "proxy")
        yield house


def recorded(house: House) -> list[Event]:
    """What the proxy has put into its spool."""
    places = house.rig.places
    return [one for batch in SpoolReader(places.spool, places.spool_ack).read({}, 10_000) for one in batch.events]


async def events(house: House, count: int) -> list[Event]:
    await eventually(lambda: len(recorded(house)) >= count)
    found = recorded(house)
    assert len(found) == count
    assert len({event.event_id for event in found}) == count
    return found


async def direct(house: House, turn: PlainTurn) -> bytes:
    """The stream as the upstream itself sends it."""
    answer = await house.http.post(
        house.rig.fake_url + turn.path(), json=turn.body("ping"), headers={"Authorization": f"Bearer {CLIENT_KEY}"}
    )
    assert answer.status_code == 200
    return answer.content


def request(turn: PlainTurn) -> bytes:
    body = json.dumps(turn.body("ping")).encode()
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        turn.path().encode(),
        len(body),
        body,
    )


async def exchange(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = await reader.read(-1)
    writer.close()
    return answer


def unchunked(body: bytes) -> tuple[bytes, bool]:
    """The plain bytes, and whether the end was said."""
    plain = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        if not (length := int(size or b"-1", 16)):
            return plain, rest == b"\r\n"
        plain += rest[: max(length, 0)]
        body = rest[length + 2 :]
    return plain, False


@pytest.mark.parametrize("wire", MODELS)
async def test_bytes_out_are_bytes_in_for_every_split_and_every_cut(wire: Wire) -> None:
    """Each stream is sent in two pieces for every place to split it, whole and broken off at that place."""
    turn = PlainTurn(wire=wire, model=MODELS[wire])
    async with open_house() as house:
        await house.start("fake")
        await house.fake.play({"words": 2, "pace": "0s"})
        stream = await direct(house, turn)
        plan: dict[str, tuple[int, bool]] = {}

        async def script(peer: Peer) -> None:
            while head := await peer.request():
                split, whole = plan[head.split(b"x-plan: ")[1].split(b"\r\n")[0].decode()]
                first, second = stream[:split], stream[split:]
                await peer.send(HEAD + (b"%x\r\n%b\r\n" % (len(first), first) if first else b""))
                await asyncio.sleep(0)
                if not whole:
                    return
                await peer.send(b"%x\r\n%b\r\n" % (len(second), second) if second else b"", b"0\r\n\r\n")

        async with raw_server(script) as upstream:
            house.rig.settings = {**house.rig.settings, "UPSTREAM_URL": upstream.url}
            await house.start("proxy")
            room = asyncio.Semaphore(PARALLEL)

            async def one(split: int, whole: bool) -> None:
                name = f"{split}-{whole}"
                plan[name] = (split, whole)
                sent = request(turn).replace(b"Host: x", b"Host: x\r\nx-plan: " + name.encode())
                async with room:
                    answer = await exchange(house.rig.proxy_port, sent)
                body, ended = unchunked(answer.partition(b"\r\n\r\n")[2])
                assert (body, ended) == (stream if whole else stream[:split], whole), name

            async with asyncio.TaskGroup() as group:
                for split in range(len(stream) + 1):
                    for whole in (True, False):
                        group.create_task(one(split, whole))
            seen = await events(house, 2 * (len(stream) + 1))
    whole_ones = [event for event in seen if event.response_bytes == len(stream)]
    assert sum(event.outcome is Outcome.OK for event in whole_ones) >= len(stream) + 1
    assert {event.wire for event in seen} == {wire}
    terminal = stream.rindex(ENOUGH.get(wire, TERMINAL[wire]).encode())
    early = [event for event in seen if event.response_bytes < terminal]
    assert {(event.outcome, event.fault) for event in early} == {(Outcome.FAILED, Fault.TRUNCATED)}


@pytest.mark.parametrize("wire", MODELS)
async def test_each_wire_passes_as_if_we_were_not_there(house: House, wire: Wire) -> None:
    """Both are asked the same; only what names the request may differ."""
    for stream in (True, False):
        turn = PlainTurn(wire=wire, model=MODELS[wire], stream=stream)
        ours = (await house.raw("POST", turn.path(), json=turn.body("ping"))).content
        theirs = await direct(house, turn)
        assert len(ours) == len(theirs)
        assert (await house.turn(wire, MODELS[wire], stream=stream)).outcome == "ok"
    seen = await events(house, 4)
    assert {(event.outcome, event.wire) for event in seen} == {(Outcome.OK, wire)}
    assert {event.usage for event in seen} == {"counted"}
    assert {event.auth_index is None for event in seen} == {False}
    for stream in (True, False):
        asked = [one for one in (await house.fake.requests(model=MODELS[wire]))["requests"] if one["stream"] is stream]
        assert asked[0]["body_sha256"] == asked[1]["body_sha256"]


async def test_a_fault_upstream_is_the_clients_fault_too(house: House) -> None:
    for fault, whole, streamed in (("429", "429", "429"), ("truncate", "cut", "cut"), ("connect_drop", "502", "502")):
        await house.fake.play({"rules": [{"fault": fault}]})
        for wire, model in MODELS.items():
            assert (await house.turn(wire, model, stream=True)).outcome == streamed, (wire, fault)
            assert (await house.turn(wire, model)).outcome == whole, (wire, fault)
    seen = await events(house, 24)
    assert [event.fault for event in seen] == (
        [Fault.PROVIDER_RATE_LIMITED] * 8 + [Fault.TRUNCATED] * 8 + [Fault.UPSTREAM_PROTOCOL] * 8
    )


async def test_an_upstream_that_is_gone_is_told_in_each_wires_shape(house: House) -> None:
    await house.rig.stop("fake")
    reasons: dict[Wire, Any] = {}
    for wire, model in MODELS.items():
        said = await house.turn(wire, model)
        assert said.outcome == "502"
        error = said.body["error"]
        reasons[wire] = error["details"][0]["reason"] if wire is Wire.GEMINI_GENERATE_CONTENT else error["code"]
    assert set(reasons.values()) == {"runbookd_upstream_connect"}
    health = (await house.http.get(f"{house.rig.proxy_url}/health")).json()
    assert (health["status"], health["upstream"]) == ("degraded", {"reachable": False})
    await house.rig.restart("fake")
    assert (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).outcome == "ok"


async def test_a_client_that_leaves_ends_the_upstreams_work(house: House) -> None:
    await house.fake.play({"words": 1000, "pace": "20ms"})
    turn = PlainTurn(wire=Wire.OPENAI_CHAT, model="gpt-5.4")
    reader, writer = await asyncio.open_connection("127.0.0.1", house.rig.proxy_port)
    writer.write(request(turn).replace(b"Host: x", f"Host: x\r\nAuthorization: Bearer {CLIENT_KEY}".encode()))
    await reader.readuntil(b"nominal")
    writer.close()
    await eventually(lambda: _ended(house, "client_left"), within=2.0)
    (event,) = await events(house, 1)
    assert (event.outcome, event.fault, event.requested_model) == (Outcome.CLIENT_ABORT, None, "gpt-5.4")


async def _ended(house: House, how: str) -> bool:
    return [one["ended"] for one in (await house.fake.requests(model="gpt-5.4"))["requests"]] == [how]


async def test_what_is_not_forwarded_is_answered_at_once(house: House) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert (await house.raw("GET", "/v1/responses", headers=upgrade)).status_code == 426
    for path in ("/v0/management/config", "/v1/%2e%2e/V0/x", "/management.html", "/debug/pprof", "/codex/callback"):
        answer = await exchange(house.rig.proxy_port, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        assert answer.startswith(b"HTTP/1.1 403 "), path
        assert b"RUNBOOKD_PROXY_ALLOW_MANAGEMENT" in answer
    assert {event.outcome for event in await events(house, 6)} == {Outcome.DENIED}
    assert {one["path"] for one in (await house.fake.requests())["requests"]} <= {"/healthz"}


# ---- the life of the process -----------------------------------------------------------------------------------------


async def test_a_second_worker_of_the_same_number_ends_with_3() -> None:
    async with open_house(PROXY_WORKERS="2") as house:
        await house.start("fake", "proxy")
        second = await asyncio.to_thread(_run_proxy, house)
        assert (second.returncode, second.stderr.count("\n")) == (3, 1)
        assert "another process is worker 0" in second.stderr


def _run_proxy(house: House) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "daemon", "proxy"]
    return subprocess.run(command, env=house.rig.environment(), capture_output=True, text=True, check=False, timeout=20)


async def test_no_event_is_lost_at_the_end(house: House) -> None:
    crowd = await house.send(50, Wire.OPENAI_CHAT, "gpt-5.4", stream=True)
    assert crowd.count == {"ok": 50}
    assert await house.rig.stop("proxy") == 0
    assert {event.outcome for event in await events(house, 50)} == {Outcome.OK}


async def test_a_stream_is_cut_when_the_drain_is_over() -> None:
    async with open_house(PROXY_DRAIN="300ms") as house:
        await house.start("fake", "proxy")
        await house.fake.play({"words": 1000, "pace": "50ms"})
        turn = asyncio.ensure_future(house.turn(Wire.OPENAI_CHAT, "gpt-5.4", stream=True))
        await eventually(lambda: _started(house))
        assert await house.rig.stop("proxy") == 0
        assert (await turn).outcome == "cut"
        (event,) = await events(house, 1)
        assert event.outcome is Outcome.CUT_BY_DRAIN


async def _started(house: House) -> bool:
    return bool((await house.fake.requests(model="gpt-5.4"))["requests"])


async def test_a_second_signal_cuts_at_once_and_still_keeps_the_events(house: House) -> None:
    await house.fake.play({"words": 1000, "pace": "50ms"})
    turn = asyncio.ensure_future(house.turn(Wire.OPENAI_CHAT, "gpt-5.4", stream=True))
    await eventually(lambda: _started(house))
    house.rig.signal("proxy", signal.SIGTERM)
    house.rig.signal("proxy", signal.SIGINT)
    await eventually(lambda: not house.rig.is_running("proxy"), within=3.0)
    assert house.rig.exit_code("proxy") == 0
    assert (await turn).outcome == "cut"
    assert [event.outcome for event in await events(house, 1)] == [Outcome.CUT_BY_DRAIN]


async def test_events_that_were_written_survive_a_kill(house: House) -> None:
    await house.send(20, Wire.OPENAI_CHAT, "gpt-5.4")
    await events(house, 20)
    house.rig.kill("proxy")
    await house.rig.restart("proxy")
    await house.send(5, Wire.OPENAI_CHAT, "gpt-5.4")
    await events(house, 25)


async def test_what_was_under_way_at_a_kill_is_told_as_aborted(house: House) -> None:
    await house.send(3, Wire.OPENAI_CHAT, "gpt-5.4")
    await house.fake.play({"words": 1000, "pace": "50ms"})
    turn = asyncio.ensure_future(house.turn(Wire.OPENAI_CHAT, "gpt-5.4", stream=True))
    await events(house, 3)
    await eventually(lambda: _is_fourth_under_way(house))
    house.rig.kill("proxy")
    await house.rig.restart("proxy")
    assert (await turn).outcome == "cut"
    left = (await events(house, 4))[-1]
    assert (left.outcome, left.endpoint, left.wire) == (
        Outcome.ABORTED_BY_RESTART,
        "/v1/chat/completions",
        Wire.OPENAI_CHAT,
    )


async def _is_fourth_under_way(house: House) -> bool:
    return len((await house.fake.requests(model="gpt-5.4"))["requests"]) == 4


# ---- nothing of ours stands in the way -------------------------------------------------------------------------------


async def test_a_full_disk_costs_no_request(house: House) -> None:
    await house.send(1, Wire.OPENAI_CHAT, "gpt-5.4")
    await events(house, 1)
    pid = house.rig.pid("proxy")
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    assert (await house.send(100, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 100}
    await eventually(lambda: _spool_failure(house))
    assert (await house.send(20, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 20}
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    await events(house, 121)
    assert await _spool_failure(house) is None


async def _spool_failure(house: House) -> str | None:
    failure: str | None = (await house.http.get(f"{house.rig.proxy_url}/health")).json()["spool"]["failure"]
    return failure


async def test_an_unusable_state_directory_costs_no_request() -> None:
    async with open_house() as house:
        house.rig.places.state.write_text("a file, not a directory")
        await house.start("fake", "proxy")
        assert (await house.send(10, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 10}
        health = (await house.http.get(f"{house.rig.proxy_url}/health")).json()
        assert health["status"] == "degraded"
        assert health["spool"]["failure"]
        assert health["spool"]["dropped"] == 10
        told = [line for line in house.rig.output("proxy").splitlines() if "state directory cannot be used" in line]
        assert len(told) == 1
        assert await house.rig.stop("proxy") == 0


async def test_a_log_that_nobody_reads_costs_no_request() -> None:
    async with open_house(LOG_LEVEL="debug") as house:
        await house.start("fake")
        with _process(house, "proxy", stderr=subprocess.PIPE) as process:
            await eventually(lambda: _healthy(house))
            assert (await house.send(300, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 300}
            process.terminate()


def _process(house: House, *arguments: str, stderr: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "daemon", *arguments]
    return subprocess.Popen(command, env=house.rig.environment(), stderr=stderr)


async def _healthy(house: House) -> bool:
    return (await house.http.get(f"{house.rig.proxy_url}/health")).status_code == 200


async def test_a_control_plane_that_is_frozen_or_gone_changes_nothing_for_traffic(house: House) -> None:
    """It is played by a socket that nobody reads, and by routes that nobody renews."""
    places = house.rig.places
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as frozen:
        frozen.bind(os.fspath(places.control_socket))
        assert (await house.send(300, Wire.OPENAI_CHAT, "gpt-5.4")).count == {"ok": 300}
    await events(house, 300)
    health = (await house.http.get(f"{house.rig.proxy_url}/health")).json()
    assert health["control"] == {"alive": False}


async def test_routes_are_obeyed_when_they_come_and_forgotten_when_they_go(house: House) -> None:
    routes = house.rig.places.routes
    route = {"mitigation_id": "9", "from_model": "gpt-5.4", "to_model": "gpt-5.5"}
    _replace(routes, {"sequence": 1, "routes": [route]})
    await eventually(lambda: _answered_by(house, "gpt-5.5"))
    health = (await house.http.get(f"{house.rig.proxy_url}/health")).json()
    assert health["control"] == {"alive": True}
    _replace(routes, {"sequence": 2, "routes": []})
    await eventually(lambda: _answered_by(house, "gpt-5.4"))
    await eventually(lambda: any(event.mitigation_ids == ("9",) for event in recorded(house)))


def _replace(path: Path, content: dict[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(path)


async def _answered_by(house: House, model: str) -> bool:
    return (await house.turn(Wire.OPENAI_CHAT, "gpt-5.4")).model == model


async def test_two_workers_share_the_port_and_each_keeps_its_own_events() -> None:
    async with open_house(PROXY_WORKERS="2") as house:
        await house.start("fake", "proxy")
        with _process(house, "proxy", "--worker", "1") as other:
            await eventually(house.rig.places.proxy_socket(1).exists)
            async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as client:
                for _ in range(40):
                    answer = await client.get(f"{house.rig.proxy_url}/v1/models")
                    assert answer.status_code == 401
            await events(house, 40)
            other.terminate()
        places = house.rig.places
        spools = SpoolReader(places.spool, places.spool_ack).read({}, 100)
        assert len({batch.spool_id for batch in spools}) == 2
