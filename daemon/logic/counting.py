"""Which events count at all: finished model calls of clients, unless a selection asks for others by name."""

from collections.abc import Callable

from daemon.domain.event import CALLER_FAULTS, Event, Outcome, Source
from daemon.domain.selection import Selection

_FINISHED = frozenset({Outcome.OK, Outcome.FAILED})
_TELLS_FAULTS = frozenset({"fault", "status"})


def counted(of: Selection, bad: Selection, *, retries: bool) -> Callable[[Event], bool]:
    """The events among which a rule counts the bad ones.

    A marked retry belongs to its first attempt; canaries count only for a rule that names sources. A caller's own fault
    counts only where a selection that names faults or statuses means it.
    """
    names = of.names | bad.names
    any_source, any_attempt = "source" in names, retries or "attempt" in names
    means_faults = [one for one in (of, bad) if one.names & _TELLS_FAULTS]

    def is_counted(event: Event) -> bool:
        return (
            event.outcome in _FINISHED
            and event.is_model_call
            and (any_source or event.source is Source.CLIENT)
            and (any_attempt or event.attempt == 0)
            and of(event)
            and (event.fault not in CALLER_FAULTS or any(means(event) for means in means_faults))
        )

    return is_counted
