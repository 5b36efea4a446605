"""The harness of the stories: real processes on free ports, real clients, real messages.

    async with open_house() as house:                 # a short directory under /tmp, a message sink, nothing started
        await house.start("fake")                     # python -m daemon fake, on house.rig.fake_port
        await house.start("proxy", "control")         # each waits until it answers
        await house.fake.play({"rules": [{"fault": "429", "share": 0.12, "match": {"model": "gpt-5*"}}]})
        said = await house.send(100, Wire.OPENAI_CHAT, "gpt-5.4", stream=True)
        assert said.count == {"ok": 88, "429": 12}
        await eventually(lambda: house.control.alerts(alert="ProviderRateLimited", severity="critical", state="firing"))
        await eventually(lambda: house.sink.about("ProviderRateLimited"))
        house.rig.kill("control")                     # SIGKILL; `await house.rig.stop(…)`, `await house.rig.restart(…)`

What there is:

- `house.rig`      processes: start, launch, ready, kill, signal, stop, restart, pid, output(name), exit_code(name)
- `house.fake`     the fake upstream: play(scenario), requests(model=, after=, limit=), setting(path), set(path, value)
- `house.control`  the API with its token: get(path), post(path), alerts(…), mitigations(…), events(…)
- `house.sink`     received messages: messages, about(text), refuses = True makes it answer 503
- `house.http`     a plain httpx client without proxies; `house.raw(…)` sends any request through our proxy
- `house.turn(…)`  one turn by the vendor's own SDK (Gemini: httpx) with retries off; `house.send(n, …)` many of them

Settings are those of the product, as keywords without `RUNBOOKD_`: `open_house(PROXY_WORKERS="2", alerts="…yaml…")`.
A process that does not get ready fails the story with its own last words. At the end everything is stopped and the
directory removed; set `KEEP_HOUSE=1` to keep it.
"""

import asyncio
import inspect
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai

from daemon.app.remote import RemoteControl, RemoteFake
from daemon.app.rig import CLIENT_KEY, MANAGEMENT_KEY, Rig
from daemon.app.sink import Sink, receiving
from daemon.app.traffic import Turn as PlainTurn
from daemon.domain.event import Wire

PING = [{"role": "user", "content": "ping"}]
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a client got: `outcome` is `ok`, a status such as `429`, `error` (in the stream), `cut` or `unfinished`."""

    outcome: str
    text: str = ""
    model: str | None = None
    body: Any = None
    """The decoded error body of a refusal."""


@dataclass(slots=True)
class Crowd:
    """The answers to many turns, in the order in which they were sent."""

    said: list[Said] = field(default_factory=list)

    @property
    def count(self) -> Mapping[str, int]:
        """How many had which outcome."""
        return dict(Counter(one.outcome for one in self.said))


@dataclass(slots=True)
class House:
    """Everything a story needs; see the module."""

    rig: Rig
    sink: Sink
    http: httpx.AsyncClient
    fake: RemoteFake
    control: RemoteControl
    gpt: openai.AsyncOpenAI
    claude: anthropic.AsyncAnthropic

    async def start(self, *names: str) -> None:
        """Starts processes together (`fake`, `proxy`, `control`, `run`) and waits until all of them are ready."""
        for name in names:
            self.rig.launch(name)
        for name in names:
            await self.rig.ready(name)

    async def raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request through our proxy with the client's key; `options` are httpx's."""
        headers = {"Authorization": f"Bearer {CLIENT_KEY}", **options.pop("headers", {})}
        return await self.http.request(method, self.rig.proxy_url + path, headers=headers, **options)

    async def turn(self, wire: Wire, model: str, *, stream: bool = False, effort: str | None = None) -> Said:
        """One turn by the SDK of the wire, without retries. Never raises for what the upstream or the proxy did."""
        try:
            return await self._ask(wire, model, stream, effort)
        except (openai.APIStatusError, anthropic.APIStatusError) as refused:
            if refused.status_code == 200:  # an error inside a stream, as the Anthropic SDK tells it
                return Said(outcome="error", body=refused.body)
            return Said(outcome=str(refused.status_code), body=_decoded(refused.response))
        except (openai.APIConnectionError, anthropic.APIConnectionError, httpx2.TransportError):
            return Said(outcome="cut")
        except (openai.APIError, anthropic.APIError) as told:
            return Said(outcome="error", body=told.body)

    async def send(
        self,
        count: int,
        wire: Wire,
        model: str,
        *,
        stream: bool = False,
        effort: str | None = None,
        at_once: int = 8,
        pause: float = 0.0,
    ) -> Crowd:
        """Many turns, `at_once` of them in flight; `pause` seconds between two starts."""
        room = asyncio.Semaphore(at_once)

        async def one() -> Said:
            async with room:
                return await self.turn(wire, model, stream=stream, effort=effort)

        async with asyncio.TaskGroup() as tasks:
            turns = []
            for _ in range(count):
                turns.append(tasks.create_task(one()))
                await asyncio.sleep(pause)
        return Crowd([turn.result() for turn in turns])

    async def _ask(self, wire: Wire, model: str, stream: bool, effort: str | None) -> Said:
        if wire is Wire.OPENAI_CHAT:
            return await self._chat(model, stream, effort)
        if wire is Wire.OPENAI_RESPONSES:
            return await self._responses(model, stream, effort)
        if wire is Wire.ANTHROPIC_MESSAGES:
            return await self._messages(model, stream)
        return await self._gemini(model, stream)

    async def _chat(self, model: str, stream: bool, effort: str | None) -> Said:
        more = {"reasoning_effort": effort} if effort else {}
        if not stream:
            answer = await self.gpt.chat.completions.create(model=model, messages=PING, **more)
            return Said(outcome="ok", text=answer.choices[0].message.content, model=answer.model)
        text, finished, answered = "", False, None
        async with await self.gpt.chat.completions.create(model=model, messages=PING, stream=True, **more) as chunks:
            async for chunk in chunks:
                answered = chunk.model
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finished = finished or choice.finish_reason is not None
        return Said(outcome="ok" if finished else "unfinished", text=text, model=answered)

    async def _responses(self, model: str, stream: bool, effort: str | None) -> Said:
        more = {"reasoning": {"effort": effort}} if effort else {}
        if not stream:
            answer = await self.gpt.responses.create(model=model, input="ping", **more)
            return Said(outcome="ok", text=answer.output_text, model=answer.model)
        final = None
        async with await self.gpt.responses.create(model=model, input="ping", stream=True, **more) as events:
            async for event in events:
                if event.type == "error" or event.type == "response.failed":
                    return Said(outcome="error", body=event.model_dump())
                if event.type == "response.completed":
                    final = event.response
        if final is None:
            return Said(outcome="unfinished")
        return Said(outcome="ok", text=final.output_text, model=final.model)

    async def _messages(self, model: str, stream: bool) -> Said:
        ask: dict[str, Any] = {"model": model, "max_tokens": 64, "messages": PING}
        if not stream:
            answer = await self.claude.messages.create(**ask)
            return Said(outcome="ok", text="".join(block.text for block in answer.content), model=answer.model)
        text, finished, answered = "", False, None
        async with await self.claude.messages.create(**ask, stream=True) as events:
            async for event in events:
                if event.type == "message_start":
                    answered = event.message.model
                elif event.type == "content_block_delta":
                    text += event.delta.text
                finished = finished or event.type == "message_stop"
        return Said(outcome="ok" if finished else "unfinished", text=text, model=answered)

    async def _gemini(self, model: str, stream: bool) -> Said:
        turn = PlainTurn(wire=Wire.GEMINI_GENERATE_CONTENT, model=model, stream=stream)
        try:
            answer = await self.raw("POST", turn.path(), json=turn.body("ping"))
        except httpx.TransportError:
            return Said(outcome="cut")
        if answer.status_code != 200:
            return Said(outcome=str(answer.status_code), body=_decoded(answer))
        if "event: error" in answer.text:
            return Said(outcome="error", body=answer.text)
        return Said(outcome="ok" if "finishReason" in answer.text else "unfinished", text=answer.text)


@asynccontextmanager
async def open_house(*, alerts: str | None = None, **settings: str) -> AsyncIterator[House]:
    """A house with nothing started. `alerts` is the text of the alerts file; without it the shipped one is used.

    Unless said otherwise: messages go to the sink, the evaluator ticks every second.
    """
    directory = Path(tempfile.mkdtemp(prefix="rb", dir="/tmp"))
    try:
        async with AsyncExitStack() as stack:
            sink = await stack.enter_async_context(receiving())
            if alerts is not None:
                (directory / "alerts.yaml").write_text(alerts)
                settings.setdefault("ALERTS_FILE", str(directory / "alerts.yaml"))
            rig = Rig(directory, {"NOTIFY_URLS": sink.apprise_url, "EVALUATION_INTERVAL": "1s", **settings})
            stack.push_async_callback(rig.close)
            http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60.0))
            gpt = openai.AsyncOpenAI(base_url=f"{rig.proxy_url}/v1", api_key=CLIENT_KEY, max_retries=0)
            claude = anthropic.AsyncAnthropic(base_url=rig.proxy_url, api_key=CLIENT_KEY, max_retries=0)
            yield House(
                rig=rig,
                sink=sink,
                http=http,
                fake=RemoteFake(http, rig.fake_url, MANAGEMENT_KEY),
                control=RemoteControl(http, rig.control_url, rig.token),
                gpt=await stack.enter_async_context(gpt),
                claude=await stack.enter_async_context(claude),
            )
    finally:
        if not os.environ.get("KEEP_HOUSE"):
            shutil.rmtree(directory, ignore_errors=True)


async def eventually(check: Callable[[], Any] | Callable[[], Awaitable[Any]], within: float = 10.0) -> Any:
    """Asks again and again until the answer is true, and gives it; after `within` seconds it fails with
    the last answer or error.

    An exception (`AssertionError` too) counts as "not yet": the control plane may just be starting.
    """
    loop = asyncio.get_running_loop()
    end, last = loop.time() + within, None
    while loop.time() < end:
        try:
            last = check()
            if inspect.isawaitable(last):
                last = await last
            if last:
                return last
        except (AssertionError, LookupError, OSError, httpx.HTTPError) as error:
            last = error
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {within} s; the last answer was {last!r}")


def _decoded(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
