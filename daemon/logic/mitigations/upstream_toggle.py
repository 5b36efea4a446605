"""`upstream_toggle`: boolean settings of the upstream, journaled, read back, and restored by compare-and-set."""

from typing import Literal

from pydantic import Field

from daemon.domain.alerts_config import MitigationOptions, Strict
from daemon.domain.units import Duration


class Verify(Strict):
    """Compare before and after, so long after the change."""

    within: Duration


class UpstreamToggle(MitigationOptions):
    """Sets upstream settings, by dotted name, while the alert fires."""

    kind: Literal["upstream_toggle"] = "upstream_toggle"
    set: dict[str, bool] = Field(min_length=1)
    verify: Verify | Literal["none"] = "none"
    even_if_inert: bool = False
    """Write a setting that this upstream is known to ignore."""


OPTIONS = UpstreamToggle
