"""Quota book: the truth about each credential and model, out of everything that was read of them.

What is read can lie upwards: that more is left than before, before the window ended, counts once a second look says so
that is not of the same moment.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from daemon.domain.quota import QuotaReading
from daemon.logic.quota_forecast import Point, empty_in, grown
from daemon.logic.quota_ruling import WOBBLE, ends_at, is_better, is_over, ruling

CONFIRMED_SECONDS = 30.0
"""Looks that are closer together may be wrong together."""
FORGOTTEN_SECONDS = 86_400.0
"""A credential of which nothing was read for so long is gone."""

Key = tuple[str, str, str | None]


class QuotaBook:
    """Instants are epoch ms."""

    def __init__(self) -> None:
        self._pages: dict[Key, _Page] = {}
        self._indexes: dict[tuple[str, str], str] = {}
        """By provider and name of the credential."""

    def take(self, readings: Iterable[QuotaReading], now: int) -> tuple[QuotaReading, ...]:
        """What stands now of everything that these are about, and of what changed by itself since the last time."""
        looks: defaultdict[tuple[Key, str], list[QuotaReading]] = defaultdict(list)
        for reading in readings:
            looks[self._key(reading), reading.source].append(reading)
        for (key, _), those in looks.items():
            self._pages.setdefault(key, _Page()).hear(those, now)
        touched = {key for key, _ in looks}
        self._pages = {key: page for key, page in self._pages.items() if not page.is_forgotten(now)}
        return tuple(page.view(now) for key, page in self._pages.items() if page.turns(now) or key in touched)

    def standing(self, now: int) -> tuple[QuotaReading, ...]:
        """The truth of each credential and model; seconds are counted from `now`."""
        return tuple(page.view(now) for _, page in sorted(self._pages.items(), key=lambda item: _order(item[0])))

    def _key(self, reading: QuotaReading) -> Key:
        """One that does not tell the index is known by its name, once both were seen together."""
        known = reading.provider_key, reading.credential or ""
        if reading.auth_index is not None and reading.credential:
            self._indexes[known] = reading.auth_index
        whose = reading.auth_index or self._indexes.get(known) or reading.credential or ""
        return reading.provider_key, whose, reading.model_id


@dataclass(slots=True)
class _Page:
    """One credential, or one model of it."""

    looks: dict[str, tuple[QuotaReading, ...]] = field(default_factory=dict)
    """The latest of each source: a reading for each window."""
    heard_at: int = 0
    told: QuotaReading | None = None
    """What counts, of those that tell what is left."""
    doubted_at: int | None = None
    """When something was first read that is better than what counts, and is not believed yet."""
    paths: dict[tuple[str, float | None], tuple[Point, ...]] = field(default_factory=dict)
    """By source and window."""

    def hear(self, those: Sequence[QuotaReading], now: int) -> None:
        """A look of one source; what is older than its last one is not heard."""
        at = max(one.observed_at for one in those)
        look = tuple(one for one in those if one.observed_at == at)
        self.heard_at = max(self.heard_at, now)
        if (last := self.looks.get(look[0].source)) and last[0].observed_at > at:
            return
        self.turns(now)
        self.looks[look[0].source] = look
        if self._weigh(now) not in look:
            self._go_on(look)

    def _go_on(self, look: Sequence[QuotaReading]) -> None:
        for one in look:
            if one.usage_percentage is not None:
                path, point = (one.source, one.window_seconds), Point(one.observed_at, one.usage_percentage)
                self.paths[path] = grown(self.paths.get(path, ()), point, WOBBLE)

    def _weigh(self, now: int) -> QuotaReading | None:
        """Gives what is not believed yet, if anything."""
        found = ruling(self.looks.values(), now)
        if found is None:
            return None
        if self._is_doubtful(found):
            self.doubted_at = self.doubted_at or found.observed_at
            if found.observed_at - self.doubted_at < CONFIRMED_SECONDS * 1000:
                return found
        self.told, self.doubted_at = found, None
        return None

    def _is_doubtful(self, found: QuotaReading) -> bool:
        return self.told is not None and is_better(found, self.told)

    def turns(self, now: int) -> bool:
        """Whether the window of what counts has ended just now; what is left then counts at once."""
        if self.told is None or not is_over(self.told, now):
            return False
        self.told = ruling(self.looks.values(), now) or _renewed(self.told)
        self.doubted_at = None
        return True

    def is_forgotten(self, now: int) -> bool:
        return now - self.heard_at > FORGOTTEN_SECONDS * 1000

    def view(self, now: int) -> QuotaReading:
        """As it stands."""
        self.turns(now)
        known = sorted((one for look in self.looks.values() for one in look), key=lambda one: -one.observed_at)
        shown = self.told or known[0]
        return replace(
            shown,
            auth_index=next((one.auth_index for one in known if one.auth_index), None),
            credential=next((one.credential for one in known if one.credential), None),
            refresh_state=next((one.refresh_state for one in known if one.refresh_state), None),
            quota_reset_seconds=next((left for one in (shown, *known) if (left := _left(one, now))), None),
            empty_in_seconds=None if shown.quota_exhausted else self._empty_in(now),
        )

    def _empty_in(self, now: int) -> float | None:
        """Of the window that will be empty first; one that begins anew before does not become empty."""
        found = []
        for one in (one for look in self.looks.values() for one in look):
            left = empty_in(self.paths.get((one.source, one.window_seconds), ()), now)
            ends = ends_at(one)
            if left is not None and (ends is None or now + left * 1000 < ends):
                found.append(left)
        return min(found, default=None)


def _renewed(reading: QuotaReading) -> QuotaReading:
    """What is known when a window has ended and nobody has looked since."""
    spent = None if reading.quota_exhausted is None else False
    fresh = replace(reading, quota_exhausted=spent, usage_percentage=None, quota_remaining=None)
    return replace(fresh, quota_reset_seconds=None, window_seconds=None)


def _left(reading: QuotaReading, now: int) -> float | None:
    ends = ends_at(reading)
    return (ends - now) / 1000 if ends is not None and ends > now else None


def _order(key: Key) -> tuple[str, str, str]:
    return key[0], key[1], key[2] or ""
