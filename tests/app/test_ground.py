"""What can be seen of an installation without its control plane."""

import os
from pathlib import Path

import pytest

from daemon.adapters.config.settings import Settings, load_settings
from daemon.app.ground import knock, see
from daemon.app.places import Places
from daemon.app.secrets import secret_file
from tests.cli.test_healthcheck import answering


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Nobody listens at any of these ports."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    environ = {
        "HOME": str(tmp_path),
        "RUNBOOKD_STATE_DIR": str(tmp_path / "state"),
        "RUNBOOKD_RUNTIME_DIR": str(tmp_path / "run"),
        "RUNBOOKD_SECRETS_DIR": str(tmp_path / "secrets"),
        "RUNBOOKD_UPSTREAM_URL": "http://127.0.0.1:3",
        "RUNBOOKD_PROXY_PORT": "1",
        "RUNBOOKD_CONTROL_PORT": "2",
    }
    return load_settings(environ=environ)


def test_where_nothing_has_run_nothing_is_wrong_with_files(settings: Settings) -> None:
    seen = see(settings, "nobody answers")
    assert (seen.has_state, seen.loose, seen.mistakes, seen.proxy, seen.control_runs) == (False, (), (), None, False)
    assert (seen.deaf, seen.receivers) == (("operators",), 1)
    assert seen.rules >= 17
    assert not any("receiver" in warning for warning in seen.warnings)
    assert seen.knock is not None
    assert (seen.knock.status, seen.knock.error) == (None, "no answer (ConnectError)")


def test_what_others_may_read_is_named_with_its_mode(settings: Settings) -> None:
    places = Places(settings.state_dir, settings.runtime_dir)
    for directory in (places.state, places.runtime, places.spool):
        directory.mkdir(mode=0o700)
    secret_file(places.token)
    assert see(settings, "").loose == ()
    places.token.chmod(0o640)
    places.runtime.chmod(0o755)
    (secret := settings.state_dir.parent / "secrets" / "notify_urls").touch(mode=0o604)
    (places.spool / "worker-0.db").touch()
    (places.spool / "worker-0.db").chmod(0o660)
    (places.runtime / "leads-away").symlink_to("/nowhere")
    assert set(see(settings, "").loose) == {
        f"{places.token} (0640)",
        f"{places.runtime} (0755)",
        f"{secret} (0604)",
        f"{places.spool / 'worker-0.db'} (0660)",
    }


def test_what_systemd_hands_over_is_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.secrets_dir is not None
    (settings.secrets_dir / "notify_urls").touch(mode=0o644)
    assert len(see(settings, "").loose) == 1
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(settings.secrets_dir))
    assert see(settings, "").loose == ()


def test_a_broken_alerts_file_is_told_of(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / ".config/runbookd").mkdir(parents=True)
    (tmp_path / ".config/runbookd/alerts.yaml").write_text("version: 1\nrulez: []\n")
    (mistake,) = see(settings, "").mistakes
    assert "rulez" in mistake


def test_where_the_control_plane_tells_the_upstream_is_left_to_it(settings: Settings) -> None:
    assert see(settings, "").knock is None


def test_an_upstream_is_known_by_its_front_page() -> None:
    with answering(200, b'{"message": "CLI Proxy API Server"}', date=True) as port:
        found = knock(f"http://127.0.0.1:{port}")
    assert (found.status, found.says) == (200, "CLI Proxy API Server")
    assert found.clock is not None
    assert abs(found.clock - found.asked_at) < 5000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_we_may_not_look_into_is_passed_over(settings: Settings) -> None:
    settings.state_dir.mkdir(mode=0o000)
    assert see(settings, "").loose == ()
