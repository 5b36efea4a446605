"""The contract of rollups in the store, over the fake, SQLite and Postgres."""

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.adapters.store import Store
from daemon.domain.event import Fault
from daemon.domain.rollup import TOKENS, Closed, Resolution, Rollup, Series, Sum, Think
from daemon.ports import EventStore
from tests.contracts.test_event_store import NAMES, SMALL, SOME, SOME_FLAG, SOME_TEXT
from tests.contracts.things import NOON, SERIES, a_rollup, bare, full_rollup

LATER = 4 * NOON


@pytest.fixture
def events(any_store: Store) -> EventStore:
    return any_store.events


def closed(*rows: Rollup, until: int = NOON, node_id: str = "node-a") -> Closed:
    return Closed(node_id=node_id, until=until, rows=rows)


async def listed(events: EventStore, resolution: Resolution = Resolution.TEN_SECONDS, **where: str) -> list[Rollup]:
    return list(await events.rollups(resolution, 0, LATER, where))


async def test_a_rollup_with_everything_counted_comes_back_as_it_was(events: EventStore) -> None:
    row = full_rollup()
    assert all(getattr(row, field.name) for field in fields(row) if field.name != "ttft_ms")
    await events.append([], {}, NOON, closed(row))
    (found,) = await listed(events)
    assert found == row
    assert type(found.duration_ms) is bytes
    assert [type(fault) for fault in found.faults] == [Fault, Fault]


numbers = count()
COUNT = st.integers(0, 2**31 - 1)
ROWS = st.builds(
    Rollup,
    resolution=st.sampled_from(Resolution),
    bucket=st.integers(0, LATER - 1),
    part=st.builds(lambda: 2**63 - 1 - next(numbers)),
    series=st.builds(Series, **{name: NAMES[hint] for name, hint in Series.__annotations__.items()}),
    think=st.builds(Think, SOME_TEXT, SOME_TEXT, SOME, SOME_TEXT, SOME_TEXT, SOME, SOME_FLAG, SOME_TEXT),
    ok=SMALL,
    retries=COUNT,
    faults=st.dictionaries(st.sampled_from(Fault), COUNT),
    tokens=st.dictionaries(
        st.sampled_from(TOKENS), st.builds(Sum, st.integers(-(2**63) + 1, 2**63 - 1), st.integers(1, 2**31 - 1))
    ),
    duration_ms=st.binary(),
    ttft_ms=st.binary(),
).map(lambda row: replace(row, requests=row.ok))


@given(ROWS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_rollup_comes_back_as_it_was(events: EventStore, row: Rollup) -> None:
    await events.append([], {}, NOON, closed(row))
    assert row in await events.rollups(row.resolution, row.bucket, row.bucket + 1, {})


async def test_absurd_sums_do_not_keep_a_batch_out(any_store: Store) -> None:
    await any_store.events.append([], {}, NOON, closed(a_rollup(tokens={"total_tokens": Sum(10**30, 1)})))
    (found,) = await listed(any_store.events)
    assert found.tokens["total_tokens"].total >= 2**63 - 1


async def test_writing_twice_is_writing_once_and_parts_stand_side_by_side(events: EventStore) -> None:
    first, second = a_rollup(part=1, requests=5, ok=5), a_rollup(part=2, requests=1, failed=1)
    await events.append([], {}, NOON, closed(first))
    await events.append([], {}, NOON, closed(replace(first, requests=9), second))
    assert await listed(events) == [first, second]


async def test_resolutions_are_apart(events: EventStore) -> None:
    rows = [a_rollup(resolution=resolution) for resolution in Resolution]
    await events.append([], {}, NOON, closed(*rows))
    assert [await listed(events, resolution) for resolution in Resolution] == [[row] for row in rows]


async def test_how_far_each_node_has_come_never_goes_back(events: EventStore) -> None:
    assert await events.rolled_until("node-a") is None
    await events.append([bare()], {}, NOON)
    assert await events.rolled_until("node-a") is None
    for until in (NOON, NOON + 5, NOON + 2):
        await events.append([], {}, NOON, closed(until=until))
    await events.append([], {}, NOON, closed(until=7, node_id="node-b"))
    assert (await events.rolled_until("node-a"), await events.rolled_until("node-b")) == (NOON + 5, 7)


async def test_a_range_has_its_beginning_and_not_its_end(events: EventStore) -> None:
    rows = [a_rollup(bucket=NOON + number * 10_000) for number in range(4)]
    await events.append([], {}, NOON, closed(*reversed(rows)))
    assert list(await events.rollups(Resolution.TEN_SECONDS, NOON + 10_000, NOON + 30_000, {})) == rows[1:3]


@pytest.mark.parametrize(
    "where",
    [
        {"provider_key": "kiro"},
        {"stream": "false"},
        {"thinking_match": "true"},
        {"provider_key": "kiro", "stream": "false"},
    ],
)
async def test_labels_narrow(events: EventStore, where: dict[str, str]) -> None:
    facts: dict[str, Any] = {"series": SERIES._replace(provider_key="kiro", stream=False)}
    other = a_rollup()
    wanted = a_rollup(part=2, **facts, think=other.think._replace(thinking_match=True))
    await events.append([], {}, NOON, closed(other, wanted))
    assert await listed(events, **where) == [wanted]


async def test_what_is_no_label_is_a_mistake(events: EventStore) -> None:
    with pytest.raises(ValueError, match="no label 'client_key_id'"):
        await listed(events, client_key_id="x")


async def test_pruning_takes_the_oldest_that_ended_in_pieces(events: EventStore) -> None:
    rows = [a_rollup(bucket=NOON + number * 10_000, part=part) for number in range(5) for part in range(2)]
    hour = a_rollup(resolution=Resolution.HOUR, bucket=0)
    await events.append([], {}, NOON, closed(*rows, hour))
    before = NOON + 40_000
    assert await _pruned(events, before - 1) == [4, 2, 0]
    assert await _pruned(events, before) == [2, 0, 0]
    assert await listed(events) == rows[8:]
    assert await listed(events, Resolution.HOUR) == [hour]


async def _pruned(events: EventStore, before: int) -> Sequence[int]:
    return [await events.prune_rollups(Resolution.TEN_SECONDS, before, 4) for _ in range(3)]
