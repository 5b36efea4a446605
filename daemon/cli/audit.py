"""`runbookd audit`: who did what, why, and what came of it; newest last."""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, takewhile
from typing import Any

from daemon.adapters.clock import SystemClock
from daemon.cli.client import ControlClient, connect
from daemon.cli.output import ABSENT, Cell, clean, print_columns, print_json, say_value
from daemon.domain.errors import Misuse
from daemon.domain.units import parse_duration

HELP = "who did what, why, and what came of it"
POLL_SECONDS = 1.0
PAGE = 1000
LONGEST_VALUE = 48
HEADER = ("TIME", "ACTOR", "SUBJECT", "ACTION", "BEFORE -> AFTER", "OUTCOME", "WHY")
OUTCOMES = {"failed": "red", "abandoned": "yellow", "unknown": "yellow"}

Entry = dict[str, Any]


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="how many without --since (50)")
    parser.add_argument("--since", metavar="TIME", help="all of the last while, such as 7d, or since 2026-11-24T22:00Z")
    parser.add_argument("--subject", metavar="GLOB", help="what it was done to: model_alias:*")
    parser.add_argument("--actor", metavar="GLOB", help="who did it: human:jo, rule:*, daemon")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as entries come")
    parser.add_argument("--json", action="store_true", help="print the API's object; one entry a line with -f")


def run(args: Namespace) -> int:
    client = connect(args)
    wanted = {name: text for name in ("subject", "actor") if (text := getattr(args, name))}
    since = {"since": _since(args.since)} if args.since else {}
    last = list(islice(_newest_first(client, wanted | since), None if since else args.lines))[::-1]
    if args.json and not args.follow:
        print_json({"audit": last})
        return 0
    if not (last or args.follow):
        print("No entries.")
        return 0
    coming = _following(client, wanted, last[-1]["id"] if last else None) if args.follow else ()
    _print(chain(last, coming), _widths(last), as_json=args.json)
    return 0


def _print(entries: Iterator[Entry], widths: list[int], *, as_json: bool) -> None:
    if not as_json:
        print_columns(HEADER, [(name, "bold") for name in HEADER], widths)
    for entry in entries:
        if as_json:
            print_json(entry, compact=True)
        else:
            print_columns(HEADER, _row(entry), widths)


def _newest_first(client: ControlClient, wanted: Mapping[str, str]) -> Iterator[Entry]:
    """Page by page, as far as it is read."""
    asked = {"limit": str(PAGE), **wanted}
    while True:
        page = client.get("audit", asked)
        yield from page["audit"]
        if page["next"] is None:
            return
        asked["before"] = page["next"]


def _following(client: ControlClient, wanted: Mapping[str, str], newest: str | None) -> Iterator[Entry]:
    """Never ends."""
    while True:
        time.sleep(POLL_SECONDS)
        fresh = list(takewhile(lambda entry: entry["id"] != newest, _newest_first(client, wanted)))  # noqa: B023
        newest = fresh[0]["id"] if fresh else newest
        yield from fresh[::-1]


def _row(entry: Entry) -> list[Cell]:
    before, after = say_value(entry["before"]), say_value(entry["after"])
    return [
        entry["at"][:19].replace("T", " "),
        entry["actor"],
        entry["subject"],
        entry["action"],
        ABSENT if before == after == ABSENT else f"{_short(before)} -> {_short(after)}",
        (entry["outcome"] or ABSENT, OUTCOMES.get(entry["outcome"])),
        entry["reason"] or ABSENT,
    ]


def _short(text: str) -> str:
    """`--json` has the whole of it."""
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _widths(entries: list[Entry]) -> list[int]:
    rows = [[cell if isinstance(cell, str) else cell[0] for cell in _row(entry)] for entry in entries]
    return [max(len(clean(text)) for text in column) for column in zip(HEADER, *rows, strict=True)]


def _since(text: str) -> str:
    """As the API takes it."""
    try:
        if "T" in text:
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
        return _iso(SystemClock().now() - round(parse_duration(text) * 1000))
    except (ValueError, OverflowError):
        raise Misuse(f"'{clean(text)}' is neither a time such as 7d nor an instant such as 2026-11-24T22:00Z") from None


def _iso(at: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).isoformat()
