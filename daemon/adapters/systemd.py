"""The service manager: words to it (sd_notify), one datagram each, and the sockets that it hands over.

Nothing happens where there is none."""

import os
import socket
from collections.abc import Sequence

FIRST_FD = 3
HANDING_OVER = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


def take_listening_fds() -> Sequence[int]:
    """The file descriptors of the sockets that were opened for this process (sd_listen_fds); only the first call has
    them, and no child of ours hears of them."""
    said = {name: os.environ.pop(name, "") for name in HANDING_OVER}
    if said["LISTEN_PID"] != str(os.getpid()) or not said["LISTEN_FDS"].isdecimal():
        return ()
    return range(FIRST_FD, FIRST_FD + int(said["LISTEN_FDS"]))


def notify(*assignments: str) -> bool:
    """Sends `NAME=value` lines to `$NOTIFY_SOCKET`; False when there is none or it does not take them."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            # An abstract address begins with a NUL byte, which the environment writes as "@".
            channel.sendto(
                "\n".join(assignments).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address
            )
        except OSError:
            return False
    return True


def ready(status: str) -> bool:
    """We serve; also ends a reload."""
    return notify("READY=1", f"STATUS={_line(status)}")


def status(text: str) -> bool:
    """What `systemctl status` shows."""
    return notify(f"STATUS={_line(text)}")


def reloading(monotonic: float) -> bool:
    """A reload begins; `monotonic` is the clock's, in seconds. `ready` must follow."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={round(monotonic * 1_000_000)}")


def stopping(status: str) -> bool:
    """We are going down."""
    return notify("STOPPING=1", f"STATUS={_line(status)}")


def extend_timeout(seconds: float) -> bool:
    """Asks for this much more time, from now, to start, reload or stop."""
    return notify(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")


def watchdog() -> bool:
    """We are alive."""
    return notify("WATCHDOG=1")


def watchdog_seconds() -> float | None:
    """How often the watchdog must be told, with half the time to spare; None when it does not watch this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    interval = os.environ.get("WATCHDOG_USEC", "")
    return int(interval) / 2_000_000 if interval.isdecimal() and int(interval) else None


def _line(text: str) -> str:
    return " ".join(text.split())
