"""Inventory: asks the upstream, from time to time, whether it answers, what it serves and with which credentials.

It judges nothing: what a look comes to is for the probes to say that judge looks.
"""

import logging
from collections.abc import Callable, Sequence

from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import ManagementFailure
from daemon.domain.inventory import Lists
from daemon.engine.capabilities import Prober
from daemon.logic.attribution import Attribution, Credential
from daemon.logic.probe import Sight
from daemon.ports import Clock, ManagementApi, UpstreamProbes

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0


class Inventory:
    """A job for the schedule; what could not be learned leaves what was known."""

    def __init__(
        self,
        *,
        probes: UpstreamProbes,
        management: ManagementApi | None,
        attribution: Attribution,
        served: Callable[[frozenset[str] | None], None],
        prober: Prober,
        clock: Clock,
    ) -> None:
        self._probes = probes
        self._management = management
        self._attribution = attribution
        self._served = served
        self._prober = prober
        self._clock = clock
        self._trouble: str | None = None
        self.reachable = False
        self.models: Lists | None = None
        """By the name of the client key that was asked with; None where no list was to be had at the last look."""
        self.credentials: tuple[CredentialFile, ...] = ()
        """All that the upstream listed at the last look that went well."""

    @property
    def capabilities(self) -> Capabilities:
        """What the upstream can be asked to do."""
        return self._prober.known

    @property
    def trouble(self) -> str | None:
        """Why the credentials could not be read at the last look."""
        return self._trouble

    async def refresh(self) -> None:
        """Never raises for what the upstream does."""
        self.reachable = await self._probes.reachable()
        self.models = await self._probes.models()
        entries = [entry for listed in (self.models or {}).values() for entry in listed]
        if self.models is not None:
            self._attribution.know_owners({entry.model_id: entry.owned_by for entry in entries if entry.owned_by})
        self._served(None if self.models is None else frozenset(entry.model_id for entry in entries))
        credentials = await self._learn_credentials()
        await self._prober.look(self._management, credentials, models=self.models is not None)

    def sight(self) -> Sight:
        """What is known now; credentials only where they are listed."""
        return Sight(
            now=self._clock.now(),
            reachable=self.reachable,
            capabilities=self.capabilities,
            models=self.models,
            credentials=self.credentials if self.capabilities.management else None,
            routed=self._attribution.routed,
        )

    async def _learn_credentials(self) -> Sequence[CredentialFile] | None:
        if self._management is None:
            return None
        try:
            files = await self._management.credential_files()
        except ManagementFailure as failure:
            if self._trouble != (text := str(failure)):
                self._trouble = text
                log.warning("the upstream's credentials are not known: %s", text)
            return None
        self._trouble, self.credentials = None, tuple(files)
        self._attribution.know_credentials(
            {file.auth_index: Credential(provider_key=file.provider_key, name=file.name) for file in files}
        )
        return files
