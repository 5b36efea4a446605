"""`credential_disable` as data: which credential is switched off, and where none is."""

from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.mitigation import Call
from daemon.logic.mitigation import About, kind_of
from daemon.logic.mitigations import credential_disable
from daemon.logic.mitigations.credential_disable import OPTIONS
from tests.logic.mitigations.credentials import OTHER, A, B, C, about

TARGET = "credential_disable:b"


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (about("b"), [TARGET]),
        (about("b", "a", of=(A, replace(B, disabled=True), C)), ["credential_disable:a"]),
        (about("b", of=(B, OTHER)), []),
        (about("a", "b", "c"), []),
        (about("b", of=(A, replace(B, runtime_only=True))), []),
    ],
    ids=["the worst", "then the next", "never the last", "not when all fail", "not what would vanish from the list"],
)
def test_which_one(of: About, wanted: list[str]) -> None:
    changes = credential_disable.plan(OPTIONS(), of)
    assert [change.target for change in changes] == wanted
    assert all(change.choices == (True,) and not change.soft for change in changes)


def test_where_the_upstream_does_not_serve_it() -> None:
    capabilities = Capabilities(routes={"auth-files/status": False})
    (change,) = credential_disable.plan(OPTIONS(), about("b", capabilities=capabilities))
    assert change.obstacle == "this upstream does not serve PATCH auth-files/status"


def test_it_is_one_call_for_one_credential() -> None:
    body = {"name": "b", "disabled": True}
    assert credential_disable.writing(TARGET, True) == Call(method="PATCH", path="auth-files/status", body=body)
    assert credential_disable.read(TARGET, {"files": [{"name": "b", "disabled": False}]}) is False
    assert credential_disable.reaches(OPTIONS(), TARGET)


@pytest.mark.parametrize(
    "reply", [{"files": []}, {"files": [{"name": "b"}]}, {"files": [{"name": "b", "disabled": 1}]}]
)
def test_what_does_not_say_it_cannot_be_changed(reply: Any) -> None:
    with pytest.raises(ValueError, match="b"):
        credential_disable.read(TARGET, reply)


def test_in_words() -> None:
    assert kind_of("credential_disable").say(TARGET, True) == "switch b off"
