"""Who may pass, where only some may."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from daemon.adapters.proxy.client_keys import ClientKeys
from daemon.adapters.proxy.destinations import NOWHERE
from daemon.adapters.proxy.tap import Ask
from daemon.domain.errors import CannotStart
from daemon.domain.event import Fault, Outcome, Source
from tests.adapters.proxy.test_forward import decoded, post
from tests.fakes.proxy import CANARY_SECRET, running_proxy
from tests.fakes.raw_server import always, raw_server, response


def listed(path: Path, *keys: str) -> Path:
    path.write_text("# ours\n\n" + "".join(f"{sha256(key.encode()).hexdigest()}  note\n" for key in keys))
    return path


def with_key(key: str) -> Ask:
    return Ask(method="GET", destination=NOWHERE, sent={b"authorization": f"Bearer {key}".encode()})


@pytest.mark.parametrize(
    ("header", "passes"),
    [
        (b"Authorization: Bearer known", True),
        (b"x-api-key: known", True),
        (b"x-goog-api-key: known", True),
        (b"Authorization: Bearer other", False),
        (b"Accept: */*", False),
        (b"x-runbookd-canary: " + CANARY_SECRET, True),
    ],
)
async def test_only_known_keys_pass(tmp_path: Path, header: bytes, passes: bool) -> None:
    keys = listed(tmp_path / "keys", "known")
    async with raw_server(always(response(b"{}"))) as upstream, running_proxy(upstream.url, client_keys=keys) as proxy:
        status, _, body = decoded(await proxy.exchange(post(b"/v1/chat/completions", b"{}", header)))
        event = await proxy.sink.one()
    if passes:
        assert (status, event.outcome) == (200, Outcome.OK if event.source is Source.CANARY else event.outcome)
    else:
        assert (status, json.loads(body)["error"]["code"]) == (401, "runbookd_denied")
        assert (event.outcome, event.fault, upstream.peers) == (Outcome.DENIED, Fault.DENIED, [])


@pytest.mark.parametrize(("path", "status"), [(b"/health", 200), (b"/v1/metrics/providers", 401)])
async def test_a_stranger_may_ask_how_we_are_and_nothing_else(tmp_path: Path, path: bytes, status: int) -> None:
    keys = listed(tmp_path / "keys", "known")
    async with raw_server(always(response(b"{}"))) as upstream, running_proxy(upstream.url, client_keys=keys) as proxy:
        request = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert decoded(await proxy.exchange(request))[0] == status


def test_the_list_is_read_again_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    path = listed(tmp_path / "keys", "one")
    keys = ClientKeys(path, lambda ask: False)
    listed(tmp_path / "new", "two").rename(path)
    keys.poll()
    assert (keys.knows(with_key("one")), keys.knows(with_key("two"))) == (False, True)
    (tmp_path / "bad").write_text("plain-key\n")
    (tmp_path / "bad").rename(path)
    keys.poll()
    path.unlink()
    keys.poll()
    assert keys.knows(with_key("two"))


@pytest.mark.parametrize(("text", "why"), [("sk-plain\n", ":1: not a SHA-256"), (None, "No such file")])
def test_without_a_good_list_nobody_starts(tmp_path: Path, text: str | None, why: str) -> None:
    if text is not None:
        (tmp_path / "keys").write_text(text)
    with pytest.raises(CannotStart, match=why) as refused:
        ClientKeys(tmp_path / "keys", lambda ask: False)
    assert "sk-plain" not in str(refused.value)
