"""`reroute`: our proxy sends some requests to another model, or out with another prefix; soft, leased."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from daemon.domain.mitigation import Effect, Mitigation
from daemon.domain.soft_routing import SoftRoute
from daemon.logic.mitigation import About, Change
from daemon.logic.soft_options import ANY, Release, Scoped, scoped, what


class Reroute(Scoped):
    """The requests go out as `to_model`, or with `to_prefix` and the model that they asked for.

    Its target is `reroute:` and which requests, such as `reroute:iflow/* workload=nightly`.
    """

    kind: Literal["reroute"] = "reroute"
    to_model: str | None = Field(None, min_length=1)
    """The model that stands in, with its prefix if it has one."""
    to_prefix: str | None = Field(None, min_length=1, pattern="^[^/]+$")
    """The prefix that stands in."""
    release: Release = Release()
    """How we learn that the original path works again."""

    @model_validator(mode="after")
    def _leads_elsewhere(self) -> Self:
        if (self.to_model is None) is (self.to_prefix is None):
            raise ValueError("leads to one of both: say to_model or to_prefix")
        if self.to_prefix == self.prefix and self.to_prefix is not None:
            raise ValueError("leads to where the requests go already")
        if self.to_model is not None and self.to_model in (self.model, what(self)):
            raise ValueError("leads to where the requests go already")
        return self


OPTIONS = Reroute

_PREFIX = "reroute:"


def plan(options: Reroute, about: About) -> tuple[Change, ...]:
    """One target; whether what stands in is served is seen by its first answers."""
    wanted = options.to_model or f"{options.to_prefix}/{ANY}"
    release = options.release.model_dump()
    target = _PREFIX + what(options)
    return (Change(target=target, choices=(wanted,), soft=True, effect=Effect.UNVERIFIED, release=release),)


def reaches(options: Reroute, target: str) -> bool:
    """That of its requests."""
    return target == _PREFIX + what(options)


def route(row: Mitigation, trickle_seconds: float | None) -> SoftRoute:
    """What the data plane is told while the row is applied."""
    wanted = str(row.value_wanted)
    is_prefix = wanted.endswith("/" + ANY)
    leading = SoftRoute(
        mitigation_id=row.id,
        kind="reroute",
        to_model="" if is_prefix else wanted,
        to_prefix=wanted.removesuffix("/" + ANY) if is_prefix else "",
        trickle_seconds=trickle_seconds,
    )
    return scoped(leading, row.target.removeprefix(_PREFIX))


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"send {target.removeprefix(_PREFIX)} out as {value}"
