"""Vocabularies: small sets of values that events name by number, and a cap on how fast they grow."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from daemon.adapters.store.dialects import add

Entry = tuple[Any, ...]
"""The values of one row, in the order of the table's columns after `id` and `digest`."""
Entries = Mapping[int, Mapping[str, Any]]
"""By number, the values by column."""

REMEMBERED = 50_000
"""Entries kept in memory, about 10 MB; a flood of new words makes us forget all and ask again, not grow."""
CHUNK = 500
NEW_PER_HOUR = 1000
"""Entries that one vocabulary takes up; for what comes after, an entry stands that says `other`."""
HOUR_MS = 3_600_000


class Numbers(NamedTuple):
    """Numbers by entry."""

    own: dict[Entry, int]
    """Of entries that are taken up."""
    all: dict[Entry, int]
    """And of those for which another stands."""


class Vocabulary:
    """One interned table with its memory. Numbers are given by the database, so that several nodes may share it."""

    def __init__(self, table: Table, crowded: Callable[[Entry], Entry]) -> None:
        """`crowded` gives the entry that stands for one that is not taken up."""
        self.table = table
        self.names = tuple(column.name for column in table.columns)[2:]
        self._crowded = crowded
        self._numbers: dict[Entry, int] = {}
        self._entries: Entries = {}
        self._hour = 0
        self._taken_up: set[Entry] = set()

    def numbers(self, connection: Connection, entries: Iterable[Entry], now: int) -> "Numbers":
        """Numbers of at least these entries, new ones inserted. Give it back to `learn` once it is committed."""
        known = self._numbers  # read once: `learn` runs in another thread
        new = {entry for entry in entries if entry not in known}
        if not new:
            return Numbers(known, known)
        own = known | self._found(connection, new)
        standing = {entry: self._stands_for(entry, now) for entry in new if entry not in own}
        self._insert(connection, set(standing.values()))
        found = self._found(connection, set(standing.values()))
        own |= {entry: found[entry] for entry, one in standing.items() if one == entry}
        return Numbers(own, own | {entry: found[one] for entry, one in standing.items()})

    def learn(self, numbers: "Numbers") -> None:
        """Remembers what is committed."""
        self._numbers = numbers.own if len(numbers.own) <= REMEMBERED else {}

    def entries(self, connection: Connection, numbers: Iterable[int | None]) -> Entries:
        """At least the entries with these numbers."""
        known = self._entries
        missing = {number for number in numbers if number is not None and number not in known}
        if missing:
            known = {**known, **dict(self._by_number(connection, missing))}
            self._entries = known if len(known) <= REMEMBERED else {}
        return known

    def _stands_for(self, entry: Entry, now: int) -> Entry:
        if self._hour != now // HOUR_MS:
            self._hour, self._taken_up = now // HOUR_MS, set()
        if entry not in self._taken_up:  # it is, when its batch was rolled back
            if len(self._taken_up) >= NEW_PER_HOUR:
                return self._crowded(entry)
            self._taken_up.add(entry)
        return entry

    def _insert(self, connection: Connection, entries: Iterable[Entry]) -> None:
        # in one order on every node: two that insert the same words must not wait for each other
        rows = [{"digest": _digest(entry), **dict(zip(self.names, entry, strict=True))} for entry in entries]
        add(connection, self.table, sorted(rows, key=itemgetter("digest")))

    def _found(self, connection: Connection, entries: Iterable[Entry]) -> dict[Entry, int]:
        digests = {_digest(entry): entry for entry in entries}
        return {digests[digest]: number for digest, number in self._by_digest(connection, digests)}

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
