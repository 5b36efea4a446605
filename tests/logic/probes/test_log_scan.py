"""Bursts in the upstream's log."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import log_scan
from daemon.logic.probes.log_scan import LogScanOptions
from tests.logic.past import MINUTE, NOW, WIRES, access, logs, said

KNOWN = Capabilities(management=True)


class Looks:
    """One look after the other, with the memory of the last."""

    def __init__(self, **options: Any) -> None:
        self.options = LogScanOptions(**options)
        self.memory: Mapping[str, Any] = {}
        self.now = NOW

    @property
    def sight(self) -> Sight:
        wires = {wire.WIRE: wire for wire in WIRES}
        return Sight(now=self.now, wires=wires, capabilities=KNOWN, memory=self.memory)

    @property
    def asks(self) -> Sequence[Ask]:
        return log_scan.requests(self.options, self.sight)

    def look(self, *lines: str, latest: int | None = None, **more: Any) -> Found:
        body = {**logs(*lines, latest=self.now if latest is None else latest), **more}
        return self.reply(Reply(status=200, body=json.dumps(body).encode()))

    def reply(self, reply: Reply) -> Found:
        found = log_scan.verdict(self.options, self.sight, [reply])
        self.memory = self.memory if found.memory is None else json.loads(json.dumps(found.memory))
        self.now += MINUTE
        return found


def said_of(found: Found) -> dict[str, tuple[str, float | None]]:
    return {one.subject: (one.outcome.value, one.value) for one in found.results}


def test_a_burst_is_bad_and_its_end_is_good() -> None:
    looks = Looks(most=2, window="5m")
    burst = [access(NOW, 429) for _ in range(3)]
    assert said_of(looks.look(*burst)) == {"": ("ok", 3.0), "*:429": ("bad", 3.0)}
    looks.now += 6 * MINUTE
    assert said_of(looks.look()) == {"": ("ok", 0.0), "*:429": ("ok", 0.0)}


def test_a_few_are_none() -> None:
    assert said_of(Looks(most=2).look(access(NOW, 401), access(NOW, 401))) == {"": ("ok", 2.0), "*:401": ("ok", 2.0)}


def test_accounts_and_refreshes_have_a_measure_of_their_own() -> None:
    found = Looks(most_account_errors=1).look(*[said(NOW, "iflow executor: token refresh failed")] * 2)
    assert said_of(found)["iflow:refresh"] == ("bad", 2.0)
    assert found.results[1].reason == "the upstream's log tells of 2 failed refreshes of iflow in 10m"


def test_what_was_written_before_the_window_is_not_counted_at_the_first_look() -> None:
    assert said_of(Looks().look(access(NOW - 30 * MINUTE, 429), access(NOW))) == {"": ("ok", 2.0)}


def test_a_first_look_at_a_log_of_unknown_time_counts_nothing() -> None:
    looks = Looks()
    assert said_of(looks.look(access(NOW, 429), latest=NOW + 1000)) == {"": ("ok", 1.0)}
    assert said_of(looks.look(access(looks.now, 429), latest=looks.now + 1000)) == {
        "": ("ok", 1.0),
        "*:429": ("ok", 1.0),
    }


@pytest.mark.parametrize(("zone", "minutes"), [("+08:00", 480), ("-03:30", -210)])
def test_a_zone_that_is_said_is_believed(zone: str, minutes: int) -> None:
    line = access(NOW, 429, zone_minutes=minutes)
    assert "*:429" in said_of(Looks(zone=zone).look(line, latest=NOW + 1000))


def test_a_zone_that_was_learned_is_remembered() -> None:
    looks = Looks()
    looks.look(access(NOW, zone_minutes=480))
    assert looks.memory["zone"] == 480
    looks.look(latest=NOW)
    assert looks.memory["zone"] == 480


def test_it_goes_on_where_it_stopped() -> None:
    looks = Looks()
    assert looks.asks == [Ask(door=Door.MANAGEMENT, path="logs?limit=2000")]
    looks.look(access(NOW))
    assert looks.asks[0].path == f"logs?limit=2000&after={NOW // 1000 - 1}"
    looks.look(access(NOW), **{"next-cursor": "a&b"})
    assert looks.asks[0].path == "logs?limit=2000&cursor=a%26b"


def test_a_file_is_read_where_one_is_named() -> None:
    looks = Looks(path="/logs/main.log")
    assert looks.asks == [Ask(door=Door.FILE, path="/logs/main.log")]
    looks.look(access(NOW), file={"inode": 1, "offset": 7})
    assert looks.asks[0].body == {"inode": 1, "offset": 7}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=400, body=b'{"error":"logging to file disabled"}'), "`logging-to-file: true`"),
        (Reply(status=404), "does not tell its log (status 404)"),
        (Reply(error="no answer"), "no answer"),
        (Reply(status=200, body=b"[]"), "(status 200)"),
    ],
)
def test_where_there_is_no_log_nobody_knows(reply: Reply, words: str) -> None:
    (one,) = Looks().reply(reply).results
    assert one.outcome.value == "unknown"
    assert words in one.reason


def test_without_a_management_api_nothing_is_asked() -> None:
    assert log_scan.requests(LogScanOptions(), Sight(now=NOW)) == []
    (one,) = log_scan.verdict(LogScanOptions(), Sight(now=NOW), []).results
    assert "RUNBOOKD_UPSTREAM_MANAGEMENT_KEY" in one.reason


def test_thinking_that_differs_is_counted_and_a_log_that_hides_it_says_nothing() -> None:
    asked = "thinking: original config from request | provider=p model=m mode=level level=high"
    done = "thinking: processed config to apply | provider=p model=m mode=level level=low"
    found = Looks(most=0).look(said(NOW, asked), said(NOW, done))
    assert said_of(found)["thinking"] == ("bad", 1.0)
    hidden = Looks().look(said(NOW, "thinking: processed config to apply | provider=[REDACTED] mode=[REDACTED]"))
    assert said_of(hidden)["thinking"] == ("unknown", None)


def test_of_a_line_nothing_is_kept() -> None:
    looks = Looks()
    found = looks.look(said(NOW, "iflow executor: token refresh failed for canary@example.org"), access(NOW, 429))
    assert "canary" not in repr(found)
    assert "canary" not in json.dumps(looks.memory)
