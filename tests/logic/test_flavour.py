"""Which kind of upstream it is."""

import json
from typing import Any

import pytest

from daemon.domain.probe import Reply
from daemon.logic.flavour import answers, flavour, heard

ITSELF = {"message": "CLI Proxy API Server", "endpoints": ["POST /v1/chat/completions"]}


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, ITSELF, "CLIProxyAPI"),
        (200, {"message": 7}, "an upstream of another kind"),
        (200, [], "an upstream of another kind"),
        (404, None, "an upstream of another kind"),
        (502, ITSELF, ""),
        (None, None, ""),
    ],
)
def test_it_is_known_by_its_front_page(status: int | None, body: Any, says: str) -> None:
    knock = heard("http://u", Reply(status=status, body=json.dumps(body).encode()), 0)
    assert flavour(knock) == says
    assert answers(knock) is bool(says)


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("Tue, 24 Nov 2026 10:00:00 GMT", 1_795_514_400_000),
        ("soon", None),
        ("Tue, 24 Nov 99999999999 10:00:00 GMT", None),
        ("", None),
    ],
)
def test_its_clock_is_that_of_its_answer(date: str, at: int | None) -> None:
    assert heard("http://u", Reply(status=200, headers={"date": date}), 0).clock == at


def test_a_long_name_is_cut() -> None:
    assert len(heard("u", Reply(status=200, body=b'{"message": "%s"}' % (b"x" * 999)), 0).says) == 60
