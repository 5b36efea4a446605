"""The error bodies of the fake upstream, in the shapes that a real one sends on each wire."""

from collections.abc import Mapping
from typing import Any

from daemon.adapters.fake.scenario import FakeFault
from daemon.adapters.fake.wires import Ask, Json
from daemon.domain.event import Wire

STATUS = {
    FakeFault.RATE_LIMIT: 429,
    FakeFault.COOLDOWN: 429,
    FakeFault.QUOTA: 429,
    FakeFault.SERVER_ERROR: 500,
    FakeFault.AUTH_UNAVAILABLE: 503,
    FakeFault.NO_API_KEY: 500,
    FakeFault.ACCOUNT_GONE: 406,
    FakeFault.OVERLOADED: 529,
    FakeFault.UNAUTHORIZED: 401,
    FakeFault.FORBIDDEN: 403,
    FakeFault.MODEL_NOT_FOUND: 404,
    FakeFault.MODEL_NOT_SUPPORTED: 400,
    FakeFault.NOT_IN_PLAN: 404,
    FakeFault.REFUSED: 400,
}
"""The faults that are answered with an error status."""

LOCAL = frozenset({FakeFault.COOLDOWN, FakeFault.AUTH_UNAVAILABLE})
"""Refused without a call to the vendor: no credential, so no trace id."""

COOLDOWN_SECONDS = 60

_CLAUDE_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_BASE: Mapping[FakeFault, tuple[str, str, str]] = {
    FakeFault.RATE_LIMIT: ("Rate limit reached", "rate_limit_error", "rate_limit_exceeded"),
    FakeFault.QUOTA: ("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
    FakeFault.SERVER_ERROR: ("internal error", "server_error", "internal_server_error"),
    FakeFault.NO_API_KEY: ("iflow executor: missing api key", "server_error", "internal_server_error"),
    FakeFault.ACCOUNT_GONE: ("Not acceptable", "invalid_request_error", ""),
    FakeFault.OVERLOADED: ("Overloaded", "server_error", "internal_server_error"),
    FakeFault.UNAUTHORIZED: ("Provided authentication token is expired", "authentication_error", "invalid_api_key"),
    FakeFault.FORBIDDEN: ("Request not allowed", "permission_error", "insufficient_quota"),
    FakeFault.MODEL_NOT_FOUND: ("The model does not exist", "invalid_request_error", "model_not_found"),
    FakeFault.NOT_IN_PLAN: ("The model does not exist", "invalid_request_error", "model_not_found"),
    FakeFault.REFUSED: ("Invalid value in input", "invalid_request_error", "invalid_value"),
}


def error_of(message: str, kind: str, code: str) -> Json:
    """The inside of the usual error object."""
    return {"message": message, "type": kind, "code": code}


def refusal(fault: FakeFault, ask: Ask, provider: str) -> Json:
    """The body that goes with `STATUS[fault]`."""
    body = _body(fault, ask, provider)
    if ask.wire is Wire.ANTHROPIC_MESSAGES:
        return _claude(STATUS[fault], body, "insufficient_quota" if fault is FakeFault.QUOTA else None)
    if ask.wire is Wire.OPENAI_RESPONSES and ask.stream and "error" in body:
        told = ("type", "code", "message", "param")
        return {"error": {name: value for name, value in body["error"].items() if name in told}}
    return body


def unknown_model(ask: Ask) -> Json:
    """The body of the 400 for a model that nobody serves."""
    error = error_of(f"unknown provider for model {ask.model}", "invalid_request_error", "model_not_found")
    body = {"error": {**error, "param": "model"}}
    return _claude(400, body) if ask.wire is Wire.ANTHROPIC_MESSAGES else body


def bad_request(message: str) -> Json:
    """The body of the 400 for a request that cannot be read."""
    return {"error": {"message": message, "type": "invalid_request_error"}}


def _body(fault: FakeFault, ask: Ask, provider: str) -> Json:
    if fault is FakeFault.COOLDOWN:
        return {"error": _cooldown(ask.model, provider)}
    if fault is FakeFault.AUTH_UNAVAILABLE:
        message = f"auth_unavailable: no auth available (providers={provider}, model={ask.model})"
        return {"error": error_of(message, "server_error", "internal_server_error")}
    if fault is FakeFault.MODEL_NOT_SUPPORTED:
        return {"detail": f"The '{ask.model}' model is not supported when using Codex with a ChatGPT account."}
    if fault is FakeFault.RATE_LIMIT and ask.wire is Wire.GEMINI_GENERATE_CONTENT:
        return {"error": _resource_exhausted()}
    return {"error": error_of(*_BASE[fault])}


def _cooldown(model: str, provider: str) -> Json:
    return {
        "code": "model_cooldown",
        "message": f"All credentials for model {model} are cooling down via provider {provider}",
        "model": model,
        "provider": provider,
        "reset_seconds": COOLDOWN_SECONDS,
        "reset_time": "1m0s",
    }


def _resource_exhausted() -> Json:
    """Google's own shape, which passes through as it is."""
    hint = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.3s"}
    message = "Resource has been exhausted (e.g. check quota)."
    return {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": [hint]}


def _claude(status: int, body: Mapping[str, Any], vendors_type: str | None = None) -> Json:
    """Only the sentence survives on the Claude endpoint; the type follows the status, unless the vendor said one."""
    kind = vendors_type or _CLAUDE_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    message = body["error"]["message"] if "error" in body else body["detail"]
    return {"type": "error", "error": {"type": kind, "message": message}}
