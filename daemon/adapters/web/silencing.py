"""Silencing: the API's calls to acknowledge and to silence, and the same as forms of the page."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daemon.adapters.web import shapes
from daemon.adapters.web.asking import actor, epoch_ms, form, json_object, seconds, words
from daemon.adapters.web.problems import BadParameter
from daemon.domain.errors import Conflict
from daemon.ports import Operations

FIELDS = ("matchers", "starts_at", "ends_at", "for", "comment", "author")
PAGE_ACTOR = "human:dashboard"


async def acknowledge(operations: Operations, request: Request) -> Any:
    """`POST /alerts/{alert}/ack`."""
    body = await json_object(request, ("author",))
    rows = await operations.acknowledge(request.path_params["alert"], actor(request, body.get("author")))
    return {"alerts": [shapes.alert(row, await operations.mitigations()) for row in rows]}


async def silences(operations: Operations, _: Request) -> Any:
    """`GET /silences`."""
    return {"silences": [shapes.silence(row) for row in await operations.silences()]}


async def silence(operations: Operations, request: Request) -> Any:
    """`POST /silences`."""
    body = await json_object(request, FIELDS)
    comment = words("comment", body.get("comment", ""))
    row = await operations.silence(
        _matchers(body.get("matchers", {})),
        starts_at=_instant(body, "starts_at"),
        ends_at=_instant(body, "ends_at"),
        seconds=seconds(body["for"]) if body.get("for") is not None else None,
        actor=actor(request, body.get("author")),
        comment=comment,
    )
    return shapes.silence(row)


async def expire(operations: Operations, request: Request) -> Any:
    """`DELETE /silences/{silence}`."""
    return shapes.silence(await operations.expire_silence(request.path_params["silence"], actor(request)))


def forms(operations: Operations) -> list[Route]:
    """What the buttons of the page post to; each leads back to it."""

    async def silence_alert(request: Request) -> Response:
        fields = await form(request)
        pairs = [text.partition("=") for text in fields.get("match", ())]
        await operations.silence(
            {name: wanted for name, _, wanted in pairs},
            seconds=seconds(fields.get("for", [""])[0]),
            actor=PAGE_ACTOR,
            comment=fields.get("comment", [""])[0],
        )
        return RedirectResponse("/", 303)

    async def expire_silence(request: Request) -> Response:
        with suppress(Conflict):  # it ended while the page was looked at
            await operations.expire_silence(request.path_params["silence"], PAGE_ACTOR)
        return RedirectResponse("/", 303)

    async def acknowledge_alert(request: Request) -> Response:
        with suppress(Conflict):  # it ended while the page was looked at
            await operations.acknowledge(request.path_params["alert"], PAGE_ACTOR)
        return RedirectResponse("/", 303)

    return [
        Route("/silences", silence_alert, methods=["POST"]),
        Route("/silences/{silence}/expire", expire_silence, methods=["POST"]),
        Route("/alerts/{alert}/ack", acknowledge_alert, methods=["POST"]),
    ]


def _matchers(found: Any) -> Mapping[str, str]:
    if not isinstance(found, dict) or not all(isinstance(wanted, str) for wanted in found.values()):
        raise BadParameter("matchers", 'must be labels and globs such as {"alert": "Provider*"}')
    return found


def _instant(body: Mapping[str, Any], name: str) -> int | None:
    return None if body.get(name) is None else epoch_ms(name, body[name])
