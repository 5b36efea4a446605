"""`runbookd drill`: a fire drill on the running installation, step by step; exit code 1 when a step was not seen."""

import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Any

from daemon.cli.client import ControlClient, connect
from daemon.cli.output import clean, colour, print_json
from daemon.domain.units import say_duration

HELP = "a fire drill: alert, message and fallback on made-up turns, end to end"
POLL_SECONDS = 0.2
WIDTH = len("the mitigation is applied")
MARKS = {"seen": ("ok", "green"), "not_done": ("not done", "yellow"), "missed": ("MISSED", "red")}

Report = dict[str, Any]


def configure(parser: ArgumentParser) -> None:
    parser.epilog = "It asks nothing of the upstream and needs no traffic. The message is a real one, marked DRILL."
    parser.add_argument("--by", metavar="NAME", help="who wants it, for the audit; you, unless said")
    parser.add_argument("--json", action="store_true", help="print the API's object, at the end")


def run(args: Namespace) -> int:
    """1 when a step was not seen."""
    client = connect(args)
    report: Report = client.post("drill", {"author": args.by} if args.by else {})["drill"]
    if not args.json:
        print(f"{colour('DRILL', 'bold')} {report['id']}")
    report = _to_its_end(client, report, quiet=args.json)
    if args.json:
        print_json({"drill": report})
    else:
        print(_verdict(report))
    return 0 if report["went_well"] else 1


def _to_its_end(client: ControlClient, report: Report, *, quiet: bool) -> Report:
    """How it was when it was over; its steps are told as they come."""
    told = 0
    while True:
        over = [step for step in report["steps"] if step["state"]]
        for step in over[told:] if not quiet else ():
            print(_line(step))
            sys.stdout.flush()
        told = len(over)
        if report["is_over"]:
            return report
        time.sleep(POLL_SECONDS)
        report = client.get("drill")["drill"]


def _line(step: dict[str, Any]) -> str:
    mark, shade = MARKS[step["state"]]
    took = f"{step['seconds']:.1f}s"
    return f"  {colour(f'{mark:<8}', shade)}  {took:>6}  {step['name']:<{WIDTH}}  {clean(step['words'])}"


def _verdict(report: Report) -> str:
    steps = report["steps"]
    seconds = sum(step["seconds"] or 0.0 for step in steps)
    missed = [step["name"] for step in steps if step["state"] in ("missed", None)]
    not_done = [step["name"] for step in steps if step["state"] == "not_done"]
    if missed:
        return f"{len(missed)} of {len(steps)} steps were not seen: {', '.join(missed)}."
    rest = f", but for what the mode does not allow: {', '.join(not_done)}" if not_done else ""
    return f"All {len(steps)} steps were seen within {say_duration(seconds)}{rest}."
