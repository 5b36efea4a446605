"""The page about messages, made from a fixed night: `make docs` writes it to `docs/notifications.md`."""

import asyncio
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.app.kind_page import joined
from daemon.app.shelf import scan
from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import AlertsConfig, Receiver, RepeatInterval
from daemon.domain.decision import Decision
from daemon.domain.event import Event, Fault
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.domain.notification import Delivery, Message
from daemon.domain.self_reading import Condition, SelfReading
from daemon.engine.evidence import Witness
from daemon.logic.approving import approval_link
from daemon.logic.judging import Book
from daemon.logic.messages import with_links
from daemon.logic.notifying import concluded, superseded, test
from daemon.logic.outbox import Outbox
from tests.fakes.event_store import MemoryEventStore
from tests.logic.playing import an_event

BEGAN = 1_795_485_600_000  # 2026-11-24T02:00:00Z
URL = "http://nas:8319"
SPARK, STAND_IN = "gpt-5.3-codex-spark", "gpt-5.3-codex"

HEAD = """\
An alert becomes a message when it opens, when it gets worse, when it lasts, when something was done about it, and
when it is over. This page shows each kind as it is sent. It is made from the code: `make docs` writes it.

## Who hears what, and when

**Receivers** are lists of [Apprise](https://github.com/caronc/apprise) addresses. The one that the **route** names
hears everything. `runbookd notify test` sends a message to all of them; `runbookd notify test --dry-run` only looks
at them.

```yaml
receivers:
  - {name: operators, urls: ["secret:notify_urls"], send_resolved: true}
route:
  receiver: operators
  group_by: [alert, provider_key]
  group_wait: 5s
  group_interval: 5m
  repeat_interval: {warning: 12h, critical: 2h}
```

Alerts that are the same in all of `group_by` share a message. The first one waits for `group_wait`, so that what
breaks together is told together; what joins later waits for `group_interval` after the last message, but a rise in
severity does not. While it fires and nobody has acknowledged it, it is told again after every `repeat_interval`. A
firing critical is told alone: its warning is mute, and both end in one message. What eases from critical to warning
has no message of its own. The end is told `group_interval` after the last message at the soonest, unless
`send_resolved` is false.

A message is made when it is sent: it tells what is true then, not what was true when it was meant. When there is no
news any more, nothing is sent. It is sent until a receiver took it, for up to a day. A message that comes twice,
since runbookd was killed between sending it and noting so, has the same id in its last line.

A **silence** mutes the messages of the alerts that it matches until it ends; what fires then is told then. Nothing
else heeds it: alerts fire, and mitigations are made, all the same. So do quiet hours (`time_intervals`,
`mute_time_intervals`), for warnings only, and alerts that another one explains (`inhibit_rules`). `runbookd ack
NAME` ends the repeats.

## When a receiver does not answer

Each send has 15 seconds, in a process of its own; a channel that hangs delays no other. What failed is tried again
after 5, 15, 60, 300 and then every 600 seconds, or when the receiver said (`Retry-After`). After three failures in
a row a receiver is left alone but for one try in three minutes, `NotifierFailing` fires, and its `backup` hears
what fires meanwhile:

```yaml
receivers:
  - {name: operators, urls: ["secret:notify_urls"], backup: pager}
  - {name: pager, kind: webhook, urls: ["secret:pager_url"], headers: {Authorization: "secret:pager_key"}}
route:
  receiver: operators
  heartbeat: {url: "secret:deadman_url", every: 60s}   # asked for while judging and sending work; off unless written
  test: {every: 7d}                                    # a test message at noon UTC; off unless written
```

`kind: webhook` posts what Alertmanager's webhook posts (version 4). A receiver that would lead back into our own
proxy is refused.

## Alerts of others

Alertmanager's webhook may point to `POST /api/v1/alerts/alertmanager`, with the control token as its bearer token.
TrueNAS can only post to a Slack address: `runbookd notify hook` prints one of ours. These alerts are grouped,
silenced, acknowledged and repeated as ours are; they never act.

## What stands in a message

- What, where and how bad, in the words of the rule. "At least" is the lower bound of what may be chance.
- Since when, and over how long a window. A critical that was a warning before says since when.
- What the failures have in common, against the turns that went well since it began: a credential, a model (or two), a
  client, or up to three of those together; and which fault they show. Where nothing stands out, nothing is said.
  "Since 02:05" leaves out a few failures that are older than the trouble.
- What was done about it, how long it stays at most, whether it helped and how many turns went well through it.
- What waits for your word, with a link that approves this one change, once, until its time is over. The page behind it
  shows what would be changed and why; only its button does anything, so a preview of the link approves nothing. It
  needs no login: whoever reads the message can press it. ntfy gets a button instead of the link.
- What to do now: a link to the section of the runbook, and the command that tells why it fires.
- The alert on the dashboard, and the id of the message.

Names that clients make up are shown in plain text: they call nobody, format nothing and lead nowhere.

## As they are sent"""

SPARK_TURN: Mapping[str, Any] = {"requested_model": SPARK, "client": "codex-cli"}


@dataclass
class Night:
    """Traffic goes in second by second, messages come out."""

    config: AlertsConfig
    second: int = 0
    sent: list[Message] = field(default_factory=list)
    mitigations: list[Mitigation] = field(default_factory=list)
    store: MemoryEventStore = field(default_factory=MemoryEventStore)

    def __post_init__(self) -> None:
        self.book = Book(self.config)
        link = approval_link(URL, b"the key of one installation")
        self.outbox = Outbox(self.book.alerts, lambda: self.mitigations, URL, link)
        self.outbox.configure(self.config)
        self.witness = Witness(self.store, self.book.query_of)

    @property
    def now(self) -> int:
        return BEGAN + self.second * 1000

    @property
    def alert(self) -> Alert:
        """The worst that fires."""
        return max(self.book.firing(), key=lambda alert: alert.severity.rank)

    def traffic(self, seconds: int, bad_of_ten: int, **facts: Any) -> None:
        """Two turns in a second; the bad ones are those of credential c3f1 that stream."""
        for _ in range(seconds):
            for half in (0, 500):
                place = (2 * self.second + half // 500) % 10
                self.observe(_turn(self.now + half, place, bad=place < bad_of_ten, **facts))
            self.pass_second()

    def observe(self, item: Any) -> None:
        self.book.observe(item)
        if isinstance(item, Event):
            self.store.rows[item.event_id] = item

    def pass_second(self) -> None:
        self.second += 1
        judged = self.book.judge(self.now)
        rows = self.outbox.plan(judged.steps, self.now)
        self.outbox.adopt(Decision(alerts=judged.changed, notifications=rows))
        self.outbox.adopt(Decision(notifications=self.outbox.repeats(self.now)))
        for errand in [one for one in self.outbox.errands() if one.due_at <= self.now]:
            seen = asyncio.run(self.witness.gather(self.outbox.subjects(errand)))
            draft = self.outbox.draft(errand, seen)
            if draft.message is None or draft.row is None:
                self.outbox.adopt(Decision(notifications=superseded(draft.rows)))
                continue
            self.sent.append(draft.message)
            rows = concluded(draft.rows, draft.row, Delivery(delivered=True), self.now)
            self.outbox.adopt(Decision(notifications=rows))

    def mitigate(self, **changes: Any) -> Mitigation:
        """The fallback of the alert that fires."""
        row = Mitigation(
            id="m-0001",
            name="fallback",
            kind="model_alias",
            target=f"model_alias:{SPARK}",
            state=MitigationState.APPLIED,
            mode=Mode.AUTO,
            soft=True,
            owners=(self.alert.fingerprint,),
            value_before=SPARK,
            value_wanted=STAND_IN,
            planned_at=self.now,
            applied_at=self.now,
            expires_at=self.now + 1_800_000,
        )
        return self.change(replace(row, **changes))

    def change(self, row: Mitigation) -> Mitigation:
        """What became of it, with the notice that dispatch is asked for."""
        self.mitigations = [row] if row.state.is_open else []
        self.outbox.adopt(Decision(mitigations=(row,), notifications=self.outbox.notice(row, self.now)))
        return row


def _turn(at: int, place: int, *, bad: bool, **facts: Any) -> Event:
    places: dict[str, Any] = {"stream": place % 5 < 3, "credential": "c3f1" if place < 4 else "a07e"}
    return an_event(at, bad=bad, **{**places, **facts})


def night(*names: str, **grouping: Any) -> Night:
    """With some of the rules that are in force without a file."""
    shelves = scan()
    config = load(packaged("alerts.yaml"), shelves).config
    rules = tuple(rule for rule in config.rules if rule.alert in names)
    return Night(config.model_copy(update={"rules": rules, "route": config.route.model_copy(update=grouping)}))


def _until(here: Night, is_so: Callable[[], bool], bad_of_ten: int, **facts: Any) -> None:
    for _ in range(3000):
        if is_so():
            return
        here.traffic(1, bad_of_ten, **facts)
    raise AssertionError("the night is not as it was: it never comes to that")


def _next(here: Night, bad_of_ten: int, **facts: Any) -> Message:
    """Traffic until the next message."""
    told = len(here.sent)
    _until(here, lambda: len(here.sent) > told, bad_of_ten, **facts)
    return here.sent[-1]


def _critical(here: Night, bad_of_ten: int, **facts: Any) -> None:
    _until(here, lambda: any(one.severity is Severity.CRITICAL for one in here.book.firing()), bad_of_ten, **facts)


def limited() -> Iterator[tuple[str, Message]]:
    """A provider's rate limit, from the first warning to the end."""
    here = night("ProviderRateLimited", repeat_interval=RepeatInterval(warning=7200.0, critical=600.0))
    here.traffic(200, 0)
    here.traffic(100, 1)
    yield "A warning", _next(here, 3)
    yield "It gets worse", _next(here, 3)
    yield "It lasts", _next(here, 3)
    _until(here, lambda: here.sent[-1].kind == "success", 0)
    yield "It is over", here.sent[-1]


def spark() -> Iterator[tuple[str, Message]]:
    """A model that fails, and its stand-in."""
    here = night("SparkErrorRatio", group_wait=150.0)
    here.traffic(200, 0, **SPARK_TURN)
    _critical(here, 3, **SPARK_TURN)
    here.mitigate()
    yield "Critical, and something was done", _next(here, 3, **SPARK_TURN)
    row = here.mitigations[0]
    here.traffic(120, 3, mitigation_ids=(row.id,), **SPARK_TURN)
    here.change(
        replace(row, state=MitigationState.RESTORED, ended_at=here.now, outcome="the original path works again")
    )
    yield "A mitigation has ended", _next(here, 1, **SPARK_TURN)
    here.change(
        replace(
            row,
            id="m-0002",
            state=MitigationState.FAILED,
            ended_at=here.now,
            outcome="it did not help: before 34 of 80 failed (42 %), after 33 of 75 (44 %)",
            proof="before 34 of 80 failed (42 %), after 33 of 75 (44 %)",
            saved_turns=42,
        )
    )
    yield "A mitigation has failed", _next(here, 1, **SPARK_TURN)
    here.change(
        replace(
            row,
            id="m-0003",
            state=MitigationState.NOT_NEEDED,
            mode=Mode.ASK,
            applied_at=None,
            expires_at=None,
            ended_at=here.now,
            approve_until=here.now + 1_800_000,
        )
    )
    yield "A mitigation waits for your word", _next(here, 1, **SPARK_TURN)


def crowd() -> Iterator[tuple[str, Message]]:
    """Twelve providers behind one way out that is broken."""
    here = night("ProviderErrorRatio", group_by=("alert",), group_wait=60.0)
    names = [f"provider-{n:02}" for n in range(1, 13)]
    for second in range(300):
        _one_each(here, names if second >= 150 else [], names)
    yield "Twelve at once", here.sent[0]


def two() -> Iterator[tuple[str, Message]]:
    """One of two ends before the other."""
    here = night("ProviderErrorRatio", group_by=("alert",), group_wait=60.0)
    names = ["claude", "gemini"]
    for second in range(300):
        _one_each(here, names if second >= 150 else [], names)
    for _ in range(3000):
        _one_each(here, names[:1], names)
        if "resolved" in here.sent[-1].body:
            break
    yield "One of two is over", here.sent[-1]


def _one_each(here: Night, broken: Collection[str], names: Collection[str]) -> None:
    """A second with a turn of each provider; two of three of the broken ones fail."""
    for name in names:
        facts: dict[str, Any] = {"provider_key": name}
        if name in broken and here.second % 3:
            facts |= {"bad": True, "fault": Fault.UPSTREAM_CONNECT, "status": None}
        here.observe(an_event(here.now, **facts))
    here.pass_second()


def itself() -> Iterator[tuple[str, Message]]:
    """What runbookd tells of itself, and what it tells of nothing."""
    here = night("EventsDropped")
    reading = SelfReading(
        condition=Condition.EVENTS_DROPPED,
        holds=True,
        value=312.0,
        reason="312 of 4020 events of the last 10m never arrived",
        emitted_at=here.now,
    )
    here.observe(reading)
    for _ in range(20):
        here.pass_second()
    yield "About runbookd itself", here.sent[0]
    row = test(Receiver(name="operators"), 604_800.0, here.now)
    yield "A test", Message(title=row.title, body=row.body)


def page() -> str:
    """All of it, as Markdown."""
    told = [one for scene in (limited, spark, crowd, two, itself) for one in scene()]
    return joined(HEAD, *(f"### {name}\n\n```text\n{shown(message)}\n```" for name, message in told))


def shown(message: Message) -> str:
    """The title, and the body below it."""
    return f"{message.title}\n\n{with_links(message)}"


if __name__ == "__main__":
    sys.stdout.write(page())
