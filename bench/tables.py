"""Medians of the rounds, and Markdown tables of them with ratios to nginx."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.leaving import Leaving
from bench.points import Point

Entry = dict[str, Any]
Rounds = dict[tuple[str, str], list[Entry]]
"""By point and candidate."""
Medians = dict[tuple[str, str], Entry]
Columns = dict[str, tuple[str, int]]
"""By key: title, digits."""

YARDSTICKS = ("nginx", "base")
"""The first of them that was measured is 1."""
ADDED = {"added_p50": "latency_p50", "added_p99": "latency_p99", "added_delay_p50": "delay_p50"}
USED: Columns = {
    "cores": ("cores", 2),
    "rss_mib": ("RSS MiB", 0),
    "errors": ("errors", 0),
    "foreign_cores": ("foreign", 2),
}
JSON: Columns = {
    "rps": ("rps", 0),
    "latency_p50": ("p50 us", 0),
    "latency_p99": ("p99 us", 0),
    "added_p50": ("+p50 us", 0),
    "added_p99": ("+p99 us", 0),
    "cpu_us": ("CPU us/request", 1),
    **USED,
}
SSE: Columns = {
    "chunks_per_second": ("chunks/s", 0),
    "delay_p50": ("delay p50 us", 0),
    "delay_p99": ("p99 us", 0),
    "added_delay_p50": ("+p50 us", 0),
    "ttft_p50": ("TTFT p50 us", 0),
    "ttft_p99": ("p99 us", 0),
    "cpu_us": ("CPU us/chunk", 1),
    **USED,
}
LEAVING: Columns = {
    "in_stream_ms": ("in the stream, ms", 1),
    "in_stream_worst_ms": ("worst", 1),
    "before_head_ms": ("before the head, ms", 1),
    "before_head_worst_ms": ("worst", 1),
}
WITHOUT_RATIO = {"rss_mib", "errors", "foreign_cores", *LEAVING}


def medians(rounds: Rounds) -> Medians:
    """From the quiet rounds where there are any; with what is added to `direct`."""
    entries = {key: _median(runs) for key, runs in rounds.items()}
    for (point, name), entry in entries.items():
        plain = entries.get((point, "direct"), {})
        for added, whole in ADDED.items():
            if name != "direct" and whole in entry and whole in plain:
                entry[added] = entry[whole] - plain[whole]
    return entries


def _median(runs: Sequence[Entry]) -> Entry:
    quiet = [run for run in runs if not run["noisy"]] or runs
    known = {key: [run[key] for run in quiet if run.get(key) is not None] for key in quiet[0]}
    entry = {key: median(values) for key, values in known.items() if values}
    return {
        **entry,
        "errors": sum(run.get("errors", 0) for run in runs),
        "noisy": quiet[0]["noisy"],
        "runs": len(quiet),
    }


def line(point: Point, entry: Entry) -> str:
    """One run."""
    return ", ".join(f"{title} {_cell(key, digits, entry, {})}" for key, (title, digits) in _columns(point).items())


def _columns(point: Point) -> Columns:
    return LEAVING if isinstance(point, Leaving) else SSE if point.chunks else JSON


def table(point: Point, entries: Medians) -> str:
    columns = _columns(point)
    rows = {name: entry for (of, name), entry in entries.items() if of == point.name}
    unit = next((rows[name] for name in YARDSTICKS if name in rows), {})
    titles = ["", *(title for title, _ in columns.values())]
    return "\n".join(
        [
            f"\n### {point.name}: {point.says}\n",
            f"| {' | '.join(titles)} |",
            f"| --- {'| ---: ' * len(columns)}|",
            *(_row(name, entry, unit, columns) for name, entry in rows.items()),
        ]
    )


def _row(name: str, entry: Entry, unit: Entry, columns: Columns) -> str:
    cells = [_cell(key, digits, entry, unit) for key, (_, digits) in columns.items()]
    return f"| {' | '.join([name + '*' * entry['noisy'], *cells])} |"


def _cell(key: str, digits: int, entry: Entry, unit: Entry) -> str:
    if entry.get(key) is None:
        return "-"
    said = f"{entry[key]:,.{digits}f}"
    if key in WITHOUT_RATIO or entry is unit or not unit.get(key):
        return said
    return f"{said} ({entry[key] / unit[key]:.3g})"
