"""What the daemon notices of itself, said once and again only when it changes."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from daemon.adapters.config.alerts_file import without_a_file
from daemon.adapters.disk import free_share
from daemon.domain.alerts_config import AlertsConfig, Receiver
from daemon.domain.decision import Decision
from daemon.domain.notification import Notification, NotificationReason, NotificationStatus
from daemon.domain.self_reading import Condition, SelfReading
from daemon.engine.self_watch import FAILED_ATTEMPTS, LOST_SECONDS, SelfWatch
from daemon.logic.notifying import NO_URLS
from daemon.logic.rules.state import StateRule
from tests.fakes.clock import FakeClock
from tests.logic.playing import T0, Play

TICK = 10.0
QUEUED, FAILED, DELIVERED = NotificationStatus.QUEUED, NotificationStatus.FAILED, NotificationStatus.DELIVERED


@dataclass
class Engine:
    """As much of ingest and evaluate as is looked at, and the disk."""

    lost_total: int = 0
    failure: str | None = None
    lag_seconds: float = 0.0
    free: float | None = 0.5
    clock: FakeClock = field(default_factory=lambda: FakeClock(T0))
    said: list[SelfReading] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = SelfWatch(
            clock=self.clock,
            ingest=self,  # type: ignore[arg-type]
            evaluate=self,  # type: ignore[arg-type]
            tick_seconds=TICK,
            free_share=self._free_share,
            observe=self.said.append,
        )

    def _free_share(self) -> float:
        if self.free is None:
            raise OSError("it is gone")
        return self.free

    async def look(self, *, after: float = 10.0, **changes: Any) -> list[SelfReading]:
        """What is said by a look at what has become of it."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.clock.advance(after)
        self.said.clear()
        await self.watch.look()
        return list(self.said)

    async def news(self, **changes: Any) -> dict[Condition, Any]:
        return {one.condition: one.holds if one.value is None else one.value for one in await self.look(**changes)}

    def sent(self, status: NotificationStatus, *, attempts: int = 1, error: str | None = None, to: str = "me") -> None:
        row = Notification(
            id="n",
            receiver=to,
            group_key="g",
            reason=NotificationReason.OPENED,
            severity="warning",
            status=status,
            attempts=attempts,
            error=error,
            created_at=0,
            not_before=0,
        )
        self.watch.adopt(Decision(notifications=(row,)))


@pytest.fixture
async def engine() -> Engine:
    """One that was looked at already."""
    engine = Engine()
    await engine.look()
    return engine


async def test_the_first_look_tells_of_everything_that_nothing_is_wrong() -> None:
    assert await Engine().news() == {
        Condition.EVENTS_DROPPED: 0.0,
        Condition.STORE_FAILING: False,
        Condition.EVALUATION_LATE: False,
        Condition.NOTIFIER_FAILING: False,
        Condition.DISK_FREE: 0.5,
    }


async def test_an_idle_hour_says_nothing(engine: Engine) -> None:
    for second in range(0, 3600, 10):
        assert await engine.look(lag_seconds=second % 20, free=0.5 + second / 1e6) == []


async def test_lost_events_are_told_of_for_ten_minutes(engine: Engine) -> None:
    [reading] = await engine.look(lost_total=5)
    assert (reading.value, reading.reason) == (5.0, "5 events were lost in 10m")
    assert reading.emitted_at == engine.clock.now()
    assert await engine.news(lost_total=7, after=300) == {Condition.EVENTS_DROPPED: 7.0}
    assert await engine.news(after=LOST_SECONDS - 300) == {Condition.EVENTS_DROPPED: 2.0}
    assert await engine.news(after=300) == {Condition.EVENTS_DROPPED: 0.0}


async def test_a_store_that_refuses_is_told_with_its_reason(engine: Engine) -> None:
    [reading] = await engine.look(failure="the disk is full")
    assert (reading.condition, reading.holds, reading.reason) == (Condition.STORE_FAILING, True, "the disk is full")
    assert [one.reason for one in await engine.look(failure="it is locked")] == ["it is locked"]
    assert await engine.news(failure=None) == {Condition.STORE_FAILING: False}


@pytest.mark.parametrize(("lag", "said"), [(3 * TICK - 1, {}), (3 * TICK, {Condition.EVALUATION_LATE: True})])
async def test_three_missed_ticks_are_late(lag: float, said: dict[Condition, Any], engine: Engine) -> None:
    assert await engine.news(lag_seconds=lag) == said
    assert await engine.news(lag_seconds=lag + 0.5 * TICK if said else 0.0) == {}
    assert await engine.news(lag_seconds=0.0) == dict.fromkeys(said, False)


@pytest.mark.parametrize(
    ("status", "attempts", "error", "fails"),
    [
        (QUEUED, 0, None, False),
        (QUEUED, FAILED_ATTEMPTS - 1, "no route", False),
        (QUEUED, FAILED_ATTEMPTS, "no route", True),
        (FAILED, 1, "no route", True),
        (FAILED, 1, None, True),
        (FAILED, 1, NO_URLS, False),
        (DELIVERED, FAILED_ATTEMPTS, None, False),
        (NotificationStatus.SUPERSEDED, FAILED_ATTEMPTS, "no route", False),
    ],
)
async def test_a_receiver_fails_after_some_attempts(
    status: NotificationStatus, attempts: int, error: str | None, fails: bool, engine: Engine
) -> None:
    engine.sent(status, attempts=attempts, error=error)
    assert await engine.news() == ({Condition.NOTIFIER_FAILING: True} if fails else {})


async def test_a_receiver_fails_also_when_each_of_three_messages_was_tried_once(engine: Engine) -> None:
    for said in ({}, {}, {Condition.NOTIFIER_FAILING: True}):
        engine.sent(QUEUED, error="no route")
        assert await engine.news() == said


async def test_a_receiver_that_was_reached_or_is_gone_fails_no_more(engine: Engine) -> None:
    engine.sent(FAILED, error="no route", to="me")
    engine.sent(FAILED, error="refused", to="you")
    assert [one.reason for one in await engine.look()] == [
        "me cannot be reached: no route; you cannot be reached: refused"
    ]
    engine.sent(DELIVERED, to="me")
    assert [one.reason for one in await engine.look()] == ["you cannot be reached: refused"]
    engine.watch.configure(AlertsConfig(receivers=(Receiver(name="me"),)))
    assert await engine.news() == {Condition.NOTIFIER_FAILING: False}


async def test_a_receiver_that_is_still_there_fails_on(engine: Engine) -> None:
    engine.sent(FAILED, error="no route", to="me")
    engine.watch.configure(AlertsConfig(receivers=(Receiver(name="me"),)))
    assert await engine.news() == {Condition.NOTIFIER_FAILING: True}


async def test_the_disk_is_told_in_whole_percent(engine: Engine) -> None:
    assert await engine.news(free=0.504) == {}
    [reading] = await engine.look(free=0.0851)
    assert (reading.value, reading.reason) == (0.09, "9% of the disk is free")


async def test_a_disk_that_cannot_be_seen_hides_nothing_else(engine: Engine) -> None:
    assert await engine.news(free=None, failure="locked") == {Condition.STORE_FAILING: True}


def test_a_disk_has_a_share_that_is_free(tmp_path: Any) -> None:
    assert 0 <= free_share(tmp_path) <= 1
    with pytest.raises(OSError, match="No such file"):
        free_share(tmp_path / "nowhere")


# ---- and what the built-in rules make of it --------------------------------------------------------------------------


@pytest.fixture
def play() -> Play:
    return Play.of(*without_a_file({"state": StateRule}).rules)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trouble", "alert", "severity"),
    [
        ({"lost_total": 1}, "EventsDropped", "warning"),
        ({"failure": "locked"}, "StoreFailing", "warning"),
        ({"lag_seconds": 30.0}, "EvaluationLate", "warning"),
        ({"free": 0.09}, "DiskAlmostFull", "warning"),
        ({"free": 0.02}, "DiskAlmostFull", "critical"),
    ],
)
async def test_each_trouble_is_an_alert_until_it_is_over(
    trouble: dict[str, Any], alert: str, severity: str, engine: Engine, play: Play
) -> None:
    for reading in [*await Engine().look(), *await engine.look(**trouble)]:
        play.book.observe(reading)
    play.second += 20
    play.judge()
    play.second += 40
    play.judge()
    assert {name for name, _ in play.firing} == {alert}
    assert severity in play.severities
    assert all(one.summary for one in play.book.firing())
    for reading in await engine.look(after=LOST_SECONDS, failure=None, lag_seconds=0.0, free=0.5):
        play.book.observe(reading)
    play.second += 700
    play.judge()
    play.second += 400
    play.judge()
    assert not play.firing


async def test_one_late_look_is_no_alert(engine: Engine, play: Play) -> None:
    """A machine that slept is late once."""
    for late in (40.0, 0.0):
        for reading in await engine.look(lag_seconds=late):
            play.book.observe(reading)
        play.silence(30)
    assert play.told == []
