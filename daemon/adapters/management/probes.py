"""Cold requests to the upstream: is it there, what does it serve, and does a model answer a ping on its own path."""

from collections.abc import Mapping, Sequence

import httpx

from daemon.adapters.management.client import MOST_BYTES, ManagementClient, reply_of
from daemon.domain.event import Wire
from daemon.domain.front import Front
from daemon.domain.inventory import USUAL, Lists, ModelEntry
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.canary import canary
from daemon.logic.capabilities import front_of
from daemon.logic.forwarding import CANARY
from daemon.logic.model_list import PATHS, entries_of, may_speak_otherwise
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
        more_keys: Mapping[str, str] | None = None,
    ) -> None:
        """`more_keys` are those of clients, by name; without an `api_key` the first of them is the usual one."""
        self._upstream = httpx.AsyncClient(base_url=upstream_url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._proxy = httpx.AsyncClient(base_url=proxy_url, timeout=PING_SECONDS, trust_env=False)
        self._canary_secret = canary_secret
        self._clock = clock
        self._management = management
        self._keys = {**({} if api_key is None else {USUAL: api_key}), **(more_keys or {})}
        self._dialect: Wire | None = None
        """In which manner it was seen to list its models."""

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

    async def models(self) -> Lists | None:
        """Of each client key; None without any, or when there is no list of models to be had."""
        found = {name: listed for name in self._keys if (listed := await self._listed(name)) is not None}
        return found or None

    async def _listed(self, client: str) -> Sequence[ModelEntry] | None:
        """In the manner that is known, else in the first that is understood."""
        for wire in PATHS if self._dialect is None else (self._dialect,):
            reply = await self.ask(Ask(door=Door.UPSTREAM, path=PATHS[wire], wire=wire, client=client))
            if reply.ok and (entries := entries_of(reply.json())) is not None:
                self._dialect = wire
                return entries
            if not may_speak_otherwise(reply):
                break
        return None

    async def front(self) -> Front:
        """Three requests without a key."""
        paths = ("/", "/healthz", PATHS[self._dialect or Wire.OPENAI_CHAT])
        replies = [await self.ask(Ask(door=Door.UPSTREAM, path=path, client="")) for path in paths]
        return front_of(*replies, dialect=self._dialect)

    async def ping(self, model: str, wire: Wire) -> bool | None:
        """Whether the model answers on its original path; None without a key, or with one that is not accepted."""
        if not self._keys:
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
        key = next(iter(self._keys.values()), None) if ask.client is None else self._keys.get(ask.client)
        if key is None and ask.client != "":
            return Reply(error="there is no client key to ask with (RUNBOOKD_UPSTREAM_API_KEY)")
        through = self._proxy if ask.door is Door.PROXY else self._upstream
        headers = {**self._headers(ask, key), **ask.headers}
        began = self._clock.monotonic()
        try:
            request = through.build_request(ask.method, ask.path, json=ask.body, headers=headers)
            answer = await through.send(request, stream=True)
        except httpx.HTTPError as failure:
            return Reply(error=f"no answer ({type(failure).__name__})")
        body, error = await read_whole(answer)
        return reply_of(answer, body, self._clock.monotonic() - began, error)

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


async def read_whole(answer: httpx.Response) -> tuple[bytes, str]:
    """As much of a body as came, and why no more did; the rest of a long one is not waited for."""
    body = bytearray()
    try:
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) >= MOST_BYTES:
                break
    except httpx.HTTPError as error:
        return bytes(body), f"the answer broke off ({type(error).__name__})"
    finally:
        await answer.aclose()
    return bytes(body[:MOST_BYTES]), ""
