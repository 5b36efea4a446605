"""The systemd unit: what it promises, and what systemd itself thinks of it."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from daemon.adapters.config.settings import SECRETS

UNIT = Path(__file__).parent.parent / "systemd" / "runbookd.service"


def values(key: str) -> list[str]:
    lines = UNIT.read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def test_it_starts_reloads_and_cleans_up() -> None:
    assert values("Type") == ["notify"]
    assert values("ExecStart") == ["runbookd run"]
    assert values("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert values("ExecStopPost") == ["-runbookd mitigations revert --all --if-owned"]


def test_open_streams_have_their_time_to_end() -> None:
    proxy_drain_default_seconds = 300
    assert int(values("TimeoutStopSec")[0]) >= proxy_drain_default_seconds + 30


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
    verify = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (verify.returncode, verify.stderr) == (0, "")
    score = ["systemd-analyze", "security", "--offline=true", "--threshold=20", here]
    assert subprocess.run(score, capture_output=True, check=False).returncode == 0
