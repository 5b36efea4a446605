"""Proof: what it was like before a mitigation and is like with it, and whether that is any better."""

from collections.abc import Mapping
from enum import StrEnum

from daemon.domain.event import Outcome
from daemon.domain.sample import Counts
from daemon.logic.evidence import lower_bound, quantile
from daemon.logic.windows import Ring

DID_NOT_HELP = "it did not help"
IS_WORSE = "the stand-in is worse"
NOTHING_HEALTHY = "nothing healthy is left"
FEW = 10
"""Of fewer turns nobody can say anything."""
LATELY_SECONDS = 120.0
POINTS = 0.05
"""So much more often than the original a stand-in may fail."""
ALWAYS_BAD = 0.05
"""A stand-in that fails more often than this is no better than an original that does not fail at all."""

_LIKELY, _SURE = quantile(0.95), quantile(0.975)


class Verdict(StrEnum):
    """What the figures say."""

    HELPED = "helped"
    NO_BETTER = "no better"
    INCONCLUSIVE = "too little to tell"


def did_not_help(outcome: str | None) -> bool:
    """Whether a row ends for this reason as failed, and its value is not tried again in the same episode."""
    return outcome is not None and outcome.startswith((DID_NOT_HELP, IS_WORSE, NOTHING_HEALTHY))


def figures(counted: Counts, errors: Counts) -> dict[str, int]:
    """What a row keeps of the time before it: what its alert's rule counted, and how often its model failed at all."""
    return {
        "before_samples": counted.samples,
        "before_bad": counted.bad,
        "original_samples": errors.samples,
        "original_bad": errors.bad,
    }


def judge(before: Counts, after: Counts) -> Verdict:
    """Helped: it is surely rarer than before. No better: it is surely not even half as rare. Else nobody can tell."""
    if not before.bad or after.samples < FEW:
        return Verdict.INCONCLUSIVE
    upper_bound = 1 - lower_bound(Counts(after.samples, after.samples - after.bad), _LIKELY)
    if upper_bound < ratio(before):
        return Verdict.HELPED
    return Verdict.NO_BETTER if lower_bound(after, _LIKELY) > ratio(before) / 2 else Verdict.INCONCLUSIVE


def say(before: Counts, after: Counts) -> str:
    """`before 34 of 80 failed (42 %), after 2 of 75 (3 %)`; what is too little to tell says so."""
    words = f"before {_say(before, ' failed')}, after {_say(after)}"
    return f"{words}: {Verdict.INCONCLUSIVE}" if judge(before, after) is Verdict.INCONCLUSIVE else words


def is_worse(stand_in: Counts, original: float) -> bool:
    """Whether a stand-in surely fails more often than the original's ratio, and by more than five points."""
    if stand_in.samples < FEW or ratio(stand_in) <= original + POINTS:
        return False
    return lower_bound(stand_in, _SURE) > original


def is_as_bad(stand_in: Counts, original: float) -> bool:
    """Whether it makes no difference which of the two is used."""
    return stand_in.samples >= FEW and ratio(stand_in) >= max(original, ALWAYS_BAD)


def ratio(counts: Counts) -> float:
    """The share of bad ones; 0 without samples."""
    return counts.bad / counts.samples if counts.samples else 0.0


def _say(counts: Counts, failed: str = "") -> str:
    return f"{counts.bad} of {counts.samples}{failed} ({ratio(counts) * 100:.0f} %)"


class Tally:
    """What was counted of one row since it was applied; it goes on from the figures that the row has kept."""

    __slots__ = ("_bad", "_before", "_good", "_lately", "_original", "_samples")

    def __init__(self, kept: Mapping[str, int]) -> None:
        self._before = Counts(kept.get("before_samples", 0), kept.get("before_bad", 0))
        errors = Counts(kept.get("original_samples", 0), kept.get("original_bad", 0))
        self._original = max(ratio(errors), ratio(self._before))
        self._samples, self._bad = kept.get("after_samples", 0), kept.get("after_bad", 0)
        self._good = kept.get("good", 0)
        self._lately = Ring(10_000, LATELY_SECONDS)

    def count(self, *, bad: bool) -> None:
        """One turn that the alert's rule counts."""
        self._samples += 1
        self._bad += bad

    def went_through(self, at: int, outcome: Outcome) -> None:
        """One turn that went through it, whatever the rule makes of it."""
        failed = outcome is Outcome.FAILED
        self._good += not failed
        self._lately.add(at, 1, failed)

    def figures(self) -> dict[str, int]:
        """What the row shall keep of it."""
        return {"after_samples": self._samples, "after_bad": self._bad, "good": self._good}

    @property
    def saved_turns(self) -> int:
        return self._good

    @property
    def verdict(self) -> Verdict:
        return judge(self._before, self._after)

    @property
    def proof(self) -> str:
        return say(self._before, self._after)

    def is_worse(self, now: int) -> bool:
        """Of the last two minutes."""
        return is_worse(self._lately.counts(now, LATELY_SECONDS), self._original)

    def is_as_bad(self, now: int) -> bool:
        """Of the last two minutes."""
        return is_as_bad(self._lately.counts(now, LATELY_SECONDS), self._original)

    def lately(self, now: int) -> str:
        """The last two minutes in words."""
        return f"{_say(self._lately.counts(now, LATELY_SECONDS), ' failed')}, before {self._original * 100:.0f} %"

    @property
    def _after(self) -> Counts:
        return Counts(self._samples, self._bad)
