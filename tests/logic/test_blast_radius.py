"""Blast radius: never the last healthy credential, never more of them at once than may be, nothing when all fail."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.credential import CredentialFile
from daemon.domain.mitigation import Mitigation
from daemon.domain.mitigation import MitigationState as S
from daemon.logic.blast_radius import Refusal, refusal
from daemon.logic.mitigation import Change
from daemon.logic.situation import Situation
from daemon.logic.wishes import Wish
from tests.contracts.things import a_mitigation
from tests.logic.test_planning import a_config


def files(*names: str, **changes: bool) -> tuple[CredentialFile, ...]:
    return tuple(CredentialFile(auth_index=name, name=name, provider_key="codex", **changes) for name in names)


def a_wish(target: str, max_share: float = 0.5) -> Wish:
    change = Change(target=target, choices=(True,), soft=False)
    options = MitigationOptions(kind="credential_disable", max_share=max_share)
    return Wish(name="off", options=options, change=change, owner="f1", actor="rule:A", since=0)


def changed(*targets: str) -> list[Mitigation]:
    return [a_mitigation(f"m-{target}", target=target, state=S.APPLIED) for target in targets]


def refused(
    target: str,
    credentials: Sequence[CredentialFile],
    rows: Sequence[Mitigation] = (),
    failing: tuple[str, ...] = (),
    max_share: float = 0.5,
) -> Refusal | None:
    situation = Situation(config=a_config(), credentials=tuple(credentials), failing={"codex": failing})
    return refusal(situation, a_wish(target, max_share), rows)


OFF, LAST = "credential_disable:", "credential_priority:"


@pytest.mark.parametrize("how", [OFF, LAST])
def test_half_of_them_at_once_and_no_more(how: str) -> None:
    four = files("a", "b", "c", "d")
    assert refused(how + "a", four) is None
    assert refused(how + "b", four, changed(LAST + "a")) is None
    assert refused(how + "c", four, changed(LAST + "a", OFF + "b")) == Refusal(
        words="3 of 4 credentials of codex would be changed at once, `max_share` is 50%"
    )
    assert refused(how + "c", four, changed(LAST + "a", OFF + "b"), max_share=0.75) is None


def test_one_credential_changed_twice_is_one() -> None:
    assert refused(OFF + "a", files("a", "b"), changed(LAST + "a")) is None


def test_those_of_other_providers_do_not_count() -> None:
    others = tuple(replace(one, provider_key="gemini") for one in files("x", "y", "z"))
    assert refused(OFF + "b", files("a", "b", "c") + others, changed(OFF + "a"))
    assert refused(OFF + "a", files("a", "b", "c") + others, changed(OFF + "x", OFF + "y")) is None


@pytest.mark.parametrize(
    ("credentials", "failing", "rows"),
    [
        (files("a"), (), ()),
        (files("a") + files("b", disabled=True), (), ()),
        (files("a") + files("b", unavailable=True), (), ()),
        (files("a", "b"), ("b",), ()),
        (files("a", "b"), (), (OFF + "b",)),
    ],
)
def test_never_the_last_healthy_one(
    credentials: Sequence[CredentialFile], failing: tuple[str, ...], rows: tuple[str, ...]
) -> None:
    against = refused(OFF + "a", credentials, changed(*rows), failing, max_share=1.0)
    assert against == Refusal(words="no healthy credential of codex would be left: a stays as it is")


def test_where_all_fail_nothing_is_changed_and_people_have_to_know() -> None:
    against = refused(OFF + "a", files("a", "b"), failing=("a", "b"), max_share=1.0)
    assert against == Refusal(words="nothing healthy is left: every credential of codex fails", panic=True)


def test_what_is_not_listed_is_not_touched() -> None:
    assert refused(OFF + "gone", files("a", "b")) == Refusal(words="the upstream lists no credential gone")


def test_other_changes_are_no_business_of_it() -> None:
    assert refused("upstream:debug", ()) is None
