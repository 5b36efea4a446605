"""`runbookd status`: is all well? One screen."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from typing import Any

from daemon.cli.client import ControlClient, connect
from daemon.cli.output import SEVERITY, Cell, ago, clean, colour, milliseconds, print_json, say_value
from daemon.domain.units import say_ratio

HELP = "is all well?"
WIDE = (120, 24)
"""Where nobody says how wide the terminal is."""
INDENT = 15
MOST_ALERTS, MOST_PROVIDERS, MOST_MITIGATIONS, MOST_NAMED = 3, 4, 3, 3
SOON_PERCENT, SOON_SECONDS = 90.0, 3600.0
"""A credential that has used so much of its quota, or will be empty so soon, is named."""

Lines = Iterator[tuple[str, Cell]]


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the API's object")


def run(args: Namespace) -> int:
    client = connect(args)
    status = client.get("status")
    if args.json:
        print_json(status)
        return 0
    leader = " (leader)" if status["leader"] else ""
    print(colour(f"runbookd {status['version']} on {clean(status['node_id'])}{leader}", "bold"))
    room = get_terminal_size(WIDE).columns - INDENT
    for name, cell in _lines(client, status):
        text, shade = (cell, None) if isinstance(cell, str) else cell
        print(f"  {name:<12} {colour(_cut(clean(text), room), shade)}")
    return 0


def _lines(client: ControlClient, status: Any) -> Lines:
    missing = client.get("/readyz")["missing"]
    yield "ready", f"not yet: {', '.join(missing)}" if missing else "yes"
    yield from _alerts(client.get("alerts")["alerts"])
    yield from _upstream(status["upstream"])
    yield from _traffic(client.get("providers")["providers"])
    yield from _mitigations(client.get("mitigations")["mitigations"], status["mitigation_mode"])
    yield from _probes(client.get("probes")["probes"])
    yield from _quota(client.get("quota")["quota"])
    spool, store, config = (status[part] for part in ("spool", "store", "config"))
    yield "spool", _good(not spool["dropped_total"], f"{spool['depth']} waiting", f"{spool['dropped_total']} dropped")
    yield "store", _good(store["ok"], store["url_masked"], "does not answer")
    loaded = f"loaded {ago(config['loaded_at'])} ago"
    yield "rules", _good(config["ok"], loaded, "; ".join(config["errors"]) or "broken")


def _alerts(alerts: list[Any]) -> Lines:
    """How many there are, and the loudest of those that fire; of one episode its worst."""
    loudest = sorted(alerts, key=lambda row: (list(SEVERITY).index(row["severity"]), row["since"]))
    rows = [row for row in loudest if row["state"] == "firing"]
    firing = Counter(row["severity"] for row in rows)
    pending = sum(row["state"] == "pending" for row in alerts)
    said = [f"{firing[severity]} {severity} firing" for severity in SEVERITY if firing[severity]]
    if pending:
        said.append(f"{pending} pending")
    worst = next((shade for severity, shade in SEVERITY.items() if firing[severity]), "green")
    yield "alerts", (", ".join(said) or "none", worst)
    episodes: dict[Any, Any] = {}
    for row in rows:
        episodes.setdefault((row["alert"], *row["labels"].items()), row)
    for row in list(episodes.values())[:MOST_ALERTS]:
        yield "", (f"{row['alert']} for {ago(row['since'])}  {row['summary']}".rstrip(), SEVERITY[row["severity"]])


def _upstream(upstream: Any) -> Lines:
    known = f"{upstream['url']} {upstream['flavour'] or ''}"
    yield "upstream", _good(upstream["reachable"], known, "does not answer")


def _traffic(providers: dict[str, Any]) -> Lines:
    """The busiest providers of the last ten minutes."""
    busiest = sorted(providers.items(), key=lambda item: -item[1]["request_count"])
    total, more = sum(figures["request_count"] for figures in providers.values()), len(busiest) - MOST_PROVIDERS
    others = f", {more} more providers" if more > 0 else ""
    yield "traffic", f"{total} requests in 10m{others}" if total else "none in 10m"
    width = max((len(key) for key, _ in busiest[:MOST_PROVIDERS]), default=0)
    for key, figures in busiest[:MOST_PROVIDERS]:
        failed, limited = (_share(figures[name]) for name in ("error_ratio", "rate_limited_ratio"))
        yield (
            "",
            f"{key:<{width}}  {figures['request_count']:>6}  errors {failed:>6}  429 {limited:>6}"
            f"  p95 {milliseconds(figures['latency_p95_ms'])}",
        )


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else say_ratio(ratio)


def _mitigations(mitigations: list[Any], mode: str) -> Lines:
    applied = [row for row in mitigations if row["state"] == "applied"]
    yield "mitigations", f"{mode}, {len(applied)} in force"
    for row in applied[:MOST_MITIGATIONS]:
        held = f"  held by {row['held_by']}" if row["held_by"] else ""
        yield "", f"{row['name']}  {row['target']} -> {say_value(row['value_wanted'])}{held}"


def _probes(probes: list[Any]) -> Lines:
    on = [row for row in probes if row["enabled"]]
    bad = [
        f"{row['probe']} {one['subject']}".rstrip() for row in on for one in row["results"] if one["outcome"] == "bad"
    ]
    yield "probes", (f"{len(bad)} bad: {_named(bad)}", "red") if bad else f"none is bad, {len(on)} on"


def _quota(quota: list[Any]) -> Lines:
    said = ("quota_exhausted", "usage_percentage", "quota_remaining")
    if all(row[name] is None for row in quota for name in said):
        yield "quota", "nothing is known"
        return
    short = [row for row in quota if _is_short(row)]
    yield "quota", (_named(list(map(_short, short))), "yellow") if short else "enough left"


def _is_short(row: dict[str, Any]) -> bool:
    """What comes back before it is empty is not."""
    back, empty = row["quota_reset_seconds"], row["empty_in_seconds"]
    if row["quota_exhausted"] or (row["usage_percentage"] or 0) >= SOON_PERCENT:
        return True
    return empty is not None and empty <= SOON_SECONDS and (back is None or empty < back)


def _short(row: dict[str, Any]) -> str:
    whose = row["credential"] or row["auth_index"] or row["provider_key"]
    share = f"at {row['usage_percentage']:.0f}%" if row["usage_percentage"] is not None else ""
    return " ".join(filter(None, (whose, row["model_id"], "used up" if row["quota_exhausted"] else share)))


def _named(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _cut(text: str, room: int) -> str:
    """A line that wraps would push others off the screen."""
    return text if len(text) <= room else text[: room - 1] + "…"


def _good(good: bool, text: str, trouble: str) -> Cell:
    return text.strip() if good else (f"{text.strip()}  {trouble}", "red")
