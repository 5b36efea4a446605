"""`runbookd doctor`: the daily checks in one table, each with what was seen and what to do."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.cli.output import Cell, clean, colour, print_json, print_table
from daemon.domain.errors import ConfigError, RunbookdError

if TYPE_CHECKING:
    from daemon.adapters.config.settings import Settings
    from daemon.domain.check_up import Finding

HELP = "the daily checks in one table, with what to do"
SHADES = {"ok": "green", "warning": "yellow", "critical": "red", "unknown": "blue"}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--nagios", action="store_true", help="print one line with figures, for monitoring plug-ins")


def run(args: Namespace) -> int:
    """0 all is well, 1 a warning, 2 something critical, 3 it could not be told."""
    from daemon.logic.doctor import CODES, plugin_line, worst

    found = _findings(args)
    if args.nagios:
        print(clean(plugin_line(found)))
    elif args.json:
        print_json({"verdict": worst(found).value, "findings": [asdict(one) for one in found]})
    else:
        _print(found)
    return CODES[worst(found)]


def _findings(args: Namespace) -> list["Finding"]:
    from daemon.adapters.config.settings import load_settings
    from daemon.domain.check_up import Finding

    try:
        settings = load_settings(args.config)
    except ConfigError as error:
        return [Finding.critical("settings", str(one), "mend it; nothing else was looked at") for one in error.mistakes]
    return _look(settings)


def _look(settings: "Settings") -> list["Finding"]:
    """What the control plane tells, and what can be seen from here."""
    from daemon.app.ground import see
    from daemon.logic.doctor_ground import survey

    told, trouble = _ask(settings)
    return [*survey(see(settings, trouble)), *told]


def _ask(settings: "Settings") -> tuple[list["Finding"], str]:
    from daemon.cli.client import client_for
    from daemon.domain.check_up import Finding, Health

    try:
        rows = client_for(settings).get("doctor")["findings"]
    except RunbookdError as error:
        return [], str(error)
    return [Finding(**{**row, "verdict": Health(row["verdict"])}) for row in rows], ""


def _print(found: Sequence["Finding"]) -> None:
    """What is to be done stands below the table, where it has room."""
    from daemon.domain.check_up import Health

    rows: list[list[Cell]] = [[(one.verdict.value, SHADES[one.verdict]), one.area, one.evidence] for one in found]
    print_table(("VERDICT", "CHECK", "EVIDENCE"), rows)
    todo = [one for one in found if one.advice and one.verdict is not Health.OK]
    if todo:
        print(colour("\nWhat to do", "bold"))
    for one in todo:
        print(f"  {colour(one.area, SHADES[one.verdict])}: {clean(one.advice)}")
