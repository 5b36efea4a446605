"""The doors: `runbookd COMMAND`. Only the chosen command's module is imported: help and health checks stay quick."""

import os
import sys
from argparse import REMAINDER, SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from daemon import __version__

COMMANDS = {
    "init": "the first ten minutes: find the upstream, ask for keys, write the files, wait for a request",
    "run": "run the proxy and the control plane: the normal way",
    "proxy": "run one worker of the data plane",
    "control": "run the control plane",
    "demo": "play an incident in a temporary directory and show what happens",
    "fake": "a fake upstream with four wires and faults, for trying things out",
    "check": "check settings and the alerts file",
    "status": "is all well?",
    "doctor": "the daily checks in one table, with what to do",
    "explain": "why an alert fired or not, was sent or not, acted or not",
    "alerts": "what is pending, firing and resolved",
    "ack": "look after what fires: it is repeated no more",
    "silence": "add, list and expire silences and maintenance windows",
    "rehearse": "what the rules would have done lately, by the upstream's own past, or in shadow",
    "rules": "list, show, test and backtest the rules of the alerts file, or tell of the kinds that there are",
    "mitigations": "list mitigations, and apply, approve, revert, hold or release them",
    "audit": "who did what, why, and what came of it",
    "probe": "list the probes, and run them now",
    "onboard": "the six steps before a new provider gets traffic, with a verdict",
    "drill": "a fire drill: alert, message and fallback on made-up turns, end to end",
    "events": "follow the requests that pass",
    "env": "print the lines that point a shell's clients at the proxy",
    "exec": "start a client that comes through the proxy, or say why it would not",
    "notify": "send a test message",
    "healthcheck": "exit 0 when the processes are alive, else 1",
}
"""Every command, with the `HELP` of its module: `daemon/cli/<command>.py`."""

OK, WARNING, MISUSE, CANNOT_START, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; errors of ours become lines on stderr, others are raised."""
    try:
        code = _dispatch(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else MISUSE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        return _explain(error)
    return code


def _dispatch(argv: list[str]) -> int:
    top = _parser()
    chosen = top.parse_args(argv)
    if chosen.command is None:
        top.print_help(sys.stderr)
        return MISUSE
    if chosen.command not in COMMANDS:
        print(f"runbookd: there is no command '{chosen.command}'{_did_you_mean(chosen.command)}", file=sys.stderr)
        return MISUSE
    command = import_module(f"daemon.cli.{chosen.command}")
    parser = ArgumentParser(prog=f"runbookd {chosen.command}", description=_sentence(command.HELP))
    _add_config(parser)
    command.configure(parser)
    code = command.run(parser.parse_args(chosen.rest, Namespace(config=chosen.config)))
    return int(code)


def _parser() -> ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {says}" for name, says in COMMANDS.items()]
    parser = ArgumentParser(
        prog="runbookd",
        usage="runbookd [--config FILE] COMMAND …",
        description="The provider-operations runbook of an AI proxy, as a daemon.",
        epilog="\n".join(["commands:", *lines, "", "runbookd COMMAND --help says more."]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"runbookd {__version__}")
    _add_config(parser, default=None)
    parser.add_argument("command", nargs="?", help=SUPPRESS)
    parser.add_argument("rest", nargs=REMAINDER, help=SUPPRESS)
    return parser


def _add_config(parser: ArgumentParser, default: str | None = SUPPRESS) -> None:
    parser.add_argument("--config", metavar="FILE", type=Path, default=default, help="settings (TOML)")


def _did_you_mean(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, n=1)
    return f"; did you mean '{near[0]}'?" if near else "; runbookd --help lists them"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"


def _explain(error: Exception) -> int:
    from daemon.domain.errors import CannotStart, ConfigError, Misuse, RunbookdError

    if not isinstance(error, RunbookdError):
        raise error
    if isinstance(error, ConfigError):
        print(error, file=sys.stderr)
        return MISUSE
    print(f"runbookd: {error}", file=sys.stderr)
    if isinstance(error, Misuse):
        return MISUSE
    return CANNOT_START if isinstance(error, CannotStart) else WARNING
