"""`runbookd check`: check settings and the alerts file."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.output import clean, colour, print_json
from daemon.domain.errors import ConfigError, Mistake

if TYPE_CHECKING:
    from daemon.adapters.config.alerts_file import Loaded
    from daemon.adapters.config.settings import Settings

HELP = "check settings and the alerts file"


@dataclass(slots=True)
class _Findings:
    """What was looked at, and what was found."""

    path: Path | None
    mistakes: tuple[Mistake, ...] = ()
    loaded: "Loaded | None" = None

    @property
    def warnings(self) -> tuple[Mistake, ...]:
        return () if self.loaded is None else self.loaded.warnings

    @property
    def hints(self) -> list[str]:
        """What is no mistake: rules that would act if it was known how."""
        if self.loaded is None:
            return []
        from daemon.adapters.config.references import say_yours

        unsaid = self.loaded.unsaid.items()
        return [f"to act for {' and '.join(alerts)}, `mitigations:` needs {say_yours(name)}" for name, alerts in unsaid]

    @property
    def counts(self) -> dict[str, int]:
        if self.loaded is None:
            return {}
        from daemon.adapters.config.built_in import own_rules

        config = self.loaded.config
        return {
            "rules": len(own_rules(config)),
            "receivers": len(config.receivers),
            "mitigations": len(config.mitigations),
        }


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="an alerts file; else that of the settings")
    parser.add_argument("--strict", action="store_true", help="exit 1 when there are warnings")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of alerts files, for editors")
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: Namespace) -> int:
    """0 it loads, 1 it loads with warnings (--strict), 2 it does not."""
    if args.schema:
        print_json(_schema())
        return 0
    findings = _look(args)
    _print_object(findings) if args.json else _print_lines(findings)
    if findings.mistakes:
        return 2
    return 1 if args.strict and findings.warnings else 0


def _look(args: Namespace) -> _Findings:
    """Settings first: they say where the file is and what its secrets are. With FILE their mistakes do not hide its."""
    from daemon.adapters.config.settings import load_settings

    try:
        settings = load_settings(args.config)
    except ConfigError as error:
        findings = _Findings(args.file, error.mistakes)
        if args.file is not None:
            findings.mistakes += _load(args.file, None).mistakes
        return findings
    return _load(args.file or settings.alerts_path, settings)


def _load(path: Path, settings: "Settings | None") -> _Findings:
    from daemon.adapters.config.alerts_file import load
    from daemon.adapters.config.secrets import resolver
    from daemon.adapters.notify.own_address import leads_home
    from daemon.app.shelf import scan

    shelves = scan()
    secrets, is_loop = None, None
    if settings is not None:
        secrets = resolver(settings)
        is_loop = partial(leads_home, proxy=(settings.proxy_host, settings.proxy_port))
    try:
        loaded = load(path, shelves, secrets=secrets, leads_home=is_loop)
    except ConfigError as error:
        return _Findings(path, error.mistakes)
    return _Findings(path, loaded=loaded)


def _schema() -> dict[str, Any]:
    from daemon.adapters.config.alerts_schema import schema
    from daemon.app.shelf import scan

    shelves = scan()
    return schema(shelves)


def _print_lines(findings: _Findings) -> None:
    for mistake in findings.mistakes:
        print(clean(str(mistake)), file=sys.stderr)
    for warning in findings.warnings:
        print(f"warning: {clean(str(warning))}", file=sys.stderr)
    if findings.loaded is not None:
        counts = ", ".join(f"{count} {name if count != 1 else name[:-1]}" for name, count in findings.counts.items())
        print(f"{findings.path}: {colour('good', 'green')}: {counts}")
        for hint in findings.hints:
            print(f"  {hint}")


def _print_object(findings: _Findings) -> None:
    print_json(
        {
            "ok": not findings.mistakes,
            "file": None if findings.path is None else str(findings.path),
            "mistakes": [asdict(mistake) for mistake in findings.mistakes],
            "warnings": [asdict(warning) for warning in findings.warnings],
            "hints": findings.hints,
            **findings.counts,
        }
    )
