"""`runbookd explain ALERT`: why it fired or not, was sent or not, acted or not, now or at an instant."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from daemon.adapters.clock import SystemClock
from daemon.cli.client import connect
from daemon.cli.output import SEVERITY, clean, colour, print_json
from daemon.domain.units import parse_duration

HELP = "why an alert fired or not, was sent or not, acted or not"
SHADES = {"firing": SEVERITY["critical"], "clearing": SEVERITY["warning"], "pending": SEVERITY["warning"]}
DAY = timedelta(days=1)


def configure(parser: ArgumentParser) -> None:
    parser._negative_number_matcher = re.compile(r"-\d")  # `--at -2h`: nothing that begins so is an option here
    parser.add_argument("alert", metavar="ALERT", help="the name of an alert, as `runbookd alerts` shows it")
    parser.add_argument(
        "--at", metavar="T", type=_instant, help="at an instant: 03:10 (UTC, the latest), -2h, 2026-11-24T03:10Z"
    )
    parser.add_argument("--json", action="store_true", help="print the API's object")


def run(args: Namespace) -> int:
    """1 when there is no such alert."""
    wanted = {"alert": args.alert} | ({"at": args.at} if args.at else {})
    told = connect(args).get("explain", wanted)
    if args.json:
        print_json(told)
    else:
        _print(told)
    return 1 if told["decision"] == "unknown" else 0


def _print(told: dict[str, Any]) -> None:
    decision = colour(told["decision"], SHADES.get(told["decision"], "green"))
    print(f"{colour(clean(told['alert']), 'bold')} at {told['at'][:19].replace('T', ' ')} UTC: {decision}")
    for line in told["because"]:
        print(f"  - {clean(line)}")
    for name, done in (("notified", "sent"), ("acted", "something is done about it")):
        why = told[f"not_{name}_because"]
        print(f"{name}: {done if why is None else f'no, {clean(why)}'}")


def _instant(text: str) -> str:
    """An instant of a person as the API takes it."""
    now = datetime.fromtimestamp(SystemClock().now() / 1000, UTC)
    try:
        return _read(text, now).isoformat()
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is no instant: write 03:10 (UTC), -2h, or 2026-11-24T03:10Z") from None


def _read(text: str, now: datetime) -> datetime:
    if text.startswith("-"):
        return now - timedelta(seconds=parse_duration(text[1:]))
    if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text):
        at = datetime.combine(now.date(), time.fromisoformat(text), UTC)
        return at if at <= now else at - DAY
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
