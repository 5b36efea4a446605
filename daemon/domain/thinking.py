"""Thinking: what was asked for and what was applied, in one scale."""

import msgspec

LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Ordered. `auto` stands beside them."""
MUST_THINK = frozenset(LEVELS[LEVELS.index("medium") :])
"""Levels at which a model that did not think at all was not told to."""


class ThinkingSetting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`mode` is level, budget, none or auto; exactly what was said, with the canonical level beside a budget."""

    mode: str
    level: str | None = None
    budget: int | None = None

    @property
    def canonical(self) -> str:
        """The level that this setting amounts to; `auto` when the model decides."""
        if self.mode in ("none", "auto"):
            return self.mode
        if self.level is not None:
            return self.level
        return level_of(self.budget if self.budget is not None else -1)


def level_of(budget: int) -> str:
    """The level of a token budget, by the upstream's thresholds."""
    if budget < 0:
        return "auto"
    if budget == 0:
        return "none"
    for limit, level in ((512, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high")):
        if budget <= limit:
            return level
    return "xhigh"


def thinking_match(requested: ThinkingSetting | None, processed: ThinkingSetting | None) -> bool | None:
    """Whether what was applied is what was asked for; None when either is unknown or nothing fixed was asked."""
    if requested is None or processed is None or requested.canonical == "auto":
        return None
    asked, applied = requested.canonical, processed.canonical
    return asked == applied or {asked, applied} <= {"xhigh", "max"}
