"""`runbookd control`: run the control plane."""

from argparse import ArgumentParser, Namespace

HELP = "run the control plane"


def configure(parser: ArgumentParser) -> None:
    """No options of its own: it is all in the settings."""


def run(args: Namespace) -> int:
    from daemon.adapters.config.settings import load_settings
    from daemon.app.control_app import serve

    return serve(load_settings(args.config))
