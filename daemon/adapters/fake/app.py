"""The fake upstream itself: routes, client keys, models, and the control endpoints under `/_fake`."""

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from hashlib import sha256
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.adapters.fake import errors, wires
from daemon.adapters.fake.answer import Answer
from daemon.adapters.fake.credentials import CREDENTIALS, Credential, Credentials
from daemon.adapters.fake.flavours import FLAVOURS, LEGACY, NEWEST
from daemon.adapters.fake.management import Management
from daemon.adapters.fake.past import Past
from daemon.adapters.fake.plain import PLAIN, refused
from daemon.adapters.fake.quota import Quotas
from daemon.adapters.fake.record import Record, Records
from daemon.adapters.fake.scenario import Director, FakeFault, FaultRule, Scenario, read_scenario
from daemon.domain.errors import ConfigError
from daemon.domain.event import Wire
from daemon.ports import Clock

OWNERS = {"codex": "openai", "claude": "anthropic", "gemini": "google"}
METRICS = "/v1/metrics/providers"
CATALOGUE = (
    "gpt-5.5",
    "gpt-5.4",
    "gpt-5.4-mini",
    "gpt-5.3-codex",
    "gpt-5.3-codex-spark",
    "gpt-5.1-codex",
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "iflow/glm-4.6",
    "antigravity/gemini-3-pro",
)


class FakeUpstream:
    """An ASGI application. Everything is in memory; nothing of a body is kept but its length and its hash."""

    def __init__(
        self,
        *,
        clock: Clock,
        scenario: Scenario | None = None,
        api_keys: Sequence[str] = (),
        management_key: str | None = None,
        trace: bool | None = None,
        zone_minutes: int = 0,
        legacy: bool = False,
        version: str | None = None,
        credentials: Sequence[Credential] = CREDENTIALS,
    ) -> None:
        """`zone_minutes`: how far its clock is ahead of UTC. A `legacy` one serves usage statistics and no counts;
        `version` is one of `FLAVOURS`, and says the credential of each answer as that does unless `trace` is said."""
        self._clock = clock
        self._first = scenario or Scenario(name="healthy")
        self._director = Director(self._first)
        self._keys = tuple(api_keys)
        self._flavour = FLAVOURS[version or (LEGACY if legacy else NEWEST)]
        self._trace = self._flavour.traces if trace is None else trace
        self.records = Records()
        self._credentials = Credentials(credentials)
        self._quotas = Quotas(clock, self.records, self._credentials)
        self._management = Management(
            clock=clock,
            key=management_key,
            api_keys=self._keys,
            past=Past(self.records, clock, zone_minutes),
            credentials=self._credentials,
            quotas=self._quotas,
            flavour=self._flavour,
        )
        self._app = self._routed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_fake"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        record = self.records.open(
            at=self._clock.now(),
            method=request.method,
            path=request.url.path,
            query=request.query_params.keys(),
            headers=request.headers.items(),
        )

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        scope.setdefault("state", {})["record"] = record
        await self._app(scope, receive, send_noted)
        record.ended, record.duration_ms = record.ended or "complete", self._clock.now() - record.at

    def _routed(self) -> ASGIApp:
        routes = [
            *self._front(),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1beta/models", self._gemini_models, methods=["GET"]),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/responses", self._responses, methods=["POST"]),
            Route("/v1/messages", self._messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", self._count_tokens, methods=["POST"]),
            Route("/v1beta/models/{call:path}", self._gemini, methods=["POST"]),
            Route("/v1/models/{call:path}", self._gemini, methods=["POST"]),
            *self._management.routes(),
        ]
        if self._flavour.plain:
            routes = [route for route in routes if route.path in PLAIN[self._flavour.plain].paths]
        control = [
            Route("/_fake/scenario", self._scenario, methods=["GET", "PUT"]),
            Route("/_fake/quota", self._quota, methods=["GET", "PUT"]),
            Route("/_fake/requests", self._requests, methods=["GET"]),
            Route("/_fake/reset", self._reset, methods=["POST"]),
        ]
        return Starlette(routes=[*routes, *control], exception_handlers={404: _not_found, 405: _not_found})

    def _front(self) -> list[Route]:
        own = self._flavour
        return [
            Route("/", self._root, methods=["GET"]),
            *([Route("/healthz", self._healthz, methods=["GET"])] if own.healthz else []),
            *([Route(METRICS, self._metrics, methods=["GET"])] if own.provider_metrics else []),
        ]

    # ---- the four wires ------------------------------------------------------------------------------------------

    async def _chat(self, request: Request) -> Response:
        return await self._call(request, Wire.OPENAI_CHAT)

    async def _responses(self, request: Request) -> Response:
        return await self._call(request, Wire.OPENAI_RESPONSES)

    async def _messages(self, request: Request) -> Response:
        return await self._call(request, Wire.ANTHROPIC_MESSAGES)

    async def _call(self, request: Request, wire: Wire) -> Response:
        if refused := self._refused(request):
            return refused
        try:
            raw, body = await _read(request)
            ask = wires.read_ask(wire, body, len(raw), codex=_is_codex(request))
        except ValueError as error:
            return JSONResponse(errors.bad_request(str(error)), status_code=400)
        return self._answer(request, ask)

    async def _gemini(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        model, _, verb = str(request.path_params["call"]).rpartition(":")
        try:
            raw, body = await _read(request)
        except ValueError as error:
            return JSONResponse(errors.bad_request(str(error)), status_code=400)
        if verb == "countTokens":
            return JSONResponse({"totalTokens": max(1, len(raw) // 4)})
        if verb not in ("generateContent", "streamGenerateContent"):
            return Response(status_code=200 if verb and model else 404)
        sse = request.query_params.get("alt") == "sse"
        return self._answer(request, wires.read_gemini_ask(model, verb, body, len(raw), sse=sse))

    async def _count_tokens(self, request: Request) -> Response:
        raw = await request.body()
        return self._refused(request) or JSONResponse({"input_tokens": max(1, len(raw) // 4)})

    def _answer(self, request: Request, ask: wires.Ask) -> Response:
        record: Record = request.state.record
        record.wire, record.model, record.stream, record.effort = ask.wire, ask.model, ask.stream, ask.effort
        served = self._director.scenario.models
        if served is not None and ask.model not in served:
            return JSONResponse(errors.unknown_model(ask), status_code=400)
        credential = self._credentials.next_for(ask.model)
        rule = self._fault(ask, credential)
        record.fault = rule.fault if rule else None
        record.auth_index = credential.auth_index if credential else None
        record.provider = credential.provider if credential else None
        response = Answer(record, ask, rule, self._director.scenario, self._clock.now()).play(credential)
        if self._trace and credential and record.fault not in errors.LOCAL:
            response.headers["x-cpa-trace-id"] = self._trace_id(credential, record.number)
        return response

    def _fault(self, ask: wires.Ask, credential: Credential | None) -> FaultRule | None:
        if credential is None:
            return FaultRule(fault=FakeFault.AUTH_UNAVAILABLE)
        rule = self._director.next_fault(
            model=ask.model,
            wire=ask.wire,
            stream=ask.stream,
            credential=credential.name,
            tool_image=ask.tool_image,
        )
        if rule and rule.fault is FakeFault.NOT_IN_PLAN and self._management.rests(credential.auth_index, ask.model):
            return FaultRule(fault=FakeFault.AUTH_UNAVAILABLE)
        is_over = credential.auth_index in self._management.rested
        return None if is_over and rule and rule.fault is FakeFault.COOLDOWN else rule

    def _trace_id(self, credential: Credential, number: int) -> str:
        stamp = datetime.fromtimestamp(self._clock.now() / 1000, UTC).strftime("%Y%m%d%H%M%S")
        return f"{stamp}-{credential.auth_index}-{number:08x}"

    # ---- client keys and models ----------------------------------------------------------------------------------

    def _refused(self, request: Request) -> Response | None:
        """Any of the places where a client may put its key will do; without configured keys everybody passes."""
        if self._flavour.plain:
            return refused(self._flavour.plain, request, self._keys)
        if not self._keys:
            return None
        authorization = request.headers.get("authorization", "")
        bearer = authorization[7:] if authorization.lower().startswith("bearer ") else authorization
        sent = [
            bearer.strip(),
            request.headers.get("x-goog-api-key", ""),
            request.headers.get("x-api-key", ""),
            request.query_params.get("key", ""),
            request.query_params.get("auth_token", ""),
        ]
        if any(hmac.compare_digest(one.encode(), key.encode()) for one in sent for key in self._keys):
            return None
        return JSONResponse({"error": "Invalid API key" if any(sent) else "Missing API key"}, status_code=401)

    def _listed(self) -> list[tuple[str, str]]:
        """Models with their owners; those of disabled credentials are gone."""
        own = PLAIN[self._flavour.plain].models if self._flavour.plain else ""
        served = [model for model in self._director.scenario.models or CATALOGUE if model.startswith(own)]
        found = ((model, self._credentials.serving(model)) for model in served)
        able = ((model, [one for one in those if one.has(model)]) for model, those in found)
        return [(model, OWNERS.get(those[0].provider, those[0].provider)) for model, those in able if those]

    async def _models(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if "anthropic-version" in request.headers or request.headers.get("user-agent", "").startswith("claude-cli"):
            return JSONResponse(self._claude_models())
        data = [
            {"id": model, "object": "model", "created": 1_750_000_000, "owned_by": owner}
            for model, owner in self._listed()
        ]
        return JSONResponse({"object": "list", "data": data})

    def _claude_models(self) -> dict[str, Any]:
        names = sorted(model for model, _ in self._listed())
        data = [
            {"id": name, "type": "model", "display_name": name, "created_at": "2025-06-15T00:00:00Z"} for name in names
        ]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {"first_id": None, "last_id": None}
        return {"data": data, "has_more": False, **ends}

    async def _gemini_models(self, request: Request) -> Response:
        methods = ["generateContent", "streamGenerateContent", "countTokens"]
        models = [
            {"name": f"models/{model}", "displayName": model, "supportedGenerationMethods": methods}
            for model, _ in self._listed()
        ]
        return self._refused(request) or JSONResponse({"models": models})

    async def _root(self, request: Request) -> Response:
        endpoints = ["POST /v1/chat/completions", "POST /v1/completions", "GET /v1/models"]
        if self._flavour.provider_metrics:
            endpoints.append(f"GET {METRICS}")
        date = formatdate(self._clock.now() / 1000, usegmt=True)
        return JSONResponse({"message": "CLI Proxy API Server", "endpoints": endpoints}, headers={"Date": date})

    async def _healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        """As good as always empty: it counts by the beginning of the client's key."""
        return JSONResponse({})

    # ---- control -------------------------------------------------------------------------------------------------

    async def _scenario(self, request: Request) -> Response:
        """PUT takes a scenario, or the name of a built-in one as a JSON string, and starts it from its beginning."""
        if request.method == "PUT":
            try:
                self._director.play(read_scenario(json.loads(await request.body())))
            except (ConfigError, ValueError) as error:
                return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse(self._director.scenario.model_dump(mode="json", exclude_defaults=True))

    async def _quota(self, request: Request) -> Response:
        """PUT takes what credentials have left, by globs over their names, in place of what was set."""
        if request.method == "PUT":
            try:
                self._quotas.set(json.loads(await request.body()))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse(self._quotas.shown())

    async def _requests(self, request: Request) -> Response:
        """`?model=` narrows, `?after=N` gives only requests numbered above N, `?limit=` (1000) bounds the list."""
        query = request.query_params
        after, limit = int(query.get("after", 0)), int(query.get("limit", 1000))
        return JSONResponse(self.records.report(model=query.get("model"), after=after, limit=limit))

    async def _reset(self, request: Request) -> Response:
        """As it was started: first scenario, no records, settings and bans undone."""
        self._director.play(self._first)
        self._management.reset()
        self.records.clear()
        return JSONResponse({"status": "ok"})


async def _read(request: Request) -> tuple[bytes, dict[str, Any]]:
    raw = await request.body()
    record: Record = request.state.record
    record.body_bytes, record.body_sha256 = len(raw), sha256(raw).hexdigest()
    body = json.loads(raw or b"{}")
    if not isinstance(body, dict):
        raise ValueError("the body must be an object")
    return raw, body


def _is_codex(request: Request) -> bool:
    names = (request.headers.get("user-agent", ""), request.headers.get("originator", ""))
    return any(name.lower().startswith("codex") for name in names)


async def _not_found(request: Request, error: Exception) -> Response:
    return Response(status_code=404)
