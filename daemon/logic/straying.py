"""Straying: counts which provider the turns of each model should go to, and which one they went to."""

from collections.abc import Sequence

from daemon.domain.routed import Routed

MOST = 1000
"""Of models and their providers; the one that was counted for the longest time is forgotten."""


class Straying:
    """Counts since the start, or since somebody said anew where turns should go."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, str, str], int] = {}

    def forget(self) -> None:
        """What was expected is not expected any more."""
        self._turns = {}

    def note(self, model: str, expected: str, provider_key: str) -> None:
        """One turn has ended."""
        key = model, expected, provider_key
        self._turns[key] = self._turns.get(key, 0) + 1
        if len(self._turns) > MOST:
            del self._turns[next(iter(self._turns))]

    @property
    def routed(self) -> Sequence[Routed]:
        """All that was counted."""
        return [
            Routed(model=model, expected=expected, provider_key=provider_key, turns=turns)
            for (model, expected, provider_key), turns in self._turns.items()
        ]
