"""The doctor: the daily checks, each a judgement over what was seen, and what all of them come to."""

from collections.abc import Sequence

from daemon.domain.check_up import Finding, Health, Inside
from daemon.logic import doctor_credentials, doctor_daemon, doctor_traffic, doctor_upstream

CHECKS = (*doctor_daemon.CHECKS, *doctor_upstream.CHECKS, *doctor_credentials.CHECKS, *doctor_traffic.CHECKS)
GRAVITY = (Health.OK, Health.UNKNOWN, Health.WARNING, Health.CRITICAL)
CODES = {Health.OK: 0, Health.WARNING: 1, Health.CRITICAL: 2, Health.UNKNOWN: 3}
"""Those of monitoring plug-ins."""


def examine(inside: Inside) -> list[Finding]:
    """What the control plane's own look comes to, in the order of the checks."""
    return [finding for check in CHECKS for finding in check(inside)]


def worst(found: Sequence[Finding]) -> Health:
    """What nobody could tell is worse than what is well, unless all is well without it."""
    those = [one.verdict for one in found if one.essential or one.verdict is not Health.UNKNOWN]
    return max(those, key=GRAVITY.index, default=Health.UNKNOWN)


def plugin_line(found: Sequence[Finding]) -> str:
    """One line for Nagios and its relatives: the state, what is not well, and figures."""
    state = worst(found)
    wrong = [one for one in found if one.verdict is not Health.OK and (one.essential or one.verdict in GRAVITY[2:])]
    told = sorted(wrong, key=lambda one: -GRAVITY.index(one.verdict))
    said = "; ".join(f"{one.area}: {one.evidence}" for one in told).replace("|", "/")
    counts = " ".join(f"{one.value}={sum(found.verdict is one for found in found)}" for one in Health)
    return f"RUNBOOKD {state.value.upper()} - {said or f'{len(found)} checks are well'} | {counts}"
