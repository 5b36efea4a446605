"""`runbookd exec -- CMD`: starts a client that comes through our proxy, or says at once why it would not."""

import os
import sys
from argparse import REMAINDER, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daemon.domain.errors import CannotStart, Misuse, RunbookdError
from daemon.logic.client_env import FAMILIES, ClientSetup, client_setup, family_of

if TYPE_CHECKING:
    from daemon.adapters.config.settings import Settings
    from daemon.app.way_in import Key

HELP = "start a client that comes through the proxy, or say why it would not"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--client", choices=FAMILIES, help="what the command is, where its name does not tell")
    parser.add_argument("--key-from", metavar="NAME", help="the variable that holds the client's key")
    parser.add_argument("--no-verify", action="store_true", help="start it without a look at the way")
    parser.add_argument("words", nargs=REMAINDER, metavar="-- CMD", help="the command and its arguments")


def run(args: Namespace) -> int:
    """Does not come back where the command is started: exit code, signals and terminal are its own."""
    from daemon.adapters.config.settings import load_settings
    from daemon.app.way_in import environment, find_key, proxy_address

    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not words:
        raise Misuse("exec wants a command: runbookd exec -- amp")
    settings = load_settings(args.config)
    url = proxy_address(settings)
    setup = client_setup(args.client or family_of(words[0]), url)
    key = find_key(setup, settings, args.key_from, os.environ)
    if not args.no_verify:
        _verify(setup, url, key, settings)
    return _start([words[0], *setup.arguments, *words[1:]], environment(setup, key, os.environ))


def _verify(setup: ClientSetup, url: str, key: "Key", settings: "Settings") -> None:
    """One request with the very base URL and key, and a look at whether it was seen."""
    from daemon.app.way_in import is_seen, verify
    from daemon.cli.client import client_for

    if not setup.is_told_at_start:
        raise Misuse(
            f"{setup.family} cannot be pointed anywhere at its start: see runbookd env --client {setup.family}"
        )

    def latest() -> str | None:
        rows = client_for(settings).get("events", {"client": "runbookd-exec", "limit": "1"})["events"]
        return rows[0]["event_id"] if rows else None

    try:
        before, trouble = latest(), ""
    except RunbookdError as error:
        before, trouble = None, str(error)
    verify(setup, url, key)
    if not trouble and not is_seen(latest, before):
        trouble = "the request came through, but the control plane has not seen it"
    if trouble:
        # Nobody is kept from working because nobody watches.
        print(f"runbookd: {trouble}; the command is started all the same", file=sys.stderr)


def _start(words: Sequence[str], environment: dict[str, str]) -> int:
    sys.stdout.flush()
    try:
        os.execvpe(words[0], list(words), environment)
    except OSError as error:
        raise CannotStart(f"{words[0]} cannot be started ({error.strerror})") from None
