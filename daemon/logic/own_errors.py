"""Errors of our own in the shapes that clients parse: OpenAI's, Anthropic's and Google's."""

from typing import Any

import msgspec

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GOOGLE_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def openai_error(status: int, reason: str, message: str) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}`; also right where no wire claims the path."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return _json({"error": {"message": message, "type": kind, "param": None, "code": reason}})


def anthropic_error(status: int, reason: str, message: str) -> bytes:
    """`{"type": "error", "error": {"type", "message", "code"}}`."""
    kind = _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return _json({"type": "error", "error": {"type": kind, "message": message, "code": reason}})


def google_error(status: int, reason: str, message: str) -> bytes:
    """`{"error": {"code", "message", "status", "details"}}`; `code` is the number of the status."""
    word = _GOOGLE_STATUSES.get(status, "UNKNOWN" if status >= 500 else "FAILED_PRECONDITION")
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "runbookd"}
    return _json({"error": {"code": status, "message": message, "status": word, "details": [info]}})


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
