"""Attribution: which provider an event belongs to, from the best evidence there is, whatever its outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from daemon.domain.alerts_config import ProviderPattern
from daemon.domain.event import Event, Outcome, Source
from daemon.domain.routed import Routed
from daemon.domain.selection import Selection
from daemon.logic.straying import Straying

MOST_MODELS = 1000
"""That are remembered; models are named by clients, but only successes teach."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential of the upstream."""

    provider_key: str
    name: str


class Attribution:
    """Labels events. Evidence, best first: `trace` (the credential that the upstream names), `learned` (what the traced
    successes of its model taught: failures often carry no trace, and get the same label), `pattern` (the operator's),
    `prefix`, `owned_by` (the inventory)."""

    def __init__(self) -> None:
        self._credentials: Mapping[str, Credential] = {}
        self._providers: frozenset[str] = frozenset()
        self._owners: Mapping[str, str] = {}
        self._patterns: tuple[tuple[Selection, str], ...] = ()
        self._learned: dict[str, str] = {}
        self._straying = Straying()

    def configure(self, patterns: Sequence[ProviderPattern]) -> None:
        """The operator's own knowledge."""
        self._patterns = tuple((Selection(pattern.match), pattern.provider_key) for pattern in patterns)
        self._straying.forget()

    def know_credentials(self, credentials: Mapping[str, Credential]) -> None:
        """By auth_index."""
        self._credentials = dict(credentials)
        self._providers = frozenset(one.provider_key for one in credentials.values())

    def know_owners(self, owners: Mapping[str, str]) -> None:
        """The inventory's `owned_by`, by model."""
        self._owners = dict(owners)

    @property
    def models(self) -> frozenset[str]:
        """Models that were seen to be served."""
        return frozenset(self._learned)

    @property
    def routed(self) -> Sequence[Routed]:
        """Where the turns went whose provider the upstream names and a pattern or a prefix expects."""
        return self._straying.routed

    def attribute(self, event: Event) -> Event:
        """The event with `provider_key`, its evidence, and the credential."""
        if not event.is_model_call:
            return event
        credential = self._credentials.get(event.auth_index or "")
        provider_key, evidence = self._find(event, credential)
        if evidence == "trace" and event.source is Source.CLIENT and not event.mitigation_ids:
            self._compare(event, provider_key)
        if event.outcome is Outcome.OK:
            self._learn(event, provider_key if evidence == "trace" else None)
        return replace(
            event,
            provider_key=provider_key,
            provider_evidence=evidence,
            credential=credential.name if credential else event.credential,
        )

    def recall(self, event: Event) -> None:
        """Learns again from a stored event."""
        if event.outcome is Outcome.OK and event.is_model_call:
            self._learn(event, event.provider_key if event.provider_evidence == "trace" else None)

    def _compare(self, event: Event, provider_key: str) -> None:
        """A provider that has no credential there is expected by nobody."""
        patterns = (wanted for selection, wanted in self._patterns if selection(event))
        expected, model = next(patterns, event.prefix), event.requested_model
        if model and expected in self._providers:
            self._straying.note(model, expected, provider_key)

    def _find(self, event: Event, credential: Credential | None) -> tuple[str, str | None]:
        if credential is not None:
            return credential.provider_key, "trace"
        model = event.model_id or event.requested_model or ""
        if learned := self._learned.get(model):
            return learned, "learned"
        for selection, provider_key in self._patterns:
            if selection(event):
                return provider_key, "pattern"
        if event.prefix:
            return event.prefix, "prefix"
        if owner := self._owners.get(model):
            return owner, "owned_by"
        return UNKNOWN, None

    def _learn(self, event: Event, provider_key: str | None) -> None:
        model = event.model_id or event.requested_model
        if model is None:
            return
        known = self._learned.pop(model, "")
        self._learned[model] = provider_key or known
        if len(self._learned) > MOST_MODELS:
            del self._learned[next(iter(self._learned))]
