"""The API of the control port: one table of endpoints, from which the routes and the OpenAPI document are made."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.adapters.web import acting, onboarding, shapes, silencing
from daemon.adapters.web.acting import ACTIONS
from daemon.adapters.web.asking import actor, epoch_ms, json_object, words
from daemon.adapters.web.problems import BadParameter
from daemon.domain.audit import AuditFilter
from daemon.domain.event import EVENT_FIELDS, Event
from daemon.domain.foreign import Told
from daemon.domain.selection import CLOSED
from daemon.domain.units import parse_duration
from daemon.logic import foreign_reading
from daemon.ports import EventQuery, Operations

PREFIX = "/api/v1"
SHOWN_STATES = ("pending", "firing", "resolved")
DEFAULT_WINDOW, LONGEST_WINDOW = "10m", 400 * 86_400.0
DEFAULT_LIMIT, HIGHEST_LIMIT = 100, 1000
AUDIT_LIMIT = 200
LONGEST_ALERT = 200
LARGEST_TOLD, LARGEST_MESSAGE = 1 << 20, 64 << 10

Parameters = Mapping[str, str]
Answer = Callable[[Operations, Request], Awaitable[Any]]

_TYPES = {name: frozenset(get_args(hint) or (hint,)) for name, hint in get_type_hints(Event).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One call: what it is for, which query parameters it takes, and who answers."""

    method: str = "GET"
    path: str
    summary: str
    parameters: Parameters = field(default_factory=dict)
    answer: Answer
    largest_body: int | None = None
    """Bytes; None for the limit of the whole port."""


async def _status(operations: Operations, _: Request) -> Any:
    return shapes.status(await operations.status())


async def _alerts(operations: Operations, request: Request) -> Any:
    state, name = request.query_params.get("state"), request.query_params.get("alert")
    if state is not None and state not in SHOWN_STATES:
        raise BadParameter("state", f"{state!r} is none of {', '.join(SHOWN_STATES)}")
    alerts, mitigations = await operations.alerts(), await operations.mitigations()
    rows = [shapes.alert(alert, mitigations) for alert in alerts if shapes.is_shown(alert)]
    return {"alerts": [row for row in rows if state in (None, row["state"]) and name in (None, row["alert"])]}


async def _rules(operations: Operations, _: Request) -> Any:
    return {"rules": [shapes.rule(rule) for rule in await operations.rules()]}


async def _providers(operations: Operations, request: Request) -> Any:
    text = request.query_params.get("window", DEFAULT_WINDOW)
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise BadParameter("window", str(error)) from None
    if not 0 < seconds <= LONGEST_WINDOW:
        raise BadParameter("window", "must be longer than 0s and at most 400d")
    whole = int(seconds) if seconds.is_integer() else seconds
    return {"window_seconds": whole, "providers": await operations.providers(seconds)}


async def _events(operations: Operations, request: Request) -> Any:
    parameters = dict(request.query_params)
    limit = _whole(parameters.pop("limit", str(DEFAULT_LIMIT)), "limit", highest=HIGHEST_LIMIT)
    before = parameters.pop("before", None)
    query = EventQuery(
        limit=limit + 1,  # one more shows whether there is a next page
        before=None if before is None else _whole(before, "before", highest=2**63 - 1),
        where={name: _event_value(name, text) for name, text in parameters.items()},
    )
    found = await operations.events(query)
    page = found[:limit]
    return {
        "events": [shapes.event(event) for event in page],
        "next": str(page[-1].event_id) if len(found) > limit else None,
    }


async def _mitigations(operations: Operations, _: Request) -> Any:
    return {"mitigations": [shapes.mitigation(row) for row in await operations.mitigations()]}


async def _notifications(operations: Operations, _: Request) -> Any:
    return {"notifications": [shapes.notification(row) for row in await operations.notifications()]}


async def _audit(operations: Operations, request: Request) -> Any:
    parameters = request.query_params
    limit = _whole(parameters.get("limit", str(AUDIT_LIMIT)), "limit", highest=HIGHEST_LIMIT)
    texts = {name: words(name, parameters[name]) for name in ("actor", "subject", "before") if name in parameters}
    since = epoch_ms("since", parameters["since"]) if "since" in parameters else None
    found = await operations.audit(limit + 1, AuditFilter(since=since, **texts))
    page = found[:limit]
    return {
        "audit": [shapes.audit_entry(entry) for entry in page],
        "next": page[-1].id if len(found) > limit else None,
    }


async def _explain(operations: Operations, request: Request) -> Any:
    name, text = request.query_params.get("alert", ""), request.query_params.get("at")
    if not 0 < len(name) <= LONGEST_ALERT:
        raise BadParameter("alert", f"must be the name of an alert, of at most {LONGEST_ALERT} characters")
    at = None if text is None else epoch_ms("at", text)
    return shapes.explanation(await operations.explain(name, at))


async def _hear_alertmanager(operations: Operations, request: Request) -> Any:
    return await _hear(operations, request, foreign_reading.alertmanager)


async def _hear_slack(operations: Operations, request: Request) -> Any:
    if request.state.door != "hook":
        raise HTTPException(404)
    return await _hear(operations, request, foreign_reading.slack)


async def _hear(operations: Operations, request: Request, read: Callable[[Any], Sequence[Told]]) -> Any:
    try:
        told = read(json.loads(await request.body()))
    except (ValueError, RecursionError) as error:
        raise BadParameter("body", str(error)) from None
    return {"heard": await operations.hear(told)}


async def _quota(operations: Operations, _: Request) -> Any:
    return {"quota": [shapes.quota(reading) for reading in await operations.quota()]}


async def _probes(operations: Operations, _: Request) -> Any:
    return {"probes": [shapes.probe(row) for row in await operations.probes()]}


async def _run_probe(operations: Operations, request: Request) -> Any:
    found = await operations.run_probe(request.path_params["probe"])
    return {"results": [shapes.probe_result(one) for one in found]}


async def _doctor(operations: Operations, _: Request) -> Any:
    return {"findings": [shapes.finding(one) for one in await operations.doctor()]}


async def _start_drill(operations: Operations, request: Request) -> Any:
    body = await json_object(request, ("author",))
    return {"drill": shapes.drill(await operations.start_drill(actor(request, body.get("author"))))}


async def _drill(operations: Operations, _: Request) -> Any:
    return {"drill": shapes.drill(operations.drill())}


async def _openapi(_: Operations, __: Request) -> Any:
    return openapi()


ENDPOINTS = (
    Endpoint(path="/status", summary="Is all well: upstream, spool, store, config, mode", answer=_status),
    Endpoint(
        path="/alerts",
        summary="Pending, firing and resolved alerts, one row per fingerprint",
        parameters={"state": "pending, firing or resolved", "alert": "The name of a rule"},
        answer=_alerts,
    ),
    Endpoint(
        path="/rules",
        summary="Every rule in force: its label sets, its alerts, and whether it can be judged",
        answer=_rules,
    ),
    Endpoint(
        path="/providers",
        summary="Figures per provider_key over a window",
        parameters={"window": "A duration with its unit, up to 400d; 10m unless said"},
        answer=_providers,
    ),
    Endpoint(
        path="/events",
        summary="Events, newest first; any event field is a filter",
        parameters={
            "limit": f"1 to {HIGHEST_LIMIT}; {DEFAULT_LIMIT} unless said",
            "before": "Only events older than this event_id: the `next` of the page before",
            **dict.fromkeys(EVENT_FIELDS, "Only events with this value"),
        },
        answer=_events,
    ),
    Endpoint(
        path="/explain",
        summary="Why an alert fired or not, was sent or not, acted or not",
        parameters={"alert": "The name of an alert", "at": "An instant that has been; now unless said"},
        answer=_explain,
    ),
    Endpoint(
        method="POST",
        path="/alerts/alertmanager",
        summary="Alerts of others: the body of Alertmanager's webhook, version 4",
        answer=_hear_alertmanager,
        largest_body=LARGEST_TOLD,
    ),
    Endpoint(
        method="POST",
        path="/hooks/slack/{key}",
        summary="A message as Slack takes it, such as TrueNAS sends; the key is the token of this door",
        answer=_hear_slack,
        largest_body=LARGEST_MESSAGE,
    ),
    Endpoint(
        method="POST",
        path="/alerts/{alert}/ack",
        summary="Acknowledges what fires of a fingerprint's episode or of an alert's name: it is repeated no more",
        answer=silencing.acknowledge,
    ),
    Endpoint(path="/silences", summary="Silences that have not ended", answer=silencing.silences),
    Endpoint(
        method="POST",
        path="/silences",
        summary=f"A new silence, as a JSON object: {', '.join(silencing.FIELDS)}; 400 says what is wrong",
        answer=silencing.silence,
    ),
    Endpoint(method="DELETE", path="/silences/{silence}", summary="Ends a silence, by its id", answer=silencing.expire),
    Endpoint(path="/mitigations", summary="The journal: open rows first", answer=_mitigations),
    Endpoint(path="/quota", summary="What is left of each credential, as it was read last", answer=_quota),
    Endpoint(path="/probes", summary="Every probe: whether it is on, what it costs, what it found", answer=_probes),
    Endpoint(
        method="POST",
        path="/probes/{probe}/run",
        summary="Runs a probe now, whether it is on or not, within its budget",
        answer=_run_probe,
    ),
    Endpoint(path="/models", summary="What the upstream lists, as it was last looked at", answer=onboarding.models),
    Endpoint(
        method="POST",
        path="/canary",
        summary=f"One small request through the proxy, which costs tokens: {', '.join(onboarding.FIELDS)}",
        answer=onboarding.canary,
    ),
    Endpoint(path="/doctor", summary="The daily checks: each with verdict, evidence and what to do", answer=_doctor),
    Endpoint(path="/notifications", summary="Messages, newest first", answer=_notifications),
    Endpoint(
        path="/audit",
        summary="Who did what, why, and what came of it, newest first; nothing changes an entry",
        parameters={
            "actor": "Who: `human:jo`, or a glob such as `rule:*`",
            "subject": "What it was done to: `model_alias:gpt-5.3-codex-spark`, or a glob",
            "since": "Only what was done at or after this instant",
            "limit": f"1 to {HIGHEST_LIMIT}; {AUDIT_LIMIT} unless said",
            "before": "Only what was written before the entry of this id: the `next` of the page before",
        },
        answer=_audit,
    ),
    Endpoint(
        method="POST",
        path="/mitigations/{mitigation}/{action}",
        summary=f"One of {', '.join(ACTIONS)}, on an id or a name, with {', '.join(acting.FIELDS)}; 409 says why not",
        answer=acting.act,
    ),
    Endpoint(
        method="POST",
        path="/drill",
        summary="A fire drill: alert, message and fallback on made-up turns that end in nobody's figures",
        answer=_start_drill,
    ),
    Endpoint(path="/drill", summary="How the latest fire drill goes, or went", answer=_drill),
    Endpoint(path="/openapi.json", summary="This document", answer=_openapi),
)


def routes(operations: Operations) -> list[Route]:
    """A route for each endpoint."""
    return [_route(endpoint, operations) for endpoint in ENDPOINTS]


def _route(endpoint: Endpoint, operations: Operations) -> Route:
    async def answer(request: Request) -> Response:
        for name in request.query_params:
            if name not in endpoint.parameters:
                known = ", ".join(list(endpoint.parameters)[:3]) or "none"
                raise BadParameter(name, f"is not a parameter of {endpoint.path} (it takes: {known})")
        return json_response(await endpoint.answer(operations, request))

    return Route(PREFIX + endpoint.path, answer, methods=[endpoint.method], max_body_size=endpoint.largest_body)


def json_response(body: Any, status: int = 200) -> Response:
    """Compact UTF-8; NaN would not be JSON and is refused."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    return Response(text, status, media_type="application/json")


def _plain(value: object) -> Any:
    if isinstance(value, Mapping | MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def openapi() -> dict[str, Any]:
    """A small OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "runbookd", "version": "1"},
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "runbookd_session"},
            }
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    text = {"type": "string"}
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"enum": ACTIONS} if name == "action" else text}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    in_query = [
        {"name": name, "in": "query", "description": says, "schema": text} for name, says in endpoint.parameters.items()
    ]
    problem = {"description": "What is wrong", "content": {"application/problem+json": {}}}
    return {
        "summary": endpoint.summary,
        "parameters": in_path + in_query,
        "responses": {"200": {"description": "OK", "content": {"application/json": {}}}, "default": problem},
    }


def _whole(text: str, name: str, *, highest: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= highest):
        raise BadParameter(name, f"must be a whole number from 1 to {highest}")
    return int(text)


def _event_value(name: str, text: str) -> str:
    """A filter's value as text, once it is certain that the field could have it."""
    types = _TYPES[name]
    if name in CLOSED and text not in CLOSED[name]:
        raise BadParameter(name, f"{text!r} is none of {', '.join(sorted(CLOSED[name]))}")
    if bool in types and text not in ("true", "false"):
        raise BadParameter(name, "must be true or false")
    if name.endswith("_at"):
        return str(epoch_ms(name, text))
    if int in types and not re.fullmatch(r"-?\d{1,19}", text, re.ASCII):
        raise BadParameter(name, "must be a whole number")
    if float in types and not re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", text, re.ASCII):
        raise BadParameter(name, "must be a number")
    return text
