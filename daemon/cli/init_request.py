"""The end of `runbookd init`: the first request that is seen."""

import time
from typing import TYPE_CHECKING, Any

from daemon.cli.init import say
from daemon.cli.output import clean, colour

if TYPE_CHECKING:
    from daemon.adapters.config.settings import Settings

POLL_SECONDS = 0.5


def wait_for_the_first(settings: "Settings", *, patient: bool, hurried: bool) -> None:
    """The first that comes from now on. Who is patient waits for the daemon too, who is hurried for nothing else."""
    from daemon.adapters.clock import SystemClock
    from daemon.adapters.web.shapes import instant
    from daemon.cli.client import Unreachable, client_for

    begun = instant(SystemClock().now()) or ""
    try:
        client_for(settings).get("status")
    except Unreachable:
        say("next", "`runbookd run`, or start its service")
        if not patient:
            return
    else:
        if hurried and not patient:
            return
    say("waiting", "for the first request (Ctrl-C ends it)")
    while (event := _request_since(settings, begun)) is None:
        time.sleep(POLL_SECONDS)
    print(colour(f"first request: {clean(_told(event))}", "green" if event["outcome"] == "ok" else "red"))


def _request_since(settings: "Settings", begun: str) -> dict[str, Any] | None:
    from daemon.cli.client import Unreachable, client_for

    try:
        events = client_for(settings).get("events", {"limit": "50", "source": "client"})["events"]
    except Unreachable:
        return None
    calls: list[dict[str, Any]] = [one for one in events if one["emitted_at"] > begun and one["requested_model"]]
    return calls[-1] if calls else None


def _told(event: dict[str, Any]) -> str:
    """`codex → gpt-5.5, 1.9 s, 12,410 tokens`."""
    said = [f"{event['client'] or 'a client'} → {event['requested_model']}", f"{event['duration_ms'] / 1000:.1f} s"]
    if event["outcome"] != "ok":
        said.append((event["fault"] or event["outcome"]).replace("_", " "))
    if event["total_tokens"] is not None:
        said.append(f"{event['total_tokens']:,} tokens")
    return ", ".join(said)
