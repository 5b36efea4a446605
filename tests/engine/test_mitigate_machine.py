"""Whatever fires, whatever people do, whenever we are killed: nothing stays half done, a human's value stays."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import Conflict, ManagementFailure, StoreFailure
from daemon.domain.event import Fault, Outcome
from daemon.domain.mitigation import Mode
from daemon.engine.mitigate import ACTIONS
from daemon.logic.journal import OURSELVES
from daemon.logic.mitigations.credential_priority import CredentialPriority
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle
from tests.engine.mitigating import ALIAS, SPARK, a_config, firing
from tests.engine.watched import PRIORITY, TARGETS, Killed, S, Watched

HUMAN = "human:jo"
REFUSED = ManagementFailure("the management key was refused", status=401, barred=True)
MUTE = ManagementFailure("no answer")
MINUTE, HOUR = 60.0, 3600.0

KINDS: dict[str, Any] = {
    "debug": UpstreamToggle.model_validate({"set": {"debug": True}, "hold": "1m", "cool_off": "2m", "max_hold": "10m"}),
    "no-debug": UpstreamToggle.model_validate({"set": {"debug": False}, "hold": "0s", "cool_off": "0s"}),
    "quota": UpstreamToggle.model_validate(
        {"set": {"quota-exceeded.switch-project": True}, "even_if_inert": True, "hold": "0s", "cool_off": "0s"}
    ),
    "next": CredentialPriority.model_validate({"hold": "30s", "cool_off": "1m"}),
}
CONFIGS: tuple[AlertsConfig, ...] = (
    a_config(mitigations=KINDS),
    a_config(mitigations={name: KINDS[name] for name in ("debug", "quota")}),
    a_config(mitigations={**KINDS, "debug": UpstreamToggle(set={"debug": True}, hold=0.0, cool_off=0.0)}, fallbacks={}),
)
ALERTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "codex": (("next", "debug"), {"severity": Severity.WARNING, "labels": (("provider_key", "codex"),)}),
    "critical": (("debug", "quota", "fallback"), {"severity": Severity.CRITICAL}),
    "contrary": (("no-debug",), {"severity": Severity.CRITICAL}),
    "credential": (("next",), {"severity": Severity.CRITICAL, "labels": (("provider_key", "codex"),)}),
}
NAMES = ("debug", "no-debug", "quota", "next", "fallback")
SPANS = some.sampled_from([0.3, 1.0, 1.0, 5.0, 30.0, 5 * MINUTE, 20 * MINUTE, HOUR])
NAMES_OF_ALERTS = some.sampled_from([*ALERTS])
ANSWERS = some.sampled_from(["lost", "applied", "late", "ignored", "ok"])
HUMAN_VALUES = some.sampled_from([True, False, -1, 0, 7])


class Mitigations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.house = Watched()
        self.config, self.ceiling = CONFIGS[0], Mode.AUTO
        self.fires: dict[str, Alert] = {}
        self.is_settled = False
        """The last step was a whole round in which nothing stood in the way."""

    def teardown(self) -> None:
        try:
            self._do(self._calm())
            self._nothing_is_left()
        finally:
            self.runner.close()

    @initialize()
    def begin(self) -> None:
        self._do(self.house.start(self.config))

    # ---- what happens --------------------------------------------------------------------------------------------

    @rule(span=SPANS)
    def time_passes(self, span: float) -> None:
        self._tick(span)

    @rule(seconds=some.integers(2, 8))
    def seconds_pass(self, seconds: int) -> None:
        for _ in range(seconds):
            self._tick()

    @rule(name=NAMES_OF_ALERTS, span=SPANS)
    def an_alert_fires_or_ends(self, name: str, span: float) -> None:
        self._turn(name)
        self._tick()
        self._tick(span)

    @rule(which=some.integers(0, 2), value=HUMAN_VALUES, span=SPANS)
    def a_human_sets_it(self, which: int, value: Any, span: float) -> None:
        self._set(which, value)
        self._tick(span)

    @rule(action=some.sampled_from(ACTIONS), name=some.sampled_from(NAMES))
    def a_human_acts(self, action: str, name: str) -> None:
        self._survived(self._act(name, action))

    @rule(answers=some.lists(ANSWERS, min_size=1, max_size=3))
    def the_upstream_will_mislead(self, answers: list[str]) -> None:
        self.house.upstream.answers.extend(answers)

    @rule(failure=some.sampled_from([REFUSED, MUTE]), span=SPANS)
    def the_upstream_refuses_for_a_while(self, failure: ManagementFailure, span: float) -> None:
        self.house.upstream.failure = failure
        self._tick()
        self._tick(span)
        self.house.upstream.failure = None

    @rule()
    def a_write_will_move_other_settings(self) -> None:
        self.house.upstream.moves = {"streaming": str(self.house.clock.now())}

    @rule(span=SPANS)
    def the_store_fails_for_a_while(self, span: float) -> None:
        self.house.ledger.failing = True
        self._tick(span)
        self.house.ledger.failing = False

    @rule(answer=some.sampled_from([True, False, None]))
    def pings_are_answered(self, answer: bool | None) -> None:
        self.house.probes.answer = answer

    @rule(outcome=some.sampled_from([(Outcome.OK, None), (Outcome.FAILED, Fault.MODEL_NOT_FOUND)]), led=some.booleans())
    def a_turn_ends(self, outcome: tuple[Outcome, Fault | None], led: bool) -> None:
        ids = tuple(row.id for row in self.house.open_rows(ALIAS)) if led else ()
        event = self.house.event(outcome=outcome[0], fault=outcome[1], mitigation_ids=ids)
        self.house.mitigate.observe(event)

    @rule(
        name=NAMES_OF_ALERTS,
        answer=ANSWERS,
        steps=some.integers(1, 10),
        human=some.none() | some.tuples(some.integers(0, 2), HUMAN_VALUES),
        spans=some.tuples(SPANS, SPANS),
    )
    def killed_at_a_step(self, name: str, answer: str, steps: int, human: Any, spans: tuple[float, float]) -> None:
        """As an alert fires or ends; and perhaps somebody sets something before the next process looks."""
        self._turn(name)
        self.house.upstream.answers.append(answer)
        self.house.die_in = steps
        self._tick(spans[0])
        for _ in range(3):
            if self.house.die_in is not None:
                self._tick()
        self.house.die_in = None
        if human is not None:
            self._set(*human)
        self._tick(spans[1])

    @rule(ceiling=some.sampled_from([Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.ASK, Mode.SHADOW]), tidily=some.booleans())
    def it_is_restarted(self, ceiling: Mode, tidily: bool) -> None:
        self.ceiling = ceiling
        if tidily:
            self._survived(self.house.mitigate.restore_all(on_stop=True))
        self._restart()
        self._tick()

    @rule(to=some.integers(0, len(CONFIGS) - 1))
    def the_file_changes(self, to: int) -> None:
        self.config = CONFIGS[to]
        self.house.mitigate.configure(self.config)
        self._tick()

    # ---- what is true after each ---------------------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        for target in (*TARGETS, ALIAS):
            begun = [row for row in self.house.open_rows(target) if row.state is not S.PLANNED]
            assert len(begun) <= 1, "a target has one row that does anything"
        if self.is_settled:
            self._routes_are_what_the_journal_says()
            open_ids = {row.id for row in self.house.ledger.mitigation_rows.values() if row.state.is_open}
            copy = self.house.exports[-1] if self.house.exports else ()
            assert {row.id for row in copy} == open_ids, "the copy has all that is open"

    def _routes_are_what_the_journal_says(self) -> None:
        applied = [row for row in self.house.open_rows(ALIAS) if row.state is S.APPLIED]
        assert list(self.house.routed.items()) == [(SPARK, row.value_wanted) for row in applied]
        for row in applied:
            now = self.house.clock.now()
            wanted = any(owner in self.fires or owner == HUMAN for owner in row.owners)
            assert row.held_by or (row.expires_at or now) > now, "nothing soft is applied too long"
            assert row.held_by or wanted or (row.hold_until or 0) > now, "nor when nobody wants it any more"

    # ---- how -----------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _turn(self, name: str) -> None:
        """It fires if it did not, and ends if it did."""
        if self.fires.pop(name, None) is None:
            mitigate, facts = ALERTS[name]
            now = self.house.clock.now()
            self.fires[name] = firing(*mitigate, fingerprint=name, alert=name, fired_at=now, **facts)

    def _set(self, which: int, value: Any) -> None:
        """What we are about to change, rather than another one."""
        open_ones = [target for target in TARGETS if self.house.open_rows(target)] or TARGETS
        name = open_ones[which % len(open_ones)]
        self.house.set_by_hand(name, int(value) if name == PRIORITY else bool(value))

    def _tick(self, span: float = 1.0) -> None:
        self.is_settled = self._survived(self.house.tick(*self.fires.values(), seconds=span))

    def _survived(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Killed on the way, the next process begins; where the store fails, this round is over."""
        self.is_settled = False
        try:
            self._do(work)
        except StoreFailure:
            return False
        except Killed:
            self._restart()
            return False
        return True

    def _restart(self) -> None:
        """A start waits for its store."""
        self.is_settled, self.house.by_human, self.house.ledger.failing = False, False, False
        self.house.exports.clear()
        self._do(self.house.start(self.config, self.ceiling))

    async def _act(self, name: str, action: str) -> None:
        self.house.by_human = True
        with suppress(Conflict):
            await self.house.mitigate.act(name, action, HUMAN)
        self.house.by_human = False

    async def _calm(self) -> None:
        """Nothing fires, nothing fails, nobody holds anything, and hours pass."""
        house, upstream = self.house, self.house.upstream
        house.ledger.failing, house.die_in, upstream.failure, upstream.moves = False, None, None, {}
        upstream.answers.clear()
        for _ in range(4):
            await self._release_all()
            for span in (1.0, 1.0, 1.0, HOUR):
                await house.tick(seconds=span)

    async def _release_all(self) -> None:
        for row in self.house.mitigate.rows():
            if row.held_by is not None and (row.state.is_open or row.held_by == OURSELVES):
                await self._act(row.id, "release")

    def _nothing_is_left(self) -> None:
        house = self.house
        assert [row for row in house.ledger.mitigation_rows.values() if row.state.is_open] == []
        assert house.routed == {}
        for target, allowed in house.may_be.items():
            assert house.actual(target) in allowed, target


TestMitigations = Mitigations.TestCase
TestMitigations.settings = settings(
    derandomize=True,
    database=None,
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
