"""`runbookd demo`: play an incident in a temporary directory and show what happens."""

import asyncio
import shutil
import signal
import tempfile
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.output import clean, colour, print_json

if TYPE_CHECKING:
    from daemon.app.demo import Demo, Step

HELP = "play an incident in a temporary directory and show what happens"
SHADES = {"firing": "red", "incident": "yellow", "message": "blue", "dashboard": "bold", "turns": "bold"}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--keep", action="store_true", help="go on running afterwards, until Ctrl-C, and keep the files"
    )
    parser.add_argument("--json", action="store_true", help="print one object at the end")


def run(args: Namespace) -> int:
    from daemon.app.demo import Demo

    directory = Path(tempfile.mkdtemp(prefix="runbookd-demo-"))
    demo = Demo(directory, tell=(lambda step: None) if args.json else _tell)
    try:
        asyncio.run(_play(demo, keep=args.keep))
    except KeyboardInterrupt:
        if not args.keep or not demo.is_complete:
            raise
    finally:
        if not args.keep:
            shutil.rmtree(directory, ignore_errors=True)
    _conclude(demo, args.json)
    return 0 if demo.is_complete else 1


async def _play(demo: "Demo", *, keep: bool) -> None:
    """SIGTERM ends it as Ctrl-C does: no process is left behind."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    await demo.play(keep=keep)


def _tell(step: "Step") -> None:
    name = step.name if step.observed else "MISSING"
    shade = SHADES.get(step.name, "green") if step.observed else "red"
    print(f"{step.at_seconds:6.1f} s  {colour(f'{name:<10}', shade)} {clean(step.text)}", flush=True)


def _conclude(demo: "Demo", as_json: bool) -> None:
    missing = [step.text for step in demo.steps if not step.observed]
    if as_json:
        steps = [asdict(step) for step in demo.steps]
        print_json({"ok": demo.is_complete, "dashboard": demo.dashboard, "turns": demo.outcomes(), "steps": steps})
    elif missing:
        print(colour(f"\n{len(missing)} of {len(demo.steps)} steps were missing.", "red"))
    else:
        print(colour("\nEvery step was observed: in the API, at the upstream, and in the messages.", "green"))
