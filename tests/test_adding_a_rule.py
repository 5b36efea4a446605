"""The page about adding a rule kind: its file, put on the shelf as it stands there, is a kind like any other."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "adding-a-rule.md").read_text()
MOST_LINES = 60

ON_THE_SHELF = """
import sys
import daemon.logic.rules
daemon.logic.rules.__path__.append(sys.argv[1])
"""
"""In a process of its own: other tests have the shelf as it is."""

COMMAND = f"""{ON_THE_SHELF}
from daemon.cli import main
sys.exit(main(sys.argv[2:]))
"""

PLAYED = f"""{ON_THE_SHELF}
import json
from daemon.app.shelf import scan
from daemon.domain.alerts_config import AlertsConfig
from daemon.logic.judging import Book
from tests.logic.playing import Play

rule = scan().rules["flood"].model_validate(
    {{
        "alert": "ClientFlood",
        "kind": "flood",
        "by": ["client_key_id"],
        "window": "1m",
        "keep_firing_for": "0s",
        "levels": {{"warning": {{"more_than": 60}}, "critical": {{"more_than": 120}}}},
    }}
)
play, seen = Play(Book(AlertsConfig(rules=(rule,)))), []
for per_second in (1.0, 1.5, 3.0, 0.8, 0.0):
    play.traffic(120, per_second=per_second, client_key_id="5f2c")
    seen.append(play.severities)
told = [alert.summary for _, alert in play.changed if alert.is_firing]
print(json.dumps({{"seen": seen, "told": told, "errors": len(play.errors)}}))
"""


def block(language: str) -> str:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return found[0]


def call(program: str, *argv: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *map(str, argv)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shelf")
    (place / "flood.py").write_text(block("python"))
    return place


def test_it_is_one_short_file() -> None:
    assert len(block("python").splitlines()) <= MOST_LINES


def test_no_such_kind_is_shipped() -> None:
    assert not (ROOT / "daemon" / "logic" / "rules" / "flood.py").exists()


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ("kind: flood", 0, "good: 1 rule"),
        ("kind: flod", 2, "'flod' is not a rule kind; did you mean 'flood'?"),
        ("kind: flood\n    more_than: 3", 2, "rules[0].more_than: is not known here"),
    ],
)
def test_check_knows_the_kind_and_its_options(shelf: Path, tmp_path: Path, written: str, code: int, said: str) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text("version: 1\n" + block("yaml").replace("kind: flood", written))
    done = call(COMMAND, shelf, "check", file)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


def test_check_tells_of_limits_that_the_kind_sets(shelf: Path, tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text("version: 1\n" + block("yaml").replace("more_than: 300", "more_than: 0"))
    assert "rules[0].levels.warning.more_than: should be above 0" in call(COMMAND, shelf, "check", file).stderr


def test_its_page_needs_nothing_else(shelf: Path) -> None:
    found = json.loads(call(COMMAND, shelf, "rules", "kinds", "flood", "--json").stdout)
    assert found["says"].startswith("More turns in a window than anybody needs")
    assert [option["name"] for option in found["options"]] == ["window"]
    assert all(option["meaning"] for option in found["options"] + found["level_options"])


def test_its_example_loads(shelf: Path, tmp_path: Path) -> None:
    found = json.loads(call(COMMAND, shelf, "rules", "kinds", "flood", "--json").stdout)
    file = tmp_path / "alerts.yaml"
    file.write_text(f"version: 1\nrules:\n{found['example']}")
    assert call(COMMAND, shelf, "check", file).returncode == 0


def test_a_book_raises_and_clears_by_it(shelf: Path) -> None:
    done = call(PLAYED, shelf)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seen"] == [[], ["warning"], ["critical", "warning"], ["warning"], []]
    assert found["told"][0] == "ClientFlood: 61 turns in 1m"
    assert found["errors"] == 0
