"""An incremental splitter of server-sent events: bytes in, events out, however the bytes were split.

It works on bytes alone, so neither U+2028 nor half a UTF-8 sequence is a line end. An event longer than the limit is
not kept: its name still comes out, without data, and it is counted in `skipped`.
"""

SseEvent = tuple[bytes, bytes | None]
"""The event's name (empty when it has none) and its data; None when that was too long to be kept."""

MOST_EVENT_BYTES = 4 << 20
_NAME_IS_WITHIN = 256


class SseSplitter:
    """Holds at most one unfinished event of `most` bytes."""

    __slots__ = ("_after_cr", "_most", "_overlong", "_rest", "skipped")

    def __init__(self, most: int = MOST_EVENT_BYTES) -> None:
        self._most = most
        self._rest = bytearray()
        self._overlong: bytes | None = None
        """The head of the event that is being skipped; of its rest only the last byte is kept."""
        self._after_cr = False
        self.skipped = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that this chunk completes, in order."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        events: list[SseEvent] = []
        start = 0
        if self._rest:
            if (seam := self._finish_rest(chunk, events)) is None:
                return events
            start = seam
        while (end := chunk.find(b"\n\n", start)) >= 0:
            self._add(events, chunk[start:end])
            start = end + 2
        if start < len(chunk):
            self._keep(chunk[start:])
        return events

    def close(self) -> list[SseEvent]:
        """The last event, if only the blank line behind it is missing."""
        events: list[SseEvent] = []
        if self._overlong is None:
            self._add(events, bytes(self._rest))
        self._rest.clear()
        return events

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """CR LF and CR as LF; a CR at the end of a chunk is one at once, and an LF that follows it is dropped."""
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk[-1] == 0x0D
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _finish_rest(self, chunk: bytes, events: list[SseEvent]) -> int | None:
        """Where the next event begins; None when the unfinished one goes on behind this chunk."""
        if self._rest[-1] == 0x0A and chunk[:1] == b"\n":
            del self._rest[-1]
            end, start = 0, 1
        else:
            end = chunk.find(b"\n\n")
            start = end + 2
        if end < 0:
            self._keep(chunk)
            return None
        self._rest += chunk[:end]
        block = bytes(self._rest)
        self._rest.clear()
        if self._overlong is None:
            self._add(events, block)
        else:
            self._skip(events, self._overlong)
            self._overlong = None
        return start

    def _keep(self, chunk: bytes) -> None:
        """One byte more than the limit may wait: it may turn out to be half of the blank line."""
        if self._overlong is None and len(self._rest) + len(chunk) <= self._most + 1:
            self._rest += chunk
        elif chunk:
            if self._overlong is None:
                self._overlong = (bytes(self._rest[:_NAME_IS_WITHIN]) + chunk[:_NAME_IS_WITHIN])[:_NAME_IS_WITHIN]
            self._rest[:] = chunk[-1:]

    def _add(self, events: list[SseEvent], block: bytes) -> None:
        if len(block) > self._most:
            self._skip(events, block[:_NAME_IS_WITHIN])
        elif block.startswith(b"data: ") and b"\n" not in block:
            events.append((b"", block[6:]))
        elif block:
            name, data = _fields(block)
            if data is not None:
                events.append((name, data))

    def _skip(self, events: list[SseEvent], head: bytes) -> None:
        self.skipped += 1
        events.append((_fields(head)[0], None))


def _fields(block: bytes) -> tuple[bytes, bytes | None]:
    """The name and the data of an event; None when it has no data at all, as a comment."""
    name, data = b"", []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].strip()
    return name, b"\n".join(data) if data else None
