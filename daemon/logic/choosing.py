"""Choosing: which value of a change can be had, and what is refused although an alert wants it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.domain.mitigation import Effect, Mitigation
from daemon.domain.sample import Counts
from daemon.logic.blast_radius import Refusal, refusal
from daemon.logic.mitigation import Change
from daemon.logic.proof import NOTHING_HEALTHY, is_as_bad, ratio
from daemon.logic.situation import Situation
from daemon.logic.wishes import Wish

ALIAS = "model_alias:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The value to set, and what is known of its effect."""

    value: Any
    effect: Effect


def choose(
    situation: Situation, wish: Wish, rows: Sequence[Mitigation], tried: Collection[Any] = ()
) -> Choice | Refusal:
    """`rows` are open, or are about to be; `tried` are values that did not help in this episode."""
    change = wish.change
    if change.obstacle:
        return Refusal(words=change.obstacle)
    if against := refusal(situation, wish, rows):
        return against
    if not change.target.startswith(ALIAS):
        return Choice(value=change.choices[0], effect=change.effect)
    return _stand_in(situation, change, rows, tried)


def has_other(situation: Situation, row: Mitigation, choices: Sequence[Any]) -> bool:
    """Whether a model could stand in, other than the one that does."""
    left = _served(situation, _not_led_away(row.target, choices, situation.with_rows(())))
    return any(model != row.value_wanted and not _is_bad(situation.errors, row.target, model) for model in left)


def _stand_in(
    situation: Situation, change: Change, rows: Sequence[Mitigation], tried: Collection[Any]
) -> Choice | Refusal:
    """Nothing is led to a model that is led away itself, to one that is not served, or to one that is no better."""
    left = _served(situation, _not_led_away(change.target, change.choices, rows))
    if not left:
        return Refusal(words=f"nothing is served that may stand in: {', '.join(change.choices)}")
    model = change.target.removeprefix(ALIAS)
    well = [one for one in left if not _is_bad(situation.errors, change.target, one)]
    if not well:
        fail = "fails" if len(left) == 1 else "fail"
        return Refusal(words=f"{NOTHING_HEALTHY}: {' and '.join(left)} {fail} as much as {model}", panic=True)
    found = next((one for one in well if one not in tried), well[0])
    return Choice(value=found, effect=Effect.UNVERIFIED if situation.served is None else change.effect)


def _not_led_away(target: str, choices: Sequence[Any], rows: Sequence[Mitigation]) -> list[Any]:
    led_away = {row.target for row in rows} | {target}
    return [model for model in choices if ALIAS + model not in led_away]


def _served(situation: Situation, models: Sequence[Any]) -> list[Any]:
    left = [model for model in models if model not in situation.refused]
    return left if situation.served is None else [model for model in left if model in situation.served]


def _is_bad(errors: Mapping[str, Counts], target: str, stand_in: str) -> bool:
    """It fails at least as often as what it would stand in for."""
    nothing = Counts(0, 0)
    return is_as_bad(errors.get(stand_in, nothing), ratio(errors.get(target.removeprefix(ALIAS), nothing)))
