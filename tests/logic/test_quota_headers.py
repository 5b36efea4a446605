"""What the headers of vendors say of quota: a reading for each window, and nothing that was not said."""

from typing import Any

import pytest

from daemon.logic.quota_headers import readings_from_headers

NOON = 1_795_521_600_000
IN_AN_HOUR = str(NOON // 1000 + 3600)
FIVE_HOURS, WEEK = 18_000.0, 604_800.0


def read(**headers: Any) -> list[tuple[Any, ...]]:
    """Window, model, used, exhausted, reset of each reading; `_` in a name is `-`."""
    found = readings_from_headers(
        {name.replace("_", "-"): value for name, value in headers.items()},
        provider_key="p",
        auth_index="a1",
        credential="a.json",
        observed_at=NOON,
        source="s",
    )
    return [
        (one.window_seconds, one.model_id, one.usage_percentage, one.quota_exhausted, one.quota_reset_seconds)
        for one in found
    ]


CODEX = {
    "X_Codex_Primary_Used_Percent": "42.5",
    "X_Codex_Primary_Window_Minutes": "300",
    "X_Codex_Primary_Reset_After_Seconds": "900",
    "X_Codex_Secondary_Used_Percent": ["100"],
    "X_Codex_Secondary_Window_Minutes": ["10080"],
    "X_Codex_Secondary_Reset_At": [IN_AN_HOUR],
}


def test_codex_tells_of_two_windows() -> None:
    assert read(**CODEX) == [
        (FIVE_HOURS, None, 42.5, False, 900.0),
        (WEEK, None, 100.0, True, 3600.0),
    ]


@pytest.mark.parametrize(
    ("more", "exhausted"),
    [
        ({"x_codex_credits_has_credits": "True"}, [False, False]),
        ({"x_codex_credits_has_credits": "False"}, [False, True]),
        ({"x_codex_limit_reached": "true"}, [False, True]),
        ({"x_codex_limit_reached": "true", "X_Codex_Secondary_Used_Percent": "70"}, [True, True]),
        ({"x_codex_allowed": "false", "x_codex_credits_has_credits": "true"}, [False, True]),
        ({"x_codex_allowed": "true"}, [False, True]),
    ],
)
def test_codex_goes_on_with_credits_and_stops_where_it_says_so(more: dict[str, str], exhausted: list[bool]) -> None:
    assert [one[3] for one in read(**CODEX | more)] == exhausted


def test_a_limit_of_one_model_is_told_of_that_model() -> None:
    spark = {
        "x_codex_bengalfox_primary_used_percent": "100",
        "x_codex_bengalfox_primary_window_minutes": "300",
        "x_codex_bengalfox_limit_name": "GPT-5.3-Codex-Spark",
        "x_codex_primary_used_percent": "10",
        "x_codex_credits_has_credits": "true",
    }
    assert sorted(read(**spark), key=str) == [
        (FIVE_HOURS, "gpt-5.3-codex-spark", 100.0, True, None),
        (None, None, 10.0, False, None),
    ]


def unified(**said: str) -> list[tuple[Any, ...]]:
    return read(**{f"Anthropic_Ratelimit_Unified_{name}": value for name, value in said.items()})


def test_anthropic_counts_in_shares_of_windows() -> None:
    found = unified(
        **{"Status": "allowed", "5h_Utilization": "0.41", "5h_Reset": IN_AN_HOUR, "5h_Status": "allowed"},
        **{"7d_Utilization": "0.9", "7d_opus_Utilization": "1.01", "7d_opus_Status": "allowed_warning"},
    )
    assert found == [
        (FIVE_HOURS, None, 41.0, False, 3600.0),
        (WEEK, None, 90.0, False, None),
        (WEEK, "claude-opus", 100.0, False, None),
    ]


@pytest.mark.parametrize(
    ("said", "exhausted"),
    [
        ({"Status": "rejected", "5h_Status": "rejected", "7d_Status": "allowed"}, [True, False]),
        ({"5h_Utilization": "1.0", "7d_Utilization": "0.2"}, [True, False]),
        ({"Status": "allowed", "5h_Status": "rejected"}, [False]),
        ({"Status": "rejected"}, [True]),
        ({"Status": "allowed_warning"}, [False]),
        ({"5h_Reset": IN_AN_HOUR}, [None]),
    ],
)
def test_anthropic_is_exhausted_where_it_rejects(said: dict[str, str], exhausted: list[bool | None]) -> None:
    assert [one[3] for one in unified(**said)] == exhausted


@pytest.mark.parametrize(
    ("headers", "used", "exhausted", "reset"),
    [
        ({"x_ratelimit_limit_requests": "100", "x_ratelimit_remaining_requests": "25"}, 75.0, False, None),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "6m0s"}, None, True, 360.0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "30s"}, None, False, 30.0),
        ({"x_ratelimit_remaining": "0"}, None, False, None),
        (
            {"x_ratelimit_limit": "0", "x_ratelimit_remaining": "5", "x_ratelimit_reset": IN_AN_HOUR},
            None,
            False,
            3600.0,
        ),
        (
            {
                "anthropic_ratelimit_requests_limit": "50",
                "anthropic_ratelimit_requests_remaining": "49",
                "anthropic_ratelimit_input_tokens_limit": "1000",
                "anthropic_ratelimit_input_tokens_remaining": "100",
            },
            90.0,
            False,
            None,
        ),
        ({"retry_after": "120"}, None, None, 120.0),
        ({"Retry_After": "Tue, 24 Nov 2026 13:00:00 GMT"}, None, None, 3600.0),
    ],
)
def test_a_limit_of_pace_is_no_quota_unless_it_lasts(
    headers: dict[str, str], used: float | None, exhausted: bool | None, reset: float | None
) -> None:
    assert read(**headers) == [(None, None, used, exhausted, reset)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "application/json", "retry_after": "soon"},
        {"x_codex_primary_used_percent": "much", "x_codex_plan_type": "pro"},
        {"x_ratelimit_limit_requests": "100"},
        {"retry_after": str(40 * 86_400)},
        {"retry_after": []},
    ],
)
def test_what_says_nothing_gives_no_reading(headers: dict[str, Any]) -> None:
    assert read(**headers) == []


def test_a_reading_is_of_the_credential_that_was_asked() -> None:
    (one,) = readings_from_headers(
        {"X-CODEX-PRIMARY-USED-PERCENT": "7"},
        provider_key="codex",
        auth_index="a1",
        credential="a.json",
        observed_at=NOON,
        source="usage_queue",
    )
    assert (one.provider_key, one.auth_index, one.credential) == ("codex", "a1", "a.json")
    assert (one.observed_at, one.source, one.quota_remaining) == (NOON, "usage_queue", None)
