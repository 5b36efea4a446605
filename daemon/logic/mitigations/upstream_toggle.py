"""`upstream_toggle`: boolean settings of the upstream, journaled, read back, and restored by compare-and-set."""

from typing import Any, Literal

from pydantic import Field

from daemon.domain.alerts_config import MitigationOptions, Strict
from daemon.domain.mitigation import Call, Effect
from daemon.domain.units import Duration
from daemon.logic.mitigation import About, Change


class Verify(Strict):
    """Compare before and after, so long after the change."""

    within: Duration


class UpstreamToggle(MitigationOptions):
    """Sets upstream settings, by dotted name, while the alert fires."""

    kind: Literal["upstream_toggle"] = "upstream_toggle"
    set: dict[str, bool] = Field(min_length=1)
    verify: Verify | Literal["none"] = "none"
    even_if_inert: bool = False
    """Write a setting that this upstream is known to ignore."""


OPTIONS = UpstreamToggle

INERT = frozenset({"quota-exceeded.switch-project", "quota-exceeded.switch-preview-model"})
"""Settings that today's builds keep, show and never look at."""

_PREFIX = "upstream:"


def plan(options: UpstreamToggle, about: About) -> tuple[Change, ...]:
    """One target per setting: each has its own row in the journal."""
    return tuple(_change(options, name, value) for name, value in options.set.items())


def _change(options: UpstreamToggle, name: str, value: bool) -> Change:
    return Change(
        target=_PREFIX + name,
        choices=(value,),
        soft=False,
        effect=Effect.NO_EFFECT_KNOWN if name in INERT else Effect.UNKNOWN,
        inert=name in INERT and not options.even_if_inert,
        verify={} if options.verify == "none" else options.verify.model_dump(),
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
