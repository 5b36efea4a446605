"""The book of all rules: takes items in, and judges them at whole seconds of event time."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple

from daemon.domain.alert import Alert, AlertState, EpisodeStep, ResolvedBecause, Severity
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.event import Event
from daemon.domain.explanation import Look
from daemon.domain.joined import Joined
from daemon.domain.labels import Labels, labels_of
from daemon.domain.rollup import Rollup
from daemon.domain.rule_figures import RuleFigures
from daemon.domain.sample import Band, Query, Verdict
from daemon.logic.evidence import Extremes, extremes
from daemon.logic.lifecycle import end
from daemon.logic.series import Series, episode_step, verdicts_of
from daemon.logic.tally import Kind, Tally, Track
from daemon.logic.windows import COARSEST_MS, Ring

SECOND_MS = 1000
MOST_ALIKE = 10_000
"""Kinds of events that are remembered: models and keys are named by clients."""
MANY_VALUES = frozenset(
    f"{name}_tokens" for name in ("input", "output", "reasoning", "cache_read", "cache_write", "total")
) | {"duration_ms", "ttfb_ms", "ttft_ms", "largest_gap_ms", "request_bytes", "response_bytes", "trace_id", "turn_key"}
"""Fields by which hardly two events are alike."""
MOST_LOOKED_AT = 20
"""Label sets that are explained: to read more of them nobody has the time."""
FEW_RULES = 5
"""So many are judged in less time than it takes to read all windows."""
LOSSES_SECONDS = 86_400.0
"""How long it is known that something was lost; no window is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one instant changed. `errors` are rules that could not be judged: their state is kept."""

    changed: tuple[Alert, ...] = ()
    steps: tuple[EpisodeStep, ...] = ()
    errors: tuple[tuple[str, Exception], ...] = ()


class _Account:
    """One rule, with the series of those label sets that have a story."""

    def __init__(self, rule: Rule, query: Query) -> None:
        self.rule = rule
        self.query = query
        self.series: dict[Labels, Series] = {}
        self.acts = any(level.mitigate for level in rule.levels.values())
        self.failure: tuple[int, Exception] | None = None
        """When it could not be judged, and why; it stands until it can."""
        bands = {severity: rule.band(severity) for severity in rule.levels}
        self.bands = {severity: band for severity, band in bands.items() if band is not None}
        self.is_banded = len(self.bands) == len(self.rule.levels)
        """There is a band for every level: figures tell whether it can be raised."""
        self.least = _least(self.bands.values())
        self.rests = self.is_banded and not self.acts and all(_is_ratio(band) for band in self.bands.values())
        """And they tell whether what fires can change. For what acts, the evidence of this moment counts."""

    def judge(
        self, track: Track, at: int, coverage: float, changed: list[Alert], steps: list[EpisodeStep]
    ) -> Exception | None:
        """Notes what changed; gives the error of a rule that could not say anything."""
        series = self.series.get(track.labels)
        if series is None and not self._watches(track, at):
            return None
        verdicts, failure = None, None
        try:
            verdicts = verdicts_of(self.rule, track.reading(at, series.floor if series else 0))
        except Exception as error:
            failure = error
            if self.rule.on_error == "hold":
                if series is not None:
                    series.forget_evidence()
                return failure
        if series is None:
            if verdicts is None or not any(one.raises or one.suspects for one in verdicts.values()):
                return failure
            series = Series(self.rule, self.query, track.labels)
        before = _highest(series)
        if those := series.advance(verdicts, track, at, degraded=self.rule.is_degraded(coverage)):
            self.series[track.labels] = series
            changed += those
            after = _highest(series)
            tellers = [alert for alert in series.present(track) if alert.severity is (after or before)]
            if tellers and (step := episode_step(before, after, at, tellers[0])):
                steps.append(step)
        return failure

    def look(self, track: Track, at: int, coverage: float) -> Iterator[Look]:
        """What each level says about a label set."""
        series = self.series.get(track.labels)
        past = (
            []
            if series or self._watches(track, at)
            else ["it is not watched any more: `active` is only for what is new"]
        )
        reading = track.reading(at, series.floor if series else 0)
        for severity in self.rule.levels:
            verdict: Verdict | None = None
            try:
                verdict, why = self.rule.judge(severity, reading), self.rule.why(severity, reading)
            except Exception as error:
                why = [f"it cannot be judged: {type(error).__name__}: {error}"]
            yield Look(
                labels=labels_of(self.rule.labels | dict(track.labels)),
                severity=severity,
                verdict=verdict,
                row=reading.row.bad,
                coverage=coverage,
                why=(*why, *past),
            )

    def _watches(self, track: Track, at: int) -> bool:
        """A rule that watches only what is new looks at nothing else."""
        return self.rule.active is None or at - track.began_at <= self.rule.active.for_ * 1000

    def note(self, error: Exception | None, at: int) -> None:
        """How a judgement ended; those of one instant count together."""
        if error is not None:
            self.failure = at, error
        elif self.failure is not None and self.failure[0] < at:
            self.failure = None

    def standing(self, labels: Labels) -> "_Standing | None":
        """What figures can change it; None when no level is on its way."""
        series = self.series.get(labels)
        if series is None or not series.is_active:
            return None
        firing = [severity for severity, alert in series.alerts.items() if alert.is_firing]
        quiet = [band.above for severity, band in self.bands.items() if severity not in firing]
        return _Standing(
            is_waiting=series.is_waiting or not self.rests,
            above=min(quiet, default=inf),
            clear_below=max((self.bands[severity].clear_below for severity in firing if self.is_banded), default=-inf),
        )

    def may_be_row(self, track: Track) -> bool:
        """Whether a row of bad ones could raise it; in what began before its series' floor there may be more."""
        bad = track.row.bad
        return bad >= self.least.row or bool(bad and track.labels in self.series)


class _Standing(NamedTuple):
    """A series with a story: it may change in any second (`is_waiting`), or outside of these ratios."""

    is_waiting: bool
    above: float
    clear_below: float

    def is_outside(self, seen: Extremes) -> bool:
        return seen.trough < self.clear_below or seen.peak > self.above


class _Table:
    """One tally, and the accounts that are judged by it. Mostly most of them cannot change: they are not looked at."""

    def __init__(self, query: Query, owner: str | None) -> None:
        self.tally = Tally(query)
        self.owner = owner
        """The only rule that is judged by it, where that rule acts."""
        self.accounts: list[_Account] = []
        self.active: dict[Labels, dict[_Account, _Standing]] = {}
        self._unbanded: list[_Account] = []
        self._banded: list[_Account] = []
        self._aboves: list[float] = []
        self._in_rows: list[_Account] = []
        self._least = _least(())
        self._outermost: dict[Labels, _Standing] = {}
        self._waiting: dict[Labels, dict[_Account, None]] = {}
        """Those that are looked at in every second."""
        self._asked_at = 0

    def seat(self, account: _Account) -> None:
        """A rule that asks for these numbers."""
        self.accounts.append(account)
        self._unbanded = [one for one in self.accounts if not one.is_banded]
        self._banded = sorted((one for one in self.accounts if one.is_banded), key=lambda one: one.least.above)
        self._aboves = [one.least.above for one in self._banded]
        self._in_rows = [one for one in self._banded if one.least.row < inf]
        self._least = _least(one.least for one in self._banded)

    def due(self, at: int, *, everything: bool) -> list[Track]:
        """The tracks that an item, or the passing of time, could have changed."""
        if self.tally.query.stands:
            self.tally.track((), at)
        if not (self.tally.dirty or self.active or everything):
            return []
        dirty, self.tally.dirty = self.tally.dirty, set()
        tracks = self.tally.tracks
        for labels in self.active.keys() - tracks.keys():
            self.tally.track(labels, at)
        if everything:
            return list(tracks.values())
        return [tracks[labels] for labels in sorted(dirty | self.active.keys()) if labels in tracks]

    def candidates(self, track: Track, at: int) -> list[_Account]:
        """The accounts that could change by what the track holds now. One that acts is asked once in every second: that
        it cannot be judged must be known before it is needed."""
        is_asked, self._asked_at = self.owner is None or self._asked_at == at, at
        waiting = self._waiting.get(track.labels, {})
        if not is_asked or len(waiting) == len(self._banded):
            return self.accounts
        active = self.active.get(track.labels, {})
        rows = {one: None for one in self._in_rows if one not in active and one.may_be_row(track)}
        if not active and not rows and track.is_calm(at, self._least.above):
            return self._unbanded
        if len(self._banded) <= FEW_RULES and all(standing.is_waiting for standing in active.values()):
            return self.accounts
        seen = extremes(track.sums(at), self._least)
        if seen is None:
            return [*self._unbanded, *(one for one in active if one.is_banded)]
        raised = self._banded[: bisect_left(self._aboves, seen.peak)]
        found = [one for one in raised if one.least.bound_above < seen.bound and one not in active and one not in rows]
        found += [*rows, *waiting]
        if active and self._outermost_of(track.labels).is_outside(seen):
            found += [one for one, standing in self._resting(track.labels) if standing.is_outside(seen)]
        return self._unbanded + found

    def is_resting(self, account: _Account, labels: Labels) -> bool:
        """Whether it is on its way and passed over as long as its figures are what they are."""
        standing = self.active.get(labels, {}).get(account)
        return standing is not None and not standing.is_waiting

    def _resting(self, labels: Labels) -> list[tuple[_Account, _Standing]]:
        """Those that only figures can change."""
        return [pair for pair in self.active[labels].items() if not pair[1].is_waiting]

    def _outermost_of(self, labels: Labels) -> _Standing:
        """Where none of the active ones of a label set changes."""
        if labels not in self._outermost:
            standings = [standing for _, standing in self._resting(labels)]
            self._outermost[labels] = _Standing(
                is_waiting=False,
                above=min((one.above for one in standings), default=inf),
                clear_below=max((one.clear_below for one in standings), default=-inf),
            )
        return self._outermost[labels]

    def settle(self, account: _Account, labels: Labels) -> None:
        """After a judgement: whether the series has to be looked at again."""
        standing = account.standing(labels)
        if standing == self.active.get(labels, {}).get(account):
            return
        self._outermost.pop(labels, None)
        waiting = self._waiting.setdefault(labels, {})
        waiting.pop(account, None)
        if standing is not None and standing.is_waiting and account.is_banded:
            waiting[account] = None
        if not waiting:
            del self._waiting[labels]
        if standing is not None:
            self.active.setdefault(labels, {})[account] = standing
        elif labels in self.active:
            self.active[labels].pop(account, None)
            if not self.active[labels]:
                del self.active[labels]

    def forget(self, at: int) -> None:
        """Lets go of what has no story and no numbers any more."""
        for track in list(self.tally.tracks.values()):
            track.forget(at)
            if track.is_empty and track.labels not in self.active:
                del self.tally.tracks[track.labels]
                for account in self.accounts:
                    account.series.pop(track.labels, None)


class _Alike:
    """What the tables make of events, remembered for those that are alike in all that the tables read: of a thousand
    events hardly a dozen differ in it."""

    def __init__(self, tables: Iterable[_Table]) -> None:
        known = {table: _reads(table.tally.query) for table in tables}
        self._tables = [table for table, names in known.items() if names is not None]
        self.others = [
            table for table, names in known.items() if names is None and issubclass(Event, table.tally.query.origin)
        ]
        """Those that read more of an event than can be remembered."""
        names = sorted(frozenset().union(*(names for names in known.values() if names is not None)))
        self._signature = attrgetter(*names, "requested_model") if names else None
        self._kinds: dict[Any, tuple[tuple[_Table, Kind], ...]] = {}

    def kinds(self, event: Event) -> Sequence[tuple[_Table, Kind]] | None:
        """The tables that count an event, and as what; None where a table cannot say it."""
        if self._signature is None:
            return ()
        signature = self._signature(event)
        if (found := self._kinds.get(signature)) is None:
            try:
                kinds = [(table, table.tally.kind_of(event)) for table in self._tables]
            except Exception:
                return None
            if len(self._kinds) >= MOST_ALIKE:
                self._kinds.clear()
            found = self._kinds[signature] = tuple((table, kind) for table, kind in kinds if kind is not None)
        return found


def _reads(query: Query) -> frozenset[str] | None:
    """The fields that decide what becomes of an event; None where they are not known, or have too many values."""
    of, bad = getattr(query.of, "names", None), getattr(query.bad, "names", None)
    if query.origin is not Event or query.measure is not None or of is None or bad is None:
        return None
    names: frozenset[str] = of | bad | frozenset(query.by)
    return None if names & MANY_VALUES else names


class Book:
    """Every series of every rule. Sans-IO: time comes in, changes go out.

    `mitigated` tells which rules (by alert name) a mitigation id belongs to: what a mitigation rewrote is no evidence
    for them, for a fallback would cure its own signal. `losses` counts what was emitted, and what of it never arrived;
    it outlives a book.
    """

    def __init__(
        self,
        config: AlertsConfig,
        mitigated: Callable[[str], Collection[str]] = lambda _: (),
        losses: Ring | None = None,
    ) -> None:
        self._losses = Ring(COARSEST_MS, LOSSES_SECONDS) if losses is None else losses
        self._tables: dict[tuple[str | None, Hashable], _Table] = {}
        self._places: dict[str, tuple[_Table, _Account]] = {}
        for rule in config.rules:
            self._seat(rule, rule.query(config.selections))
        self._alike = _Alike(self._tables.values())
        self._mitigated = mitigated
        self._held: list[tuple[int, Any]] = []
        self._orphans: list[Alert] = []
        self._errors: dict[str, Exception] = {}
        self._judged_at = 0

    def _seat(self, rule: Rule, query: Query) -> None:
        """What a rule's own mitigation rewrote counts for others and not for it: a rule that acts shares nothing."""
        account = _Account(rule, query)
        owner = rule.alert if account.acts else None
        table = self._tables.setdefault((owner, query.key), _Table(query, owner))
        table.seat(account)
        self._places[rule.alert] = table, account

    @property
    def longest_window_seconds(self) -> float:
        """How far back events must be known."""
        queries = [table.tally.query for table in self._tables.values()]
        return max((query.stretch_to_seconds for query in queries if query.origin is Event), default=0.0)

    @property
    def history_seconds(self) -> float:
        """How far back closed hours must be known; 0 where no rule asks for any."""
        return max((table.tally.query.history_seconds for table in self._tables.values()), default=0.0)

    @property
    def is_active(self) -> bool:
        """Time alone can change something: judge the next second too."""
        return bool(self._held or self._orphans) or any(table.active for table in self._tables.values())

    @property
    def displaced(self) -> Mapping[str, int]:
        """How many label sets of a rule had to make room for others, where there were too many."""
        found = {name: table.tally.displaced_total for name, (table, _) in self._places.items()}
        return {name: total for name, total in found.items() if total}

    # ---- taking in -----------------------------------------------------------------------------------------------

    def observe(self, item: Any) -> None:
        """Holds an event, or a reading of another kind, until its second is judged."""
        self._held.append((item.emitted_at, item))

    def warm(self, item: Any) -> None:
        """Counts a stored event at once: it was judged in its time."""
        self._count(item.emitted_at, item, is_past=True)

    def lose(self, at: int, emitted: int, lost: int) -> None:
        """So many events were emitted, and so many of them never arrived."""
        self._losses.add(at, emitted, lost)

    def learn(self, hours: Sequence[Rollup]) -> None:
        """What is usual, from the hours of some days; blocking for as long as there are many."""
        for table in self._tables.values():
            if (baselines := table.tally.query.baselines) is not None:
                table.tally.learn(baselines(hours))

    def restore(self, alerts: Iterable[Alert], *, shift_ms: int = 0, silent_since: int = 0) -> None:
        """Stored alerts, as they were; `shift_ms` is the time in which nobody judged, and silence counts from
        `silent_since` (epoch ms) at the earliest. Those whose rule is gone end."""
        for alert in alerts:
            place = self._places.get(alert.alert)
            if place is not None and self._took_up(*place, alert, shift_ms, silent_since):
                continue
            if alert.state not in (AlertState.INACTIVE, AlertState.RESOLVED):
                self._orphans.append(alert)
        for table in self._tables.values():
            table.tally.dirty.update(table.tally.tracks)

    @staticmethod
    def _took_up(table: _Table, account: _Account, alert: Alert, shift_ms: int, silent_since: int) -> bool:
        labels = _series_labels(alert, account.query)
        series = account.series.get(labels) or Series(account.rule, account.query, labels)
        if not any(_is_same(alert, ours) for ours in series.alerts.values()):
            return False
        series.restore(alert, shift_ms, silent_since)
        account.series[labels] = series
        table.settle(account, labels)
        return True

    def pause(self, milliseconds: int) -> None:
        """So long nobody judged: the machine slept. No alert has served this time."""
        for _, account in self._places.values():
            for series in account.series.values():
                series.pause(milliseconds)

    def start_anew(self, fingerprints: Collection[str], at: int) -> None:
        """The windows of these alerts begin at an instant: a mitigation was released."""
        for table, account in self._places.values():
            for series in account.series.values():
                if any(alert.fingerprint in fingerprints for alert in series.alerts.values()):
                    series.floor = max(series.floor, at)
                    series.forget_evidence()  # what it had said of its models is said no more of an empty window
                    if (track := table.tally.tracks.get(series.labels)) is not None:
                        track.start_anew(at)

    # ---- judging -------------------------------------------------------------------------------------------------

    def judge(self, at: int) -> Judgement:
        """Judges a whole second (epoch ms): counts what was emitted before it, then looks at every series that it,
        or the passing of time, could have changed."""
        self._errors, self._judged_at = {}, at
        self._count_before(at)
        changed, steps = self._end_orphans(at)
        everything = at % COARSEST_MS == 0
        for table in self._tables.values():
            for track in table.due(at, everything=everything):
                accounts = table.candidates(track, at)
                coverage = self._coverage(at, table.tally.query.window_seconds) if accounts else 1.0
                for account in accounts:
                    if error := account.judge(track, at, coverage, changed, steps):
                        self._errors.setdefault(account.rule.alert, error)
                    account.note(error, at)
                    table.settle(account, track.labels)
            if everything:
                table.forget(at)
        return Judgement(changed=tuple(changed), steps=tuple(steps), errors=tuple(self._errors.items()))

    def _coverage(self, at: int, window_seconds: float) -> float:
        """Which share of what was emitted arrived."""
        emitted, lost = self._losses.counts(at, window_seconds)
        return (emitted - lost) / emitted if emitted else 1.0

    def _count_before(self, at: int) -> None:
        due, self._held = (
            [held for held in self._held if held[0] < at],
            [held for held in self._held if held[0] >= at],
        )
        for when, item in sorted(due, key=_in_order):
            self._count(when, item)

    def _count(self, at: int, item: Any, *, is_past: bool = False) -> None:
        tables: Iterable[_Table] = self._tables.values()
        ids = getattr(item, "mitigation_ids", ())
        if not ids and isinstance(item, Event) and (alike := self._alike.kinds(item)) is not None:
            for table, kind in alike:
                table.tally.count_kind(kind, at, table.active.__contains__, is_past=is_past)
            tables = self._alike.others
        elif isinstance(item, Joined):
            self._count_joined(at, item, is_past=is_past)
            return
        outside = {name for mitigation in ids for name in self._mitigated(mitigation)}
        for table in tables:
            if isinstance(item, table.tally.query.origin) and table.owner not in outside:
                self._count_in(table, at, item, is_past=is_past)

    def _count_joined(self, at: int, item: Joined, *, is_past: bool) -> None:
        """By those who did not count the turn itself, for it did not say yet what they ask for."""
        outside = {name for mitigation in item.event.mitigation_ids for name in self._mitigated(mitigation)}
        learned = item.learned
        for table in self._tables.values():
            query = table.tally.query
            if query.origin is Event and table.owner not in outside and not query.of(item.event):
                self._count_in(table, at, learned, is_past=is_past)

    def _count_in(self, table: _Table, at: int, item: Any, *, is_past: bool) -> None:
        try:
            table.tally.count(item, at, table.active.__contains__, is_past=is_past)
        except Exception as error:
            self._errors |= {account.rule.alert: error for account in table.accounts}
            for account in table.accounts:
                account.note(error, self._judged_at)

    def _end_orphans(self, at: int) -> tuple[list[Alert], list[EpisodeStep]]:
        """Alerts whose rule, or whose level, was removed or asks for something else now. What fired is resolved; its
        episode is closed once, or goes on with the level that is left."""
        orphans, self._orphans = self._orphans, []
        changed: list[Alert] = []
        steps: dict[str, EpisodeStep] = {}
        firing = sorted(self.firing(), key=lambda alert: alert.severity.rank) if orphans else []
        left = {alert.episode: alert for alert in firing}  # the highest one
        for alert in sorted(orphans, key=lambda alert: alert.severity.rank):
            because = ResolvedBecause.RULE_CHANGED if alert.alert in self._places else ResolvedBecause.RULE_REMOVED
            ended = end(alert, at, because)
            changed.append(ended)
            rest = left.get(alert.episode)
            before = alert.severity if rest is None else max(alert.severity, rest.severity, key=lambda one: one.rank)
            after = None if rest is None else rest.severity
            if alert.is_firing and (step := episode_step(before, after, at, rest or ended)):
                steps[alert.episode] = step
        return changed, list(steps.values())

    # ---- showing -------------------------------------------------------------------------------------------------

    def query_of(self, alert: Alert) -> Query | None:
        """What an alert's rule counts; None when the rule is gone, or counts something else by now."""
        place = self._places.get(alert.alert)
        if place is None or alert.expression not in ("", place[1].query.expression):
            return None
        return place[1].query

    def alerts(self) -> list[Alert]:
        """The present row of every alert that has a story."""
        return [alert for alert in self._present() if alert.since]

    def firing(self) -> list[Alert]:
        """Firing and clearing ones."""
        return [alert for alert in self._present() if alert.is_firing]

    def acknowledge(self, names: Mapping[str, str | None]) -> None:
        """Who looks after which alert, by fingerprint; it lasts until the alert is raised anew."""
        for _, account in self._places.values():
            for series in account.series.values():
                series.acknowledge(names)

    def waiting(self) -> list[Alert]:
        """Those between two states."""
        return [alert for alert in self._present() if alert.state in (AlertState.PENDING, AlertState.CLEARING)]

    def acting(self) -> frozenset[str]:
        """Fingerprints of those that ask for mitigations and whose evidence raises at this moment."""
        accounts = (account for _, account in self._places.values() if account.acts)
        series = (one for account in accounts for one in account.series.values())
        return frozenset(alert.fingerprint for one in series for alert in one.acting())

    def look(self, alert: str) -> list[Look]:
        """What a rule says about each of its label sets, the worst first and not all of them where they are many; empty
        without such a rule."""
        if (place := self._places.get(alert)) is None:
            return []
        table, account = place
        coverage = self._coverage(self._judged_at, table.tally.query.window_seconds)
        tracks = sorted(table.tally.tracks.values(), key=lambda track: self._trouble(account, track), reverse=True)
        return [look for track in tracks[:MOST_LOOKED_AT] for look in account.look(track, self._judged_at, coverage)]

    def verdicts(self, alert: str) -> list[tuple[Labels, Mapping[Severity, Verdict]]]:
        """What every level of a rule says about each of its label sets; without those that cannot be judged."""
        if (place := self._places.get(alert)) is None:
            return []
        table, account = place
        found: list[tuple[Labels, Mapping[Severity, Verdict]]] = []
        for labels, track in table.tally.tracks.items():
            series = account.series.get(labels)
            with suppress(Exception):  # the judgement tells it
                floor = series.floor if series else 0
                found.append((labels, verdicts_of(account.rule, track.reading(self._judged_at, floor))))
        return found

    def _trouble(self, account: _Account, track: Track) -> tuple[bool, int, int]:
        """What is on its way, then what has the most bad ones."""
        samples, bad = track.ring.counts(self._judged_at, account.query.stretch_to_seconds)
        series = account.series.get(track.labels)
        return series is not None and series.is_active, bad, samples

    def rules(self) -> list[RuleFigures]:
        """How every rule fares, in the order of the file."""
        return [self._figures(table, account) for table, account in self._places.values()]

    def _figures(self, table: _Table, account: _Account) -> RuleFigures:
        rule, failure = account.rule, account.failure
        alerts = [alert for series in account.series.values() for alert in series.alerts.values()]
        return RuleFigures(
            alert=rule.alert,
            kind=rule.kind,
            levels=tuple(rule.levels),
            series=len(table.tally.tracks),
            pending=sum(alert.state is AlertState.PENDING for alert in alerts),
            firing=sum(alert.is_firing for alert in alerts),
            displaced=table.tally.displaced_total,
            error=None if failure is None else f"{type(failure[1]).__name__}: {failure[1]}",
            degraded=rule.is_degraded(self._coverage(self._judged_at, table.tally.query.window_seconds)),
        )

    def _present(self) -> Iterator[Alert]:
        for table, account in self._places.values():
            for labels, series in account.series.items():
                track = table.tally.tracks.get(labels)
                if track is not None and table.is_resting(account, labels):
                    series.look(track, self._judged_at)
                yield from series.present(track)


def _in_order(held: tuple[int, Any]) -> tuple[int, int]:
    """In the order of emission, however they arrived."""
    return held[0], getattr(held[1], "event_id", 0)


def _is_same(stored: Alert, ours: Alert) -> bool:
    """Rows of earlier versions do not say what their rule counted."""
    return stored.fingerprint == ours.fingerprint and stored.expression in ("", ours.expression)


def _least(bands: Iterable[Band]) -> Band:
    """The least of what any of them asks for."""
    return Band(*map(min, zip(*bands, strict=True))) if (bands := list(bands)) else Band(inf, inf, 0.0, 0, 0)


def _is_ratio(band: Band) -> bool:
    """Nothing but a ratio raises and clears it."""
    return band.clear_below < inf and band.row == inf


def _highest(series: Series) -> Severity | None:
    firing = [alert.severity for alert in series.alerts.values() if alert.is_firing]
    return max(firing, key=lambda severity: severity.rank, default=None)


def _series_labels(alert: Alert, query: Query) -> Labels:
    """The labels that told the series apart, without those that the rule adds."""
    return tuple((name, value) for name, value in alert.labels if name in query.by)
