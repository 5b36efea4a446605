"""The soft kinds from the alert to the table and back: how each ends, and what classes of traffic change."""

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import Misuse
from daemon.domain.event import Fault, Outcome, Wire
from daemon.domain.mitigation import MitigationState as S
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.logic.mitigation import kind_of
from tests.engine.mitigating import Mitigating, a_config, firing

REROUTE, PREFIX = "reroute:spark", "reroute:iflow/*"


def one(kind: str, **said: Any) -> AlertsConfig:
    module: Any = kind_of(kind)
    return a_config(mitigations={"it": module.OPTIONS.model_validate({"kind": kind, "hold": 0.0, **said})})


async def started(kind: str, **said: Any) -> Mitigating:
    house = await Mitigating().start(one(kind, **said))
    await house.ticks(firing("it"), seconds=2)
    return house


def states(house: Mitigating) -> list[tuple[str, S]]:
    return [(row.target, row.state) for row in house.ledger.mitigation_rows.values()]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("reroute", {"to_model": "codex"}),
        ("pin_thinking", {"level": "high"}),
        ("block_model", {}),
        ("limit_concurrency", {"at_once": 2}),
    ],
)
async def test_each_is_in_the_table_while_its_alert_fires_and_at_the_latest_for_so_long(
    kind: str, said: dict[str, Any]
) -> None:
    house = await started(kind, model="spark", **said)
    assert states(house) == [(f"{kind}:spark", S.APPLIED)]
    assert [route.kind for route in house.routes.table.routes] == [kind]
    await house.ticks(seconds=2)
    assert (states(house), house.routes.table.routes) == ([(f"{kind}:spark", S.RESTORED)], ())
    house = await started(kind, model="spark", max_hold=60.0, **said)
    await house.ticks(firing("it"), seconds=62)
    assert (states(house)[0][1], house.routes.table.routes) == (S.RESTORED, ())


@pytest.mark.parametrize(("kind", "said"), [("block_model", {}), ("limit_concurrency", {"at_once": 2})])
async def test_what_has_no_original_path_is_never_pinged(kind: str, said: dict[str, Any]) -> None:
    house = await started(kind, model="spark", **said)
    house.probes.answer = True
    for _ in range(5):
        house.mitigate.observe(house.event())
        await house.tick(firing("it"), seconds=70)
    assert (house.probes.pinged, states(house)[0][1]) == ([], S.APPLIED)


async def test_a_model_that_is_led_away_is_pinged_in_the_wire_that_asks_for_it() -> None:
    house = await started("reroute", model="spark", to_model="codex")
    (row,) = house.rows(REROUTE)
    house.mitigate.observe(
        house.event(
            wire=Wire.ANTHROPIC_MESSAGES, model_id="codex", mitigation_ids=(row.id,), requested_model="spark(low)"
        )
    )
    house.probes.answer = True
    for _ in range(4):
        await house.tick(firing("it"), seconds=31)
    assert set(house.probes.pinged) == {("spark", Wire.ANTHROPIC_MESSAGES)}
    assert house.rows(REROUTE)[0].state is S.RESTORED


async def test_a_prefix_is_pinged_once_it_is_known_what_is_asked_of_it() -> None:
    house = await started("reroute", prefix="iflow", to_prefix="openrouter")
    house.probes.answer = True
    await house.tick(firing("it"), seconds=31)
    assert house.probes.pinged == []
    (row,) = house.rows(PREFIX)
    went = {"model_id": "openrouter/glm", "mitigation_ids": (row.id,), "requested_model": "iflow/glm(high)"}
    house.mitigate.observe(house.event(**went))
    await house.tick(firing("it"), seconds=31)
    assert house.probes.pinged == [("iflow/glm", Wire.OPENAI_CHAT)]


async def test_without_a_key_those_of_its_requests_that_went_straight_count() -> None:
    house = await started("reroute", prefix="iflow", to_prefix="openrouter", release={"every": 1.0})
    house.probes.answer = None
    (row,) = house.rows(PREFIX)
    house.mitigate.observe(
        house.event(mitigation_ids=(row.id,), requested_model="iflow/glm", model_id="openrouter/glm")
    )
    await house.ticks(firing("it"), seconds=2)
    assert house.routes.table.routes[0].trickle_seconds == 60.0
    for event in (
        house.event(requested_model="iflow/glm", outcome=Outcome.FAILED, fault=Fault.PROVIDER_ERROR),
        house.event(requested_model="iflow/glm"),
        house.event(requested_model="iflow/glm", mitigation_ids=("another",)),
        house.event(requested_model="iflow/x"),
        house.event(requested_model="other/glm"),
    ):
        house.mitigate.observe(event)
    await house.tick(firing("it"))
    assert house.row(PREFIX).passes == 2
    house.mitigate.observe(house.event(requested_model="iflow/y"))
    await house.ticks(firing("it"), seconds=2)
    assert house.rows(PREFIX)[0].state is S.RESTORED


async def test_a_pin_ends_when_what_is_let_through_thinks_as_asked() -> None:
    house = await started("pin_thinking", model="spark", level="high")
    house.probes.answer = True
    assert house.routes.table.routes[0].trickle_seconds == 60.0
    for match in (True, True, False, None, True, True):
        house.mitigate.observe(house.event(thinking_match=match))
    await house.tick(firing("it"), seconds=61)
    assert (house.row("pin_thinking:spark").passes, house.probes.pinged) == (2, [])
    house.mitigate.observe(house.event(thinking_match=True))
    await house.ticks(firing("it"), seconds=2)
    assert house.rows("pin_thinking:spark")[0].state is S.RESTORED


async def test_what_stands_in_and_is_not_served_is_dropped() -> None:
    house = await started("reroute", model="spark", to_model="codex")
    (row,) = house.rows(REROUTE)
    failed = {"outcome": Outcome.FAILED, "fault": Fault.MODEL_NOT_FOUND, "mitigation_ids": (row.id,)}
    house.mitigate.observe(house.event(model_id="a-class-of-its-own", **failed))
    await house.tick(firing("it"))
    assert house.rows(REROUTE)[0].state is S.APPLIED
    house.mitigate.observe(house.event(model_id="codex(high)", **failed))
    await house.tick(firing("it"))
    assert house.rows(REROUTE)[0].state is S.FAILED


# ---- classes of traffic ----------------------------------------------------------------------------------------------


def with_classes(*classes: dict[str, Any]) -> AlertsConfig:
    said = [{"match": {"model": "*"}, **one} for one in classes]
    return a_config().model_copy(update={"workloads": AlertsConfig.model_validate({"workloads": said}).workloads})


async def test_the_classes_are_in_the_table_without_a_mitigation_and_after_a_reload() -> None:
    house = await Mitigating().start(with_classes({"name": "nightly"}))
    await house.tick()
    assert [one.name for one in house.routes.table.workloads] == ["nightly"]
    house.mitigate.configure(with_classes({"name": "daily"}))
    await house.tick()
    assert [one.name for one in house.routes.table.workloads] == ["daily"]
    house.mitigate.configure(a_config())
    await house.tick()
    assert house.routes.table.workloads == ()


async def test_a_class_is_led_to_the_first_of_its_own_that_is_served() -> None:
    house = await Mitigating().start(with_classes({"name": "nightly", "fallbacks": {"spark": ["mini", "gpt"]}}))
    await house.ticks(firing("fallback"), seconds=2)
    found = [(route.workload, route.to_model) for route in house.routes.table.routes]
    assert found == [("", "codex"), ("nightly", "gpt")]


async def test_what_moves_first_moves_alone_until_something_critical_asks_and_all_stay_moved_then() -> None:
    house = await Mitigating().start(with_classes({"name": "nightly", "priority": "best_effort"}))
    warning = firing("fallback", fingerprint="w", severity=Severity.WARNING)
    critical = firing("fallback", fingerprint="c", severity=Severity.CRITICAL)

    def led() -> list[str]:
        return [route.workload for route in house.routes.table.routes]

    await house.ticks(warning, seconds=2)
    assert led() == ["nightly"]
    await house.ticks(warning, critical, seconds=2)
    assert led() == [""] + ["nightly"] * (len(led()) - 1)
    await house.ticks(warning, seconds=2)
    assert "" in led()


# ---- released by a probe ---------------------------------------------------------------------------------------------


class Canaries:
    """A probe that says what it is told to."""

    def __init__(self, house: Mitigating, **outcomes: str) -> None:
        self.outcomes, self.runs = outcomes, list[str]()
        house.mitigate.probe_with(self.run)

    async def run(self, name: str) -> Sequence[ProbeResult]:
        if name == "gone":
            raise Misuse("there is no probe 'gone'")
        self.runs.append(name)
        return [
            ProbeResult(probe=name, subject=subject, outcome=ProbeOutcome(outcome), emitted_at=0)
            for subject, outcome in self.outcomes.items()
        ]


def by_probe(canary: str = "iflow", **said: Any) -> dict[str, Any]:
    return {"model": "spark", "to_model": "codex", "max_hold": 86_400.0, "release": {"canary": canary, **said}}


async def test_a_probe_that_finds_the_model_well_so_often_in_a_row_releases_it() -> None:
    house = await started("reroute", **by_probe(every=60.0))
    probe = Canaries(house, spark="ok", other="bad")
    for outcome, passes in (("ok", 1), ("bad", 0), ("ok", 1), ("ok", 2)):
        probe.outcomes["spark"] = outcome
        await house.tick(firing("it"), seconds=61)
        assert house.row(REROUTE).passes == passes
    await house.tick(firing("it"), seconds=61)
    assert (house.row(REROUTE).state, probe.runs, house.probes.pinged) == (S.RESTORED, ["iflow"] * 5, [])


async def test_a_probe_is_run_once_for_all_and_each_five_minutes_unless_said() -> None:
    module: Any = kind_of("reroute")
    said = [{"kind": "reroute", **by_probe(), "model": model} for model in ("spark", "other")]
    options = {f"m{number}": module.OPTIONS.model_validate(one) for number, one in enumerate(said)}
    house = await Mitigating().start(a_config(mitigations=options))
    await house.ticks(firing("m0", "m1"), seconds=2)
    probe = Canaries(house, spark="ok", other="bad")
    for seconds, runs in ((290, 0), (11, 1), (290, 1), (11, 2)):
        await house.tick(firing("m0", "m1"), seconds=seconds)
        assert len(probe.runs) == runs
    assert [house.row(f"reroute:{model}").passes for model in ("spark", "other")] == [2, 0]


@pytest.mark.parametrize(("canary", "outcomes"), [("iflow", {}), ("iflow", {"a": "ok", "b": "ok"}), ("gone", {})])
async def test_where_a_probe_does_not_look_traffic_tells(canary: str, outcomes: dict[str, str]) -> None:
    house = await started("reroute", **by_probe(canary))
    Canaries(house, **outcomes)
    assert house.routes.table.routes[0].trickle_seconds is None
    await house.tick(firing("it"), seconds=301)
    assert house.routes.table.routes[0].trickle_seconds == 60.0


async def test_what_a_probe_could_not_see_is_asked_again_and_loses_nothing() -> None:
    house = await started("reroute", **by_probe())
    probe = Canaries(house)
    for outcome in ("ok", "unknown", "ok"):
        probe.outcomes["spark"] = outcome
        await house.tick(firing("it"), seconds=301)
        await house.tick(firing("it"), seconds=10)
    assert (house.row(REROUTE).passes, len(probe.runs)) == (2, 3)


async def test_where_no_probe_can_be_run_it_is_pinged() -> None:
    house = await started("reroute", **by_probe())
    house.probes.answer = True
    await house.tick(firing("it"), seconds=301)
    assert (house.probes.pinged, house.row(REROUTE).passes) == ([("spark", Wire.OPENAI_CHAT)], 1)


async def test_a_pin_is_released_by_a_probe_that_sees_how_it_thinks() -> None:
    house = await started("pin_thinking", model="spark", level="high", release={"canary": "thinking", "passes": 2})
    Canaries(house, **{"spark suffix": "ok"})
    for _ in range(3):
        await house.tick(firing("it"), seconds=301)
    assert house.row("pin_thinking:spark").state is S.RESTORED
