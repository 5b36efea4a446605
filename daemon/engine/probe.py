"""Probes: runs each when it is due or asked for, within its budget, keeps what it came to, and hands it on.

A verdict that is the same as the last one of its subject is handed on and not stored: an idle hour writes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from daemon.domain.alerts_config import AlertsConfig, ProbeOptions
from daemon.domain.errors import Misuse, StoreFailure
from daemon.domain.probe import Ask, ProbeOutcome, ProbeResult, ProbeRow, ProbeState, Reply
from daemon.domain.quota import QuotaReading
from daemon.logic.probe import Found, LookOptions, ProbeKind, Sight, switched, told
from daemon.ports import Clock, ProbeStore, Schedule

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
MOST_LOADED = 200
"""Verdicts of a probe that a start reads."""
FIRST_SECONDS = 10.0
"""After a start, one that has not run for as long as its interval runs this soon."""
SLACK_SECONDS = 10.0
"""A look that comes a little sooner than that is the one that is waited for."""
JITTER = 0.1
"""Of its interval a run is earlier or later by up to this share, so that not all run at once."""


@dataclass(slots=True)
class _Probe:
    kind: ProbeKind
    options: ProbeOptions
    is_on: bool
    state: ProbeState
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    latest: dict[str, ProbeResult] = field(default_factory=dict)
    """By subject."""

    @property
    def judges_looks(self) -> bool:
        return isinstance(self.options, LookOptions)


class Probes:
    """`ask` asks the upstream, `refresh` looks at it, and `sight` tells what is known of it; `observe` and `take_quota`
    get what came of it, and the latter gives which readings are worth to be stored."""

    def __init__(
        self,
        *,
        kinds: Mapping[str, ProbeKind],
        ask: Callable[[Ask], Awaitable[Reply]],
        refresh: Callable[[], Awaitable[None]],
        sight: Callable[[], Sight],
        store: ProbeStore,
        schedule: Schedule,
        observe: Callable[[ProbeResult], None],
        take_quota: Callable[[Sequence[QuotaReading]], Sequence[QuotaReading]],
        clock: Clock,
    ) -> None:
        self._ask = ask
        self._refresh = refresh
        self._sight = sight
        self._store = store
        self._schedule = schedule
        self._observe = observe
        self._take_quota = take_quota
        self._clock = clock
        self._all = {
            name: _Probe(kind=kind, options=kind.OPTIONS(), is_on=False, state=ProbeState(probe=name))
            for name, kind in kinds.items()
        }

    async def load(self) -> None:
        """What the last process knew; what was free is soon seen anew. Raises `StoreFailure`."""
        for state in await self._store.states():
            if state.probe in self._all:
                self._all[state.probe].state = state
        for name, probe in self._all.items():
            if probe.kind.COSTS and probe.state.ran_at:
                newest_first = await self._store.results(MOST_LOADED, name)
                probe.latest = {one.subject: one for one in reversed(newest_first)}

    def configure(self, config: AlertsConfig) -> None:
        """At boot and at each reload: what is on, and how often."""
        for name, probe in self._all.items():
            options, is_on = switched(name, probe.kind, config)
            if (is_on, options) != (probe.is_on, probe.options):
                probe.is_on, probe.options = is_on, options
                self._plan(name, probe)

    def _plan(self, name: str, probe: _Probe) -> None:
        job = f"probe {name}"
        self._schedule.drop(job)
        if not probe.is_on or probe.judges_looks:
            return

        async def run() -> None:
            await self.run(name)

        every = probe.options.every
        since = max(0.0, (self._clock.now() - probe.state.ran_at) / 1000)
        first = max(FIRST_SECONDS, every - since) if probe.state.ran_at else FIRST_SECONDS
        self._schedule.every(every, run, name=job, first=min(first, every), jitter=JITTER * every)

    # ---- one run -------------------------------------------------------------------------------------------------

    async def run(self, name: str) -> Sequence[ProbeResult]:
        """Now, whether it is on or not. Raises `Misuse` for a name that is not known."""
        probe = self._all.get(name)
        if probe is None:
            raise Misuse(f"there is no probe '{name}' (there are: {', '.join(sorted(self._all))})")
        if probe.judges_looks:
            await self._refresh()
        return await self._run(name, probe)

    async def looked(self) -> None:
        """Somebody looked at the upstream: those that judge looks, and are on, have one to judge."""
        for name, probe in self._all.items():
            if probe.is_on and probe.judges_looks and self._is_due(probe):
                await self._run(name, probe)

    def _is_due(self, probe: _Probe) -> bool:
        """The first look of a process always is, where it is free."""
        since = self._clock.now() - probe.state.ran_at
        is_first = not probe.latest and not probe.kind.COSTS
        return is_first or since >= (probe.options.every - SLACK_SECONDS) * 1000 or since < 0

    async def _run(self, name: str, probe: _Probe) -> Sequence[ProbeResult]:
        async with probe.lock:
            sight = replace(self._sight(), memory=probe.state.memory)
            found, asked = await self._look(name, probe, sight)
            await self._keep(probe, found, asked if probe.kind.COSTS else 0)
            return found.results

    async def _look(self, name: str, probe: _Probe, sight: Sight) -> tuple[Found, int]:
        """What it came to, and how much was asked. A probe that breaks says nothing of the upstream."""
        replies: list[Reply] = []
        try:
            asks = probe.kind.requests(probe.options, sight)
            if refusal := self._over_budget(probe, asks):
                return Found(results=(told(name, sight, None, refusal),)), 0
            for one in asks:
                replies.append(await self._ask(one))  # noqa: PERF401 (what was asked is paid, also when it breaks)
            return probe.kind.verdict(probe.options, sight, replies), len(replies)
        except Exception as error:
            log.exception("the probe %s broke", name)
            broke = told(name, sight, None, f"the probe itself broke ({type(error).__name__})")
            return Found(results=(broke,)), len(replies)

    def _over_budget(self, probe: _Probe, asks: Sequence[Ask]) -> str:
        """Why nothing may be asked any more today; empty where it may."""
        if not probe.kind.COSTS or not asks:
            return ""
        state, budget = self._today(probe.state), probe.options.budget
        if state.requests + len(asks) > budget.requests:
            return f"its {budget.requests} requests of today are spent"
        return f"its {budget.tokens} tokens of today are spent" if state.tokens >= budget.tokens else ""

    def _today(self, state: ProbeState) -> ProbeState:
        day = self._clock.now() // DAY_MS
        return state if state.day == day else replace(state, day=day, requests=0, tokens=0)

    async def _keep(self, probe: _Probe, found: Found, requests: int) -> None:
        before = self._today(probe.state)
        probe.state = after = replace(
            before,
            ran_at=self._clock.now(),
            requests=before.requests + requests,
            tokens=before.tokens + found.tokens,
            memory=before.memory if found.memory is None else found.memory,
        )
        fresh = [one for one in found.results if _says_more(one, probe.latest.get(one.subject), probe.kind.COSTS)]
        probe.latest |= {one.subject: one for one in found.results}
        for result in found.results:
            self._observe(result)
        quota = self._take_quota(found.quota) if found.quota else ()
        if fresh or quota or replace(after, ran_at=before.ran_at) != before:
            try:
                await self._store.note(after, fresh, quota)
            except StoreFailure as failure:
                log.error("what the probe %s found is not stored: %s", after.probe, failure)

    # ---- who looks -----------------------------------------------------------------------------------------------

    def rows(self) -> list[ProbeRow]:
        """All probes, by name."""
        return [self._row(name, probe) for name, probe in sorted(self._all.items())]

    def _row(self, name: str, probe: _Probe) -> ProbeRow:
        return ProbeRow(
            probe=name,
            enabled=probe.is_on,
            costs=probe.kind.COSTS,
            every_seconds=probe.options.every,
            state=self._today(probe.state),
            budget_requests=probe.options.budget.requests,
            budget_tokens=probe.options.budget.tokens,
            results=tuple(probe.latest.values()),
        )


def _says_more(one: ProbeResult, last: ProbeResult | None, costs: bool) -> bool:
    """What was paid for is always worth a row, as long as it says something."""
    if costs and one.outcome is not ProbeOutcome.UNKNOWN:
        return True
    return last is None or replace(one, emitted_at=last.emitted_at) != last
