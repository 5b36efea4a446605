"""Rule tests as types: what stands in a file of timed examples. Instants are spans from the beginning of a case."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, field_validator, model_validator

from daemon.domain.alerts_config import Strict
from daemon.domain.expectation import Expectation
from daemon.domain.made_up import PerHour, Spell
from daemon.domain.mitigation import Mode
from daemon.domain.probe import ProbeOutcome
from daemon.domain.units import Duration


class History(Strict):
    """Days before the case, for rules that ask what is usual: closed hours with so many good turns each."""

    days: int = Field(ge=1, le=60)
    per_hour: PerHour = 10.0
    set: dict[str, Any] = Field({})
    """What all these turns are like: event fields."""
    reasoning_tokens: int | None = Field(None, ge=0)
    """Of one turn."""


class Restart(Strict):
    """The process dies, and is started again after so long."""

    at: Duration
    for_: Duration = Field(0.0, alias="for")


class Credential(Strict):
    """One auth file of the upstream."""

    name: str
    auth_index: str
    provider_key: str


class Upstream(Strict):
    """How the upstream is at the beginning."""

    settings: dict[str, Any] = Field({})
    """Of its management API, by dotted name."""
    models: tuple[str, ...] | None = None
    """Its inventory; without it none is served."""
    credentials: tuple[Credential, ...] = ()
    reachable: bool = True


class PingSpan(Strict):
    """How a ping of a model goes for a while."""

    from_: Duration = Field(0.0, alias="from")
    to: Duration
    ok: bool


def _a_number(value: Any) -> Any:
    """Decimals are text in YAML as it is read here."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


class VerdictSpan(Strict):
    """What a probe says of one thing for a while, again and again."""

    probe: str
    subject: str = ""
    from_: Duration = Field(0.0, alias="from")
    to: Duration
    every: Duration = Field(300.0, ge=1)
    outcome: ProbeOutcome
    value: Annotated[float, BeforeValidator(_a_number)] | None = None
    reason: str = ""


class QuotaSpan(Strict):
    """What is read of one credential's quota for a while, again and again."""

    provider_key: str
    credential: str
    model_id: str | None = None
    from_: Duration = Field(0.0, alias="from")
    to: Duration
    every: Duration = Field(300.0, ge=1)
    quota_exhausted: bool | None = None
    usage_percentage: Annotated[float, BeforeValidator(_a_number)] | None = None
    resets_at: Duration | None = None
    """When its window ends."""


class Change(Strict):
    """What happens beside traffic: one thing, at its instant."""

    at: Duration
    upstream: dict[str, Any] | None = None
    """Somebody sets these settings at the upstream."""
    models: tuple[str, ...] | None = None
    """The upstream serves these from now on."""
    reachable: bool | None = None
    """Whether the upstream answers from now on."""
    credentials: tuple[Credential, ...] | None = None
    """The upstream has these from now on."""
    operator: Literal["hold", "release", "revert", "apply", "approve", "ack", "silence"] | None = None
    """What somebody asks of us."""
    lost: int | None = Field(None, ge=1)
    """So many events were emitted and never arrive."""
    mitigation: str | None = None
    alert: str | None = None
    matchers: dict[str, str] | None = None
    for_: Duration | None = Field(None, alias="for")

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Change":
        said = [name for name in WHAT if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"should say one thing that happens: {', '.join(WHAT)}")
        wants = NEEDS.get(self.operator or "", () if self.operator is None else ("mitigation",))
        names = {"for": self.for_, "mitigation": self.mitigation, "alert": self.alert, "matchers": self.matchers}
        if {name for name, value in names.items() if value is not None} != set(wants):
            what = self.operator or said[0]
            raise ValueError(f"{what} wants {' and '.join(wants)}" if wants else f"{what} stands alone")
        return self


WHAT = ("upstream", "models", "reachable", "credentials", "operator", "lost")
NEEDS: Mapping[str, tuple[str, ...]] = {"ack": ("alert",), "silence": ("matchers", "for")}


def _some(those: tuple[Any, ...]) -> tuple[Any, ...]:
    """Said here, not by a length: one that has mistakes is there all the same."""
    if not those:
        raise ValueError("should not be empty")
    return those


class Case(Strict):
    """One example: what happens, and what has to come of it."""

    name: str = Field(min_length=1)
    begins: AwareDatetime | None = None
    """A Monday midnight unless said (UTC)."""
    upstream: Upstream = Upstream()
    traffic: tuple[Spell, ...] = ()
    history: tuple[History, ...] = ()
    restart_at: tuple[Restart, ...] = ()
    changes: tuple[Change, ...] = ()
    ping: dict[str, tuple[PingSpan, ...]] = Field({})
    """By model; what is not said fares as the traffic does."""
    verdicts: tuple[VerdictSpan, ...] = ()
    """What probes say, but for those of the upstream itself."""
    quota: tuple[QuotaSpan, ...] = ()
    """What is read of credentials."""
    expect: tuple[Expectation, ...]

    @field_validator("expect")
    @classmethod
    def _expects_something(cls, expect: tuple[Expectation, ...]) -> tuple[Expectation, ...]:
        return _some(expect)

    @field_validator("restart_at", mode="before")
    @classmethod
    def _short_restarts(cls, value: Any) -> Any:
        """`9m` for `{at: 9m}`."""
        return (
            tuple({"at": one} if isinstance(one, str) else one for one in value) if isinstance(value, list) else value
        )


class RuleTests(Strict):
    """A whole file. `rules` is an alerts file, relative to this one; the shipped one unless said."""

    rules: str | None = None
    only: tuple[str, ...] | None = None
    """The rules that are judged, by name; all of them unless said, which takes longer."""
    mode: Mode = Mode.AUTO
    """The ceiling for what mitigations do by themselves."""
    cases: tuple[Case, ...]

    @field_validator("cases")
    @classmethod
    def _has_some(cls, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        return _some(cases)
