"""Counts of ten minutes: where their clock stands, which time they are of, and turns spread evenly in them."""

import pytest

from daemon.domain.event import Outcome
from daemon.domain.upstream_past import Holder
from daemon.logic.upstream_past_counts import account, tallies, together, zone_of
from tests.logic.past import MINUTE, NOW, auth_files, buckets


@pytest.mark.parametrize("minutes", [0, 60, 330, 345, 480, 840, -210, -480, -570])
@pytest.mark.parametrize("past_the_hour", [0, 4, 9, 53, 59])
def test_the_newest_bucket_tells_the_zone(minutes: int, past_the_hour: int) -> None:
    now = NOW + past_the_hour * MINUTE
    (newest,) = buckets((1, 0), zone_minutes=minutes, now=now)
    assert zone_of(newest["time"], now) == minutes


def test_what_is_no_bucket_tells_no_zone() -> None:
    assert zone_of("today", NOW) is None


@pytest.mark.parametrize("minutes", [0, 480, -480])
def test_a_bucket_is_put_back_into_our_time(minutes: int) -> None:
    now = NOW + 3 * MINUTE
    rows = buckets((0, 0), (7, 1), (0, 0), (2, 0), zone_minutes=minutes, now=now)
    found = tallies(auth_files(codex=rows), None, now)
    assert [((one.since - NOW) // MINUTE, one.succeeded, one.failed) for one in found] == [(-20, 7, 1), (0, 2, 0)]
    assert {one.holder for one in found} == {Holder(provider_key="codex", auth_index="codex-1", name="codex.json")}


@pytest.mark.parametrize(("past_midnight", "begins"), [(1, [-10, 0]), (-1, [-20, -10])])
def test_buckets_around_midnight(past_midnight: int, begins: list[int]) -> None:
    midnight = NOW + 14 * 60 * MINUTE
    now = midnight + past_midnight
    rows = buckets((1, 0), (2, 0), now=now)
    found = tallies(auth_files(codex=rows), None, now)
    assert [(one.since - midnight) // MINUTE for one in found] == begins
    assert {one.until - one.since for one in found} == {10 * MINUTE}


def test_keys_of_the_config_count_too_and_nothing_of_them_is_kept() -> None:
    keys = {"claude": {"https://vendor|sk-canary-4711": {"success": 5, "recent_requests": buckets((5, 0))}}}
    (found,) = tallies(None, keys, NOW)
    assert (found.holder, found.succeeded) == (Holder(provider_key="claude"), 5)
    assert "4711" not in repr(found)


def test_turns_are_spread_evenly_and_so_are_the_failures_among_them() -> None:
    told = account(tallies(auth_files(codex=buckets((6, 2), (0, 0))), None, NOW), NOW)
    assert told is not None
    assert [event.outcome is Outcome.FAILED for event in told.events] == [False, False, False, True] * 2
    gaps = {later.emitted_at - earlier.emitted_at for earlier, later in zip(told.events, told.events[1:], strict=False)}
    assert gaps == {75_000}
    assert all(event.fault is None and event.status is None for event in told.events)


def test_the_bucket_that_has_not_ended_reaches_to_the_present() -> None:
    now = NOW + MINUTE
    told = account(tallies(auth_files(codex=buckets((50, 0), now=now)), None, now), now)
    assert told is not None
    assert max(event.emitted_at for event in told.events) < now


@pytest.mark.parametrize("reply", [None, [], {}, {"files": None}, {"files": ["x", {"recent_requests": "x"}]}])
def test_what_tells_nothing_is_no_account(reply: object) -> None:
    assert account(tallies(reply, reply, NOW), NOW) is None


def test_tallies_of_one_credential_are_one() -> None:
    found = tallies(auth_files(codex=buckets((7, 1), (2, 0), now=NOW), gemini=buckets((1, 0), now=NOW)), None, NOW)
    first, second = together(found)
    assert (first.holder.provider_key, first.succeeded, first.failed) == ("codex", 9, 1)
    assert (first.since, first.until) == (NOW - 10 * MINUTE, NOW + 10 * MINUTE)
    assert (second.holder.provider_key, second.succeeded) == ("gemini", 1)
    assert together(()) == ()
