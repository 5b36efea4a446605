"""Filters of an event listing, in SQL: any field, by the text of its value; what is absent never matches."""

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, select

from daemon.adapters.store.rows import PLAIN, VOCABULARIES
from daemon.adapters.store.tables import HIGHEST_BIG, dim, event
from daemon.domain.event import EPOCH_2020_MS, Event, id_floor
from daemon.ports import EventQuery

TYPES = {name: frozenset(get_args(hint) or (hint,)) for name, hint in get_type_hints(Event).items()}
LABELS = {column.name: table for table in VOCABULARIES for column in list(table.columns)[2:]}
BOOLEANS = {"true": True, "false": False}


def listing(connection: Connection, query: EventQuery, most: int) -> Select[Any]:
    """The statement of a listing, newest first, of at most `most` rows."""
    conditions = [_condition(connection, name, value_of(name, text)) for name, text in query.where.items()]
    if query.before is not None:
        conditions.append(event.c.id < query.before)
    if query.since is not None:
        conditions.append(event.c.id >= id_floor(query.since))
    return select(event).where(*conditions).order_by(event.c.id.desc()).limit(max(0, min(query.limit, most)))


def value_of(name: str, text: str) -> Any:
    """The text as a value of the field. Raises ValueError for what is no field of an event, or no value of this one."""
    types = TYPES.get(name)
    if types is None:
        raise ValueError(f"an event has no field {name!r}")
    if bool in types:
        if text not in BOOLEANS:
            raise ValueError(f"{name} is true or false, not {text!r}")
        return BOOLEANS[text]
    if int in types or float in types:
        return _number(name, text, int if int in types else float)
    return text


def _number(name: str, text: str, kind: Callable[[str], int | float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} is a number, not {text!r}") from None


def _condition(connection: Connection, name: str, value: Any) -> ColumnElement[bool]:
    if isinstance(value, int) and abs(value) > HIGHEST_BIG:
        return false()
    if name in DERIVED:
        return DERIVED[name](value)
    if name in PLAIN:
        return and_(event.c[name] == value)
    if name in LABELS:
        table = LABELS[name]
        return event.c[table.name].in_(select(table.c.id).where(table.c[name] == value))
    if name == "mitigation_ids":
        return event.c[name].in_(_holding(connection, value))
    return event.c[name].in_(select(dim.c.id).where(dim.c.kind == name, dim.c.value == value))


def _holding(connection: Connection, mitigation: str) -> list[int]:
    known = connection.execute(select(dim.c.id, dim.c.value).where(dim.c.kind == "mitigation_ids"))
    return [number for number, ids in known if mitigation in json.loads(ids)]


def _emitted_at(instant: int) -> ColumnElement[bool]:
    return and_(event.c.id >= id_floor(instant), event.c.id < id_floor(instant + 1))


def _started_at(instant: int) -> ColumnElement[bool]:
    emitted_at: ColumnElement[int] = event.c.id // id_floor(EPOCH_2020_MS + 1) + EPOCH_2020_MS
    started_at: ColumnElement[int] = emitted_at - event.c.duration_ms - func.coalesce(event.c.started_lag_ms, 0)
    return started_at == instant


DERIVED: Mapping[str, Callable[[int], ColumnElement[bool]]] = {
    "event_id": lambda number: event.c.id == number,
    "emitted_at": _emitted_at,
    "started_at": _started_at,
}
