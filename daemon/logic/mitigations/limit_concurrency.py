"""`limit_concurrency`: our proxy lets only so many of some requests be under way at once; soft, leased."""

import re
from typing import Any, Literal

from pydantic import Field

from daemon.domain.alerts_config import Verify
from daemon.domain.mitigation import Mitigation
from daemon.domain.soft_routing import SoftRoute
from daemon.domain.units import Duration
from daemon.logic.mitigation import About, Change
from daemon.logic.soft_options import Scoped, scoped, what


class LimitConcurrency(Scoped):
    """Others wait for a place, for a while; who finds no room to wait, or waited for nothing, gets a 429 in its wire's
    own shape, reason `runbookd_limited`, and comes back a little later.

    Each worker of the proxy lets its share through: `at_once` divided by the workers, rounded down, at least 1. There
    is no original path to try: it ends when no alert wants it any more, at the latest after `max_hold`.
    """

    kind: Literal["limit_concurrency"] = "limit_concurrency"
    at_once: int = Field(ge=1)
    """So many may be under way, from their first byte to the end of their answer."""
    queue: int = Field(16, ge=0, le=10_000)
    """So many may wait."""
    wait: Duration = Field(5.0, le=60.0)
    """For how long, at most a minute."""
    verify: Verify | Literal["none"] = "none"
    """What waits proves nothing."""


OPTIONS = LimitConcurrency

_PREFIX = "limit_concurrency:"
_VALUE = re.compile(r"(?P<limit>\d+) at once, (?P<queue>\d+) waiting for (?P<seconds>[\d.]+) s")


def plan(options: LimitConcurrency, about: About) -> tuple[Change, ...]:
    """One target."""
    wanted = f"{options.at_once} at once, {options.queue} waiting for {options.wait:g} s"
    return (Change(target=_PREFIX + what(options), choices=(wanted,), soft=True),)


def reaches(options: LimitConcurrency, target: str) -> bool:
    """That of its requests."""
    return target == _PREFIX + what(options)


def route(row: Mitigation, trickle_seconds: float | None) -> SoftRoute:
    """What the data plane is told while the row is applied."""
    match = _VALUE.fullmatch(str(row.value_wanted))
    if match is None:
        raise ValueError(f"{row.id} is no limit: {row.value_wanted}")
    limiting = SoftRoute(
        mitigation_id=row.id,
        kind="limit_concurrency",
        limit=int(match["limit"]),
        queue=int(match["queue"]),
        wait_seconds=float(match["seconds"]),
    )
    return scoped(limiting, row.target.removeprefix(_PREFIX))


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"let {target.removeprefix(_PREFIX)} through with {value}"
