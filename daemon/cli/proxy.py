"""`runbookd proxy`: run one worker of the data plane."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

HELP = "run one worker of the data plane"
MOST_DESCRIPTOR = 2**31 - 1


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--worker", type=int, choices=range(16), default=0, metavar="0..15", help="which one it is (0)")
    parser.add_argument("--listen-fd", type=_descriptor, metavar="FD", help="serve on this listening socket, inherited")


def run(args: Namespace) -> int:
    from daemon.adapters.config.settings import load_settings
    from daemon.app.proxy_app import serve

    return serve(load_settings(args.config), args.worker, args.listen_fd)


def _descriptor(text: str) -> int:
    """0, 1 and 2 are never sockets of ours."""
    if not text.isascii() or not text.isdecimal() or not 3 <= int(text) <= MOST_DESCRIPTOR:
        raise ArgumentTypeError(f"'{text}' is not a file descriptor of a socket: a number from 3 on")
    return int(text)
