"""`credential_disable`: the credential that fails is switched off, never the last healthy one; harder than demoting."""

from typing import Any, Literal

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.mitigation import Call
from daemon.logic.capabilities import STATUS, obstacle
from daemon.logic.credentials import AUTH_FILES, entry, replaceable
from daemon.logic.mitigation import About, Change


class CredentialDisable(MitigationOptions):
    """Switches the worst failing credential of the alert's provider off."""

    kind: Literal["credential_disable"] = "credential_disable"


OPTIONS = CredentialDisable

_PREFIX = "credential_disable:"


def plan(options: CredentialDisable, about: About) -> tuple[Change, ...]:
    """At most one at a time; one that would not be listed any more, once it is off, could not be read back."""
    for credential, _ in replaceable(about):
        if not credential.disabled and not credential.runtime_only:
            against = obstacle(about.capabilities, "PATCH", STATUS)
            return (Change(target=_PREFIX + credential.name, choices=(True,), soft=False, obstacle=against),)
    return ()


def reaches(options: CredentialDisable, target: str) -> bool:
    """Any credential's."""
    return target.startswith(_PREFIX)


def reading(target: str) -> str:
    """The list of credentials."""
    return AUTH_FILES


def read(target: str, reply: Any) -> bool:
    """Whether the credential is off; raises ValueError when it is not listed, or does not say so."""
    value = entry(reply, "name", name := target.removeprefix(_PREFIX)).get("disabled")
    if not isinstance(value, bool):
        raise ValueError(f"this upstream does not say whether {name} is disabled")
    return value


def writing(target: str, value: Any) -> Call:
    """One PATCH of one credential."""
    return Call(method="PATCH", path=STATUS, body={"name": target.removeprefix(_PREFIX), "disabled": value})


def top_level(target: str) -> None:
    """It stands in the credential's own file."""


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"switch {target.removeprefix(_PREFIX)} {'off' if value else 'on'}"
