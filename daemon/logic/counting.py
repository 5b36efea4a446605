"""Which events count at all: finished model calls of clients, unless a selection asks for others by name."""

from collections.abc import Callable, Set

from daemon.domain.event import CALLER_FAULTS, Event, Outcome, Source

_FINISHED = frozenset({Outcome.OK, Outcome.FAILED})


def counted(names: Set[str], *, retries: bool) -> Callable[[Event], bool]:
    """The filter behind a rule whose selections name these fields.

    A marked retry belongs to its first attempt. Caller faults count only for a rule that looks at faults or statuses;
    canaries only for one that looks at sources.
    """
    any_source, any_attempt = "source" in names, retries or "attempt" in names
    with_caller_faults = not names.isdisjoint({"fault", "status"})

    def is_counted(event: Event) -> bool:
        return (
            event.outcome in _FINISHED
            and event.is_model_call
            and (any_source or event.source is Source.CLIENT)
            and (any_attempt or event.attempt == 0)
            and (with_caller_faults or event.fault not in CALLER_FAULTS)
        )

    return is_counted
