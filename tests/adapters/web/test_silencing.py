"""To acknowledge and to silence, by the API and by the buttons of the page."""

import json
from typing import Any

import httpx
import pytest

from daemon.adapters.web.guard import COOKIE, Sessions
from tests.adapters.web.conftest import TOKEN
from tests.adapters.web.test_page import Page
from tests.contracts.things import a_silence
from tests.fakes.clock import FakeClock
from tests.fakes.operations import NOW, FakeOperations, an_alert

ORIGIN = {"origin": "http://127.0.0.1:8319"}
HOUR = 3_600_000


def in_problem(response: httpx.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["detail"])


# ---- the API ---------------------------------------------------------------------------------------------------------


async def test_a_silence_is_made_shown_and_ended(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    asked = {"matchers": {"alert": "Provider*", "provider_key": "codex"}, "for": "2h", "comment": "night — shift"}
    made = await client.post("/api/v1/silences", json=asked)
    row = made.json()
    assert made.status_code == 200
    assert row | {"id": ""} == {
        "id": "",
        "matchers": asked["matchers"],
        "starts_at": "2026-11-24T10:00:00.000Z",
        "ends_at": "2026-11-24T12:00:00.000Z",
        "author": "token",
        "comment": "night — shift",
        "created_at": "2026-11-24T10:00:00.000Z",
    }
    assert (await client.get("/api/v1/silences")).json() == {"silences": [row]}
    ended = await client.delete(f"/api/v1/silences/{row['id']}", headers={"x-runbookd-actor": "al"})
    assert ended.json()["ends_at"] == "2026-11-24T10:00:00.000Z"
    assert operations.acted == [(row["id"], "expire", "human:al")]
    assert (await client.get("/api/v1/silences")).json() == {"silences": []}
    assert "has not ended" in in_problem(await client.delete(f"/api/v1/silences/{row['id']}"), 409)


async def test_a_maintenance_window_has_instants(client: httpx.AsyncClient) -> None:
    times = {"starts_at": "2026-11-25T22:00:00+01:00", "ends_at": "2026-11-26T02:00:00Z", "author": "jo"}
    row = (await client.post("/api/v1/silences", json={"matchers": {"alert": "*"}, **times})).json()
    assert (row["starts_at"], row["ends_at"]) == ("2026-11-25T21:00:00.000Z", "2026-11-26T02:00:00.000Z")
    assert row["author"] == "jo"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"for": "2h"}, "say what to silence, such as alert=ProviderRateLimited"),
        ({"matchers": {"provder_key": "x"}, "for": "2h"}, "no alert can have the label 'provder_key'; did you mean"),
        ({"matchers": {"alert": "A"}}, "say when it ends, either by `for`, such as 2h, or by `ends_at`"),
        ({"matchers": {"alert": "A"}, "ends_at": "2026-11-24T09:00:00Z"}, "it would end before it begins"),
        ({"matchers": {"alert": "A"}, "ends_at": "2026-11-24T12:00:00"}, "ends_at: must be an instant such as"),
        ({"matchers": {"alert": "A"}, "starts_at": 7, "for": "1h"}, "starts_at: must be an instant such as"),
        ({"matchers": {"alert": "A"}, "for": "soon"}, "for: 'soon' is not a duration"),
        ({"matchers": {"alert": "A"}, "for": "9" * 400 + "w"}, "for: must be longer than 0s and at most 366d"),
        ({"matchers": {"alert": "A"}, "for": "0s"}, "for: must be longer than 0s and at most 366d"),
        ({"matchers": {"alert": "A"}, "for": 2}, "for: '2' is not a duration"),
        ({"matchers": {"alert": 1}, "for": "2h"}, "matchers: must be labels and globs"),
        ({"matchers": [], "for": "2h"}, "matchers: must be labels and globs"),
        ({"matchers": {"alert": "A"}, "for": "2h", "comment": 1}, "comment: must be text"),
        ({"matchers": {"alert": "A"}, "for": "2h", "author": "jo\n"}, "author: must be 1 to 64 letters"),
        ({"matchers": {"alert": "A"}, "for": "2h", "author": 7}, "author: must be 1 to 64 letters"),
        ({"matcher": {"alert": "A"}, "for": "2h"}, "matcher: is not known here (known: matchers, "),
        ([], "body: must be a JSON object"),
    ],
)
async def test_a_mistake_is_one_line(
    client: httpx.AsyncClient, operations: FakeOperations, body: Any, said: str
) -> None:
    detail = in_problem(await client.post("/api/v1/silences", json=body))
    assert detail.startswith(said)
    assert "\n" not in detail
    assert operations.silence_rows == []


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 3000])
async def test_what_is_no_json_is_one_line_too(client: httpx.AsyncClient, body: bytes) -> None:
    assert in_problem(await client.post("/api/v1/silences", content=body)) == "body: must be a JSON object"


@pytest.mark.parametrize(
    ("content", "actor"), [(b"", "human:token"), (b"{}", "human:token"), (b'{"author":"jo"}', "human:jo")]
)
async def test_what_fires_is_acknowledged(
    client: httpx.AsyncClient, operations: FakeOperations, content: bytes, actor: str
) -> None:
    answer = await client.post("/api/v1/alerts/SparkErrorRatio/ack", content=content)
    (row,) = answer.json()["alerts"]
    assert (row["alert"], row["acknowledged_by"]) == ("SparkErrorRatio", actor.removeprefix("human:"))
    assert operations.acted == [("SparkErrorRatio", "ack", actor)]


async def test_what_does_not_fire_cannot_be_acknowledged(client: httpx.AsyncClient) -> None:
    assert in_problem(await client.post("/api/v1/alerts/Nothing/ack"), 409) == "no alert fires that is called Nothing"


async def test_an_alert_says_why_nobody_hears_of_it(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.alert_rows = [an_alert(silenced=True, muted_by="inhibited by ProviderDown")]
    (row,) = (await client.get("/api/v1/alerts")).json()["alerts"]
    assert (row["silenced"], row["muted_by"]) == (True, "inhibited by ProviderDown")


async def test_it_is_all_in_the_openapi_document(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
    assert set(paths["/api/v1/silences"]) == {"get", "post"}
    assert set(paths["/api/v1/silences/{silence}"]) == {"delete"}
    assert set(paths["/api/v1/alerts/{alert}/ack"]) == {"post"}


# ---- the page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def visitor(stranger: httpx.AsyncClient, clock: FakeClock) -> httpx.AsyncClient:
    """A person at the page."""
    stranger.cookies.set(COOKIE, Sessions(TOKEN, clock).issue())
    stranger.headers.update(ORIGIN)
    return stranger


async def buttons(visitor: httpx.AsyncClient) -> list[tuple[str, str | None]]:
    return Page((await visitor.get("/")).text).attributes


async def test_an_alert_is_silenced_and_acknowledged_by_its_buttons(
    visitor: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.alert_rows = [an_alert("Slow", labels={"model_id": 'gpt[1m]"*'})]
    fingerprint = operations.alert_rows[0].fingerprint
    found = await buttons(visitor)
    matchers = [value for name, value in found if name == "value" and value and "=" in value]
    assert matchers == ["alert=Slow", 'model_id=gpt[[]1m]"[*]']
    assert {("action", "/silences"), ("value", "1h"), ("value", "8h")} <= set(found)
    assert ("action", f"/alerts/{fingerprint}/ack") in found
    for path, fields in (("/silences", {"match": matchers, "for": "8h"}), (f"/alerts/{fingerprint}/ack", {})):
        answer = await visitor.post(path, data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    (row,) = operations.silence_rows
    assert row.matches((("alert", "Slow"), ("model_id", 'gpt[1m]"*')))
    assert (row.author, row.ends_at) == ("dashboard", NOW + 8 * HOUR)
    assert operations.acted == [(fingerprint, "ack", "human:dashboard")]


async def test_silences_are_listed_and_expired_by_a_button(
    visitor: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.silence_rows = [
        a_silence("s-1", starts_at=NOW, ends_at=NOW + HOUR, author="jo", comment="<b>planned</b>"),
        a_silence("s-2", starts_at=NOW + HOUR, ends_at=NOW + 3 * HOUR, author="al", comment=""),
    ]
    text = Page((await visitor.get("/")).text).text
    assert "ends in 1h · by jo · <b>planned</b>" in text
    assert "begins in 1h, ends in 3h · by al" in text
    assert ("action", "/silences/s-1/expire") in await buttons(visitor)
    for _ in range(2):  # a page may be older than what it shows
        assert (await visitor.post("/silences/s-1/expire")).status_code == 303
    assert [row.id for row in operations.silence_rows] == ["s-2"]


async def test_what_is_muted_or_looked_after_is_marked_and_has_no_such_button(
    visitor: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.alert_rows = [an_alert(silenced=True, muted_by="quiet hours: night", acknowledged_by="jo")]
    text, found = Page((await visitor.get("/")).text).text, await buttons(visitor)
    assert "silenced acknowledged by jo" in text
    assert "quiet hours: night" in text
    assert not [value for name, value in found if name == "action" and not str(value).startswith("/mitigations/")]


@pytest.mark.parametrize("path", ["/silences", "/silences/s-1/expire", "/alerts/ProviderRateLimited/ack"])
async def test_no_other_page_can_press_them(visitor: httpx.AsyncClient, operations: FakeOperations, path: str) -> None:
    operations.silence_rows = [a_silence("s-1")]
    fields = {"match": "alert=*", "for": "1h"}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert (await visitor.post(path, data=fields, headers=headers)).status_code == 403
    del visitor.headers["origin"]
    assert (await visitor.post(path, data=fields)).status_code == 403
    visitor.cookies.clear()
    assert (await visitor.post(path, data=fields, headers=ORIGIN)).status_code == 401
    assert (operations.acted, len(operations.silence_rows)) == ([], 1)


async def test_a_form_that_we_did_not_make_is_one_line(visitor: httpx.AsyncClient) -> None:
    assert in_problem(await visitor.post("/silences", data={"match": "alert=A"})).startswith(
        "for: '' is not a duration"
    )
    assert in_problem(await visitor.post("/silences", data={"for": "1h"})).startswith("say what to silence")
    assert in_problem(await visitor.post("/silences", content=b"\xff")) == "body: must be a form in UTF-8"


async def test_a_body_has_its_limit(client: httpx.AsyncClient) -> None:
    body = json.dumps({"matchers": {"alert": "A"}, "comment": "x" * 5000})
    assert (await client.post("/api/v1/silences", content=body)).status_code == 413
