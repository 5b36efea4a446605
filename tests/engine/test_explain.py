"""What is gathered for an explanation is what was known at the instant, and nothing that came later."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.decision import Decision
from daemon.domain.errors import Misuse
from daemon.domain.explanation import Decided, Look
from daemon.domain.notification import NotificationStatus
from daemon.engine.explain import Explain
from daemon.logic.judging import Book
from tests.contracts.things import NOON, a_notification, a_silence, an_alert
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.logic.playing import a_rule

MINUTE = 60_000
FIRING = {"fired_at": NOON, "value_text": "12%", "samples": 300, "bad": 36}


@dataclass
class Scene:
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    present: list[Alert] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    def explain(self) -> Explain:
        return Explain(
            ledger=self.ledger,
            clock=FakeClock(NOON + 60 * MINUTE),
            alerts=lambda: self.present,
            look=self._look,
            rules=lambda: (AlertsConfig(rules=(a_rule(),)), ("IflowErrorRatio",)),
        )

    def _look(self, alert: str) -> list[Look]:
        self.looked.append(alert)
        return Book(AlertsConfig()).look(alert)

    async def commit(self, **rows: Any) -> None:
        await self.ledger.commit(Decision(**{name: (row,) for name, row in rows.items()}))


@pytest.fixture
async def scene() -> Scene:
    """It fired at noon, was told a minute later, and ended after ten."""
    scene = Scene()
    await scene.commit(alerts=an_alert(state=AlertState.PENDING, since=NOON - MINUTE))
    await scene.commit(alerts=an_alert(state=AlertState.FIRING, **FIRING))
    sent = a_notification(
        episodes=("e1",), status=NotificationStatus.DELIVERED, not_before=NOON, delivered_at=NOON + MINUTE
    )
    await scene.commit(notifications=sent)
    ended = an_alert(state=AlertState.RESOLVED, since=NOON + 10 * MINUTE, **FIRING)
    await scene.commit(alerts=ended)
    scene.present = [ended, an_alert("another", alert="Another", state=AlertState.FIRING)]
    return scene


@pytest.mark.parametrize(
    ("at", "decided"),
    [
        (NOON - 2 * MINUTE, Decided.QUIET),
        (NOON - 1, Decided.PENDING),
        (NOON, Decided.FIRING),
        (NOON + 10 * MINUTE - 1, Decided.FIRING),
        (NOON + 10 * MINUTE, Decided.RESOLVED),
        (None, Decided.RESOLVED),
    ],
)
async def test_every_moment_that_is_kept_can_be_asked_for(scene: Scene, at: int | None, decided: Decided) -> None:
    told = await scene.explain().at("ProviderRateLimited", at)
    assert told.decision is decided
    assert told.at == (NOON + 60 * MINUTE if at is None else at)


async def test_what_the_rule_says_now_is_no_answer_about_the_past(scene: Scene) -> None:
    await scene.explain().at("ProviderRateLimited", NOON)
    assert scene.looked == []
    await scene.explain().at("ProviderRateLimited", None)
    assert scene.looked == ["ProviderRateLimited"]


async def test_a_message_counts_from_when_it_was_delivered(scene: Scene) -> None:
    explain = scene.explain()
    assert (await explain.at("ProviderRateLimited", NOON + MINUTE - 1)).not_notified_because is not None
    assert (await explain.at("ProviderRateLimited", NOON + MINUTE)).not_notified_because is None


async def test_a_silence_of_then_counts_though_it_has_ended(scene: Scene) -> None:
    await scene.commit(silences=a_silence(starts_at=NOON, ends_at=NOON + 30_000))
    told = await scene.explain().at("ProviderRateLimited", NOON + 20_000)
    assert "silenced by human:jo" in (told.not_notified_because or "")


async def test_the_future_is_refused(scene: Scene) -> None:
    with pytest.raises(Misuse, match="still to come"):
        await scene.explain().at("ProviderRateLimited", NOON + 60 * MINUTE + 1)


async def test_a_rule_that_is_off_is_said_to_be(scene: Scene) -> None:
    told = await scene.explain().at("IflowErrorRatio", None)
    assert told.because == ("the rule is off: `enabled: false`",)
