"""Probing for a release: runs the probes that soft mitigations name, each once for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from daemon.domain.errors import Misuse
from daemon.domain.mitigation import Mitigation
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.logic.mitigation import soft_kind
from daemon.logic.releasing import NO_PROBES, works_again

RunProbe = Callable[[str], Awaitable[Sequence[ProbeResult]]]
"""Runs a probe now, by its name. Raises `Misuse` where there is none."""


def probe_of(row: Mitigation) -> str | None:
    """The probe that its release names; None where it names none."""
    canary = str(row.release.get("canary", "ping"))
    return None if canary in NO_PROBES else canary


async def probed(rows: Iterable[Mitigation], run: RunProbe) -> dict[str, ProbeOutcome | None]:
    """By row id: whether its original path works again, as its probe sees it; None where that does not look at it."""
    by_probe: dict[str, list[Mitigation]] = {}
    for row in rows:
        if name := probe_of(row):
            by_probe.setdefault(name, []).append(row)
    found = await asyncio.gather(*(_run(name, run) for name in by_probe))
    return {
        row.id: works_again(soft_kind(row.kind).route(row, None), results)
        for those, results in zip(by_probe.values(), found, strict=True)
        for row in those
    }


async def _run(name: str, run: RunProbe) -> Sequence[ProbeResult]:
    """One that is not there any more finds nothing."""
    try:
        return await run(name)
    except Misuse:
        return ()
