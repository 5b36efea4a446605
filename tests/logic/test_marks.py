"""What heads say: the client's key, the credential, when to come back, and which turn this is."""

import pytest

from daemon.logic.forwarding import by_name
from daemon.logic.marks import MOST_REMEMBERED, Failures, auth_index_of, client_key, other_endpoint, retry_after_seconds

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        ([(b"authorization", b"Bearer abc")], b"", b"abc"),
        ([(b"authorization", b"bearer  abc ")], b"", b"abc"),
        ([(b"authorization", b"abc")], b"", b"abc"),
        ([(b"x-api-key", b"abc")], b"", b"abc"),
        ([(b"x-goog-api-key", b"abc")], b"key=other", b"abc"),
        ([], b"alt=sse&key=a%2Bb", b"a+b"),
        ([], b"auth_token=abc", b"abc"),
        ([(b"authorization", b"Bearer ")], b"key=abc", b"abc"),
        ([], b"monkey=abc&key=", None),
    ],
)
def test_a_client_puts_its_key_in_several_places(
    headers: list[tuple[bytes, bytes]], query: bytes, key: bytes | None
) -> None:
    assert client_key(by_name(headers), query) == key


@pytest.mark.parametrize(
    ("trace", "auth_index"),
    [
        ("20260824120000-abc-0000002a", "abc"),
        ("20260824120000-a-b-c-0000002A", "a-b-c"),
        ("20260824120000--0000002a", None),
        ("2026-abc-0000002a", None),
        ("", None),
    ],
)
def test_a_trace_names_the_credential(trace: str, auth_index: str | None) -> None:
    assert auth_index_of(trace) == auth_index


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"30", 30.0),
        (b" 0.5 ", 0.5),
        (b"Mon, 21 Sep 2026 14:13:30 GMT", 10.0),
        (b"Mon, 21 Sep 2020 14:13:30 GMT", 0.0),
        (b"soon", None),
        (b"-5", None),
        (b"1.2.3", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_when_to_come_back(value: bytes, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


def test_other_paths_are_few() -> None:
    assert [other_endpoint(path) for path in ("/v1/models", "/v1beta/models", "/secret/path", "")] == [
        "/v1/models",
        "/v1beta/models",
        "other",
        "other",
    ]


def test_a_turn_is_a_retry_for_a_minute_after_its_failure() -> None:
    failures = Failures()
    assert failures.attempt("t", 0.0) == 0
    failures.note("t", 0, failed=True, now=10.0)
    assert failures.attempt("t", 70.0) == 1
    assert failures.attempt("t", 70.5) == 0
    assert failures.attempt("other", 10.0) == 0
    failures.note("t", 1, failed=False, now=20.0)
    assert failures.attempt("t", 21.0) == 0


def test_what_is_remembered_is_bounded() -> None:
    failures = Failures()
    for number in range(MOST_REMEMBERED + 1):
        failures.note(str(number), 0, failed=True, now=0.0)
    assert failures.attempt("0", 1.0) == 0
    assert failures.attempt("1", 1.0) == 1
