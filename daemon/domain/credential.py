"""Credentials of the upstream, as its `auth-files` tell of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFile:
    """One entry. What an upstream does not tell is None."""

    auth_index: str
    name: str
    provider_key: str
    disabled: bool | None = None
    unavailable: bool | None = None
    """The upstream itself leaves it alone for now."""
    status: str | None = None
    priority: int | None = None
    """Higher ones are used first."""
    runtime_only: bool | None = None
    """It has no file: once disabled it is not even listed."""
    last_refresh: int | None = None
    """When its token was last refreshed; epoch ms."""
    next_retry_after: int | None = None
    """Until when the upstream leaves it alone; epoch ms."""
    plan_type: str | None = None
    """The plan of its account, such as plus, where its vendor has plans and its token tells."""
    served: int | None = None
    """How many requests it has had since the upstream was started."""

    @property
    def is_healthy(self) -> bool:
        """Nothing says that it cannot be used."""
        return not self.disabled and not self.unavailable
