"""The upstream's own counts: asked for seldom, and nothing is broken where they are not to be had."""

from typing import Any

from daemon.domain.errors import ManagementFailure
from daemon.engine.past import FRESH_SECONDS, UpstreamPast
from tests.fakes.clock import FakeClock
from tests.fakes.management import FakeManagement
from tests.logic.past import NOW, auth_files, buckets


class Counting(FakeManagement):
    """It counts per credential; of API keys only where it is told to."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.told: dict[str, Any] = {"auth-files": auth_files(codex=buckets((30, 2), (7, 1), now=NOW))}
        self.asked: list[str] = []

    async def read(self, path: str) -> Any:
        self.asked.append(path)
        if path not in self.told:
            raise ManagementFailure(f"{path}: 404", status=404)
        return self.told[path]


def figures(past: Any) -> list[tuple[str, int, int]]:
    return [(one.holder.provider_key, one.succeeded, one.failed) for one in past]


async def test_credentials_and_api_keys_are_counted_together_the_busiest_first() -> None:
    clock = FakeClock(NOW)
    management = Counting(clock)
    assert figures(await UpstreamPast(management, clock).lately()) == [("codex", 37, 3)]
    management.told["api-key-usage"] = {"claude": {"k1": {"recent_requests": buckets((90, 0), now=NOW)}}}
    assert figures(await UpstreamPast(management, clock).lately()) == [("claude", 90, 0), ("codex", 37, 3)]


async def test_it_is_asked_at_most_once_a_minute() -> None:
    clock = FakeClock(NOW)
    management = Counting(clock)
    past = UpstreamPast(management, clock)
    for _ in range(3):
        assert await past.lately()
    assert management.asked == ["auth-files", "api-key-usage"]
    clock.advance(FRESH_SECONDS)
    await past.lately()
    assert len(management.asked) == 4


async def test_without_a_key_or_an_answer_there_is_none() -> None:
    clock = FakeClock(NOW)
    silent = Counting(clock)
    silent.told.clear()
    assert await UpstreamPast(None, clock).lately() == ()
    assert await UpstreamPast(silent, clock).lately() == ()
