"""The control plane: it says of itself when its schedule stands still."""

from pathlib import Path

from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.settings import Settings
from daemon.adapters.store import open_store, upgrade
from daemon.app.alerts_source import AlertsSource
from daemon.app.control_plane import ControlPlane
from daemon.app.places import Places
from daemon.app.shelf import scan
from tests.fakes.clock import FakeClock

MISSED_SECONDS = 30.0


async def test_a_schedule_that_died_is_told_after_three_ticks(tmp_path: Path) -> None:
    clock = FakeClock()
    settings, places = Settings(state_dir=tmp_path, runtime_dir=tmp_path), Places(tmp_path, tmp_path)
    upgrade(settings.database_url_resolved, packaged("migrations"))
    store = open_store(settings.database_url_resolved)
    source = AlertsSource(settings, scan(), places.last_good_alerts, clock)
    plane = ControlPlane(settings, places, store, source, clock, "canary")
    assert plane.operations.stalled() is None  # before the first tick it boots
    await plane._tick()
    clock.advance(MISSED_SECONDS)
    assert plane.operations.stalled() is None
    clock.advance(0.1)
    assert plane.operations.stalled() == "the schedule stands still"
    await plane._tick()
    assert plane.operations.stalled() is None
    await plane.stop()
    await store.close()
