"""`runbookd ack`: look after what fires, so that it is repeated no more."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any
from urllib.parse import quote

from daemon.cli.client import connect
from daemon.cli.output import clean, print_json
from daemon.domain.errors import Conflict

HELP = "look after what fires: it is repeated no more"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("alerts", nargs="+", metavar="NAME", help="an alert's name, or the fingerprint of one of them")
    parser.add_argument("--by", metavar="NAME", help="who looks after it; you, unless said")
    parser.add_argument("--json", action="store_true", help="print the rows")


def run(args: Namespace) -> int:
    """Each by itself: one that does not fire keeps no other from being acknowledged."""
    client, body = connect(args), {} if args.by is None else {"author": args.by}
    rows: list[dict[str, Any]] = []
    refused = 0
    for name in args.alerts:
        try:
            rows += client.post(f"alerts/{quote(name, safe='')}/ack", body)["alerts"]
        except Conflict as conflict:
            refused += 1
            print(f"runbookd: {clean(str(conflict))}", file=sys.stderr)
    if args.json:
        print_json({"alerts": rows})
    else:
        for row in rows:
            labels = " ".join((row["severity"], *(f"{name}={value}" for name, value in row["labels"].items())))
            print(clean(f"{row['alert']}  {labels}: acknowledged by {row['acknowledged_by']}"))
    return 1 if refused else 0
