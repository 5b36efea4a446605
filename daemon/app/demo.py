"""The demo: plays an incident on real processes, and reports each step only when it was observed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from daemon.app.remote import RemoteControl, RemoteFake
from daemon.app.rig import CLIENT_KEY, MANAGEMENT_KEY, Rig
from daemon.app.sink import Sink, receiving
from daemon.app.traffic import Traffic, Turn
from daemon.domain.event import Wire
from daemon.domain.units import say_ratio

TURNS_PER_SECOND = 30.0
POLL_SECONDS = 0.1
SPARK, STAND_IN = "gpt-5.3-codex-spark", "gpt-5.3-codex"
TOGGLE = "quota-exceeded/switch-project"

MIX = (
    Turn(wire=Wire.OPENAI_CHAT, model="gpt-5.4"),
    Turn(wire=Wire.OPENAI_RESPONSES, model=SPARK, effort="high"),
    Turn(wire=Wire.GEMINI_GENERATE_CONTENT, model="gemini-2.5-pro"),
    Turn(wire=Wire.OPENAI_RESPONSES, model="gpt-5.5", effort="high"),
    Turn(wire=Wire.ANTHROPIC_MESSAGES, model="claude-sonnet-4-6"),
    Turn(wire=Wire.OPENAI_RESPONSES, model=SPARK, effort="high"),
    Turn(wire=Wire.OPENAI_CHAT, model="gpt-5.4", stream=False),
    Turn(wire=Wire.GEMINI_GENERATE_CONTENT, model="gemini-2.5-pro", stream=False),
)

INCIDENT: Mapping[str, Any] = {
    "name": "incident",
    "rules": [
        {"match": {"model": "gpt-5.4"}, "fault": "429", "share": 0.6},
        {"match": {"model": SPARK}, "fault": "500", "share": 0.5},
        {"match": {"model": "gpt-5.5"}, "fault": "thinking_drift", "share": 0.5},
        {"match": {"model": "gemini*"}, "fault": "zero_usage", "share": 0.9},
    ],
}

_SHORT = "window: 10s, stretch_to: 10s, keep_firing_for: 2s"
_AT_ONCE = "levels: {warning: {for: 0s}, critical: {for: 0s, mitigate: [%s]}}"
ALERTS = f"""\
version: 1
extends: runbook
route: {{receiver: operators, group_by: [alert, provider_key], group_wait: 1s, group_interval: 2s}}
fallbacks:
  {SPARK}: [{STAND_IN}]
rules:
  - {{alert: ProviderRateLimited, {_SHORT}, {_AT_ONCE % "quota-fallback"}}}
  - {{alert: SparkErrorRatio, {_SHORT}, {_AT_ONCE % "spark-fallback"}}}
  - {{alert: ThinkingMismatch, {_SHORT}}}
  - {{alert: ZeroUsageUnderLoad, {_SHORT}}}
  - {{alert: ProviderErrorRatio, enabled: false}}
mitigations:
  spark-fallback:
    kind: model_alias
    from: {SPARK}
    to: [{STAND_IN}]
    hold: 0s
    cool_off: 0s
    release: {{canary: ping, every: 1s, passes: 2}}
  quota-fallback:
    kind: upstream_toggle
    set: {{quota-exceeded.switch-project: true}}
    hold: 0s
    cool_off: 0s
    even_if_inert: true
"""
"""The shipped rules with short windows; the setting is known to be ignored upstream and is written for the show."""

FIRING = {
    "ProviderRateLimited": {"severity": "critical"},
    "SparkErrorRatio": {"severity": "critical"},
    "ThinkingMismatch": {},
    "ZeroUsageUnderLoad": {},
}
"""The alerts that the incident must raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the timeline. `name` is a stable word; `observed` is false for what did not come in time."""

    at_seconds: float
    name: str
    text: str
    observed: bool = True


Check = Callable[[], Awaitable[str | None]]
"""Gives the words for what was observed, or None while it was not."""


@dataclass(slots=True)
class Demo:
    """One performance in a directory; `tell` gets each step when it happens. Raises `CannotStart`."""

    directory: Path
    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)
    dashboard: str = ""
    _began: float = 0.0
    _rig: Rig = field(init=False)
    _sink: Sink = field(init=False)
    _fake: RemoteFake = field(init=False)
    _control: RemoteControl = field(init=False)
    _traffic: Traffic = field(init=False)

    @property
    def is_complete(self) -> bool:
        """Whether everything was observed."""
        return bool(self.steps) and all(step.observed for step in self.steps)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return asyncio.get_running_loop().time() - self._began

    def outcomes(self) -> Mapping[str, int]:
        """How the clients' turns ended."""
        return dict(self._traffic.outcomes())

    async def play(self, *, keep: bool = False) -> None:
        """Plays it to the end; with `keep` all goes on running, healthy, until this is cancelled."""
        self._began = asyncio.get_running_loop().time()
        async with AsyncExitStack() as stack:
            await self._open(stack)
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._traffic.run(TURNS_PER_SECOND, stop), name="traffic")
                try:
                    await self._perform()
                    if keep:
                        await asyncio.Event().wait()
                finally:
                    stop.set()

    async def _open(self, stack: AsyncExitStack) -> None:
        self._sink = await stack.enter_async_context(receiving())
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30.0))
        alerts = self.directory / "alerts.yaml"
        alerts.write_text(ALERTS, encoding="utf-8")
        settings = {
            "ALERTS_FILE": str(alerts),
            "NOTIFY_URLS": self._sink.apprise_url,
            "EVALUATION_INTERVAL": "1s",
            "MITIGATION_MODE": "auto",
        }
        self._rig = Rig(self.directory, settings)
        stack.push_async_callback(self._rig.close)
        self._fake = RemoteFake(http, self._rig.fake_url, MANAGEMENT_KEY)
        self._control = RemoteControl(http, self._rig.control_url, self._rig.token)
        self._traffic = Traffic(http, self._rig.proxy_url, CLIENT_KEY, MIX)
        await self._start()

    async def _start(self) -> None:
        await self._rig.start("fake")
        self._rig.launch("proxy")
        self._rig.launch("control")
        await self._rig.ready("proxy")
        await self._rig.ready("control")
        self.dashboard = f"{self._rig.control_url}/"
        self._say("dashboard", f"{self.dashboard}  (log in with the token in {self._rig.places.token})")
        self._say("started", f"fake upstream {self._rig.fake_url}, proxy {self._rig.proxy_url}")

    # ---- the acts ------------------------------------------------------------------------------------------------

    async def _perform(self) -> None:
        await self._observe("healthy", "every provider with 100 % success on the providers page", self._healthy, 10)
        await self._fake.play(INCIDENT)
        self._say("incident", "429 storm on gpt-5.4, Spark fails, thinking drifts on gpt-5.5, Gemini counts no tokens")
        await self._incident()
        mark = (await self._fake.requests(limit=1))["total"]
        await self._fake.play("healthy")
        self._say("mended", "the upstream is healthy again")
        await self._recovery(mark)
        counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._traffic.outcomes().items()))
        self._say("turns", f"{self._traffic.total} turns went through: {counted}")

    async def _incident(self) -> None:
        async with asyncio.TaskGroup() as watching:
            watching.create_task(self._observe("ratio", "failures in the providers' figures", self._failing, 15))
            for alert, wanted in FIRING.items():
                check = self._alert_check("firing", alert, **wanted)
                watching.create_task(self._observe("firing", f"{alert} firing", check, 20))
                watching.create_task(self._observe("message", f"a message about {alert}", self._told(alert), 25))
            watching.create_task(self._observe("fallback", f"{STAND_IN} standing in for {SPARK}", self._aliased, 20))
            watching.create_task(self._observe("switched", f"{TOGGLE} set in the upstream", self._toggled(True), 20))

    async def _recovery(self, mark: int) -> None:
        async with asyncio.TaskGroup() as watching:
            watching.create_task(self._observe("lifted", "the fallback lifted", self._lifted(mark), 20))
            watching.create_task(self._observe("restored", f"{TOGGLE} set back", self._toggled(False), 30))
            for alert in FIRING:
                check = self._resolved(alert)
                watching.create_task(self._observe("resolved", f"{alert} resolved", check, 30))
            told = self._told("SparkErrorRatio", kind="success")
            watching.create_task(self._observe("message", "a message that SparkErrorRatio is resolved", told, 35))

    # ---- what is looked at ---------------------------------------------------------------------------------------

    async def _healthy(self) -> str | None:
        providers = (await self._control.get("providers", window="1m"))["providers"]
        seen = {name: row["request_count"] for name, row in providers.items() if row["success_count"]}
        if not {"codex", "claude", "gemini"} <= set(seen) or self._traffic.total < 60:
            return None
        counted = ", ".join(f"{name} {count}" for name, count in sorted(seen.items()))
        return f"{self._traffic.total} turns, all is well: {counted}"

    async def _failing(self) -> str | None:
        row = (await self._control.get("providers", window="10s"))["providers"].get("codex")
        if row is None or not row["rate_limited_ratio"] or row["error_ratio"] <= row["rate_limited_ratio"]:
            return None
        limited, failed = say_ratio(row["rate_limited_ratio"]), say_ratio(row["error_ratio"])
        return f"codex, last 10 s: {row['request_count']} turns, {failed} failed, {limited} rate limited"

    def _alert_check(self, state: str, alert: str, **wanted: str) -> Check:
        async def check() -> str | None:
            rows = await self._control.alerts(state=state, alert=alert, **wanted)
            return f"{alert} {rows[0]['severity']}: {rows[0]['summary']}" if rows else None

        return check

    def _resolved(self, alert: str) -> Check:
        async def check() -> str | None:
            rows = await self._control.alerts(alert=alert)
            return alert if rows and all(row["state"] == "resolved" for row in rows) else None

        return check

    def _told(self, text: str, kind: str | None = None) -> Check:
        async def check() -> str | None:
            messages = [one for one in self._sink.about(text) if kind is None or one.get("type") == kind]
            return f"“{messages[-1]['title']}”" if messages else None

        return check

    async def _aliased(self) -> str | None:
        """In force, and seen by the upstream: nobody asks for the stand-in by its own name."""
        applied = await self._control.mitigations(kind="model_alias", state="applied")
        seen = (await self._fake.requests(model=STAND_IN))["requests"]
        if not applied or not seen:
            return None
        return f"{applied[0]['name']} is on: the upstream saw {len(seen)} Spark turns arrive as {STAND_IN}"

    def _lifted(self, mark: int) -> Check:
        """The journal says so, and the upstream sees clients' Spark turns again; the canary's pings do not stream."""

        async def check() -> str | None:
            rows = await self._control.mitigations(kind="model_alias")
            seen = (await self._fake.requests(model=SPARK, after=mark))["requests"]
            if not rows or rows[0]["state"] != "restored" or not any(one["stream"] for one in seen):
                return None
            pings = sum(not one["stream"] for one in seen)
            return f"{rows[0]['name']} is off after {pings} pings: the upstream sees {SPARK} again"

        return check

    def _toggled(self, value: bool) -> Check:
        async def check() -> str | None:
            rows = await self._control.mitigations(kind="upstream_toggle")
            wanted = "applied" if value else "restored"
            if not rows or rows[0]["state"] != wanted or await self._fake.setting(TOGGLE) is not value:
                return None
            return f"{TOGGLE} is {str(value).lower()} in the upstream ({rows[0]['effect']})"

        return check

    # ---- the timeline --------------------------------------------------------------------------------------------

    async def _observe(self, name: str, expected: str, check: Check, within_seconds: float) -> None:
        """Looks until the check gives words; a step that never came is told too."""
        end = self.seconds + within_seconds
        while self.seconds < end:
            try:
                if words := await check():
                    self._say(name, words)
                    return
            except (httpx.HTTPError, OSError):
                pass  # asked again until the time is up
            await asyncio.sleep(POLL_SECONDS)
        self._say(name, f"not seen within {within_seconds:.0f} s: {expected}", observed=False)

    def _say(self, name: str, text: str, *, observed: bool = True) -> None:
        step = Step(at_seconds=round(self.seconds, 1), name=name, text=text, observed=observed)
        self.steps.append(step)
        self.tell(step)
