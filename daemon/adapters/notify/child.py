"""The notifier's process: `python -m daemon.adapters.notify.child` sends by Apprise what comes in as JSON lines.

    {"id": 1, "url": "ntfy://…", "title": "…", "body": "…", "kind": "failure"}  →  {"id": 1, "error": ""}
    {"id": 2, "url": "ntfy://…"}                                                →  the same, and nothing is sent

Nothing else is ever written: what a channel says may hold its URL, and a URL is a secret. Each request has a thread of
its own: one that hangs holds up no other. It ends when its input does, whatever still hangs.
"""

import json
import logging
import os
import sys
import threading
import warnings
from typing import Any, TextIO

NOT_TAKEN = "Apprise does not take this URL"
NOT_SENT = "the channel refused the message or could not be reached"
BROKEN = "the channel's plug-in failed"
RETRIES = 1
"""Within one send: a channel that fails beside one that works gets no other chance."""

turn = threading.Lock()
"""To answer, and to load plug-ins."""


def main() -> None:
    answers = _answers()
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


def _serve(request: dict[str, Any], answers: TextIO) -> None:
    number = request.pop("id")
    try:
        error = _send(**request)
    except Exception:
        error = BROKEN
    with turn:
        answers.write(json.dumps({"id": number, "error": error}) + "\n")
        answers.flush()


def _send(url: str, title: str = "", body: str = "", kind: str = "") -> str:
    """What went wrong; empty when all is well. Without a body nothing is sent."""
    with turn:
        import apprise

        asset = apprise.AppriseAsset()
        asset.http_redirects = False
        asset.default_service_retry = RETRIES
        channel = apprise.Apprise(asset=asset)
        if not channel.add(url):
            return NOT_TAKEN
    if body and not channel.notify(title=title, body=body, notify_type=kind, body_format="text"):
        return NOT_SENT
    return ""


if __name__ == "__main__":
    main()
