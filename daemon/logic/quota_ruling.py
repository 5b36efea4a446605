"""Ruling: which of several readings of one credential is the truth.

Of the windows of one look the tighter one. Of several sources the freshest that has numbers, unless a fresher one
without numbers says that nothing is left. A reading says nothing any more once its window has ended.
"""

from collections.abc import Iterable, Sequence

from daemon.domain.quota import QuotaReading

WOBBLE = 2.0
"""Percentage points by which vendors round differently."""


def ends_at(reading: QuotaReading) -> int | None:
    """When what a reading says ends (epoch ms): then its window begins anew."""
    after = reading.quota_reset_seconds
    return None if after is None else reading.observed_at + round(after * 1000)


def is_over(reading: QuotaReading, now: int) -> bool:
    """Its window has ended by an instant (epoch ms)."""
    ends = ends_at(reading)
    return ends is not None and ends <= now


def ruling(looks: Iterable[Sequence[QuotaReading]], now: int) -> QuotaReading | None:
    """Out of the latest look of each source; None where none of them tells what is left."""
    tightest = [_tightest(those) for look in looks if (those := _standing(look, now))]
    exact = max((one for one in tightest if one.is_exact), key=_age, default=None)
    rough = max((one for one in tightest if not one.is_exact), key=_age, default=None)
    if exact is None or rough is None:
        return exact or rough
    return rough if rough.quota_exhausted and rough.observed_at > exact.observed_at else exact


def is_better(after: QuotaReading, before: QuotaReading) -> bool:
    """More is left than before."""
    if before.quota_exhausted:
        return not after.quota_exhausted
    if after.quota_exhausted:
        return False
    if before.usage_percentage is not None and after.usage_percentage is not None:
        return after.usage_percentage < before.usage_percentage - WOBBLE
    if after.source != before.source or before.quota_remaining is None or after.quota_remaining is None:
        return False
    return after.quota_remaining > before.quota_remaining * (1 + WOBBLE / 100)


def _standing(look: Sequence[QuotaReading], now: int) -> list[QuotaReading]:
    return [one for one in look if one.tells and not is_over(one, now)]


def _tightest(those: Sequence[QuotaReading]) -> QuotaReading:
    """What is exhausted for longer rules over what is back sooner."""
    return max(those, key=lambda one: (bool(one.quota_exhausted), one.usage_percentage or 0.0, ends_at(one) or 0))


def _age(one: QuotaReading) -> int:
    return one.observed_at
