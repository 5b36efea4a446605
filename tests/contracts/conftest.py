"""The databases that the contracts are tried on."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from daemon.adapters.memory.probes import MemoryProbes
from daemon.adapters.store import Store, open_store, upgrade
from tests.contracts import postgres
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.ledger import MemoryLedger

MIGRATIONS = Path(__file__).parents[2] / "migrations"
numbers = count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@contextmanager
def empty_database(kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database in which there is nothing yet."""
    if kind == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('tmp_path') / 'runbookd.db'}"
    else:
        with postgres.database(request.getfixturevalue("postgres_server"), f"contract_{next(numbers)}") as url:
            yield url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with empty_database(request.param, request) as url:
        yield url


@pytest.fixture
def database_url(empty_url: str) -> str:
    """A database with our schema in it."""
    upgrade(empty_url, MIGRATIONS)
    return empty_url


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = open_store(database_url)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(params=["memory", "sqlite", "postgres"])
async def any_store(request: pytest.FixtureRequest) -> AsyncIterator[Store | SimpleNamespace]:
    """Something with `.events` and `.ledger`: the fakes, and the real ones on each database."""
    if request.param == "memory":
        yield SimpleNamespace(events=MemoryEventStore(), ledger=MemoryLedger(), probes=MemoryProbes())
        return
    with empty_database(request.param, request) as url:
        upgrade(url, MIGRATIONS)
        opened = open_store(url)
        yield opened
        await opened.close()
