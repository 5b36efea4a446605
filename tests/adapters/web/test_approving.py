"""The page behind a one-time link: GET shows, POST does, and whoever has the link can do nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from daemon.adapters.web.app import build
from daemon.domain.alert import AlertState
from daemon.domain.errors import Conflict
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.logic.approving import token_of
from tests.adapters.web.conftest import TOKEN
from tests.adapters.web.test_page import Page
from tests.fakes.clock import FakeClock
from tests.fakes.operations import NOW, FakeOperations, a_mitigation, an_alert

KEY = b"approval-key-canary-1147"
SPARK = an_alert("SparkErrorRatio", labels={}, summary="10 of 50 Spark turns failed <20%>")
PATH = f"/approve/{token_of('m-7', KEY)}"


def asked(**changes: Any) -> Mitigation:
    facts = {
        "id": "m-7",
        "mode": Mode.ASK,
        "state": MitigationState.NOT_NEEDED,
        "owners": (SPARK.fingerprint,),
        "applied_at": None,
        "ended_at": NOW - 60_000,
        "approve_until": NOW + 900_000,
        "max_hold": 1800.0,
    }
    return a_mitigation(**facts | changes)


class Approvable(FakeOperations):
    """An engine that keeps the promise of `approve`: once."""

    def __init__(self) -> None:
        super().__init__()
        self.alert_rows, self.mitigation_rows = [SPARK], [asked()]
        self.refusal = ""

    async def act(
        self, mitigation: str, action: str, actor: str, seconds: float | None = None, comment: str = ""
    ) -> Mitigation:
        if self.refusal:
            raise Conflict(self.refusal)
        self.acted.append((mitigation, action, actor))
        done = a_mitigation(id="m-8", owners=(SPARK.fingerprint,))
        self.mitigation_rows = [done, *(replace(row, approve_until=None) for row in self.mitigation_rows)]
        return done


@pytest.fixture
def operations() -> Approvable:
    return Approvable()


@pytest.fixture
async def stranger(operations: Approvable, clock: FakeClock) -> AsyncIterator[httpx.AsyncClient]:
    """Without the token of the control port."""
    app = build(operations, token=TOKEN, version="0.1.0", allowed_hosts=("nas:8319",), clock=clock, approval_key=KEY)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://nas:8319") as client:
        yield client


def page(response: httpx.Response, status: int = 200) -> str:
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Page(response.text).text


async def test_the_page_says_what_why_and_until_when(stranger: httpx.AsyncClient) -> None:
    text = page(await stranger.get(PATH))
    for words in (
        "Approve fallback?",
        "fallback: send gpt-5.3-codex-spark out as gpt-5.3-codex",
        "model_alias:gpt-5.3-codex-spark → gpt-5.3-codex",
        "SparkErrorRatio (critical): 10 of 50 Spark turns failed <20%>",
        "after 30m at the latest",
        "can be approved until 10:15:00 UTC, for 15m more",
    ):
        assert words in text


async def test_a_lever_without_known_effect_is_marked(stranger: httpx.AsyncClient, operations: Approvable) -> None:
    operations.mitigation_rows = [asked(effect=Effect.NO_EFFECT_KNOWN)]
    assert "no effect known" in page(await stranger.get(PATH))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_previews_of_links_change_nothing(
    stranger: httpx.AsyncClient, operations: Approvable, method: str
) -> None:
    for _ in range(3):
        await stranger.request(method, PATH, headers={"user-agent": "Slackbot-LinkExpanding 1.0"})
    assert operations.acted == []
    assert "Approve fallback?" in page(await stranger.get(PATH))


async def test_the_button_approves_once(stranger: httpx.AsyncClient, operations: Approvable) -> None:
    assert "Approved fallback: send gpt-5.3-codex-spark out as gpt-5.3-codex It is applied now" in page(
        await stranger.post(PATH)
    )
    for again in (await stranger.post(PATH), await stranger.get(PATH)):
        assert "This link was used already" in page(again, 410)
    assert operations.acted == [("m-7", "approve", "human:approval-link")]


async def test_the_button_of_an_app_elsewhere_works_too(stranger: httpx.AsyncClient, operations: Approvable) -> None:
    headers = {"origin": "https://ntfy.sh", "sec-fetch-site": "cross-site"}
    assert "Approved" in page(await stranger.post(PATH, headers=headers))
    assert len(operations.acted) == 1


@pytest.mark.parametrize(
    ("changes", "alert", "title"),
    [
        ({"approve_until": NOW}, SPARK, "The time to approve this is over"),
        ({}, replace(SPARK, state=AlertState.RESOLVED), "This is not needed any more"),
        ({"approve_until": None}, SPARK, "This link was used already"),
    ],
    ids=["expired", "overtaken", "used"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_came_too_late_says_so(
    stranger: httpx.AsyncClient, operations: Approvable, changes: dict[str, Any], alert: Any, title: str, method: str
) -> None:
    operations.mitigation_rows, operations.alert_rows = [asked(**changes)], [alert]
    text = page(await stranger.request(method, PATH), 410)
    assert title in text
    assert "Nothing was changed" in text
    assert "<button" not in (await stranger.get(PATH)).text
    assert operations.acted == []


async def test_what_the_engine_refuses_is_told(stranger: httpx.AsyncClient, operations: Approvable) -> None:
    operations.refusal = "nothing is served that may stand in: gpt-5.3-codex"
    text = page(await stranger.post(PATH), 409)
    assert "It could not be done" in text
    assert operations.refusal in text


@pytest.mark.parametrize(
    "token", ["m-7", "0" * 32, token_of("m-7", b"another key"), token_of("m-8", KEY), "x" * 5000, "%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_token_is_nothing(
    stranger: httpx.AsyncClient, operations: Approvable, token: str, method: str
) -> None:
    assert "There is nothing behind this link" in page(await stranger.request(method, f"/approve/{token}"), 404)
    assert operations.acted == []


async def test_the_token_opens_nothing_else(stranger: httpx.AsyncClient, operations: Approvable) -> None:
    token = PATH.rpartition("/")[2]
    headers = {"authorization": f"Bearer {token}"}
    for method, path in (
        ("GET", "/api/v1/mitigations"),
        ("POST", "/api/v1/mitigations/m-7/approve"),
        ("POST", "/mitigations/m-7/approve"),
        ("GET", f"{PATH}/../../api/v1/status"),
        ("POST", f"{PATH}/approve"),
        ("DELETE", PATH),
    ):
        response = await stranger.request(method, path, headers=headers)
        assert response.status_code in (401, 403, 404, 405), path
    assert operations.acted == []
    assert (await stranger.post("/login", data={"token": token})).status_code == 401


async def test_without_a_key_there_are_no_links(operations: Approvable, clock: FakeClock) -> None:
    app = build(operations, token=TOKEN, version="0.1.0", allowed_hosts=("nas:8319",), clock=clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://nas:8319") as client:
        assert (await client.post(f"/approve/{token_of('m-7', b'')}")).status_code == 404
    assert operations.acted == []


async def test_a_foreign_host_name_is_refused_here_too(stranger: httpx.AsyncClient, operations: Approvable) -> None:
    assert (await stranger.post(PATH, headers={"host": "evil.example"})).status_code == 421
    assert operations.acted == []


async def test_a_store_that_is_down_is_told(stranger: httpx.AsyncClient, operations: Approvable) -> None:
    operations.down = True
    assert (await stranger.get(PATH)).status_code == 503
