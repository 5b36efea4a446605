"""What an idle unit costs, and how often an active one syncs: `runbookd run` with a fake upstream.

python bench/idle.py [--seconds 20] [--workers 1] [--settle 25]
"""

import argparse
import asyncio
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.meter import TICKS, tree  # noqa: E402
from daemon.app.rig import CLIENT_KEY, Rig  # noqa: E402

MEMORY = Path("/dev/shm")
"""Where the runtime directory lies, as under systemd: on no disk."""
MOST_IDLE_SHARE = 0.002
MOST_SYNCS = 1.0
"""In an active second."""
TRACED = "write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,ftruncate,rename,unlink,openat,epoll_wait,epoll_pwait"
_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((?:\d+<([^>]*)>)?")


@dataclass(frozen=True)
class Cost:
    """Of all processes of the unit, in so many seconds; by process where that tells who it was."""

    seconds: float
    cpu: Mapping[str, float]
    written: Mapping[str, int]
    traced: Counter[tuple[str, str]]

    @property
    def share(self) -> float:
        """Of one core."""
        return sum(self.cpu.values()) / self.seconds

    def syncs(self, state: Path) -> int:
        return sum(n for (call, where), n in self.traced.items() if call in ("fsync", "fdatasync"))

    def writes(self, state: Path) -> int:
        """Calls that change a file of the state directory."""
        return sum(n for (call, where), n in self.traced.items() if "write" in call and where.startswith(str(state)))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=20, help="of each measurement")
    options.add_argument("--settle", type=float, default=25, help="from the last request to the first measurement")
    options.add_argument("--workers", type=int, default=1)
    return asyncio.run(measure(options.parse_args()))


async def measure(options: argparse.Namespace) -> int:
    directory = Path(tempfile.mkdtemp(prefix="idle", dir="/tmp"))
    runtime = Path(tempfile.mkdtemp(prefix="idle", dir=MEMORY))
    rig = Rig(directory, {"RUNTIME_DIR": str(runtime), "PROXY_WORKERS": str(options.workers)})
    try:
        await rig.start("fake")
        await rig.start("run")
        async with httpx.AsyncClient(base_url=rig.proxy_url, trust_env=False) as client:
            await ask(client, 20)
        await asyncio.sleep(options.settle)
        quiet = await cost(rig, options.seconds, is_traced=False)
        idle = await cost(rig, options.seconds, is_traced=True)
        async with httpx.AsyncClient(base_url=rig.proxy_url, trust_env=False) as client:
            asking = asyncio.ensure_future(ask_on(client))
            await asyncio.sleep(2)
            active = await cost(rig, options.seconds, is_traced=True)
            asking.cancel()
        return report(rig.places.state, quiet, idle, active)
    finally:
        await rig.close()
        for one in (directory, runtime):
            shutil.rmtree(one, ignore_errors=True)


async def ask(client: httpx.AsyncClient, count: int) -> None:
    body = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "ping"}]}
    for _ in range(count):
        answer = await client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {CLIENT_KEY}"})
        answer.raise_for_status()


async def ask_on(client: httpx.AsyncClient) -> None:
    """Twenty a second."""
    while True:
        await ask(client, 1)
        await asyncio.sleep(0.05)


async def cost(rig: Rig, seconds: float, *, is_traced: bool) -> Cost:
    pids = tree(rig.pid("run"))
    trace = rig.directory / "trace"
    tracer = strace(pids, trace) if is_traced else None
    if tracer:
        await asyncio.sleep(1.0)
    began, cpu, written = monotonic(), {pid: _cpu(pid) for pid in pids}, {pid: _written(pid) for pid in pids}
    await asyncio.sleep(seconds)
    spent, cpu_after, written_after = monotonic() - began, map(_cpu, pids), map(_written, pids)
    names = [f"{name_of(pid)} {pid}" for pid in pids]
    used = {name: after - cpu[pid] for name, pid, after in zip(names, pids, cpu_after, strict=True)}
    wrote = {name: after - written[pid] for name, pid, after in zip(names, pids, written_after, strict=True)}
    if tracer:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    return Cost(spent, used, wrote, calls_in(trace) if tracer else Counter())


def strace(pids: list[int], trace: Path) -> "subprocess.Popen[bytes]":
    """Follows them and what they start; with the file behind each descriptor."""
    attach = [part for pid in pids for part in ("-p", str(pid))]
    command = ["strace", "-f", "-y", "-qq", "-e", f"trace={TRACED}", "-o", str(trace), *attach]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def calls_in(trace: Path) -> Counter[tuple[str, str]]:
    """How often each call was made on each file; strace's directory is the trace's own, so nothing of it is in here."""
    found = Counter[tuple[str, str]]()
    for line in trace.read_text(errors="replace").splitlines():
        if (call := _CALL.match(line)) and "resumed" not in line[: call.end() + 12]:
            found[call[1], re.sub(r"\[\d+\]|:.*", "", call[2] or "")] += 1
    return found


def name_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return next((word.decode() for word in words[3:] if word in (b"run", b"proxy", b"control")), "child")


def _cpu(pid: int) -> float:
    """utime + stime; by the scheduler's own count, where a tick of 10 ms would be too coarse."""
    try:
        return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def _written(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def report(state: Path, quiet: Cost, idle: Cost, active: Cost) -> int:
    for name, one in (("idle", quiet), ("idle, traced", idle), ("20 requests/s, traced", active)):
        print(f"\n{name}: {one.seconds:.1f} s, {one.share:.3%} of a core, {sum(one.written.values())} bytes to disk")
        for process, seconds in one.cpu.items():
            print(f"  {process:<16}{seconds / one.seconds:>8.3%}{one.written[process]:>10} bytes")
        for (call, where), count in one.traced.most_common(24):
            print(f"  {count / one.seconds:>8.2f}/s  {call} {where}")
    syncs = active.syncs(state) / active.seconds
    print(f"\nsyncs in an active second: {syncs:.2f}; idle: {idle.syncs(state)} in all, {idle.writes(state)} writes")
    problems = ["an idle unit writes to disk"] * bool(sum(quiet.written.values()) + idle.writes(state))
    problems += ["an idle unit costs too much"] * (quiet.share > MOST_IDLE_SHARE)
    problems += ["too many syncs"] * (syncs > MOST_SYNCS)
    for problem in problems:
        print("!", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
