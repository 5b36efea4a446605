"""The usage statistics of older upstreams, told as turns: each says its model, its tokens and whether it failed."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from daemon.domain.event import Event
from daemon.domain.upstream_past import Account, Holder, PastSource, Tally
from daemon.logic.upstream_past_turns import a_turn

TALLY_MS = 600_000
TOKENS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cache_read_tokens": "cached_tokens",
    "total_tokens": "total_tokens",
}
"""Our names of the counters, and theirs."""
FIELDS = frozenset(
    {"emitted_at", "outcome", "source", "requested_model", "model_id", "usage", "usage_present", *TOKENS}
)
NOTES = (
    "the usage statistics tell when a turn began, and not how long it took",
    "the usage statistics say that a turn failed, but not with which status",
    "their model is the one that was sent to the provider, and each attempt at a request counts",
)


def account(usage: Any, holders: Mapping[str, Holder], now: int) -> Account | None:
    """Every detail of every model; None where there is none. `now` is epoch ms."""
    events = sorted(_events(usage, holders), key=lambda event: event.emitted_at)
    events = [event for event in events if event.emitted_at <= now]
    if not events:
        return None
    return Account(
        source=PastSource.USAGE,
        since=events[0].emitted_at,
        until=now,
        events=tuple(events),
        fields=FIELDS,
        notes=NOTES,
    )


def tallies(told: Account) -> tuple[Tally, ...]:
    """The same, counted per ten minutes and credential, of those whose credential is known."""
    counts: dict[tuple[int, Holder], list[int]] = {}
    for event in told.events:
        if event.provider_key != "unknown":
            holder = Holder(provider_key=event.provider_key, auth_index=event.auth_index, name=event.credential)
            row = counts.setdefault((event.emitted_at // TALLY_MS * TALLY_MS, holder), [0, 0])
            row[event.outcome == "failed"] += 1
    return tuple(
        Tally(since=since, until=since + TALLY_MS, holder=holder, succeeded=succeeded, failed=failed)
        for (since, holder), (succeeded, failed) in sorted(counts.items(), key=lambda one: one[0][0])
    )


def _events(usage: Any, holders: Mapping[str, Holder]) -> Iterator[Event]:
    whole = usage.get("usage") if isinstance(usage, dict) else None
    for api in _values(whole, "apis"):
        for name, model in _items(api, "models"):
            details = model.get("details") if isinstance(model, dict) else None
            for detail in details if isinstance(details, list) else ():
                if isinstance(detail, dict) and (event := _event(name, detail, holders)) is not None:
                    yield event


def _event(model: str, detail: Mapping[str, Any], holders: Mapping[str, Holder]) -> Event | None:
    if (at := _epoch_ms(str(detail.get("timestamp")))) is None:
        return None
    tokens, is_bad = detail.get("tokens"), bool(detail.get("failed"))
    counters = {} if is_bad or not isinstance(tokens, dict) else _counters(tokens)
    return a_turn(
        at,
        is_bad=is_bad,
        holder=holders.get(str(detail.get("auth_index"))),
        requested_model=model,
        model_id=model,
        usage_present=True if counters else None,
        **counters,
    )


def _epoch_ms(stamp: str) -> int | None:
    try:
        at = datetime.fromisoformat(stamp)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _counters(tokens: Mapping[str, Any]) -> dict[str, int]:
    return {ours: value for ours, theirs in TOKENS.items() if isinstance(value := tokens.get(theirs), int)}


def _items(value: Any, name: str) -> list[tuple[str, Any]]:
    inner = value.get(name) if isinstance(value, dict) else None
    return list(inner.items()) if isinstance(inner, dict) else []


def _values(value: Any, name: str) -> list[Any]:
    return [inner for _, inner in _items(value, name)]
