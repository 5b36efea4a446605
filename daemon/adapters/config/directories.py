"""Where things lie unless settings say otherwise: systemd's directories, else those of the user (XDG)."""

import os
from collections.abc import Mapping
from pathlib import Path


def secrets_dir(environ: Mapping[str, str]) -> str | None:
    """systemd's credentials."""
    return environ.get("CREDENTIALS_DIRECTORY") or None


def state_dir(environ: Mapping[str, str]) -> str:
    """`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/runbookd`, else `~/.local/state/runbookd`."""
    return (
        _given("STATE_DIRECTORY", environ)
        or f"{_xdg('XDG_STATE_HOME', environ) or _home(environ, '.local/state')}/runbookd"
    )


def runtime_dir(environ: Mapping[str, str], state: str) -> str:
    """`$RUNTIME_DIRECTORY`, else `$XDG_RUNTIME_DIR/runbookd`, else the state directory."""
    session = _xdg("XDG_RUNTIME_DIR", environ)
    return _given("RUNTIME_DIRECTORY", environ) or (f"{session}/runbookd" if session else state)


def config_dirs(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where files of settings and rules may stand, best first."""
    directories = (
        _given("CONFIGURATION_DIRECTORY", environ),
        f"{_xdg('XDG_CONFIG_HOME', environ) or _home(environ, '.config')}/runbookd",
    )
    return tuple(Path(directory).expanduser() for directory in directories if directory)


def alerts_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where an alerts file may stand, best first."""
    return tuple(directory / "alerts.yaml" for directory in config_dirs(environ))


def settings_file(environ: Mapping[str, str]) -> Path | None:
    """The first `runbookd.toml` that there is."""
    files = (directory / "runbookd.toml" for directory in config_dirs(environ))
    return next((file for file in files if os.path.lexists(file)), None)


def _given(name: str, environ: Mapping[str, str]) -> str | None:
    """systemd separates several directories by colons."""
    return environ.get(name, "").split(":")[0] or None


def _xdg(name: str, environ: Mapping[str, str]) -> str | None:
    """A relative path is to be ignored, says the specification."""
    value = environ.get(name, "")
    return value if value.startswith("/") else None


def _home(environ: Mapping[str, str], below: str) -> str:
    return f"{environ.get('HOME') or '~'}/{below}"
