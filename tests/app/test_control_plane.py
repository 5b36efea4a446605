"""The control plane: it says of itself when its schedule stands still, and its mitigations can run its probes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.settings import Settings
from daemon.adapters.store import open_store, upgrade
from daemon.app.alerts_source import AlertsSource
from daemon.app.control_plane import ControlPlane
from daemon.app.places import Places
from daemon.app.shelf import scan
from tests.fakes.clock import FakeClock

MISSED_SECONDS = 30.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def plane(tmp_path: Path, clock: FakeClock) -> AsyncIterator[ControlPlane]:
    settings, places = Settings(state_dir=tmp_path, runtime_dir=tmp_path), Places(tmp_path, tmp_path)
    upgrade(settings.database_url_resolved, packaged("migrations"))
    store = open_store(settings.database_url_resolved)
    source = AlertsSource(settings, scan(), places.last_good_alerts, clock)
    plane = ControlPlane(settings, places, store, source, clock, "canary")
    yield plane
    await plane.stop()
    await store.close()


async def test_a_schedule_that_died_is_told_after_three_ticks(plane: ControlPlane, clock: FakeClock) -> None:
    assert plane.operations.stalled() is None  # before the first tick it boots
    await plane._tick()
    clock.advance(MISSED_SECONDS)
    assert plane.operations.stalled() is None
    clock.advance(0.1)
    assert plane.operations.stalled() == "the schedule stands still"
    await plane._tick()
    assert plane.operations.stalled() is None


async def test_a_release_can_run_every_probe(plane: ControlPlane) -> None:
    assert plane._mitigate._release.run_probe == plane._probing.run
