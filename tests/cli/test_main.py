"""The frame: quick help, exit codes, and one clear line for each mistake."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from daemon import cli
from daemon.domain.errors import CannotStart, ConfigError, Conflict, Mistake

HEAVY = ("sqlalchemy", "apprise", "starlette", "pydantic", "httptools", "httpx", "asyncio", "uvicorn", "jinja2")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("argv", [["--help"], ["healthcheck", "--help"], ["--version"], ["stauts"]])
def test_nothing_heavy_is_imported(argv: list[str]) -> None:
    done = python(f"import sys; from daemon.cli import main; main({argv}); print(*sys.modules, file=sys.stderr)")
    assert not set(HEAVY) & set(done.stderr.split())


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(
        f"  {name}  " in out.replace("   ", "  ").replace("   ", "  ") and says in out
        for name, says in cli.COMMANDS.items()
    )


def written() -> list[str]:
    directory = Path(cli.__file__).parent
    return [name for name in cli.COMMANDS if (directory / f"{name}.py").exists()]


@pytest.mark.parametrize("name", written())
def test_every_module_keeps_the_frame(name: str) -> None:
    module = import_module(f"daemon.cli.{name}")
    assert cli.COMMANDS[name] == module.HELP
    assert callable(module.run)
    assert cli.main([name, "--help"]) == 0


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["stauts"], 2, "runbookd: there is no command 'stauts'; did you mean 'status'?"),
        (["xyzzy"], 2, "runbookd: there is no command 'xyzzy'; runbookd --help lists them"),
        ([], 2, "usage: runbookd"),
        (["--frob"], 2, "unrecognized arguments: --frob"),
        (["events", "tail", "nonsense"], 2, "'nonsense' is not FIELD=VALUE"),
        (["mitigations", "revert"], 2, "name mitigations, or say --all"),
        (["mitigations", "revert", "fallback", "--all"], 2, "name mitigations, or say --all"),
    ],
)
def test_misuse_is_2_and_says_why(argv: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == code
    assert says in capsys.readouterr().err


def command_that_raises(error: BaseException) -> ModuleType:
    module = ModuleType("daemon.cli.check")

    def run(_: object) -> int:
        raise error

    vars(module).update(HELP="x", configure=lambda parser: None, run=run)
    return module


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (
            ConfigError([Mistake(source="a.yaml", line=8, column=5, message="no"), Mistake(source="b", message="nor")]),
            2,
            "a.yaml:8:5: no\nb: nor\n",
        ),
        (CannotStart("port 8319 is taken"), 3, "runbookd: port 8319 is taken\n"),
        (Conflict("it has ended"), 1, "runbookd: it has ended\n"),
        (KeyboardInterrupt(), 130, ""),
        (SystemExit(4), 4, ""),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, err: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "daemon.cli.check", command_that_raises(error))
    assert cli.main(["check"]) == code
    assert capsys.readouterr().err == err


def test_an_error_that_is_not_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "daemon.cli.check", command_that_raises(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["check"])


@pytest.mark.parametrize("argv", [["--config", "x.toml", "check"], ["check", "--config", "x.toml"]])
def test_config_stands_before_or_after_the_command(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    module = command_that_raises(AssertionError())
    vars(module)["run"] = lambda args: seen.append(args.config) or 0
    monkeypatch.setitem(sys.modules, "daemon.cli.check", module)
    assert cli.main(argv) == 0
    assert seen == [Path("x.toml")]


def test_a_reader_that_leaves_is_no_error() -> None:
    code = """
import sys, types
module = types.ModuleType("daemon.cli.check")
vars(module).update(HELP="x", configure=lambda p: None, run=lambda a: print("line\\n" * 100_000) or 0)
sys.modules["daemon.cli.check"] = module
from daemon.cli import main
sys.exit(main(["check"]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == cli.BROKEN_PIPE
