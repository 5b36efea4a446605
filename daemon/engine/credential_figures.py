"""Credential figures: which credentials of a provider fail clearly more than the others, from the last ten minutes."""

from daemon.domain.event import Event, Outcome, Source
from daemon.domain.sample import Counts
from daemon.logic.evidence import chance, lower_bound, quantile
from daemon.logic.providers import PROVIDER_FAULTS
from daemon.logic.windows import Ring

WINDOW_SECONDS = 600.0
BUCKET_MS = 10_000
MOST_CREDENTIALS = 1000
"""Of all providers together; the one that was used longest ago makes room."""
MIN_BAD = 5
MARGIN = 0.05
"""So much higher, at least, is the lower bound of its ratio than the others' ratio."""
LIKELY = 0.001
"""A credential that is no worse than the others looks that bad less often than this."""
Z = quantile(0.975)

Key = tuple[str, str]


class CredentialFigures:
    """Turns and those that failed, by provider and credential. Instants are epoch ms."""

    def __init__(self) -> None:
        self._rings: dict[Key, Ring] = {}

    def observe(self, event: Event) -> None:
        """Counts a judged turn of a client that a credential was named for; a marked retry belongs to its first try."""
        is_bad = event.fault in PROVIDER_FAULTS
        if not event.is_judged or event.source is not Source.CLIENT or event.attempt or event.credential is None:
            return
        if not is_bad and event.outcome is not Outcome.OK:
            return  # the way there was broken
        key = event.provider_key, event.credential
        ring = self._rings.pop(key, None) or Ring(BUCKET_MS, WINDOW_SECONDS)
        self._rings[key] = ring
        ring.add(event.emitted_at, 1, is_bad)
        if len(self._rings) > MOST_CREDENTIALS:
            del self._rings[next(iter(self._rings))]

    def forget(self) -> None:
        """Before what is stored is counted anew."""
        self._rings.clear()

    def failing(self, provider_key: str, now: int) -> tuple[str, ...]:
        """Names, the worst first; none when all fail alike.

        The others are the best one, and whatever is not clearly worse than those that are better.
        """
        used = {name: counts for name, counts in self._counts(provider_key, now).items() if counts.samples}
        others, found = Counts(0, 0), []
        for name in sorted(used, key=lambda name: _usual(used[name])):
            if (others.samples or len(used) == 1) and _is_worse(used[name], others):
                found.append(name)
            else:
                others = Counts(others.samples + used[name].samples, others.bad + used[name].bad)
        return tuple(sorted(found, key=lambda name: (-lower_bound(used[name], Z), name)))

    def _counts(self, provider_key: str, now: int) -> dict[str, Counts]:
        until = now + 1  # a window ends just before an instant
        return {
            name: ring.counts(until, WINDOW_SECONDS) for (key, name), ring in self._rings.items() if key == provider_key
        }


def _usual(counts: Counts) -> float:
    """The share that is bad, as far as it can be told; the half where nothing was counted."""
    return (counts.bad + 1) / (counts.samples + 2)


def _is_worse(one: Counts, others: Counts) -> bool:
    usual = _usual(others)
    if one.bad < MIN_BAD or lower_bound(one, Z) < usual + MARGIN:
        return False
    return chance(one.samples, one.bad, usual) <= LIKELY
