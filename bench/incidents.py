"""What the shipped rules make of incidents that people reported: who is told, how soon, of what, and what is done.

python -m bench.incidents [NAME …]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.incidents.corpus import Outcome, incidents, outcome

COLUMNS = (
    "incident",
    "first alert",
    "failed turns until the first message",
    "cause named",
    "mitigation",
    "failed turns until it",
    "false alerts",
)


def row(told: Outcome) -> tuple[str, ...]:
    """One incident."""
    head, message, mitigation = told.head, told.first_message, told.mitigation
    return (
        head.name,
        " and ".join(told.first_alerts) or ("none" if head.first else "none, rightly"),
        "-" if message is None else str(told.failed_turns(message.at)),
        "-" if head.first is None else "yes" if told.names_cause else "no",
        _helped(told),
        "-" if mitigation is None else str(told.failed_turns(mitigation.applied_at or 0)),
        ", ".join(told.false_alerts) or "0",
    )


def _helped(told: Outcome) -> str:
    helps = told.head.helps
    if helps is None:
        return "-"
    name = f"{helps.mitigation} ({helps.target})"
    return name if told.mitigation else f"not done: {name}" if helps.exists else f"lacking: {name}"


def totals(them: Sequence[Outcome]) -> Iterator[str]:
    """All of them."""
    real = [one for one in them if one.head.first is not None]
    helpable = [one for one in real if one.head.helps is not None]
    yield f"told by the right rule first: {sum(one.head.first in one.first_alerts for one in real)} of {len(real)}"
    yield f"cause named by the first message: {sum(one.names_cause for one in real)} of {len(real)}"
    yield f"helped, where something could: {sum(one.mitigation is not None for one in helpable)} of {len(helpable)}"
    yield f"false alerts: {sum(len(one.false_alerts) for one in them)} in {_hours(them):.0f} hours"


def _hours(them: Sequence[Outcome]) -> float:
    return sum(one.played.seconds for one in them) / 3600


def _played(paths: Sequence[Path]) -> Iterator[Outcome]:
    for number, path in enumerate(paths, start=1):
        print(f"{path.stem}, {number} of {len(paths)}", end="\x1b[K\r", file=sys.stderr, flush=True)
        yield outcome(path)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("names", nargs="*", metavar="NAME", help="of a file in tests/incidents; all unless said")
    wanted = options.parse_args().names
    them = list(_played([path for path in incidents() if not wanted or path.stem in wanted]))
    print(f"| {' | '.join(COLUMNS)} |\n| {' | '.join('---' for _ in COLUMNS)} |")
    for one in them:
        print(f"| {' | '.join(row(one))} |")
    print()
    for line in totals(them):
        print(f"- {line}")


if __name__ == "__main__":
    main()
