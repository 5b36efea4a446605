"""The mitigation table: from a row, what was read and whether it is still wanted, to the next row and what to do.

The table decides every crash point, because nothing but the row survives a crash. The engine keeps three habits: a
step's row is committed before its action is done; after a write the value is read, for a status code says nothing; and
a value that a write may still overtake (`settled` is false) proves nothing but that we got what we wanted.

              not read yet   as before our write                 as we wanted it         something else
planned       read           → writing, write                    → not_needed            → writing, write
writing       read           write again, then → failed;         → applied               → abandoned
                             unwanted → not_needed
applied       read           → abandoned                         → restoring, write back → abandoned
restoring     read           → restored                          write back again        → abandoned

A planned row that nobody wants any more is dropped, an applied one that is wanted stays; neither is read for it. Soft
rows need no reading at all: `routes.json` is made of the applied ones. What can be done and not undone is written once,
whatever was read, and has ended when it is as wanted; after a kill once more, for what was read proves nothing of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.logic.proof import did_not_help

WRITES = 2
"""How often a value is written before we believe that the upstream does not take it."""

OURSELVES = "daemon"
"""Who holds a row after whose write other settings were different too: until its `release` no setting is written."""

DONE = "done: there is nothing to give back"
OVERRULED = "a more severe alert wants it otherwise"

State = MitigationState


class Do(Enum):
    """What the engine does once the step's row is committed."""

    NOTHING = auto()
    READ = auto()
    WRITE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a GET said. `settled`: no write that we may have sent can still change it; `sent`: this process sent the
    last one, while one that was killed may have committed it and no more."""

    value: Any
    settled: bool = True
    sent: bool = True
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the config's top-level keys other than the target's own."""
    ours: frozenset[str] = frozenset()
    """Top-level keys that we write ourselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The row to commit, if it is another one, then what to do; `value` is what to write."""

    row: Mitigation
    do: Do = Do.NOTHING
    value: Any = None


def over(row: Mitigation, *, owned: bool, now: int) -> str | None:
    """Why a change shall not be in force any more; None while it shall. A human's hold outlasts everything."""
    if row.held_by is not None:
        return None
    if row.expires_at is not None and now >= row.expires_at:
        return "it was applied as long as it may be"
    if row.hold_until is not None and now < row.hold_until:
        return None
    if row.soft and row.release and row.passes >= row.release["passes"]:
        return "the original path answers again"
    return None if owned else "no alert wants it any more"


def was_overruled(outcome: str | None) -> bool:
    """Whether it made way for another value of the same target: that is no reason to wait."""
    return outcome is not None and outcome.startswith(OVERRULED)


def held_no_more(row: Mitigation, now: int) -> Mitigation | None:
    """The row without its hold when the time of that is over, with a note that says so; None while nothing is over."""
    if row.held_by is None or row.hold_expires_at is None or now < row.hold_expires_at:
        return None
    return replace(row, held_by=None, hold_expires_at=None, note=f"the hold of {row.held_by} ended by itself")


def kept(row: Mitigation, reading: Reading, now: int) -> Step:
    """An applied row that is wanted, looked at again: an upstream that started anew has our value, or a human's."""
    return Step(row=row) if _same(reading.value, row.value_wanted) else _abandoned(row, now)


def step(row: Mitigation, *, ending: str | None, reading: Reading | None, now: int, one_way: bool = False) -> Step:
    """The next step of an open row; `ending` says why it is wanted no more, None that it is wanted.

    `one_way`: there is nothing to give back once it is done.
    """
    if row.state is State.PLANNED and ending is not None:
        return _end(row, State.NOT_NEEDED, f"dropped, nothing was changed: {ending}", now)
    if row.state is State.APPLIED and ending is None:
        return Step(row=row)
    if row.soft:
        return _applied(row, now) if ending is None else _end(row, _undone(ending), ending, now)
    seen = None if reading is None else _seen(row, reading)
    if reading is None or seen is None:
        return Step(row=row, do=Do.READ)
    match row.state, seen:
        case State.WRITING, _Seen.OURS if one_way and not reading.sent and row.attempts < WRITES:
            return Step(row=replace(row, attempts=row.attempts + 1), do=Do.WRITE, value=row.value_wanted)
        case State.WRITING, _Seen.OURS if one_way:
            return _verified(_end(replace(row, applied_at=now), State.RESTORED, DONE, now), reading)
        case State.PLANNED, _Seen.OURS if not one_way:
            return _end(row, State.NOT_NEEDED, "it was already as wanted", now)
        case State.PLANNED, _:
            return _write(row, reading)
        case State.WRITING, _Seen.OURS:
            return _verified(_applied(row, now), reading)
        case State.WRITING, _Seen.BEFORE if ending is not None:
            return _end(row, State.NOT_NEEDED, f"cancelled, it had not taken effect: {ending}", now)
        case State.WRITING, _Seen.BEFORE if row.attempts < WRITES:
            return Step(row=replace(row, attempts=row.attempts + 1), do=Do.WRITE, value=row.value_wanted)
        case State.WRITING, _Seen.BEFORE:
            return _end(row, State.FAILED, f"written {row.attempts} times, the upstream does not take it", now)
        case _, _Seen.OURS:
            return _write_back(row, reading, ending)
        case State.RESTORING, _Seen.BEFORE:
            return _verified(_end(row, _undone(row.outcome), row.outcome or "restored", now), reading)
    return _abandoned(row, now)


def moved(row: Mitigation, reading: Reading) -> list[str]:
    """The top-level keys of the upstream's config, other than ours, that are not what they were before our write."""
    before, after = row.config_fingerprints, reading.fingerprints
    return sorted(key for key in (before.keys() | after.keys()) - reading.ours if before.get(key) != after.get(key))


class _Seen(Enum):
    BEFORE = auto()
    OURS = auto()
    OTHER = auto()


def _seen(row: Mitigation, reading: Reading) -> _Seen | None:
    """None when a write on its way may still make it what we wrote last."""
    if _same(reading.value, row.value_wanted):
        return None if row.state is State.RESTORING and not reading.settled else _Seen.OURS
    if row.state is not State.PLANNED and _same(reading.value, row.value_before):
        return None if row.state is State.WRITING and not reading.settled else _Seen.BEFORE
    return _Seen.OTHER


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _write(row: Mitigation, reading: Reading) -> Step:
    written = replace(
        row,
        state=State.WRITING,
        value_before=reading.value,
        config_fingerprints=reading.fingerprints,
        attempts=row.attempts + 1,
        outcome=None,
    )
    return Step(row=written, do=Do.WRITE, value=row.value_wanted)


def _write_back(row: Mitigation, reading: Reading, ending: str | None) -> Step:
    written = replace(
        row,
        state=State.RESTORING,
        config_fingerprints=reading.fingerprints,
        attempts=row.attempts + 1,
        outcome=row.outcome if row.state is State.RESTORING else ending,
    )
    return Step(row=written, do=Do.WRITE, value=row.value_before)


def _undone(ending: str | None) -> State:
    """What did not help has failed, though it was undone as well."""
    return State.FAILED if did_not_help(ending) else State.RESTORED


def _abandoned(row: Mitigation, now: int) -> Step:
    return _end(row, State.ABANDONED, "somebody else changed it meanwhile: it was left as it is", now)


def _applied(row: Mitigation, now: int) -> Step:
    row = replace(row, state=State.APPLIED, applied_at=now, outcome=None)
    hold_until, expires_at = now + round(row.hold * 1000), now + round(row.max_hold * 1000)
    return Step(row=replace(row, hold_until=hold_until, expires_at=expires_at))


def _verified(done: Step, reading: Reading) -> Step:
    """Other settings that changed along with our write end all writing until a human has looked."""
    if not (keys := moved(done.row, reading)):
        return done
    outcome = f"frozen: other settings changed with our write: {', '.join(keys)}"
    return Step(row=replace(done.row, held_by=OURSELVES, outcome=outcome))


def _end(row: Mitigation, state: State, outcome: str, now: int) -> Step:
    return Step(row=replace(row, state=state, outcome=outcome, ended_at=now))
