"""`upstream_toggle`: boolean settings of the upstream, journaled, read back, and restored by compare-and-set."""

from typing import Any, Literal

from pydantic import Field

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.mitigation import Call, Effect
from daemon.logic.capabilities import obstacle
from daemon.logic.mitigation import About, Change


class UpstreamToggle(MitigationOptions):
    """Sets upstream settings, by dotted name, while the alert fires."""

    kind: Literal["upstream_toggle"] = "upstream_toggle"
    set: dict[str, bool] = Field(min_length=1)
    """Settings by dotted name, and what they shall be."""


OPTIONS = UpstreamToggle

_PREFIX = "upstream:"


def plan(options: UpstreamToggle, about: About) -> tuple[Change, ...]:
    """One target per setting: each has its own row in the journal."""
    return tuple(_change(options, about, name, value) for name, value in options.set.items())


def _change(options: UpstreamToggle, about: About, name: str, value: bool) -> Change:
    is_inert = name in about.capabilities.inert
    return Change(
        target=_PREFIX + name,
        choices=(value,),
        soft=False,
        effect=Effect.NO_EFFECT_KNOWN if is_inert else Effect.UNKNOWN,
        inert=is_inert and not options.even_if_inert,
        obstacle=obstacle(about.capabilities, "PUT", reading(_PREFIX + name)),
    )


def reaches(options: UpstreamToggle, target: str) -> bool:
    """Its settings'."""
    return target.removeprefix(_PREFIX) in options.set


def reading(target: str) -> str:
    """Where the management API keeps the setting: `quota-exceeded/switch-project`."""
    return target.removeprefix(_PREFIX).replace(".", "/")


def read(target: str, reply: Any) -> bool:
    """The setting's value; raises ValueError when the reply does not have it as a boolean."""
    value = reply.get(reading(target).rpartition("/")[2]) if isinstance(reply, dict) else None
    if not isinstance(value, bool):
        raise ValueError(f"{target.removeprefix(_PREFIX)} is not a boolean setting of this upstream")
    return value


def writing(target: str, value: Any) -> Call:
    """One PUT."""
    return Call(method="PUT", path=reading(target), body={"value": value})


def top_level(target: str) -> str:
    """The key of the upstream's config that the setting stands under."""
    return reading(target).partition("/")[0]


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"set {target.removeprefix(_PREFIX)} to {str(value).lower()}"
