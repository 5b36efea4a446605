"""The database and its own threads: one that writes, two that read. Nothing of it runs on the event loop."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Select

from daemon.adapters.store.dialects import READERS, reader_engine, refusals, writer_engine

T = TypeVar("T")


class Database:
    """Runs pieces of work, each in one transaction. A caller that is cancelled leaves its work running to the end."""

    def __init__(self, database_url: str) -> None:
        self.writer = writer_engine(database_url)
        self.reader = reader_engine(database_url)
        self.is_shared = self.writer.dialect.name != "sqlite"
        """Whether other nodes may use it too."""
        self.url_masked = self.writer.url.set(query={}).render_as_string(hide_password=True)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Committed and on the disk when it returns; raises `StoreFailure`, and then nothing of it was done."""
        return await asyncio.get_running_loop().run_in_executor(self._writing, self._write, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Raises `StoreFailure`."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def rows(self, made: Callable[..., T], statement: Select[Any]) -> Sequence[T]:
        """What is made of each row that a statement finds, with its columns as arguments. Raises `StoreFailure`."""
        return await self.read(lambda connection: [made(**row._mapping) for row in connection.execute(statement)])

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short read in the caller's own thread; raises `StoreFailure`."""
        with refusals(), self.reader.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Waits for what runs; SQLite then folds its log into the file."""
        await asyncio.get_running_loop().run_in_executor(self._writing, self._close)
        self._writing.shutdown()

    def _write(self, work: Callable[[Connection], T]) -> T:
        with refusals(), self.writer.begin() as connection:
            return work(connection)

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self.reading() as connection:
            return work(connection)

    def _close(self) -> None:
        self._reading.shutdown()
        self.reader.dispose()  # before the writer: who closes last makes the checkpoint
        self.writer.dispose()
