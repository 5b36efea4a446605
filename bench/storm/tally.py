"""What became of the exchanges: well, as badly as was to be expected, or badly by a fault of ours."""

from collections import Counter
from dataclasses import dataclass, field

GOOD, EXPECTED, RACE, OURS = "good", "expected", "race", "ours"
MOST_TOLD = 40


@dataclass
class Tally:
    """`certain` requests must have made an event each, no more than `possible` may have."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    certain: int = 0
    possible: int = 0
    good_answers: int = 0
    told: list[str] = field(default_factory=list)

    def note(self, act: str, verdict: str, why: str = "") -> None:
        self.counts[act, verdict] += 1
        if verdict == OURS and len(self.told) < MOST_TOLD:
            self.told.append(f"{act}: {why}")
            print("!", self.told[-1], flush=True)

    def total(self, verdict: str) -> int:
        return sum(count for (_, one), count in self.counts.items() if one == verdict)

    def rows(self) -> list[tuple[str, int, int, int, int]]:
        """By act: its counts of each verdict."""
        acts = sorted({act for act, _ in self.counts})
        return [
            (act, self.counts[act, GOOD], self.counts[act, EXPECTED], self.counts[act, RACE], self.counts[act, OURS])
            for act in acts
        ]
