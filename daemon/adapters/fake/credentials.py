"""The credentials of the fake upstream: which of them serves a model, and what people change of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import Any

SPARK_PLANS = ("plus", "pro")


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential file. `models` are the starts of the names of the models it serves."""

    auth_index: str
    name: str
    provider: str
    models: tuple[str, ...]
    plan: str | None = None
    """Of its account, where its vendor has plans."""

    def has(self, model: str) -> bool:
        """Whether its plan has a model: Spark is in two of them."""
        return self.plan in (None, *SPARK_PLANS) or not model.endswith("-spark")


CREDENTIALS = (
    Credential("c0de00000000c0de", "codex-a@example.org.json", "codex", ("gpt-",), "plus"),
    Credential("c1a0de000000c1a0", "claude-a@example.org.json", "claude", ("claude-",)),
    Credential("9e31410000009e31", "gemini-a@example.org.json", "gemini", ("gemini-",)),
    Credential("1f10a000000001f1", "iflow-a.json", "iflow", ("iflow/",)),
    Credential("a9714a7000000a97", "antigravity-a.json", "antigravity", ("antigravity/",)),
    Credential("0ca11b1e00000ca1", "compatible.json", "openai-compatibility", ("",)),
)
"""The provider of the first whose models fit serves; the last one serves whatever is left."""

KIRO = Credential("41a0000000041a00", "kiro-a.json", "kiro", ("kiro-",))
"""Served by some older builds only."""


def several(count: int) -> tuple[Credential, ...]:
    """So many of each provider: `codex-a@example.org.json`, `codex-b@example.org.json`, …"""
    return tuple(
        replace(
            one,
            auth_index=f"{int(one.auth_index, 16) + number:016x}",
            name=one.name.replace("-a", f"-{ascii_lowercase[number]}", 1),
        )
        for one in CREDENTIALS
        for number in range(count if one.models != ("",) else 1)
    )


class Credentials:
    """The highest priority serves, one after the other; a lower one only when all above it are off."""

    def __init__(self, credentials: Sequence[Credential]) -> None:
        self._all = tuple(credentials)
        self.reset()

    def reset(self) -> None:
        """As at the start."""
        self._fields: dict[str, dict[str, Any]] = {one.name: {} for one in self._all}
        self._turns: Counter[str] = Counter()

    def serving(self, model: str) -> list[Credential]:
        """Those that share a model's requests now; none when all that could are off."""
        provider = next((one.provider for one in self._all if model.startswith(one.models)), None)
        able = [one for one in self._all if one.provider == provider and model.startswith(one.models)]
        able = [one for one in able if not self._fields[one.name].get("disabled")]
        highest = max(map(self._priority, able), default=0)
        return [one for one in able if self._priority(one) == highest]

    def next_for(self, model: str) -> Credential | None:
        """Whose turn it is."""
        if not (those := self.serving(model)):
            return None
        turn = self._turns[those[0].provider]
        self._turns[those[0].provider] += 1
        return those[turn % len(those)]

    def find(self, auth_index: object) -> Credential | None:
        """The one with that index."""
        return next((one for one in self._all if one.auth_index == auth_index), None)

    def listed(self) -> list[tuple[Credential, Mapping[str, Any]]]:
        """All, each with what was set of it."""
        return [(one, self._fields[one.name]) for one in self._all]

    def change(self, name: object, fields: Mapping[str, Any]) -> bool:
        """Whether there is such a credential; a priority of 0 is none."""
        if name not in self._fields:
            return False
        own = self._fields[str(name)]
        own.update(fields)
        if not own.get("priority", 1):
            del own["priority"]
        return True

    def _priority(self, credential: Credential) -> int:
        return int(self._fields[credential.name].get("priority", 0))
