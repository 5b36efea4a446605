"""Which credentials fail clearly more than the others of their provider."""

from typing import Any

import pytest

from daemon.domain.event import Event, Fault, Outcome, Source
from daemon.engine import credential_figures
from daemon.engine.credential_figures import CredentialFigures
from tests.logic.playing import an_event

NOW = 1_800_000_000_000
LIMITED: dict[str, Any] = {"outcome": Outcome.FAILED, "fault": Fault.PROVIDER_RATE_LIMITED, "status": 429}


def turn(name: str, *, seconds_ago: float = 60.0, **facts: Any) -> Event:
    return an_event(NOW - round(seconds_ago * 1000), **{"credential": name} | facts)


def figures(**turns: tuple[int, int]) -> CredentialFigures:
    """So many good and bad turns of each credential."""
    made = CredentialFigures()
    for name, (good, bad) in turns.items():
        for _ in range(good):
            made.observe(turn(name))
        for _ in range(bad):
            made.observe(turn(name, **LIMITED))
    return made


@pytest.mark.parametrize(
    ("turns", "failing"),
    [
        ({"a": (30, 0), "b": (3, 27), "c": (29, 1)}, ("b",)),
        ({"a": (5, 25), "b": (1, 29), "c": (30, 0)}, ("b", "a")),
        ({"a": (3, 27), "b": (3, 27), "c": (2, 28), "d": (2, 28), "e": (30, 0)}, ("c", "d", "a", "b")),
        ({"a": (30, 0), "b": (27, 3), "c": (24, 6), "d": (1, 29)}, ("d",)),
        ({"a": (1, 0), "b": (2, 28)}, ("b",)),
        ({"a": (1, 0), "b": (0, 5)}, ()),
        ({"a": (3, 27), "b": (4, 26), "c": (2, 28)}, ()),
        ({"a": (88, 12), "b": (90, 10), "c": (87, 13)}, ()),
        ({"a": (30, 0), "b": (0, 4)}, ()),
        ({"a": (30, 0), "b": (0, 5)}, ("b",)),
        ({"a": (1000, 10), "b": (960, 40)}, ()),
        ({"a": (0, 0), "b": (1, 29)}, ("b",)),
        ({"b": (88, 12)}, ()),
        ({}, ()),
    ],
    ids=[
        "one of three",
        "two of three, the worst first",
        "four of five",
        "a little worse is not worse",
        "the other was hardly used",
        "and both too little",
        "all alike",
        "all alike and few",
        "too few bad ones",
        "just enough",
        "more, but not clearly",
        "nearly all of the only one that is used",
        "some of the only one that is used",
        "nothing",
    ],
)
def test_who_fails(turns: dict[str, tuple[int, int]], failing: tuple[str, ...]) -> None:
    assert figures(**turns).failing("codex", NOW) == failing


@pytest.mark.parametrize(
    "facts",
    [
        {"outcome": Outcome.FAILED, "fault": Fault.CLIENT_ERROR, "status": 400},
        {"outcome": Outcome.FAILED, "fault": Fault.UPSTREAM_CONNECT, "status": 502},
        {"outcome": Outcome.CLIENT_ABORT},
        {**LIMITED, "source": Source.CANARY},
        {**LIMITED, "attempt": 1},
        {**LIMITED, "provider_key": "claude"},
        {**LIMITED, "credential": None},
    ],
    ids=["the caller's fault", "the way there", "left", "a canary", "a retry", "another provider's", "of none known"],
)
def test_what_does_not_count(facts: dict[str, Any]) -> None:
    made = figures(a=(30, 0))
    for _ in range(30):
        made.observe(turn("b", **facts))
    assert made.failing("codex", NOW) == ()


def test_a_broken_way_there_is_no_good_turn_either() -> None:
    made = figures(a=(30, 0), b=(0, 6))
    for _ in range(300):
        made.observe(turn("b", outcome=Outcome.FAILED, fault=Fault.UPSTREAM_CONNECT))
    assert made.failing("codex", NOW) == ("b",)


@pytest.mark.parametrize(("seconds_ago", "failing"), [(0, ("b",)), (590, ("b",)), (611, ())])
def test_ten_minutes_are_remembered(seconds_ago: float, failing: tuple[str, ...]) -> None:
    made = CredentialFigures()
    for _ in range(30):
        made.observe(turn("a", seconds_ago=seconds_ago))
        made.observe(turn("b", seconds_ago=seconds_ago, **LIMITED))
    assert made.failing("codex", NOW) == failing


def test_what_is_counted_anew_is_counted_once() -> None:
    made = figures(a=(30, 0), b=(0, 30))
    made.forget()
    assert made.failing("codex", NOW) == ()


def test_there_is_room_for_so_many_and_the_one_used_longest_ago_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_figures, "MOST_CREDENTIALS", 2)
    made = figures(a=(30, 0), b=(0, 30), c=(30, 0))
    assert set(made._rings) == {("codex", "b"), ("codex", "c")}
