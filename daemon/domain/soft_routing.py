"""Soft routing: what the data plane is told to do differently while a mitigation lasts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftRoute:
    """Requests for `from_model` go out as `to_model`; one each `trickle_seconds` keeps the original path, if set."""

    mitigation_id: str
    kind: str = "model_alias"
    from_model: str
    to_model: str
    trickle_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """All soft routes in force; believed only while `sequence` keeps rising."""

    sequence: int = 0
    routes: tuple[SoftRoute, ...] = ()
