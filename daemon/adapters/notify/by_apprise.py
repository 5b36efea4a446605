"""One message by one Apprise URL, from the notifier's process, with Apprise's habits mended."""

import threading
from typing import Any

from daemon.adapters.notify.outcome import LOOP, NOT_SENT, NOT_TAKEN, Outcome, noted, retry_after

loading = threading.Lock()
_is_loaded = False


def send(url: str, title: str = "", body: str = "", type: str = "") -> Outcome:  # noqa: A002  # Apprise's word
    """Without a body nothing is sent. Raises whatever a plug-in raises."""
    channel = _channel(url)
    if channel is None:
        return Outcome(error=NOT_TAKEN)
    if not body or channel.notify(title=title, body=body, notify_type=type, body_format="text"):
        return Outcome()
    if noted.loop:
        return Outcome(error=LOOP)
    # what a URL with several targets has told some of them is not told twice at once
    again = len(channel[0]) == 1 and noted.retry_after is None
    return Outcome(error=NOT_SENT, retry_after=noted.retry_after, again=again)


def _channel(url: str) -> Any:
    """None when Apprise does not take the URL."""
    apprise = _loaded()
    asset = apprise.AppriseAsset(async_mode=False, service_timeout=0)  # in our own thread, not in its shared pool
    asset.http_redirects = False
    channel = apprise.Apprise(asset=asset)
    if not channel.add(url):
        return None
    for plug_in in channel:
        plug_in.redirects = False
        if plug_in.request_rate_per_sec == apprise.NotifyBase.request_rate_per_sec:
            plug_in.request_rate_per_sec = 0.0  # nobody's choice, and four recipients would outlast the deadline
    return channel


def _loaded() -> Any:
    """Apprise with its plug-ins, which are loaded once and by one thread."""
    global _is_loaded
    with loading:
        import apprise

        if not _is_loaded:
            _note_answers()
            apprise.Apprise.instantiate("json://127.0.0.1")
            _is_loaded = True
        return apprise


def _note_answers() -> None:
    """Plug-ins say yes or no; how long a service asks us to wait is seen where all of them send."""
    import requests

    plain = requests.Session.send

    def sending(self: Any, request: Any, **options: Any) -> Any:
        answer = plain(self, request, **options)
        noted.retry_after = retry_after(answer.status_code, answer.headers)
        return answer

    requests.Session.send = sending  # type: ignore[method-assign]
