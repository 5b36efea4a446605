"""The upstream in memory: what is written to a credential is what is read of it."""

import pytest

from daemon.adapters.memory.upstream import MemoryUpstream
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Call
from daemon.logic.mitigation import upstream_kind

B = CredentialFile(auth_index="1", name="b", provider_key="codex", unavailable=True)


@pytest.mark.parametrize(
    ("target", "before", "wanted"),
    [("credential_priority:b", 0, -1), ("credential_disable:b", False, True), ("reset_quota:1", True, False)],
)
async def test_each_kind_reads_back_what_it_wrote(target: str, before: object, wanted: object) -> None:
    upstream, kind = MemoryUpstream(), upstream_kind(target.partition(":")[0])
    upstream.files = (CredentialFile(auth_index="2", name="a", provider_key="codex"), B)
    assert kind.read(target, await upstream.read(kind.reading(target))) == before
    await upstream.send(kind.writing(target, wanted))
    assert kind.read(target, await upstream.read(kind.reading(target))) == wanted
    assert (await upstream.credential_files())[0].name == "a"


async def test_the_default_priority_is_none() -> None:
    upstream = MemoryUpstream()
    upstream.files = (B,)
    for priority in (-1, 0):
        body = {"name": "b", "priority": priority}
        await upstream.send(Call(method="PATCH", path="auth-files/fields", body=body))
    assert upstream.files == (B,)


async def test_one_that_is_not_there() -> None:
    with pytest.raises(ManagementFailure, match="404"):
        await MemoryUpstream().send(
            Call(method="PATCH", path="auth-files/status", body={"name": "x", "disabled": True})
        )
