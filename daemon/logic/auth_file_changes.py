"""Changes of the credentials' files: which names are alike, and what a restart or a refresh has made of them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from daemon.domain.credential import CredentialFile
from daemon.logic.probe import Sight

RESTART, REFRESH = "the upstream was started anew", "a token was refreshed"
MOST_NAMED = 3
_COPY = re.compile(r"(?: ?\(\d+\)| ?- ?copy(?: ?\(\d+\))?)+(?=\.json$|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is otherwise since something happened at an instant (epoch ms); names are those of files."""

    at: int
    cause: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of them at the last look; plain enough to be remembered as JSON."""

    names: tuple[str, ...] | None = None
    """None: they were never listed."""
    version: str | None = None
    served: Mapping[str, int] | None = None
    """By name."""
    refreshed: Mapping[str, int] | None = None
    """By name, epoch ms."""
    was_away: bool = False
    """The upstream did not answer since they were last listed."""
    change: Change | None = None

    @classmethod
    def of(cls, memory: Mapping[str, Any] | None) -> Self:
        if not memory:
            return cls()
        names, change = memory["names"], memory["change"]
        return cls(
            **{
                **memory,
                "names": None if names is None else tuple(names),
                "change": None if change is None else _change(change),
            }
        )

    def data(self) -> dict[str, Any]:
        return asdict(self)

    def unseen(self, reachable: bool) -> Self:
        """After a look at which they were not listed."""
        return self if reachable else replace(self, was_away=True)


def seen_now(before: Seen, files: Sequence[CredentialFile], sight: Sight, changed_for_seconds: float) -> Seen:
    """What a look comes to. Who adds or removes a file while nothing else happens, means to."""
    now = Seen(
        names=tuple(sorted(file.name for file in files)),
        version=sight.capabilities.version,
        served={file.name: file.served for file in files if file.served is not None},
        refreshed={file.name: file.last_refresh for file in files if file.last_refresh is not None},
    )
    return replace(now, change=_changed(before, now, sight.now, changed_for_seconds))


def reason_of(change: Change | None) -> str:
    """In words for people."""
    if change is None:
        return ""
    before, after = Counter(change.before), Counter(change.after)
    news = "".join(_named(word, those) for word, those in (("new", after - before), ("gone", before - after)) if those)
    return f"since {change.cause} there are {len(change.after)} files and not {len(change.before)}{news}"


def _named(word: str, names: Counter[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"; {word}: {', '.join(sorted(names)[:MOST_NAMED])}{more}"


def alike(names: Iterable[str]) -> list[str]:
    """Names of which there are several, each as the first that is so called; copies and paths tell none apart."""
    called: dict[str, list[str]] = {}
    for name in names:
        called.setdefault(_plain(name), []).append(name)
    return sorted(" = ".join(sorted(set(those))) for those in called.values() if len(those) > 1)


def _plain(name: str) -> str:
    path = name.casefold().replace("\\", "/").rstrip(". ")
    return _COPY.sub("", re.sub("/+", "/", path).removeprefix("./"))


def _changed(before: Seen, now: Seen, at: int, changed_for_seconds: float) -> Change | None:
    names, standing = now.names or (), before.change
    if standing is not None:
        is_over = names == standing.before or at - standing.at >= changed_for_seconds * 1000
        return None if is_over else replace(standing, after=names)
    if before.names is None or before.names == names or not (cause := _cause(before, now)):
        return None
    return Change(at=at, cause=cause, before=before.names, after=names)


def _cause(before: Seen, now: Seen) -> str:
    """What happened between the looks, as far as it shows: an upstream that counts from nothing began anew."""
    fell = any(count < (before.served or {}).get(name, 0) for name, count in (now.served or {}).items())
    if before.was_away or fell or before.version != now.version:
        return RESTART
    known = before.refreshed or {}
    is_refreshed = any(at != known[name] for name, at in (now.refreshed or {}).items() if name in known)
    return REFRESH if is_refreshed else ""


def _change(memory: Mapping[str, Any]) -> Change:
    return Change(at=memory["at"], cause=memory["cause"], before=tuple(memory["before"]), after=tuple(memory["after"]))
