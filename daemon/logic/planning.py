"""Planning: which of the changes that are wanted may be begun now, and a word about each that may not."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.logic.blast_radius import Refusal
from daemon.logic.choosing import choose
from daemon.logic.journal import was_overruled
from daemon.logic.mitigation import ceiling_of
from daemon.logic.new_rows import new_row, panic, unless
from daemon.logic.noting import entry, note
from daemon.logic.owning import not_done
from daemon.logic.proof import did_not_help
from daemon.logic.situation import Situation
from daemon.logic.wishes import FALLBACK, Wish, lines, wishes

LONGEST_COOL_OFF_SECONDS = 7200.0
HOUR_MS = 3_600_000

State = MitigationState


def plan(situation: Situation, alerts: Iterable[Alert], now: int) -> Decision:
    """Rows to begin for alerts that may act now, the severest first, and notes on what cannot be begun.

    A row that is not to be carried out is ended from the start; there is one of them per episode.
    """
    draft = _Draft(situation, now)
    for alert in sorted(alerts, key=lambda alert: -alert.severity.rank):
        draft.audit += _unlisted(situation.config, alert, now)
        for wish in wishes(situation.config, alert, situation.about(alert)):
            draft.add(wish)
    return Decision(mitigations=tuple(draft.begun.values()), audit=tuple(draft.audit))


class _Draft:
    """A plan in the making: `begun` are new rows by target."""

    def __init__(self, situation: Situation, now: int) -> None:
        self._situation = situation
        self._now = now
        self._open = {row.target: row for row in situation.rows if row.state.is_open}
        self._panicking: set[str] = set()
        self.begun: dict[str, Mitigation] = {}
        self.audit: list[AuditEntry] = []

    def add(self, wish: Wish) -> None:
        """Takes one wish into account, after those that are more severe."""
        taken = self.begun.get(wish.change.target) or self._open.get(wish.change.target)
        if taken is None:
            self._begin(wish)
        elif taken.value_wanted is not None and taken.value_wanted not in wish.change.choices:
            self._disagree(wish, taken)
        elif taken.target in self.begun:
            self.begun[taken.target] = replace(taken, owners=_with(taken.owners, wish.owner))

    def _begin(self, wish: Wish) -> None:
        made = _begin(self._situation, wish, self._situation.with_rows(self.begun.values()), self._now)
        if isinstance(made, Refusal) and made.panic and wish.owner not in self._panicking:
            self._panicking.add(wish.owner)  # once for all that it asks for
            made = _unless_said(self._situation, wish, panic(self._situation, wish, made, self._now))
        if isinstance(made, Mitigation):
            self.begun[made.target] = made
            self.audit.append(entry(made, wish.actor, "planned", self._now))
        elif made is not None:
            self._say(wish, made.words)

    def _disagree(self, wish: Wish, taken: Mitigation) -> None:
        """Whoever had the target first keeps it, and in one plan that is the more severe one; it is noted and told."""
        if wish.owner in taken.owners:
            return
        text = not_done(wish.actor.partition(":")[2], taken, wish.change.choices[0])
        self._say(wish, text)
        if taken.target in self.begun:
            self.begun[taken.target] = replace(taken, note=text)

    def _say(self, wish: Wish, words: str) -> None:
        self.audit.append(note(wish.actor, wish.change.target, words, self._now, wish.owner, wish.since))


def begin(situation: Situation, wish: Wish, now: int) -> Mitigation | str:
    """The row of a wish that was granted by a human, whatever the mode and the past; or why there can be none."""
    chosen = choose(situation, wish, situation.with_rows(()))
    return chosen.words if isinstance(chosen, Refusal) else new_row(situation, wish, chosen, Mode.AUTO, now)


def cool_until(past: Iterable[Mitigation]) -> int:
    """The instant (epoch ms) from which a target may be changed again; `past` are its rows, newest first.

    Only our own restores count; one that follows soon after another doubles the time.
    """
    restores = [(row.planned_at, row.ended_at, row) for row in past if _is_ours(row) and row.ended_at is not None]
    if not restores:
        return 0
    gaps = [later[0] - earlier[1] for later, earlier in pairwise(restores)]
    quick = next((index for index, gap in enumerate(gaps) if gap > LONGEST_COOL_OFF_SECONDS * 1000), len(gaps))
    _, ended_at, latest = restores[0]
    return ended_at + round(min(latest.cool_off * 2.0**quick, LONGEST_COOL_OFF_SECONDS) * 1000)


def _begin(situation: Situation, wish: Wish, rows: Sequence[Mitigation], now: int) -> Mitigation | Refusal | None:
    past = [row for row in situation.rows if row.target == wish.change.target]
    tried = {row.value_wanted for row in past if did_not_help(row.outcome) and _is_of(row, wish)}
    chosen = choose(situation, wish, rows, tried)
    if isinstance(chosen, Refusal):
        return chosen
    if now < cool_until(past):
        return None
    if wish.change.soft and sum(_began_at(row) > now - HOUR_MS for row in past) >= wish.options.max_changes_per_hour:
        return Refusal(words="there were as many changes in this hour as there may be")
    mode = situation.config.mode.soft if wish.change.soft else situation.config.mode.upstream
    ceiling = ceiling_of(wish.options.kind)
    row = new_row(situation, wish, chosen, min(mode, situation.ceiling, ceiling, key=lambda one: one.rank), now)
    return _unless_said(situation, wish, unless(situation, wish, row))


def _unless_said(situation: Situation, wish: Wish, row: Mitigation) -> Mitigation | None:
    past = (other for other in situation.rows if other.target == row.target)
    return None if any(other.id == row.id or _answers(other, row, wish) for other in past) else row


def _answers(past: Mitigation, row: Mitigation, wish: Wish) -> bool:
    """Whether an ended row says all there is to say about a new one in this episode; what we restored may recur."""
    same = past.mode is row.mode and past.value_wanted == row.value_wanted
    return same and not _is_ours(past) and _is_of(past, wish)


def _is_of(past: Mitigation, wish: Wish) -> bool:
    """Of this episode of the alert."""
    return wish.owner in past.owners and past.planned_at >= wish.since


def _is_ours(row: Mitigation) -> bool:
    """We restored it of ourselves, and nobody reverted it, nor did a more severe alert want it otherwise."""
    return row.state is State.RESTORED and row.held_by is None and not was_overruled(row.outcome)


def _began_at(row: Mitigation) -> int:
    return 0 if row.applied_at is None else row.applied_at


def _unlisted(config: AlertsConfig, alert: Alert, now: int) -> list[AuditEntry]:
    """A note about each model that `fallback` will not reroute, for it has no line."""
    if FALLBACK not in alert.mitigate or FALLBACK in config.mitigations:
        return []
    text, actor = "it has no line in `fallbacks`: watched, never rerouted", f"rule:{alert.alert}"
    alone = [model for model, line in lines(config, alert.models).items() if line is None]
    return [note(actor, f"model_alias:{model}", text, now, alert.fingerprint, alert.fired_at) for model in alone]


def _with(owners: tuple[str, ...], owner: str) -> tuple[str, ...]:
    return owners if owner in owners else (*owners, owner)
