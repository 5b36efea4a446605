"""The notifier's process: `python -m daemon.adapters.notify.child [HOST PORT]` sends what comes in as JSON lines.

    {"id": 1, "url": "ntfy://…", "title": "…", "body": "…", "type": "failure"}   →  {"id": 1, "error": ""}
    {"id": 2, "url": "ntfy://…"}                                                 →  the same, and nothing is sent
    {"id": 3, "webhook": "https://…", "headers": {…}, "payload": {…}}            →  {…, "retry_after": 30.0}

Nothing else is ever written: what a channel says may hold its URL, and a URL is a secret. Each request has a thread of
its own: one that hangs holds up no other. It ends when its input does, whatever still hangs. Nothing in it connects to
HOST PORT, where our own proxy listens, by whatever name or detour.
"""

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any, TextIO

from daemon.adapters.notify import by_apprise
from daemon.adapters.notify.outcome import BROKEN, Outcome, noted
from daemon.adapters.notify.own_address import is_ours

answering = threading.Lock()


def main(arguments: Sequence[str]) -> None:
    answers = _answers()
    if arguments:
        _never_connect_to(int(arguments[1]))
    for line in sys.stdin:
        threading.Thread(target=_serve, args=(json.loads(line), answers), daemon=True).start()
    os._exit(0)


def _answers() -> TextIO:
    """Where answers go; from here on whatever else writes to stdout or stderr writes to nobody."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nobody = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, 1)
    os.dup2(nobody, 2)
    logging.disable()
    warnings.simplefilter("ignore")
    return out


def _never_connect_to(port: int) -> None:
    """On this machine. The interpreter itself asks before it connects, after every name was looked up."""

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect" or not isinstance(arguments[1], tuple) or arguments[1][1] != port:
            return
        try:
            is_loop = is_ours(arguments[1][0])
        except ValueError:
            is_loop = True  # a name that nobody looked up before: there is no telling where it leads
        if is_loop:
            noted.loop = True
            raise ConnectionRefusedError

    sys.addaudithook(guard)


def _serve(request: dict[str, Any], answers: TextIO) -> None:
    number = request.pop("id")
    try:
        outcome = _send(request)
        if outcome.again:
            outcome = _send(request)
    except BaseException:
        outcome = Outcome(error=BROKEN)
    with answering:
        answers.write(json.dumps({"id": number, "error": outcome.error, "retry_after": outcome.retry_after}) + "\n")
        answers.flush()


def _send(request: dict[str, Any]) -> Outcome:
    noted.loop, noted.retry_after = False, None
    if "webhook" not in request:
        return by_apprise.send(**request)
    from daemon.adapters.notify import webhook

    return webhook.post(request["webhook"], request.get("headers", {}), request.get("payload"))


if __name__ == "__main__":
    main(sys.argv[1:])
