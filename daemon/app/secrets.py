"""Secrets of this installation, made once and kept in the state directory."""

import os
import secrets
import time
from pathlib import Path

_BEING_WRITTEN_SECONDS = 1.0


def secret_file(path: Path) -> bytes:
    """The secret in a file, made (64 hex digits, mode 0600) when there is none. Raises OSError.

    Several processes may ask for it at the same time: only one of them makes it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    secret = secrets.token_hex(32).encode()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def _read(path: Path) -> bytes:
    """Waits a moment for the process that has just created it."""
    deadline = time.monotonic() + _BEING_WRITTEN_SECONDS
    while not (secret := path.read_bytes().strip()):
        if time.monotonic() > deadline:
            raise OSError(f"{path} is empty; delete it, and a new one will be made")
        time.sleep(0.01)
    return secret
