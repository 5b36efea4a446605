"""The corpus of incidents: each is a report of real people, played as a timed example, and what has to come of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from daemon.adapters.config.alerts_file import Loaded, load
from daemon.adapters.config.validating import validated
from daemon.adapters.memory.notifier import Sent
from daemon.app.rule_test_file import case_mistakes, tree_of
from daemon.app.rule_testing import Played, TestFile, play
from daemon.app.shelf import scan
from daemon.domain.alert import Alert
from daemon.domain.alerts_config import Strict
from daemon.domain.errors import ConfigError
from daemon.domain.event import Event
from daemon.domain.mitigation import Mitigation, Mode
from daemon.domain.rule_test import Case
from daemon.domain.units import Duration
from daemon.logic.tally import label_of

HERE = Path(__file__).parent
RULES = HERE / "alerts.yaml"

Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple([value] if isinstance(value, str) else value))]


class Helps(Strict):
    """The mitigation that helps."""

    mitigation: str
    target: str
    exists: bool = True
    """Whether it can be done yet."""


class Head(Strict):
    """What happened to somebody, and what has to come of it. Alerts are written `Name (severity)`."""

    name: str
    report: tuple[str, ...] = Field(min_length=1)
    """Where it was reported."""
    says: str
    since: Duration
    """When it begins, in the case."""
    first: str | None = None
    """The alert that tells it first; none where nobody has to be told."""
    failed_turns: int = 0
    """At most so many until the first message: turns that the rule of `first` calls bad, not requests."""
    cause: Texts = ()
    """What the first message has to name."""
    helps: Helps | None = None
    """None where nothing does that we could do."""
    also: tuple[str, ...] = ()
    """Alerts that are right as well."""
    where: dict[str, Texts] = Field({})
    """What these alerts may be about, as far as their labels tell it."""


class Incident(Strict):
    """A file of the corpus."""

    incident: Head
    case: Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    head: Head
    played: Played
    rules: TestFile

    @property
    def fired(self) -> list[Alert]:
        """Each alert as it began to fire, in order."""
        known: set[tuple[str, int | None]] = set()
        found = []
        for alert in self.played.transitions:
            if alert.is_firing and (key := (alert.fingerprint, alert.fired_at)) not in known:
                known.add(key)
                found.append(alert)
        return found

    @property
    def first_alerts(self) -> list[str]:
        """The severest of those that fired in the first second; two rules may see it at once."""
        fired = self.fired
        began = [alert for alert in fired if alert.fired_at == fired[0].fired_at]
        worst = max((alert.severity for alert in began), key=lambda severity: severity.rank, default=None)
        return [_name(alert) for alert in began if alert.severity is worst]

    @property
    def first_message(self) -> Sent | None:
        return self.played.sent[0] if self.played.sent else None

    @property
    def names_cause(self) -> bool:
        """Whether the first message says all of it."""
        if self.first_message is None:
            return not self.head.cause
        message = self.first_message.message
        return all(text in f"{message.title}\n{message.body}" for text in self.head.cause)

    @property
    def false_alerts(self) -> list[str]:
        """What should not have fired, or fired before there was any reason to."""
        return [_name(alert) + _about(alert) for alert in self.fired if not self._is_right(alert)]

    @property
    def silent(self) -> list[str]:
        """What should have fired as well and did not."""
        return sorted({*self.head.also} - {_name(alert) for alert in self.fired})

    @property
    def mitigation(self) -> Mitigation | None:
        """The one that helps, as it was applied first."""
        wanted = self.head.helps
        rows = self.played.ground.ledger.mitigation_rows.values()
        applied = [row for row in rows if row.applied_at is not None]
        mine = [row for row in applied if wanted and (row.name, row.target) == (wanted.mitigation, wanted.target)]
        return min(mine, key=lambda row: row.planned_at, default=None)

    def failed_turns(self, until: int) -> int:
        """How many turns the rule of the first alert calls bad from the beginning of the incident to an instant (epoch
        ms)."""
        if self.head.first is None:
            return 0
        rule = next(one for one in self.rules.config.rules if one.alert == self.head.first.partition(" ")[0])
        query = rule.query(self.rules.config.selections)
        since = self.played.begins_at + round(self.head.since * 1000)
        turns = _turns(self.played)
        rows = [row for row in self.played.ground.events.rows.values() if since <= row.emitted_at <= until]
        return sum(row.event_id in turns and query.of(row) and query.bad(row) and self._concerns(row) for row in rows)

    def _concerns(self, event: Event) -> bool:
        fields = {name: values for name, values in self.head.where.items() if hasattr(event, name)}
        return all(label_of(getattr(event, name)) in values for name, values in fields.items())

    def _is_right(self, alert: Alert) -> bool:
        is_late = (alert.fired_at or 0) >= self.played.begins_at + round(self.head.since * 1000)
        is_there = all(value in self.head.where.get(name, (value,)) for name, value in alert.labels)
        return is_late and is_there and _name(alert) in {self.head.first, *self.head.also}


def incidents() -> Iterator[Path]:
    """The files, by name."""
    return (path for path in sorted(HERE.glob("*.yaml")) if path != RULES)


def read(path: Path) -> Incident:
    """An incident. Raises `ConfigError` with every mistake."""
    tree, mistakes = tree_of(path)
    found = validated(Incident, tree, mistakes)
    mistakes += case_mistakes(tree.child("case"), _rules())
    if found is None or mistakes:
        raise ConfigError(mistakes)
    return found


@cache
def outcome(path: Path) -> Outcome:
    """What comes of an incident."""
    found, loaded = read(path), _rules()
    file = TestFile(path=path, config=loaded.config, off=loaded.off, mode=Mode.AUTO, cases=(found.case,))
    return Outcome(head=found.incident, played=play(file, found.case), rules=file)


@cache
def _rules() -> Loaded:
    shelves = scan()
    return load(RULES, shelves)


def _turns(played: Played) -> frozenset[int]:
    """The ids of first requests. Not every client marks its retries: a turn is what was made when it was due."""
    due: set[int] = set()
    for spell in played.case.traffic:
        first, last = played.begins_at + spell.from_ * 1000, played.begins_at + spell.to * 1000
        due.update(round(first + number * spell.pause_ms) for number in range(int((last - first) / spell.pause_ms) + 1))
    return frozenset(event.event_id for event in played.turns if event.emitted_at in due and event.attempt == 0)


def _name(alert: Alert) -> str:
    return f"{alert.alert} ({alert.severity})"


def _about(alert: Alert) -> str:
    return "".join(f" {value}" for _, value in alert.labels)
