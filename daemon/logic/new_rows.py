"""New rows: what a change begins as, and the rows that end at once because something stands against them."""

from dataclasses import replace
from typing import Any

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.sample import Counts
from daemon.logic.blast_radius import Refusal
from daemon.logic.choosing import ALIAS, Choice
from daemon.logic.mitigation import kind_of
from daemon.logic.noting import short_hash
from daemon.logic.proof import figures
from daemon.logic.situation import Situation
from daemon.logic.wishes import Wish, query_of

State = MitigationState


def panic(situation: Situation, wish: Wish, refusal: Refusal, now: int) -> Mitigation:
    """A row that only says it: whoever reads of it has to look; it answers for nothing but itself."""
    row = new_row(situation, wish, Choice(value=None, effect=wish.change.effect), Mode.AUTO, now)
    return _ended(row, State.FAILED, f"critical: {refusal.words}; nothing is changed")


def unless(situation: Situation, wish: Wish, row: Mitigation) -> Mitigation:
    """The row, or the row ended at once by what stands against it."""
    words = kind_of(row.kind).say(row.target, row.value_wanted)
    if wish.change.inert and not wish.options.even_if_inert:
        return _ended(row, State.NOT_NEEDED, f"noted, not written, for this upstream ignores it: would {words}")
    if row.mode is Mode.SHADOW:
        return _ended(row, State.NOT_NEEDED, f"would {words}")
    if row.mode is Mode.ASK:
        until = row.planned_at + round(wish.options.approve_within * 1000)
        asked = replace(row, approve_until=until)
        return _ended(asked, State.NOT_NEEDED, f"would {words}, and needs approval")
    if not row.soft and not situation.has_management:
        return _ended(row, State.FAILED, f"would {words}, but UPSTREAM_MANAGEMENT_KEY is not set")
    return row


def _ended(row: Mitigation, state: State, outcome: str) -> Mitigation:
    return replace(row, state=state, outcome=outcome, ended_at=row.planned_at)


def new_row(situation: Situation, wish: Wish, chosen: Choice, mode: Mode, now: int) -> Mitigation:
    change, options = wish.change, wish.options
    return Mitigation(
        id="m" + short_hash(change.target, now),
        name=wish.name,
        kind=options.kind,
        target=change.target,
        state=State.PLANNED,
        mode=mode,
        soft=change.soft,
        owners=(wish.owner,),
        value_wanted=chosen.value,
        planned_at=now,
        hold=options.hold,
        cool_off=options.cool_off,
        max_hold=options.max_hold,
        release=change.release,
        verify=_verify(options, chosen.effect),
        effect=chosen.effect,
        evidence=wish.evidence,
        figures=_before(situation, wish),
    )


def _before(situation: Situation, wish: Wish) -> dict[str, int]:
    nothing, alert = Counts(0, 0), wish.alert
    counts_events = alert is not None and query_of(situation.config, alert) is not None
    counted = Counts(alert.samples, alert.bad) if alert is not None and counts_events else nothing
    return figures(counted, situation.errors.get(wish.change.target.removeprefix(ALIAS), nothing))


def _verify(options: MitigationOptions, effect: Effect) -> dict[str, Any]:
    """Of what has no effect nothing can be proved; of what may have none only what somebody wants to know."""
    is_wanted = effect is not Effect.UNKNOWN or "verify" in options.model_fields_set
    if options.verify == "none" or effect is Effect.NO_EFFECT_KNOWN or not is_wanted:
        return {}
    return options.verify.model_dump()
