"""`pin_thinking`: our proxy makes some requests think as the operator says; soft, leased.

Its original path is what the clients ask for: it ends when requests let through on it were seen to think as asked.
"""

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from daemon.domain.mitigation import Mitigation
from daemon.domain.soft_routing import SoftRoute
from daemon.domain.units import Duration
from daemon.logic.mitigation import About, Change
from daemon.logic.soft_options import Release, Scoped, scoped, what
from daemon.logic.thinking_reading import split_suffix

Level = Literal["none", "auto", "minimal", "low", "medium", "high", "xhigh", "max"]


class PinnedRelease(Release):
    """How we learn that requests think as asked again."""

    canary: str = Field("trickle", pattern="^[a-z][a-z0-9_]*$")
    """`trickle`, one real request on its original path from time to time, or the name of a probe: no ping shows how a
    model thinks."""
    every: Duration = 60.0
    """How often one is let through; a probe is run each 5m unless said."""

    @field_validator("canary")
    @classmethod
    def _shows_thinking(cls, canary: str) -> str:
        if canary == "ping":
            raise ValueError("no ping shows how a model thinks: say trickle, or a probe such as thinking")
        return canary


class PinThinking(Scoped):
    """The requests go out with a level of thinking, or as a model that thinks by its name.

    A level is written as a suffix of the model, which beats whatever the request says; `by: field` writes it into the
    wire's own field, for an upstream that knows no suffixes. What the client asked for stays in the event.
    """

    kind: Literal["pin_thinking"] = "pin_thinking"
    level: Level | int | None = None
    """A level, or a budget in tokens."""
    to_model: str | None = Field(None, min_length=1, pattern=r"^[^\[\]]+$")
    """The alias that thinks."""
    by: Literal["suffix", "field"] = "suffix"
    """Where the level is written; a request that brings a suffix along gets another one."""
    release: PinnedRelease = PinnedRelease()
    """How we learn that requests think as asked again."""

    @model_validator(mode="after")
    def _pins(self) -> Self:
        if self.level is None and self.to_model is None:
            raise ValueError("pins nothing: say level or to_model")
        if self.level is not None and self.to_model is not None and split_suffix(self.to_model)[1]:
            raise ValueError("pins two levels: leave out level, or the suffix of to_model")
        if isinstance(self.level, int) and not -1 <= self.level < 1 << 31:
            raise ValueError("a budget is a number of tokens; 0 for none, -1 leaves it to the model")
        return self


OPTIONS = PinThinking

_PREFIX = "pin_thinking:"
_VALUE = re.compile(r"(?P<model>[^(\[]*)(?:(?P<bracket>[(\[])(?P<level>[^()\[\]]+)[)\]])?")


def plan(options: PinThinking, about: About) -> tuple[Change, ...]:
    """One target."""
    target = _PREFIX + what(options)
    return (Change(target=target, choices=(_value(options),), soft=True, release=options.release.model_dump()),)


def _value(options: PinThinking) -> str:
    """`gpt-5.5-thinking`, `(high)`, or `[high]` where it goes into the body."""
    brackets = "({})" if options.by == "suffix" else "[{}]"
    return (options.to_model or "") + ("" if options.level is None else brackets.format(options.level))


def reaches(options: PinThinking, target: str) -> bool:
    """That of its requests."""
    return target == _PREFIX + what(options)


def route(row: Mitigation, trickle_seconds: float | None) -> SoftRoute:
    """What the data plane is told while the row is applied."""
    match = _VALUE.fullmatch(str(row.value_wanted))
    pinning = SoftRoute(
        mitigation_id=row.id,
        kind="pin_thinking",
        to_model=match["model"] if match else "",
        thinking=(match["level"] or "") if match else "",
        thinking_in_body=bool(match and match["bracket"] == "["),
        trickle_seconds=trickle_seconds,
    )
    return scoped(pinning, row.target.removeprefix(_PREFIX))


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"pin the thinking of {target.removeprefix(_PREFIX)} to {value}"
