"""What the doctor looks at in the upstream's credentials: which of them cannot be used now."""

from collections.abc import Callable, Sequence

from daemon.domain.check_up import Finding, Inside
from daemon.domain.credential import CredentialFile
from daemon.domain.units import say_duration

ADVICE = "look at its token and its account; what was refused again and again has to be logged in anew"


def credentials(inside: Inside) -> Sequence[Finding]:
    """Those that somebody has switched off are not missed."""
    on = [one for one in inside.credentials if not one.disabled]
    left_alone = [one for one in on if one.unavailable]
    if not on:
        return []
    if not left_alone:
        return [Finding.ok("credentials", f"all {len(on)} can be used")]
    said = ", ".join(f"{one.name}{_for_how_long(one, inside.now)}" for one in left_alone)
    without = sorted({one.provider_key for one in on} - {one.provider_key for one in on if not one.unavailable})
    if without:
        evidence = f"none is left of {', '.join(without)}: the upstream leaves {said} alone"
        return [Finding.critical("credentials", evidence, ADVICE)]
    return [
        Finding.warning("credentials", f"{len(left_alone)} of {len(on)} left alone by the upstream: {said}", ADVICE)
    ]


def _for_how_long(one: CredentialFile, now: int) -> str:
    left = 0 if one.next_retry_after is None else (one.next_retry_after - now) / 1000
    return f" for {say_duration(left)} more" if left >= 1 else ""


CHECKS: tuple[Callable[[Inside], Sequence[Finding]], ...] = (credentials,)
