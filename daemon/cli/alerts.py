"""`runbookd alerts`: what is pending, firing and resolved."""

from argparse import ArgumentParser, Namespace
from typing import Any

from daemon.cli.client import connect
from daemon.cli.output import ABSENT, SEVERITY, Cell, ago, clean, print_json, print_table

HELP = "what is pending, firing and resolved"
STATES = ("firing", "pending", "resolved")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--state", choices=STATES, help="only alerts in this state")
    parser.add_argument("--alert", metavar="NAME", help="only alerts of this rule")
    parser.add_argument("--json", action="store_true", help="print the API's object")


def run(args: Namespace) -> int:
    wanted = {name: value for name in ("state", "alert") if (value := getattr(args, name)) is not None}
    answer = connect(args).get("alerts", wanted)
    if args.json:
        print_json(answer)
    elif not answer["alerts"]:
        print("No alerts.")
    else:
        rows = sorted(answer["alerts"], key=lambda row: (STATES.index(row["state"]), row["severity"], row["since"]))
        print_table(
            ("STATE", "SEVERITY", "ALERT", "LABELS", "VALUE", "BAD", "FOR", "MITIGATIONS"), list(map(_row, rows))
        )
        for row in rows:
            if row["state"] == "firing":
                _tell(row)
    return 0


def _tell(row: dict[str, Any]) -> None:
    """What it is about, and why it may be silent."""
    silent = [row["muted_by"], f"acknowledged by {row['acknowledged_by']}" if row["acknowledged_by"] else ""]
    if row["summary"] or any(silent):
        print(f"\n{row['alert']}: {clean(row['summary'])}".removesuffix(": "))
    for line in filter(None, silent):
        print(f"  {clean(line)}")


def _row(row: dict[str, Any]) -> list[Cell]:
    shade = SEVERITY.get(row["severity"], "bold") if row["state"] == "firing" else "grey"
    return [
        (row["state"], shade),
        row["severity"],
        row["alert"],
        " ".join(f"{name}={value}" for name, value in row["labels"].items()) or ABSENT,
        clean(row["value_text"]) or ABSENT,
        f"{row['bad']}/{row['samples']}" if row["samples"] else ABSENT,
        ago(row["since"]),
        " ".join(row["mitigations"]) or ABSENT,
    ]
