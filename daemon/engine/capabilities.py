"""Capabilities: tries once per start, and per version of the upstream, what it shows and which paths are there.

Only GETs that change nothing: the usage queue is asked for none of its records, and statistics of many megabytes not
at all. A few of its settings, which somebody may change, are read again from time to time.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

from daemon.domain.audit import AuditEntry
from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.decision import Decision
from daemon.domain.errors import ManagementFailure, StoreFailure
from daemon.logic.capabilities import EXCLUDED_MODELS, KIRO, KIRO_QUOTA, SETTINGS, USAGE_QUEUE, learned
from daemon.ports import Clock, ManagementApi, UpstreamProbes

log = logging.getLogger(__name__)

TRIED = (
    "ampcode",
    EXCLUDED_MODELS,
    "oauth-model-alias",
    "quota-exceeded/switch-preview-model",
    "quota-exceeded/switch-project",
    "routing/strategy",
    *SETTINGS,
    f"{USAGE_QUEUE}?count=0",
)
NOT_THERE = (404, 405)
SETTINGS_SECONDS = 600.0
"""Between two looks at its settings."""
NOT_SAID = ("models", "management", "settings", "open_without_key", "healthz", "provider_metrics")
"""In the audit: what changes by the minute or by hand."""


class Prober:
    """Keeps what it learned; `commit` puts what is new into the audit."""

    def __init__(self, *, clock: Clock, commit: Callable[[Decision], Awaitable[None]], probes: UpstreamProbes) -> None:
        self._clock = clock
        self._commit = commit
        self._probes = probes
        self._is_done = False
        self._settings_at = float("-inf")
        self.known = Capabilities()

    async def look(
        self, management: ManagementApi | None, credentials: Sequence[CredentialFile] | None, *, models: bool
    ) -> None:
        """After each look at the upstream: `credentials` are None where the management API did not list them.

        Never raises for what the upstream does.
        """
        before = self.known
        if before.front.healthz is None or (models and before.front.dialect is None):
            self.known = replace(before, front=await self._probes.front())
        if management is None or credentials is None:
            self.known = replace(self.known, models=models, management=False)
            return
        try:
            if self._is_done and management.version == before.version:
                settings = await self._settings(management)
                self.known = replace(self.known, models=models, management=True, settings=settings)
                return
            answers = await _answers(management, credentials)
        except ManagementFailure as failure:
            log.warning("what the upstream can do is not known: %s", failure)
            return
        front = await self._probes.front() if self._is_done else self.known.front
        routes, settings = {path: is_there for path, (is_there, _) in answers.items()}, _settings(answers)
        self.known = learned(management.version, routes, credentials, models=models, settings=settings, front=front)
        self._is_done, self._settings_at = True, self._clock.monotonic()
        await self._say(before)

    async def _settings(self, management: ManagementApi) -> Mapping[str, bool]:
        """As they were read last, or anew when that is long ago. Raises `ManagementFailure`."""
        if self._clock.monotonic() - self._settings_at < SETTINGS_SECONDS:
            return self.known.settings
        self._settings_at = self._clock.monotonic()
        return _settings({path: await _answer(management, path) for path in SETTINGS})

    async def _say(self, before: Capabilities) -> None:
        """Once, as long as it stays the same."""
        after = {name: value for name, value in self.known.shown().items() if name not in NOT_SAID}
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


async def _answers(management: ManagementApi, credentials: Sequence[CredentialFile]) -> Mapping[str, tuple[bool, Any]]:
    """By path: whether it is there, and what it says. Raises `ManagementFailure` when there is no answer."""
    found = {path.partition("?")[0]: await _answer(management, path) for path in TRIED}
    if any(one.provider_key == KIRO for one in credentials):
        with suppress(ManagementFailure):  # it asks a provider first, which may take longer than we wait
            found[KIRO_QUOTA] = await _answer(management, KIRO_QUOTA)
    return found


async def _answer(management: ManagementApi, path: str) -> tuple[bool, Any]:
    """Any answer but "there is no such thing" says yes. Raises `ManagementFailure` when there is no answer."""
    try:
        return True, await management.read(path)
    except ManagementFailure as failure:
        if failure.barred or failure.status is None:
            raise
        return failure.status not in NOT_THERE, None


def _settings(answers: Mapping[str, tuple[bool, Any]]) -> Mapping[str, bool]:
    found = {path: body.get(path) for path, (_, body) in answers.items() if path in SETTINGS and isinstance(body, dict)}
    return {path: value for path, value in found.items() if isinstance(value, bool)}
