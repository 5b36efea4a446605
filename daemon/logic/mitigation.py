"""What every mitigation kind on the shelf offers: its changes as data, and how each is done, read and undone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.mitigation import Call, Effect, Mitigation, Mode
from daemon.domain.soft_routing import SoftRoute
from daemon.logic import mitigations


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One target and the value it shall have. To undo it is to give the target back the value read before."""

    target: str
    choices: tuple[Any, ...]
    """The first that can be had is wanted; of models the first that is served."""
    soft: bool
    effect: Effect = Effect.EXPECTED
    inert: bool = False
    """Known to be ignored by this upstream: noted, not written."""
    obstacle: str = ""
    """Why it cannot be done on this upstream, in words; empty where nothing is known against it."""
    release: Mapping[str, Any] = field(default_factory=dict)
    verify: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the alert is about that wants a change, and what is known of the upstream's credentials."""

    models: tuple[str, ...] = ()
    """Those that fail, the worst first."""
    provider_key: str | None = None
    failing: tuple[str, ...] = ()
    """Names of credentials that fail, the worst first."""
    credentials: tuple[CredentialFile, ...] = ()
    """All that the upstream lists."""
    capabilities: Capabilities = field(default_factory=Capabilities)
    """What the upstream was seen to be able to do."""


class MitigationKind(Protocol):
    """A kind's module, seen as an object: these are module-level names of `logic/mitigations/<kind>.py`."""

    def plan(self, options: Any, about: About) -> tuple[Change, ...]:
        """The changes that the options ask for."""

    def reaches(self, options: Any, target: str) -> bool:
        """Whether the options can ask for a change of this target, whatever it is about."""

    def say(self, target: str, value: Any) -> str:
        """The change in words, after `would`: `set debug to true`."""


class SoftKind(MitigationKind, Protocol):
    """Done by a route in our own proxy, undone by its absence."""

    def route(self, row: Mitigation, trickle_seconds: float | None) -> SoftRoute: ...


class UpstreamKind(MitigationKind, Protocol):
    """Done and undone by one writing call of the management API."""

    def reading(self, target: str) -> str:
        """The path whose reply says the target's value."""

    def read(self, target: str, reply: Any) -> Any:
        """The target's value in the reply to a GET; raises ValueError when it is not there."""

    def writing(self, target: str, value: Any) -> Call:
        """What makes it this value. Not of a kind whose target is one item of a list: that has `amending`."""

    def amending(self, target: str, value: Any, reply: Any) -> Call:
        """What makes it this value in the list as it was read just now. Only of a kind that cannot send one item."""

    def top_level(self, target: str) -> str | None:
        """The key of the upstream's config that a write changes; None when it changes none."""


def kind_of(name: str) -> MitigationKind:
    """The plug-in of that name."""
    return cast(MitigationKind, import_module(f"{mitigations.__name__}.{name}"))


def is_one_way(name: str) -> bool:
    """Whether there is nothing to give back once a change of this kind is done."""
    return bool(getattr(kind_of(name), "ONE_WAY", False))


def amends(name: str) -> bool:
    """Whether a change of this kind sends a list that has to be read just before."""
    return hasattr(kind_of(name), "amending")


def ceiling_of(name: str) -> Mode:
    """How far a kind may go by itself, whatever the alerts file says."""
    return cast(Mode, getattr(kind_of(name), "CEILING", Mode.AUTO))


def soft_kind(name: str) -> SoftKind:
    """The plug-in of that name, which is a soft one."""
    return cast(SoftKind, kind_of(name))


def upstream_kind(name: str) -> UpstreamKind:
    """The plug-in of that name, which writes to the upstream."""
    return cast(UpstreamKind, kind_of(name))
