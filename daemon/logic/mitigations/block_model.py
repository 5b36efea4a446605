"""`block_model`: our proxy answers some requests itself, with a 403 that says why; soft, leased."""

from typing import Any, Literal

from daemon.domain.alerts_config import Verify
from daemon.domain.mitigation import Mitigation
from daemon.domain.soft_routing import SoftRoute
from daemon.logic.mitigation import About, Change
from daemon.logic.soft_options import Scoped, scoped, what


class BlockModel(Scoped):
    """The requests are refused in their wire's own shape, reason `runbookd_blocked`: no client tries that again.

    It counts what would be sent upstream: what is led away to another model meanwhile passes. There is no original path
    to try: it ends when no alert wants it any more, at the latest after `max_hold`.
    """

    kind: Literal["block_model"] = "block_model"
    verify: Verify | Literal["none"] = "none"
    """Blocked requests prove nothing."""


OPTIONS = BlockModel

_PREFIX = "block_model:"


def plan(options: BlockModel, about: About) -> tuple[Change, ...]:
    """One target."""
    return (Change(target=_PREFIX + what(options), choices=(True,), soft=True),)


def reaches(options: BlockModel, target: str) -> bool:
    """That of its requests."""
    return target == _PREFIX + what(options)


def route(row: Mitigation, trickle_seconds: float | None) -> SoftRoute:
    """What the data plane is told while the row is applied."""
    return scoped(SoftRoute(mitigation_id=row.id, kind="block_model"), row.target.removeprefix(_PREFIX))


def say(target: str, value: Any) -> str:
    """The change in words."""
    return f"block {target.removeprefix(_PREFIX)}"
