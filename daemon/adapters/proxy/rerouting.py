"""Soft routing: while the table says so, requests go out otherwise than they came, wait for a place, or are refused."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import ceil

from daemon.adapters.proxy.inflate import inflater
from daemon.adapters.proxy.limiting import Limits, Place
from daemon.adapters.proxy.tap import Ask, Observation
from daemon.domain.soft_routing import RoutingTable, SoftRoute, WorkloadClass
from daemon.logic.soft_choice import LIMITING, Asked, Choice, Trickles, concerns, decide, gates
from daemon.logic.thinking_reading import from_word
from daemon.logic.wire import WireProtocol
from daemon.logic.workload_classes import class_of, may_be_of
from daemon.ports import Clock, RoutingReader

MOST_BODY_BYTES = 32 << 20
"""A larger body keeps its original path: it is not held for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer of our own; `retry_after` are seconds."""

    status: int
    reason: str
    message: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What becomes of one request: it is refused, else sent as `changed` says, under `limits`."""

    changed: tuple[bytes, bytes] | None = None
    """Another target and another body."""
    refusal: Refusal | None = None
    limits: tuple[SoftRoute, ...] = ()


_AS_IT_IS = Ruling()


class Rerouter:
    """Of one worker; remembers what it let through on the original path, and what is under way."""

    def __init__(
        self,
        routes: RoutingReader,
        clock: Clock,
        *,
        client_of: Callable[[Ask], str | None] = lambda ask: None,
        workers: int = 1,
    ) -> None:
        """`client_of` gives the `client_key_id` of a request; `workers` share each limit."""
        self._routes = routes
        self._clock = clock
        self._trickles = Trickles()
        self._table = RoutingTable()
        self._client_of = client_of
        self._limits = Limits(workers, self._current)
        self._names_clients = False

    def has_routes(self) -> bool:
        """Whether bodies must be read before they are forwarded."""
        return bool(self._routes.table().routes)

    def class_of(self, ask: Ask, model: str | None) -> WorkloadClass | None:
        """The request's class of traffic, as things stand."""
        if not self._routes.table().workloads:
            return None
        return class_of(self._current().workloads, model, self._client(ask), ask.sent)

    def concerns(self, ask: Ask, model: str | None) -> bool:
        """Whether any route is for what may be asked behind such a head; a model of None may be any."""
        table, client = self._current(), self._client(ask)
        if model is not None:
            classes: list[WorkloadClass | None] = [class_of(table.workloads, model, client, ask.sent)]
        else:
            classes = [None, *may_be_of(table.workloads, client, ask.sent)]
        return any(concerns(table, Asked(model=model, client=client, workload=one)) for one in classes)

    def rule(self, seen: Observation, target: bytes, body: bytes) -> Ruling:
        """What becomes of the request; all but a refusal for want of a place is noted in the observation."""
        wire, table = seen.wire, self._current()
        if wire is None or (model := seen.request().model) is None:
            return _AS_IT_IS
        client = self._client(seen.ask)
        seen.workload = class_of(table.workloads, model, client, seen.ask.sent)
        asked = Asked(model=model, client=client, workload=seen.workload)
        choice = decide(table, asked, self._trickles, self._clock.monotonic())
        changed = _changed(seen, wire, choice, target, body)
        sending = replace(asked, model=seen.sent_model or model)
        blocking, limits = gates(table, sending)
        if blocking is not None:
            seen.mitigation_ids = (*seen.mitigation_ids, blocking.mitigation_id)
            return Ruling(refusal=_blocked(sending.model, blocking))
        return Ruling(changed=changed, limits=limits)

    def enter(
        self, limits: tuple[SoftRoute, ...], go_on: Callable[[], None], refuse: Callable[[], None]
    ) -> Place | None:
        """A place under the limits, taken or waiting; None: there is no room to wait."""
        return self._limits.enter(limits, go_on, refuse)

    def leave(self, place: Place) -> None:
        """The request has come to its end."""
        self._limits.leave(place)

    def _client(self, ask: Ask) -> str | None:
        """It is hashed only where somebody asks for it."""
        return self._client_of(ask) if self._names_clients else None

    def _current(self) -> RoutingTable:
        table = self._routes.table()
        if table is not self._table:
            self._table = table
            self._trickles.forget_others(table)
            self._limits.obey(route for route in table.routes if route.kind == LIMITING)
            clients = [*(one.client for one in table.routes), *(one.client for one in table.workloads)]
            self._names_clients = any(clients)
        return table


def limited(seen: Observation, limits: tuple[SoftRoute, ...]) -> Refusal:
    """For who found no place; noted in the observation."""
    seen.mitigation_ids = (*seen.mitigation_ids, *(limit.mitigation_id for limit in limits))
    names = " and ".join(limit.mitigation_id for limit in limits)
    message = f"There are as many such requests under way as there may be for now (limit_concurrency, {names})."
    seconds = max(1, ceil(min(limit.wait_seconds for limit in limits) / 2))
    return Refusal(status=429, reason="runbookd_limited", message=message, retry_after=seconds)


def _blocked(model: str | None, route: SoftRoute) -> Refusal:
    message = f"{model} is blocked for now by the owner of this proxy (block_model, {route.mitigation_id})."
    return Refusal(status=403, reason="runbookd_blocked", message=message)


def _changed(
    seen: Observation, wire: WireProtocol, choice: Choice, target: bytes, body: bytes
) -> tuple[bytes, bytes] | None:
    if choice.leading is None and choice.pinning is None:
        return None
    plain = _plain(body, seen.ask.sent.get(b"content-encoding"))
    if plain is None:
        return None
    named = seen.ask_wire(partial(wire.with_model, target, plain, choice.model)) or (target, plain)
    changed = seen.ask_wire(partial(_thinking, wire, choice.pinning, *named)) or named
    if changed == (target, plain):
        return None
    is_named, thinks = named != (target, plain), changed != named
    routes = (choice.leading if is_named else None, choice.pinning if is_named or thinks else None)
    seen.mitigation_ids = tuple(route.mitigation_id for route in routes if route is not None)
    seen.sent_model = choice.model if is_named else None
    return changed


def _thinking(wire: WireProtocol, pin: SoftRoute | None, target: bytes, body: bytes) -> tuple[bytes, bytes]:
    """With what a pin says in the body."""
    thinking = from_word(pin.thinking) if pin is not None and pin.thinking_in_body else None
    return (target, body) if thinking is None else wire.with_thinking(target, body, thinking)


def _plain(body: bytes, encoding: bytes | None) -> bytes | None:
    """None when the body cannot be read in full."""
    reader = inflater(encoding, MOST_BODY_BYTES)
    plain = reader.feed(body)
    return None if reader.gave_up else plain
