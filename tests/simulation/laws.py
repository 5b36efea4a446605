"""The laws of the life of an alert, each a small function that says what is wrong, and the court that asks them all."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from daemon.domain.alert import Alert, AlertState, EpisodeChange, ResolvedBecause, Severity
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.domain.notification import NotificationReason, NotificationStatus
from daemon.logic.judging import Judgement
from daemon.logic.rules.ratio import RatioRule
from tests.simulation.deeds import OF_ACTING_STEPS, OF_ROWS, OF_THE_END, OF_WRITES, Deeds
from tests.simulation.history import Change, History, is_bad
from tests.simulation.rules import EVALUATION_FAILING, STREAK

SLACK_MS = 10_000
LATE_MS = 30_000
LONGEST_ROW_MS = 86_400_000
"""A bucket: windows begin and end at buckets."""
WHOLE_COVERAGE = 0.8
"""Of the events that were emitted in a window: below it nothing new is acted on."""
MOMENT_MS = 1_000
"""Seconds are judged a moment after they end."""
PROMPT_MS = 3_000
"""From what happens to what is made of it, while the process runs."""
SELDOM_SECONDS = 7
"""So often it is looked at what acts and shows, and whenever that changes: it costs much."""

State = AlertState
ALLOWED = {
    State.INACTIVE: {State.PENDING, State.FIRING},
    State.PENDING: {State.FIRING, State.INACTIVE},
    State.FIRING: {State.CLEARING, State.RESOLVED},
    State.CLEARING: {State.FIRING, State.RESOLVED},
    State.RESOLVED: {State.PENDING, State.FIRING},
}
_TOLD = (State.FIRING, State.RESOLVED)


class Broken(AssertionError):
    """A law was broken."""


# ---- of one change ---------------------------------------------------------------------------------------------------


def states_follow_the_table(change: Change, history: History) -> Iterator[str]:
    """A state is followed only by those that the table names."""
    if change.after.state not in ALLOWED[change.before]:
        yield f"{change.before} became {change.after.state}"


def nothing_fires_before_its_time(change: Change, history: History) -> Iterator[str]:
    """`for` was served by a process that ran: from when it was pending, or from the first failure that counts."""
    rule = history.rules.get(change.after.alert)
    if change.after.state is State.FIRING and change.before is not State.CLEARING and rule:
        wanted = 1000 * _of_level(rule, change.after.severity, "for_")
        # a row of failures may be longer than any window
        reach = round(rule.stretch_to * 1000) + SLACK_MS if rule.in_a_row == "none" else LONGEST_ROW_MS
        bad = [event for event in history.between(change.after, change.at - reach, change.at) if is_bad(event)]
        began = min((history.emitted[event.event_id] for event in bad), default=change.ran)
        began = min(began, change.began_ran) if change.before is State.PENDING else began
        served = change.ran - began
        if rule.in_a_row != "none" and bad:  # a row lasts as long as its turns say, whoever watched
            served = max(served, change.at - min(event.emitted_at for event in bad))
        if served < wanted - MOMENT_MS:
            yield f"fired after {served} of {wanted} ms"


def nothing_is_cleared_before_its_time(change: Change, history: History) -> Iterator[str]:
    """What is resolved as cleared was clear for all of `keep_firing_for`, in time that a process ran."""
    rule = history.rules.get(change.after.alert)
    if change.after.resolved_because is ResolvedBecause.CLEARED and change.after.state is State.RESOLVED and rule:
        wanted = 1000 * _of_level(rule, change.after.severity, "keep_firing_for")
        served = change.ran - change.began_ran if change.before is State.CLEARING else 0
        if served < wanted - MOMENT_MS * (wanted > 0):
            yield f"cleared after {served} of {wanted} ms"


def missing_data_resolves_only_in_the_end(change: Change, history: History) -> Iterator[str]:
    """`no_data` needs a silence of `stretch_to`, unless the rule says `no_data: resolve`."""
    rule = history.rules.get(change.after.alert)
    if change.after.resolved_because is ResolvedBecause.NO_DATA and change.after.state is State.RESOLVED and rule:
        seconds = rule.window if rule.no_data == "resolve" else rule.stretch_to
        heard = history.between(change.after, change.at - round(seconds * 1000) + SLACK_MS, change.at)
        if (event := next(heard, None)) is not None:
            yield f"resolved as no_data {change.at - event.emitted_at} ms after an event"


def only_a_changed_file_removes(change: Change, history: History) -> Iterator[str]:
    """An alert ends for its rule's sake only when the rules were changed."""
    because = change.after.resolved_because
    of_itself = because in (ResolvedBecause.CLEARED, ResolvedBecause.NO_DATA)
    if change.after.state is State.RESOLVED and not of_itself and not history.rules_changed:
        yield f"resolved as {because} though no rule changed"


def a_rule_that_raises_keeps_its_state(change: Change, history: History) -> Iterator[str]:
    """What cannot be judged does not change."""
    for_its_sake = change.after.resolved_because in (ResolvedBecause.RULE_REMOVED, ResolvedBecause.RULE_CHANGED)
    if change.after.alert in history.errors and not for_its_sake:
        yield f"{change.before} became {change.after.state} while the rule could not be judged"


def a_healthy_day_opens_nothing(change: Change, history: History) -> Iterator[str]:
    """Where no provider fails, nothing is even suspected."""
    if history.healthy and change.after.alert != EVALUATION_FAILING:
        yield f"{change.after.state} on a healthy day"


# ---- of one commit ---------------------------------------------------------------------------------------------------


def episodes_are_told_in_order(history: History) -> Iterator[str]:
    """An episode is opened once, then escalated or eased, then closed once; then it may open anew."""
    for step in history.offered:
        told = history.told.get(step.episode)
        if step.before is not told:
            yield f"{step.alert.alert} {step.change} from {step.before} after it was told to be {told}"
        if step.change is not _expected(told, step.after):
            yield f"{step.alert.alert} {step.change} from {told} to {step.after}"
        history.told[step.episode] = step.after


def the_story_agrees_with_the_alerts(history: History) -> Iterator[str]:
    """The last step of an episode says the highest severity that fires in the ledger."""
    firing: defaultdict[str, list[Severity]] = defaultdict(list)
    for row in history.rows.values():
        firing[row.episode] += [row.severity] if row.is_firing else []
    for episode, severities in firing.items():
        highest = max(severities, key=lambda severity: severity.rank, default=None)
        if history.told.get(episode) is not highest:
            yield f"{episode} was told to be {history.told.get(episode)}, but {highest} fires"


def no_step_is_lost(history: History) -> Iterator[str]:
    """What was judged is in the next decision that is committed, also when the store refused the one before."""
    if list(history.offered) != history.waiting:
        yield f"{len(history.waiting)} steps were judged, {len(history.offered)} committed"
    for fingerprint, alert in history.memory.alerts.items():
        row = history.rows.get(fingerprint)
        if row is None or row.state is not alert.state:
            yield f"{alert.alert} is {alert.state}, in the ledger {row and row.state}"


def the_ledger_never_goes_back(history: History) -> Iterator[str]:
    """A later row of an alert does not begin before an earlier one, unless the clock went back."""
    for row in history.decision.alerts:
        before = history.before.get(row.fingerprint)
        if before and row.since < before.since <= history.now:
            yield f"{row.alert} {row.state} since {row.since} after {before.state} since {before.since}"


def no_decision_is_half(history: History) -> Iterator[str]:
    """A transition comes with its audit entry and its message, a mitigation with the alert that wants it."""
    decision = history.decision
    said = {(entry.subject, entry.action) for entry in decision.audit}
    for row in decision.alerts:
        if row.state in _TOLD and (f"alert:{row.alert}", row.state.value) not in said:
            yield f"{row.alert} {row.state} without an audit entry"
    meant = {episode for row in decision.notifications for episode in row.episodes}
    for step in history.offered:
        if step.change is EpisodeChange.OPENED and step.episode not in meant:
            yield f"{step.alert.alert} opened without a message"
    for row in decision.mitigations:
        fires = any(history.rows[owner].is_firing for owner in row.owners if owner in history.rows)
        if row.state is MitigationState.PLANNED and not fires:
            yield f"{row.name} was planned for an alert that does not fire in the ledger"


# ---- of what is sent -------------------------------------------------------------------------------------------------


def nobody_hears_twice_of_one_opening(history: History) -> Iterator[str]:
    """A message that opens tells of an episode which was opened since the last message that named it."""
    for row in history.decision.notifications:
        if row.status is not NotificationStatus.DELIVERED or row.reason is NotificationReason.MITIGATION:
            continue
        fresh = [episode for episode in row.episodes if history.openings[episode] > history.heard[episode]]
        if row.reason is NotificationReason.OPENED and not fresh:
            yield f"{row.title} was opened again before it was closed"
        history.heard |= {episode: history.openings[episode] for episode in row.episodes}


# ---- of one step -----------------------------------------------------------------------------------------------------


def nothing_acts_without_evidence(history: History) -> Iterator[str]:
    """What acts fires, and the failures that it speaks of happened in the window that it names."""
    firing = {alert.fingerprint: alert for alert in history.firing}
    for fingerprint in history.acting - history.own:
        alert = firing.get(fingerprint)
        if alert is None or alert.state is not State.FIRING or alert.degraded:
            yield f"{alert} acts"
            continue
        rule, last = history.rules[alert.alert], history.now // 1000 * 1000
        span = round((alert.window_seconds or 0.0) * 1000) + SLACK_MS
        bad = [is_bad(event) for event in history.between(alert, last - span, last)]
        above = rule.levels[alert.severity].above
        streak = rule.in_a_row != "none" and sum(bad) >= STREAK
        if not 0 < alert.bad <= sum(bad) or alert.samples > len(bad) or ((alert.value or 0.0) <= above and not streak):
            yield f"{alert.alert} acts on {alert.bad} of {alert.samples}; {sum(bad)} of {len(bad)} are known"


def nothing_acts_on_a_hole(history: History) -> Iterator[str]:
    """Below the coverage that is whole nothing acts."""
    for alert in history.firing:
        if alert.fingerprint in history.acting - history.own:
            window = round(history.rules[alert.alert].window * 1000)
            last = history.now // 1000 * 1000
            spans = range(window - SLACK_MS, window + SLACK_MS + 1, 1000)
            if all(_coverage(history, last - span, last + SLACK_MS) < WHOLE_COVERAGE for span in spans):
                yield f"{alert.alert} acts on {_coverage(history, last - window, last):.0%} of the events"


def an_outage_is_critical_after_a_few_turns(history: History) -> Iterator[str]:
    """So many failed turns in a row, `for` and a moment later the critical alert fires."""
    for name, rule in history.rules.items():
        if rule.in_a_row == "none" or Severity.CRITICAL not in rule.levels or name in history.raising:
            continue
        wait = round(1000 * _of_level(rule, Severity.CRITICAL, "for_")) + PROMPT_MS
        for provider, run in history.runs.items():
            certain = len(run) >= STREAK and history.ran - max(run[STREAK - 1], history.quiet_until) > wait
            longest = max((later - earlier for earlier, later in pairwise((*run, history.ran))), default=0)
            fires = any(_is(alert, name, provider) for alert in history.firing)
            if certain and longest < rule.stretch_to * 1000 - LATE_MS - SLACK_MS and not fires:
                yield f"{name} of {provider} does not fire after {len(run)} failures in a row"


def judging_goes_on(history: History) -> Iterator[str]:
    """Whatever the clock does: a process that runs judges, at the latest when it is looked at for the second time."""
    if history.ran - history.judged_ran > PROMPT_MS and history.looks > 1:
        yield f"nothing was judged for {(history.ran - history.judged_ran) // 1000} s"


def failing_evaluation_is_told(history: History, alerts: Sequence[Alert]) -> Iterator[str]:
    """While a rule cannot be judged `EvaluationFailing` fires."""
    fires = any(alert.alert == EVALUATION_FAILING and alert.is_firing for alert in alerts)
    if fires is not bool(history.errors) and history.ran - history.errors_changed > SLACK_MS + PROMPT_MS:
        yield f"{EVALUATION_FAILING} fires: {fires}; rules that raise: {history.errors}"


def a_deleted_rule_has_no_alerts(history: History, alerts: Sequence[Alert]) -> Iterator[str]:
    """What a rule that is gone, or a level of it, had raised has ended."""
    for alert in alerts:
        rule = history.rules.get(alert.alert)
        gone = alert.alert != EVALUATION_FAILING and (rule is None or alert.severity not in rule.levels)
        if gone and not history.looks and alert.state not in (State.RESOLVED, State.INACTIVE):
            yield f"{alert.alert} {alert.severity} is {alert.state} without its rule"


OF_CHANGES: Sequence[Callable[[Change, History], Iterator[str]]] = (
    states_follow_the_table,
    nothing_fires_before_its_time,
    nothing_is_cleared_before_its_time,
    missing_data_resolves_only_in_the_end,
    only_a_changed_file_removes,
    a_rule_that_raises_keeps_its_state,
    a_healthy_day_opens_nothing,
)
OF_COMMITS: Sequence[Callable[[History], Iterator[str]]] = (
    episodes_are_told_in_order,
    no_step_is_lost,
    the_ledger_never_goes_back,
    no_decision_is_half,
    the_story_agrees_with_the_alerts,
)
OF_ACTING: Sequence[Callable[[History], Iterator[str]]] = (nothing_acts_without_evidence, nothing_acts_on_a_hole)
OF_STEPS: Sequence[Callable[[History], Iterator[str]]] = (
    an_outage_is_critical_after_a_few_turns,
    judging_goes_on,
)
OF_ALERTS: Sequence[Callable[[History, Sequence[Alert]], Iterator[str]]] = (
    failing_evaluation_is_told,
    a_deleted_rule_has_no_alerts,
)


class Court:
    """Hears of everything that happens, and raises `Broken` at once when it breaks a law."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.deeds = Deeds()
        self.is_judging = False
        self._acted: frozenset[str] = frozenset()

    def judged(self, at: int, judgement: Judgement) -> None:
        history = self.history
        errors = tuple(name for name, _ in judgement.errors)
        history.errors_changed = history.errors_changed if errors == history.errors else history.ran
        history.errors = errors
        for change in history.judged(at, judgement.changed, judgement.steps):
            for law in OF_CHANGES:
                self._ask(law.__name__, f"{change.after.alert} {change.after.severity}: ", law(change, history))

    def committed(self, decision: Decision, before: Mapping[str, Alert], rows: Mapping[str, Alert]) -> None:
        history = self.history
        history.decision, history.before, history.rows = decision, before, rows
        self._ask("nobody_hears_twice_of_one_opening", "", nobody_hears_twice_of_one_opening(history))
        if not self.is_judging:
            return
        for law in OF_COMMITS:
            self._ask(law.__name__, "", law(history))
        opened = [step for step in history.offered if step.change is EpisodeChange.OPENED]
        history.openings.update(step.episode for step in opened)
        history.steps += history.offered
        history.offered, history.waiting = (), []
        history.committed = history.memory.copy()

    def rows_committed(self, decision: Decision, before: Mapping[str, Mitigation]) -> None:
        """Whoever commits them; the ledger has them."""
        self.deeds.decision, self.deeds.before = decision, before
        self._ask_of_deeds(OF_ROWS)

    def writes(self, value: object) -> None:
        """A value is about to be written to the upstream."""
        self.deeds.value = value
        self.deeds.writes.append(self.history.now)
        self._ask_of_deeds(OF_WRITES)

    def acted(self) -> None:
        """All was done upstream that could be done in this second."""
        self.deeds.firing = {alert.fingerprint for alert in self.history.firing}
        self._ask_of_deeds(OF_ACTING_STEPS)

    def ended(self) -> None:
        """The day, and the quiet after it."""
        self._ask_of_deeds(OF_THE_END)

    def _ask_of_deeds(self, laws: Sequence[Callable[[Deeds], Iterator[str]]]) -> None:
        self.deeds.now, self.deeds.ran = self.history.now, self.history.ran
        for law in laws:
            self._ask(law.__name__, "", law(self.deeds))

    def stepped(self, alerts: Callable[[], Sequence[Alert]]) -> None:
        history = self.history
        history.looks = 0 if history.judged_ran == history.ran else history.looks + 1
        for law in OF_STEPS:
            self._ask(law.__name__, "", law(history))
        if history.acting != self._acted or history.now // 1000 % SELDOM_SECONDS == 0:
            self._acted = history.acting
            for law in OF_ACTING:
                self._ask(law.__name__, "", law(history))
            present = alerts()
            for told in OF_ALERTS:
                self._ask(told.__name__, "", told(history, present))
        history.ran_before = history.ran
        history.rules_changed &= history.looks > 0

    def _ask(self, law: str, about: str, wrongs: Iterator[str]) -> None:
        for wrong in wrongs:
            raise Broken(f"{law}: {about}{wrong}")


def _of_level(rule: RatioRule, severity: Severity, name: str) -> float:
    own = getattr(rule.levels[severity], name) if severity in rule.levels else None
    return float(getattr(rule, name) if own is None else own)


def _expected(before: Severity | None, after: Severity | None) -> EpisodeChange | None:
    if before is None or after is None:
        return None if before is after else EpisodeChange.OPENED if before is None else EpisodeChange.CLOSED
    return None if before is after else EpisodeChange.ESCALATED if after.rank > before.rank else EpisodeChange.EASED


def _coverage(history: History, since: int, until: int) -> float:
    told = [(emitted, lost) for at, emitted, lost in history.coverage if since <= at < until]
    emitted, lost = sum(emitted for emitted, _ in told), sum(lost for _, lost in told)
    return 1.0 if not emitted else (emitted - lost) / emitted


def _is(alert: Alert, name: str, provider: str) -> bool:
    return alert.alert == name and alert.severity is Severity.CRITICAL and ("provider_key", provider) in alert.labels
