"""What every mitigation kind on the shelf offers: its changes as data, and how each is done, read and undone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from daemon.domain.mitigation import Effect, Mitigation
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
    release: Mapping[str, Any] = field(default_factory=dict)
    verify: Mapping[str, Any] = field(default_factory=dict)


class MitigationKind(Protocol):
    """A kind's module, seen as an object: these are module-level names of `logic/mitigations/<kind>.py`."""

    def plan(self, options: Any) -> tuple[Change, ...]:
        """The changes that the options ask for."""

    def say(self, target: str, value: Any) -> str:
        """The change in words, after `would`: `set debug to true`."""


class SoftKind(MitigationKind, Protocol):
    """Done by a route in our own proxy, undone by its absence."""

    def route(self, row: Mitigation, trickle_seconds: float | None) -> SoftRoute: ...


class UpstreamKind(MitigationKind, Protocol):
    """Done and undone by one PUT to a path of the management API."""

    def path(self, target: str) -> str: ...

    def read(self, target: str, reply: Any) -> Any:
        """The target's value in the reply to a GET; raises ValueError when it is not there."""

    def top_level(self, target: str) -> str:
        """The key of the upstream's config that a write changes."""


def kind_of(name: str) -> MitigationKind:
    """The plug-in of that name."""
    return cast(MitigationKind, import_module(f"{mitigations.__name__}.{name}"))


def soft_kind(name: str) -> SoftKind:
    """The plug-in of that name, which is a soft one."""
    return cast(SoftKind, kind_of(name))


def upstream_kind(name: str) -> UpstreamKind:
    """The plug-in of that name, which writes to the upstream."""
    return cast(UpstreamKind, kind_of(name))
