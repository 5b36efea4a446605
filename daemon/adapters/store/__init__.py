"""The time-series store and the ledger, through SQLAlchemy Core."""

from dataclasses import dataclass

from daemon.adapters.store.database import Database
from daemon.adapters.store.events import Events
from daemon.adapters.store.ledger import DatabaseLedger
from daemon.adapters.store.probes import DatabaseProbes
from daemon.adapters.store.schema import schema_is_current, upgrade

__all__ = ["Store", "open_store", "schema_is_current", "upgrade"]


@dataclass(frozen=True, slots=True)
class Store:
    """One database: its events, its ledger, and what probes found."""

    database: Database
    events: Events
    ledger: DatabaseLedger
    probes: DatabaseProbes

    async def close(self) -> None:
        """Waits for what runs, then closes every connection."""
        await self.database.close()


def open_store(database_url: str) -> Store:
    """The store of a database whose schema is current (see `upgrade`). Connects at the first use; raises `CannotStart`
    when the URL is of no use."""
    database = Database(database_url)
    return Store(database, Events(database), DatabaseLedger(database), DatabaseProbes(database))
