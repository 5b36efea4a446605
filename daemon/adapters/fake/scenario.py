"""Scenarios: which requests of the fake upstream fail, how and how often, as data; shares are exact, never random."""

from enum import StrEnum
from fnmatch import fnmatchcase
from math import floor
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from daemon.domain.alerts_config import Strict
from daemon.domain.errors import ConfigError, Mistake
from daemon.domain.event import Wire
from daemon.domain.units import Duration


class FakeFault(StrEnum):
    """What the fake upstream can do wrong; the shapes are those that a real one was seen to send."""

    RATE_LIMIT = "429"
    COOLDOWN = "429_cooldown"
    QUOTA = "429_quota"
    SERVER_ERROR = "500"
    AUTH_UNAVAILABLE = "503_auth_unavailable"
    NO_API_KEY = "500_no_api_key"
    ACCOUNT_GONE = "406"
    OVERLOADED = "529"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    MODEL_NOT_FOUND = "404_model_not_found"
    MODEL_NOT_SUPPORTED = "400_model_not_supported"
    NOT_IN_PLAN = "404_not_in_plan"
    REFUSED = "400"
    IN_BAND_ERROR = "in_band_error"
    TRUNCATE = "truncate"
    CLEAN_CUT = "clean_cut"
    ZERO_USAGE = "zero_usage"
    NO_USAGE = "no_usage"
    INPUT_DRIFT = "input_drift"
    OUTPUT_DRIFT = "output_drift"
    THINKING_DRIFT = "thinking_drift"
    NO_THINKING = "no_thinking"
    TOOL_WITHOUT_ARGUMENTS = "tool_without_arguments"
    TOOL_AS_STOP = "tool_as_stop"
    EMPTY = "empty"
    SLOW = "slow"
    CONNECT_DROP = "connect_drop"


class Match(Strict):
    """Which requests a rule is about; what is not said matches all."""

    model: str = "*"
    """A glob over the model as it was sent: `gpt-5*`, `kiro/*`."""
    wire: Wire | None = None
    stream: bool | None = None
    tool_image: bool | None = None
    """Whether the result of a tool holds a picture."""
    credential: str = "*"
    """A glob over the name of the credential whose turn it is."""

    def fits(self, *, model: str, wire: Wire, stream: bool, credential: str = "", tool_image: bool = False) -> bool:
        """Whether a request is meant."""
        is_named = fnmatchcase(model, self.model) and fnmatchcase(credential, self.credential)
        is_shaped = self.stream in (None, stream) and self.tool_image in (None, tool_image)
        return is_named and is_shaped and self.wire in (None, wire)


class FaultRule(Strict):
    """A fault for a share of the requests that fit, for every Nth or for the first N; for all when nothing is said."""

    match: Match = Match()
    fault: Annotated[FakeFault, BeforeValidator(str)]
    share: float = Field(1.0, ge=0, le=1)
    every: int | None = Field(None, ge=1)
    first: int | None = Field(None, ge=1)
    retry_after: Duration | None = None
    """What `Retry-After` says beside an error status, in whole seconds."""
    delay: Duration = 1.0
    """How long `slow` waits before the first byte."""

    @model_validator(mode="after")
    def _one_measure(self) -> "FaultRule":
        said = (self.every is not None) + (self.first is not None)
        if said > 1 or (said and "share" in self.model_fields_set):
            raise ValueError("say share, every or first: one of them")
        return self

    def strikes(self, count: int) -> bool:
        """Whether the request number `count` (from 1) is struck: 12 % of 100 requests are exactly 12, evenly spread."""
        if self.first is not None:
            return count <= self.first
        if self.every is not None:
            return count % self.every == 0
        return floor(count * self.share + 1e-9) > floor((count - 1) * self.share + 1e-9)


class Scenario(Strict):
    """Rules in order: each counts the requests that reach it, and the first that strikes decides."""

    name: str = "custom"
    models: tuple[str, ...] | None = None
    """The only models served; any other is refused as unknown. The usual catalogue, and any name, unless said."""
    pace: Duration = 0.002
    """Pause between the pieces of a stream."""
    words: int = Field(5, ge=1)
    """How many pieces of text an answer has."""
    rules: tuple[FaultRule, ...] = ()


class Director:
    """Plays a scenario: counts requests per rule and says which fault a request gets."""

    def __init__(self, scenario: Scenario) -> None:
        self.play(scenario)

    def play(self, scenario: Scenario) -> None:
        """Starts a scenario from its beginning."""
        self.scenario = scenario
        self._counts = [0] * len(scenario.rules)

    def next_fault(
        self, *, model: str, wire: Wire, stream: bool, credential: str = "", tool_image: bool = False
    ) -> FaultRule | None:
        """The rule that strikes this request; None when it shall succeed."""
        for number, rule in enumerate(self.scenario.rules):
            if rule.match.fits(model=model, wire=wire, stream=stream, credential=credential, tool_image=tool_image):
                self._counts[number] += 1
                if rule.strikes(self._counts[number]):
                    return rule
        return None


def _rule(model: str, fault: FakeFault, share: float, wire: Wire | None = None) -> FaultRule:
    return FaultRule(match=Match(model=model, wire=wire), fault=fault, share=share)


SPARK = "gpt-5.3-codex-spark"
BUILT_IN = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="healthy"),
        Scenario(name="storm", rules=(_rule("gpt-5*", FakeFault.RATE_LIMIT, 0.12),)),
        Scenario(name="spark", rules=(_rule(SPARK, FakeFault.SERVER_ERROR, 0.2),)),
        Scenario(name="spark-not-in-plan", rules=(_rule(SPARK, FakeFault.NOT_IN_PLAN, 1.0),)),
        Scenario(name="zero-usage", rules=(_rule("*", FakeFault.ZERO_USAGE, 1.0),)),
        Scenario(name="thinking-drift", rules=(_rule("*", FakeFault.THINKING_DRIFT, 0.2, wire=Wire.OPENAI_RESPONSES),)),
        Scenario(name="down", rules=(_rule("*", FakeFault.CONNECT_DROP, 1.0),)),
    )
}


def read_scenario(data: Any, source: str = "scenario") -> Scenario:
    """A scenario out of decoded JSON or YAML, or out of the name of a built-in one; raises `ConfigError`."""
    if isinstance(data, str):
        if data in BUILT_IN:
            return BUILT_IN[data]
        known = ", ".join(BUILT_IN)
        raise ConfigError([Mistake(source=source, message=f"{data!r} is neither a file nor one of {known}")])
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ConfigError([_mistake(source, dict(detail)) for detail in error.errors()]) from None


def load_scenario(file_or_name: str) -> Scenario:
    """A YAML file, or the name of a built-in scenario; raises `ConfigError`."""
    if not Path(file_or_name).is_file():
        return read_scenario(file_or_name)
    try:
        return read_scenario(yaml.safe_load(Path(file_or_name).read_text(encoding="utf-8")), file_or_name)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([Mistake(source=file_or_name, message=" ".join(str(error).split()))]) from None


def _mistake(source: str, detail: dict[str, Any]) -> Mistake:
    return Mistake(source=source, path=".".join(str(step) for step in detail["loc"]), message=detail["msg"])
