"""What `runbookd env` prints, and what `runbookd exec` refuses before it looks at anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli import main


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("RUNBOOKD_TEST_POSTGRES", raising=False)  # a setting of the tests, not of ours
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("RUNBOOKD_PROXY_PORT", "9318")
    for name in ("OPENAI_API_KEY", "AMP_API_KEY", "PROXY_CLIENT_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_one_client_gets_its_own_lines_and_no_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "a-key-that-is-secret")
    assert main(["env", "fish", "--client", "amp", "--key-from", "MINE"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "# MINE holds your client key: one of the upstream's api-keys.",
        "set -gx AMP_URL 'http://127.0.0.1:9318'",
        "set -gx AMP_API_KEY $MINE",
        "# amp: Amp reads AMP_URL; OPENAI_API_BASE has no effect on it",
    ]


def test_the_shell_is_that_of_whoever_asks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert main(["env", "--client", "openai-sdk"]) == 0
    assert "set -gx OPENAI_BASE_URL 'http://127.0.0.1:9318/v1'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["exec"], 2, "exec wants a command"),
        (["exec", "--", "amp"], 2, "there is no key: set PROXY_CLIENT_KEY"),
        (["exec", "--key-from", "MINE", "--", "amp"], 2, "MINE is not set"),
        (["exec", "--key-from", "PATH", "--", "llm"], 2, "llm cannot be pointed anywhere at its start"),
        (["exec", "--key-from", "PATH", "--", "amp"], 1, "does not answer at http://127.0.0.1:9318"),
        (["exec", "--key-from", "PATH", "--no-verify", "--", "there-is-no-such"], 3, "cannot be started"),
    ],
)
def test_nothing_is_started_that_would_not_come_through(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_command_becomes_the_client_with_what_its_family_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "codex"
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$PROXY_CLIENT_KEY" "$@"\nexit 7\n')
    script.chmod(0o700)
    monkeypatch.setenv("MINE", "a-key")
    words = ["exec", "--key-from", "MINE", "--no-verify", "--", str(script), "exec", "--", "say hello"]
    ran = subprocess.run([sys.executable, "-m", "daemon", *words], capture_output=True, text=True)
    key, *arguments = ran.stdout.splitlines()
    assert (ran.returncode, key, ran.stderr) == (7, "a-key", "")
    assert 'model_providers.runbookd.base_url="http://127.0.0.1:9318/v1"' in arguments
    assert arguments[-3:] == ["exec", "--", "say hello"]
