"""The shapes that others rely on, and what happens to those who ask wrongly."""

import json
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from daemon.adapters.web.api import ENDPOINTS, PREFIX
from daemon.domain.event import EVENT_FIELDS
from daemon.ports import EventQuery
from tests.contracts.things import an_entry
from tests.fakes.operations import NOW, FakeOperations, an_alert

ALERT = (
    "fingerprint alert severity state labels value value_text samples bad lower_bound since summary mitigations "
    "acknowledged_by silenced"
)
MITIGATION = "id name kind target state mode owners value_before value_wanted applied_at expires_at effect evidence"
NOTIFICATION = "id receiver reason status attempts title body created_at delivered_at"
PROVIDER = (
    "request_count success_count failure_count success_rate error_ratio rate_limited_ratio total_tokens "
    "latency_p50_ms latency_p95_ms ttft_p95_ms"
)
SHAPES = {
    "alerts": ALERT,
    "events": " ".join(EVENT_FIELDS),
    "rules": "alert kind levels series pending firing displaced error degraded",
    "mitigations": MITIGATION,
    "notifications": NOTIFICATION,
    "audit": "id at actor subject action before after reason outcome",
}


async def get(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


@pytest.mark.parametrize("listing", SHAPES)
async def test_rows_have_every_promised_field(client: httpx.AsyncClient, listing: str) -> None:
    rows = (await get(client, listing))[listing]
    assert rows
    assert all(set(SHAPES[listing].split()) <= set(row) for row in rows)


async def test_status_has_its_shape_and_no_password(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.status_now["upstream"]["url"] = "http://user:s3cret@127.0.0.1:8317/?key=s3cret"
    status = await get(client, "status")
    assert status["upstream"] == {
        "url": "http://127.0.0.1:8317/",
        "reachable": True,
        "flavour": "CLIProxyAPI",
        "capabilities": {},
    }
    assert status["config"] == {"ok": True, "loaded_at": "2026-11-24T08:00:00.000Z", "errors": []}
    assert {"version", "node_id", "leader", "spool", "store", "mitigation_mode"} <= set(status)


async def test_an_alert_shows_what_it_is_outside(client: httpx.AsyncClient) -> None:
    alerts = (await get(client, "alerts"))["alerts"]
    assert [row["state"] for row in alerts] == ["firing", "firing", "firing", "pending", "resolved"]
    spark = next(row for row in alerts if row["alert"] == "SparkErrorRatio")
    assert spark["since"] == spark["fired_at"] == "2026-11-24T09:56:50.000Z"
    assert spark["mitigations"] == ["fallback"]
    assert alerts[0]["mitigations"] == []
    assert alerts[0]["labels"] == {"provider_key": "codex"}
    assert alerts[4]["resolved_because"] == "cleared"


async def test_a_rule_tells_how_much_it_watches_and_what_is_wrong_with_it(client: httpx.AsyncClient) -> None:
    rules = {row["alert"]: row for row in (await get(client, "rules"))["rules"]}
    assert rules["ProviderRateLimited"]["levels"] == ["warning", "critical"]
    assert rules["ThinkingMismatch"] | {"kind": "", "levels": []} == {
        "alert": "ThinkingMismatch",
        "kind": "",
        "levels": [],
        "series": 1000,
        "pending": 1,
        "firing": 0,
        "displaced": 17,
        "error": None,
        "degraded": True,
    }
    assert rules["ZeroUsageUnderLoad"]["error"] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("query", "count"), [("?state=firing", 3), ("?state=resolved", 1), ("?alert=SparkErrorRatio", 1), ("?alert=No", 0)]
)
async def test_alerts_are_narrowed(client: httpx.AsyncClient, query: str, count: int) -> None:
    assert len((await get(client, f"alerts{query}"))["alerts"]) == count


@pytest.mark.parametrize(
    ("query", "seconds"), [("", 600), ("?window=1h", 3600), ("?window=500ms", 0.5), ("?window=400d", 34_560_000)]
)
async def test_providers_over_a_window(
    client: httpx.AsyncClient, operations: FakeOperations, query: str, seconds: float
) -> None:
    answer = await get(client, f"providers{query}")
    assert answer["window_seconds"] == seconds
    assert operations.windows == [seconds]
    assert set(answer["providers"]["codex"]) == set(PROVIDER.split())


async def test_an_event_is_written_for_javascript(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    event = (await get(client, "events?limit=1"))["events"][0]
    assert event["event_id"] == str(operations.event_rows[0].event_id)
    assert event["emitted_at"].endswith("Z")
    assert event["outcome"] == "failed"
    assert event["fault"] == "provider_rate_limited"
    assert event["total_tokens"] is None
    assert event["mitigation_ids"] == []


async def test_next_leads_through_all_pages(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    seen: list[str] = []
    page = await get(client, "events?limit=25")
    while True:
        seen += [event["event_id"] for event in page["events"]]
        if page["next"] is None:
            break
        page = await get(client, f"events?limit=25&before={page['next']}")
    assert seen == [str(event.event_id) for event in operations.event_rows]


async def test_event_filters_reach_the_store_as_text(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    await get(
        client, "events?provider_key=codex&outcome=failed&status=429&stream=true&emitted_at=2026-11-24T10:00:00.250Z"
    )
    where = {
        "provider_key": "codex",
        "outcome": "failed",
        "status": "429",
        "stream": "true",
        "emitted_at": str(NOW + 250),
    }
    assert operations.queries == [EventQuery(limit=101, where=where)]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("status?x=1", "x"),
        ("alerts?state=clearing", "state"),
        ("providers?window=10", "window"),
        ("providers?window=0s", "window"),
        ("providers?window=400d1s", "window"),
        ("events?limit=0", "limit"),
        ("events?limit=1001", "limit"),
        ("events?limit=%D9%A1", "limit"),
        ("events?before=abc", "before"),
        ("events?before=99999999999999999999", "before"),
        ("events?provider=codex", "provider"),
        ("events?outcome=bad", "outcome"),
        ("events?fault=x", "fault"),
        ("events?stream=yes", "stream"),
        ("events?status=4xx", "status"),
        ("events?retry_after_seconds=x", "retry_after_seconds"),
        ("events?emitted_at=yesterday", "emitted_at"),
        ("events?emitted_at=2026-11-24T10:00:00", "emitted_at"),
        ("explain", "alert"),
        ("explain?alert=", "alert"),
        (f"explain?alert={'x' * 201}", "alert"),
        ("explain?alert=A&at=yesterday", "at"),
        ("explain?alert=A&at=2026-11-24T10:00:00", "at"),
        ("explain?alert=A&fingerprint=f", "fingerprint"),
    ],
)
async def test_a_bad_parameter_is_named(client: httpx.AsyncClient, path: str, parameter: str) -> None:
    response = await client.get(f"/api/v1/{path}")
    assert problem(response, 400)["parameter"] == parameter
    assert response.json()["detail"].startswith(f"{parameter}: ")


async def test_an_explanation_has_its_shape(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    assert await get(client, "explain?alert=SparkErrorRatio&at=2026-11-24T09:59:00Z") == {
        "alert": "SparkErrorRatio",
        "at": "2026-11-24T09:59:00.000Z",
        "decision": "firing",
        "because": ["critical fired at 09:56:50 UTC with 10 of 50 in 10m (20%, at least 11.2%)"],
        "figures": {"fired_at": "2026-11-24T09:56:50.000Z", "samples": 50, "bad": 10, "series": []},
        "not_notified_because": "silenced by jo until 11:00: <planned>",
        "not_acted_because": None,
    }
    await get(client, "explain?alert=Any")
    assert operations.explained == [("SparkErrorRatio", NOW - 60_000), ("Any", None)]


async def test_an_action_gives_the_row_and_who_did_it(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    response = await client.post("/api/v1/mitigations/m-0001/revert", headers={"x-runbookd-actor": "alice"})
    assert response.status_code == 200
    assert response.json()["state"] == "restoring"
    await client.post("/api/v1/mitigations/quota-fallback/hold")
    assert operations.acted == [("m-0001", "revert", "human:alice"), ("quota-fallback", "hold", "human:token")]


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("POST", "mitigations/m-0000/revert", 409, "fallback has ended: there is nothing to revert"),
        ("POST", "mitigations/nothing/apply", 409, "there is no mitigation nothing"),
        ("POST", "mitigations/m-0001/destroy", 404, "There is nothing here."),
        ("GET", "mitigations/m-0001/revert", 405, "Method Not Allowed"),
        ("POST", "status", 405, "Method Not Allowed"),
        ("GET", "nowhere", 404, "There is nothing here."),
    ],
)
async def test_refusals_are_problem_documents(
    client: httpx.AsyncClient, method: str, path: str, status: int, detail: str
) -> None:
    assert problem(await client.request(method, f"/api/v1/{path}"), status)["detail"] == detail


async def test_a_strange_actor_is_refused(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    response = await client.post("/api/v1/mitigations/m-0001/hold", headers={"x-runbookd-actor": "a b"})
    problem(response, 400)
    assert operations.acted == []


@pytest.mark.parametrize("path", ["alerts", "events", "mitigations", "notifications", "audit"])
async def test_a_store_that_is_down_is_503_without_insides(
    client: httpx.AsyncClient, operations: FakeOperations, path: str
) -> None:
    operations.down = True
    response = await client.get(f"/api/v1/{path}")
    assert "malformed" not in problem(response, 503)["detail"]
    assert response.headers["retry-after"] == "5"


async def test_a_mistake_of_ours_is_500_without_insides(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.status_now = {"secret": object()}
    response = await client.get("/api/v1/status")
    assert "object" not in problem(response, 500)["detail"]
    assert "content-security-policy" in response.headers


async def test_hostile_text_stays_text(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.event_rows = [replace(operations.event_rows[0], requested_model='\u2028"}<script>\x00')]
    assert (await get(client, "events"))["events"][0]["requested_model"] == '\u2028"}<script>\x00'


async def test_the_doctors_findings_are_rows(client: httpx.AsyncClient) -> None:
    row = {"area": "store", "verdict": "ok", "evidence": "it answers", "advice": "", "essential": True}
    assert await get(client, "doctor") == {"findings": [row]}


async def test_openapi_describes_every_endpoint(client: httpx.AsyncClient) -> None:
    paths = (await get(client, "openapi.json"))["paths"]
    assert {PREFIX + endpoint.path for endpoint in ENDPOINTS} == set(paths)
    assert {"limit", "before", "provider_key"} <= {
        each["name"] for each in paths["/api/v1/events"]["get"]["parameters"]
    }


async def test_a_flood_of_alerts_is_all_there(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.alert_rows = [an_alert(labels={"provider_key": str(n)}) for n in range(300)]
    assert len((await get(client, "alerts"))["alerts"]) == 300


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.text)
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    return body


# ---- the audit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found", "following"),
    [
        ("", ["a3", "a2", "a1"], None),
        ("?limit=2", ["a3", "a2"], "a2"),
        ("?limit=2&before=a2", ["a1"], None),
        ("?actor=human:*", ["a3"], None),
        ("?subject=model_alias:spark", ["a1"], None),
        ("?since=2026-11-24T09:59:00Z", ["a3", "a2"], None),
    ],
)
async def test_the_audit_is_narrowed_and_paged(
    client: httpx.AsyncClient, operations: FakeOperations, query: str, found: list[str], following: str | None
) -> None:
    operations.audit_rows = [
        an_entry("a3", at=NOW, actor="human:jo"),
        an_entry("a2", at=NOW - 1000),
        an_entry("a1", at=NOW - 3_600_000, subject="model_alias:spark"),
    ]
    answer = await get(client, f"audit{query}")
    assert ([row["id"] for row in answer["audit"]], answer["next"]) == (found, following)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "since=yesterday", "actr=x", "actor=" + "x" * 401])
async def test_a_wrong_filter_of_the_audit_is_named(client: httpx.AsyncClient, query: str) -> None:
    assert problem(await client.get(f"/api/v1/audit?{query}"), 400)["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_no_door_changes_the_audit(client: httpx.AsyncClient, method: str) -> None:
    for path in ("audit", "audit/a1"):
        assert (await client.request(method, f"/api/v1/{path}")).status_code in (404, 405)


# ---- the drill -------------------------------------------------------------------------------------------------------


async def test_a_drill_is_begun_and_followed(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    assert await get(client, "drill") == {"drill": None}
    begun = (await client.post("/api/v1/drill", json={"author": "jo"})).json()["drill"]
    unseen = {"state": None, "words": "", "seconds": None}
    assert begun == {
        "id": "drill-1",
        "started_at": "2026-11-24T10:00:00.000Z",
        "steps": [{"name": "the alert fires", **unseen}, {"name": "the message is out", **unseen}],
        "is_over": False,
        "went_well": False,
    }
    assert operations.acted == [("drill", "start", "human:jo")]
    assert problem(await client.post("/api/v1/drill"), 409)["detail"] == "a drill is going on already"
    for _ in range(3):
        told = (await get(client, "drill"))["drill"]
    seen = {"name": "the alert fires", "state": "seen", "words": "10 of 10 made-up turns failed", "seconds": 1.2}
    assert told["steps"][0] == seen
    assert (told["is_over"], told["went_well"]) == (True, True)
