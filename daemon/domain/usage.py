"""Token usage as a response reports it: absent is None, never 0."""

import msgspec


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counters under our own names. What each wire counts inside or outside `input`/`output` is left as reported."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    total_tokens: int | None = None
