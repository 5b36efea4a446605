"""Our server's HTTP protocol: uvicorn's, which also hands over the raw request target and bounds the head."""

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from daemon.logic.guarding import MOST_HEADER_BYTES

EXTENSION = "runbookd"
MOST_HEAD_BYTES = 2 * MOST_HEADER_BYTES
"""Beyond what the guard refuses with a reason: here the connection is ended before the head is even complete."""


class ProxyProtocol(HttpToolsProtocol):
    """ASGI has no place for the target as it was sent, and its `raw_path` hides an absolute form and a bare `?`."""

    _reads_head = False
    _head_bytes = 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reads_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._reads_head = False
        cast(dict[str, Any], self.scope)["extensions"] = {EXTENSION: {"target": self.url}}
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._reads_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._reads_head = False
                self.send_400_response("The head of the request is too large.")
