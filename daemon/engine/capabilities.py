"""Capabilities: tries once per start, and per version of the upstream, which paths of its management API are there.

Only GETs that change nothing: the usage queue is asked for none of its records, and statistics of many megabytes not
at all.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from daemon.domain.audit import AuditEntry
from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.decision import Decision
from daemon.domain.errors import ManagementFailure, StoreFailure
from daemon.logic.capabilities import USAGE_QUEUE, learned
from daemon.ports import Clock, ManagementApi

log = logging.getLogger(__name__)

TRIED = (
    "ampcode",
    "oauth-model-alias",
    "quota-exceeded/switch-preview-model",
    "quota-exceeded/switch-project",
    "routing/strategy",
    "usage-statistics-enabled",
    f"{USAGE_QUEUE}?count=0",
)
NOT_THERE = (404, 405)


class Prober:
    """Keeps what it learned; `commit` puts what is new into the audit."""

    def __init__(self, *, clock: Clock, commit: Callable[[Decision], Awaitable[None]]) -> None:
        self._clock = clock
        self._commit = commit
        self._is_done = False
        self.known = Capabilities()

    async def look(
        self, management: ManagementApi | None, credentials: Sequence[CredentialFile] | None, *, models: bool
    ) -> None:
        """After each look at the upstream: `credentials` are None where the management API did not list them.

        Never raises for what the upstream does.
        """
        before = self.known
        if management is None or credentials is None:
            self.known = replace(before, models=models, management=False)
            return
        if self._is_done and management.version == before.version:
            self.known = replace(before, models=models, management=True)
            return
        try:
            routes = {path.partition("?")[0]: await _is_there(management, path) for path in TRIED}
        except ManagementFailure as failure:
            log.warning("what the upstream can do is not known: %s", failure)
            return
        self.known = learned(management.version, routes, credentials, models=models)
        self._is_done = True
        await self._say(before)

    async def _say(self, before: Capabilities) -> None:
        """Once, as long as it stays the same."""
        after = {name: value for name, value in self.known.shown().items() if name not in ("models", "management")}
        said = AuditEntry(
            id="a" + sha256(repr(after).encode()).hexdigest()[:10],
            at=self._clock.now(),
            actor="daemon",
            subject="upstream",
            action="capabilities",
            before=before.version,
            after=after,
            reason="tried, not assumed",
            outcome="learned",
        )
        try:
            await self._commit(Decision(audit=(said,)))
        except StoreFailure as failure:
            log.error("what the upstream can do is not in the audit: %s", failure)


async def _is_there(management: ManagementApi, path: str) -> bool:
    """Any answer but "there is no such thing" says yes. Raises `ManagementFailure` when there is no answer."""
    try:
        await management.read(path)
    except ManagementFailure as failure:
        if failure.barred or failure.status is None:
            raise
        return failure.status not in NOT_THERE
    return True
