"""Answers of our own: short JSON, in the shape of the wire that the client speaks."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from daemon.adapters.proxy.fuses import FusedWires
from daemon.domain.event import Fault
from daemon.logic.wire import WireProtocol

Send = Callable[[Any], Any]


async def answer(send: Send, status: int, body: bytes, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """A whole answer."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def plain_error(code: str, message: str) -> bytes:
    """Where no wire has a shape of its own."""
    return json.dumps({"error": {"code": code, "message": message}}).encode()


def upstream_error(fuses: FusedWires, wire: WireProtocol | None, fault: Fault, message: str) -> tuple[int, bytes]:
    """Status and body for a request whose upstream could not be spoken with."""
    status, reason = 504 if fault is Fault.UPSTREAM_TIMEOUT else 502, f"runbookd_{fault}"
    body = fuses.ask(wire, partial(wire.error_body, status, reason, message)) if wire else None
    return status, body or plain_error(reason, message)
