"""Retry habits: how often, and after which pauses, real clients ask again when a turn fails.

A turn that fails makes up to two hundred requests, by its client alone. Whoever makes up traffic that fails takes the
figures from here: they were measured with the clients named, 2026, one turn at a time against an upstream that kept
failing. A client that had not given up when the measurement ended has the requests that it made until then. What was
not measured (the pauses where only the number was, aider's 429) follows the same client's nearest trouble that was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

from daemon.domain.event import Fault

LONGEST_ASKED_SECONDS = 60.0
"""Who is asked to come back later than this gives up at once: 15 s were waited for, 90 s were not."""


class Trouble(StrEnum):
    """What has gone wrong, as far as clients tell it apart."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"
    """400, 403, 404: the same request again would be refused again."""
    BROKEN_OFF = "broken_off"
    """The stream broke, or said that it failed."""
    UNFINISHED = "unfinished"
    """The stream ended as if all were well, without its last event."""


class Marks(StrEnum):
    """How a client shows that a request is a retry."""

    NOT = "not"
    BY_TURN = "by_turn"
    """It names the turn, or its session: a retry is what comes within a minute of its failure; none waits longer."""
    BY_COUNT = "by_count"
    """It says how often it has tried; a loop around it begins to count anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What a client does about one kind of trouble."""

    pauses_ms: tuple[int, ...] = ()
    """From each request to the next one; none where it gives up at once."""
    when_asked: int = 0
    """How many more requests it makes when the answer says when to come back, each after the time it was asked to wait;
    0 where it does not heed that."""
    loop: int = 0
    """After so many requests a client that counts begins anew; 0 where it never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What one client does."""

    marks: Marks
    habits: Mapping[Trouble, Habit]
    """It gives up at once where there is none."""


class Try(NamedTuple):
    """One request of a turn: when (epoch ms) it is made, and the `attempt` that its event tells."""

    at: int
    attempt: int


def _doubling(first_ms: int, times: int) -> tuple[int, ...]:
    return tuple(first_ms * 2**n for n in range(times))


def _loop(inner: tuple[int, ...], outer: tuple[int, ...]) -> tuple[int, ...]:
    """A client that asks again inside a loop that asks again."""
    pauses = inner
    for pause in outer:
        pauses += (pause, *inner)
    return pauses


_CODEX_STREAM = Habit(pauses_ms=_doubling(200, 5))
_CODEX_SERVER = Habit(pauses_ms=_loop(_doubling(200, 4), _doubling(200, 5)), when_asked=29)
_CLAUDE_PACE = (500, 1200, 2000, 4600, 8500, 16_000)
_CLAUDE = Habit(pauses_ms=_CLAUDE_PACE, when_asked=len(_CLAUDE_PACE))
_OPENCODE = Habit(pauses_ms=_doubling(2000, 3), when_asked=3)
_SDK = Habit(pauses_ms=_doubling(500, 2), when_asked=2)
_SDK_HABITS = {Trouble.RATE_LIMITED: _SDK, Trouble.SERVER_ERROR: _SDK}

CLIENTS: Mapping[str, Client] = MappingProxyType(
    {
        "codex": Client(
            marks=Marks.BY_TURN,
            habits={
                Trouble.RATE_LIMITED: Habit(when_asked=5),
                Trouble.SERVER_ERROR: _CODEX_SERVER,
                Trouble.UNAUTHORIZED: _CODEX_STREAM,
                Trouble.BROKEN_OFF: _CODEX_STREAM,
                Trouble.UNFINISHED: _CODEX_STREAM,
            },
        ),
        "claude-code": Client(
            marks=Marks.BY_TURN,
            habits={
                Trouble.RATE_LIMITED: Habit(pauses_ms=(*_doubling(600, 6), *(32_000,) * 4), when_asked=10),
                Trouble.SERVER_ERROR: _CLAUDE,
                Trouble.UNAUTHORIZED: _CLAUDE,
                Trouble.REFUSED: Habit(pauses_ms=(100,)),
                Trouble.BROKEN_OFF: Habit(pauses_ms=(500,)),
            },
        ),
        "gemini-cli": Client(
            marks=Marks.NOT,
            habits={
                Trouble.RATE_LIMITED: Habit(pauses_ms=(5500, 10_400, 20_800)),
                Trouble.SERVER_ERROR: Habit(pauses_ms=(3900, 7600, 15_700)),
                Trouble.UNFINISHED: Habit(pauses_ms=_doubling(1000, 3)),
            },
        ),
        "opencode": Client(
            marks=Marks.BY_TURN,
            habits={
                Trouble.RATE_LIMITED: _OPENCODE,
                Trouble.SERVER_ERROR: _OPENCODE,
                Trouble.BROKEN_OFF: Habit(pauses_ms=(1000, 2200, 4500, 9000)),
                Trouble.UNFINISHED: Habit(pauses_ms=(148,) * 202),
            },
        ),
        "aider": Client(
            marks=Marks.BY_COUNT,
            habits={
                Trouble.RATE_LIMITED: Habit(pauses_ms=_loop(_doubling(500, 2), _doubling(250, 6)), loop=3),
                Trouble.SERVER_ERROR: Habit(pauses_ms=_loop(_doubling(500, 2), _doubling(250, 6)), loop=3),
            },
        ),
        "openai-sdk": Client(marks=Marks.BY_COUNT, habits=_SDK_HABITS),
        "anthropic-sdk": Client(marks=Marks.BY_COUNT, habits=_SDK_HABITS),
        "google-genai-sdk": Client(marks=Marks.NOT, habits={}),
    }
)
"""By the name of the client's family, as an event has it."""

_STATUSES = {401: Trouble.UNAUTHORIZED, 429: Trouble.RATE_LIMITED}


def trouble_of(fault: Fault, status: int | None) -> Trouble:
    """What a client makes of a failure: it sees the status, and of what comes under 200 only how it ends."""
    if status is None or status >= 500:
        return Trouble.SERVER_ERROR
    if status >= 400:
        return _STATUSES.get(status, Trouble.REFUSED)
    return Trouble.UNFINISHED if fault is Fault.TRUNCATED else Trouble.BROKEN_OFF


def tries(client: str, trouble: Trouble, *, at: int, retry_after_seconds: float | None = None) -> tuple[Try, ...]:
    """All requests of a turn that goes on failing, the first one at `at` (epoch ms). A client that is not known makes
    one."""
    known = CLIENTS.get(client)
    if known is None:
        return (Try(at, 0),)
    habit = known.habits.get(trouble, Habit())
    instants = accumulate(_pauses(habit, retry_after_seconds), initial=at)
    return tuple(Try(instant, _attempt(known.marks, habit, number)) for number, instant in enumerate(instants))


def _pauses(habit: Habit, retry_after_seconds: float | None) -> tuple[int, ...]:
    if retry_after_seconds is None or not habit.when_asked:
        return habit.pauses_ms
    is_too_long = retry_after_seconds > LONGEST_ASKED_SECONDS
    return () if is_too_long else (round(retry_after_seconds * 1000),) * habit.when_asked


def _attempt(marks: Marks, habit: Habit, number: int) -> int:
    """Of the request with this number; the first one has 0."""
    if marks is Marks.NOT:
        return 0
    return number % habit.loop if habit.loop else number
