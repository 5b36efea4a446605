"""The alerts file as types: what stands in `alerts.yaml`, and the common part of each rule and mitigation kind."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from daemon.domain.alert import Severity
from daemon.domain.mitigation import Mode
from daemon.domain.sample import Band, Query, Reading, Verdict
from daemon.domain.schedule import ScheduleText, ZoneName
from daemon.domain.units import Duration, Ratio, say_ratio

SelectionSpec = str | dict[str, Any]
"""The name of one of `selections:`, or a selection written in place."""


class Strict(BaseModel):
    """Unknown keys are mistakes; what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class Level(Strict):
    """One severity of a rule: an alert of its own. What is not said here is taken from the rule."""

    mitigate: tuple[str, ...] = ()
    """Mitigations to apply while it fires: names from `mitigations:`, or the shipped `fallback`."""
    for_: Duration | None = Field(None, alias="for")
    """How long it must hold before it fires."""
    keep_firing_for: Duration | None = None
    """How long it must be clear before it is resolved."""


class Active(Strict):
    """A rule that watches only what is new."""

    for_: Duration = Field(alias="for")
    """How long a label set is watched."""
    after: Literal["first_seen"] = "first_seen"
    """From when: the first item of the label set."""


class Rule(Strict):
    """What rules of all kinds have in common; a kind adds its options and its own levels."""

    alert: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    kind: str
    enabled: bool = True
    of: SelectionSpec | None = None
    """Which events count; all finished model calls of clients unless narrowed."""
    by: tuple[str, ...] = ()
    """Event fields that tell one series from another."""
    for_: Duration = Field(0.0, alias="for")
    keep_firing_for: Duration = 300.0
    no_data: Literal["hold", "resolve"] = "hold"
    """What becomes of an alert when nothing is counted any more; held, it ends when the longest window is empty."""
    on_error: Literal["hold", "resolve"] = "hold"
    """What becomes of an alert when its rule cannot be judged; that is an alert of its own in any case."""
    coverage: Ratio | Literal["none"] = 0.8
    """Where less than this share of what was emitted arrived, nothing new is acted on."""
    active: Active | None = None
    """Watch only what is new, and only for a while."""
    max_series: int = Field(1000, ge=1)
    """Label sets at once; where there is no room, the least bad one makes room, and that is said."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    summary: str = ""
    """The message's first line; {label}, {value}, {samples}, {bad}, {lower_bound}, {window} are filled in."""
    runbook: str | None = None
    levels: Mapping[Severity, Level]

    default_summary: ClassVar[str] = "{alert}: {bad} of {samples} in {window} ({value})"

    def query(self, selections: Mapping[str, dict[str, Any]]) -> Query:
        """Which numbers it needs, as data; `selections` are the named ones of the file."""
        raise NotImplementedError

    def judge(self, severity: Severity, reading: Reading) -> Verdict:
        """What it says about one series, from its numbers alone."""
        raise NotImplementedError

    def band(self, severity: Severity) -> Band | None:
        """Outside of which ratios a level can change; None: by other figures than a ratio."""
        return None

    def why(self, severity: Severity, reading: Reading) -> list[str]:
        """Why a level raises or does not, in words."""
        return self.judge(severity, reading).words(self.say)

    def say(self, value: float) -> str:
        """A value of this kind of rule, as people read it."""
        return say_ratio(value)

    def is_degraded(self, coverage: float) -> bool:
        """Whether too little of what was emitted arrived."""
        return self.coverage != "none" and coverage < self.coverage


class Verify(Strict):
    """Compare before and after, so long after the change: what did not help is undone."""

    within: Duration
    """So long after it was applied."""


class MitigationOptions(Strict):
    """What mitigations of all kinds have in common."""

    kind: str
    hold: Duration = 300.0
    """Shortest time applied."""
    cool_off: Duration = 900.0
    """Before we do it again; doubles up to 2h; counts only our own restores."""
    max_hold: Duration = 1800.0
    """Longest time applied; then restored and reported."""
    on_stop: Literal["restore", "keep"] = "restore"
    """What becomes of it when the daemon stops; soft ones lapse by themselves in any case."""
    verify: Verify | Literal["none"] = Verify(within=300.0)
    """Where the effect is not known it is not compared unless this is written out; without an effect never."""
    even_if_inert: bool = False
    """Write what this upstream is known to ignore."""
    max_share: Ratio = 0.5
    """Of a provider's credentials no more than this share may be changed at once; never the last healthy one."""
    max_changes_per_hour: int = Field(6, ge=2)
    """Writes to one target, and changes of all targets; what was begun can always be undone."""
    approve_within: Duration = 1800.0
    """How long a human may approve what was asked for, while its alert fires."""


class ProbeBudget(Strict):
    """What a probe may cost in a day (UTC)."""

    requests: int = Field(300, ge=0)
    tokens: int = Field(150_000, ge=0)


class ProbeOptions(Strict):
    """What probes of all kinds have in common."""

    enabled: bool | None = None
    """Unless said, what is free is on, and what costs tokens is on where it is named."""
    every: Duration = Field(600.0, ge=10.0)
    budget: ProbeBudget = ProbeBudget()
    """Of those that cost tokens: what is spent is spent until the next day."""


class UsageRecords(Strict):
    """The upstream's own records of its attempts: they are taken off its queue, or told on its channel."""

    from_: Literal["queue", "resp"] = Field("queue", alias="from")
    every: Duration = Field(2.0, ge=1.0, le=30.0)


class Receiver(Strict):
    """Who hears it. URLs and the values of headers are text, `env:NAME` or `secret:name`."""

    name: str
    kind: Literal["apprise", "webhook"] = "apprise"
    """Apprise URLs, or https addresses that get the JSON of Alertmanager's webhook."""
    urls: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    """Of a webhook's requests."""
    send_resolved: bool = True
    backup: str | None = None
    """The receiver that hears what fires while this one cannot be reached."""


class RepeatInterval(Strict):
    """How often a message about a still firing alert is repeated."""

    warning: Duration = 43200.0
    critical: Duration = 7200.0


class TimeInterval(Strict):
    """Hours of the week that a route can name."""

    schedule: ScheduleText
    """Days and hours, several with commas between, such as `22:00-07:00` or `Mo-Fr 18:00-08:00, Sa-Su 00:00-24:00`."""
    timezone: ZoneName = "UTC"
    """Whose clock the schedule goes by, such as Europe/Berlin."""


class InhibitRule(Strict):
    """While an alert fires that the source matches, nobody hears of what the target matches."""

    source_matchers: dict[str, str] = Field(min_length=1)
    """Labels and globs that all have to match; `alert` and `severity` are labels too."""
    target_matchers: dict[str, str] = Field(min_length=1)
    equal: tuple[str, ...] = ()
    """Labels that must be the same in both; one that neither has is."""


class Flap(Strict):
    """From when on the comings and goings of one series are told together."""

    episodes: int = Field(3, ge=1)
    """So many are told one by one."""
    within: Duration = Field(3600.0, gt=0)
    """In so long a time; for so long it must be calm before the next message."""


class Heartbeat(Strict):
    """An address outside that is asked again and again, and that raises an alarm when nobody asks any more."""

    url: str
    """https address, `env:NAME` or `secret:name`; it gets a GET while judging and sending work."""
    every: Duration = Field(60.0, ge=1.0)


class RouteTest(Strict):
    """A message to every receiver from time to time, so that a silence is known to be one."""

    every: Duration = Field(604_800.0, ge=3600.0)


class Route(Strict):
    """Which receiver, what belongs into one message, and how often."""

    receiver: str = "operators"
    group_by: tuple[str, ...] = ("alert", "provider_key")
    group_wait: Duration = 5.0
    group_interval: Duration = 300.0
    repeat_interval: RepeatInterval = RepeatInterval()
    heartbeat: Heartbeat | None = None
    """Off unless there is one."""
    test: RouteTest | None = None
    """Off unless there is one."""
    mute_time_intervals: tuple[str, ...] = ()
    """Hours in which warnings wait: names from `time_intervals:`. What is critical always comes through."""
    flap: Flap | None = None
    """Tell what comes and goes all the time in one message, and then only when it is calm or worse."""


class ModeConfig(Strict):
    """How far mitigations may go by themselves; `MITIGATION_MODE` is the ceiling."""

    soft: Mode = Mode.AUTO
    upstream: Mode = Mode.AUTO


class ProviderPattern(Strict):
    """An operator's own knowledge of which events belong to which provider."""

    match: dict[str, Any]
    provider_key: str


class WorkloadMatch(Strict):
    """Which requests are of a class; all that is said must hold."""

    prefix: str | None = Field(None, min_length=1)
    """A glob of the model's prefix: `iflow` is that of `iflow/glm-4.6`."""
    client_key_id: str | None = Field(None, pattern="^[0-9a-f]{16}$")
    """The key's, as its events say it."""
    header: dict[str, str] = {}
    """Globs of the values of headers, by name."""
    model: str | None = Field(None, min_length=1)
    """A glob of the model as it is asked for, with its prefix and `(suffix)`."""


class Workload(Strict):
    """A class of traffic: its events carry its name, and what leads traffic away heeds what it says."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    match: WorkloadMatch
    priority: Literal["latency", "normal", "best_effort"] = "normal"
    """`latency` is never led away but by a mitigation that names the class; `best_effort` moves first: as long as only
    warnings want a model led away, nothing else is."""
    fallbacks: dict[str, tuple[str, ...]] = {}
    """What may stand in for which model, instead of the file's `fallbacks`."""
    exclude: tuple[str, ...] = ()
    """Models that never stand in."""


class AlertsConfig(Strict):
    """A loaded alerts file: merged with what it extends, checked, disabled rules left out."""

    version: Literal[1] = 1
    extends: Literal["runbook"] | None = None
    defaults: dict[str, Any] = {}
    """Rule fields for all rules that do not say them."""
    receivers: tuple[Receiver, ...] = (Receiver(name="operators", urls=("secret:notify_urls",)),)
    route: Route = Route()
    time_intervals: dict[str, TimeInterval] = {}
    """Hours of the week by name, for `mute_time_intervals`."""
    inhibit_rules: tuple[InhibitRule, ...] = ()
    """What need not be told while something worse fires."""
    fallbacks: dict[str, tuple[str, ...]] = {}
    """What may stand in for which model: the first that is served."""
    workloads: tuple[Workload, ...] = ()
    """Classes of traffic; a request is of the first that it fits."""
    mode: ModeConfig = ModeConfig()
    providers: tuple[ProviderPattern, ...] = ()
    selections: dict[str, dict[str, Any]] = {}
    rules: tuple[Rule, ...] = ()
    mitigations: Mapping[str, MitigationOptions] = {}
    usage_records: UsageRecords | None = None
    """Off unless written: whoever else reads the queue goes without."""
    probes: Mapping[str, ProbeOptions] = {}
    """By their name; one that is not here runs as it usually does."""

    def receiver(self, name: str) -> Receiver | None:
        """The receiver of that name."""
        return next((receiver for receiver in self.receivers if receiver.name == name), None)
