"""What a shell is told so that a client finds the proxy: lines that it runs, and comments for what it cannot say."""

import shlex
from collections.abc import Callable, Iterator, Sequence

from daemon.logic.client_env import ClientSetup

Quote = Callable[[str], str]


def _fish(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _powershell(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


_FORMS: dict[str, tuple[str, str, Quote]] = {
    "sh": ("export {name}={value}", '"${{{name}}}"', shlex.quote),
    "fish": ("set -gx {name} {value}", "${name}", _fish),
    "powershell": ("$env:{name} = {value}", "$env:{name}", _powershell),
}
SHELLS = ("sh", "bash", "zsh", "fish", "powershell")


def shell_lines(shell: str, setups: Sequence[ClientSetup], key: str) -> list[str]:
    """Of all setups, each variable once; the key is read from the variable `key` when the lines are run."""
    assign, read, quote = _FORMS.get(shell, _FORMS["sh"])
    values = {name: quote(value) for one in setups for name, value in one.environment.items()}
    keys = {one.keys[0]: read.format(name=key) for one in setups if one.keys and one.keys[0] != key}
    lines = [assign.format(name=name, value=value) for name, value in {**values, **keys}.items()]
    return [*lines, *(f"# {line}" for one in setups for line in _by_hand(one, quote))]


def _by_hand(setup: ClientSetup, quote: Quote) -> Iterator[str]:
    """What the environment cannot do for it."""
    if setup.arguments:
        yield f"{setup.family}: put behind its name: {' '.join(map(quote, setup.arguments))}"
    for file, text in setup.files.items():
        yield f"{setup.family}: {'or ' if setup.is_told_at_start else ''}write into {file}:"
        yield from (f"    {line}" for line in text.splitlines())
    yield from (f"{setup.family}: {note}" for note in setup.notes)


def shell_named(path: str) -> str:
    """By the path of a login shell; `sh` where it is not known."""
    name = path.rpartition("/")[2]
    return name if name in SHELLS else "sh"
