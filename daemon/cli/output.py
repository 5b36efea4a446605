"""How commands speak to a person: aligned tables, spans in words, colour on a terminal, nothing a terminal obeys."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from daemon.adapters.clock import SystemClock
from daemon.domain.units import say_duration

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "90", "bold": "1"}
SEVERITY = {"critical": "red", "warning": "yellow"}
ABSENT = "-"

Cell = str | tuple[str, str]
"""Text, or text with a colour."""


def print_json(value: Any, *, compact: bool = False) -> None:
    """The API's own object; compact is one line."""
    print(json.dumps(value, ensure_ascii=False, indent=None if compact else 2))


def print_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Columns as wide as their widest cell."""
    plain = [[clean(_text(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *plain, strict=True)]
    print_columns(header, [(name, "bold") for name in header], widths)
    for row in rows:
        print_columns(header, row, widths)


def print_columns(header: Sequence[str], row: Sequence[Cell], widths: Sequence[int]) -> None:
    """One line of a table; the last column is not padded."""
    last = len(header) - 1
    cells = (
        colour(clean(_text(cell)).ljust(0 if n == last else widths[n]), None if isinstance(cell, str) else cell[1])
        for n, cell in enumerate(row)
    )
    print("  ".join(cells).rstrip())


def colour(text: str, name: str | None) -> str:
    """Coloured on a terminal, unless NO_COLOR is set or the terminal is dumb."""
    if name is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{COLOURS[name]}m{text}\x1b[0m"


def clean(text: str) -> str:
    """Names come from clients: control characters must not reach the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def ago(instant: str | None) -> str:
    """The span since an instant of the API, in words."""
    return ABSENT if instant is None else say_duration(max(0, SystemClock().now() - _epoch_ms(instant)) // 1000)


def until(instant: str | None) -> str:
    """The span to an instant of the API, in words."""
    return ABSENT if instant is None else say_duration(max(0, _epoch_ms(instant) - SystemClock().now()) // 1000)


def say_value(value: Any) -> str:
    """A setting as its file would write it."""
    if isinstance(value, dict):
        return " ".join(f"{name}={say_value(one)}" for name, one in value.items())
    return ABSENT if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def milliseconds(value: float | None) -> str:
    """`640ms`, `3.2s`."""
    if value is None:
        return ABSENT
    return f"{value:.0f}ms" if value < 1000 else f"{value / 1000:.1f}s"


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _epoch_ms(instant: str) -> int:
    return round((datetime.fromisoformat(instant) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
