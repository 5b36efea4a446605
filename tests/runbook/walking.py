"""Walks an upstream as the control plane does: looks, probes through our own proxy, and rules that hear of it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

import httpx
import msgspec

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.adapters.fake.app import FakeUpstream
from daemon.adapters.fake.credentials import CREDENTIALS, KIRO, Credential
from daemon.adapters.fake.flavours import FLAVOURS
from daemon.adapters.fake.playback import serving
from daemon.adapters.fake.scenario import Scenario
from daemon.adapters.management.client import ManagementClient
from daemon.adapters.management.probes import HttpProbes
from daemon.adapters.memory.probes import MemoryProbes
from daemon.app import shelf
from daemon.app.serving import listen
from daemon.domain.alerts_config import AlertsConfig, ProviderPattern
from daemon.domain.event import Event
from daemon.domain.probe import Ask, ProbeResult
from daemon.domain.quota import QuotaReading
from daemon.engine.capabilities import Prober
from daemon.engine.inventory import Inventory
from daemon.engine.probe import Probes
from daemon.logic.attribution import Attribution
from daemon.logic.canary import canary
from daemon.logic.judging import Book
from daemon.logic.probe import Sight
from daemon.logic.probes import thinking
from daemon.logic.quota_book import QuotaBook
from daemon.logic.thinking_canary import Shape
from tests.engine.test_probe import Recorder
from tests.fakes.clock import FakeClock
from tests.fakes.proxy import CANARY_SECRET, RunningProxy, running_proxy
from tests.logic.playing import T0, Play
from tests.runbook.faults import SETTLED, Fault, Spoilt, Trouble, scenario

KEY, MANAGEMENT_KEY = "client-key", "management-key"
ROUND_SECONDS = 300
USUAL_MODEL = "gpt-5.4"
"""That clients ask while all is well."""
BUSY = ("codex", "claude")
"""The providers that clients ask most."""
WELL, ILL, TURN_SECONDS = 5, 25, 15
SHELVES = shelf.scan()

Told = Mapping[tuple[str, str], ProbeResult]
"""By probe and subject."""


class Walk:
    """Each round asks the upstream anew, and is `ROUND_SECONDS` after the one before."""

    def __init__(
        self,
        upstream: str,
        proxy: RunningProxy,
        stack: AsyncExitStack,
        config: AlertsConfig,
        clock: FakeClock,
        *,
        plain: bool,
    ) -> None:
        self._clock, self._proxy, self._config = clock, proxy, config
        self._control = httpx.AsyncClient(base_url=upstream, trust_env=False)
        self._asking = self._asks(upstream, stack)
        self._attribution = Attribution()
        self._attribution.configure(config.providers)
        self.inventory = self._inventory()
        self._store, self._is_plain = MemoryProbes(), plain
        self._begin(0)
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}", trust_env=False)
        for opened in (self._control, self._client):
            stack.push_async_callback(opened.aclose)

    def _begin(self, second: int) -> None:
        self._clock.instant = T0 + second * 1000
        self._quota, self._said = QuotaBook(), dict[tuple[str, str], ProbeResult]()
        self.play = Play(Book(self._config), second=second)
        self._probes = self._made()

    def _asks(self, upstream: str, stack: AsyncExitStack) -> HttpProbes:
        self._management = ManagementClient(upstream, MANAGEMENT_KEY, self._clock)
        through = f"http://127.0.0.1:{self._proxy.port}"
        asking = HttpProbes(upstream, through, KEY, CANARY_SECRET.decode(), self._clock, self._management)
        stack.push_async_callback(self._management.close)
        stack.push_async_callback(asking.close)
        return asking

    def _inventory(self) -> Inventory:
        async def commit(_: object) -> None: ...

        return Inventory(
            probes=self._asking,
            management=self._management,
            attribution=self._attribution,
            served=lambda _: None,
            prober=Prober(clock=self._clock, commit=commit, probes=self._asking),
            clock=self._clock,
        )

    def _made(self) -> Probes:
        probes = Probes(
            kinds=shelf.probes(),
            ask=self._asking.ask,
            refresh=self.inventory.refresh,
            sight=self._sight,
            store=self._store,
            schedule=Recorder(),
            observe=self._hear,
            take_quota=self._take_quota,
            clock=self._clock,
        )
        probes.configure(self._config)
        return probes

    def _sight(self) -> Sight:
        return replace(
            self.inventory.sight(),
            quota=self._quota.standing(self._clock.now()),
            wires={wire.WIRE: wire for wire in shelf.wires()},
            clients=self._asking.clients,
            figures={provider: {"request_count": (self.play.second + 1) * 100} for provider in BUSY},
        )

    def _hear(self, result: ProbeResult) -> None:
        self._said[result.probe, result.subject] = result
        self.play.book.observe(result)

    def _take_quota(self, readings: Sequence[QuotaReading]) -> Sequence[QuotaReading]:
        for reading in self._quota.take(readings, self._clock.now()):
            self.play.book.observe(replace(reading, observed_at=self._clock.now()))
        return readings

    # ---- what happens --------------------------------------------------------------------------------------------

    async def healthy(self, names: Sequence[str]) -> Told:
        """A round of an upstream that is well; what the probes remember of it is what they know in `suffer`."""
        await self._settle()
        await self.inventory.refresh()
        for event in await self._send(canary(USUAL_MODEL), WELL):
            self._attribution.attribute(event)
        told = await self.round(names)
        self._remembered = dict(self._store.state_rows)
        return told

    async def suffer(self, fault: Fault, names: Sequence[str], rounds: int = 1) -> Told:
        """What is said in the last of so many rounds, of an upstream that was healthy before."""
        await self._renew()
        await self._say(fault.spoilt)
        for _ in range(rounds):
            if fault.turns_of:
                await self._send(canary(fault.turns_of), ILL)
            told = await self.round(names)
        return told

    async def stray(self, names: Sequence[str], rounds: int) -> Told:
        """Clients' turns go to a provider that nobody expects them to go to."""
        self._attribution.configure([ProviderPattern(match={"requested_model": "gpt-5*"}, provider_key="claude")])
        for _ in range(rounds):
            for event in await self._send(canary(USUAL_MODEL), WELL):
                self._attribution.attribute(event)
            told = await self.round(names)
        return told

    async def vanish(self, names: Sequence[str], rounds: int) -> Told:
        """The upstream goes away, and stays so."""
        await self._serving.aclose()
        return [await self.round(names) for _ in range(rounds)][-1]

    async def _settle(self) -> None:
        """It writes a log, and has used a part of its quotas."""
        for one in SETTLED:
            await self._say(one)

    async def _say(self, one: Spoilt) -> None:
        headers = {"Authorization": f"Bearer {MANAGEMENT_KEY}"}
        answer = await self._control.request(one.method, one.path, json=one.said, headers=headers)
        assert answer.is_success or self._is_plain, answer.text

    async def _renew(self) -> None:
        self._begin(ROUND_SECONDS)
        (await self._control.post("/_fake/reset")).raise_for_status()
        await self._settle()
        self._store.state_rows = dict(self._remembered)
        await self._probes.load()

    async def round(self, names: Sequence[str]) -> Told:
        """What these probes say, all run once; then the time until the next round is judged."""
        self._said = {}
        await self.inventory.refresh()
        for name in names:
            await self._probes.run(name)
        self.play.silence(ROUND_SECONDS)
        self._clock.instant = self.play.now
        return self._said

    async def turns(self, trouble: Trouble) -> None:
        """Turns of a client, one every few seconds, of which some went well first, as our proxy saw them."""
        await self._renew()
        events = await self._send(trouble.ask, WELL)
        await self._say(scenario(trouble.fault, model=trouble.model))
        for event in [*events, *await self._send(trouble.ask, ILL)]:
            moved = msgspec.structs.replace(event, emitted_at=self.play.now, started_at=self.play.now)
            self.play.book.observe(self._attribution.attribute(moved))
            self.play.silence(TURN_SECONDS)

    async def _send(self, ask: Ask, count: int) -> Sequence[Event]:
        headers = {"Authorization": f"Bearer {KEY}", "X-Api-Key": KEY}
        seen = len(self._proxy.sink.events)
        for _ in range(count):
            with suppress(httpx.HTTPError):
                await self._client.request(ask.method, ask.path, json=ask.body, headers=headers)
        return [*(await self._proxy.sink.wait_for(seen + count))[seen:]]

    @property
    def firing(self) -> frozenset[str]:
        """The names of the alerts."""
        assert self.play.errors == []
        return frozenset(alert for alert, _ in self.play.firing)


def configured(*, but: Collection[str] = ()) -> AlertsConfig:
    """The shipped rules, without some; of the shapes of thinking a few will do."""
    config = load(packaged("alerts.yaml"), SHELVES).config
    rules = tuple(rule for rule in config.rules if rule.alert not in but)
    few = thinking.OPTIONS(shapes=(Shape.CHAT, Shape.ANTHROPIC, Shape.GEMINI_CAMEL))
    return config.model_copy(update={"rules": rules, "probes": {"thinking": few}})


@asynccontextmanager
async def walking(build: str, config: AlertsConfig, *more: Credential) -> AsyncIterator[Walk]:
    """An upstream of that build, with the usual credentials and some more, and our proxy before it."""
    flavour = FLAVOURS[build]
    clock = FakeClock(T0)
    upstream = FakeUpstream(
        clock=clock,
        scenario=Scenario(pace=0.0),
        api_keys=[KEY],
        management_key=MANAGEMENT_KEY,
        version=build,
        credentials=(*more, *((KIRO,) if flavour.kiro_quota else ()), *CREDENTIALS),
    )
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(AsyncExitStack())
        url = await served.enter_async_context(serving(upstream, listen("127.0.0.1", 0, setting="port")))
        proxy = await stack.enter_async_context(running_proxy(url))
        walk = Walk(url, proxy, stack, config, clock, plain=flavour.plain is not None)
        walk._serving = served
        yield walk
