"""Soft choice: which of the soft routes a request takes, by its model, its class of traffic and its client."""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.model_rewriting import renamed
from daemon.logic.thinking_reading import split_suffix

LEADING = frozenset({"model_alias", "reroute"})
"""Kinds that lead requests away."""
PINNING, BLOCKING, LIMITING = "pin_thinking", "block_model", "limit_concurrency"
KINDS = LEADING | {PINNING, BLOCKING, LIMITING}
LATENCY = "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What matters of a request; a model of None is not known yet."""

    model: str | None
    client: str | None = None
    workload: WorkloadClass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What shall be sent of one request: which model, where it is led to, and how it shall think."""

    model: str
    leading: SoftRoute | None = None
    pinning: SoftRoute | None = None


class Trickles:
    """When each route last let a request through on its original path."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def lets_through(self, route: SoftRoute, now: float) -> bool:
        """True once each `trickle_seconds`, for the first time so long after the route was first taken."""
        if route.trickle_seconds is None:
            return False
        if now - self._last.setdefault(route.mitigation_id, now) < route.trickle_seconds:
            return False
        self._last[route.mitigation_id] = now
        return True

    def forget_others(self, table: RoutingTable) -> None:
        """Keeps only what belongs to routes that stand in the table."""
        ids = {route.mitigation_id for route in table.routes}
        self._last = {mitigation: last for mitigation, last in self._last.items() if mitigation in ids}


def choose(table: RoutingTable, model: str, trickles: Trickles, now: float) -> SoftRoute | None:
    """Where a request of which only the model matters is led; None: it keeps its original path."""
    return _taken(table.routes, LEADING, Asked(model=model), trickles, now)


def decide(table: RoutingTable, asked: Asked, trickles: Trickles, now: float) -> Choice:
    """For a request whose model is known. Nothing is led twice: a pin chooses the model of what is led nowhere."""
    model = asked.model or ""
    leading = _taken(table.routes, LEADING, asked, trickles, now)
    if leading is not None and _led(model, leading) == model:
        leading = None
    pinning = _taken(table.routes, frozenset({PINNING}), asked, trickles, now)
    led = _led(model, leading or pinning)
    sent = led if pinning is None else _pinned(led, pinning)
    if pinning is not None and not pinning.thinking_in_body and sent == _led(model, leading):
        pinning = None
    return Choice(model=sent, leading=leading, pinning=pinning)


def gates(table: RoutingTable, sending: Asked) -> tuple[SoftRoute | None, tuple[SoftRoute, ...]]:
    """What blocks a request as it shall be sent, and the limits that it is under."""
    standing = [one for one in table.routes if one.kind in (BLOCKING, LIMITING) and is_for(one, sending)]
    limits = tuple(one for one in standing if one.kind == LIMITING)
    return next((one for one in standing if one.kind == BLOCKING), None), limits


def concerns(table: RoutingTable, asked: Asked) -> bool:
    """Whether any route is for such requests, or may be."""
    return any(is_for(route, asked) and not _is_spared(route, asked) for route in table.routes)


def is_for(route: SoftRoute, asked: Asked) -> bool:
    """Whether a request fits what the route says; a model that is not known may fit."""
    if route.workload and (asked.workload is None or asked.workload.name != route.workload):
        return False
    if route.client and route.client != asked.client:
        return False
    if asked.model is None:
        return True
    if route.from_prefix and not asked.model.startswith(route.from_prefix + "/"):
        return False
    return not route.from_model or route.from_model in (asked.model, split_suffix(asked.model)[0])


def _is_spared(route: SoftRoute, asked: Asked) -> bool:
    """What must be quick is not led away by what is meant for all."""
    named = asked.workload
    return named is not None and named.priority == LATENCY and route.kind in LEADING and route.workload != named.name


def _taken(
    routes: Iterable[SoftRoute], kinds: frozenset[str], asked: Asked, trickles: Trickles, now: float
) -> SoftRoute | None:
    """The narrowest of those that fit, unless it lets this one through."""
    fitting = [one for one in routes if one.kind in kinds and is_for(one, asked) and not _is_spared(one, asked)]
    if not fitting:
        return None
    route = max(fitting, key=_narrowness)
    return None if trickles.lets_through(route, now) else route


def _narrowness(route: SoftRoute) -> tuple[int, bool, bool]:
    return bool(route.workload) + bool(route.client), bool(route.from_model), bool(route.from_prefix)


def _pinned(model: str, pinning: SoftRoute) -> str:
    """A suffix beats the body: one that stands there must be another one."""
    bare, suffix = split_suffix(model)
    if not pinning.thinking or (pinning.thinking_in_body and not suffix):
        return model
    return f"{bare}({pinning.thinking})"


def _led(asked: str, route: SoftRoute | None) -> str:
    if route is None:
        return asked
    if route.to_model:
        return renamed(asked, route.to_model)
    if route.to_prefix:
        prefix, slash, rest = asked.partition("/")
        return f"{route.to_prefix}/{rest if slash else prefix}"
    return asked
