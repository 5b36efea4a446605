"""Events as rows and back: what is interned, what stands in the row itself, and what is derived from the id."""

import json
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from daemon.adapters.store import tables
from daemon.adapters.store.vocabulary import Entries, Entry
from daemon.domain.event import Event, emitted_at_of
from daemon.domain.rollup import OTHER, Series, Think, series_of, think_of

VOCABULARIES = (tables.series, tables.result, tables.think)
"""Each is named by the column of `event` that has its name."""
SINGLES = ("client_key_id", "credential", "auth_index", "client", "mitigation_ids")
"""Columns of `event` that name a value in `dim`."""
SMALL = (
    "duration_ms",
    "ttfb_ms",
    "ttft_ms",
    "largest_gap_ms",
    "attempt",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "total_tokens",
)
BIG = ("request_bytes", "response_bytes")
SECONDS = ("retry_after_seconds", "quota_reset_seconds")
TEXTS = ("trace_id", "turn_key")
LABELS_AT, SINGLES_AT, LAG, DURATION = slice(1, 4), slice(4, 9), 9, 10
"""Where these stand in a row; the id is first, and PLAIN follows."""
PLAIN = SMALL + BIG + SECONDS + TEXTS
"""Columns of `event` that hold the field itself, in their order."""

_result = attrgetter(*[column.name for column in tables.result.columns][2:])
_small, _big, _seconds = attrgetter(*SMALL), attrgetter(*BIG), attrgetter(*SECONDS)


class Words:
    """The interned words of one event."""

    __slots__ = ("labels", "singles")

    def __init__(self, event: Event) -> None:
        self.labels: tuple[Entry, Entry, Entry] = (series_of(event), _result(event), think_of(event))
        mitigations = json.dumps(event.mitigation_ids) if event.mitigation_ids else None
        values = (event.client_key_id, event.credential, event.auth_index, event.client, mitigations)
        self.singles = tuple(
            None if value is None else (kind, value) for kind, value in zip(SINGLES, values, strict=True)
        )


def crowded_result(entry: Entry) -> Entry:
    """The entry of `result` that stands for one too many: without what an upstream may invent."""
    status, outcome, fault, _, _, *flags = entry
    return (status, outcome, fault, OTHER, OTHER, *flags)


def crowded_single(entry: Entry) -> Entry:
    """The entry of `dim` that stands for one too many; the ids of mitigations are ours, and few."""
    kind, value = entry
    return (kind, value if kind == "mitigation_ids" else OTHER)


CROWDED: tuple[Callable[[Entry], Entry], ...] = (
    lambda entry: Series(*entry).crowded(),
    crowded_result,
    lambda entry: Think(*entry).crowded(),
)
"""In the order of VOCABULARIES."""


def row_of(event: Event, words: Words, labels: tuple[Mapping[Entry, int], ...], dim: Mapping[Entry, int]) -> Entry:
    """The row of `event`, as a tuple in the order of its columns. Numbers that no column can hold are cut to size."""
    lag = emitted_at_of(event.event_id) - event.duration_ms - event.started_at
    return (
        event.event_id,
        *[numbers[entry] for numbers, entry in zip(labels, words.labels, strict=True)],
        *[None if entry is None else dim[entry] for entry in words.singles],
        lag or None,
        *_within(_small(event), tables.HIGHEST_SMALL),
        *_within(_big(event), tables.HIGHEST_BIG),
        *_seconds(event),
        event.trace_id and tables.storable(event.trace_id),
        event.turn_key and tables.storable(event.turn_key),
    )


def labels_of(numbers: Sequence[int], labels: Sequence[Entries]) -> Mapping[str, Any]:
    """The fields of the interned labels of these numbers; many rows have the same ones."""
    series, result, think = [entries[number] for entries, number in zip(labels, numbers, strict=True)]
    return {**series, **result, **think}


def singles_of(numbers: Sequence[int | None], dim: Entries) -> Mapping[str, Any]:
    """The fields of the single values of these numbers."""
    values = [None if number is None else dim[number]["value"] for number in numbers]
    singles: dict[str, Any] = dict(zip(SINGLES, values, strict=True))
    mitigations = singles["mitigation_ids"]
    return singles | {"mitigation_ids": () if mitigations is None else tuple(json.loads(mitigations))}


def event_of(row: Sequence[Any], labels: Mapping[str, Any], singles: Mapping[str, Any]) -> Event:
    """The event of a row, with the fields that it names by number."""
    event_id, emitted_at = row[0], emitted_at_of(row[0])
    return Event(
        event_id=event_id,
        emitted_at=emitted_at,
        started_at=emitted_at - row[DURATION] - (row[LAG] or 0),
        **labels,
        **singles,
        **dict(zip(PLAIN, row[LAG + 1 :], strict=True)),
    )


def _within(values: tuple[int | None, ...], highest: int) -> tuple[int | None, ...]:
    """Numbers are read out of foreign answers; one absurd counter must not keep a whole batch out of the store."""
    counted = [value for value in values if value]
    if not counted or (max(counted) <= highest and min(counted) >= -highest):
        return values
    return tuple(None if value is None else max(-highest, min(highest, value)) for value in values)
