"""The tree of errors: what went wrong, where, and how to mend it.

RunbookdError
├── ConfigError        bad settings or a bad alerts file: one `Mistake` each, exit code 2
├── CannotStart        port taken, second instance, unusable state directory: exit code 3
├── UpstreamFault      the upstream could not be reached or broke the protocol; carries the `Fault`
├── ManagementFailure  a management call failed; `barred` when the key was refused (one strike)
├── StoreFailure       the database refused
├── Conflict           the asked operation does not fit the present state (HTTP 409)
└── Misuse             what was asked makes no sense in any state (HTTP 400): exit code 2
"""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.domain.event import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake of a person, with the place it stands in and how to mend it."""

    source: str
    line: int | None = None
    column: int | None = None
    path: str = ""
    message: str
    warning: bool = False

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.source, self.line, self.column) if part is not None)
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class RunbookdError(Exception):
    """Any error of ours; its text is one line for a person."""


class ConfigError(RunbookdError):
    """Every mistake found at once."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class CannotStart(RunbookdError):
    """The process cannot run here: says what is in the way and what to do."""


class UpstreamFault(RunbookdError):
    """The way to the upstream failed before or inside a response."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class ManagementFailure(RunbookdError):
    """A management call did not succeed; `status` is None when no answer came."""

    def __init__(self, message: str, *, status: int | None = None, barred: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.barred = barred


class StoreFailure(RunbookdError):
    """The database refused or is gone."""


class Conflict(RunbookdError):
    """The operation does not fit the present state; the text is the reason."""


class Misuse(RunbookdError):
    """The request itself is wrong; the text says what would do."""
