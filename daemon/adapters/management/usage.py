"""Where the upstream's usage records come from: its queue over HTTP, or its RESP channel on the same port."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from daemon.adapters.management.client import ManagementClient
from daemon.domain.errors import ManagementFailure

MOST = 1000
"""Records of one call."""
LONGEST_BYTES = 1 << 20
"""Of one record."""
CONNECT_SECONDS = 5.0


class NoRecords:
    """Without a management key there are none."""

    async def next(self) -> Sequence[Any]:
        """Raises `ManagementFailure`."""
        raise ManagementFailure("RUNBOOKD_UPSTREAM_MANAGEMENT_KEY is not set")

    async def close(self) -> None:
        """Nothing is open."""


class QueueRecords:
    """Takes records off the queue; nobody else gets them then."""

    def __init__(
        self,
        management: ManagementClient,
        every_seconds: float,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._management = management
        self._every_seconds = every_seconds
        self._pause = pause

    async def next(self) -> Sequence[Any]:
        """Raises `ManagementFailure`."""
        await self._pause(self._every_seconds)
        told = await self._management.read(f"usage-queue?count={MOST}")
        if not isinstance(told, list):
            raise ManagementFailure("usage-queue: the answer is not a list", status=200)
        return told

    async def close(self) -> None:
        """Nothing is open."""


class ChannelRecords:
    """Subscribes to the channel: while somebody does, the queue stays empty. A refused key is the one strike that bars
    the management key altogether."""

    def __init__(self, management: ManagementClient, url: str, every_seconds: float) -> None:
        self._management = management
        self._every_seconds = every_seconds
        place = urlsplit(url)
        self._host, self._port = place.hostname or "127.0.0.1", place.port or (443 if place.scheme == "https" else 80)
        self._is_secure = place.scheme == "https"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._reading: asyncio.Future[Any] | None = None

    async def next(self) -> Sequence[Any]:
        """Raises `ManagementFailure`."""
        found: deque[Any] = deque()
        try:
            if self._streams is None:
                await self._subscribe()
            while len(found) < MOST and (message := await self._message(0.0 if found else self._every_seconds)):
                found.append(message)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            await self.close()
            raise ManagementFailure(f"the usage channel broke ({type(error).__name__})") from None
        return list(found)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))
            self._reading = None
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _subscribe(self) -> None:
        self._management.check()
        async with asyncio.timeout(CONNECT_SECONDS):
            self._streams = reader, writer = await asyncio.open_connection(
                self._host, self._port, limit=LONGEST_BYTES, ssl=self._is_secure or None
            )
            writer.write(_command(b"AUTH", self._management.key))
            if isinstance(answer := await _value(reader), Exception):
                await self.close()
                self._management.bar(f"the usage channel refused the management key ({answer})")
            writer.write(_command(b"SUBSCRIBE", b"usage"))
            if isinstance(answer := await _value(reader), Exception):
                raise ValueError(answer)

    async def _message(self, seconds: float) -> Any:
        """The next record; None when none came so long. What is read halfway is read on the next time."""
        if self._streams is None:
            return None
        if self._reading is None:
            self._reading = asyncio.ensure_future(_value(self._streams[0]))
        done, _ = await asyncio.wait((self._reading,), timeout=seconds)
        if not done:
            return None
        reading, self._reading = self._reading, None
        told = reading.result()
        if isinstance(told, list) and len(told) == 3 and told[0] == b"message" and isinstance(told[2], bytes):
            return json.loads(told[2])
        return {}


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


async def _value(reader: asyncio.StreamReader) -> Any:
    """One value of RESP; an error is given, not raised. Raises ValueError, EOFError and OSError."""
    line = (await reader.readuntil(b"\r\n"))[:-2]
    kind, rest = line[:1], line[1:]
    match kind:
        case b"+":
            return rest
        case b"-":
            return PermissionError(rest.decode(errors="replace")[:120])
        case b":":
            return int(rest)
        case b"$":
            size = int(rest)
            if size > LONGEST_BYTES:
                raise ValueError("a record is too long")
            return None if size < 0 else (await reader.readexactly(size + 2))[:-2]
        case b"*":
            return [await _value(reader) for _ in range(int(rest))]
    raise ValueError("this is not RESP")
