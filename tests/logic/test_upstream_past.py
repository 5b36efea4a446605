"""The past out of several sources: whose turns the log's lines were, what is known of them, nothing counted twice."""

from collections import Counter
from typing import Any

import pytest

from daemon.domain.event import Event, Fault, emitted_at_of
from daemon.domain.upstream_past import Account, PastSource, Replies
from daemon.logic.upstream_past import MOST_TURNS, accounts, merged, not_told
from tests.logic.past import MINUTE, NOW, WIRES, access, auth_files, buckets, detail, logs, usage

SECOND = 1000


def told(**replies: Any) -> tuple[Account, ...]:
    return accounts(Replies(asked_at=NOW, **replies), WIRES)


def lines(count: int, status: int = 200, *, before: int = NOW) -> list[str]:
    """One a second, the last of them just `before` an instant."""
    return [access(before - (count - place) * SECOND, status) for place in range(count)]


def providers(events: tuple[Event, ...], *, failed: bool) -> Counter[str]:
    return Counter(event.provider_key for event in events if (event.outcome == "failed") is failed)


# ---- whose turns they were -------------------------------------------------------------------------------------------


def test_where_one_credential_was_in_use_the_turns_were_its_own() -> None:
    best, *_ = told(logs=logs(*lines(8), *lines(2, 429)), auth_files=auth_files(codex=buckets((8, 2), (0, 0))))
    assert best.source is PastSource.LOG
    assert {(event.provider_key, event.credential) for event in best.events} == {("codex", "codex.json")}
    assert {"provider_key", "credential", "fault"} <= best.fields


def test_where_several_were_in_use_each_has_its_share_of_the_good_and_of_the_bad() -> None:
    files = auth_files(codex=buckets((15, 8), (0, 0)), claude=buckets((5, 0), (0, 0)))
    best, *_ = told(logs=logs(*lines(20), *lines(8, 429)), auth_files=files)
    assert providers(best.events, failed=False) == {"codex": 15, "claude": 5}
    assert providers(best.events, failed=True) == {"codex": 8}
    assert "provider_key" in best.fields
    assert not {"credential", "auth_index"} & best.fields
    assert {(event.auth_index, event.credential) for event in best.events} == {(None, None)}


def test_a_log_with_more_turns_than_were_counted_is_shared_in_the_same_proportion() -> None:
    files = auth_files(codex=buckets((3, 0), (0, 0)), claude=buckets((1, 0), (0, 0)))
    assert providers(told(logs=logs(*lines(40)), auth_files=files)[0].events, failed=False) == {
        "codex": 30,
        "claude": 10,
    }


def test_a_failure_that_no_credential_had_is_nobodys_where_several_were_in_use() -> None:
    files = auth_files(codex=buckets((15, 0), (0, 0)), claude=buckets((5, 0), (0, 0)))
    best, *_ = told(logs=logs(*lines(20), *lines(1, 429)), auth_files=files)
    assert providers(best.events, failed=True) == {"unknown": 1}


def test_a_refused_key_that_no_credential_was_refused_with_is_the_clients() -> None:
    files = auth_files(codex=buckets((15, 0), (0, 0)), claude=buckets((5, 0), (0, 0)))
    refused = [event.fault for event in told(logs=logs(*lines(20), *lines(1, 401)), auth_files=files)[0].events][-1]
    assert refused is Fault.CLIENT_UNAUTHORIZED


def test_before_the_first_count_nobody_knows_whose_turns_they_were() -> None:
    early = lines(50, before=NOW - 60 * MINUTE)
    best, plain, _ = told(logs=logs(*early, *lines(10)), auth_files=auth_files(codex=buckets((10, 0), (0, 0))))
    assert (len(best.events), len(plain.events)) == (10, 60)
    assert "provider_key" in best.fields - plain.fields


def test_a_clock_that_only_the_counts_tell_is_the_logs_too() -> None:
    files = auth_files(codex=buckets((1, 0), (0, 0), zone_minutes=480))
    best, *_ = told(logs=logs(access(NOW - SECOND, zone_minutes=480)), auth_files=files)
    assert [event.emitted_at for event in best.events] == [NOW - SECOND]


# ---- lines and details -----------------------------------------------------------------------------------------------


def details(count: int, *, failed: bool = False) -> list[dict[str, Any]]:
    """Of the same turns as `lines`, when they began."""
    return [detail(NOW - (count - place) * SECOND - 2500, failed=failed, total_tokens=7) for place in range(count)]


def test_a_line_and_its_detail_are_one_turn() -> None:
    best, *_ = told(logs=logs(*lines(3), access(NOW, 429)), usage=usage(spark=[*details(3), detail(NOW, failed=True)]))
    assert [event.status for event in best.events] == [200, 200, 200, 429]
    assert {event.requested_model for event in best.events} == {"spark"}
    assert [event.total_tokens for event in best.events] == [7, 7, 7, None]
    assert {"fault", "requested_model", "usage", "duration_ms"} <= best.fields


def test_a_detail_that_ended_otherwise_is_of_another_attempt() -> None:
    tried = [detail(NOW - 2600, failed=True), detail(NOW - 2500, total_tokens=7)]
    best, *_ = told(logs=logs(access(NOW)), usage=usage(spark=tried))
    assert [(event.outcome, event.total_tokens) for event in best.events] == [("ok", 7)]


def test_what_does_not_belong_together_is_not_joined() -> None:
    found = told(logs=logs(*lines(10)), usage=usage(spark=details(8)))
    assert [(one.source, "requested_model" in one.fields) for one in found] == [
        (PastSource.LOG, False),
        (PastSource.USAGE, True),
    ]


# ---- one line of time ------------------------------------------------------------------------------------------------


def test_the_best_source_of_each_span_is_believed_and_nothing_counts_twice() -> None:
    found = told(logs=logs(*lines(60)), auth_files=auth_files(codex=buckets((600, 0), (60, 0), (0, 0))))
    events = merged(found)
    by_source = Counter(event.endpoint != "" for event in events)
    assert by_source[True] == 60
    assert by_source[False] == 600 + 54  # the counts of the ten minutes in whose last minute the log begins
    assert [event.emitted_at for event in events] == sorted(event.emitted_at for event in events)


def test_ids_are_of_their_instants_and_each_of_one_event() -> None:
    events = merged(told(logs=logs(*lines(5), *lines(5))))
    assert len({event.event_id for event in events}) == 10
    assert all(emitted_at_of(event.event_id) == event.emitted_at for event in events)


def test_a_field_is_known_where_nearly_all_turns_say_it() -> None:
    named = "/v1beta/models/gemini-2.5-pro:generateContent"
    gemini = [access(NOW - SECOND, path=named)] * 9
    for others, is_known in ((1, True), (2, False)):
        (found,) = told(logs=logs(*gemini, *lines(others)))
        assert ("requested_model" in found.fields) is is_known


def test_the_newest_turns_are_enough() -> None:
    (found,) = told(logs=logs(*[access(NOW - 60 * SECOND)] * 5, *[access(NOW - SECOND)] * MOST_TURNS))
    assert (len(found.events), found.since) == (MOST_TURNS, NOW - SECOND)


def test_what_an_account_leaves_open_is_said() -> None:
    (counted,) = told(auth_files=auth_files(codex=buckets((5, 1))))
    assert "why a turn failed (a 429 cannot be told from a 500)" in not_told(counted)
    (logged,) = told(logs=logs(access(NOW)))
    assert "models" in not_told(logged)
    assert not [words for words in not_told(logged) if words.startswith("why")]


@pytest.mark.parametrize("replies", [{}, {"logs": {}, "usage": [], "auth_files": "x", "api_keys": 3}])
def test_no_reply_is_no_past(replies: dict[str, Any]) -> None:
    assert told(**replies) == ()
