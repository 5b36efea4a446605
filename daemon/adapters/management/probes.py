"""Cold requests to the upstream: is it there, what does it serve, and does a model answer a ping on its own path."""

from collections.abc import Sequence
from typing import Any

import httpx

from daemon.adapters.management.client import ManagementClient, reply_of
from daemon.domain.event import Wire
from daemon.domain.inventory import USUAL, ModelEntry
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.canary import canary
from daemon.logic.forwarding import CANARY
from daemon.ports import Clock

TIMEOUT_SECONDS = 5.0
PING_SECONDS = 30.0


class HttpProbes:
    """An `UpstreamProbes`. Pings go through our own proxy, which knows them by the canary's secret."""

    def __init__(
        self,
        upstream_url: str,
        proxy_url: str,
        api_key: str | None,
        canary_secret: str,
        clock: Clock,
        management: ManagementClient | None = None,
    ) -> None:
        self._upstream = httpx.AsyncClient(base_url=upstream_url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._proxy = httpx.AsyncClient(base_url=proxy_url, timeout=PING_SECONDS, trust_env=False)
        self._api_key = api_key
        self._canary_secret = canary_secret
        self._clock = clock
        self._management = management
        self._keys = {} if api_key is None else {USUAL: api_key}

    @property
    def clients(self) -> Sequence[str]:
        """The names of the client keys that there are."""
        return tuple(self._keys)

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
        reply = await self.ask(canary(model, wire))
        said = reply.json()
        if reply.status is None or said is None:
            return False
        error = said.get("error") if isinstance(said, dict) else said
        if reply.status == 401 and isinstance(error, str):  # how the upstream refuses a client's own key
            return None
        return reply.ok and not error

    async def ask(self, ask: Ask) -> Reply:
        """What a probe asks, by whichever door. Never raises: what went wrong is in the reply."""
        if ask.door is Door.MANAGEMENT:
            return await self._management.ask(ask) if self._management else Reply(error="there is no management key")
        key = self._keys.get(USUAL if ask.client is None else ask.client)
        if key is None and ask.client != "":
            return Reply(error="there is no client key to ask with (RUNBOOKD_UPSTREAM_API_KEY)")
        through = self._proxy if ask.door is Door.PROXY else self._upstream
        headers = {**self._headers(ask, key), **ask.headers}
        began = self._clock.monotonic()
        try:
            answer = await through.request(ask.method, ask.path, json=ask.body, headers=headers)
        except httpx.HTTPError as error:
            return Reply(error=f"no answer ({type(error).__name__})")
        return reply_of(answer, round((self._clock.monotonic() - began) * 1000))

    async def close(self) -> None:
        await self._upstream.aclose()
        await self._proxy.aclose()

    def _headers(self, ask: Ask, key: str | None) -> dict[str, str]:
        marked = {CANARY.decode(): self._canary_secret} if ask.door is Door.PROXY else {}
        if not key:
            return marked
        if ask.wire is Wire.ANTHROPIC_MESSAGES:
            return {**marked, "X-Api-Key": key, "Anthropic-Version": "2023-06-01"}
        if ask.wire is Wire.GEMINI_GENERATE_CONTENT:
            return {**marked, "X-Goog-Api-Key": key}
        return {**marked, "Authorization": f"Bearer {key}"}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
