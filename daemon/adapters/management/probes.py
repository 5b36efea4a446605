"""Cold requests to the upstream: is it there, what does it serve, and does a model answer a ping on its own path."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from daemon.domain.event import Wire
from daemon.logic.forwarding import CANARY
from daemon.ports import ModelEntry

TIMEOUT_SECONDS = 5.0
PING_SECONDS = 30.0
TOKENS = 16
"""The least that every provider accepts as a limit."""

_MESSAGES = [{"role": "user", "content": "ping"}]


def _chat(model: str) -> tuple[str, dict[str, Any]]:
    return "/v1/chat/completions", {"model": model, "messages": _MESSAGES, "max_tokens": TOKENS, "stream": False}


def _responses(model: str) -> tuple[str, dict[str, Any]]:
    return "/v1/responses", {"model": model, "input": "ping", "max_output_tokens": TOKENS, "stream": False}


def _messages(model: str) -> tuple[str, dict[str, Any]]:
    return "/v1/messages", {"model": model, "messages": _MESSAGES, "max_tokens": TOKENS, "stream": False}


def _gemini(model: str) -> tuple[str, dict[str, Any]]:
    contents = [{"role": "user", "parts": [{"text": "ping"}]}]
    body = {"contents": contents, "generationConfig": {"maxOutputTokens": TOKENS}}
    return f"/v1beta/models/{model}:generateContent", body


PINGS: Mapping[Wire, Callable[[str], tuple[str, dict[str, Any]]]] = {
    Wire.OPENAI_CHAT: _chat,
    Wire.OPENAI_RESPONSES: _responses,
    Wire.ANTHROPIC_MESSAGES: _messages,
    Wire.GEMINI_GENERATE_CONTENT: _gemini,
}


class HttpProbes:
    """An `UpstreamProbes`. Pings go through our own proxy, which knows them by the canary's secret."""

    def __init__(self, upstream_url: str, proxy_url: str, api_key: str | None, canary_secret: str) -> None:
        self._upstream = httpx.AsyncClient(base_url=upstream_url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._proxy = httpx.AsyncClient(base_url=proxy_url, timeout=PING_SECONDS, trust_env=False)
        self._api_key = api_key
        self._canary_secret = canary_secret

    async def reachable(self) -> bool:
        """`/healthz` where it is served, else any answer of `/` that is not an error of the server."""
        try:
            answer = await self._upstream.get("/healthz")
            if answer.status_code == 404:
                answer = await self._upstream.get("/")
        except httpx.HTTPError:
            return False
        return answer.status_code < 500

    async def models(self) -> Sequence[ModelEntry] | None:
        """The inventory; None without a key, or when there is no list of models to be had."""
        if self._api_key is None:
            return None
        try:
            answer = await self._upstream.get("/v1/models", headers={"Authorization": f"Bearer {self._api_key}"})
            listed = answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None
        entries = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(entries, list):
            return None
        known = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        return [ModelEntry(model_id=entry["id"], owned_by=_text(entry.get("owned_by"))) for entry in known]

    async def ping(self, model: str, wire: Wire) -> bool | None:
        """Whether the model answers on its original path; None without a key, or with one that is not accepted."""
        if self._api_key is None:
            return None
        path, body = PINGS.get(wire, _chat)(model)
        try:
            answer = await self._proxy.post(path, json=body, headers=self._headers(wire, self._api_key))
            said = answer.json()
        except (httpx.HTTPError, ValueError):
            return False
        error = said.get("error") if isinstance(said, dict) else said
        if answer.status_code == 401 and isinstance(error, str):  # how the upstream refuses a client's own key
            return None
        return answer.is_success and not error

    async def close(self) -> None:
        await self._upstream.aclose()
        await self._proxy.aclose()

    def _headers(self, wire: Wire, key: str) -> dict[str, str]:
        canary = {CANARY.decode(): self._canary_secret}
        if wire is Wire.ANTHROPIC_MESSAGES:
            return {**canary, "X-Api-Key": key, "Anthropic-Version": "2023-06-01"}
        if wire is Wire.GEMINI_GENERATE_CONTENT:
            return {**canary, "X-Goog-Api-Key": key}
        return {**canary, "Authorization": f"Bearer {key}"}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
