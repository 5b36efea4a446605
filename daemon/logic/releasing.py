"""Releasing: what the verdicts of a probe say of the original path of a soft mitigation."""

from collections.abc import Sequence
from dataclasses import replace

from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.domain.soft_routing import SoftRoute
from daemon.logic.soft_choice import Asked, is_for

NO_PROBES = frozenset({"ping", "trickle"})
"""What a release may name beside a probe."""


def works_again(route: SoftRoute, results: Sequence[ProbeResult]) -> ProbeOutcome | None:
    """Whether the probe saw the models of a route do well; None where it does not look at them.

    A subject is a model, or begins with one and a space; a probe that has but one subject speaks of it alone.
    """
    anybodys = replace(route, workload="", client="")
    about = [one for one in results if is_for(anybodys, Asked(model=one.subject.partition(" ")[0]))]
    if len(results) == 1:
        about = list(results)
    outcomes = {one.outcome for one in about}
    if not outcomes:
        return None
    return next(one for one in (ProbeOutcome.BAD, ProbeOutcome.OK, ProbeOutcome.UNKNOWN) if one in outcomes)
