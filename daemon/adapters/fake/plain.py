"""Plain upstreams: a provider's own API, which serves one wire, takes its key in one place, and has no management."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from daemon.domain.event import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """What one of them serves."""

    paths: frozenset[str]
    """As they are routed."""
    models: str
    """How the names of its models begin."""
    status: int
    """Without a key that is known."""


PLAIN = {
    Wire.OPENAI_CHAT: Plain(
        paths=frozenset({"/v1/models", "/v1/chat/completions", "/v1/responses"}), models="gpt-", status=401
    ),
    Wire.ANTHROPIC_MESSAGES: Plain(
        paths=frozenset({"/v1/models", "/v1/messages", "/v1/messages/count_tokens"}), models="claude-", status=401
    ),
    Wire.GEMINI_GENERATE_CONTENT: Plain(
        paths=frozenset({"/v1beta/models", "/v1beta/models/{call:path}"}), models="gemini-", status=403
    ),
}


def refused(wire: Wire, request: Request, keys: Sequence[str]) -> Response | None:
    """The answer to one without a key that is known, or without the version that Anthropic wants."""
    sent = _key(wire, request)
    if keys and not any(hmac.compare_digest(sent.encode(), key.encode()) for key in keys):
        return JSONResponse(_error(wire, "the API key is missing or wrong"), status_code=PLAIN[wire].status)
    if wire is Wire.ANTHROPIC_MESSAGES and "anthropic-version" not in request.headers:
        return JSONResponse(_error(wire, "anthropic-version: header is required"), status_code=400)
    return None


def _key(wire: Wire, request: Request) -> str:
    if wire is Wire.ANTHROPIC_MESSAGES:
        return request.headers.get("x-api-key", "")
    if wire is Wire.GEMINI_GENERATE_CONTENT:
        return request.headers.get("x-goog-api-key", "") or request.query_params.get("key", "")
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _error(wire: Wire, text: str) -> dict[str, Any]:
    if wire is Wire.ANTHROPIC_MESSAGES:
        return {"type": "error", "error": {"type": "authentication_error", "message": text}}
    if wire is Wire.GEMINI_GENERATE_CONTENT:
        return {"error": {"code": 403, "message": text, "status": "PERMISSION_DENIED"}}
    return {"error": {"message": text, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}}
