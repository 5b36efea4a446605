"""`runbookd events tail`: the requests that pass, as they end."""

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from daemon.cli.client import ControlClient, connect
from daemon.cli.output import ABSENT, Cell, milliseconds, print_columns, print_json

HELP = "follow the requests that pass"
POLL_SECONDS = 1.0
PAGE = 1000
HEADER = ("TIME", "STATUS", "OUTCOME", "PROVIDER", "MODEL", "TOOK", "FIRST", "TOKENS")
WIDTHS = (12, 6, 21, 12, 36, 7, 7, 0)


def configure(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    tail = commands.add_parser("tail", help="the last requests, oldest first")
    tail.add_argument("-n", "--lines", type=int, default=20, metavar="N", help=f"how many, at most {PAGE} (20)")
    tail.add_argument("-f", "--follow", action="store_true", help="go on as they come")
    tail.add_argument("--json", action="store_true", help="one object a line, with every field")
    tail.add_argument(
        "filters", nargs="*", type=_filter, metavar="FIELD=VALUE", help="only these: provider_key=codex outcome=failed"
    )


def run(args: Namespace) -> int:
    client, filters = connect(args), dict(args.filters)
    if not args.json:
        print_columns(HEADER, [(name, "bold") for name in HEADER], WIDTHS)
    last = _last(client, filters, args.lines)
    for event in chain(last, _following(client, filters, last) if args.follow else ()):
        if args.json:
            print_json(event, compact=True)
        else:
            print_columns(HEADER, _row(event), WIDTHS)
    return 0


def _filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    return name, value


def _last(client: ControlClient, filters: Mapping[str, str], count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("events", {"limit": str(count), **filters})["events"]
    return found[::-1]


def _following(
    client: ControlClient, filters: Mapping[str, str], last: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Never ends. Ids rise with time, so what is new has a higher one."""
    seen = max((int(event["event_id"]) for event in last), default=0)
    while True:
        time.sleep(POLL_SECONDS)
        for event in _newer(client, filters, seen):
            seen = int(event["event_id"])
            yield event


def _newer(client: ControlClient, filters: Mapping[str, str], seen: int) -> list[dict[str, Any]]:
    """Pages back until what was seen, so that a burst leaves no hole; without anything seen one page will do."""
    found: list[dict[str, Any]] = []
    page = client.get("events", {"limit": str(PAGE), **filters})
    while True:
        fresh = [event for event in page["events"] if int(event["event_id"]) > seen]
        found += fresh
        if not seen or page["next"] is None or len(fresh) < len(page["events"]):
            return found[::-1]
        page = client.get("events", {"limit": str(PAGE), "before": page["next"], **filters})


def _row(event: dict[str, Any]) -> list[Cell]:
    sent, asked = event["model_id"], event["requested_model"]
    return [
        event["emitted_at"][11:23],
        str(event["status"] or ABSENT),
        (event["fault"] or event["outcome"], "red" if event["outcome"] == "failed" else "green"),
        event["provider_key"],
        f"{asked} -> {sent}" if asked and sent and asked != sent else asked or ABSENT,
        milliseconds(event["duration_ms"]),
        milliseconds(event["ttft_ms"]),
        str(ABSENT if event["total_tokens"] is None else event["total_tokens"]),
    ]
