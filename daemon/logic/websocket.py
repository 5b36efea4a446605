"""The opening of a websocket: where one may be opened, and what both sides must say.

No extension is agreed on, so that the frames can be read as they are. What passes later is neither checked nor mended.
"""

import re
from base64 import b64encode
from hashlib import sha1
from urllib.parse import unquote_to_bytes

from daemon.logic.forwarding import Headers
from daemon.logic.json_peek import text

VERSION = b"13"
"""What `Sec-WebSocket-Version` must say; a refusal with 426 says it too."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_ENDPOINT = re.compile(
    r"(/v1/responses(?:/ws)?|/backend-api/codex/responses|/v1/ws|/v1/realtime(?:/translations)?|/v1/live)"
    r"|(/v1/realtime/calls|/v1/live)/[^/]+|(/v1/(?:realtime|live))/.+"
)
_WITHOUT_TURNS = "/v1/ws"
"""A provider connects here and serves the upstream: what is asked on it was asked elsewhere first."""


def websocket_endpoint(path: str) -> str | None:
    """The endpoint's pattern (`/v1/responses`, `/v1/realtime/calls/{call_id}`) if websockets are spoken there."""
    match = _ENDPOINT.fullmatch(path)
    if match is None:
        return None
    return match[1] or (f"{match[2]}/{{call_id}}" if match[2] else f"{match[3]}/*")


def is_websocket_path(path: str) -> bool:
    """Whether the upstream speaks websocket there."""
    return websocket_endpoint(path) is not None


def has_turns(path: str) -> bool:
    """Whether `Turns` can read what is said there."""
    return is_websocket_path(path) and path != _WITHOUT_TURNS


def handshake_fault(method: str, version: str, headers: Headers) -> tuple[int, str] | None:
    """What is wrong with a client's opening: a status, and words for its sender; None when nothing is."""
    keys = _values(headers, b"sec-websocket-key")
    if method != "GET" or version != "1.1":
        return 400, "a websocket is opened by GET in HTTP/1.1"
    if not _is_upgrade(headers):
        return 400, "a websocket needs the headers Upgrade: websocket and Connection: Upgrade"
    if _values(headers, b"sec-websocket-version") != [VERSION]:
        return 426, "Sec-WebSocket-Version must be 13"
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        return 400, "Sec-WebSocket-Key must be 16 bytes in base64"
    return None


def answer_fault(headers: Headers, key: bytes) -> str | None:
    """What is wrong with an upstream's 101, in words; None when nothing is. `key` is the one it was sent."""
    if not _is_upgrade(headers):
        return "it switched to something else than websocket"
    if _values(headers, b"sec-websocket-accept") != [accept_of(key)]:
        return "its Sec-WebSocket-Accept does not answer the key"
    if any(_values(headers, b"sec-websocket-extensions")):
        return "it uses an extension that was not offered"
    return None


def _is_upgrade(headers: Headers) -> bool:
    return b"websocket" in _tokens(headers, b"upgrade") and b"upgrade" in _tokens(headers, b"connection")


def _tokens(headers: Headers, wanted: bytes) -> list[bytes]:
    return [token.strip().lower() for value in _values(headers, wanted) for token in value.split(b",")]


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value.strip() for name, value in headers if name.lower() == wanted]


def accept_of(key: bytes) -> bytes:
    """The `Sec-WebSocket-Accept` that answers a key."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def model_in(query: bytes) -> str | None:
    """The model that a query names, as clients of the realtime API do."""
    pairs = (pair.partition(b"=") for pair in query.split(b"&"))
    named = (unquote_to_bytes(value.replace(b"+", b" ")) for name, _, value in pairs if name == b"model")
    return text(next(named, b"").decode(errors="replace"))
