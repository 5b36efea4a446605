"""What the data plane says about itself: can it forward, is the upstream there, does anybody read what it saw."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.ports import Clock

HEALTH = "/health"
OWN_PATHS = frozenset({HEALTH, "/v1/metrics/providers"})
FRESH_SECONDS = 5.0
CONNECT_SECONDS = 1.0


class Reachability:
    """Whether the upstream is there: as the last request found it, or by a connection when nobody asked lately."""

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._reachable: bool | None = None
        self._noted_at = float("-inf")
        self._checking = asyncio.Lock()

    def note(self, reachable: bool) -> None:
        """What a request has found."""
        self._reachable = reachable
        self._noted_at = self._clock.monotonic()

    async def ask(self) -> bool | None:
        """Connects at most once in `FRESH_SECONDS`."""
        async with self._checking:
            if self._clock.monotonic() - self._noted_at > FRESH_SECONDS:
                self.note(await self._connects())
        return self._reachable

    async def _connects(self) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(self._host, self._port)
            writer.close()
            return True
        return False


class SpoolState(Protocol):
    """How the hand-over of events fares."""

    @property
    def dropped(self) -> int: ...

    @property
    def failure(self) -> str | None: ...


def own_endpoints(
    *, version: str, reachability: Reachability, control_alive: Callable[[], bool], spool: SpoolState, providers: Path
) -> Starlette:
    """The application behind `OWN_PATHS`."""

    async def health(request: Request) -> Response:
        reachable, alive = await reachability.ask(), control_alive()
        content: dict[str, Any] = {
            "status": "ok" if reachable and alive and spool.failure is None else "degraded",
            "version": version,
            "upstream": {"reachable": reachable},
            "control": {"alive": alive},
            "spool": {"dropped": spool.dropped, "failure": spool.failure},
        }
        return JSONResponse(content)

    async def figures(request: Request) -> Response:
        """As the control plane last wrote them."""
        try:
            content = providers.read_bytes()  # noqa: ASYNC240 - small, and in memory
        except OSError:
            content = b"{}"
        return Response(content, media_type="application/json")

    return Starlette(routes=[Route(HEALTH, health), Route("/v1/metrics/providers", figures)])
