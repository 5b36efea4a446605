"""Refreshes of the credentials' tokens: how often each is usually refreshed, and which refresh is stuck."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from daemon.domain.credential import CredentialFile
from daemon.domain.units import say_duration

UNDER_WAY = frozenset({"refreshing", "pending"})
"""What the upstream says of a credential whose refresh has begun."""
USUALLY = 3
"""Twice as long as the longest interval may be a quiet day, so many times is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshes:
    """What was seen of them, by the name of the file; plain enough to be remembered as JSON."""

    last: Mapping[str, int] = field(default_factory=dict)
    """Epoch ms."""
    longest: Mapping[str, int] = field(default_factory=dict)
    """Milliseconds between two of them that followed one another."""
    began: Mapping[str, int] = field(default_factory=dict)
    """Since when one is under way, epoch ms."""

    @classmethod
    def of(cls, memory: Mapping[str, Any] | None) -> Self:
        return cls(**memory) if memory else cls()

    def data(self) -> dict[str, Any]:
        return asdict(self)

    def learn(self, files: Sequence[CredentialFile], now: int) -> "Refreshes":
        """After a look (epoch ms)."""
        last = {file.name: file.last_refresh for file in files if file.last_refresh is not None}
        between = {name: at - self.last[name] for name, at in last.items() if at > self.last.get(name, at)}
        longest = {name: max(self.longest.get(name, 0), between.get(name, 0)) for name in last}
        began = {file.name: self.began.get(file.name, now) for file in files if file.status in UNDER_WAY}
        return Refreshes(last=last, longest={name: span for name, span in longest.items() if span}, began=began)


def stuck(file: CredentialFile, refreshes: Refreshes, within_seconds: float, now: int) -> str:
    """What shows that its refresh is, as what follows its name; empty where it is not. `now` is epoch ms."""
    if file.disabled:
        return ""
    began = refreshes.began.get(file.name)
    if began is not None and now - began >= within_seconds * 1000:
        return f"is {file.status} for {say_duration((now - began) // 1000)}: log in anew where that does not end"
    longest, last = refreshes.longest.get(file.name), refreshes.last.get(file.name)
    if longest is None or last is None or now - last < USUALLY * max(longest, within_seconds * 1000):
        return ""
    ago, usual = say_duration((now - last) // 1000), say_duration(longest // 1000)
    return f"was last refreshed {ago} ago, and usually every {usual}: log in anew"
