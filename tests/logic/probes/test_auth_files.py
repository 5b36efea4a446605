"""Files of credentials: twice, otherwise after a restart, stuck in a refresh, or left alone for nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.quota import QuotaReading
from daemon.logic.auth_file_changes import alike
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import auth_files
from daemon.logic.probes.auth_files import AuthFilesOptions

MINUTE = 60_000
HOUR = 60 * MINUTE


def a_file(name: str = "codex-a.json", **facts: Any) -> CredentialFile:
    return CredentialFile(auth_index=f"i-{name}", name=name, provider_key="codex", **facts)


A, B = a_file(), a_file("codex-b.json")


class Looks:
    """One look after the other, with the memory of the last."""

    def __init__(self, **options: Any) -> None:
        self.options = AuthFilesOptions(**options)
        self.memory: Mapping[str, Any] = {}
        self.now = 100 * HOUR

    def look(self, files: Sequence[CredentialFile] | None, after: int = MINUTE, **facts: Any) -> Found:
        self.now += after
        sight = Sight(now=self.now, credentials=files, memory=self.memory, **facts)
        found = auth_files.verdict(self.options, sight, ())
        self.memory = json.loads(json.dumps(found.memory))
        return found


def bad(found: Found) -> dict[str, str]:
    return {one.subject: one.reason for one in found.results if one.outcome == "bad"}


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["a.json", "b.json"], []),
        (["a.json", "a.json"], ["a.json"]),
        (["a.json", "A.JSON"], ["A.JSON = a.json"]),
        (["a.json", "a (1).json"], ["a (1).json = a.json"]),
        (["a.json", "a - Copy.json", "a - Copy (2).json"], ["a - Copy (2).json = a - Copy.json = a.json"]),
        (["x/a.json", "x\\a.json"], ["x/a.json = x\\a.json"]),
        (["./a.json", "a.json"], ["./a.json = a.json"]),
        (["x/a.json", "y/a.json"], []),
        (["a1.json", "a.json"], []),
        (["a(b).json", "a.json"], []),
    ],
)
def test_names_that_are_alike(names: list[str], twice: list[str]) -> None:
    assert alike(names) == twice


def test_files_that_are_there_twice_and_in_another_number_are_told() -> None:
    assert bad(Looks().look([A, A])) == {"": "there twice: codex-a.json"}
    assert bad(Looks(expected=3).look([A, B])) == {"": "2 in number, and not 3"}
    assert bad(Looks(expected=2).look([A, B])) == {}


def test_where_none_are_listed_nobody_knows() -> None:
    assert [one.outcome.value for one in Looks().look(None).results] == ["unknown"]


@pytest.mark.parametrize("way", ["it was away", "it counts anew", "it is another version"])
def test_what_a_restart_changed_is_told_until_it_is_as_before(way: str) -> None:
    looks = Looks()
    looks.look([replace(A, served=7)], capabilities=Capabilities(version="1"))
    if way == "it was away":
        looks.look(None, reachable=False)
    served = 0 if way == "it counts anew" else 8
    version = "2" if way == "it is another version" else "1"
    after = [replace(A, served=served), B]
    reason = "since the upstream was started anew there are 2 files and not 1; new: codex-b.json"
    for _ in range(2):
        assert bad(looks.look(after, capabilities=Capabilities(version=version))) == {"changed": reason}
    assert bad(looks.look([A], capabilities=Capabilities(version=version))) == {}


def test_what_a_refresh_changed_is_told() -> None:
    looks = Looks()
    looks.look([replace(A, last_refresh=looks.now - HOUR), B])
    found = looks.look([replace(A, last_refresh=looks.now)])
    assert bad(found) == {"changed": "since a token was refreshed there are 1 files and not 2; gone: codex-b.json"}


def test_of_many_a_few_are_named() -> None:
    looks = Looks()
    looks.look([A])
    looks.look(None, reachable=False)
    found = looks.look([A, *(a_file(f"x{number}.json") for number in range(5))])
    assert bad(found)["changed"].endswith("; new: x0.json, x1.json, x2.json and 2 more")


def test_it_is_told_for_a_day_and_then_is_what_is_usual() -> None:
    looks = Looks(changed_for="1d")
    looks.look([A])
    looks.look(None, reachable=False)
    assert set(bad(looks.look([A, B]))) == {"changed"}
    assert bad(looks.look([A, B], after=24 * HOUR)) == {}
    assert bad(looks.look([A, B])) == {}


@pytest.mark.parametrize("files", [[A, B], []])
def test_who_adds_or_removes_a_file_means_to(files: list[CredentialFile]) -> None:
    looks = Looks()
    looks.look([A])
    assert bad(looks.look(files)) == {}


def test_a_look_that_failed_while_the_upstream_answered_is_no_restart() -> None:
    looks = Looks()
    looks.look([A])
    looks.look(None, reachable=True)
    assert bad(looks.look([A, B])) == {}


@pytest.mark.parametrize("status", ["refreshing", "pending"])
def test_a_refresh_that_does_not_end_is_stuck_until_it_does(status: str) -> None:
    looks = Looks(refresh_within="30m")
    under_way = replace(A, status=status)
    assert bad(looks.look([under_way])) == {}
    assert bad(looks.look([under_way], after=29 * MINUTE)) == {}
    found = bad(looks.look([under_way]))
    assert found == {"refresh:codex-a.json": f"codex-a.json is {status} for 30m: log in anew where that does not end"}
    assert [one.outcome.value for one in looks.look([replace(A, status="active")]).results] == ["ok"] * 3


def test_one_that_is_not_refreshed_as_it_usually_is_is_stuck() -> None:
    looks = Looks()
    last = looks.now
    for _ in range(3):
        last = looks.now
        looks.look([replace(A, last_refresh=last)], after=2 * HOUR)
    silent = replace(A, last_refresh=last)
    assert bad(looks.look([silent], after=3 * HOUR)) == {}
    assert set(bad(looks.look([silent], after=HOUR))) == {"refresh:codex-a.json"}
    assert bad(looks.look([replace(silent, disabled=True)])) == {}


def test_one_whose_interval_is_not_known_is_not_stuck() -> None:
    looks = Looks()
    looks.look([replace(A, last_refresh=looks.now)])
    assert bad(looks.look([replace(A, last_refresh=looks.now - MINUTE)], after=900 * HOUR)) == {}


def reading(at: int, **facts: Any) -> QuotaReading:
    return QuotaReading(provider_key="codex", auth_index=A.auth_index, observed_at=at, source="test", **facts)


@pytest.mark.parametrize(
    ("quota", "is_stale"),
    [
        ({"quota_exhausted": False}, True),
        ({"usage_percentage": 41.0}, True),
        ({"usage_percentage": 100.0}, False),
        ({"quota_exhausted": True}, False),
        ({"quota_remaining": 0.0}, False),
        ({"quota_reset_seconds": 3.0}, False),
    ],
)
@pytest.mark.parametrize("unavailable", [True, False])
def test_a_cooldown_beside_a_free_quota_is_stale(quota: dict[str, Any], is_stale: bool, unavailable: bool) -> None:
    looks = Looks()
    blocked = replace(A, unavailable=True) if unavailable else replace(A, next_retry_after=looks.now + 2 * HOUR)
    assert bad(looks.look([blocked], quota=[reading(looks.now, **quota)])) == {}
    found = bad(looks.look([blocked], quota=[reading(looks.now, **quota)]))
    assert set(found) == ({"stale_cooldown:codex-a.json"} if is_stale else set())
    assert all("`reset_quota`" in reason for reason in found.values())
    assert bad(looks.look([A], quota=[reading(looks.now, **quota)])) == {}


def test_a_quota_that_was_read_before_the_cooldown_or_long_ago_says_nothing() -> None:
    looks, blocked = Looks(fresh="15m"), replace(A, unavailable=True)
    read = [reading(looks.now, quota_exhausted=False)]
    assert bad(looks.look([blocked], quota=read)) == {}
    assert bad(looks.look([blocked], quota=read)) == {}
    read = [reading(looks.now, quota_exhausted=False)]
    assert bad(looks.look([blocked], after=16 * MINUTE, quota=read)) == {}


def test_one_that_is_switched_off_is_not_left_alone_by_the_upstream() -> None:
    looks, off = Looks(), replace(A, unavailable=True, disabled=True)
    for _ in range(3):
        assert bad(looks.look([off], quota=[reading(looks.now, quota_exhausted=False)])) == {}


def test_a_quiet_look_leaves_the_memory_as_it_was() -> None:
    looks = Looks()
    looks.look([A, B])
    before = looks.memory
    looks.look([A, B])
    assert looks.memory == before
