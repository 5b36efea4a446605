"""The contract of `EventStore`, over the fake, SQLite and Postgres."""

from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.adapters.store import Store
from daemon.domain.event import EVENT_FIELDS, Event, Fault, Outcome, Source, Wire
from daemon.ports import EventQuery, EventStore, Watermark
from tests.contracts.things import NOON, absent, bare, full


@pytest.fixture
def events(any_store: Store) -> EventStore:
    return any_store.events


def mark(batch_id: int, sequence: int = 0) -> Watermark:
    return Watermark(batch_id=batch_id, sequence=sequence)


async def listed(events: EventStore, **query: Any) -> list[Event]:
    return list(await events.events(EventQuery(**query)))


async def test_an_event_with_every_field_set_comes_back_as_it_was(events: EventStore) -> None:
    one = full()
    assert not absent(one)
    await events.append([one], {}, NOON)
    assert await listed(events) == [one]
    assert list(events.replay(0)) == [one]


async def test_what_is_absent_stays_absent(events: EventStore) -> None:
    one = bare()
    await events.append([one], {}, NOON)
    (found,) = await listed(events)
    assert found == one
    assert found.status is None
    assert found.input_tokens is None
    assert found.mitigation_ids == ()


async def test_fields_come_back_with_their_own_types(events: EventStore) -> None:
    await events.append([full()], {}, NOON)
    (found,) = await listed(events)
    kinds = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(Event).items()}
    kinds["mitigation_ids"] = (tuple,)
    for name in EVENT_FIELDS:
        assert type(getattr(found, name)) in kinds[name], name


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
SOME_TEXT = st.none() | TEXT
SMALL = st.integers(0, 2**31 - 1)
SOME = st.none() | SMALL
SOME_FLAG = st.none() | st.booleans()
SOME_SECONDS = st.none() | st.floats(0, 1e9)
NAMES = {
    Wire: st.sampled_from(Wire),
    Outcome: st.sampled_from(Outcome),
    Source: st.sampled_from(Source),
    Fault | None: st.none() | st.sampled_from(Fault),
    str: TEXT,
    str | None: SOME_TEXT,
    int: SMALL,
    int | None: SOME,
    bool: st.booleans(),
    bool | None: SOME_FLAG,
    float | None: SOME_SECONDS,
    tuple[str, ...]: st.lists(TEXT, max_size=3).map(tuple),
}
ANY_FIELDS = st.fixed_dictionaries(
    {name: NAMES[hint] for name, hint in get_type_hints(Event).items() if name not in ("event_id", "emitted_at")}
)


@given(st.lists(ANY_FIELDS, min_size=1, max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_event_comes_back_as_it_was(events: EventStore, rows: list[dict[str, Any]]) -> None:
    written = [bare(**facts) for facts in rows]
    await events.append(written, {}, NOON)
    assert await listed(events, limit=len(written)) == written[::-1]


async def test_appending_twice_is_appending_once(events: EventStore) -> None:
    batch = [full(), bare()]
    for _ in range(2):
        await events.append(batch, {"node-a/0": mark(7, 70)}, NOON)
    assert await listed(events) == batch[::-1]
    assert await events.watermarks() == {"node-a/0": mark(7, 70)}


async def test_an_id_that_is_there_is_left_as_it_is(events: EventStore) -> None:
    one = full()
    await events.append([one], {}, NOON)
    await events.append([replace(one, status=200), two := bare()], {}, NOON)
    assert await listed(events) == [two, one]


async def test_watermarks_move_on_one_by_one_and_never_back(events: EventStore) -> None:
    assert await events.watermarks() == {}
    await events.append([], {"a": mark(1, 10), "b": mark(5, 50)}, NOON)
    await events.append([], {"a": mark(2, 20)}, NOON)
    await events.append([], {"b": mark(4, 40)}, NOON)
    assert await events.watermarks() == {"a": mark(2, 20), "b": mark(5, 50)}


async def test_last_alive_is_the_last_append(events: EventStore) -> None:
    assert await events.last_alive() is None
    await events.append([bare()], {}, NOON)
    assert await events.last_alive() == NOON
    await events.append([], {"a": mark(1)}, NOON + 5)
    assert await events.last_alive() == NOON + 5
    assert await events.watermarks() == {"a": mark(1)}


async def test_listings_are_newest_first_and_paged_by_id(events: EventStore) -> None:
    written = [bare(NOON + 1000 * at) for at in range(10)]
    await events.append(written[5:], {}, NOON)
    await events.append(written[:5], {}, NOON)
    first = await listed(events, limit=4)
    assert first == written[:5:-1]
    assert await listed(events, limit=4, before=first[-1].event_id) == written[5:1:-1]
    assert await listed(events, since=NOON + 8000) == written[:7:-1]
    assert await listed(events, limit=0) == []


async def test_a_listing_has_an_end(events: EventStore) -> None:
    await events.append([bare() for _ in range(1100)], {}, NOON)
    assert len(await listed(events, limit=5000)) == 1001


FOUND_BY = [
    ("provider_key", "codex"),
    ("outcome", "failed"),
    ("fault", "provider_rate_limited"),
    ("wire", "openai_responses"),
    ("stream", "true"),
    ("status", "429"),
    ("requested_model", "team/gpt-5.3-codex-spark"),
    ("response_model", "gpt-5.3-codex-2026-02"),
    ("credential", "codex-user@example.org"),
    ("auth_index", "a1b2"),
    ("client_key_id", "9f3c22d1"),
    ("client", "codex-cli"),
    ("source", "canary"),
    ("attempt", "2"),
    ("input_tokens", "1200"),
    ("cache_read_tokens", "0"),
    ("usage_present", "true"),
    ("thinking_match", "false"),
    ("thinking_requested_budget", "24576"),
    ("empty_payload", "false"),
    ("retry_after_seconds", "30.5"),
    ("trace_id", "trace-0001"),
    ("mitigation_ids", "m-2"),
    ("request_bytes", "5000000000"),
    ("duration_ms", "121"),
]


@pytest.mark.parametrize(("name", "text"), FOUND_BY)
async def test_any_field_is_a_filter(events: EventStore, name: str, text: str) -> None:
    other, wanted = bare(NOON - 1), full(duration_ms=121)
    await events.append([other, wanted], {}, NOON)
    assert await listed(events, where={name: text}) == [wanted]


async def test_ids_and_instants_are_filters(events: EventStore) -> None:
    one, two = bare(NOON), bare(NOON + 2, started_at=NOON - 7)
    await events.append([one, two], {}, NOON)
    assert await listed(events, where={"event_id": str(one.event_id)}) == [one]
    assert await listed(events, where={"emitted_at": str(one.emitted_at)}) == [one]
    assert await listed(events, where={"started_at": str(one.started_at)}) == [one]
    assert await listed(events, where={"started_at": str(NOON - 7)}) == [two]


async def test_all_filters_must_match(events: EventStore) -> None:
    good, bad = full(outcome=Outcome.OK, fault=None), full()
    await events.append([good, bad], {}, NOON)
    assert await listed(events, where={"provider_key": "codex", "outcome": "ok"}) == [good]
    assert await listed(events, where={"provider_key": "kiro", "outcome": "ok"}) == []
    assert await listed(events, where={"provider_key": "codex"}, before=bad.event_id) == [good]


@pytest.mark.parametrize("name", ["mitigation_ids", "credential", "model_id", "trace_id", "input_tokens"])
async def test_what_is_absent_matches_nothing(events: EventStore, name: str) -> None:
    await events.append([bare()], {}, NOON)
    for text in ("", "None", "0"):
        if text.isdigit() or name != "input_tokens":
            assert await listed(events, where={name: text}) == []


async def test_a_number_too_large_for_any_event_is_found_in_none(events: EventStore) -> None:
    await events.append([full()], {}, NOON)
    for name in ("input_tokens", "status", "event_id", "emitted_at", "thinking_requested_budget"):
        assert await listed(events, where={name: "9" * 19}) == []


async def test_a_filter_on_what_is_no_field_is_a_mistake(events: EventStore) -> None:
    with pytest.raises(ValueError, match="no field 'model'"):
        await listed(events, where={"model": "gpt"})


async def test_a_replay_goes_forward_from_an_instant(events: EventStore) -> None:
    written = [bare(NOON + at) for at in range(2500)]
    for start in range(0, 2500, 500):
        await events.append(written[start : start + 500], {}, NOON)
    assert list(events.replay(0)) == written
    assert list(events.replay(written[1200].emitted_at)) == written[1200:]
    assert list(events.replay(NOON * 2)) == []


async def test_pruning_takes_the_oldest_before_an_instant_in_pieces(events: EventStore) -> None:
    written = [bare(NOON + at) for at in range(10)]
    await events.append(written, {}, NOON)
    before = written[7].emitted_at
    assert [await events.prune(before, 4) for _ in range(3)] == [4, 3, 0]
    assert await listed(events) == written[:6:-1]


async def test_an_append_of_nothing_is_no_mistake(events: EventStore) -> None:
    await events.append([], {}, NOON)
    assert await listed(events) == []
    assert list(events.replay(0)) == []
