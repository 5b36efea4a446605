"""`runbookd env`: what a shell has to run so that clients come through our proxy."""

import os
from argparse import ArgumentParser, Namespace

from daemon.logic.client_env import FAMILIES, KEY_VARIABLE, client_setup
from daemon.logic.shell_lines import SHELLS, shell_lines, shell_named

HELP = "print the lines that point a shell's clients at the proxy"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="yours, unless said")
    parser.add_argument("--client", choices=FAMILIES, help="only what this one reads; all unless said")
    parser.add_argument("--key-from", metavar="NAME", default=KEY_VARIABLE, help=f"holds the key ({KEY_VARIABLE})")


def run(args: Namespace) -> int:
    """Prints no key: the lines read it from a variable, whose name they say."""
    from daemon.adapters.config.settings import load_settings
    from daemon.app.way_in import proxy_address

    url = proxy_address(load_settings(args.config))
    setups = [client_setup(family, url, args.key_from) for family in ([args.client] if args.client else FAMILIES)]
    print(f"# {args.key_from} holds your client key: one of the upstream's api-keys.")
    print("\n".join(shell_lines(args.shell or shell_named(os.environ.get("SHELL", "")), setups, args.key_from)))
    return 0
