"""Planning: which of the changes that are wanted may be begun now, and a word about each that may not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from typing import Any

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.logic.mitigation import Change, kind_of
from daemon.logic.wishes import FALLBACK, Wish, lines, wishes

LONGEST_COOL_OFF_SECONDS = 7200.0

State = MitigationState


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a plan is made from; `rows` are the journal, newest first."""

    config: AlertsConfig
    rows: Sequence[Mitigation] = ()
    ceiling: Mode = Mode.AUTO
    has_management: bool = True
    served: frozenset[str] | None = None
    """The upstream's models; None when they are not known."""
    refused: frozenset[str] = frozenset()
    """Models that the upstream said it does not serve."""


def plan(situation: Situation, alerts: Iterable[Alert], now: int) -> Decision:
    """Rows to begin for alerts that may act now, the severest first, and notes on what cannot be begun.

    A row that is not to be carried out is ended from the start; there is one of them per episode.
    """
    begun: dict[str, Mitigation] = {}
    audit: list[AuditEntry] = []
    open_targets = {row.target for row in situation.rows if row.state.is_open}
    for alert in sorted(alerts, key=lambda alert: -alert.severity.rank):
        audit += _unlisted(situation.config, alert, now)
        for wish in wishes(situation.config, alert):
            target = wish.change.target
            if target in begun:
                begun[target] = replace(begun[target], owners=_with(begun[target].owners, wish.owner))
            elif target not in open_targets and (made := _begin(situation, wish, now)) is not None:
                if isinstance(made, Mitigation):
                    begun[target] = made
                    audit.append(entry(made, wish.actor, "planned", now))
                else:
                    audit.append(note(wish.actor, target, made, now, wish.owner, wish.since))
    return Decision(mitigations=tuple(begun.values()), audit=tuple(audit))


def begin(situation: Situation, wish: Wish, now: int) -> Mitigation | str:
    """The row of a wish that was granted by a human, whatever the mode and the past; or why there can be none."""
    chosen = _choose(situation, wish.change)
    return chosen if isinstance(chosen, str) else _row(wish, *chosen, Mode.AUTO, now)


def entry(row: Mitigation, actor: str, action: str, now: int) -> AuditEntry:
    """What was done to a row, for the audit."""
    back = row.state in (State.RESTORING, State.RESTORED)
    return AuditEntry(
        id="a" + _hash(row.id, action, now, row.attempts),
        at=now,
        actor=actor,
        subject=row.target,
        action=action,
        before=row.value_wanted if back else row.value_before,
        after=row.value_before if back else row.value_wanted,
        reason=row.evidence,
        outcome=row.outcome or row.state.value,
    )


def note(actor: str, subject: str, text: str, now: int, *episode: object) -> AuditEntry:
    """What was not done, and why. Its id is the same throughout an episode: it is said once."""
    name = "a" + _hash(actor, subject, text, *episode)
    return AuditEntry(id=name, at=now, actor=actor, subject=subject, action="noted", outcome=text)


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


def _begin(situation: Situation, wish: Wish, now: int) -> Mitigation | str | None:
    past = [row for row in situation.rows if row.target == wish.change.target]
    chosen = _choose(situation, wish.change)
    if isinstance(chosen, str):
        return chosen
    mode = situation.config.mode.soft if wish.change.soft else situation.config.mode.upstream
    row = _row(wish, *chosen, min(mode, situation.ceiling, key=lambda one: one.rank), now)
    if now < cool_until(past) or any(other.id == row.id or _answers(other, row, wish.since) for other in past):
        return None
    return _unless(situation, wish.change, row)


def _answers(past: Mitigation, row: Mitigation, since: int) -> bool:
    """Whether an ended row says all there is to say about a new one in this episode; what we restored may recur."""
    same = past.mode is row.mode and past.value_wanted == row.value_wanted and row.owners[0] in past.owners
    return same and not _is_ours(past) and past.planned_at >= since


def _is_ours(row: Mitigation) -> bool:
    """We restored it of ourselves, and nobody reverted it."""
    return row.state is State.RESTORED and row.held_by is None


def _unless(situation: Situation, change: Change, row: Mitigation) -> Mitigation:
    """The row, or the row ended at once by what stands against it."""
    words = kind_of(row.kind).say(row.target, row.value_wanted)
    if change.inert:
        return _ended(row, State.NOT_NEEDED, f"noted, not written, for this upstream ignores it: would {words}")
    if row.mode is Mode.SHADOW:
        return _ended(row, State.NOT_NEEDED, f"would {words}")
    if row.mode is Mode.ASK:
        return _ended(row, State.NOT_NEEDED, f"would {words}, and needs approval")
    if not row.soft and not situation.has_management:
        return _ended(row, State.FAILED, f"would {words}, but UPSTREAM_MANAGEMENT_KEY is not set")
    return row


def _ended(row: Mitigation, state: State, outcome: str) -> Mitigation:
    return replace(row, state=state, outcome=outcome, ended_at=row.planned_at)


def _choose(situation: Situation, change: Change) -> tuple[Any, Effect] | str:
    """The value to set and what is known of its effect. Nothing is led to a model that is led away itself."""
    if not change.soft:
        return change.choices[0], change.effect
    led_away = {row.target for row in situation.rows if row.state.is_open} | {change.target}
    left = [model for model in change.choices if f"model_alias:{model}" not in led_away]
    left = [model for model in left if model not in situation.refused]
    if situation.served is None and left:
        return left[0], Effect.UNVERIFIED
    found = next((model for model in left if model in (situation.served or ())), None)
    return (found, change.effect) if found else f"nothing is served that may stand in: {', '.join(change.choices)}"


def _row(wish: Wish, value: Any, effect: Effect, mode: Mode, now: int) -> Mitigation:
    change, options = wish.change, wish.options
    return Mitigation(
        id="m" + _hash(change.target, now),
        name=wish.name,
        kind=options.kind,
        target=change.target,
        state=State.PLANNED,
        mode=mode,
        soft=change.soft,
        owners=(wish.owner,),
        value_wanted=value,
        planned_at=now,
        hold=options.hold,
        cool_off=options.cool_off,
        max_hold=options.max_hold,
        release=change.release,
        verify=change.verify,
        effect=effect,
        evidence=wish.evidence,
    )


def _unlisted(config: AlertsConfig, alert: Alert, now: int) -> list[AuditEntry]:
    """A note about each model that `fallback` will not reroute, for it has no line."""
    if FALLBACK not in alert.mitigate or FALLBACK in config.mitigations:
        return []
    text, actor = "it has no line in `fallbacks`: watched, never rerouted", f"rule:{alert.alert}"
    alone = [model for model, line in lines(config, alert.models).items() if line is None]
    return [note(actor, f"model_alias:{model}", text, now, alert.fingerprint, alert.fired_at) for model in alone]


def _with(owners: tuple[str, ...], owner: str) -> tuple[str, ...]:
    return owners if owner in owners else (*owners, owner)


def _hash(*parts: object) -> str:
    return sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:10]
