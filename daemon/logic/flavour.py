"""Which kind of upstream it is, as far as its front page alone says it."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from daemon.domain.check_up import Knock
from daemon.domain.probe import Reply

ANNOUNCED = "CLI Proxy API"
"""CLIProxyAPI and its relatives begin so, in the `message` of `GET /`."""
NAME, OTHER = "CLIProxyAPI", "an upstream of another kind"
LONGEST_NAME = 60


def heard(url: str, reply: Reply, now: int) -> Knock:
    """What `GET /` came to; instants are epoch ms."""
    return Knock(
        url=url,
        asked_at=now,
        status=reply.status,
        says=_name(reply.json()),
        clock=_clock(reply.headers),
        error=reply.error,
    )


def flavour(knock: Knock) -> str:
    """In words for people; empty where nobody answers."""
    if not answers(knock):
        return ""
    return NAME if ANNOUNCED in knock.says else OTHER


def answers(knock: Knock) -> bool:
    """Somebody is there; a page that is missing is an answer too."""
    return knock.status is not None and knock.status < 500


def _name(body: Any) -> str:
    said = body.get("message") if isinstance(body, dict) else None
    return said[:LONGEST_NAME] if isinstance(said, str) else ""


def _clock(headers: Mapping[str, str]) -> int | None:
    try:
        return round(parsedate_to_datetime(headers.get("date", "")).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return None
