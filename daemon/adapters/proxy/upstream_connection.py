"""One connection to the upstream: HTTP/1.1 by callbacks, carrying one call after another.

A request is sent again only when nothing was paid for: on a connection out of the pool that died before the request was
written in full, or so soon after that its death had been under way already, or when it asks for nothing done twice.
"""

import asyncio
import logging
import select
from typing import Protocol, cast

from daemon.adapters.proxy.answer_reading import Answer
from daemon.adapters.proxy.calls import HELD_BYTES, MOST_WAITING_BYTES, Call, notice_death
from daemon.domain.errors import UpstreamFault
from daemon.domain.event import Fault

log = logging.getLogger(__name__)

IDLE_SECONDS = 8.0
"""The upstream drops a connection that is silent for 10 s: ours must be younger when it is used again."""
ALREADY_DYING_SECONDS = 0.05
WAS_IDLE_SECONDS = 1.0
_BUFFER = memoryview(bytearray(65536))
"""What is read at once, and so what a slow client can make us hold; one for all, for it is copied out at once."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Pool(Protocol):
    """Where connections wait for their next call."""

    def keep(self, connection: "Connection") -> None: ...

    def forget(self, connection: "Connection") -> None: ...

    def connect(self, call: Call) -> None:
        """Sends a call on a new connection."""


class Connection(asyncio.BufferedProtocol):
    """In the pool, or carrying a call."""

    transport: asyncio.Transport

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._call: Call | None = None
        self._answer = Answer("")
        self._poll = select.poll()
        self.own_end = self.other_end = ("", 0)
        self.idle_since: float | None = None
        """None: it has not carried a call yet."""
        self._was_idle: float | None = None
        self._written_at: float | None = None
        """When the request had left us in full; None: it has not yet."""
        self._is_held = self._is_full = self._is_paused = self._has_switched = False

    # ---- for the pool and the call -----------------------------------------------------------------------------------

    def carry(self, call: Call) -> None:
        """Sends what there is of the request."""
        self._call, call.connection = call, self
        self._was_idle = None if self.idle_since is None else self._loop.time() - self.idle_since
        self._answer, self._written_at = Answer(call.method), None
        self.write(call.so_far() or b"")
        if call.was_held and not self._is_full:
            call.was_held = False
            call.asker.body_wanted()

    def is_usable(self, now: float) -> bool:
        """Whether it is young enough, and nothing waits to be read: not even its end."""
        is_young = self.idle_since is None or now - self.idle_since <= IDLE_SECONDS
        return is_young and not self.transport.is_closing() and not self._poll.poll(0)

    def write(self, data: bytes) -> None:
        if data:
            self.transport.write(data)
        call = self._call
        if call is None:
            return
        if not self._is_held:
            self._written_at = self._loop.time() if call.is_complete else None
        elif not self._is_full and self.transport.get_write_buffer_size() > MOST_WAITING_BYTES:
            self._is_full = True
            call.asker.body_held()

    def drop(self) -> None:
        self._call = None
        self._answer.let_go()
        self.transport.abort()

    def read_on(self, wanted: bool) -> None:
        if wanted is self._is_paused:
            self._is_paused = not wanted
            (self.transport.resume_reading if wanted else self.transport.pause_reading)()

    # ---- asyncio's ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HELD_BYTES)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self.other_end = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.own_end = (transport.get_extra_info("sockname") or ("", 0))[:2]
        notice_death(transport, self.other_end[0])

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_BUFFER[:nbytes]))

    def data_received(self, data: bytes) -> None:
        call = self._call
        if call is None:
            self.transport.abort()  # nobody asked
            return
        try:
            self._take(call, data)
        except Exception:
            log.exception("an answer could not be passed on")
            self.drop()
            call.asker.failed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        call, self._call = self._call, None
        if call is None:
            return
        call.connection = None
        if exc is None and (self._has_switched or self._answer.ends_by_closing):
            call.is_over = True
            call.asker.ended(())
        elif not self._answer.has_begun and self._may_repeat(call):
            call.was_held = call.was_held or self._is_full
            self._pool.connect(call)
        else:
            self._fail(call, None)

    def pause_writing(self) -> None:
        self._is_held, self._written_at = True, None

    def resume_writing(self) -> None:
        self._is_held = False
        self.write(b"")
        if self._is_full and self._call is not None:
            self._call.asker.body_wanted()
        self._is_full = False

    # ---- one answer --------------------------------------------------------------------------------------------------

    def _take(self, call: Call, data: bytes) -> None:
        asker, answer = call.asker, self._answer
        if self._has_switched:
            asker.data(data)
            return
        wrong = answer.feed(data)
        for status, headers in answer.take_interims():
            asker.interim(status, headers)
        if wrong is not None and not answer.is_told:
            answer.status = 0
            self._fail(call, wrong)
            return
        if (final := answer.take_headers()) is not None:
            call.forget()
            if answer.status == 101:
                self._has_switched = True
                asker.switched(final, answer.surplus)
                return
            asker.head(answer.status, answer.reason, final, answer.lines())
        if (body := answer.take_body()) and self._call is call:
            asker.data(body)
        if self._call is not call:
            return
        if wrong is not None:
            self._fail(call, wrong)
        elif answer.is_whole:
            self._end(call)
        else:
            asker.flush()

    def _end(self, call: Call) -> None:
        """The connection goes back into the pool, if both sides are where they should be."""
        self._call = call.connection = None
        call.is_over = True
        self._answer.let_go()
        if call.is_complete and not self._is_held and self._answer.leaves_open:
            self.read_on(True)
            self.idle_since = self._loop.time()
            self._pool.keep(self)
        else:
            self.transport.abort()
        call.asker.ended(self._answer.trailers)

    def _fail(self, call: Call, wrong: str | None) -> None:
        self._call = call.connection = None
        call.is_over = True
        self._answer.let_go()
        self.transport.abort()
        if wrong is not None:
            fault = UpstreamFault(Fault.UPSTREAM_PROTOCOL, f"the upstream's answer is {wrong}")
        elif self._answer.status:
            fault = UpstreamFault(Fault.TRUNCATED, "the upstream broke off")
        else:
            fault = UpstreamFault(Fault.UPSTREAM_PROTOCOL, "the upstream broke the conversation off before it answered")
        call.asker.fault(fault)

    def _may_repeat(self, call: Call) -> bool:
        if self._was_idle is None or call.so_far() is None:
            return False
        if self._written_at is None or (call.method in SAFE_METHODS and call.is_complete):
            return True
        was_dying = self._loop.time() - self._written_at <= ALREADY_DYING_SECONDS
        return was_dying and self._was_idle >= WAS_IDLE_SECONDS
