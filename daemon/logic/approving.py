"""Approving: the one-time link that grants what was asked for, and what has become of it meanwhile."""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from hashlib import sha256

from daemon.domain.alert import Alert
from daemon.domain.mitigation import Mitigation, Mode
from daemon.logic.messages import ApprovalLink

PATH = "/approve/"


class Standing(StrEnum):
    """What can be done with a link."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    OVERTAKEN = "overtaken"
    """Nothing wants it any more, or it is being done already."""


def token_of(row_id: str, key: bytes) -> str:
    """The secret of one row's link: whoever has it may approve this row, and nothing else."""
    return hmac.new(key, b"runbookd approve " + row_id.encode(), sha256).hexdigest()[:32]


def approval_link(public_url: str, key: bytes) -> ApprovalLink:
    """The address that approves what was asked for."""
    return lambda row: f"{public_url.rstrip('/')}{PATH}{token_of(row.id, key)}"


def find(token: str, rows: Iterable[Mitigation], key: bytes) -> Mitigation | None:
    """The row whose link it is, of those that were asked for; compares all of them, each in constant time."""
    given = token.encode()
    found = None
    for row in rows:
        if row.mode is Mode.ASK and hmac.compare_digest(token_of(row.id, key).encode(), given):
            found = row
    return found


def standing(row: Mitigation, rows: Sequence[Mitigation], alerts: Iterable[Alert], now: int) -> Standing:
    """`rows` are those of the journal; `now` is epoch ms."""
    if row.approve_until is None:
        return Standing.USED
    if now >= row.approve_until:
        return Standing.EXPIRED
    is_taken = any(other.state.is_open and other.target == row.target for other in rows)
    firing = {alert.fingerprint for alert in alerts if alert.is_firing}
    return Standing.OVERTAKEN if is_taken or firing.isdisjoint(row.owners) else Standing.OPEN


def waiting(rows: Sequence[Mitigation], alerts: Sequence[Alert], now: int) -> Iterator[Mitigation]:
    """What a human may approve now (epoch ms)."""
    for row in rows:
        if row.mode is Mode.ASK and standing(row, rows, alerts, now) is Standing.OPEN:
            yield row
