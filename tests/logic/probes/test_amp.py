"""Whether Amp could come through the upstream, as far as that is known."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.probe import Reply
from daemon.logic.probe import Sight
from daemon.logic.probes import amp

OPTIONS = amp.OPTIONS()


def reply(body: Any, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("routes", "answer", "outcome", "reason"),
    [
        ({}, None, "unknown", "is not known"),
        ({"ampcode": False}, None, "unknown", "serves nothing of Amp's"),
        ({"ampcode": True}, reply({"upstream-url": "https://ampcode.com"}), "ok", ""),
        ({"ampcode": True}, reply({"upstream-url": ""}), "unknown", "upstream-url is empty"),
        ({"ampcode": True}, reply(["?"]), "unknown", "is empty"),
        ({"ampcode": True}, reply({"upstream-url": "x"}, 404), "unknown", "does not say"),
        ({"ampcode": True}, Reply(error="no answer"), "unknown", "does not say"),
    ],
)
def test_it_is_ok_only_where_the_upstream_says_so(
    routes: Mapping[str, bool], answer: Reply | None, outcome: str, reason: str
) -> None:
    sight = Sight(now=0, capabilities=Capabilities(management=True, routes=routes))
    asks = amp.requests(OPTIONS, sight)
    assert [ask.path for ask in asks] == (["ampcode/upstream-url"] if answer else [])
    (one,) = amp.verdict(OPTIONS, sight, [answer] if answer else []).results
    assert one.outcome.value == outcome
    assert reason in one.reason
