"""The vendors' SDKs through a real proxy: each sees what the upstream did, and each request is in one right event."""

import asyncio
from typing import Any

import pytest

from daemon.app.rig import CLIENT_KEY
from daemon.domain.event import Event, Outcome, Wire
from tests.clients.conftest import ASKS_FOR_A_STREAM, Front, attempts
from tests.clients.sdks import DEADLINE_SECONDS, SDKS, Sdk, count_tokens

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning:google.genai"),
]

TEXT = "All systems are nominal."
OUTPUT_TOKENS = 12
ALL = frozenset(SDKS)
STREAMS = frozenset(name for name, sdk in SDKS.items() if sdk.stream)
WHOLE = ALL - STREAMS
ONCE = frozenset({"generate", "generate_stream"})
"""Google's SDK does not try again unless it is told to."""
STUBBORN = ALL - ONCE
RATE_LIMITED = {"fault": "429", "first": 1, "retry_after": "1s"}

Row = tuple[dict[str, Any], frozenset[str], str, list[str]]
"""The fault, who asks, how it ends for each of them, and what is noted of each."""
ROWS: dict[str, Row] = {
    "all is well": ({}, ALL, "ok", ["ok 0"]),
    "a 429 is waited out": (RATE_LIMITED, STUBBORN, "ok", ["provider_rate_limited 0", "ok 1"]),
    "a 429 is passed on": (RATE_LIMITED, ONCE, "429", ["provider_rate_limited 0"]),
    "a 500 is tried again": ({"fault": "500", "first": 1}, STUBBORN, "ok", ["provider_error 0", "ok 1"]),
    "a 500 that stays": ({"fault": "500"}, STUBBORN, "500", [f"provider_error {attempt}" for attempt in range(3)]),
    "a 500 is passed on": ({"fault": "500"}, ONCE, "500", ["provider_error 0"]),
    "a 529 that stays": ({"fault": "529"}, STUBBORN, "529", [f"overloaded {attempt}" for attempt in range(3)]),
    "a 529 is passed on": ({"fault": "529"}, ONCE, "529", ["overloaded 0"]),
    "a cut stream": ({"fault": "truncate"}, STREAMS, "cut", ["truncated 0"]),
    "a cut body is tried again": ({"fault": "truncate", "first": 1}, WHOLE - ONCE, "ok", ["truncated 0", "ok 1"]),
    "a cut body is passed on": ({"fault": "truncate"}, WHOLE & ONCE, "cut", ["truncated 0"]),
    "a stream without its end": ({"fault": "clean_cut"}, STREAMS, "silent", ["truncated 0"]),
    "an error in a stream": ({"fault": "in_band_error"}, STREAMS, "error", ["error_in_stream 0"]),
}


@pytest.mark.parametrize(("rule", "who", "ending", "noted"), ROWS.values(), ids=ROWS)
async def test_each_sdk_sees_what_the_upstream_did_and_its_events_tell_of_it(
    front: Front, rule: dict[str, Any], who: frozenset[str], ending: str, noted: list[str]
) -> None:
    """All of them ask at the same time; each is struck by a fault of its own."""
    asking = {name: SDKS[name] for name in sorted(who)}
    await front.play(*({**rule, "match": {"wire": sdk.wire, "stream": sdk.stream}} for sdk in asking.values() if rule))
    async with asyncio.timeout(DEADLINE_SECONDS):
        said = await asyncio.gather(*(sdk.ask(front.url, CLIENT_KEY) for sdk in asking.values()))
    text = TEXT if ending in ("ok", "silent") else ""
    assert dict(zip(asking, said, strict=True)) == dict.fromkeys(asking, (ending, text))
    seen = await front.events()
    assert {name: attempts(_of(sdk, seen)) for name, sdk in asking.items()} == dict.fromkeys(asking, noted)
    assert len(seen) == len(noted) * len(asking)
    for sdk in asking.values():
        _check(sdk, _of(sdk, seen), waited="retry_after" in rule)


def _of(sdk: Sdk, seen: list[Event]) -> list[Event]:
    return [event for event in seen if (event.wire, event.stream) == (sdk.wire, sdk.stream)]


def _check(sdk: Sdk, events: list[Event], *, waited: bool) -> None:
    """What the events of one SDK have in common, and what those that went well say beside it."""
    assert {(event.client, event.requested_model, event.model_id) for event in events} == {
        (sdk.family, sdk.model, sdk.model)
    }
    assert len({event.client_key_id for event in events} - {None}) == 1
    for event in events:
        if event.outcome is Outcome.OK:
            assert (event.response_model, event.usage, event.output_tokens) == (sdk.model, "counted", OUTPUT_TOKENS)
            assert event.input_tokens is not None
            assert 0 <= event.request_bytes // 4 - event.input_tokens <= ASKS_FOR_A_STREAM
            assert (event.status, event.finish_reason is not None) == (200, True)
    if waited:
        assert events[0].retry_after_seconds == 1.0
        assert all(after.started_at - events[0].started_at >= 1000 for after in events[1:])


async def test_counting_tokens_calls_no_model(front: Front) -> None:
    await front.play()
    assert await count_tokens(front.url, CLIENT_KEY) > 0
    [event] = await front.events()
    assert (event.client, event.wire, event.outcome) == ("anthropic-sdk", Wire.OTHER, Outcome.OK)
    assert (event.requested_model, event.usage, event.is_judged) == (None, None, False)
