"""The wheel: what it carries, and that it works away from the checkout."""

import json
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with nothing in it but what the wheel holds."""
    built, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True)
    with ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(target)
    return target


def outside(installed: Path, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in an empty directory, with the wheel's `daemon` before the checkout's and no settings at all."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNBOOKD_", "XDG_"))}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-P", *command], cwd=home, env=environment, capture_output=True, text=True, check=False
    )


def files(directory: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.glob(pattern) if path.is_file()}


@pytest.mark.parametrize(
    "pattern",
    ["**/*.py", "adapters/config/*.yaml", "adapters/web/templates/*.html", "adapters/web/static/*"],
    ids=["code", "rules", "pages", "static"],
)
def test_it_carries_the_whole_package(installed: Path, pattern: str) -> None:
    ours = files(ROOT / "daemon", pattern)
    assert ours
    assert ours <= files(installed / "daemon", pattern)


def test_it_carries_the_shipped_rules_and_the_migrations(installed: Path) -> None:
    data = installed / "daemon" / "_data"
    for name in ("alerts.yaml", "docs/runbook.md"):
        assert (data / name).read_bytes() == (ROOT / name).read_bytes()
    migrations = files(ROOT / "migrations", "**/*.py") | {"script.py.mako"}
    assert migrations <= files(data / "migrations", "**/*")


def test_it_carries_nothing_else(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {"daemon"}


def test_it_installs_the_command(installed: Path) -> None:
    points = ConfigParser()
    points.read(next(installed.glob("*.dist-info/entry_points.txt")))
    assert dict(points["console_scripts"]) == {"runbookd": "daemon.cli:main"}


def test_its_code_runs_and_not_the_checkouts(installed: Path, tmp_path: Path) -> None:
    found = outside(installed, tmp_path, "-c", "import daemon; print(daemon.__file__)")
    assert Path(found.stdout.strip()).is_relative_to(installed)


def test_it_says_its_version(installed: Path, tmp_path: Path) -> None:
    said = outside(installed, tmp_path, "-m", "daemon", "--version")
    assert (said.returncode, said.stdout) == (0, f"runbookd {_version(installed)}\n")


def test_it_finds_its_shipped_rules(installed: Path, tmp_path: Path) -> None:
    checked = outside(installed, tmp_path, "-m", "daemon", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert files(tmp_path, "**/*") == set()  # looking at the settings makes no state


def test_it_plays_the_demo_to_its_end(installed: Path, tmp_path: Path) -> None:
    played = outside(installed, tmp_path, "-m", "daemon", "demo", "--json")
    assert played.returncode == 0, played.stdout + played.stderr
    told = json.loads(played.stdout)
    assert told["ok"]
    assert {"firing", "message", "fallback", "lifted", "switched", "restored", "resolved"} <= {
        step["name"] for step in told["steps"]
    }


def _version(installed: Path) -> str:
    return next(installed.glob("*.dist-info")).name.removeprefix("runbookd-").removesuffix(".dist-info")
