"""Which header lines pass, as they were sent; how ends are written; which connections go on."""

import pytest

from daemon.logic.forwarding import (
    Headers,
    by_name,
    chunk,
    header_pairs,
    is_persistent,
    last_chunk,
    request_lines,
    response_lines,
    status_line,
)


def lines(*headers: bytes) -> bytes:
    return b"".join(b"\r\n" + header for header in headers)


def up(*headers: bytes, without: frozenset[bytes] = frozenset()) -> bytes:
    sent = lines(*headers)
    return request_lines(sent, by_name(header_pairs(sent)), without)


def down(*headers: bytes, status: int = 200) -> bytes:
    sent = lines(*headers)
    return response_lines(sent, by_name(header_pairs(sent)), status)


def test_a_request_keeps_its_headers_in_order_in_their_case_and_doubled() -> None:
    kept = (b"B: 1", b"a:2", b"b:  3", b"Accept-Encoding: zstd", b"X_own: 1", b"authorization: Bearer x")
    assert up(b"Host: front", *kept) == lines(*kept)


@pytest.mark.parametrize("twin", [False, True], ids=["plain", "underscore"])
@pytest.mark.parametrize(
    "name",
    [
        b"Connection",
        b"Keep-Alive",
        b"Proxy-Authorization",
        b"Proxy-Connection",
        b"TE",
        b"Transfer-Encoding",
        b"Upgrade",
        b"Host",
        b"Expect",
        b"X-Forwarded-For",
        b"x-forwarded-proto",
        b"X-FORWARDED-Anything",
        b"X-Real-IP",
        b"Forwarded",
        b"x-runbookd-canary",
    ],
)
def test_what_belongs_to_this_hop_or_is_claimed_is_dropped(name: bytes, twin: bool) -> None:
    name = name.replace(b"-", b"_") if twin else name
    assert up(b"A: 1", name + b": value", b"B: 2") == lines(b"A: 1", b"B: 2")


def test_a_second_length_under_another_name_is_dropped_and_the_first_never() -> None:
    assert up(b"Content-Length: 1", b"content_length: 2", b"Connection: content-length") == lines(b"Content-Length: 1")


def test_what_any_connection_line_names_is_dropped_with_it() -> None:
    sent = (b"Connection: close", b"connection: x, X-Hop", b"X-Hop: 1", b"X-Far: 2")
    assert up(*sent) == down(*sent) == lines(b"X-Far: 2")


def test_what_is_said_anew_is_left_out() -> None:
    assert up(b"Content-Length: 1", b"A: b", without=frozenset({b"content-length"})) == lines(b"A: b")


def test_an_answer_keeps_its_case_its_order_and_its_doubles() -> None:
    kept = (b"Set-Cookie: a", b"X-Own: 1", b"Set-Cookie: b", b"Content-Length: 5", b"Trailer: X-T", b"Host: odd")
    assert down(*kept, b"Connection: keep-alive", b"Keep-Alive: 5", b"Transfer-Encoding: chunked") == lines(*kept)


@pytest.mark.parametrize(("status", "keeps"), [(103, False), (204, False), (304, True), (200, True)])
def test_a_length_is_dropped_where_there_is_none(status: int, keeps: bool) -> None:
    assert (b"Content-Length" in down(b"Content-Length: 5", b"ETag: x", status=status)) is keeps


def test_headers_are_read_off_their_lines() -> None:
    sent = lines(b"A: 1", b"a:", b"B:\t x: y \t", b"C: z")
    headers = [(b"A", b"1"), (b"a", b""), (b"B", b"x: y"), (b"C", b"z")]
    assert header_pairs(sent) == headers
    assert by_name(headers) == {b"a": b"1", b"b": b"x: y", b"c": b"z"}


def test_a_connection_says_all_it_says() -> None:
    assert by_name([(b"Connection", b"a"), (b"connection", b"close")])[b"connection"] == b"a,close"


@pytest.mark.parametrize(
    ("version", "connection", "goes_on"),
    [
        ("1.1", None, True),
        ("1.1", b"keep-alive", True),
        ("1.1", b"Upgrade, Close", False),
        ("1.0", None, False),
        ("1.0", b"Keep-Alive", True),
    ],
)
def test_which_connection_goes_on(version: str, connection: bytes | None, goes_on: bool) -> None:
    assert is_persistent(version, connection) is goes_on


@pytest.mark.parametrize(
    ("reason", "line"),
    [(b"OK", b"HTTP/1.1 529 OK"), (b"Site \xe4", b"HTTP/1.1 529 Site \xe4"), (b"a\x00b", b"HTTP/1.1 529 ")],
)
def test_a_reason_is_passed_on_unless_it_hurts(reason: bytes, line: bytes) -> None:
    assert status_line(529, reason) == line


@pytest.mark.parametrize(
    ("trailers", "end"),
    [
        ((), b"0\r\n\r\n"),
        (((b"X-Sum", b"1"),), b"0\r\nX-Sum: 1\r\n\r\n"),
        (((b"Content-Length", b"1"), (b"authorization", b"x"), (b"X_Forwarded_For", b"x")), b"0\r\n\r\n"),
    ],
)
def test_a_chunked_body_ends_with_those_trailers_that_may_pass(trailers: Headers, end: bytes) -> None:
    assert last_chunk(trailers) == end
    assert chunk(b"a" * 17) == b"11\r\n" + b"a" * 17 + b"\r\n"
