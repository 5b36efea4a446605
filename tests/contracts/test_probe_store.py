"""What every probe store promises."""

from typing import Any

from daemon.domain.probe import ProbeOutcome, ProbeResult, ProbeState
from daemon.domain.quota import QuotaReading

STATE = ProbeState(probe="log_scan", ran_at=5, day=1, requests=2, tokens=30, memory={"cursor": "c", "seen": [1, 2]})


def a_result(at: int, probe: str = "log_scan", **more: Any) -> ProbeResult:
    return ProbeResult(probe=probe, outcome=ProbeOutcome.BAD, reason="429, 7 times", emitted_at=at, **more)


def a_reading(at: int, **more: Any) -> QuotaReading:
    return QuotaReading(provider_key="codex", auth_index="a1", observed_at=at, source="auth_files", **more)


async def test_a_run_comes_back_whole_and_newest_first(any_store: Any) -> None:
    first, second = a_result(1, value=7.5, subject="codex"), a_result(2, probe="models")
    reading = a_reading(1, credential="a.json", model_id="gpt-5.5", quota_remaining=0.25, quota_exhausted=False)
    await any_store.probes.note(STATE, [first, second], [reading])
    await any_store.probes.note(STATE, [], [a_reading(3, usage_percentage=40.0, refresh_state="x", window_seconds=9.0)])
    assert list(await any_store.probes.states()) == [STATE]
    assert list(await any_store.probes.results()) == [second, first]
    assert list(await any_store.probes.results(probe="log_scan")) == [first]
    assert list(await any_store.probes.readings(1)) == [
        a_reading(3, usage_percentage=40.0, refresh_state="x", window_seconds=9.0)
    ]
    assert list(await any_store.probes.readings())[1] == reading


async def test_what_is_old_is_deleted_in_pieces(any_store: Any) -> None:
    await any_store.probes.note(STATE, [a_result(at) for at in range(5)], [a_reading(at) for at in range(3)])
    assert await any_store.probes.prune(4, 3) == 3
    assert [row.emitted_at for row in await any_store.probes.results()] == [4, 3]
    assert await any_store.probes.prune(4, 3) == 1
    assert [row.emitted_at for row in await any_store.probes.results()] == [4]
    assert list(await any_store.probes.readings()) == []
