"""What the ledger tells of the time in mode shadow; it is only read, whether or not the daemon runs."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import make_url

from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.settings import Settings
from daemon.adapters.store import Store, open_store, schema_is_current
from daemon.domain.in_shadow import ShadowSum
from daemon.domain.mitigation import Mode
from daemon.logic.in_shadow import sum_up

MOST_ROWS = 100_000


async def in_shadow(settings: Settings, modes: Sequence[Mode], now: int) -> ShadowSum | None:
    """None where no daemon has seen traffic yet, or where the `modes` in force are not shadow and nothing was noted in
    it. Raises `StoreFailure`."""
    url = settings.database_url_resolved
    if not _is_there(url) or not schema_is_current(url, packaged("migrations")):
        return None
    store = open_store(url)
    try:
        return await _read(store, all(mode is Mode.SHADOW for mode in modes), now)
    finally:
        await store.close()


async def _read(store: Store, is_shadow: bool, now: int) -> ShadowSum | None:
    mitigations = await store.ledger.mitigations(limit=MOST_ROWS)
    audit, story = await store.ledger.audit(limit=MOST_ROWS), await store.ledger.story(0, now + 1)
    if not is_shadow and not any(row.mode is Mode.SHADOW for row in mitigations):
        return None
    first = next(store.events.replay(0), None)
    seen = [alert.since for alert in story] + ([] if first is None else [first.emitted_at])
    return sum_up(min(seen), now, mitigations, story, audit) if seen else None


def _is_there(url: str) -> bool:
    """SQLite would make a file that is not there."""
    parts = make_url(url)
    return parts.get_backend_name() != "sqlite" or Path(parts.database or "").is_file()
