"""`runbookd run`: run the proxy and the control plane: the normal way."""

from argparse import ArgumentParser, Namespace

HELP = "run the proxy and the control plane: the normal way"


def configure(parser: ArgumentParser) -> None:
    """No options of its own: it is all in the settings."""


def run(args: Namespace) -> int:
    from daemon.adapters.config.settings import load_settings
    from daemon.app.supervisor import serve

    return serve(load_settings(args.config), args.config)
