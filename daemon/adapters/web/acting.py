"""Acting: what a person may do to a mitigation, by the API and by the buttons of the page."""

from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daemon.adapters.web import shapes
from daemon.adapters.web.asking import actor, form, json_object, seconds, words
from daemon.adapters.web.problems import BadParameter
from daemon.adapters.web.silencing import PAGE_ACTOR
from daemon.domain.errors import Conflict
from daemon.ports import Operations

ACTIONS = ("apply", "approve", "revert", "hold", "release")
LASTING = ("apply", "approve", "hold")
"""Those of which it can be said how long they shall last."""
FIELDS = ("for", "comment", "author")

Refused = Callable[[str], Response]


async def act(operations: Operations, request: Request) -> Any:
    """`POST /mitigations/{mitigation}/{action}`."""
    action = _action(request)
    body = await json_object(request, FIELDS)
    row = await operations.act(
        request.path_params["mitigation"],
        action,
        actor(request, body.get("author")),
        _lasting(action, body.get("for")),
        words("comment", body.get("comment", "")),
    )
    return shapes.mitigation(row)


def forms(operations: Operations, refused: Refused) -> list[Route]:
    """What the buttons of the page post to: it leads back to it, or `refused` says why nothing was done."""

    async def act_on_page(request: Request) -> Response:
        action, fields = _action(request), await form(request)
        asked, comment = (fields.get(name, [""])[0] for name in ("for", "comment"))
        length, said = _lasting(action, asked or None), words("comment", comment)
        try:
            await operations.act(request.path_params["mitigation"], action, PAGE_ACTOR, length, said)
        except Conflict as conflict:
            return refused(str(conflict))
        return RedirectResponse("/", 303)

    return [Route("/mitigations/{mitigation}/{action}", act_on_page, methods=["POST"])]


def _action(request: Request) -> str:
    action: str = request.path_params["action"]
    if action not in ACTIONS:
        raise HTTPException(404)
    return action


def _lasting(action: str, text: Any) -> float | None:
    if text is None:
        return None
    if action not in LASTING:
        raise BadParameter("for", f"says how long {', '.join(LASTING)} shall last; {action} is done at once")
    return seconds(text)
