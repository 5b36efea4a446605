"""The upstream's ten-minute counts per credential, told as tallies, and as turns that are spread evenly."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from daemon.domain.event import Event
from daemon.domain.upstream_past import Account, Holder, PastSource, Tally
from daemon.logic.upstream_past_turns import a_turn

MINUTE_MS = 60_000
QUARTER, DAY = 15, 24 * 60
"""Minutes: every zone is a multiple of a quarter away from UTC."""
FARTHEST_EAST = 14 * 60
FIELDS = frozenset({"emitted_at", "outcome", "source", "provider_key", "auth_index", "credential"})
NOTES = (
    "only counts of ten minutes per credential are known: their turns are spread evenly, so bursts are not seen",
    "a request that was tried on several credentials counts once for each",
)
_BUCKET = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def holders(auth_files: Any) -> dict[str, Holder]:
    """The credentials of `auth-files`, by auth_index."""
    return {str(file["auth_index"]): _holder(file) for file in _files(auth_files) if file.get("auth_index")}


def tallies(auth_files: Any, api_keys: Any, now: int, zone_minutes: int | None = None) -> tuple[Tally, ...]:
    """Every bucket in which something was counted, oldest first; `now` is epoch ms.

    The zone of the upstream is read off the newest bucket, which holds the present, unless it is known.
    """
    found = [tally for file in _files(auth_files) for tally in _buckets(file, _holder(file), now, zone_minutes)]
    for provider_key, keys in _mapping(api_keys).items():
        for entry in _mapping(keys).values():
            found += _buckets(_mapping(entry), Holder(provider_key=str(provider_key)), now, zone_minutes)
    return tuple(sorted(found, key=lambda tally: (tally.since, tally.holder.provider_key, tally.holder.name or "")))


def together(tallied: Iterable[Tally]) -> tuple[Tally, ...]:
    """One of each credential, over all the time that is told of; the busiest comes first."""
    those = list(tallied)
    sums = [_sum([tally for tally in those if tally.holder == holder]) for holder in {tally.holder for tally in those}]
    return tuple(sorted(sums, key=lambda tally: (-tally.succeeded - tally.failed, str(tally.holder))))


def _sum(tallied: Sequence[Tally]) -> Tally:
    return Tally(
        since=min(tally.since for tally in tallied),
        until=max(tally.until for tally in tallied),
        holder=tallied[0].holder,
        succeeded=sum(tally.succeeded for tally in tallied),
        failed=sum(tally.failed for tally in tallied),
    )


def account(tallied: Iterable[Tally], now: int) -> Account | None:
    """Turns out of tallies; None where nothing was counted."""
    those = tuple(tallied)
    if not those:
        return None
    events = sorted((event for tally in those for event in _events(tally, now)), key=lambda event: event.emitted_at)
    since = min(tally.since for tally in those)
    return Account(source=PastSource.COUNTS, since=since, until=now, events=tuple(events), fields=FIELDS, notes=NOTES)


def zone_said(auth_files: Any, now: int) -> int | None:
    """The same as `zone_of`, of the first credential that has buckets."""
    newest = (rows[-1] for file in _files(auth_files) if (rows := _rows(file)))
    return next((zone_of(str(row.get("time")), now) for row in newest), None)


def zone_of(bucket: str, now: int) -> int | None:
    """How many minutes a clock is ahead of UTC in whose bucket `now` (epoch ms) is; None where it cannot be read."""
    if (match := _BUCKET.fullmatch(bucket)) is None:
        return None
    begin, end = _minutes(match)
    ahead = ((begin + end) / 2 - now / MINUTE_MS) % DAY
    nearest = round(ahead / QUARTER) * QUARTER % DAY
    return nearest if nearest <= FARTHEST_EAST else nearest - DAY


def _buckets(file: Mapping[str, Any], holder: Holder, now: int, zone: int | None) -> Iterator[Tally]:
    rows = _rows(file)
    matches = [_BUCKET.fullmatch(str(row.get("time"))) for row in rows]
    if not matches or (newest := matches[-1]) is None:
        return
    zone = zone_of(newest[0], now) if zone is None else zone
    begin, end = _minutes(newest)
    width = (end - begin) * MINUTE_MS
    ago = (now / MINUTE_MS + (zone or 0) - begin + DAY / 2) % DAY - DAY / 2
    latest = round(now / MINUTE_MS - ago) * MINUTE_MS
    for place, row in enumerate(reversed(rows)):
        succeeded, failed = _count(row.get("success")), _count(row.get("failed"))
        if succeeded or failed:
            since = latest - place * width
            yield Tally(since=since, until=since + width, holder=holder, succeeded=succeeded, failed=failed)


def _rows(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in _list(file.get("recent_requests")) if isinstance(row, dict)]


def _minutes(match: re.Match[str]) -> tuple[int, int]:
    """Of a day; a bucket over midnight ends on the next one."""
    begin, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    return begin, end if end > begin else end + DAY


def _events(tally: Tally, now: int) -> Iterator[Event]:
    """The failures are spread evenly among the rest, as all of them are over the time."""
    count, failures, span = tally.succeeded + tally.failed, 0, min(tally.until, now) - tally.since
    for place in range(count):
        is_bad = (place + 1) * tally.failed // count > failures
        failures += is_bad
        at = tally.since + max(0, span) * (2 * place + 1) // (2 * count)
        yield a_turn(at, is_bad=is_bad, holder=tally.holder)


def _holder(file: Mapping[str, Any]) -> Holder:
    return Holder(
        provider_key=str(file.get("provider") or file.get("type") or "unknown"),
        auth_index=str(file["auth_index"]) if file.get("auth_index") else None,
        name=str(file["name"]) if file.get("name") else None,
    )


def _files(auth_files: Any) -> list[Mapping[str, Any]]:
    return [file for file in _list(_mapping(auth_files).get("files")) if isinstance(file, dict)]


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
