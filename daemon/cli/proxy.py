"""`runbookd proxy`: run one worker of the data plane."""

from argparse import ArgumentParser, Namespace

HELP = "run one worker of the data plane"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--worker", type=int, choices=range(16), default=0, metavar="0..15", help="which one it is (0)")


def run(args: Namespace) -> int:
    from daemon.adapters.config.settings import load_settings
    from daemon.app.proxy_app import serve

    return serve(load_settings(args.config), args.worker)
