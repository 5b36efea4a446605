"""Which heads have one meaning, and which could be read in two ways."""

import pytest

from daemon.logic.forwarding import by_name
from daemon.logic.framing import MOST_HEADERS, Refusal, body_length, framing_fault

HOST = (b"host", b"127.0.0.1:8318")
FINE = {
    "plain": ("1.1", b"/", [HOST]),
    "a name": ("1.1", b"/x?y", [(b"host", b"example.com")]),
    "IPv6": ("1.1", b"/", [(b"host", b"[::1]:80")]),
    "old": ("1.0", b"/", []),
    "length": ("1.1", b"/", [HOST, (b"content-length", b"0")]),
    "chunks": ("1.1", b"/", [HOST, (b"transfer-encoding", b"Chunked")]),
    "upgrade": ("1.1", b"/", [HOST, (b"upgrade", b"websocket"), (b"content-length", b"0")]),
}
FAULTY = {
    "no version": ("0.9", b"/", [HOST], "HTTP/1.1"),
    "absolute": ("1.1", b"http://x/", [HOST], "path"),
    "asterisk": ("1.1", b"*", [HOST], "path"),
    "empty": ("1.1", b"", [HOST], "path"),
    "fragment": ("1.1", b"/a#b", [HOST], "path"),
    "no host": ("1.1", b"/", [], "Host"),
    "two hosts": ("1.1", b"/", [HOST, (b"HOST", b"x")], "Host"),
    "host with path": ("1.1", b"/", [(b"host", b"x/y")], "not a host"),
    "host with user": ("1.1", b"/", [(b"host", b"a@b")], "not a host"),
    "empty host": ("1.1", b"/", [(b"host", b"")], "not a host"),
    "too many": ("1.1", b"/", [HOST] + [(b"x", b"")] * MOST_HEADERS, "headers"),
    "old chunks": ("1.0", b"/", [HOST, (b"transfer-encoding", b"chunked")], "Transfer-Encoding"),
    "both": ("1.1", b"/", [HOST, (b"transfer-encoding", b"chunked"), (b"content-length", b"1")], "Transfer-Encoding"),
    "twice": ("1.1", b"/", [HOST, (b"transfer-encoding", b"chunked"), (b"Transfer-encoding", b"chunked")], "once"),
    "other coding": ("1.1", b"/", [HOST, (b"transfer-encoding", b"gzip, chunked")], "chunked"),
    "list of lengths": ("1.1", b"/", [HOST, (b"content-length", b"1, 1")], "one number"),
    "two lengths": ("1.1", b"/", [HOST, (b"content-length", b"1"), (b"content-length", b"1")], "once"),
    "upgrade with body": ("1.1", b"/", [HOST, (b"upgrade", b"h2c"), (b"content-length", b"1")], "upgrade"),
}


def judged(version: str, target: bytes, headers: list[tuple[bytes, bytes]], method: str = "GET") -> Refusal | None:
    return framing_fault(method, version, target, headers, by_name(headers))


@pytest.mark.parametrize(("version", "target", "headers"), FINE.values(), ids=FINE)
def test_a_head_with_one_meaning(version: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    assert judged(version, target, headers) is None


@pytest.mark.parametrize(("version", "target", "headers", "word"), FAULTY.values(), ids=FAULTY)
def test_a_head_with_several(version: str, target: bytes, headers: list[tuple[bytes, bytes]], word: str) -> None:
    status, message = judged(version, target, headers) or (0, "")
    assert status == (431 if word == "headers" else 400)
    assert word in message


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_a_method_that_is_not_forwarded(method: str) -> None:
    assert judged("1.1", b"/", [HOST], method) == (405, f"{method} is not forwarded")


@pytest.mark.parametrize(
    ("header", "length"),
    [((b"Content-Length", b"17"), 17), ((b"Transfer-Encoding", b"chunked"), None), ((b"A", b""), 0)],
)
def test_how_long_a_body_is(header: tuple[bytes, bytes], length: int | None) -> None:
    assert body_length(by_name([header])) == length
