"""Made-up traffic as types: spells of turns that are all alike but for how they end."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from daemon.domain.alerts_config import Strict
from daemon.domain.event import Fault
from daemon.domain.units import Duration, Ratio

OK = "ok"
MOST_PER_SECOND = 1000.0
DERIVED = frozenset({"event_id", "emitted_at", "started_at", "mitigation_ids", "attempt"})
"""Fields of events that follow from the rest: nobody may set them."""


def _a_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("should be a number of turns")
    return float(value)


PerHour = Annotated[float, BeforeValidator(_a_number), Field(gt=0, le=MOST_PER_SECOND * 3600)]


class Ending(Strict):
    """How a share of the turns ends: any event fields beside the share."""

    model_config = ConfigDict(extra="allow")

    share: Ratio


def _only_share(value: Any) -> Any:
    return {"share": value} if isinstance(value, str) else value


Mix = dict[str, Annotated[Ending, BeforeValidator(_only_share)]]
"""`ok`, a fault, or a name of one's own, to its share."""


def _whole(mix: Mix) -> Mix:
    total = sum(ending.share for ending in mix.values())
    if abs(total - 1) > 1e-6:
        raise ValueError(f"the shares add up to {total * 100:g}%, not to 100%")
    return mix


class Spell(Strict):
    """Turns of clients for a while, at the same pace; they are spread evenly, and so is how they end."""

    from_: Duration = Field(0.0, alias="from")
    to: Duration
    every: Duration | None = Field(None, ge=1 / MOST_PER_SECOND)
    per_hour: PerHour | None = None
    set: dict[str, Any] = Field({})
    """What all these turns are like: event fields."""
    mix: Mix = Field({OK: Ending(share=1.0)})
    rerouted: Mix = Field({OK: Ending(share=1.0)})
    """How those end that a soft mitigation leads to another model."""
    retries: str | None = None
    """The client that asks again after a failure."""

    @field_validator("mix", "rerouted")
    @classmethod
    def _adds_up(cls, mix: Mix) -> Mix:
        return _whole(mix)

    @model_validator(mode="after")
    def _is_possible(self) -> "Spell":
        if (self.every is None) is (self.per_hour is None):
            raise ValueError("should say how often: either every, such as 2s, or per_hour, such as 600")
        if self.to <= self.from_:
            raise ValueError("should end after it begins")
        return self

    @property
    def pause_ms(self) -> float:
        """From one turn to the next."""
        return self.every * 1000 if self.every is not None else 3_600_000 / (self.per_hour or 1)

    @property
    def fails_mostly(self) -> bool:
        """Whether more of its turns fail than end well."""
        failed = sum(ending.share for name, ending in self.mix.items() if is_failure(name, ending))
        return failed > 0.5


def is_failure(name: str, ending: Ending) -> bool:
    """Whether it ends with a fault."""
    said = ending.model_extra or {}
    return said.get("outcome", "failed") == "failed" and (name in set(Fault) or said.get("fault") is not None)
