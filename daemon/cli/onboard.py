"""`runbookd onboard PREFIX`: the six steps before a new provider gets traffic."""

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from daemon.cli.client import ControlClient, connect
from daemon.cli.output import clean, colour, milliseconds, print_columns, print_json
from daemon.domain.event import Wire
from daemon.domain.inventory import Lists, ModelEntry
from daemon.domain.units import parse_duration
from daemon.logic import onboarding
from daemon.logic.onboarding import Step
from daemon.logic.onboarding_watch import Watched, watch_step, watched

HELP = "the six steps before a new provider gets traffic, with a verdict"
MOST_MODELS = 3
"""Asked by canaries: each costs tokens."""
CANARY_SECONDS, PROBE_SECONDS = 60.0, 60.0
ARRIVAL_SECONDS, POLL_SECONDS = 10.0, 0.2
MOST_PAGES = 20
COLUMNS = ("TIME", "REQUESTS", "ERRORS", "429", "P50", "P95", "USAGE")
WIDTHS = (8, 8, 6, 6, 7, 7, 9)


def _span(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def configure(parser: ArgumentParser) -> None:
    wires = [wire.value for wire in Wire if wire is not Wire.OTHER]
    parser.add_argument("prefix", metavar="PREFIX", help="what its models begin with, without the slash")
    parser.add_argument("--models", metavar="A,B", default="", help="the ids that it has to list")
    parser.add_argument("--watch", metavar="SPAN", type=_span, default=600.0, help="how long to watch (10m)")
    parser.add_argument("--every", metavar="SPAN", type=_span, default=60.0, help="a canary so often (1m)")
    parser.add_argument("--wire", choices=wires, default=Wire.OPENAI_CHAT.value, help="how canaries ask")
    parser.add_argument("--json", action="store_true", help="print an object at the end, and nothing else")


def run(args: Namespace) -> int:
    """0: it is clean; 1: it is not, and must not get traffic yet."""
    course = _Course(client=connect(args), args=args, prefix=args.prefix.strip("/"))
    steps = list(course.steps())
    clean_now = steps[-1].ok
    if args.json:
        print_json(
            {
                "prefix": course.prefix,
                "verdict": "clean" if clean_now else "unclean",
                "steps": [asdict(one) for one in steps],
                "watch": None if course.seen is None else asdict(course.seen),
            }
        )
    return 0 if clean_now else 1


@dataclass(slots=True)
class _Course:
    """One run: what was seen so far."""

    client: ControlClient
    args: Namespace
    prefix: str
    listed: Lists | None = None
    seen: Watched | None = None
    done: list[Step] = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        """Each is printed when it is known. What is not clean is not watched."""
        self._probe("health")  # a look at the upstream, by which the list of models is of now
        yield self._tell(onboarding.upstream_step(reachable=bool(self.client.get("status")["upstream"]["reachable"])))
        collisions = {one["subject"]: one["reason"] for one in self._probe("aliases") if one["outcome"] == "bad"}
        self.listed = _lists(self.client.get("models")["models"])
        wanted = [one for one in self.args.models.split(",") if one]
        yield self._tell(onboarding.models_step(self.prefix, wanted, self.listed))
        yield self._tell(onboarding.aliases_step(self.prefix, self.listed, collisions))
        models = (onboarding.full_ids(self.prefix, wanted) or onboarding.ids_of(self.prefix, self.listed))[:MOST_MODELS]
        before, reports = self._newest(), []
        if self.done[0].ok and self.done[1].ok:
            reports = [self._canary(model, stream) for model in models for stream in (False, True)]
            yield self._tell(onboarding.canaries_step(reports))
        if all(one.ok for one in self.done):
            yield self._tell(self._watch(models, before, len(reports)))
        yield self._tell(onboarding.verdict_step(self.prefix, self.done))

    def _tell(self, step: Step) -> Step:
        self.done.append(step)
        if not self.args.json:
            mark, shade = ("ok", "green") if step.ok else ("no", "red")
            print(f"{colour(mark, shade)}  {step.name:<8}  {clean(step.said)}", flush=True)
        return step

    def _probe(self, name: str) -> list[dict[str, Any]]:
        answer = self.client.post(f"probes/{name}/run", {}, timeout_seconds=PROBE_SECONDS)
        return list(answer["results"])

    def _canary(self, model: str, stream: bool) -> dict[str, Any]:
        asked = {"model": model, "wire": self.args.wire, "stream": stream}
        report = self.client.post("canary", asked, timeout_seconds=CANARY_SECONDS)
        return {**report, "model": model, "stream": stream}

    # ---- the watch ---------------------------------------------------------------------------------------------------

    def _watch(self, models: Sequence[str], before: int, sent: int) -> Step:
        """A canary now and then, so that there is something to watch, and a line of figures after each; those that were
        `sent` just now, after the event `before`, count too."""
        began = due = time.monotonic()
        self._row(COLUMNS)
        while due < began + self.args.watch:
            time.sleep(max(0.0, due - time.monotonic()))
            self._canary(models[sent // 2 % len(models)], stream=sent % 2 == 1)
            sent, due = sent + 1, due + self.args.every
            self.seen = self._arrived(before, sent)
            self._row(_cells(self.seen, time.monotonic() - began))
        time.sleep(max(0.0, began + self.args.watch - time.monotonic()))
        self.seen = self._arrived(before, sent)
        return watch_step(self.seen, sent=sent, seconds=self.args.watch)

    def _newest(self) -> int:
        """The id of the prefix's latest event: what was before it does not count."""
        rows = self.client.get("events", {"prefix": self.prefix, "limit": "1"})["events"]
        return int(rows[0]["event_id"]) if rows else 0

    def _arrived(self, after: int, sent: int) -> Watched:
        """The figures once all canaries are among the events, or have had the time to be."""
        end = time.monotonic() + ARRIVAL_SECONDS
        while (seen := watched(self._events(after))).canaries < sent and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        return seen

    def _events(self, after: int) -> Iterator[dict[str, Any]]:
        asked = {"prefix": self.prefix, "limit": "1000"}
        for _ in range(MOST_PAGES):
            page = self.client.get("events", asked)
            for event in page["events"]:
                if int(event["event_id"]) <= after:
                    return
                yield event
            if page["next"] is None:
                return
            asked["before"] = page["next"]

    def _row(self, cells: Sequence[str]) -> None:
        if not self.args.json:
            print("    ", end="")
            print_columns(COLUMNS, cells, WIDTHS)


def _cells(seen: Watched, seconds: float) -> Sequence[str]:
    return (
        f"{int(seconds) // 60}:{int(seconds) % 60:02}",
        str(seen.requests),
        str(seen.errors),
        str(seen.rate_limited),
        milliseconds(seen.latency_p50_ms),
        milliseconds(seen.latency_p95_ms),
        f"{seen.with_usage} of {seen.good}",
    )


def _lists(rows: Sequence[Mapping[str, Any]] | None) -> Lists | None:
    if rows is None:
        return None
    lists: dict[str, list[ModelEntry]] = {}
    for row in rows:
        entry = ModelEntry(model_id=row["model_id"], owned_by=row["owned_by"])
        lists.setdefault(row["client"], []).append(entry)
    return lists
