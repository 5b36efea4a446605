"""`reset_quota`: the upstream forgets that a credential has to rest, though its vendor's quota is there again.

It clears what the upstream remembers, not what the vendor counts. There is nothing to give back: done is ended.
"""

from typing import Any, Literal

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.credential import CredentialFile
from daemon.domain.mitigation import Call, Effect
from daemon.logic.capabilities import RESET_QUOTA, obstacle
from daemon.logic.credentials import AUTH_FILES, entry
from daemon.logic.mitigation import About, Change


class ResetQuota(MitigationOptions):
    """Resets each credential of the alert's provider that fails, or that the upstream leaves alone."""

    kind: Literal["reset_quota"] = "reset_quota"


OPTIONS = ResetQuota

ONE_WAY = True

_PREFIX = "reset_quota:"


def plan(options: ResetQuota, about: About) -> tuple[Change, ...]:
    """One target per credential; a model that rests alone does not show, so that the failing ones are asked anyway."""
    standing = [one for one in about.credentials if one.provider_key == about.provider_key and _may_rest(one, about)]
    return tuple(
        Change(
            target=_PREFIX + one.auth_index,
            choices=(False,),
            soft=False,
            effect=Effect.UNKNOWN,
            obstacle=obstacle(about.capabilities, "POST", RESET_QUOTA),
        )
        for one in standing
    )


def _may_rest(credential: CredentialFile, about: About) -> bool:
    return not credential.disabled and (bool(credential.unavailable) or credential.name in about.failing)


def reaches(options: ResetQuota, target: str) -> bool:
    """Any credential's."""
    return target.startswith(_PREFIX)


def reading(target: str) -> str:
    """The list of credentials."""
    return AUTH_FILES


def read(target: str, reply: Any) -> bool:
    """Whether the upstream leaves all of the credential alone; raises ValueError when it is not listed."""
    return entry(reply, "auth_index", target.removeprefix(_PREFIX)).get("unavailable") is True


def writing(target: str, value: Any) -> Call:
    """One POST; there is none for the other direction."""
    return Call(method="POST", path=RESET_QUOTA, body={"auth_index": target.removeprefix(_PREFIX)})


def top_level(target: str) -> None:
    """It stands in the upstream's memory."""


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"make the upstream forget the cooldown of credential {target.removeprefix(_PREFIX)}"
