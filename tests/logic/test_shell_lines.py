"""What a shell is told, in its own words; `sh` itself has to understand them."""

import subprocess
from collections.abc import Sequence

import pytest

from daemon.logic.client_env import FAMILIES, ClientSetup, client_setup
from daemon.logic.shell_lines import shell_lines, shell_named

ODD = ClientSetup(family="odd", base_url="", environment={"ODD": "it's $HOME \\ x"}, keys=("ODD_KEY", "OTHER"))


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("bash", ["export ODD='it'\"'\"'s $HOME \\ x'", 'export ODD_KEY="${MY_KEY}"']),
        ("fish", ["set -gx ODD 'it\\'s $HOME \\\\ x'", "set -gx ODD_KEY $MY_KEY"]),
        ("powershell", ["$env:ODD = 'it''s $HOME \\ x'", "$env:ODD_KEY = $env:MY_KEY"]),
    ],
)
def test_values_are_quoted_as_the_shell_wants_it(shell: str, expected: Sequence[str]) -> None:
    assert shell_lines(shell, [ODD], "MY_KEY") == expected


def test_sh_comes_to_the_same_values() -> None:
    setups = [ODD, *(client_setup(family, "http://127.0.0.1:1", "MY_KEY") for family in FAMILIES)]
    script = "\n".join([*shell_lines("sh", setups, "MY_KEY"), 'printf "%s|%s|%s" "$ODD" "$ODD_KEY" "$AMP_URL"'])
    ran = subprocess.run(["/bin/sh", "-eu", "-c", script], env={"MY_KEY": "k e'y"}, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("it's $HOME \\ x|k e'y|http://127.0.0.1:1", "")


def test_what_the_environment_cannot_do_is_a_comment() -> None:
    lines = shell_lines("sh", [client_setup(one, "http://h:1", "MY_KEY") for one in ("codex", "llm")], "MY_KEY")
    assert all(line.startswith("# ") for line in lines)
    assert any("put behind its name: -c" in line for line in lines)
    assert any("llm: write into extra-openai-models.yaml" in line for line in lines)


def test_a_variable_that_holds_the_key_already_is_not_set_to_itself() -> None:
    assert shell_lines("sh", [ODD], "ODD_KEY")[1:] == []


@pytest.mark.parametrize(("path", "shell"), [("/usr/bin/fish", "fish"), ("/bin/zsh", "zsh"), ("", "sh"), ("nu", "sh")])
def test_a_login_shell_is_known_by_its_path(path: str, shell: str) -> None:
    assert shell_named(path) == shell
