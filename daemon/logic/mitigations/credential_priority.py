"""`credential_priority`: the credential that fails is used last, while another one can serve; the gentlest rotation."""

from typing import Any, Literal

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.mitigation import Call
from daemon.logic.capabilities import FIELDS, PRIORITY, obstacle
from daemon.logic.credentials import AUTH_FILES, entry, replaceable
from daemon.logic.mitigation import About, Change


class CredentialPriority(MitigationOptions):
    """Puts the worst failing credential of the alert's provider below all that are well."""

    kind: Literal["credential_priority"] = "credential_priority"


OPTIONS = CredentialPriority

DEFAULT = 0
"""The priority of a credential that says none; written, it takes the field out of the file again."""

_PREFIX = "credential_priority:"


def plan(options: CredentialPriority, about: About) -> tuple[Change, ...]:
    """At most one at a time: the worst that is not last already."""
    for credential, rest in replaceable(about):
        last = min(one.priority or DEFAULT for one in rest) - 1
        if (credential.priority or DEFAULT) > last and not credential.disabled:
            against = obstacle(about.capabilities, "PATCH", FIELDS) or _unreadable(about)
            return (Change(target=_PREFIX + credential.name, choices=(last,), soft=False, obstacle=against),)
    return ()


def _unreadable(about: About) -> str:
    if PRIORITY not in about.capabilities.hidden or any(one.priority is not None for one in about.credentials):
        return ""
    return (
        "this upstream is not known to show a credential's priority, and what is written there could not be read back; "
        "one credential that shows one would prove it"
    )


def reaches(options: CredentialPriority, target: str) -> bool:
    """Any credential's."""
    return target.startswith(_PREFIX)


def reading(target: str) -> str:
    """The list of credentials."""
    return AUTH_FILES


def read(target: str, reply: Any) -> int:
    """The credential's priority; raises ValueError when it is not listed."""
    value = entry(reply, "name", target.removeprefix(_PREFIX)).get("priority")
    return value if isinstance(value, int) and not isinstance(value, bool) else DEFAULT


def writing(target: str, value: Any) -> Call:
    """One PATCH of one field of one credential."""
    return Call(method="PATCH", path=FIELDS, body={"name": target.removeprefix(_PREFIX), "priority": value})


def top_level(target: str) -> None:
    """It stands in the credential's own file."""


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"use {target.removeprefix(_PREFIX)} last (priority {value})"
