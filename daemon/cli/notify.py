"""`runbookd notify test`: a message to every receiver now, or a look at their URLs."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.cli.output import ABSENT, Cell, print_json, print_table
from daemon.domain.notification import Message

HELP = "send a test message"
DEADLINE_SECONDS = 30.0
NO_URLS = "has no URLs: set RUNBOOKD_NOTIFY_URLS, or mend its references"


def configure(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    test = commands.add_parser("test", help="send a message to every receiver, and say what became of it")
    test.add_argument("--dry-run", action="store_true", help="only look whether Apprise takes their URLs")
    test.add_argument("--json", action="store_true", help="print an object")


def run(args: Namespace) -> int:
    """0: all is well; 1: a channel failed, or there is none; bad settings and files raise `ConfigError`."""
    from daemon.adapters.config.alerts_file import load
    from daemon.adapters.config.secrets import receiver_urls
    from daemon.adapters.config.settings import load_settings
    from daemon.app.shelf import scan

    settings, shelves = load_settings(args.config), scan()
    loaded = load(settings.alerts_path, rules=shelves.rules, mitigations=shelves.mitigations)
    body = f"Messages of runbookd on {settings.node_id} arrive here."
    message = None if args.dry_run else Message(title="[test] runbookd", body=body)
    rows = asyncio.run(_try(receiver_urls(loaded.config, settings), message))
    if args.json:
        print_json({"dry_run": args.dry_run, "channels": rows})
    else:
        print_table(("RECEIVER", "CHANNEL", "RESULT", "WHY"), [_cells(row, args.dry_run) for row in rows])
    return 0 if rows and all(row["ok"] for row in rows) else 1


async def _try(receivers: Mapping[str, Sequence[str]], message: Message | None) -> list[dict[str, Any]]:
    """One row a channel. Without a message nothing is sent."""
    from daemon.adapters.config.secrets import mask
    from daemon.adapters.notify.process import AppriseProcess

    notifier = AppriseProcess()

    async def one(receiver: str, url: str) -> dict[str, Any]:
        if message is None:
            ((_, ok, error),) = await notifier.instantiates((url,))
        else:
            delivery = await notifier.send((url,), message, DEADLINE_SECONDS)
            ok, error = delivery.delivered, delivery.error or ""
        return {"receiver": receiver, "channel": mask(url), "ok": ok, "error": error or None}

    try:
        channels = [one(receiver, url) for receiver, urls in receivers.items() for url in urls]
        deaf = [receiver for receiver, urls in receivers.items() if not urls]
        return [
            *await asyncio.gather(*channels),
            *({"receiver": name, "channel": None, "ok": False, "error": NO_URLS} for name in deaf),
        ]
    finally:
        await notifier.close()


def _cells(row: dict[str, Any], dry_run: bool) -> list[Cell]:
    good = "taken" if dry_run else "delivered"
    result = (good, "green") if row["ok"] else ("failed", "red")
    return [row["receiver"], row["channel"] or ABSENT, result, row["error"] or ABSENT]
