"""A storm through `runbookd proxy`: nothing may go wrong that is our fault, and nothing may be left behind.

python bench/soak.py --seconds 240 [--workers 1] [--clients 32]
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic

import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.storm.acts import Client  # noqa: E402
from bench.storm.ends import ends_well  # noqa: E402
from bench.storm.spool import outcomes  # noqa: E402
from bench.storm.tally import GOOD, OURS, Tally  # noqa: E402
from bench.storm.upstream import Upstream, storming  # noqa: E402
from bench.storm.vitals import Sample, growth_mib, sample  # noqa: E402
from daemon.app.rig import free_ports  # noqa: E402

CALM_REQUESTS = 1000
START_SECONDS, STOP_SECONDS, SETTLE_SECONDS = 30, 60, 20
IDLE_FDS, MOST_GROWTH_MIB = 4, 4.0
"""What may be left after the storm; by what memory may still grow towards its end."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=240)
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--clients", type=int, default=32)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--keep", action="store_true", help="keep the directory with spool and log")
    chosen = options.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="soak", dir="/tmp"))
    try:
        return uvloop.run(soak(chosen, directory))
    finally:
        if chosen.keep:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


async def soak(options: argparse.Namespace, directory: Path) -> int:
    random, tally = Random(options.seed), Tally()
    (port,) = free_ports(1)
    async with storming(random) as upstream:
        with proxies(directory, port, upstream.port, options.workers) as processes:
            await ready(port, processes)
            pids = [process.pid for process in processes]
            await Client(port, upstream, tally, random).act("plain")
            start = sample(pids)
            samples = await storm(options, port, upstream, tally, pids)
            calm = await calm_after(port, upstream, random)
            last = await settled(pids, start)
            tally.possible, tally.certain = tally.possible + CALM_REQUESTS, tally.certain + calm
            problems = await ends_well(port, upstream, tally, processes, STOP_SECONDS)
    return report(tally, samples, [start, last], calm, directory, problems)


@contextmanager
def proxies(directory: Path, port: int, upstream_port: int, workers: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Real ones, which share the port."""
    settings = {
        "UPSTREAM_URL": f"http://127.0.0.1:{upstream_port}",
        "PROXY_PORT": str(port),
        "PROXY_WORKERS": str(workers),
        "STATE_DIR": str(directory / "state"),
        "RUNTIME_DIR": str(directory / "run"),
        "SPOOL_MAX": "2GiB",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNBOOKD_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), **{f"RUNBOOKD_{name}": value for name, value in settings.items()}}
    with (directory / "proxy.log").open("ab") as log:
        processes = [
            subprocess.Popen(
                [sys.executable, "-P", "-m", "daemon", "proxy", "--worker", str(worker)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            for worker in range(workers)
        ]
    try:
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


async def ready(port: int, processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """When each of them has been given a moment to listen, and one answers."""
    until = monotonic() + START_SECONDS
    while monotonic() < until and all(process.poll() is None for process in processes):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        except OSError:
            await asyncio.sleep(0.1)
        else:
            await asyncio.sleep(1.0 if len(processes) > 1 else 0.2)
            return
    raise SystemExit("the proxy does not start")


async def storm(
    options: argparse.Namespace, port: int, upstream: Upstream, tally: Tally, pids: Sequence[int]
) -> list[Sample]:
    until, samples = monotonic() + options.seconds, [sample(pids)]
    clients = [Client(port, upstream, tally, Random(options.seed * 1000 + one)) for one in range(options.clients)]
    running = asyncio.gather(*(client.run(until) for client in clients))
    while not running.done():
        await asyncio.wait([running], timeout=1.0)
        samples.append(sample(pids))
        if len(samples) % 30 == 0:
            print(f"{samples[-1]}, {tally.total(GOOD)} good, {tally.total(OURS)} ours", flush=True)
    running.result()
    return samples


async def calm_after(port: int, upstream: Upstream, random: Random) -> int:
    """How many of the plain requests after the storm are answered well."""
    upstream.is_calm = True
    await asyncio.sleep(3.0)  # the last of the connections that were to die have died
    tally = Tally()
    client = Client(port, upstream, tally, random)
    while tally.certain < CALM_REQUESTS and not tally.total(OURS):
        await client.act("plain")
    return tally.total(GOOD)


async def settled(pids: Sequence[int], start: Sample) -> Sample:
    """When idle connections were dropped, or should have been."""
    until = monotonic() + SETTLE_SECONDS
    while monotonic() < until and sample(pids).fds > start.fds + IDLE_FDS:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    return sample(pids)


def report(
    tally: Tally, samples: list[Sample], ends: list[Sample], calm: int, directory: Path, problems: list[str]
) -> int:
    start, last = ends
    events, faults = outcomes(directory / "state" / "spool")
    log = (directory / "proxy.log").read_text(errors="replace")
    print(f"\n{'act':<16}{'good':>9}{'expected':>10}{'race':>7}{'ours':>7}")
    for act, *counts in tally.rows():
        print(f"{act:<16}{counts[0]:>9}{counts[1]:>10}{counts[2]:>7}{counts[3]:>7}")
    print(f"\nafter the storm: {calm} of {CALM_REQUESTS} plain requests")
    print(f"descriptors: {start.fds} at the start, at most {max(one.fds for one in samples)}, {last.fds} at the end")
    print(f"threads: {start.threads}, at most {max(one.threads for one in samples)}, {last.threads}")
    print(f"memory: {start.rss_mib:.1f} MiB, {samples[-1].rss_mib:.1f} MiB, last third {growth_mib(samples):+.2f} MiB")
    print(f"events: {sum(events.values())} of {tally.certain} to {tally.possible}: {dict(events.most_common())}")
    print(f"faults: {dict(faults.most_common())}")
    total = sum(events.values())
    problems += [f"{tally.total(OURS)} failures of ours"] * bool(tally.total(OURS))
    problems += ["plain requests fail after the storm"] * (calm != CALM_REQUESTS)
    problems += ["descriptors are left"] * (last.fds > start.fds + IDLE_FDS)
    problems += ["memory grows"] * (growth_mib(samples) > MOST_GROWTH_MIB)
    problems += ["events are missing"] * (total < tally.certain) + ["too many events"] * (total > tally.possible)
    problems += ["too few events are ok"] * (events["ok"] < tally.good_answers)
    problems += ["mistakes of our own in the events"] * bool(faults["denied without a fault"])
    problems += ["the log tells of mistakes:\n" + log[-6000:]] * ("Traceback" in log or "ERROR" in log)
    for line in problems:
        print("!", line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
