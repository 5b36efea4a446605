"""The control plane around silences: what was committed before a kill holds after it, for readers and for messages."""

from dataclasses import replace
from pathlib import Path

from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.settings import Settings
from daemon.adapters.store import open_store, upgrade
from daemon.app.alerts_source import AlertsSource
from daemon.app.control_plane import ControlPlane
from daemon.app.places import Places
from daemon.app.shelf import scan
from daemon.domain.alert import AlertState, EpisodeChange, EpisodeStep, Severity
from daemon.domain.audit import EVERYTHING
from daemon.domain.decision import Decision
from tests.fakes.clock import FakeClock
from tests.logic.timeline import an_alert


def a_plane(path: Path, clock: FakeClock) -> ControlPlane:
    settings, places = Settings(state_dir=path, runtime_dir=path), Places(path, path)
    upgrade(settings.database_url_resolved, packaged("migrations"))
    store = open_store(settings.database_url_resolved)
    return ControlPlane(
        settings, places, store, AlertsSource(settings, scan(), places.last_good_alerts, clock), clock, "canary"
    )


async def take_up(plane: ControlPlane) -> None:
    """As much of the start as reads the ledger."""
    plane._evaluate.remember(await plane._store.ledger.alerts(), ())
    await plane._silences.load()
    await plane._dispatch.load()


async def test_killed_after_it_was_told_a_silence_and_an_acknowledgement_hold(tmp_path: Path) -> None:
    clock = FakeClock()
    killed = a_plane(tmp_path, clock)
    now = clock.now()
    alert = replace(an_alert("A", Severity.WARNING), state=AlertState.FIRING, since=now, fired_at=now)
    step = EpisodeStep(
        change=EpisodeChange.OPENED, episode=alert.episode, at=now, before=None, after=alert.severity, alert=alert
    )
    await killed._core.desk.commit(Decision(alerts=(alert,), notifications=killed._dispatch.plan([step], now)))
    silence = await killed.operations.silence({"alert": "A"}, seconds=3600.0, actor="human:jo")
    await killed.operations.acknowledge("A", "human:al")

    plane = a_plane(tmp_path, clock)
    await take_up(plane)
    assert list(await plane.operations.silences()) == [silence]
    (seen,) = await plane.operations.alerts()
    assert (seen.acknowledged_by, seen.silenced, seen.muted_by[:14]) == ("al", True, "silenced by jo")
    assert plane._dispatch._outbox.errands() == []
    await plane.operations.expire_silence(silence.id, "human:jo")
    assert len(plane._dispatch._outbox.errands()) == 1
    assert [entry.action for entry in await plane.operations.audit(10, EVERYTHING)] == [
        "expire",
        "acknowledge",
        "silence",
    ]
    for one in (plane, killed):
        await one.stop()
        await one._store.close()
