"""`runbookd status`: is all well?"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import Any

from daemon.cli.client import connect
from daemon.cli.output import SEVERITY, Cell, ago, clean, colour, print_json

HELP = "is all well?"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the API's object")


def run(args: Namespace) -> int:
    client = connect(args)
    status = client.get("status")
    if args.json:
        print_json(status)
        return 0
    missing = client.get("/readyz")["missing"]
    alerts, mitigations = client.get("alerts")["alerts"], client.get("mitigations")["mitigations"]
    leader = " (leader)" if status["leader"] else ""
    print(colour(f"runbookd {status['version']} on {clean(status['node_id'])}{leader}", "bold"))
    for name, cell in _lines(status, missing, alerts, mitigations):
        text, shade = (cell, None) if isinstance(cell, str) else cell
        print(f"  {name:<12} {colour(clean(text), shade)}")
    return 0


def _lines(status: Any, missing: list[str], alerts: list[Any], mitigations: list[Any]) -> list[tuple[str, Cell]]:
    upstream, spool, store, config = (status[part] for part in ("upstream", "spool", "store", "config"))
    applied = sum(row["state"] == "applied" for row in mitigations)
    return [
        ("ready", f"not yet: {', '.join(missing)}" if missing else "yes"),
        ("alerts", _alerts(alerts)),
        (
            "upstream",
            _good(upstream["reachable"], f"{upstream['url']}  {upstream['flavour'] or ''}", "does not answer"),
        ),
        ("spool", _good(not spool["dropped_total"], f"{spool['depth']} waiting", f"{spool['dropped_total']} dropped")),
        ("store", _good(store["ok"], store["url_masked"], "does not answer")),
        (
            "rules",
            _good(config["ok"], f"loaded {ago(config['loaded_at'])} ago", "; ".join(config["errors"]) or "broken"),
        ),
        ("mitigations", f"{status['mitigation_mode']}, {applied} in force"),
    ]


def _alerts(alerts: list[Any]) -> Cell:
    firing = Counter(row["severity"] for row in alerts if row["state"] == "firing")
    pending = sum(row["state"] == "pending" for row in alerts)
    said = [f"{firing[severity]} {severity} firing" for severity in SEVERITY if firing[severity]]
    if pending:
        said.append(f"{pending} pending")
    worst = next((shade for severity, shade in SEVERITY.items() if firing[severity]), "green")
    return (", ".join(said) or "none", worst)


def _good(good: bool, text: str, trouble: str) -> Cell:
    return text.strip() if good else (f"{text.strip()}  {trouble}", "red")
