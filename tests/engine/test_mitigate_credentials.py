"""A credential that fails is demoted, switched off or reset, read back, and given back as it was, by real rows."""

from typing import Any

import pytest

from daemon.domain.credential import CredentialFile
from daemon.domain.mitigation import MitigationState
from daemon.logic.mitigations.credential_disable import CredentialDisable
from daemon.logic.mitigations.credential_priority import CredentialPriority
from daemon.logic.mitigations.reset_quota import ResetQuota
from tests.engine.mitigating import Mitigating, a_config, firing

FILES = tuple(
    CredentialFile(auth_index=f"i-{name}", name=name, provider_key="codex", disabled=False, unavailable=False)
    for name in "abc"
)
AT_ONCE = {"hold": "0s", "verify": "none"}
CONFIG = a_config(
    mitigations={
        "next-credential": CredentialPriority.model_validate(AT_ONCE),
        "off": CredentialDisable.model_validate(AT_ONCE),
        "forget": ResetQuota(),
    }
)
State = MitigationState


def alert(name: str) -> Any:
    return firing(name, labels=(("provider_key", "codex"),))


@pytest.fixture
async def mitigating() -> Mitigating:
    made = Mitigating()
    made.upstream.files, made.failing = FILES, ("b",)
    return await made.start(CONFIG)


def credential(mitigating: Mitigating, name: str = "b") -> CredentialFile:
    return next(one for one in mitigating.upstream.files if one.name == name)


@pytest.mark.parametrize(
    ("name", "target", "before", "wanted"),
    [("next-credential", "credential_priority:b", 0, -1), ("off", "credential_disable:b", False, True)],
)
async def test_it_is_changed_while_the_alert_fires_and_given_back(
    mitigating: Mitigating, name: str, target: str, before: Any, wanted: Any
) -> None:
    await mitigating.ticks(alert(name), seconds=3)
    row = mitigating.row(target)
    assert (row.state, row.value_before, row.value_wanted) == (State.APPLIED, before, wanted)
    assert credential(mitigating) != FILES[1]
    mitigating.failing = ()  # it takes no turns any more, so that nothing of it fails
    await mitigating.ticks(alert(name), seconds=3)
    assert mitigating.row(target).state is State.APPLIED
    await mitigating.ticks(seconds=5)
    assert mitigating.row(target).state is State.RESTORED
    assert mitigating.upstream.files == FILES
    assert len(mitigating.upstream.writes) == 2


async def test_only_one_is_changed_and_the_others_are_left_alone(mitigating: Mitigating) -> None:
    mitigating.failing = ("b", "a")
    await mitigating.ticks(alert("next-credential"), seconds=5)
    assert [one.priority for one in mitigating.upstream.files] == [None, -1, None]


async def test_the_last_healthy_one_is_left_alone(mitigating: Mitigating) -> None:
    mitigating.failing = ("b", "a", "c")
    await mitigating.ticks(alert("next-credential"), alert("off"), seconds=5)
    assert mitigating.upstream.writes == []


async def test_a_priority_that_somebody_set_meanwhile_is_left_as_it_is(mitigating: Mitigating) -> None:
    await mitigating.ticks(alert("next-credential"), seconds=3)
    mitigating.upstream.files = tuple(
        CredentialFile(auth_index=one.auth_index, name=one.name, provider_key="codex", priority=7)
        for one in mitigating.upstream.files
    )
    await mitigating.ticks(seconds=5)
    assert mitigating.row("credential_priority:b").state is State.ABANDONED
    assert credential(mitigating).priority == 7


@pytest.mark.parametrize("answer", ["applied", "late", "lost"])
async def test_what_the_upstream_answers_is_not_believed(mitigating: Mitigating, answer: str) -> None:
    mitigating.upstream.answers.append(answer)
    await mitigating.ticks(alert("next-credential"), seconds=8)
    assert mitigating.row("credential_priority:b").state is State.APPLIED
    assert credential(mitigating).priority == -1


async def test_a_restart_gives_back_what_was_changed_before_it(mitigating: Mitigating) -> None:
    await mitigating.ticks(alert("off"), seconds=3)
    assert credential(mitigating).disabled
    await mitigating.start(CONFIG)
    await mitigating.ticks(seconds=5)
    assert mitigating.upstream.files == FILES


@pytest.mark.parametrize("unavailable", [True, False])
async def test_a_reset_is_done_once_and_ended(mitigating: Mitigating, unavailable: bool) -> None:
    """Whether the cooldown shows or not: one of a single model does not."""
    mitigating.upstream.files = tuple(
        CredentialFile(auth_index=one.auth_index, name=one.name, provider_key="codex", unavailable=unavailable)
        for one in FILES[:2]
    )
    mitigating.failing = ("a", "b")
    await mitigating.ticks(alert("forget"), seconds=5)
    rows = [mitigating.row(f"reset_quota:i-{name}") for name in "ab"]
    assert [row.state for row in rows] == [State.RESTORED] * 2
    assert [path for path, _ in mitigating.upstream.writes] == ["reset-quota"] * 2
    assert not any(one.unavailable for one in mitigating.upstream.files)
    assert not mitigating.mitigate.is_busy


async def test_a_reset_that_does_nothing_is_not_tried_for_ever(mitigating: Mitigating) -> None:
    mitigating.upstream.files = (
        CredentialFile(auth_index="i-b", name="b", provider_key="codex", unavailable=True),
        *FILES[::2],
    )
    mitigating.upstream.answers.extend(["ignored"] * 10)
    await mitigating.ticks(alert("forget"), seconds=30)
    assert mitigating.row("reset_quota:i-b").state is State.FAILED
    assert len(mitigating.upstream.writes) == 2
