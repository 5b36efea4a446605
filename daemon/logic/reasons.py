"""Reasons: why the evidence of a ratio raises or does not, in words that a person understands at night."""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.domain.sample import Counts, Row
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.evidence import Guards, chance, comes_once_in, lower_bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Of one level."""

    above: float
    clears_below: float

    @property
    def middle(self) -> float:
        return (self.above + self.clears_below) / 2


def nothing_counted(window_seconds: float) -> str:
    """No traffic is never 0 %."""
    return f"nothing was counted in the last {say_duration(window_seconds)}: no data, and that is never 0%"


def seen(counts: Counts, window_seconds: float) -> str:
    """`36 of 300 were bad in the last 10m: 12%`."""
    share = say_ratio(counts.bad / counts.samples)
    return f"{counts.bad} of {counts.samples} were bad in the last {say_duration(window_seconds)}: {share}"


def proof(guards: Guards, level: Thresholds, counts: Counts, confidence: float | None) -> list[str]:
    """What is missing of the evidence; where nothing is, why it is enough."""
    n, bad = counts
    value = bad / n
    lacking = []
    if value <= level.above:
        lacking.append(f"{say_ratio(value)} is not above {say_ratio(level.above)}")
    if n < guards.min_samples:
        lacking.append(f"{n} samples are fewer than min_samples {guards.min_samples}")
    if bad < guards.min_bad:
        lacking.append(f"{bad} bad ones are fewer than min_bad {guards.min_bad}")
    if guards.z is None or confidence is None:
        return lacking or [f"{say_ratio(value)} is above {say_ratio(level.above)}"]
    least, sure = lower_bound(counts, guards.z), say_ratio(confidence)
    middle = f"{say_ratio(level.middle)}, the middle of clear_below and above"
    if least <= level.middle:
        lacking.append(f"at {sure} confidence it is at least {say_ratio(least)}, which is not above {middle}")
    enough = f"{say_ratio(value)} is above {say_ratio(level.above)}"
    return lacking or [f"{enough}, and at {sure} confidence it is at least {say_ratio(least)}: above {middle}"]


def rarity(suffixes: Iterable[tuple[float, int]], normal: float, window_seconds: float, once_in: float) -> str | None:
    """Why what was counted lately may be chance; None when it is too rare for that."""
    rarest = min(((chance(*one, normal), one) for one in suffixes), default=(1.0, Counts(0, 0)))
    likely, (samples, bad) = rarest
    comes_every = comes_once_in(window_seconds, likely)
    if comes_every > once_in:
        return None
    return (
        f"chance is not ruled out: {bad} of {samples:.0f} come by chance once in {say_duration(comes_every)} "
        f"where {say_ratio(normal)} is normal (once_in {say_duration(once_in)})"
    )


def in_a_row(guards: Guards, row: Row, seconds: float, *, raises: bool) -> list[str]:
    """What the row of bad ones says, where a row counts at all."""
    wanted = guards.in_a_row
    if wanted is None or not row.bad:
        return []
    if row.bad < wanted:
        return [f"the last {row.bad} failed, in_a_row asks for {wanted}"]
    if raises:
        return [f"the last {row.bad} all failed, in_a_row asks for {wanted}"]
    return [
        f"the last {row.bad} all failed, but within {say_duration((row.latest - row.since) / 1000)}: a row must last "
        f"as long as `for` ({say_duration(seconds)}), and not be one client that tried again"
    ]
