"""`credential_priority` as data: which credential goes below which, and where it is left alone."""

from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.mitigation import Call
from daemon.logic.mitigation import About, kind_of
from daemon.logic.mitigations import credential_priority
from daemon.logic.mitigations.credential_priority import OPTIONS
from tests.logic.mitigations.credentials import OTHER, A, B, C, a_credential, about

TARGET = "credential_priority:b"


def planned(of: About) -> list[tuple[str, Any]]:
    return [(change.target, *change.choices) for change in credential_priority.plan(OPTIONS(), of)]


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (about("b"), [(TARGET, -1)]),
        (about("b", of=(A, B, replace(C, priority=5))), [(TARGET, -1)]),
        (about("b", of=(replace(A, priority=7), B, replace(C, priority=5))), []),
        (about("b", of=(replace(A, priority=7), replace(B, priority=7), replace(C, priority=5))), [(TARGET, 4)]),
        (about("b", of=(replace(A, priority=-3), B)), [(TARGET, -4)]),
        (about("b", "a"), [(TARGET, -1)]),
        (about("b", "a", of=(A, replace(B, priority=-1), C)), [("credential_priority:a", -1)]),
        (about("b", "a", of=(A, replace(B, disabled=True), C)), [("credential_priority:a", -1)]),
        (about(), []),
    ],
    ids=[
        "below all",
        "below the lowest",
        "low already",
        "as low as needed",
        "below those below",
        "one at a time",
        "then the next",
        "one that is off is no use",
        "nothing fails",
    ],
)
def test_the_worst_goes_below_all_that_are_well(of: About, wanted: list[tuple[str, Any]]) -> None:
    assert planned(of) == wanted


@pytest.mark.parametrize(
    "of",
    [
        about("b", of=(B, OTHER)),
        about("a", "b", "c"),
        about("b", of=(replace(A, disabled=True), B, OTHER)),
        about("b", of=(replace(A, unavailable=True), B, OTHER)),
        about("b", "a", of=(A, B, replace(C, unavailable=True))),
    ],
    ids=["it is the only one", "all fail", "the other is off", "the other is left alone", "the others are no better"],
)
def test_the_last_healthy_one_is_never_touched(of: About) -> None:
    assert planned(of) == []


@pytest.mark.parametrize(
    "of",
    [
        about("z"),
        about("b", provider_key=None),
        about("gone"),
        about("b", of=(A, B, replace(B, auth_index="i-b2"), C)),
    ],
    ids=["another provider's", "of no provider", "not listed", "listed twice"],
)
def test_what_is_not_the_alerts_or_not_known_is_left_alone(of: About) -> None:
    assert planned(of) == []


def test_where_the_upstream_does_not_serve_it() -> None:
    capabilities = Capabilities(version="6.6.9", routes={"auth-files/fields": False})
    (change,) = credential_priority.plan(OPTIONS(), about("b", capabilities=capabilities))
    assert change.obstacle == "this upstream 6.6.9 does not serve PATCH auth-files/fields"


@pytest.mark.parametrize(("of", "is_blind"), [((A, B, C), True), ((A, B, replace(C, priority=0)), False)])
def test_what_could_not_be_read_back_is_not_written(of: Any, is_blind: bool) -> None:
    capabilities = Capabilities(hidden=frozenset({"priority"}))
    (change,) = credential_priority.plan(OPTIONS(), about("b", of=of, capabilities=capabilities))
    assert ("could not be read back" in change.obstacle) is is_blind


def test_nothing_stands_against_it_where_nothing_is_known() -> None:
    (change,) = credential_priority.plan(OPTIONS(), about("b"))
    assert (change.soft, change.inert, change.obstacle) == (False, False, "")


def test_it_is_one_field_of_one_credential() -> None:
    assert credential_priority.reading(TARGET) == "auth-files"
    body = {"name": "b", "priority": -1}
    assert credential_priority.writing(TARGET, -1) == Call(method="PATCH", path="auth-files/fields", body=body)
    assert credential_priority.reaches(OPTIONS(), TARGET)
    assert not credential_priority.reaches(OPTIONS(), "credential_disable:b")


@pytest.mark.parametrize(("file", "value"), [({"priority": 3}, 3), ({}, 0), ({"priority": 0}, 0)])
def test_without_one_it_is_the_upstreams_default(file: Any, value: int) -> None:
    """Written, the default takes the field out again: what is read before and after a change is the same."""
    assert credential_priority.read(TARGET, {"files": [{"name": "a"}, {"name": "b", **file}]}) == value


@pytest.mark.parametrize("reply", [{"files": [{"name": "a"}]}, {"files": None}, {}, [], None])
def test_a_credential_that_is_not_listed_has_no_priority(reply: Any) -> None:
    with pytest.raises(ValueError, match="no credential with the name b"):
        credential_priority.read(TARGET, reply)


def test_in_words() -> None:
    assert kind_of("credential_priority").say(TARGET, -1) == "use b last (priority -1)"
    assert a_credential("b").is_healthy
