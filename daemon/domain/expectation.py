"""Expectations as types: what has to come of an example. Instants are spans from the beginning of its case."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from daemon.domain.alert import Severity
from daemon.domain.alerts_config import Strict
from daemon.domain.mitigation import MitigationState
from daemon.domain.units import Duration


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One text, or several of which each has to be there."""


class Counted(Strict):
    """How many messages a receiver gets."""

    to: str
    between: tuple[int, int] | None = None
    equals: int | None = Field(None, ge=0)
    alert: str | None = None
    """Only those about this alert."""
    title: str | None = None
    """Only those whose title has these words."""

    @model_validator(mode="after")
    def _is_a_number(self) -> "Counted":
        if (self.between is None) is (self.equals is None):
            raise ValueError("should say how many: either equals, such as 1, or between, such as [3, 5]")
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """The fewest and the most."""
        return self.between if self.between is not None else (self.equals or 0, self.equals or 0)


class Told(Strict):
    """A message that a receiver gets."""

    to: str
    contains: Texts


class Expectation(Strict):
    """One thing that has to be so: at an instant, at some instant up to one, or in a span."""

    at: Duration | None = None
    by: Duration | None = None
    from_: Duration | None = Field(None, alias="from")
    to: Duration | None = None
    alert: str | None = None
    """This alert is in that state."""
    never: str | None = None
    """This alert does not fire."""
    mitigation: str | None = None
    """This mitigation is in that state; by then it has been."""
    upstream: dict[str, Any] | None = None
    """The upstream has these settings."""
    messages: Counted | None = None
    message: Told | None = None
    explain: str | None = None
    """What is told of this alert has these words."""
    audit: str | None = None
    """An entry about this mitigation or alert has these words."""
    state: str | None = None
    severity: Severity | None = None
    labels: dict[str, str] = Field({})
    target: str | None = None
    times: int | None = Field(None, ge=0)
    contains: Texts | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Expectation":
        if len([name for name in TAKES if getattr(self, name) is not None]) != 1:
            raise ValueError(f"should expect one thing: {', '.join(TAKES)}")
        said = {type(self).model_fields[name].alias or name for name in self.model_fields_set} - {self.kind}
        needed, optional = TAKES[self.kind]
        if strange := sorted(said - {*needed, *optional}):
            raise ValueError(f"{self.kind} takes no {strange[0]}; it takes {', '.join((*needed, *optional))}")
        if lacking := [name for name in needed if name not in said]:
            raise ValueError(f"{self.kind} needs {' and '.join(lacking)}")
        if self.kind in WHEN and (self.at is None) is (self.by is None):
            raise ValueError("should say when: either at, for that instant, or by, for some instant up to it")
        if self.state is not None and self.state not in STATES[self.kind]:
            raise ValueError(f"a state of {self.kind} is one of {', '.join(STATES[self.kind])}")
        return self

    @property
    def kind(self) -> str:
        """What it is about: `alert`, `never`, `mitigation`, …"""
        return next(name for name in TAKES if getattr(self, name) is not None)

    @property
    def instants(self) -> tuple[float, ...]:
        """The seconds that it names."""
        return tuple(one for one in (self.at, self.by, self.from_, self.to) if one is not None)


TAKES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "alert": (("state",), ("at", "by", "severity", "labels")),
    "never": ((), ("from", "to", "severity", "labels")),
    "mitigation": (("state",), ("at", "by", "target", "times")),
    "upstream": (("at",), ()),
    "messages": ((), ("from", "to", "by")),
    "message": ((), ("from", "to", "by")),
    "explain": (("at", "contains"), ()),
    "audit": (("contains",), ("by",)),
}
"""What each kind needs, and what it takes besides."""
WHEN = frozenset({"alert", "mitigation"})
STATES: Mapping[str, tuple[str, ...]] = {
    "alert": ("inactive", "pending", "firing", "resolved"),
    "mitigation": tuple(MitigationState),
}
