"""`runbookd silence`: add, list and expire silences and maintenance windows."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from daemon.adapters.clock import SystemClock
from daemon.cli.client import ControlClient, connect
from daemon.cli.output import Cell, clean, print_json, print_table, until
from daemon.domain.errors import Misuse
from daemon.domain.units import parse_duration

HELP = "add, list and expire silences and maintenance windows"
INSTANT = "2026-11-24T22:00, by the clock of this machine unless an offset is written, or +30m from now"


def configure(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = commands.add_parser("add", help="mute alerts for a time; mitigations go on")
    add.add_argument("matchers", nargs="*", metavar="LABEL=GLOB", help="all must match, such as alert=Provider*")
    add.add_argument("--for", dest="for_", metavar="TIME", help="how long, such as 2h")
    add.add_argument("--until", metavar="INSTANT", help=INSTANT)
    add.add_argument("--from", dest="from_", metavar="INSTANT", help="when it begins; now, unless said")
    add.add_argument("--comment", default="", metavar="TEXT", help="why")
    add.add_argument("--by", metavar="NAME", help="whose it is; yours, unless said")
    listing = commands.add_parser("list", help="those that have not ended, and what they mute")
    expire = commands.add_parser("expire", help="end them now")
    expire.add_argument("silences", nargs="*", metavar="ID")
    expire.add_argument("--all", action="store_true", help="every one that has not ended")
    expire.set_defaults(parser=expire)
    for one in (add, listing, expire):
        one.add_argument("--json", action="store_true", help="print the API's object")


def run(args: Namespace) -> int:
    if args.action == "expire" and bool(args.silences) == args.all:
        args.parser.error("name silences, or say --all")
    work = {"add": _add, "list": _list, "expire": _expire}[args.action]
    return work(args)


def _add(args: Namespace) -> int:
    now = SystemClock().now()
    wanted = {
        "matchers": _matchers(args.matchers),
        "for": args.for_,
        "ends_at": _instant(args.until, now),
        "starts_at": _instant(args.from_, now),
        "comment": args.comment,
        "author": args.by,
    }
    row = connect(args).post("silences", {name: value for name, value in wanted.items() if value is not None})
    if args.json:
        print_json(row)
    else:
        print(clean(f"{row['id']}  {_say(row)}: {_when(row)}"))
    return 0


def _list(args: Namespace) -> int:
    answer = connect(args).get("silences")
    if args.json:
        print_json(answer)
    elif not answer["silences"]:
        print("No silences.")
    else:
        print_table(("ID", "MATCHERS", "WHEN", "BY", "COMMENT"), list(map(_row, answer["silences"])))
    return 0


def _expire(args: Namespace) -> int:
    client = connect(args)
    rows = [client.delete(f"silences/{quote(id_, safe='')}") for id_ in args.silences or _open_ids(client)]
    if args.json:
        print_json({"silences": rows})
    else:
        for row in rows:
            print(clean(f"{row['id']}  {_say(row)}: expired"))
    return 0


def _open_ids(client: ControlClient) -> list[str]:
    return [row["id"] for row in client.get("silences")["silences"]]


def _row(row: dict[str, Any]) -> list[Cell]:
    return [row["id"], _say(row), _when(row), row["author"], row["comment"]]


def _say(row: dict[str, Any]) -> str:
    return " ".join(f"{name}={wanted}" for name, wanted in row["matchers"].items())


def _when(row: dict[str, Any]) -> str:
    begins, ends = until(row["starts_at"]), f"ends in {until(row['ends_at'])}"
    return ends if begins == "0s" else f"begins in {begins}, {ends}"


def _matchers(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise Misuse(f"'{clean(name)}' is no matcher: write LABEL=GLOB, such as alert=Provider*")
    names = [name for name, _, _ in pairs]
    if len({*names}) < len(names):
        raise Misuse("a label can be matched once: write a glob that fits both")
    return {name: wanted for name, _, wanted in pairs}


def _instant(text: str | None, now: int) -> str | None:
    """As the API takes it."""
    if text is None:
        return None
    try:
        if text.startswith("+"):
            return _iso(now + round(parse_duration(text[1:]) * 1000))
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise Misuse(f"'{clean(text)}' is no instant: write {INSTANT}") from None


def _iso(at: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).isoformat()
