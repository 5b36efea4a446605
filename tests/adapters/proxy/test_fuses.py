"""A wire that raises is not asked again, is told once, and costs no request."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.domain.event import Outcome, Wire
from daemon.domain.facts import RequestFacts, ResponseFacts
from tests.adapters.proxy.test_forward import WHOLE, decoded, post
from tests.fakes.proxy import running_proxy
from tests.fakes.raw_server import always, raw_server, response

SECRET = "a prompt that must not be logged"


class Breaking:
    """A wire that fails in one of its questions."""

    WIRE = Wire.OPENAI_CHAT

    def __init__(self, where: str) -> None:
        self._where = where
        self.asked = 0

    def claims(self, method: str, path: str) -> str | None:
        return self._answer("claims", path)

    def read_request(self, path: str, body: bytes) -> RequestFacts:
        return self._answer("read_request", RequestFacts(model="spark"))

    def tap(self, *, status: int, stream: bool) -> Any:
        feed = lambda chunk: self._answer("feed", None)  # noqa: E731
        close = lambda: self._answer("close", ResponseFacts(terminal=True))  # noqa: E731
        return self._answer("tap", SimpleNamespace(content_started=False, feed=feed, close=close))

    def with_model(self, target: bytes, body: bytes, model: str) -> tuple[bytes, bytes]:
        return self._answer("with_model", (target, b"changed"))

    def error_body(self, status: int, reason: str, message: str) -> bytes:
        return self._answer("error_body", b"{}")

    def _answer(self, question: str, answer: Any) -> Any:
        if question == self._where:
            self.asked += 1
            raise KeyError(SECRET)
        return answer


@pytest.mark.parametrize("where", ["claims", "read_request", "tap", "feed", "close", "with_model"])
async def test_traffic_goes_on_unread(where: str, caplog: pytest.LogCaptureFixture) -> None:
    wire = Breaking(where)
    async with raw_server(always(response(WHOLE))) as upstream, running_proxy(upstream.url, wires=[wire]) as proxy:
        proxy.routes.alias("spark", "gpt-5.5")
        for _ in range(3):
            status, _, body = decoded(await proxy.exchange(post()))
            assert (status, body) == (200, WHOLE)
        events = await proxy.sink.wait_for(3)
    assert {event.outcome for event in events} == {Outcome.OK}
    assert len({event.event_id for event in events}) == 3
    assert caplog.text.count("forwarded unread") == 1
    assert SECRET not in caplog.text
    assert wire.asked == 1


async def test_an_error_of_ours_falls_back_to_plain_json() -> None:
    async with running_proxy("http://127.0.0.1:1", wires=[Breaking("error_body")]) as proxy:
        status, _, body = decoded(await proxy.exchange(post()))
        assert (status, b"runbookd_upstream_connect" in body) == (502, True)


async def test_events_that_cannot_be_made_cost_no_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("daemon.adapters.proxy.observer.classify", fail)
    async with raw_server(always(response(WHOLE))) as upstream, running_proxy(upstream.url) as proxy:
        for _ in range(3):
            async with asyncio.timeout(5):
                assert decoded(await proxy.exchange(post()))[2] == WHOLE
    assert caplog.text.count("events are lost") == 1
