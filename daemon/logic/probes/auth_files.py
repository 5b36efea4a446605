"""`auth_files`: whether the files of the upstream's credentials are each there once, stay as they are over a restart
and a refresh, are refreshed in time, and are not left alone for a quota that is free again.
"""

from collections.abc import Mapping, Sequence

from pydantic import Field

from daemon.domain.credential import CredentialFile
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.quota import QuotaReading
from daemon.domain.units import Duration, say_duration
from daemon.logic.auth_file_changes import Seen, alike, reason_of, seen_now
from daemon.logic.auth_file_refreshes import Refreshes, stuck
from daemon.logic.probe import Found, LookOptions, Sight, told

EXAMPLE = """\
auth_files: {expected: 6, refresh_within: 30m}
"""
COSTS = False
CHANGED, REFRESH, STALE_COOLDOWN = "changed", "refresh", "stale_cooldown"


class AuthFilesOptions(LookOptions):
    """Judges each look at the upstream; needs its management API."""

    expected: int | None = Field(None, ge=0)
    """How many files there are to be: any other number is bad."""
    changed_for: Duration = Field(86_400.0, gt=0)
    """What a restart or a refresh has changed is told for so long, unless it is as before by then."""
    refresh_within: Duration = Field(1800.0, gt=0)
    """A refresh that takes longer is stuck."""
    fresh: Duration = Field(900.0, gt=0)
    """A quota that was read longer ago does not stand against a cooldown."""


def requests(options: AuthFilesOptions, sight: Sight) -> Sequence[Ask]:
    """The look has asked."""
    return []


def verdict(options: AuthFilesOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of the names, one of what changed, and one of each file that has a trouble, or had one."""
    before = Seen.of(sight.memory.get("seen"))
    files = sight.credentials
    if files is None:
        said = told("auth_files", sight, None, "the upstream lists no credentials to us")
        return Found(results=[said], memory={**sight.memory, "seen": before.unseen(sight.reachable).data()})
    seen = seen_now(before, files, sight, options.changed_for)
    refreshes = Refreshes.of(sight.memory.get("refreshes")).learn(files, sight.now)
    blocked = _blocked(files, sight)
    troubles = {**_stuck(files, refreshes, options, sight), **_stale(files, blocked, options, sight)}
    had = [one for one in sight.memory.get("had", ()) if one.partition(":")[2] in {file.name for file in files}]
    subjects = sorted({*had, *troubles})
    results = [
        _twice(files, options, sight),
        told(
            "auth_files", sight, seen.change is None, reason_of(seen.change), subject=CHANGED, value=float(len(files))
        ),
        *(told("auth_files", sight, one not in troubles, troubles.get(one, ""), subject=one) for one in subjects),
    ]
    memory = {"seen": seen.data(), "refreshes": refreshes.data(), "blocked": blocked, "had": subjects}
    return Found(results=results, memory=memory)


def _twice(files: Sequence[CredentialFile], options: AuthFilesOptions, sight: Sight) -> ProbeResult:
    """Alike are names that Windows takes for one, and copies that it makes of one."""
    twice = alike(file.name for file in files)
    said = [f"there twice: {', '.join(twice)}"] if twice else []
    if options.expected not in (None, len(files)):
        said.append(f"{len(files)} in number, and not {options.expected}")
    return told("auth_files", sight, not said, "; ".join(said), value=float(len(files)))


def _stuck(
    files: Sequence[CredentialFile], refreshes: Refreshes, options: AuthFilesOptions, sight: Sight
) -> Mapping[str, str]:
    """Why, by subject."""
    found = ((file.name, stuck(file, refreshes, options.refresh_within, sight.now)) for file in files)
    return {f"{REFRESH}:{name}": f"{name} {why}" for name, why in found if why}


def _stale(
    files: Sequence[CredentialFile], blocked: Mapping[str, int], options: AuthFilesOptions, sight: Sight
) -> Mapping[str, str]:
    """Why, by subject."""
    found = {file.name: _left_alone(file, blocked[file.name], options, sight) for file in files if file.name in blocked}
    return {f"{STALE_COOLDOWN}:{name}": why for name, why in found.items() if why}


def _blocked(files: Sequence[CredentialFile], sight: Sight) -> dict[str, int]:
    """Since when each of those is left alone that are (epoch ms)."""
    before, now = sight.memory.get("blocked") or {}, sight.now
    return {
        file.name: before.get(file.name, now)
        for file in files
        if not file.disabled and (file.unavailable or (file.next_retry_after or 0) > now)
    }


def _left_alone(file: CredentialFile, since: int, options: AuthFilesOptions, sight: Sight) -> str:
    """What shows that it is so for nothing; empty where it is not, or where nobody knows: what was read before it
    began says nothing."""
    oldest = max(since, sight.now - round(options.fresh * 1000))
    told_of = [one for one in sight.quota if one.auth_index == file.auth_index and one.tells]
    readings = [one for one in told_of if one.observed_at >= oldest]
    if not readings or any(_is_used_up(one) for one in readings):
        return ""
    left = ((file.next_retry_after or 0) - sight.now) // 1000
    wait = f" for another {say_duration(left)}" if left > 0 else ""
    return f"the upstream leaves {file.name} alone{wait}, and its quota is free: `reset_quota` ends that"


def _is_used_up(one: QuotaReading) -> bool:
    used = one.usage_percentage is not None and one.usage_percentage >= 100
    return bool(one.quota_exhausted or used or one.quota_remaining == 0)


OPTIONS = AuthFilesOptions
