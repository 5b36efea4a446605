"""Quota of a kiro credential, as the one endpoint tells it that some builds have for it.

It has two traps: an index that it does not know is answered with the first credential, and a credential of which it
knows nothing reads as one of which nothing is left.
"""

from daemon.domain.probe import Ask, Door, Reply
from daemon.domain.quota import QuotaReading
from daemon.logic.quantities import number, part, parts, percentage, until, yes_or_no

PATH = "kiro-quota"
SOURCE = "kiro_quota"
PROVIDER = "kiro"
PATIENCE_SECONDS = 35.0
"""Each answer is a request to the vendor, for which the upstream waits half a minute."""


def ask(auth_index: str) -> Ask:
    """One credential by its index."""
    return Ask(door=Door.MANAGEMENT, path=f"{PATH}?auth_index={auth_index}", patience_seconds=PATIENCE_SECONDS)


def read(reply: Reply, auth_index: str, credential: str | None, now: int) -> tuple[QuotaReading | None, str]:
    """What it says of that credential; nothing, and why, where it says nothing. `now` is epoch ms."""
    said = reply.json() if reply.ok else None
    if not isinstance(said, dict):
        return None, reply.error or f"{PATH} answers with status {reply.status}"
    if said.get("auth_index") != auth_index:
        return None, f"{PATH} answers for another credential"
    if not parts(part(said, "usage").get("usageBreakdownList")):
        return None, f"{PATH} knows nothing of this credential's usage"
    reading = QuotaReading(
        provider_key=PROVIDER,
        auth_index=auth_index,
        credential=credential,
        quota_remaining=number(said.get("remaining_quota")),
        usage_percentage=percentage(said.get("usage_percentage")),
        quota_exhausted=yes_or_no(said.get("quota_exhausted")),
        quota_reset_seconds=until(part(said, "usage").get("nextDateReset"), now),
        observed_at=now,
        source=SOURCE,
    )
    return reading, ""
