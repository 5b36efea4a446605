"""The guard of heads: it never raises, and what it lets through has one length."""

from daemon.logic.forwarding import by_name
from daemon.logic.framing import body_length, framing_fault
from tests.fuzz.inputs import EXCHANGES

LINES = (
    b"Host: 127.0.0.1:8318",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Upgrade: websocket",
    b"Connection: close",
    b"Expect: 100-continue",
)
SEEDS = [
    b"%b %b 1.1\n" % (one["method"].encode(), one["path"].encode()) + b"\n".join(LINES[number % 3 :: 1 + number % 4])
    for number, one in enumerate(EXCHANGES)
]


def check(data: bytes) -> None:
    first, *lines = data.split(b"\n")
    method, target, version = [*first.split(b" "), b"", b"", b""][:3]
    headers = [(name, value.strip()) for name, colon, value in (line.partition(b":") for line in lines) if colon]
    sent = by_name(headers)
    fault = framing_fault(method.decode("latin-1"), version.decode("latin-1"), target, headers, sent)
    if fault is not None:
        assert 400 <= fault[0] < 500
        assert fault[1]
        return
    names = [name.lower() for name, _ in headers]
    assert target.startswith(b"/")
    assert names.count(b"host") <= 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    length = body_length(sent)
    assert (length is None) is (b"transfer-encoding" in names)
    assert length is None or length >= 0
