"""Turns as the upstream's past tells them: events of clients in which only what it says is set."""

from typing import Any

from daemon.domain.event import Event, Outcome, Wire
from daemon.domain.upstream_past import Holder


def a_turn(at: int, *, is_bad: bool, holder: Holder | None = None, **facts: Any) -> Event:
    """A turn of a client that ended at `at` (epoch ms); its wire stands for any that calls a model."""
    known: dict[str, Any] = {} if holder is None else of(holder)
    return Event(
        **{
            "event_id": 0,
            "emitted_at": at,
            "started_at": at,
            "duration_ms": 0,
            "method": "POST",
            "endpoint": "",
            "wire": Wire.OPENAI_CHAT,
            "outcome": Outcome.FAILED if is_bad else Outcome.OK,
            **known,
            **facts,
        }
    )


def of(holder: Holder) -> dict[str, Any]:
    """What a credential says of its turns."""
    return {
        "provider_key": holder.provider_key,
        "provider_evidence": "trace",
        "auth_index": holder.auth_index,
        "credential": holder.name,
    }
