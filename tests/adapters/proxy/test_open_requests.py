"""What is under way is known to the next process, if this one is killed."""

from pathlib import Path

import pytest

from daemon.adapters.proxy.open_requests import SLOTS, OpenRequests, Unfinished, about

CHAT = about("POST", "/v1/chat/completions", "openai_chat")


def test_what_was_not_left_is_unfinished_once(tmp_path: Path) -> None:
    requests = OpenRequests(tmp_path / "run" / "proxy-0.open")
    assert requests.unfinished() == []
    first, second = requests.enter(1000, CHAT), requests.enter(2000, CHAT)
    requests.leave(first)
    assert second is not None
    after = OpenRequests(tmp_path / "run" / "proxy-0.open")  # the first one was killed: nothing closed it
    assert after.unfinished() == [Unfinished(2000, "POST", "/v1/chat/completions", "openai_chat")]
    assert after.unfinished() == []


def test_a_place_is_used_again_and_more_than_there_are_are_not_remembered(tmp_path: Path) -> None:
    requests = OpenRequests(tmp_path / "open")
    for _ in range(3):
        places = [requests.enter(1, CHAT) for _ in range(SLOTS + 1)]
        assert places[-1] is None
        assert len(set(places)) == SLOTS + 1
        for place in places:
            requests.leave(place)
    assert OpenRequests(tmp_path / "open").unfinished() == []


@pytest.mark.parametrize("rubbish", [b"\xff" * 4096, b"\x05abc d", b"\x7f1 a b", b""])
def test_rubbish_in_the_file_is_nothing(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "open").write_bytes(rubbish)
    assert OpenRequests(tmp_path / "open").unfinished() == []


@pytest.mark.parametrize("endpoint", ["/with space", "/" + "x" * 200])
def test_what_does_not_fit_is_not_remembered(endpoint: str) -> None:
    assert about("POST", endpoint, "other") == b""
