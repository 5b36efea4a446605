"""`runbookd rules test FILE...`: plays timed examples of rules, and says which expectations do not hold."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from daemon.cli.output import clean, colour, print_json
from daemon.domain.errors import ConfigError, Mistake
from daemon.domain.units import say_duration

if TYPE_CHECKING:
    from daemon.app.rule_testing import Failure, Played, TestFile
    from daemon.domain.rule_test import Case

HELP = "play timed examples of rules: traffic in; alerts, messages and mitigations out"
FAILED, MISUSE = 1, 2


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="examples (docs/testing-rules.md)")
    parser.add_argument("--case", metavar="NAME", help="only the cases with this in their name")
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of the alerts and messages of each case too")


def run(args: Namespace) -> int:
    """0 all hold, 1 one does not, 2 a file does not load or has no such case."""
    logging.getLogger("daemon").addHandler(logging.NullHandler())  # what comes of trouble is told, not logged
    files = _files(args)
    if files is None:
        return MISUSE
    chosen = [(file, case) for file in files for case in file.cases if (args.case or "") in case.name]
    if not chosen:
        print(f"runbookd: no case has {args.case!r} in its name", file=sys.stderr)
        return MISUSE
    told = [_played(file, case, args) for file, case in chosen]
    failed = sum(not one["ok"] for one in told)
    if args.json:
        print_json({"ok": not failed, "cases": told})
    else:
        say = colour(f"{failed} failed", "red") if failed else colour("all hold", "green")
        print(f"{len(told)} {'case' if len(told) == 1 else 'cases'}: {say}")
    return FAILED if failed else 0


def _files(args: Namespace) -> "list[TestFile] | None":
    """All of them, or none: every mistake in every file is told first."""
    from daemon.app.rule_testing import read
    from daemon.app.shelf import scan

    shelves, mistakes, files = scan(), list[Mistake](), []
    for path in args.files:
        try:
            files.append(read(path, shelves))
        except ConfigError as error:
            mistakes += error.mistakes
    if args.json and mistakes:
        print_json({"ok": False, "mistakes": [asdict(mistake) for mistake in mistakes]})
    else:
        for mistake in mistakes:
            print(clean(str(mistake)), file=sys.stderr)
    return None if mistakes else files


def _played(file: "TestFile", case: "Case", args: Namespace) -> dict[str, Any]:
    """What came of it, which was printed if it was not to be one object."""
    from daemon.app.rule_testing import play

    is_shown = sys.stderr.isatty() and not args.json
    if is_shown:
        print(f"…      {clean(case.name)}", end="", file=sys.stderr, flush=True)
    began = perf_counter()
    played = play(file, case)
    took = perf_counter() - began
    if is_shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if not args.json:
        _print(played, took, verbose=args.verbose)
    return {
        "file": str(file.path),
        "case": case.name,
        "ok": not played.failures,
        "played_seconds": played.seconds,
        "took_seconds": round(took, 3),
        "failures": [asdict(failure) for failure in played.failures],
    }


def _print(played: "Played", took: float, *, verbose: bool) -> None:
    word = colour("FAILED", "red") if played.failures else colour("ok", "green") + " " * 4
    print(f"{word} {clean(played.case.name)} ({say_duration(played.seconds)} played in {took:.1f}s)", flush=True)
    if verbose:
        _print_story(played)
    for failure in played.failures:
        _print_failure(failure)


def _print_failure(failure: "Failure") -> None:
    print(f"  {colour('expected', 'bold')}: {clean(failure.expectation)}")
    print(f"  {colour('instead', 'bold')}: {clean(failure.reason)}")
    for line in failure.timeline.splitlines():
        print(f"    {clean(line)}".rstrip())


def _print_story(played: "Played") -> None:
    lines = [
        (row.since, f"{row.alert} {' '.join(value for _, value in row.labels)} {row.severity} {row.state}")
        for row in played.transitions
    ]
    lines += [(one.at, f"to {one.receiver}: {one.message.title}") for one in played.sent]
    for at, text in sorted(lines, key=lambda line: line[0]):
        print(f"  {say_duration(max(0, (at - played.begins_at) // 1000)):>8}  {clean(' '.join(text.split()))}")
