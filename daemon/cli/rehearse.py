"""`runbookd rehearse`: what the rules would have done, before they are let do it."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.output import clean, print_json

if TYPE_CHECKING:
    from daemon.adapters.config.alerts_file import Loaded
    from daemon.adapters.config.settings import Settings
    from daemon.domain.in_shadow import ShadowSum
    from daemon.domain.upstream_past import Rehearsal, Replies

HELP = "what the rules would have done lately, by the upstream's own past, or in shadow"
FIRED, MISUSE, UNREACHABLE = 1, 2, 3
NO_KEY = (
    "the upstream tells of its past only through its management API: set RUNBOOKD_UPSTREAM_MANAGEMENT_KEY to the key "
    "that its config.yaml has as remote-management.secret-key"
)


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--rules", type=Path, metavar="FILE", help="an alerts file; else that of the settings")
    parser.add_argument(
        "--past", action="store_true", help="the upstream's past, also where the daemon has been in mode shadow"
    )
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: Namespace) -> int:
    """0 nothing would have fired, as far as can be told; 1 something would; 2 a key or a setting is missing or wrong; 3
    the upstream does not answer."""
    from daemon.adapters.config.settings import load_settings

    settings = load_settings(args.config)
    loaded = _load(args.rules or settings.alerts_path)
    if args.rules is None and not args.past and (found := _in_shadow(settings, loaded)) is not None:
        return _tell_shadow(found, args)
    replies = _ask(settings)
    return replies if isinstance(replies, int) else _tell_past(_rehearse(loaded, replies), args)


def _load(path: Path) -> "Loaded":
    from daemon.adapters.config.alerts_file import load
    from daemon.app.shelf import scan

    shelves = scan()
    return load(path, shelves)


def _in_shadow(settings: "Settings", loaded: "Loaded") -> "ShadowSum | None":
    """A ledger that cannot be read is told of, and the past is asked instead."""
    from daemon.adapters.clock import SystemClock
    from daemon.app.rehearsing_shadow import in_shadow
    from daemon.domain.errors import StoreFailure

    modes = [
        min(mode, settings.mitigation_mode, key=lambda one: one.rank)
        for mode in (loaded.config.mode.soft, loaded.config.mode.upstream)
    ]
    try:
        return asyncio.run(in_shadow(settings, modes, SystemClock().now()))
    except StoreFailure as failure:
        print(f"runbookd: what was noted in shadow cannot be read: {failure}", file=sys.stderr)
        return None


def _ask(settings: "Settings") -> "Replies | int":
    """The upstream's replies, or an exit code, once it is said what stands in the way."""
    from daemon.domain.errors import ManagementFailure

    key = settings.upstream_management_key
    if key is None:
        return _refuse(NO_KEY, MISUSE)
    try:
        return asyncio.run(_replies(settings.upstream_url, key.get_secret_value()))
    except ManagementFailure as failure:
        return _refuse(str(failure), MISUSE if failure.barred else UNREACHABLE)


async def _replies(url: str, key: str) -> "Replies":
    from daemon.adapters.clock import SystemClock
    from daemon.adapters.management.client import ManagementClient
    from daemon.adapters.management.past import ask

    clock = SystemClock()
    client = ManagementClient(url, key, clock)
    try:
        return await ask(client, clock.now())
    finally:
        await client.close()


def _rehearse(loaded: "Loaded", replies: "Replies") -> "Rehearsal":
    from daemon.adapters.config.built_in import own_rules
    from daemon.app.rehearsing import rehearse
    from daemon.app.shelf import wires

    own = {rule.alert for rule in own_rules(loaded.config)}
    return asyncio.run(rehearse(loaded.config, replies, wires(), own=own))


def _tell_past(found: "Rehearsal", args: Namespace) -> int:
    from daemon.cli import rehearse_words

    if args.json:
        print_json(rehearse_words.as_object(found))
    else:
        print("\n".join(map(clean, rehearse_words.lines(found))))
    return FIRED if found.has_fired else 0


def _tell_shadow(found: "ShadowSum", args: Namespace) -> int:
    from daemon.cli import rehearse_shadow_words

    if args.json:
        print_json(rehearse_shadow_words.as_object(found))
    else:
        print("\n".join(map(clean, rehearse_shadow_words.lines(found))))
    return FIRED if found.acts else 0


def _refuse(why: str, code: int) -> int:
    print(f"runbookd: {clean(why)}", file=sys.stderr)
    return code
