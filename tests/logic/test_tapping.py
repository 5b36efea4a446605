"""The taps that all wires share."""

import pytest

from daemon.logic.wire import WireProtocol
from tests.logic.splitting import one_by_one
from tests.logic.wires.answers import IDS, WIRES, read, whole


@pytest.mark.parametrize("wire", WIRES, ids=IDS)
@pytest.mark.parametrize("blank", [b" \t\r\n", b"\x0b", b"\x0c", b"\n\x0b", b"\0", b"\xef\xbb\xbf"])
def test_what_stands_before_a_body_is_the_same_in_one_piece_and_in_many(wire: WireProtocol, blank: bytes) -> None:
    body = blank + whole(wire.WIRE)
    assert read(wire, [body]) == read(wire, one_by_one(body))
