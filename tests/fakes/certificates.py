"""A certificate authority of a test's own, and TLS in front of a plain server."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, slots=True)
class Authority:
    """Keeps its files in a directory; `root` is what a client must trust."""

    directory: Path

    @property
    def root(self) -> Path:
        return self.directory / "root.pem"

    def found(self) -> None:
        """Makes the root."""
        subject = ("-subj", "/CN=root", "-keyout", "root.key", "-out", "root.pem")
        self._openssl("req", "-x509", *_KEY, "-days", "2", *subject)

    def certify(self, name: str, *, days: int = 1) -> ssl.SSLContext:
        """What a server of that name shows; one of no days has expired."""
        (self.directory / "names").write_text(f"subjectAltName=DNS:{name}")
        self._openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", "its.key", "-out", "its.csr")
        signed = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "names", "-out", "its.pem")
        self._openssl("x509", "-req", "-in", "its.csr", "-days", str(days), *signed)
        return self._context("its")

    def sign_itself(self, name: str) -> ssl.SSLContext:
        """What nobody vouches for."""
        self._openssl(
            "req", "-x509", *_KEY, "-days", "1", "-subj", f"/CN={name}", "-keyout", "own.key", "-out", "own.pem"
        )
        return self._context("own")

    def _context(self, files: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / f"{files}.pem", self.directory / f"{files}.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)


@asynccontextmanager
async def tls_in_front(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Takes TLS on the port that it gives, and passes the bytes on in plain; either side's end ends the other."""
    running: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            running.discard(asyncio.current_task())
            writer.transport.abort()
            inner_writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(running):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in running if task), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    writer.close()
