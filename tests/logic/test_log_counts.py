"""What a log tells of, counted."""

from collections import Counter

import pytest

from daemon.logic.log_counts import counted, kept, summed
from tests.logic.past import MINUTE, NOW, WIRES, access, said

USE = "Use OAuth provider=codex auth_file=codex-a.json for model gpt-5.4"
ASKED = "thinking: original config from request | provider=gemini model=g mode=level budget=0 level=high"
DONE = "thinking: processed config to apply | provider=gemini model=g mode=level budget=0 level=high"


def counts(*lines: str, zone: int | None = 0) -> Counter[str]:
    return Counter(what for _, what in counted(lines, WIRES, zone, NOW))


@pytest.mark.parametrize("status", [401, 403, 429])
def test_refusals_are_counted_by_provider_where_the_log_says_it(status: int) -> None:
    assert counts(said(NOW, USE), access(NOW, status), access(NOW, status), access(NOW)) == {
        f"codex:{status}": 1,
        f"*:{status}": 1,
    }


@pytest.mark.parametrize(
    "line", [access(NOW, 500), access(NOW, 401, path="/v0/management/config", method="GET"), "goroutine 1", ""]
)
def test_other_lines_are_not(line: str) -> None:
    assert counts(line) == {}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("iflow executor: token refresh failed: 401", "iflow:refresh"),
        ("iflow executor: cookie-based API key refresh failed: timeout", "iflow:refresh"),
        ("iflow executor: missing api key", "iflow:account"),
        ("codex executor: token refresh failed", "codex:refresh"),
        ("kiro: account is suspended, token t set to cooldown for 24h", "kiro:account"),
        ("kiro: stream rate limit hit (429), token t set to cooldown for 1m", "kiro:429"),
        ("kiro: AmazonQ endpoint quota exhausted (429), will try next endpoint, body: x", "kiro:429"),
    ],
)
def test_what_happened_behind_the_upstream_is_counted(text: str, what: str) -> None:
    assert counts(said(NOW, text)) == {what: 1}


def test_a_path_is_in_the_hands_of_clients() -> None:
    assert counts(access(NOW, 404, path='/x\\" evil executor: token refresh failed')) == {}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([ASKED, DONE], {"thinking:same": 1}),
        ([ASKED, DONE.replace("level=high", "level=low")], {"thinking:differs": 1}),
        ([ASKED.replace("original config from request", "config from model suffix"), DONE], {"thinking:same": 1}),
        ([ASKED, DONE.replace("model=g", "model=other")], {}),
        ([DONE], {}),
        ([ASKED, DONE, DONE], {"thinking:same": 1}),
        (["thinking: processed config to apply | provider=[REDACTED] mode=[REDACTED]"], {"thinking:hidden": 1}),
    ],
)
def test_thinking_is_compared_where_one_line_follows_the_other(lines: list[str], expected: dict[str, int]) -> None:
    assert counts(*(said(NOW, line, "--------") for line in lines)) == expected


def test_local_times_are_put_back_and_without_a_zone_it_is_now() -> None:
    ahead = [access(NOW - MINUTE, 429, zone_minutes=480), said(NOW + 480 * MINUTE, "iflow executor: missing api key")]
    assert counted(ahead, WIRES, 480, NOW) == [(NOW - MINUTE, "*:429"), (NOW, "iflow:account")]
    behind = access(NOW, 429, zone_minutes=-480)
    assert counted([behind], WIRES, None, NOW) == counted([behind], WIRES, -480, NOW) == [(NOW, "*:429")]


def test_what_is_older_than_the_window_is_forgotten() -> None:
    minutes = kept({}, [(NOW - 20 * MINUTE, "a"), (NOW - MINUTE, "a"), (NOW, "b"), (NOW, "b")], NOW - 10 * MINUTE)
    assert summed(minutes) == {"a": 1, "b": 2}
    assert summed(kept(minutes, [], NOW)) == {"b": 2}
