"""Quota news: which readings are worth a row in the store; what says the same again is not."""

from collections.abc import Sequence

from daemon.domain.quota import QuotaReading
from daemon.logic.quota_ruling import ends_at

SAME_SHARE = 0.005
"""Of two numbers that differ by less the second is no news."""
SAME_MS = 60_000
"""Two ends of a window that are closer than this are one."""

_Window = tuple[str, str | None, str | None, str | None, str, float | None]


class QuotaNews:
    """Remembers what was worth it last."""

    def __init__(self) -> None:
        self._kept: dict[_Window, QuotaReading] = {}

    def of(self, readings: Sequence[QuotaReading]) -> tuple[QuotaReading, ...]:
        """Those that say something new; all windows of one look are kept together."""
        new = {_look(one) for one in readings if _says_more(one, self._kept.get(_window(one)))}
        found = tuple(one for one in readings if _look(one) in new)
        self._kept |= {_window(one): one for one in found}
        return found


def _window(one: QuotaReading) -> _Window:
    return one.provider_key, one.auth_index, one.credential, one.model_id, one.source, one.window_seconds


def _look(one: QuotaReading) -> tuple[object, ...]:
    return (*_window(one)[:-1], one.observed_at)


def _says_more(one: QuotaReading, last: QuotaReading | None) -> bool:
    if last is None or one.quota_exhausted != last.quota_exhausted or one.refresh_state != last.refresh_state:
        return True
    return not (
        _is_near(one.usage_percentage, last.usage_percentage)
        and _is_near(one.quota_remaining, last.quota_remaining)
        and _ends_alike(ends_at(one), ends_at(last))
    )


def _is_near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_SHARE * max(one, other)


def _ends_alike(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_MS
