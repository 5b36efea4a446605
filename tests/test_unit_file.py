"""The systemd units: what they promise, and what systemd itself thinks of them."""

import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from daemon.adapters.config.settings import SECRETS, Settings
from daemon.app.serving import BACKLOG
from daemon.app.supervisor import GRACE_SECONDS

UNIT = Path(__file__).parent.parent / "systemd" / "runbookd.service"
SOCKET = UNIT.with_suffix(".socket")


def values(key: str, unit: Path = UNIT) -> list[str]:
    lines = unit.read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def test_it_starts_reloads_and_cleans_up() -> None:
    assert values("Type") == ["notify"]
    assert values("ExecStart") == ["runbookd run"]
    assert values("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert values("ExecStopPost") == ["-runbookd mitigations revert --all --if-owned"]


def test_open_streams_have_their_time_to_end() -> None:
    drain_seconds = default("proxy_drain")
    assert drain_seconds == 300
    assert (
        int(values("TimeoutStopSec")[0]) > drain_seconds + 2 * GRACE_SECONDS
    )  # the proxies', then the control plane's


def test_the_socket_is_the_proxys_port_and_queues_as_we_do() -> None:
    assert values("ListenStream", SOCKET) == [f"{default('proxy_host')}:{default('proxy_port')}"]
    assert values("Backlog", SOCKET) == [str(BACKLOG)]
    assert values("FileDescriptorName", SOCKET) == ["proxy"]


def test_the_service_works_without_the_socket() -> None:
    """What has its name is handed over by itself; whatever ties it more closely would make it needed."""
    assert not [key for key in ("Requires", "Sockets", "BindsTo", "Requisite") if values(key)]


def default(setting: str) -> Any:
    return Settings.model_fields[setting].default


@pytest.mark.parametrize("key", ["StateDirectory", "RuntimeDirectory", "ConfigurationDirectory"])
def test_its_directories_are_made_for_it(key: str) -> None:
    assert values(key) == ["runbookd"]


def test_secrets_are_credentials_that_may_be_absent() -> None:
    credentials = dict(value.split(":") for value in values("LoadCredential"))
    assert set(credentials) == set(SECRETS)
    assert not [path for path in credentials.values() if path.startswith("/")]  # an absolute path must exist


@pytest.mark.skipif(which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_no_fault_and_a_tight_sandbox(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("=runbookd ", "=/bin/true ").replace("-runbookd ", "-/bin/true "))
    socket = tmp_path / SOCKET.name
    socket.write_text(SOCKET.read_text())
    verify = subprocess.run(["systemd-analyze", "verify", here, socket], capture_output=True, text=True, check=False)
    assert (verify.returncode, verify.stderr) == (0, "")
    score = ["systemd-analyze", "security", "--offline=true", "--threshold=20", here]
    assert subprocess.run(score, capture_output=True, check=False).returncode == 0
