"""Vocabularies: small sets of values that events name by number."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, select

from daemon.adapters.store.dialects import add

Entry = tuple[Any, ...]
"""The values of one row, in the order of the table's columns after `id` and `digest`."""
Entries = Mapping[int, Mapping[str, Any]]
"""By number, the values by column."""

REMEMBERED = 50_000
"""Entries kept in memory, about 10 MB; a flood of new words makes us forget all and ask again, not grow."""
CHUNK = 500


class Vocabulary:
    """One interned table with its memory. Numbers are given by the database, so that several nodes may share it."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.names = tuple(column.name for column in table.columns)[2:]
        self._numbers: dict[Entry, int] = {}
        self._entries: Entries = {}

    def numbers(self, connection: Connection, entries: Iterable[Entry]) -> dict[Entry, int]:
        """Numbers of at least these entries, new ones inserted. Give it back to `learn` once it is committed."""
        known = self._numbers  # read once: `learn` runs in another thread
        new = {_digest(entry): entry for entry in set(entries) if entry not in known}
        if not new:
            return known
        # in one order on every node: two that insert the same words must not wait for each other
        rows = [{"digest": digest, **dict(zip(self.names, new[digest], strict=True))} for digest in sorted(new)]
        add(connection, self.table, rows)
        return known | {new[digest]: number for digest, number in self._by_digest(connection, new)}

    def learn(self, numbers: dict[Entry, int]) -> None:
        """Remembers what is committed."""
        self._numbers = numbers if len(numbers) <= REMEMBERED else {}

    def entries(self, connection: Connection, numbers: Iterable[int | None]) -> Entries:
        """At least the entries with these numbers."""
        known = self._entries
        missing = {number for number in numbers if number is not None and number not in known}
        if missing:
            known = {**known, **dict(self._by_number(connection, missing))}
            self._entries = known if len(known) <= REMEMBERED else {}
        return known

    def _by_digest(self, connection: Connection, digests: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        columns = self.table.columns
        for chunk in chunks(digests):
            found = connection.execute(select(columns.digest, columns.id).where(columns.digest.in_(chunk)))
            yield from ((bytes(digest), number) for digest, number in found)

    def _by_number(self, connection: Connection, numbers: Iterable[int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for chunk in chunks(numbers):
            for row in connection.execute(select(self.table).where(self.table.columns.id.in_(chunk))):
                yield row.id, dict(zip(self.names, row[2:], strict=True))


def chunks(values: Iterable[Any]) -> Iterator[Sequence[Any]]:
    """Pieces small enough to be parameters of one statement."""
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _digest(entry: Entry) -> bytes:
    return sha256(json.dumps(entry).encode()).digest()[:16]
