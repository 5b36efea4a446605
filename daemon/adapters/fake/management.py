"""The management API of the fake upstream: settings, credentials, and the ban after five failures."""

import json
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.adapters.fake.credentials import Credential, Credentials
from daemon.adapters.fake.flavours import Flavour
from daemon.adapters.fake.past import Past
from daemon.adapters.fake.quota import Quotas
from daemon.ports import Clock

BAN_SECONDS = 1800
LACKING_SECONDS = 43_200
FAILURES_ALLOWED = 5
BASE = "/v0/management"

BOOLEANS = (
    "debug",
    "request-log",
    "usage-statistics-enabled",
    "ws-auth",
    "logging-to-file",
    "quota-exceeded/switch-project",
    "quota-exceeded/switch-preview-model",
)
MODEL_ROUTES = ("routing/strategy", "oauth-model-alias")
STRATEGIES = {
    "round-robin": "round-robin",
    "rr": "round-robin",
    "weighted-round-robin": "weighted-round-robin",
    "wrr": "weighted-round-robin",
    "fill-first": "fill-first",
    "ff": "fill-first",
}
DEFAULTS: dict[str, Any] = {
    "debug": False,
    "request-log": False,
    "usage-statistics-enabled": True,
    "ws-auth": True,
    "logging-to-file": False,
    "request-retry": 3,
    "quota-exceeded": {"switch-project": False, "switch-preview-model": False},
    "routing": {"strategy": "round-robin"},
    "oauth-model-alias": {},
    "oauth-excluded-models": {},
}


Endpoint = Callable[[Request], Awaitable[Response]]


class Management:
    """Without a key the whole tree is not there (404)."""

    def __init__(
        self,
        *,
        clock: Clock,
        key: str | None,
        api_keys: tuple[str, ...],
        past: Past,
        credentials: Credentials,
        quotas: Quotas,
        flavour: Flavour,
    ) -> None:
        self._past, self._credentials, self._flavour = past, credentials, flavour
        self._quotas = quotas
        self._clock = clock
        self._key = key
        self._api_keys = api_keys
        self.reset()

    def reset(self) -> None:
        """Settings, credentials and bans as at the start."""
        self._config = {**deepcopy(DEFAULTS), "api-keys": list(self._api_keys)}
        self._failures: dict[str, tuple[int, float]] = {}
        self._credentials.reset()
        self._quotas.reset()
        self.rested: set[str] = set()
        """Credentials, by index, whose cooldown somebody has ended."""
        self._lacking: dict[tuple[str, str], int] = {}
        """Until when a credential is rested for a model that its account lacks."""

    def rests(self, auth_index: str, model: str) -> bool:
        """Whether a credential is rested for a model that its account lacks; asked once, it is for twelve hours."""
        now, ends = self._clock.now(), self._lacking.get((auth_index, model), 0)
        if ends <= now:
            self._lacking[auth_index, model] = now + LACKING_SECONDS * 1000
        return ends > now

    def routes(self) -> list[Route]:
        """All routes of the tree."""
        if self._key is None:
            return []
        settings = [
            self._route(f"/{name}", self._setting(name), "GET", "PUT", "PATCH")
            for name in (*BOOLEANS, *(MODEL_ROUTES if self._flavour.routes_models else ()))
        ]
        return [
            *settings,
            self._route("/config", self._read_config, "GET"),
            self._route("/oauth-excluded-models", self._excluded, "GET", "PATCH"),
            self._route("/auth-files", self._list_credentials, "GET"),
            self._route("/logs", self._read_log, "GET"),
            *self._routes_of_flavour(),
        ]

    def _routes_of_flavour(self) -> list[Route]:
        own, usage = (
            self._flavour,
            ("/usage-queue", self._pop_usage) if self._flavour.is_newer else ("/usage", self._read_usage),
        )
        patches = [("/auth-files/status", self._patch_status), ("/auth-files/fields", self._patch_fields)]
        return [
            self._route(*usage, "GET"),
            *(self._route(*patch, "PATCH") for patch in patches if own.patches_credentials),
            *([self._route("/ampcode", self._read_amp, "GET")] if own.ampcode else []),
            *([self._route("/ampcode/model-mappings", self._map_amp, "GET", "PATCH", "DELETE")] if own.ampcode else []),
            *([self._route("/reset-quota", self._reset_quota, "POST")] if own.resets_quota else []),
            *([self._route("/kiro-quota", self._read_kiro, "GET")] if own.kiro_quota else []),
            *([self._route("/api-call", self._call_vendor, "POST")] if own.api_call else []),
        ]

    # ---- who may come in -----------------------------------------------------------------------------------------

    def _route(self, path: str, endpoint: Endpoint, *methods: str) -> Route:
        async def guarded(request: Request) -> Response:
            response = self._refusal(request) or await endpoint(request)
            response.headers["x-cpa-version"] = self._flavour.version
            return response

        return Route(BASE + path, guarded, methods=methods)

    def _refusal(self, request: Request) -> Response | None:
        caller, now = request.client.host if request.client else "", self._clock.monotonic()
        failures, last = self._failures.get(caller, (0, now))
        left = last + BAN_SECONDS - now
        if failures >= FAILURES_ALLOWED and left > 0:
            minutes, seconds = divmod(round(left), 60)
            text = f"IP banned due to too many failed attempts. Try again in {minutes}m{seconds}s"
            return _error(403, text)
        key = _key_of(request)
        if key == self._key:
            self._failures.pop(caller, None)
            return None
        self._failures[caller] = ((failures if left > 0 else 0) + 1, now)
        return _error(401, "invalid management key" if key else "missing management key")

    # ---- settings ------------------------------------------------------------------------------------------------

    def _setting(self, path: str) -> Endpoint:
        *outer, name = path.split("/")

        async def read_or_write(request: Request) -> Response:
            place = self._config
            for step in outer:
                place = place[step]
            if request.method == "GET":
                return JSONResponse({name: place[name]})
            return await self._write(place, name, request)

        return read_or_write

    async def _write(self, place: dict[str, Any], name: str, request: Request) -> Response:
        body = await _object(request)
        if name == "oauth-model-alias":
            return self._write_aliases(body, request.method)
        value = None if body is None else body.get("value")
        if name == "strategy":
            value = STRATEGIES.get(str(value))
            if value is None:
                return _error(400, "invalid strategy")
        elif not isinstance(value, bool):
            return _error(400, "invalid body")
        place[name] = value
        return JSONResponse({"status": "ok"})

    def _write_aliases(self, body: dict[str, Any] | None, method: str) -> Response:
        """PUT takes the whole map, PATCH the whole list of one channel; an empty list deletes it."""
        if body is None:
            return _error(400, "invalid body")
        if method == "PUT":
            self._config["oauth-model-alias"] = body
            return JSONResponse({"status": "ok"})
        channel, aliases = body.get("channel") or body.get("provider"), body.get("aliases")
        if not isinstance(channel, str) or not isinstance(aliases, list):
            return _error(400, "invalid body")
        kept = {name: value for name, value in self._config["oauth-model-alias"].items() if name != channel}
        self._config["oauth-model-alias"] = {**kept, channel: aliases} if aliases else kept
        return JSONResponse({"status": "ok"})

    async def _excluded(self, request: Request) -> Response:
        """By provider, the models that are left out, as patterns; PATCH takes the whole list of one provider."""
        lists = self._config["oauth-excluded-models"]
        if request.method == "GET":
            return JSONResponse({"oauth-excluded-models": lists})
        body = await _object(request) or {}
        provider, models = body.get("provider"), body.get("models")
        if not isinstance(provider, str) or not isinstance(models, list):
            return _error(400, "invalid body")
        kept = {name: value for name, value in lists.items() if name != provider}
        self._config["oauth-excluded-models"] = {**kept, provider: models} if models else kept
        return JSONResponse({"status": "ok"})

    async def _read_amp(self, request: Request) -> Response:
        return JSONResponse({"ampcode": self._config.get("ampcode", {})})

    async def _map_amp(self, request: Request) -> Response:
        """PATCH merges by `from`, DELETE takes away by it, or all."""
        mappings = self._config.get("ampcode", {}).get("model-mappings", [])
        if request.method == "GET":
            return JSONResponse({"model-mappings": mappings})
        told = (await _object(request) or {}).get("value")
        if not isinstance(told, list):
            return _error(400, "invalid body")
        named = {one["from"] if isinstance(one, dict) else one for one in told}
        kept = [one for one in mappings if told and one["from"] not in named]
        self._config["ampcode"] = {"model-mappings": [*kept, *(one for one in told if isinstance(one, dict))]}
        return JSONResponse({"status": "ok"})

    async def _read_config(self, request: Request) -> Response:
        return JSONResponse(self._config)

    # ---- credentials ---------------------------------------------------------------------------------------------

    async def _list_credentials(self, request: Request) -> Response:
        return JSONResponse({"files": [self._file(one, own) for one, own in self._credentials.listed()]})

    def _file(self, credential: Credential, own: Mapping[str, Any]) -> dict[str, Any]:
        hidden = () if self._flavour.shows_priority else ("priority",)
        fields = {"disabled": False, **{name: value for name, value in own.items() if name not in hidden}}
        return {
            "id": credential.name,
            "auth_index": credential.auth_index,
            "name": credential.name,
            "type": credential.provider,
            "provider": credential.provider,
            "label": credential.name.removesuffix(".json"),
            "status": "disabled" if fields["disabled"] else "active",
            "status_message": "",
            "unavailable": False,
            "runtime_only": False,
            "source": "file",
            "size": 1024,
            "account_type": "oauth",
            **({"id_token": {"plan_type": credential.plan}} if credential.plan else {}),
            **(self._past.counts(credential.auth_index) if self._flavour.is_newer else {}),
            **(self._quotas.signals(credential) if self._flavour.quota_signals else {}),
            **self._quotas.cooldown(credential, shows_retry=self._flavour.shows_retry),
            **fields,
        }

    async def _patch_status(self, request: Request) -> Response:
        body = await _object(request) or {}
        if not body.get("name"):
            return _error(400, "name is required")
        if not isinstance(body.get("disabled"), bool):
            return _error(400, "disabled is required")
        if not self._credentials.change(body["name"], {"disabled": body["disabled"]}):
            return _error(404, "auth file not found")
        return JSONResponse({"status": "ok", "disabled": body["disabled"]})

    async def _patch_fields(self, request: Request) -> Response:
        body = await _object(request) or {}
        name = body.pop("name", None)
        if not name:
            return _error(400, "name is required")
        if "priority" in body and type(body["priority"]) is not int:
            return _error(400, "invalid body")
        if not self._credentials.change(name, body):
            return _error(404, "auth file not found")
        return JSONResponse({"status": "ok"})

    async def _reset_quota(self, request: Request) -> Response:
        body = await _object(request) or {}
        credential = self._credentials.find(body.get("auth_index"))
        if credential is None:
            return _error(404, "auth not found")
        self.rested.add(credential.auth_index)
        self._lacking = {key: ends for key, ends in self._lacking.items() if key[0] != credential.auth_index}
        return JSONResponse({"status": "ok", "auth_index": credential.auth_index, "models": []})

    async def _read_kiro(self, request: Request) -> Response:
        status, body = self._quotas.kiro(request.query_params.get("auth_index"))
        return JSONResponse(body, status_code=status)

    async def _call_vendor(self, request: Request) -> Response:
        body = await _object(request)
        status, answer = (400, {"error": "invalid body"}) if body is None else self._quotas.call(body)
        return JSONResponse(answer, status_code=status)

    # ---- the past ------------------------------------------------------------------------------------------------

    async def _read_log(self, request: Request) -> Response:
        if not self._config["logging-to-file"]:
            return _error(400, "logging to file disabled")
        query, choices = request.query_params, self._choice if self._config["debug"] else lambda _: None
        after, limit = (_whole(query.get(name, "")) or 0 for name in ("after", "limit"))
        if self._flavour.log_cursor and not after:
            return JSONResponse(self._past.log_on(_whole(query.get("cursor", "")), limit, choices))
        return JSONResponse(self._past.log(after, limit, choices))

    def _choice(self, auth_index: str | None) -> str | None:
        """What the log says of it while it says much."""
        chosen = self._credentials.find(auth_index)
        return None if chosen is None else f"Use OAuth provider={chosen.provider} auth_file={chosen.name}"

    async def _pop_usage(self, request: Request) -> Response:
        """What is given is gone."""
        count = _whole(request.query_params.get("count", "1"))
        if not count:
            return _error(400, "count must be a positive integer")
        return JSONResponse(self._past.pop(count) if self._config["usage-statistics-enabled"] else [])

    async def _read_usage(self, request: Request) -> Response:
        return JSONResponse(self._past.usage())


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _key_of(request: Request) -> str:
    authorization = request.headers.get("authorization", "")
    bearer = authorization[7:] if authorization.lower().startswith("bearer ") else authorization
    return bearer.strip() or request.headers.get("x-management-key", "")


async def _object(request: Request) -> dict[str, Any] | None:
    try:
        value = json.loads(await request.body())
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)
