"""Inventory: asks the upstream, from time to time, whether it answers, what it serves and with which credentials.

Each look is also the verdict of three probes: `health`; `models`, for each model that was served before, and how many
there are; `auth_files`, whether a credential is there twice.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import ManagementFailure
from daemon.domain.inventory import USUAL, ModelEntry
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.engine.capabilities import Prober
from daemon.logic.attribution import Attribution, Credential
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
        observe: Callable[[ProbeResult], None],
        prober: Prober,
        clock: Clock,
    ) -> None:
        self._probes = probes
        self._management = management
        self._attribution = attribution
        self._served = served
        self._observe = observe
        self._prober = prober
        self._clock = clock
        self._known: set[str] = set()
        self._trouble: str | None = None
        self.reachable = False
        self.models: dict[str, tuple[ModelEntry, ...]] | None = None
        """By the name of the client key that was asked with; None where no list was to be had at the last look."""
        self.credentials: tuple[CredentialFile, ...] = ()
        """All that the upstream listed at the last look that went well."""

    @property
    def capabilities(self) -> Capabilities:
        """What the upstream can be asked to do."""
        return self._prober.known

    async def refresh(self) -> None:
        """Never raises for what the upstream does."""
        self.reachable = await self._probes.reachable()
        self._tell("health", ok=self.reachable, reason="" if self.reachable else "the upstream does not answer")
        models = await self._probes.models()
        self.models = None if models is None else {USUAL: tuple(models)}
        if models is not None:
            self._attribution.know_owners({entry.model_id: entry.owned_by for entry in models if entry.owned_by})
            self._judge_models(models)
        self._served(None if models is None else frozenset(entry.model_id for entry in models))
        credentials = await self._learn_credentials()
        await self._prober.look(self._management, credentials, models=models is not None)

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
        self._judge_credentials(files)
        self._attribution.know_credentials(
            {file.auth_index: Credential(provider_key=file.provider_key, name=file.name) for file in files}
        )
        return files

    # ---- verdicts ------------------------------------------------------------------------------------------------

    def _judge_models(self, models: Sequence[ModelEntry]) -> None:
        """What was never served is not missing; an empty inventory says that nobody knows, not that all are gone."""
        served = {entry.model_id for entry in models}
        if not served:
            return
        self._known |= served
        for model in sorted(self._known):
            is_there = model in served
            self._tell("models", model, ok=is_there, reason="" if is_there else f"{model} is not served any more")
        self._tell("models", ok=True, value=float(len(served)))

    def _judge_credentials(self, files: Sequence[CredentialFile]) -> None:
        twice = sorted(name for name, times in Counter(file.name for file in files).items() if times > 1)
        self._tell("auth_files", ok=not twice, reason=f"there twice: {', '.join(twice)}" if twice else "")

    def _tell(self, probe: str, subject: str = "", *, ok: bool, value: float | None = None, reason: str = "") -> None:
        self._observe(
            ProbeResult(
                probe=probe,
                subject=subject,
                outcome=ProbeOutcome.OK if ok else ProbeOutcome.BAD,
                value=value,
                reason=reason,
                emitted_at=self._clock.now(),
            )
        )
