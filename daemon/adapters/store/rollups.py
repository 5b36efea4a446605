"""Rollups in the database: as rows and back, and the statements that read and delete them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Row, Select, delete, select, tuple_

from daemon.adapters.store.dialects import insert_many, put
from daemon.adapters.store.filters import value_of
from daemon.adapters.store.tables import HIGHEST_BIG, rolled, rollups, series, think
from daemon.adapters.store.vocabulary import Entries, Entry
from daemon.domain.event import Fault
from daemon.domain.rollup import TOKENS, Closed, Resolution, Rollup, Series, Sum, Think

LABELS = {column.name: table for table in (series, think) for column in list(table.columns)[2:]}
NOTHING = Sum(0, 0)


def write(connection: Connection, closed: Closed, series: Mapping[Entry, int], think: Mapping[Entry, int]) -> None:
    """Rows that are there already are left as they are; how far the node has come never goes back."""
    for resolution, table in rollups.items():
        mine = [row for row in closed.rows if row.resolution is resolution]
        insert_many(connection, table, [_row_of(row, series[row.series], think[row.think]) for row in mine])
    put(connection, rolled, [{"node_id": closed.node_id, "until": closed.until}], rising="until")


def _row_of(rollup: Rollup, series: int, think: int) -> Entry:
    sums = [rollup.tokens.get(name, NOTHING) for name in TOKENS]
    return (
        rollup.bucket,
        series,
        think,
        rollup.part,
        rollup.requests,
        rollup.ok,
        rollup.retries,
        json.dumps(rollup.faults) if rollup.faults else None,
        *[number for one in sums for number in (_within(one.total), one.events)],
        rollup.duration_ms,
        rollup.ttft_ms,
    )


def _within(total: int) -> int:
    """Numbers are read out of foreign answers; an absurd one must not keep a batch out of the store."""
    return max(-HIGHEST_BIG, min(HIGHEST_BIG, total))


def rollups_of(resolution: Resolution, rows: Sequence[Row[Any]], series: Entries, think: Entries) -> list[Rollup]:
    """The rollups of rows, with what their numbers stand for."""
    asked = {number: Series(**series[number]) for number in {row.series for row in rows}}
    applied = {number: Think(**think[number]) for number in {row.think for row in rows}}
    return [_rollup_of(resolution, row, asked[row.series], applied[row.think]) for row in rows]


def _rollup_of(resolution: Resolution, row: Sequence[Any], series: Series, think: Think) -> Rollup:
    bucket, _, _, part, requests, ok, retries, faults, *sums, duration_ms, ttft_ms = row
    return Rollup(
        resolution=resolution,
        bucket=bucket,
        part=part,
        series=series,
        think=think,
        requests=requests,
        ok=ok,
        failed=requests - ok,
        retries=retries,
        faults={Fault(name): n for name, n in json.loads(faults).items()} if faults else {},
        tokens={
            name: Sum(total, events)
            for name, total, events in zip(TOKENS, sums[::2], sums[1::2], strict=True)
            if events
        },
        duration_ms=bytes(duration_ms),
        ttft_ms=bytes(ttft_ms),
    )


def listing(resolution: Resolution, since: int, until: int, where: Mapping[str, str]) -> Select[Any]:
    """Rows of the buckets that start from `since` on and before `until` (epoch ms), oldest first. Raises ValueError
    for what is no label, or no value of it."""
    table = rollups[resolution]
    return (
        select(table)
        .where(table.c.bucket >= since, table.c.bucket < until, *[_label(table, *one) for one in where.items()])
        .order_by(*table.primary_key)
    )


def _label(table: Any, name: str, text: str) -> Any:
    vocabulary = LABELS.get(name)
    if vocabulary is None:
        raise ValueError(f"a rollup has no label {name!r}")
    value = value_of(name, text)
    return table.c[vocabulary.name].in_(select(vocabulary.c.id).where(vocabulary.c[name] == value))


def pruning(resolution: Resolution, before: int, limit: int) -> Delete:
    """The statement that deletes at most `limit` of the oldest rows whose bucket ended by an instant (epoch ms)."""
    table = rollups[resolution]
    old = table.c.bucket <= before - resolution.ms
    doomed = select(*table.primary_key).where(old).order_by(*table.primary_key).limit(limit)
    return delete(table).where(old, tuple_(*table.primary_key).in_(doomed))
