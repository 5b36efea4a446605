"""The control port's application: the API, the metrics and the page behind one guard."""

from collections.abc import Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from daemon.adapters.web import acting, api, metrics, silencing
from daemon.adapters.web.approving import Approving
from daemon.adapters.web.guard import Guard, Sessions
from daemon.adapters.web.page import Page
from daemon.adapters.web.problems import HANDLERS
from daemon.domain.errors import StoreFailure
from daemon.ports import Clock, Operations

STATIC = Path(__file__).with_name("static")
NOWHERE = Path("/dev/null")
LARGEST_BODY = 4096
"""Of a form, a silence or an acknowledgement."""


def build(
    operations: Operations,
    *,
    token: str,
    version: str,
    allowed_hosts: Iterable[str],
    clock: Clock,
    runbook: Path = NOWHERE,
    approval_key: bytes = b"",
) -> ASGIApp:
    """The ASGI application. `allowed_hosts` are names (`host` or `host:port`) that a browser may use for us;
    addresses and `localhost` always may. `runbook` is the Markdown file that links in messages lead to, `approval_key`
    what the secrets of approval links are made of. Raises ValueError on an empty token."""

    async def healthz(_: Request) -> Response:
        stalled = operations.stalled()
        return api.json_response({"status": stalled or "ok"}, 503 if stalled else 200)

    async def readyz(_: Request) -> Response:
        missing = await _missing(operations)
        return api.json_response({"ready": not missing, "missing": missing}, 503 if missing else 200)

    async def exposition(_: Request) -> Response:
        return Response(await metrics.render(operations, version), media_type=metrics.CONTENT_TYPE)

    sessions = Sessions(token, clock)
    page = Page(operations, sessions, clock, version, runbook)
    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", exposition),
        Route("/", page.overview),
        Route("/explain", page.explain),
        Route("/docs/runbook.md", page.runbook),
        Route("/login", page.login, methods=["GET", "POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
        *Approving(operations, page, approval_key, clock).routes(),
        *silencing.forms(operations),
        *acting.forms(operations, page.refused),
        *api.routes(operations),
    ]
    inside = Starlette(routes=routes, exception_handlers=HANDLERS, max_body_size=LARGEST_BODY)
    return Guard(inside, sessions=sessions, allowed_hosts=allowed_hosts)


async def _missing(operations: Operations) -> list[str]:
    try:
        return list(await operations.ready())
    except StoreFailure:
        return ["store"]
