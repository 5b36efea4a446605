"""The heartbeat's way out: a GET by httpx that tells nothing of its URL, which is a secret."""

import asyncio
from concurrent.futures import Executor

import httpx

from daemon.adapters.notify.own_address import Address, leads_home

TIMEOUT_SECONDS = 10.0
"""For the whole of it."""


class Pulse:
    """Asks addresses outside. Redirects and proxies are not followed, and nothing is asked of `proxy`, our own."""

    def __init__(self, proxy: Address, threads: Executor) -> None:
        self._proxy = proxy
        self._threads = threads

    async def beat(self, url: str) -> str | None:
        """Why the address did not take it; None when it did."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._ask(url)
        except TimeoutError:
            return f"the address did not answer within {TIMEOUT_SECONDS:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return "the address could not be reached"

    async def _ask(self, url: str) -> str | None:
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._threads, lambda: leads_home(url, self._proxy, look_up=True)):
            return "the address leads back to our own proxy"
        async with (
            httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client,
            client.stream("GET", url) as answer,
        ):
            return None if answer.is_success else f"the address answered {answer.status_code}"
