"""`runbookd mitigations`: list them, and apply, approve, revert, hold or release them."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from daemon.cli.client import ControlClient, Unreachable, client_for, connect
from daemon.cli.output import ABSENT, Cell, ago, clean, print_json, print_table, say_value, until
from daemon.domain.errors import Conflict
from daemon.domain.mitigation import MitigationState

HELP = "list mitigations, and apply, approve, revert, hold or release them"
ACTIONS = {
    "apply": "apply it now",
    "approve": "approve what the daemon asked for",
    "revert": "undo it now",
    "hold": "change nothing until it is released",
    "release": "let the daemon go on",
}
HEADER = ("ID", "NAME", "TARGET", "STATE", "CHANGE", "ENDS", "EFFECT")

LASTING = {
    "apply": "how long, such as 2h; else until `revert`, or `max_hold`",
    "approve": "how long at most, such as 2h; else `max_hold`",
    "hold": "how long, such as 2h; else until `release`",
}
"""Those of which it can be said how long they shall last."""


def configure(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = commands.add_parser("list", help="open ones first")
    listing.add_argument("--json", action="store_true", help="print the API's object")
    for action, says in ACTIONS.items():
        one = commands.add_parser(action, help=says)
        one.add_argument("mitigations", nargs="*" if action == "revert" else "+", metavar="ID|NAME")
        if action in LASTING:
            one.add_argument("--for", dest="for_", metavar="TIME", help=LASTING[action])
        one.add_argument("--comment", metavar="TEXT", help="why, for the audit")
        one.add_argument("--by", metavar="NAME", help="who wants it; you, unless said")
        one.add_argument("--json", action="store_true", help="print the rows")
        if action == "revert":
            one.add_argument("--all", action="store_true", help="every one that is open")
            one.add_argument(
                "--if-owned", action="store_true", help="only what is still as we set it; also when nothing is running"
            )
            one.set_defaults(parser=one)


def run(args: Namespace) -> int:
    if args.action == "list":
        return _list(args)
    if args.action == "revert":
        if bool(args.mitigations) == args.all:
            args.parser.error("name mitigations, or say --all")
        if args.all and args.if_owned:
            return _revert_owned(args)
    client = connect(args)
    wanted = _open_ids(client) if args.action == "revert" and args.all else args.mitigations
    return _act(client, wanted, args, forgiving=args.action == "revert" and args.if_owned)


def _list(args: Namespace) -> int:
    answer = connect(args).get("mitigations")
    if args.json:
        print_json(answer)
    elif not answer["mitigations"]:
        print("No mitigations.")
    else:
        print_table(HEADER, list(map(_row, answer["mitigations"])))
    return 0


def _row(row: dict[str, Any]) -> list[Cell]:
    is_open = MitigationState(row["state"]).is_open
    return [
        row["id"],
        row["name"],
        row["target"],
        (row["state"], "blue" if is_open else "grey"),
        f"{say_value(row['value_before'])} -> {say_value(row['value_wanted'])}",
        _end(row),
        _helped(row),
    ]


def _end(row: dict[str, Any]) -> str:
    if row["approve_until"] and (left := until(row["approve_until"])) != "0s":
        return f"can be approved for {left} more, while its alert fires"
    if row["ended_at"]:
        return f"{ago(row['ended_at'])} ago" + (f": {row['outcome']}" if row["outcome"] else "")
    if row["held_by"]:
        still = f" for {until(row['hold_expires_at'])} more" if row["hold_expires_at"] else ""
        return f"held by {row['held_by']}{still}"
    return f"within {until(row['expires_at'])}" if row["expires_at"] else "with its alert"


def _helped(row: dict[str, Any]) -> str:
    """The proof, what it saved, and what else is to be known."""
    turns = row["saved_turns"]
    parts = (
        row["effect"] if row["effect"] != "expected" else "",
        "" if row["proof"] in (row["outcome"] or "") else row["proof"],
        f"{turns} {'turn' if turns == 1 else 'turns'} saved" if turns else "",
        row["note"],
    )
    return "; ".join(filter(None, parts)) or ABSENT


def _open_ids(client: ControlClient) -> list[str]:
    rows = client.get("mitigations")["mitigations"]
    return [row["id"] for row in rows if MitigationState(row["state"]).is_open]


def _act(client: ControlClient, wanted: list[str], args: Namespace, *, forgiving: bool) -> int:
    """Each by itself: one conflict does not keep the others from being done."""
    rows, refused = [], 0
    said = {"for": getattr(args, "for_", None), "comment": args.comment, "author": args.by}
    body = {name: value for name, value in said.items() if value is not None}
    for mitigation in wanted:
        try:
            rows.append(client.act(mitigation, args.action, body))
        except Conflict as conflict:
            refused += 1
            print(f"{clean(mitigation)}: {conflict}", file=sys.stderr)
    _print_rows(rows, args)
    return 1 if refused and not forgiving else 0


def _revert_owned(args: Namespace) -> int:
    """The stop hook's way: through the control plane if it runs, else straight on the journal it left behind."""
    from daemon.adapters.config.settings import load_settings

    settings = load_settings(args.config)
    try:
        client = client_for(settings)
        wanted = _open_ids(client)
    except Unreachable:
        from daemon.app.control_app import restore_owned

        restored = restore_owned(settings)
        for row in restored:
            print(f"{row.name}  {row.target}: {row.state}")
        return 0
    return _act(client, wanted, args, forgiving=True)


def _print_rows(rows: list[dict[str, Any]], args: Namespace) -> None:
    if args.json:
        print_json({"mitigations": rows})
        return
    for row in rows:
        print(f"{clean(row['name'])}  {clean(row['target'])}: {row['state']}")
