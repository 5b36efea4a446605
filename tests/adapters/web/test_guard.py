"""Who may come in: the token, the session, the host name and the origin."""

import httpx
import pytest

from daemon.adapters.web.app import build
from daemon.adapters.web.guard import COOKIE, SESSION_SECONDS
from tests.adapters.web.conftest import BEARER, TOKEN
from tests.fakes.clock import FakeClock
from tests.fakes.operations import FakeOperations

OURS = "http://127.0.0.1:8319"
HOLD = "/api/v1/mitigations/m-0001/hold"


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/login", "/static/runbookd.css", "/static/icon.svg"]
)
async def test_some_paths_are_open(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer \u00e9"},
        {"cookie": f"{COOKIE}=1.2"},
        {"cookie": f"{COOKIE}=99999999999999."},
        {"cookie": f"{COOKIE}=x.y; a"},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": "\x7f=;;="},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/openapi.json", "/api/v1/nowhere", "/other"])
async def test_the_rest_wants_the_token(stranger: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    response = await stranger.get(path, headers=raw)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/explain?alert=A"])
async def test_the_pages_lead_strangers_to_the_login(stranger: httpx.AsyncClient, path: str) -> None:
    response = await stranger.get(path)
    assert (response.status_code, response.headers["location"]) == (303, "/login")


async def log_in(stranger: httpx.AsyncClient) -> httpx.Response:
    return await stranger.post("/login", data={"token": TOKEN}, headers={"origin": OURS})


async def test_the_form_gives_a_session_that_is_not_the_token(stranger: httpx.AsyncClient) -> None:
    response = await log_in(stranger)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"]
    assert TOKEN not in cookie
    assert all(f"; {word}" in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert "Secure" not in cookie
    assert (await stranger.get("/")).status_code == 200
    assert (await stranger.get("/api/v1/status")).status_code == 200


async def test_under_tls_the_cookie_stays_there(stranger: httpx.AsyncClient) -> None:
    response = await stranger.post("https://127.0.0.1:8319/login", data={"token": TOKEN})
    assert "; Secure" in response.headers["set-cookie"]


async def test_a_session_ends(stranger: httpx.AsyncClient, clock: FakeClock) -> None:
    await log_in(stranger)
    clock.advance(SESSION_SECONDS + 1)
    assert (await stranger.get("/api/v1/status")).status_code == 401


async def test_another_token_ends_all_sessions(stranger: httpx.AsyncClient, clock: FakeClock) -> None:
    cookie = (await log_in(stranger)).headers["set-cookie"].split(";")[0]
    app = build(FakeOperations(), token="new", version="0", allowed_hosts=(), clock=clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OURS) as other:
        assert (await other.get("/api/v1/status", headers={"cookie": cookie})).status_code == 401


@pytest.mark.parametrize("form", [{"token": "wrong"}, {"token": ""}, {}, {"other": TOKEN}])
async def test_a_wrong_token_is_told_and_gives_nothing(stranger: httpx.AsyncClient, form: dict[str, str]) -> None:
    response = await stranger.post("/login", data=form)
    assert response.status_code == 401
    assert "That is not the token." in response.text
    assert "set-cookie" not in response.headers


async def test_a_huge_form_is_not_read(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.post("/login", content=b"token=" + b"x" * 10_000)).status_code == 413


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8319", 200),
        ("127.0.0.1", 200),
        ("[::1]:8319", 200),
        ("192.168.1.7:8319", 200),
        ("localhost:8319", 200),
        ("LOCALHOST", 200),
        ("runbook.example", 200),
        ("runbook.example:443", 200),
        ("nas:8319", 200),
        ("nas:1", 421),
        ("evil.example", 421),
        ("evil.example:8319", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
    ],
)
async def test_only_our_host_names_are_answered(client: httpx.AsyncClient, host: str, status: int) -> None:
    assert (await client.get("/api/v1/status", headers={"host": host})).status_code == status
    assert (await client.get("/metrics", headers={"host": host})).status_code == status


async def test_two_hosts_are_none(client: httpx.AsyncClient) -> None:
    headers = [("host", "127.0.0.1"), ("host", "localhost")]
    assert (await client.get("/api/v1/status", headers=headers)).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": OURS}, 200),
        ({"origin": "https://127.0.0.1:8319"}, 200),
        ({"origin": "http://nas:8319"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": OURS}, 403),
    ],
)
async def test_only_our_own_page_may_act(
    client: httpx.AsyncClient, operations: FakeOperations, headers: dict[str, str], status: int
) -> None:
    assert (await client.post(HOLD, headers=headers)).status_code == status
    assert bool(operations.acted) is (status == 200)


@pytest.mark.parametrize(("headers", "status"), [({}, 403), ({"origin": OURS}, 200), ({"origin": "http://x"}, 403)])
async def test_a_session_must_show_its_origin_to_act(
    stranger: httpx.AsyncClient, operations: FakeOperations, headers: dict[str, str], status: int
) -> None:
    await log_in(stranger)
    assert (await stranger.post(HOLD, headers=headers)).status_code == status
    if status == 200:
        assert operations.acted == [("m-0001", "hold", "human:session")]


async def test_there_is_no_cors(client: httpx.AsyncClient) -> None:
    headers = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    responses = [await client.options("/api/v1/status", headers=headers), await client.get("/", headers=headers)]
    assert not [name for response in responses for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/login", "/api/v1/status", "/nowhere", "/metrics", "/static/runbookd.css"])
async def test_every_answer_has_the_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")


def test_without_a_token_there_is_no_door(operations: FakeOperations, clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="needs a token"):
        build(operations, token="", version="0", allowed_hosts=(), clock=clock)


async def test_the_token_is_shown_nowhere(client: httpx.AsyncClient) -> None:
    for path in (
        "/",
        "/login",
        "/metrics",
        "/api/v1/status",
        "/api/v1/events",
        "/api/v1/audit",
        "/api/v1/openapi.json",
    ):
        response = await client.get(path, headers=BEARER)
        assert TOKEN not in response.text + str(response.headers)
