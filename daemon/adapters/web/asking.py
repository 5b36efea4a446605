"""Asking: what a request says of itself: who asks, an instant, a JSON object, a form."""

import json
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request

from daemon.adapters.web import shapes
from daemon.adapters.web.problems import BadParameter
from daemon.domain.units import parse_duration

ACTOR = re.compile(r"[\w.@-]{1,64}")
LONGEST_SECONDS = 366 * 86_400.0
LONGEST_COMMENT = 400


def actor(request: Request, author: Any = None) -> str:
    """Who asks, for the audit: the author that the body names, else who the caller says to be, else the door."""
    header = request.headers.get("x-runbookd-actor", request.state.door)
    name, source = (header, "X-Runbookd-Actor") if author is None else (author, "author")
    if not isinstance(name, str) or not ACTOR.fullmatch(name):
        raise BadParameter(source, "must be 1 to 64 letters, digits, dots, dashes or @")
    return f"human:{name}"


def epoch_ms(name: str, text: Any) -> int:
    """An instant with its offset as epoch ms."""
    try:
        return (datetime.fromisoformat(text) - shapes.EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):
        raise BadParameter(name, "must be an instant such as 2026-11-24T10:00:00.000Z") from None


def seconds(text: Any) -> float:
    """What `for` says, which is how long something shall last."""
    try:
        length = parse_duration(str(text))
    except ValueError as error:
        raise BadParameter("for", str(error)) from None
    if not 0 < length <= LONGEST_SECONDS:
        raise BadParameter("for", "must be longer than 0s and at most 366d")
    return length


def words(name: str, text: Any, most: int = LONGEST_COMMENT) -> str:
    """Text of a person."""
    if not isinstance(text, str):
        raise BadParameter(name, "must be text")
    if len(text) > most:
        raise BadParameter(name, f"must be at most {most} characters long")
    return text


async def json_object(request: Request, known: Collection[str]) -> dict[str, Any]:
    """The body; none is an empty object. Names that are not known are refused."""
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise BadParameter("body", "must be a JSON object")
    for name in body:
        if name not in known:
            raise BadParameter(name[:60], f"is not known here (known: {', '.join(known)})")
    return body


async def form(request: Request) -> dict[str, list[str]]:
    """The fields of a form of ours."""
    try:
        return parse_qs((await request.body()).decode(), keep_blank_values=True)
    except ValueError:
        raise BadParameter("body", "must be a form in UTF-8") from None
