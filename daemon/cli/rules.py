"""`runbookd rules`: the rules of the alerts file, the kinds that there are, and trials. Needs no running daemon."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli import rules_backtest, rules_test
from daemon.cli.output import ABSENT, Cell, clean, print_json, print_table

if TYPE_CHECKING:
    from daemon.app.rule_catalogue import Catalogue, Entry
    from daemon.domain.alerts_config import Rule

HELP = "list, show, test and backtest the rules of the alerts file, or tell of the kinds that there are"
MISUSE = 2
TRIALS: Mapping[str, Any] = {"test": rules_test, "backtest": rules_backtest}
"""Actions that are a file of their own, each with `HELP`, `configure` and `run`."""


def configure(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = commands.add_parser("list", help="every rule, also those that are off")
    show = commands.add_parser("show", help="all values of one rule, and what they mean")
    show.add_argument("name", metavar="NAME", help="the rule's name")
    kinds = commands.add_parser("kinds", help="the kinds of rules, or the page of one kind")
    kinds.add_argument("kind", metavar="KIND", nargs="?", help="only this kind, with its options")
    for one in (listing, show):
        one.add_argument("--file", type=Path, metavar="FILE", help="an alerts file; else that of the settings")
    for one in (listing, show, kinds):
        one.add_argument("--json", action="store_true", help="print one object")
    for action, trial in TRIALS.items():
        trial.configure(commands.add_parser(action, help=trial.HELP))


def run(args: Namespace) -> int:
    """2 where the file does not load, or has no such rule."""
    if args.action in TRIALS:
        return int(TRIALS[args.action].run(args))
    if args.action == "kinds":
        return _kinds(args)
    found = _catalogue(args)
    return _list(found, args) if args.action == "list" else _show(found, args)


def _catalogue(args: Namespace) -> "Catalogue":
    """Mistakes in the settings do not matter where the file is named."""
    from daemon.adapters.config.settings import load_settings
    from daemon.app.rule_catalogue import catalogue
    from daemon.app.shelf import scan

    return catalogue(args.file or load_settings(args.config).alerts_path, scan())


def _list(found: "Catalogue", args: Namespace) -> int:
    if args.json:
        print_json({"file": str(found.path), "rules": [_summary(entry) for entry in found.entries]})
    elif not found.entries:
        print("No rules.")
    else:
        print_table(("RULE", "KIND", "LEVELS", "MITIGATES", "FROM"), [_row(entry) for entry in found.entries])
    return 0


def _summary(entry: "Entry") -> dict[str, Any]:
    return {
        "alert": entry.rule.alert,
        "kind": entry.rule.kind,
        "enabled": entry.rule.enabled,
        "origin": entry.origin,
        "changed": entry.is_changed,
        "levels": entry.raises,
        "mitigate": {severity: list(level.mitigate) for severity, level in entry.rule.levels.items()},
        "runbook": entry.rule.runbook,
    }


def _row(entry: "Entry") -> list[Cell]:
    shade = None if entry.rule.enabled else "grey"
    levels = "; ".join(f"{severity} {text}".strip() for severity, text in entry.raises.items())
    cells = [
        entry.rule.alert,
        entry.rule.kind,
        levels if entry.rule.enabled else f"off ({levels})",
        "; ".join(f"{severity}: {names}" for severity, names in entry.mitigates.items()) or ABSENT,
        f"{entry.origin}, changed" if entry.is_changed else entry.origin,
    ]
    return [(str(cell), shade) if shade else str(cell) for cell in cells]


def _show(found: "Catalogue", args: Namespace) -> int:
    from daemon.app.rule_told import as_object, as_yaml

    entry = found.entry(args.name)
    if entry is None:
        return _unknown("rule", args.name, [entry.rule.alert for entry in found.entries], "runbookd rules list")
    if args.json:
        print_json({**_summary(entry), "file": str(found.path), **as_object(entry.rule)})
    else:
        print("\n".join(map(clean, as_yaml(entry))))
    return 0


def _kinds(args: Namespace) -> int:
    from daemon.app.kind_page import kind_page, says
    from daemon.app.shelf import scan

    kinds = scan().rules
    if args.kind is None:
        if args.json:
            print_json({"kinds": [{"kind": kind, "says": says(model)} for kind, model in kinds.items()]})
        else:
            print_table(("KIND", "IS"), [(kind, says(model)) for kind, model in kinds.items()])
    elif args.kind not in kinds:
        return _unknown("rule kind", args.kind, list(kinds), "runbookd rules kinds")
    elif args.json:
        print_json(_told(args.kind, kinds[args.kind]))
    else:
        print(kind_page(args.kind, kinds[args.kind]), end="")
    return 0


def _told(kind: str, model: "type[Rule]") -> dict[str, Any]:
    from daemon.app.kind_page import example, level_options, options, says, told

    return {
        "kind": kind,
        "says": says(model),
        "told": told(model),
        "example": example(model),
        "options": [asdict(field) for field in options(model)],
        "level_options": [asdict(field) for field in level_options(model)],
    }


def _unknown(what: str, word: str, known: list[str], listing: str) -> int:
    from daemon.adapters.config.wording import nearest, quoted

    near = nearest(word, known)
    meant = f"did you mean '{near}'?" if near else f"{listing} lists them"
    print(f"runbookd: there is no {what} {quoted(word)}; {meant}", file=sys.stderr)
    return MISUSE
