"""Inflates copies of bodies for the observer: gzip, br and zstd, in bounded memory."""

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli
import zstandard

_ZSTD_WINDOW_BYTES = 1 << 24
_ZSTD_SLICE_BYTES = 64
"""So few compressed bytes hold 16 blocks of 128 KiB at most: the codec itself has no limit of output."""


class _Codec(Protocol):
    def decode(self, data: bytes, most: int) -> bytes:
        """At most about `most` bytes; raises when the data is not what it says."""


class Inflater:
    """Gives up for good at `limit` bytes of output, or at data that is not what it says; says so in `gave_up`."""

    def __init__(self, codec: _Codec, limit: int) -> None:
        self._codec = codec
        self._left = limit
        self.gave_up = False

    def feed(self, data: bytes) -> bytes:
        """What the next piece of the body amounts to; never raises."""
        if self.gave_up:
            return b""
        try:
            plain = self._codec.decode(data, self._left + 1)
        except (zlib.error, brotli.error, zstandard.ZstdError):
            self.gave_up = True
            return b""
        self.gave_up = len(plain) > self._left
        plain = plain[: self._left]
        self._left -= len(plain)
        return plain


class Identity:
    """Stands where nothing is encoded."""

    gave_up = False

    def feed(self, data: bytes) -> bytes:
        return data


class Unreadable:
    """Stands where the coding is not known to us."""

    gave_up = True

    def feed(self, data: bytes) -> bytes:
        return b""


Inflating = Inflater | Identity | Unreadable
IDENTITY = Identity()


def inflater(encoding: bytes | None, limit: int) -> Inflating:
    """For the value of a `Content-Encoding` header."""
    coding = (encoding or b"").strip().lower()
    if coding in (b"", b"identity"):
        return IDENTITY
    codec = _CODECS.get(coding)
    return Inflater(codec(), limit) if codec else Unreadable()


class _Gzip:
    """Members may follow each other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)

    def decode(self, data: bytes, most: int) -> bytes:
        plain = bytearray()
        while data and len(plain) < most:
            if self._member.eof:
                self._member = zlib.decompressobj(31)
            plain += self._member.decompress(data, most - len(plain))
            data = self._member.unused_data
        return bytes(plain)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def decode(self, data: bytes, most: int) -> bytes:
        plain: bytes = self._stream.process(data, output_buffer_limit=most)
        return plain


class _Zstd:
    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._stream = decompressor.decompressobj(read_across_frames=True)

    def decode(self, data: bytes, most: int) -> bytes:
        plain = bytearray()
        for start in range(0, len(data), _ZSTD_SLICE_BYTES):
            plain += self._stream.decompress(data[start : start + _ZSTD_SLICE_BYTES])
            if len(plain) >= most:
                break
        return bytes(plain)


_CODECS: dict[bytes, Callable[[], _Codec]] = {b"gzip": _Gzip, b"x-gzip": _Gzip, b"br": _Brotli, b"zstd": _Zstd}
