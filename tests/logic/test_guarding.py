"""Which paths never reach the upstream, and which heads have more than one meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.logic.guarding import MOST_HEADER_BYTES, MOST_HEADERS, framing_fault, is_denied

INSIDE = (
    b"/v0",
    b"/v0/management/config",
    b"/management.html",
    b"/keep-alive",
    b"/v1internal:x",
    b"/debug/pprof",
    b"/a/callback",
    b"/a/..;/v0/x",
    b"/v1/x/../v0/config",
    b"/v1/a/b/..%5c..%255cv0/x",
)

OUTSIDE = (
    b"/",
    b"/v1/chat/completions",
    b"/v1/models",
    b"/v1beta/models/gemini-2.5-pro:streamGenerateContent",
    b"/v1/models/a%2Fb",
    b"/v1/models/v0",
    b"/v01",
    b"/v00/x",
    b"/callback",
    b"/v1/callbacks",
    b"/keep-alive-x",
    b"/api/management",
    b"/v1/../v1/models",
    b"/%e4%b8%ad",
    b"/100%",
)


@pytest.mark.parametrize("path", INSIDE)
def test_what_is_for_local_callers_is_denied(path: bytes) -> None:
    assert is_denied(path)


@pytest.mark.parametrize("path", OUTSIDE)
def test_everything_else_passes(path: bytes) -> None:
    assert not is_denied(path)


def encoded(path: bytes, times: int, upper: bool) -> bytes:
    for _ in range(times):
        path = b"".join(b"%%%02X" % byte if upper else b"%%%02x" % byte for byte in path)
    return path


segments = st.sampled_from([b"", b".", b"..", b"a", b"%2e", b"%2E%2e"])
slashes = st.sampled_from([b"/", b"//", b"\\", b"%2f", b"%5C", b"/;x/", b"/./"])


@given(st.sampled_from(INSIDE), st.integers(0, 3), st.booleans(), st.booleans(), st.lists(slashes, max_size=3))
def test_no_encoding_hides_it(path: bytes, times: int, upper: bool, shouts: bool, before: list[bytes]) -> None:
    disguised = encoded(path[1:].upper() if shouts else path[1:], times, upper)
    assert is_denied(b"/" + b"".join(before) + disguised)


@given(st.lists(st.tuples(segments, slashes), max_size=6), st.sampled_from(INSIDE))
def test_dots_never_lead_inside_unseen(before: list[tuple[bytes, bytes]], path: bytes) -> None:
    """However many segments a reader drops or climbs: if any reading ends inside, it is denied."""
    climb = b"".join(segment + slash for segment, slash in before) + b"../" * 8
    assert is_denied(b"/" + climb + path[1:])


@given(st.binary(max_size=60))
def test_any_bytes_have_an_answer(path: bytes) -> None:
    assert is_denied(b"/" + path) in (True, False)


def test_what_is_encoded_again_and_again_is_denied_unread() -> None:
    assert is_denied(b"/" + b"%25" * 5 + b"25" * 40 + b"41")


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
    "absolute": ("1.1", b"http://x/", [HOST], "path"),
    "asterisk": ("1.1", b"*", [HOST], "path"),
    "empty": ("1.1", b"", [HOST], "path"),
    "fragment": ("1.1", b"/a#b", [HOST], "path"),
    "no host": ("1.1", b"/", [], "Host"),
    "two hosts": ("1.1", b"/", [HOST, HOST], "Host"),
    "host with path": ("1.1", b"/", [(b"host", b"x/y")], "not a host"),
    "host with user": ("1.1", b"/", [(b"host", b"a@b")], "not a host"),
    "empty host": ("1.1", b"/", [(b"host", b"")], "not a host"),
    "too many": ("1.1", b"/", [HOST] + [(b"x", b"")] * MOST_HEADERS, "headers"),
    "too large": ("1.1", b"/", [HOST, (b"x", b"y" * MOST_HEADER_BYTES)], "headers"),
    "old chunks": ("1.0", b"/", [HOST, (b"transfer-encoding", b"chunked")], "Transfer-Encoding"),
    "both": ("1.1", b"/", [HOST, (b"transfer-encoding", b"chunked"), (b"content-length", b"1")], "Transfer-Encoding"),
    "twice": ("1.1", b"/", [HOST, (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], "chunked"),
    "other coding": ("1.1", b"/", [HOST, (b"transfer-encoding", b"gzip, chunked")], "chunked"),
    "list of lengths": ("1.1", b"/", [HOST, (b"content-length", b"1, 1")], "one number"),
    "two lengths": ("1.1", b"/", [HOST, (b"content-length", b"1"), (b"content-length", b"1")], "one number"),
    "upgrade with body": ("1.1", b"/", [HOST, (b"upgrade", b"h2c"), (b"content-length", b"1")], "upgrade"),
}


@pytest.mark.parametrize(("version", "target", "headers"), FINE.values(), ids=FINE)
def test_a_head_with_one_meaning(version: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    assert framing_fault(version, target, headers) is None


@pytest.mark.parametrize(("version", "target", "headers", "word"), FAULTY.values(), ids=FAULTY)
def test_a_head_with_several(version: str, target: bytes, headers: list[tuple[bytes, bytes]], word: str) -> None:
    assert word in (framing_fault(version, target, headers) or "")
