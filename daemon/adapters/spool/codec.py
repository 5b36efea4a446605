"""The body of a batch: columns once, then rows, so that a reader of another version takes the fields that it knows."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from daemon.domain.event import EVENT_FIELDS as NAMES
from daemon.domain.event import Event

_values = attrgetter(*NAMES)


def encode(events: Sequence[Event]) -> bytes:
    """MessagePack of `{"fields": [name, …], "rows": [[value, …], …]}`."""
    return msgspec.msgpack.encode({"fields": NAMES, "rows": [_values(event) for event in events]})


def decode(body: bytes) -> tuple[Event, ...]:
    """Unknown fields are left out, missing ones have their defaults. Raises ValueError."""
    try:
        content = msgspec.msgpack.decode(body)
        rows = (dict(zip(content["fields"], row, strict=True)) for row in content["rows"])
        return tuple(msgspec.convert(row, Event) for row in rows)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a batch of events: {type(error).__name__}") from error
