"""The page about testing rules: its examples are files that are run, and what it quotes is what they say and print."""

import re
from pathlib import Path

import pytest

from daemon.cli import main

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "testing-rules.md").read_text()
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))
ALERTS_FILES = [path for path in EXAMPLES if path.name.endswith("-alerts.yaml")]
FAILING = ["too-soon.yaml"]
PLAYED = [path for path in EXAMPLES if path not in ALERTS_FILES]
QUOTES = re.findall(r"<!-- (\S+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
PRINTED = re.findall(r"<!-- told of (\S+) -->\n```text\n(.*?)```", PAGE, re.DOTALL)
TOOK = re.compile(r"in \d+\.\d+s\)")


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: path.name)
def test_the_examples_hold_but_for_those_that_are_there_to_fail(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "test", str(path)]) == (path.name in FAILING), capsys.readouterr().out


@pytest.mark.parametrize("path", ALERTS_FILES, ids=lambda path: path.name)
def test_the_alerts_files_load(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path))
    assert main(["check", str(path)]) == 0


@pytest.mark.parametrize(("name", "quote"), QUOTES)
def test_what_the_page_quotes_is_what_the_file_says(name: str, quote: str) -> None:
    assert quote in (ROOT / name).read_text()


@pytest.mark.parametrize(("name", "printed"), PRINTED)
def test_what_the_page_shows_is_what_is_printed(
    name: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    main(["rules", "test", name])
    assert TOOK.sub("in 0.0s)", capsys.readouterr().out) == TOOK.sub("in 0.0s)", printed)


def test_the_page_quotes_files_and_shows_what_they_print() -> None:
    assert len(QUOTES) > 3
    assert sorted(name for name, _ in PRINTED) == ["docs/examples/storm.yaml", "docs/examples/too-soon.yaml"]


def test_the_page_names_every_key_of_the_language() -> None:
    from daemon.adapters.config.validating import fields_of
    from daemon.domain.expectation import TAKES
    from daemon.domain.rule_test import WHAT, Case, RuleTests

    keys = {*fields_of(RuleTests), *fields_of(Case), *TAKES, *WHAT}
    assert [key for key in sorted(keys) if key not in PAGE] == []
