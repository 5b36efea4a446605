"""Credentials of a provider and an alert about it."""

from typing import Any

from daemon.domain.credential import CredentialFile
from daemon.logic.mitigation import About


def a_credential(name: str, **facts: Any) -> CredentialFile:
    return CredentialFile(auth_index=f"i-{name}", **{"name": name, "provider_key": "codex"} | facts)


A, B, C = a_credential("a"), a_credential("b"), a_credential("c")
OTHER = a_credential("z", provider_key="claude")


def about(*failing: str, of: tuple[CredentialFile, ...] = (A, B, C, OTHER), **facts: Any) -> About:
    return About(**{"provider_key": "codex", "failing": failing, "credentials": of} | facts)
