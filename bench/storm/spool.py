"""The events that a proxy has spooled, by outcome and by fault."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from daemon.adapters.spool.codec import decode
from daemon.adapters.spool.files import files_in, open_for_reading
from daemon.domain.event import Event


def outcomes(directory: Path) -> tuple[Counter[str], Counter[str]]:
    """Denied without a fault are those which a mistake of ours has spoilt."""
    events, faults = Counter[str](), Counter[str]()
    for event in _events(directory):
        events[str(event.outcome)] += 1
        if event.fault is not None:
            faults[str(event.fault)] += 1
        elif event.outcome == "denied":
            faults["denied without a fault"] += 1
    return events, faults


def _events(directory: Path) -> list[Event]:
    found: list[Event] = []
    for file in files_in(directory):
        with closing(open_for_reading(file)) as connection:
            found += _of(connection)
    return found


def _of(connection: sqlite3.Connection) -> list[Event]:
    return [event for (body,) in connection.execute("SELECT body FROM batches") for event in decode(body)]
