"""Soft routing: what the data plane is told to do differently while a mitigation lasts, and how it tells workloads."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftRoute:
    """Which requests, and what happens to them. Of both, what is empty does not matter.

    A model is compared as it stands and without its `(suffix)`. A kind that a proxy does not know is ignored.
    """

    mitigation_id: str
    kind: str = "model_alias"
    from_model: str = ""
    from_prefix: str = ""
    workload: str = ""
    """The name of a class of traffic."""
    client: str = ""
    """A `client_key_id`."""
    to_model: str = ""
    """Goes out as this model; with no other target either it stays as it is."""
    to_prefix: str = ""
    """Goes out with this prefix."""
    thinking: str = ""
    """Goes out with this level, or budget in tokens."""
    thinking_in_body: bool = False
    """In the wire's own field, not as a suffix of the model."""
    limit: int = 0
    """So many at once, of all workers together."""
    queue: int = 0
    """So many may wait, of all workers together, each for `wait_seconds`."""
    wait_seconds: float = 0.0
    trickle_seconds: float | None = None
    """One each so many seconds keeps its original path, if set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadClass:
    """A class of traffic: the requests that fit all that it says; of globs, what is empty fits all."""

    name: str
    prefix: str = ""
    model: str = ""
    client: str = ""
    """A `client_key_id`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Globs of values, by lower-case name."""
    priority: str = "normal"
    """With `latency` it is led away only by a route that names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """All soft routes in force, and the classes in their order; believed only while `sequence` keeps rising."""

    sequence: int = 0
    routes: tuple[SoftRoute, ...] = ()
    workloads: tuple[WorkloadClass, ...] = ()
