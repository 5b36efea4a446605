"""`runbookd probe`: what there is to look at the upstream with, and one look now."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import Any
from urllib.parse import quote

from daemon.cli.client import ControlClient, Unreachable, connect
from daemon.cli.output import ABSENT, Cell, ago, print_json, print_table, say_value
from daemon.domain.probe import ProbeOutcome
from daemon.domain.units import say_duration

HELP = "list the probes, and run them now"
RUN_SECONDS = 600.0
"""One may ask several models, each of which may think for a while."""
SHADES = {ProbeOutcome.OK.value: "green", ProbeOutcome.BAD.value: "red", ProbeOutcome.UNKNOWN.value: "yellow"}
WORST = (ProbeOutcome.BAD.value, ProbeOutcome.UNKNOWN.value, ProbeOutcome.OK.value)


def configure(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = commands.add_parser("list", help="every probe: whether it is on, what it costs, what it found")
    running = commands.add_parser("run", help="run probes now, whether they are on or not, within their budget")
    running.add_argument("names", nargs="*", metavar="NAME", help="else all that are on")
    running.add_argument("--gate", action="store_true", help="exit 1 also where it could not be told")
    for command in (listing, running):
        command.add_argument("--json", action="store_true", help="print an object")


def run(args: Namespace) -> int:
    """0: all verdicts are ok; 1: one is bad, or with --gate unknown."""
    try:
        client = connect(args)
        return _list(client, args) if args.action == "list" else _run(client, args)
    except Unreachable as error:
        raise Unreachable(f"{error} Probes are run by the control plane: start it with `runbookd run`.") from None


# ---- list ------------------------------------------------------------------------------------------------------------


def _list(client: ControlClient, args: Namespace) -> int:
    answer = client.get("probes")
    if args.json:
        print_json(answer)
    else:
        header = ("PROBE", "ON", "COSTS", "EVERY", "LAST RUN", "VERDICT", "TODAY")
        print_table(header, list(map(_row, answer["probes"])))
    return 0


def _row(row: dict[str, Any]) -> list[Cell]:
    return [
        row["probe"],
        ("on", "green") if row["enabled"] else ("off", "grey"),
        "tokens" if row["costs_tokens"] else "nothing",
        say_duration(row["every_seconds"]),
        f"{ago(row['ran_at'])} ago" if row["ran_at"] else ABSENT,
        _verdict(row["results"]),
        _today(row),
    ]


def _verdict(results: list[dict[str, Any]]) -> Cell:
    """The worst, and how many there are of it."""
    counts = Counter(one["outcome"] for one in results)
    worst = next((outcome for outcome in WORST if counts[outcome]), None)
    if worst is None:
        return ABSENT
    return (f"{counts[worst]} of {len(results)} {worst}" if len(results) > 1 else worst, SHADES[worst])


def _today(row: dict[str, Any]) -> str:
    if (budget := row["budget"]) is None:
        return ABSENT
    spent = row["today"]
    return f"{spent['requests']}/{budget['requests']} requests, {spent['tokens']}/{budget['tokens']} tokens"


# ---- run -------------------------------------------------------------------------------------------------------------


def _run(client: ControlClient, args: Namespace) -> int:
    names = args.names or [row["probe"] for row in client.get("probes")["probes"] if row["enabled"]]
    found = {name: _results(client, name) for name in names}
    results = [one for those in found.values() for one in those]
    if args.json:
        print_json({"results": results})
    else:
        rows = [cells for name, those in found.items() for cells in _told(name, those)]
        print_table(("PROBE", "SUBJECT", "VERDICT", "VALUE", "REASON"), rows)
    outcomes = {one["outcome"] for one in results}
    if args.gate:
        return 0 if all(found.values()) and outcomes == {ProbeOutcome.OK.value} else 1
    return 1 if ProbeOutcome.BAD.value in outcomes else 0


def _results(client: ControlClient, name: str) -> list[dict[str, Any]]:
    path = f"probes/{quote(name, safe='')}/run"
    results: list[dict[str, Any]] = client.post(path, {}, timeout_seconds=RUN_SECONDS)["results"]
    return results


def _told(name: str, results: list[dict[str, Any]]) -> list[list[Cell]]:
    if not results:
        return [[name, ABSENT, ABSENT, ABSENT, "there was nothing to look at"]]
    return [
        [
            name,
            one["subject"] or ABSENT,
            (one["outcome"], SHADES[one["outcome"]]),
            _number(one["value"]),
            one["reason"] or ABSENT,
        ]
        for one in sorted(results, key=lambda one: (WORST.index(one["outcome"]), one["subject"]))
    ]


def _number(value: float | None) -> str:
    return say_value(int(value) if value is not None and value.is_integer() else value)
