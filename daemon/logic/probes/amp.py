"""`amp`: whether an Amp client that is pointed at our proxy would come through the upstream.

Whether Amp goes past us is not seen here but in the events: that is the rule `AmpBypass`.
"""

from collections.abc import Sequence

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.probe import Ask, Door, Reply
from daemon.domain.units import Duration
from daemon.logic.probe import Found, Sight, told

EXAMPLE = """\
amp: {every: 1h}
"""
COSTS = False
SERVED, WHERE = "ampcode", "upstream-url"


class AmpOptions(ProbeOptions):
    """Asks only where the upstream is known to serve Amp."""

    every: Duration = 3600.0


def requests(options: AmpOptions, sight: Sight) -> Sequence[Ask]:
    """Where the upstream sends Amp's own calls; never for the settings as a whole, which hold Amp's key."""
    if not _is_served(sight):
        return []
    return [Ask(door=Door.MANAGEMENT, path=f"{SERVED}/{WHERE}")]


def verdict(options: AmpOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """An upstream that does not know Amp is nothing bad: nobody says that Amp is used."""
    return Found(results=[told("amp", sight, *_said(sight, replies))])


def _is_served(sight: Sight) -> bool:
    return sight.capabilities.routes.get(SERVED) is True


def _said(sight: Sight, replies: Sequence[Reply]) -> tuple[bool | None, str]:
    if SERVED not in sight.capabilities.routes:
        return None, "whether the upstream serves Amp is not known (RUNBOOKD_UPSTREAM_MANAGEMENT_KEY)"
    if not replies:
        return None, "the upstream serves nothing of Amp's: Amp cannot work through it"
    if (address := replies[0].json()) is None or not replies[0].ok:
        return None, "the upstream serves Amp, but does not say where it sends Amp's own calls"
    if not isinstance(address, dict) or not address.get(WHERE):
        return None, f"the upstream could serve Amp, but ampcode.{WHERE} is empty: Amp's own calls would get 503"
    return True, ""


OPTIONS = AmpOptions
