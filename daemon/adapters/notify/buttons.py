"""Buttons: how a channel is given what waits for approval, as buttons where its service has some, else as links."""

from urllib.parse import parse_qs, quote, urlsplit

from daemon.domain.notification import Approval, Message
from daemon.logic.messages import with_links

WITH_BUTTONS = frozenset({"ntfy", "ntfys"})
"""Schemes of Apprise whose plug-in takes `actions`: the buttons of one message."""


def dressed(url: str, message: Message) -> tuple[str, str]:
    """The URL to send by, and the text. Actions that the URL has already are somebody's choice, and stay."""
    parts = urlsplit(url)
    is_free = "actions" not in parse_qs(parts.query, keep_blank_values=True)
    if not message.approvals or parts.scheme.lower() not in WITH_BUTTONS or not is_free:
        return url, with_links(message)
    actions = quote("; ".join(map(_action, message.approvals)), safe="")
    return f"{url}{'&' if parts.query else '?'}actions={actions}", message.body


def _action(approval: Approval) -> str:
    """In the words of ntfy: the button posts, and the message goes away when that was accepted."""
    return f"http, {_quoted(approval.label)}, {_quoted(approval.url)}, method=POST, clear=true"


def _quoted(text: str) -> str:
    """Commas and semicolons would end it, a quote its quotes; a header takes nothing but ASCII."""
    return '"' + text.replace('"', "'").encode("ascii", "replace").decode() + '"'
