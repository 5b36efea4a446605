"""`runbookd notify test`: a message to every receiver now, or a look at their URLs."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from daemon.cli.output import ABSENT, Cell, print_json, print_table
from daemon.domain.notification import Channel, Message
from daemon.logic.alertmanager import plain

HELP = "send a test message"
DEADLINE_SECONDS = 30.0
NO_URLS = "has no URLs: set RUNBOOKD_NOTIFY_URLS, or mend its references"


def configure(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    test = commands.add_parser("test", help="send a message to every receiver, and say what became of it")
    test.add_argument("--dry-run", action="store_true", help="only look whether Apprise takes their URLs")
    test.add_argument("--json", action="store_true", help="print an object")
    commands.add_parser(
        "hook", help="print the address to which TrueNAS, or whoever posts as to Slack, sends its alerts"
    )


def run(args: Namespace) -> int:
    """0: all is well; 1: a channel failed, or there is none; bad settings and files raise `ConfigError`."""
    if args.action == "hook":
        return _print_hook(args)
    from daemon.adapters.config.alerts_file import load
    from daemon.adapters.config.secrets import receiver_channels
    from daemon.adapters.config.settings import load_settings
    from daemon.app.shelf import scan

    settings, shelves = load_settings(args.config), scan()
    proxy = settings.proxy_host, settings.proxy_port
    loaded = load(settings.alerts_path, shelves)
    receivers = receiver_channels(loaded.config, settings, leads_home=lambda url: False)  # told as what it is below
    test = Message(title="[test] runbookd", body=f"Messages of runbookd on {settings.node_id} arrive here.")
    message = None if args.dry_run else replace(test, structured=plain(test))
    rows = asyncio.run(_try(receivers, message, proxy))
    if args.json:
        print_json({"dry_run": args.dry_run, "channels": rows})
    else:
        print_table(("RECEIVER", "CHANNEL", "RESULT", "WHY"), [_cells(row, args.dry_run) for row in rows])
    return 0 if rows and all(row["ok"] for row in rows) else 1


def _print_hook(args: Namespace) -> int:
    """The key in it is a secret: who knows it can raise alerts, and nothing else."""
    from daemon.adapters.config.settings import load_settings
    from daemon.adapters.web.guard import HOOKS, hook_key
    from daemon.cli.client import token_of

    settings = load_settings(args.config)
    print(f"{settings.public_url_resolved.rstrip('/')}{HOOKS}{hook_key(token_of(settings))}")
    return 0


async def _try(
    receivers: Mapping[str, Sequence[Channel]], message: Message | None, proxy: tuple[str, int]
) -> list[dict[str, Any]]:
    """One row a channel. Without a message nothing is sent."""
    from daemon.adapters.config.secrets import mask
    from daemon.adapters.notify.process import AppriseProcess

    notifier = AppriseProcess(proxy=proxy)

    async def one(receiver: str, channel: Channel) -> dict[str, Any]:
        if message is None:
            ((_, ok, error),) = await notifier.instantiates((channel,))
        else:
            delivery = await notifier.send((channel,), message, DEADLINE_SECONDS)
            ok, error = delivery.delivered, delivery.error or ""
        return {"receiver": receiver, "channel": mask(channel.url), "ok": ok, "error": error or None}

    try:
        channels = [one(receiver, channel) for receiver, those in receivers.items() for channel in those]
        deaf = [receiver for receiver, those in receivers.items() if not those]
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
