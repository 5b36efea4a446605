"""The upstream's own figures of its providers."""

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.front import Front
from daemon.domain.probe import Reply
from daemon.logic.probe import Sight
from daemon.logic.probes import provider_metrics

OPTIONS = provider_metrics.OPTIONS()


@pytest.mark.parametrize(("listed", "asks"), [(None, 1), (True, 1), (False, 0)])
def test_they_are_asked_for_unless_they_are_known_to_be_missing(listed: bool | None, asks: int) -> None:
    sight = Sight(now=1, capabilities=Capabilities(front=Front(provider_metrics=listed)))
    assert len(provider_metrics.requests(OPTIONS, sight)) == asks


@pytest.mark.parametrize(
    ("replies", "outcome", "value"),
    [
        ([Reply(status=200, body=b'{"codex": {"request_count": 1}}')], "ok", 1.0),
        ([Reply(status=200, body=b"{}")], "ok", 0.0),
        ([Reply(status=200, body=b"[]")], "unknown", None),
        ([Reply(status=404)], "unknown", None),
        ([], "unknown", None),
    ],
)
def test_what_they_come_to(replies: list[Reply], outcome: str, value: float | None) -> None:
    (one,) = provider_metrics.verdict(OPTIONS, Sight(now=1), replies).results
    assert (one.outcome.value, one.value) == (outcome, value)
