"""What an onboarding asks of the control plane, which alone has the key: the models that are listed, and a canary."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from daemon.adapters.web.asking import json_object, words
from daemon.adapters.web.problems import BadParameter
from daemon.domain.event import Wire
from daemon.ports import Operations

FIELDS = ("model", "wire", "stream")
WIRES = tuple(wire.value for wire in Wire if wire is not Wire.OTHER)
LONGEST_MODEL = 200


async def canary(operations: Operations, request: Request) -> Any:
    """`POST /canary`."""
    body = await json_object(request, FIELDS)
    model, wire, stream = (body.get(name) for name in FIELDS)
    if not words("model", model, LONGEST_MODEL):
        raise BadParameter("model", "must name a model")
    if wire is not None and wire not in WIRES:
        raise BadParameter("wire", f"is none of {', '.join(WIRES)}")
    if stream is not None and not isinstance(stream, bool):
        raise BadParameter("stream", "must be true or false")
    return asdict(await operations.canary(str(model), Wire(wire or Wire.OPENAI_CHAT), stream=bool(stream)))


async def models(operations: Operations, _: Request) -> Any:
    """`GET /models`: null where no list is to be had."""
    listed = await operations.models()
    if listed is None:
        return {"models": None}
    return {"models": [{**asdict(one), "client": client} for client, entries in listed.items() for one in entries]}
