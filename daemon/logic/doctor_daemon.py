"""What the doctor looks at in the daemon itself: rules, spool, store, receivers, alerts."""

from collections.abc import Callable, Sequence
from itertools import groupby

from daemon.domain.alert import Alert, Severity
from daemon.domain.check_up import Finding, Health, Inside

FULL_SPOOL = 10_000
"""Events that wait: at any ordinary pace they are gone within a second."""
NO_CHANNEL = "set RUNBOOKD_NOTIFY_URLS, or mend the references; then `runbookd notify test`"


def rules(inside: Inside) -> Sequence[Finding]:
    """In force, and those of the file as it is now."""
    count = len(inside.config.rules)
    if "rules" in inside.missing or not count:
        return [Finding.critical("rules", "no rules are in force: nothing is judged", "see `runbookd check`")]
    if inside.config_errors:
        evidence = f"the alerts file is broken, the last good rules are in force: {inside.config_errors[0]}"
        return [Finding.warning("rules", evidence, "mend it; `runbookd check` tells of every mistake")]
    late = [what for what in inside.missing if what not in ("rules", "store")]
    if late:
        return [
            Finding.warning("rules", f"not ready: {', '.join(late)}", "wait a moment after a start, else see the log")
        ]
    return [Finding.ok("rules", f"{count} in force")]


def spool(inside: Inside) -> Sequence[Finding]:
    """From the proxy to us."""
    depth, dropped = inside.spool_depth, inside.dropped_total
    if dropped:
        evidence = f"{dropped} events were dropped since the start: figures are too low"
        return [Finding.warning("spool", evidence, "see whether the disk is full; RUNBOOKD_SPOOL_MAX makes more room")]
    if depth > FULL_SPOOL:
        return [Finding.warning("spool", f"{depth} events wait", "see whether the store is slow, or the machine busy")]
    return [Finding.ok("spool", f"{depth} events wait, none was dropped")]


def store(inside: Inside) -> Sequence[Finding]:
    """Whether it takes what we write."""
    if inside.store_ok:
        return [Finding.ok("store", "it answers")]
    advice = "see RUNBOOKD_DATABASE_URL and the disk; events wait in the spool meanwhile"
    return [Finding.critical("store", "it does not answer: nothing is kept", advice)]


def receivers(inside: Inside) -> Sequence[Finding]:
    """Whether anybody hears of an alert."""
    return judged_receivers(inside.deaf, inside.cut_off, len(inside.config.receivers))


def judged_receivers(deaf: Sequence[str], cut_off: Sequence[str], count: int) -> Sequence[Finding]:
    """The same without a control plane, which alone knows who is cut off."""
    if cut_off:
        evidence = f"messages do not arrive: {', '.join(cut_off)} cannot be reached"
        return [Finding.critical("receivers", evidence, "`runbookd notify test` says why")]
    if deaf or not count:
        who = ", ".join(deaf) or "nobody"
        evidence = f"hears nothing: {who}; alerts are on the dashboard" if deaf else "there is none"
        return [Finding.warning("receivers", evidence, NO_CHANNEL)]
    return [Finding.ok("receivers", f"{count} can be told")]


def alerts(inside: Inside) -> Sequence[Finding]:
    """What fires now, the loudest severity of each episode."""
    firing = sorted((row for row in inside.alerts if row.is_firing), key=lambda row: (row.episode, -row.severity.rank))
    loudest = [next(rows) for _, rows in groupby(firing, key=lambda row: row.episode)]
    if not loudest:
        return [Finding.ok("alerts", "none fires")]
    return [_fires(row) for row in sorted(loudest, key=lambda row: (-row.severity.rank, row.alert))]


def _fires(row: Alert) -> Finding:
    evidence = row.summary or f"{row.alert} fires {row.value_text}".rstrip()
    advice = f"`runbookd explain {row.alert}`" + (f"; {row.runbook}" if row.runbook else "")
    verdict = Health.CRITICAL if row.severity is Severity.CRITICAL else Health.WARNING
    return Finding(area=f"alert {row.alert}", verdict=verdict, evidence=evidence, advice=advice)


CHECKS: tuple[Callable[[Inside], Sequence[Finding]], ...] = (rules, spool, store, receivers, alerts)
