"""`runbookd rules backtest`: what rules would have done on the recorded events. Reads only; a daemon may be at work."""

import re
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.adapters.clock import SystemClock
from daemon.cli.output import print_json
from daemon.domain.units import parse_duration, say_duration

if TYPE_CHECKING:
    from daemon.adapters.config.settings import Settings
    from daemon.app.backtesting import Rules
    from daemon.domain.backtest import Incident, Report, Span

HELP = "what rules would have done on the recorded events of some days"
WARNING = 1
BAR = 24
EVERY_SECONDS = 0.2
SLEEP, WAKE = 22, 7
"""Hours of local time between which people sleep."""
BEFORE_MS = 86_400_000
"""An explained instant is come to from so long before."""

Instant = Callable[[int], int]
"""From now to an instant (epoch ms)."""


def configure(parser: ArgumentParser) -> None:
    parser._negative_number_matcher = re.compile(r"-\d")  # `--from -2h`: nothing that begins so is an option here
    parser.add_argument("--from", dest="since", metavar="T", type=_instant, help="7d ago unless said; or an instant")
    parser.add_argument("--to", dest="until", metavar="T", type=_instant, help="now unless said; 1d, or an instant")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="an alerts file; else that of the settings")
    parser.add_argument("--against", type=Path, metavar="FILE", help="another alerts file, to compare it with")
    parser.add_argument("--sweep", metavar="NAME.above=2%..12%", help="one rule at several values of one option")
    parser.add_argument("--alert", metavar="NAME", help="the rule of --sweep; else only this one is shown")
    parser.add_argument("--label", type=Path, metavar="FILE", help="what was an incident: tells precision and recall")
    parser.add_argument("--explain", metavar="ALERT@T", help="why an alert would have fired or not at an instant")
    parser.add_argument("--progress", action="store_true", help="show how far it is, also where that is no terminal")
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: Namespace) -> int:
    """0; 1 where nothing was recorded, or an incident of --label is missed; 2 for what makes no sense; 3 without a
    database."""
    from daemon.domain.errors import Misuse

    if sum(one is not None for one in (args.against, args.sweep, args.explain)) > 1:
        raise Misuse("--against, --sweep and --explain are three questions: ask one")
    if args.explain is not None:
        return _explain(args)
    if args.sweep is not None:
        return _sweep(args)
    return _report(args)


# ---- three questions -------------------------------------------------------------------------------------------------


def _report(args: Namespace) -> int:
    from daemon.cli import rules_backtest_words as words

    files = [one for one in (args.rules, args.against) if one is not None] if args.against else [args.rules]
    several = [_rules(args, None)] * (args.against is not None and args.rules is None)
    several += [_rules(args, path) for path in files]
    reports = _reports(args, several)
    if reports is None:
        return WARNING
    if args.json:
        print_json(words.as_object(reports[0]) if len(reports) == 1 else words.as_pair(reports[0], reports[1]))
    elif len(reports) == 1:
        words.print_report(_only(reports[0], args.alert))
    else:
        words.print_pair(_only(reports[0], args.alert), _only(reports[1], args.alert))
    return _code(reports[-1])


def _sweep(args: Namespace) -> int:
    from daemon.app.backtesting import Rules
    from daemon.cli import rules_backtest_words as words
    from daemon.logic.sweeping import parse_sweep, variant

    sweep, rules = parse_sweep(args.sweep, args.alert), _rules(args, args.rules)
    several = [Rules(config=variant(rules.config, sweep, value)) for value in sweep.values]
    if (reports := _reports(args, several)) is None:
        return WARNING
    found = dict(zip(sweep.values, reports, strict=True))
    if args.json:
        print_json(words.sweep_object(sweep, found))
    else:
        words.print_sweep(sweep, found)
    return 0


def _explain(args: Namespace) -> int:
    import asyncio

    from daemon.app.backtesting import explain_at, open_for_reading
    from daemon.cli import rules_backtest_words as words
    from daemon.domain.backtest import Span
    from daemon.domain.errors import Misuse

    alert, _, when = args.explain.partition("@")
    now = SystemClock().now()
    try:
        at = _instant(when)(now)
    except ArgumentTypeError as error:
        raise Misuse(f"--explain ALERT@T: {error}") from None
    since = at - BEFORE_MS if args.since is None else args.since(now)
    span, settings, rules = Span(since=since, until=at), _settings(args), _rules(args, args.rules)
    store = open_for_reading(settings.database_url_resolved)
    bar = _Bar(span, args.progress)
    told = asyncio.run(explain_at(store, rules, span, alert, bar.show))
    bar.clear()
    if args.json:
        print_json(words.explained_object(told))
    else:
        words.print_explained(told)
    return WARNING if told.decision == "unknown" else 0


# ---- what they have in common ----------------------------------------------------------------------------------------


def _reports(args: Namespace, several: "list[Rules]") -> "list[Report] | None":
    """One of each; None where nothing was recorded."""
    from daemon.app.backtesting import recorded_within
    from daemon.app.labelled import read_incidents
    from daemon.app.side_by_side import play_all
    from daemon.logic.backtest_report import report

    url, incidents = _settings(args).database_url_resolved, None if args.label is None else read_incidents(args.label)
    asked = _span(args)
    span = recorded_within(url, asked)
    if span is None:
        print(f"runbookd: nothing was recorded between {_say(asked.since)} and {_say(asked.until)}", file=sys.stderr)
        return None
    bar = _Bar(span, args.progress)
    played = play_all(url, several, span, bar.show)
    bar.clear()
    labelled = None if incidents is None else _within(incidents, span)
    return [report(rules.config.rules, one, _is_night, labelled) for rules, one in zip(several, played, strict=True)]


def _within(incidents: "tuple[Incident, ...]", span: "Span") -> "list[Incident]":
    """Those of other days say nothing about these."""
    return [one for one in incidents if one.until >= span.since and one.since < span.until]


def _settings(args: Namespace) -> "Settings":
    from daemon.adapters.config.settings import load_settings

    return load_settings(args.config)


def _rules(args: Namespace, path: Path | None) -> "Rules":
    """Mistakes in the settings do not matter where the file is named."""
    from daemon.adapters.config.alerts_file import load
    from daemon.app.backtesting import Rules
    from daemon.app.shelf import scan

    shelves = scan()
    found = load(path or _settings(args).alerts_path, shelves)
    return Rules(config=found.config, off=found.off)


def _span(args: Namespace) -> "Span":
    from daemon.domain.backtest import Span
    from daemon.domain.errors import Misuse

    now = SystemClock().now()
    until = now if args.until is None else args.until(now)
    since = until - 7 * BEFORE_MS if args.since is None else args.since(now)
    if since >= until:
        raise Misuse("--from must be before --to")
    return Span(since=since // 1000 * 1000, until=until)


def _only(found: "Report", alert: str | None) -> "Report":
    from dataclasses import replace

    from daemon.domain.errors import Misuse

    rules = tuple(one for one in found.rules if alert in (None, one.alert))
    if not rules:
        raise Misuse(f"--alert: there is no rule {alert!r} in force; runbookd rules list lists them")
    return replace(found, rules=rules)


def _code(found: "Report") -> int:
    return WARNING if found.score is not None and found.score.missed else 0


def _is_night(at: int) -> bool:
    hour = datetime.fromtimestamp(at / 1000, UTC).astimezone().hour
    return hour >= SLEEP or hour < WAKE


def _instant(text: str) -> Instant:
    """`7d` or `-7d` is so long ago; else an instant, in UTC unless another zone is said."""
    try:
        seconds = parse_duration(text.removeprefix("-"))
        return lambda now: now - round(seconds * 1000)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        instant = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        return lambda now: instant
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is no instant: write 7d, 2026-11-24, or 2026-11-24T03:10Z") from None


def _say(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"


class _Bar:
    """How far it is, on stderr."""

    def __init__(self, span: "Span", wanted: bool) -> None:
        self._span, self._is_shown = span, wanted or sys.stderr.isatty()
        self._began = self._shown = time.monotonic()

    def show(self, at: int) -> None:
        """An instant (epoch ms) was reached."""
        now = time.monotonic()
        if not self._is_shown or now - self._shown < EVERY_SECONDS:
            return
        self._shown = now
        share = (at - self._span.since) / (self._span.until - self._span.since)
        left = say_duration(round((now - self._began) * (1 - share) / share)) if share > 0 else "?"
        filled = round(share * BAR)
        bar = "#" * filled + "." * (BAR - filled)
        print(f"\r[{bar}] {share:4.0%}  {_say(at)}  {left} left\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """It is done."""
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
