"""Others post their alerts here: with the token, or to an address that holds the hook's own key."""

import json

import httpx
import pytest

from daemon.adapters.web.api import LARGEST_MESSAGE, LARGEST_TOLD
from daemon.adapters.web.guard import hook_key
from tests.adapters.web.conftest import TOKEN
from tests.adapters.web.test_api import problem
from tests.fakes.operations import FakeOperations
from tests.logic.test_foreign_reading import a_body, an_alert

ALERTMANAGER = "/api/v1/alerts/alertmanager"
HOOK = f"/api/v1/hooks/slack/{hook_key(TOKEN)}"


async def test_alertmanager_is_heard_with_the_token(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    response = await client.post(ALERTMANAGER, json=a_body(an_alert(), an_alert(status="resolved")))
    assert (response.status_code, response.json()) == (200, {"heard": 2})
    assert [(told.alert, told.is_firing) for told in operations.heard] == [("DiskFull", True), ("DiskFull", False)]


async def test_a_body_of_many_alerts_is_taken_and_a_larger_one_is_not(client: httpx.AsyncClient) -> None:
    body = json.dumps(a_body(*[an_alert()] * 500))
    assert 4096 < len(body) < LARGEST_TOLD
    assert (await client.post(ALERTMANAGER, content=body)).json() == {"heard": 500}
    assert (await client.post(ALERTMANAGER, content=body + " " * LARGEST_TOLD)).status_code == 413


async def test_a_message_needs_no_token_but_the_key(stranger: httpx.AsyncClient, operations: FakeOperations) -> None:
    response = await stranger.post(HOOK, content=json.dumps({"text": "Pool &lt;tank&gt; is DEGRADED"}))
    assert (response.status_code, response.json()) == (200, {"heard": 1})
    assert operations.heard[0].summary == "Pool <tank> is DEGRADED"
    assert (await stranger.post(HOOK, json={"text": "x" * 9999})).json() == {"heard": 1}
    assert (await stranger.post(HOOK, content=b" " * (LARGEST_MESSAGE + 1))).status_code == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", HOOK[:-1]),
        ("POST", HOOK + "/"),
        ("POST", "/api/v1/hooks/slack/"),
        ("POST", f"/api/v1/hooks/slack/{TOKEN}"),
        ("GET", HOOK),
        ("POST", ALERTMANAGER),
        ("POST", hook_key(TOKEN)),
    ],
)
async def test_the_key_opens_one_door_and_no_other_key_opens_it(
    stranger: httpx.AsyncClient, operations: FakeOperations, method: str, path: str
) -> None:
    problem(await stranger.request(method, path, json={"text": "x"}), 401)
    bearer = {"authorization": f"Bearer {hook_key(TOKEN)}"}
    problem(await stranger.get("/api/v1/status", headers=bearer), 401)
    assert operations.heard == []


async def test_the_token_is_no_key(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    problem(await client.post("/api/v1/hooks/slack/wrong", json={"text": "x"}), 404)
    assert operations.heard == []


async def test_another_token_has_another_key() -> None:
    assert hook_key(TOKEN) != hook_key(TOKEN + "x")
    assert TOKEN not in hook_key(TOKEN)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Expecting value"),
        (b"\xff", "can't decode"),
        (b"[" * 50_000, "recursion"),
        (b"{}", "a list of `alerts`"),
        (b'{"alerts": [{"status": "maybe"}]}', "alerts[0].status"),
    ],
)
async def test_a_body_that_is_not_understood_is_refused_in_words(
    client: httpx.AsyncClient, operations: FakeOperations, body: bytes, says: str
) -> None:
    refused = problem(await client.post(ALERTMANAGER, content=body), 400)
    assert refused["parameter"] == "body"
    assert says in refused["detail"]
    assert operations.heard == []


async def test_a_store_that_is_down_is_told_so_that_they_try_again(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.down = True
    problem(await client.post(ALERTMANAGER, json=a_body(an_alert())), 503)
