"""To hold, release, apply, revert and approve, by the API and by the buttons of the page."""

from typing import Any

import httpx
import pytest

from daemon.adapters.web.guard import COOKIE, Sessions
from daemon.domain.mitigation import MitigationState, Mode
from tests.adapters.web.conftest import TOKEN
from tests.adapters.web.test_page import Page
from tests.adapters.web.test_silencing import ORIGIN, in_problem
from tests.fakes.clock import FakeClock
from tests.fakes.operations import NOW, FakeOperations, a_mitigation, an_alert

HOLD = "/api/v1/mitigations/m-0001/hold"


@pytest.mark.parametrize(
    ("action", "body", "asked"),
    [
        ("hold", {"for": "2h", "comment": "planned — <work>"}, (7200.0, "planned — <work>")),
        ("hold", {}, (None, "")),
        ("apply", {"for": "30m"}, (1800.0, "")),
        ("approve", {"for": "1h30m"}, (5400.0, "")),
        ("release", {"comment": "done"}, (None, "done")),
        ("revert", {"comment": "wrong model"}, (None, "wrong model")),
    ],
)
async def test_an_action_takes_a_time_and_a_comment(
    client: httpx.AsyncClient, operations: FakeOperations, action: str, body: Any, asked: tuple[float | None, str]
) -> None:
    response = await client.post(f"/api/v1/mitigations/m-0001/{action}", json={**body, "author": "jo"})
    assert response.status_code == 200, response.text
    assert operations.acted == [("m-0001", action, "human:jo")]
    assert operations.asked_for == [asked]


async def test_without_a_body_it_is_done_by_the_door(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    assert (await client.post(HOLD)).status_code == 200
    assert (operations.acted, operations.asked_for) == ([("m-0001", "hold", "human:token")], [(None, "")])


@pytest.mark.parametrize(
    ("action", "body", "said"),
    [
        ("hold", {"for": "soon"}, "for: 'soon' is not a duration"),
        ("hold", {"for": "0s"}, "for: must be longer than 0s and at most 366d"),
        ("hold", {"for": "367d"}, "for: must be longer than 0s and at most 366d"),
        ("hold", {"for": 7200}, "for: '7200' is not a duration"),
        ("revert", {"for": "2h"}, "for: says how long apply, approve, hold shall last; revert is done at once"),
        ("release", {"for": "2h"}, "for: says how long apply, approve, hold shall last; release is done at once"),
        ("hold", {"comment": 7}, "comment: must be text"),
        ("hold", {"comment": "x" * 401}, "comment: must be at most 400 characters long"),
        ("hold", {"author": "j o"}, "author: must be 1 to 64 letters"),
        ("hold", {"until": "2h"}, "until: is not known here (known: for, comment, author)"),
        ("hold", [], "body: must be a JSON object"),
    ],
)
async def test_a_mistake_is_one_line_and_does_nothing(
    client: httpx.AsyncClient, operations: FakeOperations, action: str, body: Any, said: str
) -> None:
    detail = in_problem(await client.post(f"/api/v1/mitigations/m-0001/{action}", json=body))
    assert detail.startswith(said)
    assert operations.acted == []


async def test_a_row_says_how_long_whether_it_helped_and_what_else_is_known(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    told = {"proof": "before 34 of 80 failed (42 %), after 2 of 75 (3 %)", "saved_turns": 73, "note": "look at this"}
    operations.mitigation_rows = [a_mitigation(held_by="jo", hold_expires_at=NOW, approve_until=NOW + 1, **told)]
    (row,) = (await client.get("/api/v1/mitigations")).json()["mitigations"]
    times = {"hold_expires_at": "2026-11-24T10:00:00.000Z", "approve_until": "2026-11-24T10:00:00.001Z"}
    assert row.items() >= {**told, **times}.items()


# ---- the page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def visitor(stranger: httpx.AsyncClient, clock: FakeClock) -> httpx.AsyncClient:
    """A person at the page."""
    stranger.cookies.set(COOKIE, Sessions(TOKEN, clock).issue())
    stranger.headers.update(ORIGIN)
    return stranger


async def buttons(visitor: httpx.AsyncClient) -> list[str]:
    """Where the buttons of mitigations lead."""
    found = Page((await visitor.get("/")).text).attributes
    return [v for name, v in found if name in ("action", "formaction") and v and v.startswith("/mitigations/")]


ASKED = {
    "id": "m-7",
    "mode": Mode.ASK,
    "state": MitigationState.NOT_NEEDED,
    "applied_at": None,
    "approve_until": NOW + 900_000,
    "outcome": "would send a out as b, and needs approval",
}


@pytest.mark.parametrize(
    ("changes", "leading"),
    [
        ({}, ["hold", "revert"]),
        ({"state": MitigationState.PLANNED}, ["hold", "revert"]),
        ({"state": MitigationState.RESTORING}, ["hold", "revert"]),
        ({"held_by": "jo"}, ["hold", "release", "revert"]),
        ({"held_by": "daemon", "state": MitigationState.RESTORED}, ["hold", "release"]),
        ({"state": MitigationState.RESTORED, "ended_at": NOW}, ["apply"]),
        (ASKED, ["hold", "approve"]),
        (ASKED | {"approve_until": NOW}, []),
        (ASKED | {"approve_until": None}, []),
        ({"state": MitigationState.NOT_NEEDED, "mode": Mode.SHADOW, "ended_at": NOW}, []),
    ],
)
async def test_a_mitigation_has_the_buttons_that_fit(
    visitor: httpx.AsyncClient, operations: FakeOperations, changes: dict[str, Any], leading: list[str]
) -> None:
    operations.alert_rows = [an_alert("SparkErrorRatio", labels={})]
    operations.mitigation_rows = [a_mitigation(**changes)]
    name = operations.mitigation_rows[0].id
    assert await buttons(visitor) == [f"/mitigations/{name}/{action}" for action in leading]


async def test_what_nobody_needs_any_more_cannot_be_approved(
    visitor: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.alert_rows, operations.mitigation_rows = [], [a_mitigation(**ASKED)]
    assert await buttons(visitor) == []


async def test_what_waits_is_shown_however_much_has_ended(
    visitor: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.alert_rows = [an_alert("SparkErrorRatio", labels={})]
    over = [a_mitigation(id=f"m-{n}", state=MitigationState.FAILED, ended_at=NOW, target=f"x{n}") for n in range(9)]
    operations.mitigation_rows = [*over, a_mitigation(**ASKED | {"id": "m-77"})]
    assert "/mitigations/m-77/approve" in await buttons(visitor)
    assert "fallback waits for approval model_alias:gpt-5.3-codex-spark" in Page((await visitor.get("/")).text).text


async def test_the_page_tells_the_proof_and_what_was_saved(
    visitor: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.mitigation_rows = [
        a_mitigation(proof="before 34 of 80 failed (42 %), after 2 of 75 (3 %)", note="two rules disagree"),
        a_mitigation(id="m-3", state=MitigationState.RESTORED, ended_at=NOW, saved_turns=1),
        a_mitigation(id="m-4", held_by="jo", hold_expires_at=NOW + 7_200_000),
    ]
    text = Page((await visitor.get("/")).text).text
    for words in (
        "before 34 of 80 failed (42 %), after 2",
        "two rules disagree",
        "1 turn went well",
        "held for 2h more",
    ):
        assert words in text


async def test_a_button_does_it_and_leads_back(visitor: httpx.AsyncClient, operations: FakeOperations) -> None:
    for action, fields in (("hold", {"for": "8h", "comment": "night"}), ("revert", {}), ("hold", {"for": ""})):
        answer = await visitor.post(f"/mitigations/m-0001/{action}", data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert operations.acted[0] == ("m-0001", "hold", "human:dashboard")
    assert operations.asked_for == [(28_800.0, "night"), (None, ""), (None, "")]


async def test_a_button_that_came_too_late_says_why(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/mitigations/m-0000/revert")
    assert answer.status_code == 409
    assert "Nothing was done fallback has ended: there is nothing to revert" in Page(answer.text).text


@pytest.mark.parametrize("action", ["hold", "revert", "approve", "apply", "release"])
async def test_no_other_page_can_press_them(
    visitor: httpx.AsyncClient, operations: FakeOperations, action: str
) -> None:
    path = f"/mitigations/m-0001/{action}"
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert (await visitor.post(path, headers=headers)).status_code == 403
    assert (await visitor.get(path)).status_code == 405
    del visitor.headers["origin"]
    assert (await visitor.post(path)).status_code == 403
    visitor.cookies.clear()
    assert (await visitor.post(path, headers=ORIGIN)).status_code == 401
    assert operations.acted == []


async def test_an_action_that_there_is_not_is_404(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.post("/mitigations/m-0001/destroy")).status_code == 404
