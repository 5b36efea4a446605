"""Which headers pass, and in what order."""

import pytest

from daemon.logic.forwarding import is_sendable, request_headers, response_headers, value_of, without


def sent(*headers: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return request_headers(headers, peer="10.1.2.3", authority=b"up:8317")


def test_a_request_keeps_its_headers_in_order_and_doubled() -> None:
    kept = ((b"b", b"1"), (b"a", b"2"), (b"b", b"3"), (b"accept-encoding", b"zstd"), (b"authorization", b"Bearer x"))
    assert sent((b"host", b"front"), *kept) == [(b"host", b"up:8317"), *kept, (b"x-forwarded-for", b"10.1.2.3")]


@pytest.mark.parametrize(
    "name",
    [
        b"connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"x-forwarded-for",
        b"x_forwarded_for",
        b"x-forwarded-proto",
        b"x_forwarded-host",
        b"x-real-ip",
        b"x_real_ip",
        b"forwarded",
        b"x-runbookd-canary",
    ],
)
def test_what_belongs_to_this_hop_or_is_claimed_is_dropped(name: bytes) -> None:
    assert sent((name, b"value")) == [(b"host", b"up:8317"), (b"x-forwarded-for", b"10.1.2.3")]


def test_what_connection_names_is_dropped_with_it() -> None:
    assert sent((b"connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"x-far", b"2"))[1:-1] == [(b"x-far", b"2")]


def test_an_answer_keeps_its_case_its_order_and_its_doubles() -> None:
    headers = ((b"Set-Cookie", b"a"), (b"X-Own", b"1"), (b"Set-Cookie", b"b"), (b"Content-Length", b"5"))
    hop = ((b"Connection", b"keep-alive, X-Hop"), (b"X-Hop", b"1"), (b"Transfer-Encoding", b"chunked"))
    assert response_headers((*headers, *hop), 200) == list(headers)


@pytest.mark.parametrize("status", [204, 304])
def test_a_length_is_dropped_where_there_is_no_body(status: int) -> None:
    assert response_headers(((b"Content-Length", b"5"), (b"ETag", b"x")), status) == [(b"ETag", b"x")]


def test_looking_up_and_leaving_out() -> None:
    headers = ((b"A", b"1"), (b"a", b"2"), (b"B", b"3"))
    assert value_of(headers, b"a") == b"1"
    assert value_of(headers, b"c") is None
    assert without(headers, [b"a"]) == [(b"B", b"3")]


@pytest.mark.parametrize(
    ("name", "value", "may"),
    [
        (b"x", b"plain\ttext \xe4", True),
        (b"x", b"", True),
        (b"x", b"a\rb", False),
        (b"x", b"a\nb", False),
        (b"x", b"a\x00b", False),
        (b"x", b"a\x7fb", False),
        (b"x y", b"", False),
        (b"x:", b"", False),
        (b'x"', b"", False),
    ],
)
def test_what_may_stand_in_a_head(name: bytes, value: bytes, may: bool) -> None:
    assert is_sendable(((b"ok", b"ok"), (name, value))) is may
