"""Errors of our own: short JSON, in the shape of the wire that the client speaks."""

import json
from functools import partial

from daemon.adapters.proxy.fuses import FusedWires
from daemon.adapters.proxy.tap import Ask
from daemon.domain.event import Fault
from daemon.logic.wire import WireProtocol


def plain_error(code: str, message: str) -> bytes:
    """Where no wire has a shape of its own."""
    return json.dumps({"error": {"code": code, "message": message}}).encode()


def wire_error(fuses: FusedWires, wire: WireProtocol | None, status: int, reason: str, message: str) -> bytes:
    """In the wire's own shape, if it can be had."""
    body = fuses.ask(wire, partial(wire.error_body, status, reason, message)) if wire else None
    return body or plain_error(reason, message)


def error_of(fuses: FusedWires, ask: Ask, status: int, message: str) -> bytes:
    """For a request that is denied."""
    return wire_error(fuses, ask.destination.wire, status, f"runbookd_{Fault.DENIED}", message)


def upstream_error(fuses: FusedWires, wire: WireProtocol | None, fault: Fault, message: str) -> tuple[int, bytes]:
    """Status and body for a request whose upstream could not be spoken with."""
    status = 504 if fault is Fault.UPSTREAM_TIMEOUT else 502
    return status, wire_error(fuses, wire, status, f"runbookd_{fault}", message)
