"""`runbookd fake`: a fake upstream with four wires and faults, for trying things out."""

import asyncio
import signal
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from socket import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.adapters.fake.app import FakeUpstream

HELP = "a fake upstream with four wires and faults, for trying things out"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8317, help="0 is any free one (default: 8317)")
    parser.add_argument(
        "--scenario",
        default="healthy",
        metavar="FILE|NAME",
        help="YAML, or one of healthy, storm, spark, spark-not-in-plan, zero-usage, thinking-drift, down",
    )
    parser.add_argument(
        "--api-key", action="append", default=[], metavar="KEY", help="a key that clients must send; may be repeated"
    )
    parser.add_argument("--management-key", metavar="KEY", help="serve the management API under this key")
    parser.add_argument(
        "--credentials",
        type=int,
        default=1,
        choices=range(1, 27),
        metavar="N",
        help="so many of each provider, which serve in turn (default: 1)",
    )
    parser.add_argument(
        "--build",
        metavar="NAME",
        help="serve what this one does: mainline, PP-HEAD, PLUS-692 (6.9.2), PP-38 (6.8.38), PLUS-669 (6.6.9), "
        "or plain openai, anthropic or gemini (default: mainline)",
    )
    parser.add_argument(
        "--trace",
        action=BooleanOptionalAction,
        help="say the credential in X-CPA-TRACE-ID (default: as the build does)",
    )


def run(args: Namespace) -> int:
    from daemon.adapters.clock import SystemClock
    from daemon.adapters.fake.app import FakeUpstream
    from daemon.adapters.fake.credentials import several
    from daemon.adapters.fake.flavours import FLAVOURS
    from daemon.adapters.fake.scenario import load_scenario
    from daemon.app.serving import listen
    from daemon.domain.errors import Misuse

    if args.build not in (None, *FLAVOURS):
        raise Misuse(f"--build {args.build}: known are {', '.join(FLAVOURS)}")
    upstream = FakeUpstream(
        clock=SystemClock(),
        scenario=load_scenario(args.scenario),
        api_keys=args.api_key,
        management_key=args.management_key,
        trace=args.trace,
        version=args.build,
        credentials=several(args.credentials),
    )
    asyncio.run(_serve(upstream, listen(args.host, args.port, setting="--port"), args.scenario))
    return 0


async def _serve(upstream: "FakeUpstream", listener: socket, scenario: str) -> None:
    """Until SIGINT or SIGTERM."""
    from daemon.adapters.fake.playback import serving

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(upstream, listener) as address:
        print(f"fake upstream at {address} ({scenario}); change it with PUT {address}/_fake/scenario", flush=True)
        await stop.wait()
