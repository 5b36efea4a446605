"""The proxy beside others, in one interleaved run; what they need is in README.md.

The candidate runs on core 0, upstream and client on core 1. Ratios in brackets are to nginx, or to `base`. A run with
foreign load is repeated; a star says that no round was quiet. Compare within one run only.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import candidates, instruments, points, tables
from bench.candidate import Candidate, Missing
from bench.instruments import Upstream
from bench.loads import WARM_UP
from bench.points import Point
from bench.spooled import spooled

NAMES = ",".join(candidates.ALL)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = ",".join(candidates.USUAL)
    parser.add_argument("--only", type=_names, default=[], metavar="NAMES", help=f"of {NAMES}")
    parser.add_argument("--peers", type=_names, default=[], metavar="NAMES", help=f"more than {usual}: litellm,portkey")
    parser.add_argument("--points", type=_names, default=[], metavar="NAMES", help=f"of {points.NAMES}")
    parser.add_argument("--rounds", type=int, default=3, help="3")
    parser.add_argument("--repeats", type=int, default=2, help="of a run with foreign load; 2")
    parser.add_argument("--seconds", type=float, help="of each load, instead of its own 3 to 10")
    parser.add_argument("--long", action="store_true", help="agents stream for 60 s")
    parser.add_argument("--base", metavar="DIR", help="another checkout of ours, the candidate `base`")
    parser.add_argument("--litellm-python", metavar="PATH", help="the Python that has litellm[proxy]")
    parser.add_argument("--portkey-dir", metavar="DIR", help="where npm installed @portkey-ai/gateway")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write medians and every run, too")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


class Bench:
    """The candidates around one upstream."""

    def __init__(self, directory: Path, upstream: Upstream, options: argparse.Namespace) -> None:
        self.directory, self.upstream, self.options = directory, upstream, options
        self.points = points.chosen(options.points, options.seconds, options.long)
        self.found = list(self._find())
        self.rounds: tables.Rounds = {}

    def _find(self) -> Iterator[Candidate]:
        base = ["base"] if self.options.base else []
        for name in self.options.only or [*candidates.USUAL, *base, *self.options.peers]:
            if name not in candidates.ALL:
                raise SystemExit(f"no such candidate: {name}; there are {NAMES}")
            (own := self.directory / name).mkdir()
            try:
                yield candidates.ALL[name](self.upstream, own, self.options)
            except Missing as missing:
                print(f"{name} is left out: {missing}")

    def round(self) -> None:
        """Each point with each candidate in turn."""
        with ExitStack() as stack:
            pids = {one.name: stack.enter_context(self._warm(one)) for one in self.found if not one.is_slow}
            for point in self.points:
                for one in self.found:
                    with ExitStack() as short:
                        pid = short.enter_context(self._warm(one)) if one.is_slow else pids[one.name]
                        self._run(point, one, pid)

    @contextmanager
    def _warm(self, one: Candidate) -> Iterator[int | None]:
        with one.running() as pid:
            WARM_UP.measure(one, pid, self.upstream, self.directory)
            yield pid

    def _run(self, point: Point, one: Candidate, pid: int | None) -> None:
        """Keeps the quietest of the repeated."""
        runs: list[tables.Entry] = []
        while not runs or (runs[-1]["noisy"] and len(runs) <= self.options.repeats):
            runs.append(point.measure(one, pid, self.upstream, self.directory))
        best = min(runs, key=lambda run: float(run.get("foreign_cores", 0.0)))
        self.rounds.setdefault((point.name, one.name), []).append(best)
        print(f"{point.name} {one.name}: {tables.line(point, best)}", file=sys.stderr)

    def report(self) -> None:
        entries = tables.medians(self.rounds)
        print(*(tables.table(point, entries) for point in self.points), sep="\n")
        for one in self.found:
            if (count := spooled(one.directory / "state")) is not None:
                print(f"\n{one.name} kept {count:,} events.")
        if self.options.json:
            self.options.json.write_text(
                json.dumps({"medians": _listed(entries), "runs": _listed(self.rounds)}, indent=1)
            )


def _listed(by_key: "tables.Rounds | tables.Medians") -> list[dict[str, object]]:
    return [{"point": point, "candidate": name, "seen": seen} for (point, name), seen in by_key.items()]


def main() -> None:
    options = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        directory = Path(name)
        instruments.build(directory)
        bench = Bench(directory, stack.enter_context(instruments.upstream(directory)), options)
        for _ in range(options.rounds):
            bench.round()
        bench.report()


if __name__ == "__main__":
    main()
