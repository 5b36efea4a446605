"""The notifier's process: started at the first send, killed at a deadline, ended when idle."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any, cast

from daemon.adapters.notify.buttons import dressed
from daemon.adapters.notify.own_address import Address
from daemon.domain.notification import Channel, Delivery, Message

COMMAND = (sys.executable, "-P", "-m", "daemon.adapters.notify.child")
ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)
"""What the process sees of our environment."""
CHECK_SECONDS = 30.0
CLOSING_SECONDS = 2.0

Asked = dict[str, Any]
"""A request to the process, or its answer."""


class AppriseProcess:
    """A `Notifier`: Apprise and webhooks. URLs go through a pipe, never into an argument, a log or an error. Nothing
    is sent to `proxy`, our own."""

    def __init__(self, *, proxy: Address | None = None, idle_seconds: float = 60.0) -> None:
        self._arguments = () if proxy is None else (proxy[0], str(proxy[1]))
        self._idle_seconds = idle_seconds
        self._child: Child | None = None
        self._children: set[Child] = set()
        """Those that may still run: the present one, and retired ones."""
        self._starting = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process that would take the next send; None while there is none."""
        return self._child.pid if self._child and not self._child.exited.is_set() else None

    async def send(self, channels: Sequence[Channel], message: Message, deadline_seconds: float) -> Delivery:
        """Delivered when at least one channel took it. The others stand in `error` and are not tried again, or the
        first would get it twice."""
        requests = [_request(channel, message) for channel in channels]
        answers = await self._ask_all(requests, deadline_seconds)
        failed = [
            f"{schema(channel.url)}: {answer['error']}"
            for channel, answer in zip(channels, answers, strict=True)
            if answer["error"]
        ]
        waits = [seconds for answer in answers if (seconds := answer.get("retry_after")) is not None]
        delivered = len(failed) < len(channels)
        return Delivery(
            delivered=delivered, error="; ".join(failed) or None, retry_after_seconds=max(waits, default=None)
        )

    async def instantiates(self, channels: Sequence[Channel]) -> list[tuple[str, bool, str]]:
        """Each channel as it may be shown, whether its URL is one, and else why not; nothing is sent."""
        answers = await self._ask_all([_look(channel) for channel in channels], CHECK_SECONDS)
        return [
            (f"{schema(channel.url)}://…", not answer["error"], answer["error"])
            for channel, answer in zip(channels, answers, strict=True)
        ]

    async def close(self) -> None:
        """Ends the process; what is being sent fails."""
        self._retire()
        for child in self._children:
            child.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                for child in self._children:
                    await child.exited.wait()
        for child in self._children:
            child.kill()

    async def _ask_all(self, requests: Sequence[Asked], deadline_seconds: float) -> list[Asked]:
        return await asyncio.gather(*(self._ask(request, deadline_seconds) for request in requests))

    async def _ask(self, request: Asked, deadline_seconds: float) -> Asked:
        """`error` says what went wrong, or nothing."""
        child: Child | None = None
        try:
            async with asyncio.timeout(deadline_seconds):
                child = await self._ready()
                return await child.ask(request)
        except TimeoutError:
            if child is self._child:
                self._retire()
            return {"error": f"no answer within {deadline_seconds:g} s"}
        except ChildDied:
            return {"error": "the notifier's process died"}
        except OSError as failure:
            return {"error": f"the notifier's process does not start ({failure.strerror})"}
        finally:
            if child is not None and not child.waiting:
                self._leave(child)

    async def _ready(self) -> "Child":
        """The process, started when there is none."""
        async with self._starting:
            if self._idle is not None:
                self._idle.cancel()
            if self.pid is None or self._child is None:
                self._child = await start(self._arguments)
                self._children = {self._child, *(child for child in self._children if not child.exited.is_set())}
            return self._child

    def _leave(self, child: "Child") -> None:
        """The last one out: a process that hangs is killed, another is ended when nobody comes for a while."""
        if child is not self._child:
            child.kill()
        else:
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_idle)

    def _end_idle(self) -> None:
        if (child := self._retire()) is not None:
            child.end()

    def _retire(self) -> "Child | None":
        """Nothing more is sent by the present process."""
        if self._idle is not None:
            self._idle.cancel()
        child, self._child = self._child, None
        return child


class ChildDied(Exception):
    """The process ended before it answered."""


class Child(asyncio.SubprocessProtocol):
    """One process, and those who wait for its answers."""

    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[Asked]] = {}
        self.exited = asyncio.Event()
        self._numbers = count(1)
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._transport.get_pid()

    async def ask(self, request: Asked) -> Asked:
        """What it answers. Raises `ChildDied`."""
        number = next(self._numbers)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._stdin().write(json.dumps({"id": number, **request}).encode() + b"\n")
            return await self.waiting[number]
        finally:
            del self.waiting[number]

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            future = self.waiting.get(answer["id"])
            if future is not None and not future.done():
                future.set_result(answer)

    def process_exited(self) -> None:
        self.exited.set()
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ChildDied())
        self._transport.close()

    def end(self) -> None:
        """It leaves when its input ends."""
        self._stdin().close()

    def kill(self) -> None:
        """With all that it started."""
        if not self.exited.is_set():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _stdin(self) -> asyncio.WriteTransport:
        return cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))


async def start(arguments: Sequence[str]) -> Child:
    """A new process, with as little of our environment as it needs. Raises OSError."""
    environment = {name: value for name, value in os.environ.items() if name in ENVIRONMENT}
    _, child = await asyncio.get_running_loop().subprocess_exec(
        Child, *COMMAND, *arguments, stderr=asyncio.subprocess.DEVNULL, env=environment, start_new_session=True
    )
    return child


def _request(channel: Channel, message: Message) -> Asked:
    if channel.kind == "webhook":
        headers = {**channel.headers, **({"Idempotency-Key": message.id} if message.id else {})}
        return {"webhook": channel.url, "headers": headers, "payload": message.structured}
    url, text = dressed(channel.url, message)
    return {"url": url, "title": message.title, "body": text, "type": message.kind}


def _look(channel: Channel) -> Asked:
    return {"webhook": channel.url} if channel.kind == "webhook" else {"url": channel.url}


def schema(url: str) -> str:
    """All that may be said of a URL: `tgram`."""
    name, separator, _ = url.partition("://")
    return name.lower() if separator and name.isalnum() and len(name) <= 20 else "?"
