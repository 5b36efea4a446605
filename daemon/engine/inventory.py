"""Inventory: asks the upstream, from time to time, whether it answers, what it serves and with which credentials."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from daemon.domain.errors import ManagementFailure
from daemon.logic.attribution import Attribution, Credential
from daemon.ports import ManagementApi, UpstreamProbes

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
    ) -> None:
        self._probes = probes
        self._management = management
        self._attribution = attribution
        self._served = served
        self._trouble: str | None = None
        self.reachable = False
        self.capabilities: Mapping[str, Any] = {"models": False, "management": False}

    async def refresh(self) -> None:
        """Never raises for what the upstream does."""
        self.reachable = await self._probes.reachable()
        models = await self._probes.models()
        if models is not None:
            self._attribution.know_owners({entry.model_id: entry.owned_by for entry in models if entry.owned_by})
        self._served(None if models is None else frozenset(entry.model_id for entry in models))
        managed = await self._learn_credentials()
        self.capabilities = {"models": models is not None, "management": managed}

    async def _learn_credentials(self) -> bool:
        if self._management is None:
            return False
        try:
            files = await self._management.credential_files()
        except ManagementFailure as failure:
            if self._trouble != (text := str(failure)):
                self._trouble = text
                log.warning("the upstream's credentials are not known: %s", text)
            return False
        self._trouble = None
        self._attribution.know_credentials(
            {file.auth_index: Credential(provider_key=file.provider_key, name=file.name) for file in files}
        )
        return True
