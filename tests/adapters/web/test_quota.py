"""Quotas on the three doors: the API, the dashboard and the metrics."""

import re
from typing import Any

import httpx
import pytest

from daemon.adapters.web.page import ABSENT
from tests.adapters.web.test_page import page
from tests.fakes.operations import NOW, FakeOperations, a_reading

SPARK = {"model_id": "gpt-5.3-codex-spark", "quota_exhausted": True, "usage_percentage": 100.0}


async def test_a_row_of_the_api_has_the_runbooks_names(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.quota_rows = [a_reading(empty_in_seconds=2400.0, window_seconds=18_000.0, refresh_state="active")]
    (row,) = (await client.get("/api/v1/quota")).json()["quota"]
    assert row == {
        "provider_key": "codex",
        "auth_index": "c0de00000000c0de",
        "credential": "codex.json",
        "model_id": None,
        "quota_remaining": None,
        "quota_exhausted": None,
        "usage_percentage": 41.0,
        "quota_reset_seconds": 7200.0,
        "refresh_state": "active",
        "window_seconds": 18_000.0,
        "empty_in_seconds": 2400.0,
        "observed_at": "2026-11-24T09:59:30.000Z",
        "source": "usage_queue",
    }


async def row_of(client: httpx.AsyncClient, operations: FakeOperations, **reading: Any) -> str:
    """The text of the table of quotas with one reading in it."""
    operations.quota_rows = [a_reading(**reading)]
    text = (await page(client)).text
    found = re.search(r"Window Refresh Read (.*?) (Before us|Probes|Silences)", text)
    assert found
    return found[1].replace(ABSENT, "-")


@pytest.mark.parametrize(
    ("reading", "says"),
    [
        ({}, "codex codex.json 41% - - 2h - - 30s ago, usage queue"),
        (
            {
                "empty_in_seconds": 2400.0,
                "window_seconds": 18_000.0,
                "refresh_state": "active",
                "quota_remaining": 12.0,
            },
            "codex codex.json 41% 12 40m 2h 5h active 30s ago, usage queue",
        ),
        (SPARK, "codex codex.json gpt-5.3-codex-spark used up - - 2h - - 30s ago, usage queue"),
        ({"usage_percentage": None, "credential": None}, "codex c0de00000000c0de - - - 2h - - 30s ago, usage queue"),
    ],
)
async def test_the_dashboard_says_what_is_left_and_until_when(
    client: httpx.AsyncClient, operations: FakeOperations, reading: dict[str, Any], says: str
) -> None:
    assert await row_of(client, operations, **reading) == says


async def test_credentials_of_which_nothing_is_told_are_named_in_one_line(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    silent = {"usage_percentage": None, "quota_reset_seconds": None, "refresh_state": "active"}
    operations.quota_rows = [a_reading(), *(a_reading(credential=f"{n}.json", **silent) for n in range(8))]
    text = (await page(client)).text
    assert "Of 8 more nobody tells what is left: 0.json, 1.json, 2.json, 3.json, 4.json, 5.json, …" in text


async def test_without_quotas_there_is_no_table(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.quota_rows = []
    assert "Resets in" not in (await page(client)).text


async def test_metrics_name_credentials_by_their_index_alone(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.quota_rows = [
        a_reading(credential="jo@example.org.json", quota_exhausted=False, empty_in_seconds=60.0, observed_at=NOW),
        a_reading(**SPARK),
    ]
    lines = (await client.get("/metrics")).text.splitlines()
    spark = 'auth_index="c0de00000000c0de",model_id="gpt-5.3-codex-spark",provider_key="codex"'
    whose = 'auth_index="c0de00000000c0de",model_id="",provider_key="codex"'
    for line in (
        f"runbookd_quota_usage_percentage{{{whose}}} 41",
        f"runbookd_quota_exhausted{{{whose}}} 0",
        f"runbookd_quota_reset_seconds{{{whose}}} 7200",
        f"runbookd_quota_empty_in_seconds{{{whose}}} 60",
        f"runbookd_quota_exhausted{{{spark}}} 1",
    ):
        assert line in lines
    assert not [line for line in lines if "example.org" in line or "quota_remaining" in line]
