"""The credentials of an upstream in memory: as it lists them, and as a writing call changes them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from daemon.domain.credential import CredentialFile
from daemon.domain.mitigation import Call

AUTH_FILES = "auth-files"
PATHS = frozenset({"auth-files/status", "auth-files/fields", "reset-quota"})


def listed(files: Sequence[CredentialFile]) -> dict[str, Any]:
    """The reply of `auth-files`; what is not set is left out."""
    return {
        "files": [
            {
                "disabled": False,
                "unavailable": False,
                "provider": file.provider_key,
                **{name: value for name, value in asdict(file).items() if value is not None},
            }
            for file in files
        ]
    }


def changed(files: Sequence[CredentialFile], call: Call) -> tuple[CredentialFile, ...]:
    """The credentials after one of the calls of `PATHS`; raises LookupError when it names none of them."""
    name = call.body.get("name", call.body.get("auth_index"))
    if name not in {known for file in files for known in (file.name, file.auth_index)}:
        raise LookupError(name)
    return tuple(_changed(file, call) if name in (file.name, file.auth_index) else file for file in files)


def _changed(file: CredentialFile, call: Call) -> CredentialFile:
    if call.path == "reset-quota":
        return replace(file, unavailable=False)
    if call.path == "auth-files/status":
        return replace(file, disabled=call.body["disabled"])
    return replace(file, priority=call.body["priority"] or None)
