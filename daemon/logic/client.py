"""Reads what a client says of itself: which program it is, which turn this is, and whether it is a retry."""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from daemon.logic.json_peek import DECODE_ERRORS, text

Headers = Mapping[bytes, bytes]
"""The first value under each lower-case name."""

MOST_ATTEMPT = 1000

_FAMILIES = {
    "codex": "codex",
    "claude-code": "claude-(?:cli|code)",
    "gemini-cli": "gemini-?cli",
    "opencode": "opencode/",
    "aider": "aider",
    "amp": r"\bamp(?:code)?\b",
    "litellm": "^litellm/",
    "openai-sdk": "^(?:Async|Azure)*OpenAI/",
    "anthropic-sdk": "^(?:Async)?Anthropic/",
    "google-genai-sdk": "^google-genai-sdk/",
}
_PATTERNS = tuple((family, re.compile(pattern, re.IGNORECASE)) for family, pattern in _FAMILIES.items())
_MOST_AGENT = 256
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z-]{0,31}(?=[/ ]|$)")

_CODEX_TURN = b"x-codex-turn-metadata"
_TURN_HEADERS = (
    b"idempotency-key",
    b"thread-id",
    b"x-claude-code-session-id",
    b"x-session-id",
    b"session-id",
    b"session_id",
    b"conversation_id",
)
"""The narrowest first; what names a session stands for its turn where the client sends nothing better."""
_NAMING = frozenset({_CODEX_TURN, *_TURN_HEADERS})


class _CodexTurn(msgspec.Struct):
    turn_id: str


_TURN = msgspec.json.Decoder(_CodexTurn)


def client_family(user_agent: bytes | None) -> str | None:
    """The program's family: a known one, else the first product's name without its version; None without any."""
    return _family(user_agent[:_MOST_AGENT]) if user_agent else None


@lru_cache(maxsize=1024)
def _family(user_agent: bytes) -> str | None:
    agent = user_agent.decode("latin-1")
    product = _PRODUCT.match(agent)
    unknown = product[0].lower() if product else None
    return next((family for family, pattern in _PATTERNS if pattern.search(agent)), unknown)


def turn_id(headers: Headers) -> str | None:
    """The client's own name for the turn; the same when it sends the turn again."""
    if _NAMING.isdisjoint(headers):
        return None
    named = (headers[name].decode("latin-1") for name in _TURN_HEADERS if name in headers)
    return _codex_turn(headers.get(_CODEX_TURN, b"")) or next((turn for name in named if (turn := text(name))), None)


def _codex_turn(metadata: bytes) -> str | None:
    try:
        return text(_TURN.decode(metadata).turn_id)
    except DECODE_ERRORS:
        return None


def marked_attempt(headers: Headers) -> int:
    """How often the client says that it has tried before: `x-stainless-retry-count`; 0 when it says nothing."""
    said = headers.get(b"x-stainless-retry-count", b"")
    return min(int(said), MOST_ATTEMPT) if said and re.fullmatch(rb"[0-9]{1,9}", said) else 0
