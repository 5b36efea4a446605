"""Holding: a request that may have to go out otherwise is kept back until it is whole, and until there is a place."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from daemon.adapters.proxy.limiting import Place
from daemon.adapters.proxy.rerouting import MOST_BODY_BYTES, Refusal, Rerouter, Ruling, limited
from daemon.adapters.proxy.tap import Observation
from daemon.logic.forwarding import Headers

log = logging.getLogger(__name__)


class Sender(Protocol):
    """Whose request it is."""

    seen: Observation

    def send_as_it_is(self, body: bytes, *, last: bool, trailers: Headers) -> None: ...

    def send_changed(self, target: bytes, body: bytes) -> None: ...

    def refuse(self, refusal: Refusal) -> None:
        """Answers instead of the upstream."""

    def failed(self) -> None:
        """A mistake of our own."""


class Held:
    """One request, from its first byte to the end of its answer."""

    __slots__ = ("_pieces", "_place", "_release", "_rerouter", "_ruling", "_sender", "_size", "_target", "gathers")

    def __init__(self, sender: Sender, rerouter: Rerouter, target: bytes) -> None:
        self.gathers = True
        """It is not known yet what becomes of it."""
        self._sender = sender
        self._rerouter = rerouter
        self._target = target
        self._pieces: list[bytes] = []
        self._size = 0
        self._ruling = Ruling()
        self._release: Callable[[], None] | None = None
        self._place: Place | None = None

    def take(self, data: bytes, *, last: bool, trailers: Headers) -> None:
        """A piece of its body; one that is too large is held no longer, and goes out as it is."""
        self._pieces.append(data)
        self._size += len(data)
        if not last and self._size <= MOST_BODY_BYTES:
            return
        self.gathers = False
        body = b"".join(self._pieces)
        self._pieces.clear()
        if last:
            self._rule(body, trailers)
        else:
            self._sender.send_as_it_is(body, last=False, trailers=trailers)

    def end(self) -> None:
        """The request has come to its end, wherever it was."""
        self._release = None
        place, self._place = self._place, None
        if place is not None:
            self._rerouter.leave(place)

    def _rule(self, body: bytes, trailers: Headers) -> None:
        sender = self._sender
        ruling = self._ruling = self._rerouter.rule(sender.seen, self._target, body)
        if ruling.refusal is not None:
            sender.refuse(ruling.refusal)
            return
        if ruling.changed is not None:
            self._release = partial(sender.send_changed, *ruling.changed)
        else:
            self._release = partial(sender.send_as_it_is, body, last=True, trailers=trailers)
        if ruling.limits:
            self._enter()
        else:
            self._let_go()

    def _enter(self) -> None:
        self._place = self._rerouter.enter(self._ruling.limits, self._go_on, self._give_up)
        if self._place is None:
            self._give_up()
        elif self._place.is_taken:
            self._let_go()

    def _go_on(self) -> None:
        """Called by the loop, for whom a mistake here would be nobody's."""
        try:
            self._let_go()
        except Exception:
            log.exception("a request that waited could not be forwarded")
            self._sender.failed()

    def _give_up(self) -> None:
        self._sender.refuse(limited(self._sender.seen, self._ruling.limits))

    def _let_go(self) -> None:
        """Nothing is left to send once the client has left."""
        release, self._release = self._release, None
        if release is not None:
            release()
