"""Facts: what a wire reads out of a request and out of its response. Nothing of a body is kept in them.

They are structs, not dataclasses: some are made for each request on the hot path, and a struct costs a fifth there.
"""

import msgspec

from daemon.domain.thinking import ThinkingSetting
from daemon.domain.usage import TokenUsage


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a request asks for; None where it could not be read."""

    model: str | None = None
    stream: bool = False
    thinking: ThinkingSetting | None = None
    has_tool_result_image: bool | None = None
    wants_usage: bool = True
    """False for a chat stream that does not ask for usage: its absence then says nothing of the provider."""


class ErrorFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An error object, wherever it stood. `message` serves classification only and is never stored or shown."""

    status: int | None = None
    type: str = ""
    code: str = ""
    message: str = ""
    flat: bool = False
    """`{"error": "text"}`: how the upstream refuses a client's own key."""
    retry_after_seconds: float | None = None
    quota_reset_seconds: float | None = None


class ResponseFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a response said. `error` is the error object of a non-2xx body, or one inside a started stream."""

    response_model: str | None = None
    usage: TokenUsage | None = None
    finish_reason: str | None = None
    terminal: bool = False
    """The wire's own end was seen; for a non-stream answer: the body is whole and readable."""
    incomplete: bool = False
    """The wire's own word for a cut answer was seen (`response.incomplete`)."""
    error: ErrorFacts | None = None
    empty_payload: bool | None = None
    has_tool_use: bool | None = None
    thinking_processed: ThinkingSetting | None = None
