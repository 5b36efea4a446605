"""`reset_quota` as data: which credentials are reset, and that nothing is given back."""

from dataclasses import replace

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.mitigation import Call
from daemon.logic.mitigation import About, kind_of
from daemon.logic.mitigations import reset_quota
from daemon.logic.mitigations.reset_quota import OPTIONS
from tests.logic.mitigations.credentials import A, B, C, about

TARGET = "reset_quota:i-b"


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (about("b"), [TARGET]),
        (about(of=(A, replace(B, unavailable=True), C)), [TARGET]),
        (about("a", "b", of=(A, B, replace(C, disabled=True))), ["reset_quota:i-a", TARGET]),
        (about("c", of=(A, B, replace(C, disabled=True))), []),
        (about("b", provider_key="claude"), []),
        (about(), []),
    ],
    ids=["one that fails", "one that is left alone", "all of them", "not one that is off", "not another's", "none"],
)
def test_which_ones(of: About, wanted: list[str]) -> None:
    assert [change.target for change in reset_quota.plan(OPTIONS(), of)] == wanted


def test_where_the_upstream_does_not_serve_it() -> None:
    capabilities = Capabilities(version="6.9.2", routes={"reset-quota": False})
    (change,) = reset_quota.plan(OPTIONS(), about("b", capabilities=capabilities))
    assert change.obstacle == "this upstream 6.9.2 does not serve POST reset-quota"


def test_it_is_done_and_never_undone() -> None:
    assert reset_quota.ONE_WAY
    call = Call(method="POST", path="reset-quota", body={"auth_index": "i-b"})
    assert reset_quota.writing(TARGET, False) == call


@pytest.mark.parametrize("unavailable", [True, False])
def test_what_shows_is_whether_all_of_it_rests(unavailable: bool) -> None:
    assert reset_quota.read(TARGET, {"files": [{"auth_index": "i-b", "unavailable": unavailable}]}) is unavailable


def test_an_index_that_is_not_listed() -> None:
    with pytest.raises(ValueError, match="no credential with the auth_index i-b"):
        reset_quota.read(TARGET, {"files": [{"auth_index": "i-a"}]})


def test_in_words() -> None:
    assert kind_of("reset_quota").say(TARGET, False) == "make the upstream forget the cooldown of credential i-b"
