"""`model_alias`: our proxy sends a model's requests out as another model; soft, leased, ended by a canary."""

from typing import Any, Literal

from pydantic import Field

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.mitigation import Mitigation
from daemon.domain.soft_routing import SoftRoute
from daemon.logic.mitigation import About, Change
from daemon.logic.soft_options import Release


class ModelAlias(MitigationOptions):
    """Requests for `from` go out as the first model of `to` that is served."""

    kind: Literal["model_alias"] = "model_alias"
    from_: str = Field(alias="from")
    """The model that is out of order, with or without a `(suffix)`."""
    to: tuple[str, ...] = Field(min_length=1)
    """Models that may stand in, the best first."""
    release: Release = Release()
    """How we learn that the original path works again."""


OPTIONS = ModelAlias

_PREFIX = "model_alias:"


def plan(options: ModelAlias, about: About) -> tuple[Change, ...]:
    """One target: the model."""
    release = options.release.model_dump()
    return (Change(target=_PREFIX + options.from_, choices=options.to, soft=True, release=release),)


def reaches(options: ModelAlias, target: str) -> bool:
    """Its model's."""
    return target == _PREFIX + options.from_


def model_of(target: str) -> str:
    """The model that a target is about."""
    return target.removeprefix(_PREFIX)


def route(row: Mitigation, trickle_seconds: float | None) -> SoftRoute:
    """What the data plane is told while the row is applied."""
    return SoftRoute(
        mitigation_id=row.id,
        from_model=model_of(row.target),
        to_model=row.value_wanted,
        trickle_seconds=trickle_seconds,
    )


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"send {model_of(target)} out as {value}"
