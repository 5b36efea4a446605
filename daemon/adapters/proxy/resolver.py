"""Names to addresses: remembered for a while, and believed beyond that while nobody can say anything newer."""

import asyncio
import ipaddress
import logging
import socket

log = logging.getLogger(__name__)

FRESH_SECONDS = 30.0

Address = tuple[socket.AddressFamily, str]


class Resolver:
    """Of one event loop, whose own look-ups do not use the shared thread pool (uvloop)."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._known: tuple[Address, ...] = ()
        self._known_at = float("-inf")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return
        self._known = ((socket.AF_INET if address.version == 4 else socket.AF_INET6, host),)
        self._known_at = float("inf")

    async def addresses(self, patience_seconds: float) -> tuple[Address, ...]:
        """Raises OSError when the name was never known. Who has an older answer does not wait long for a newer one."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._known_at <= FRESH_SECONDS:
            return self._known
        try:
            async with asyncio.timeout(patience_seconds if self._known else None):
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError):
            if not self._known:
                raise
            log.warning("the upstream's name is not resolved; its last address is used")
        else:
            self._known = tuple((family, str(where[0])) for family, _, _, _, where in found)
        self._known_at = loop.time()
        return self._known
