"""A fire drill: what was tried on the running installation, and what was seen of it."""

from dataclasses import dataclass
from enum import StrEnum


class StepState(StrEnum):
    """How a step went; one that is not listed has not been tried yet."""

    SEEN = "seen"
    NOT_DONE = "not_done"
    """The mode does not let it be done: that this was noted is what was seen."""
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillStep:
    """One step: what was waited for, what was seen, and how long that took."""

    name: str
    state: StepState
    words: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """One drill. `started_at` is epoch ms."""

    id: str
    started_at: int
    names: tuple[str, ...]
    """All steps, in order."""
    steps: tuple[DrillStep, ...] = ()
    """Those that are over."""
    is_over: bool = False

    @property
    def went_well(self) -> bool:
        """Every step was seen."""
        return (
            self.is_over
            and len(self.steps) == len(self.names)
            and all(step.state is not StepState.MISSED for step in self.steps)
        )
