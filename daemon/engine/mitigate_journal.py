"""The journal in memory: what is in it was committed; every change of a row goes through here, with its audit."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.domain.notification import Notification
from daemon.logic.journal import OURSELVES
from daemon.logic.noting import entry
from daemon.ports import Clock

log = logging.getLogger(__name__)

KEPT = 200
"""Ended rows remembered: more than an episode ever needs."""

Commit: TypeAlias = Callable[[Decision], Awaitable[None]]
Notice: TypeAlias = Callable[[Mitigation, int], tuple[Notification, ...]]
Export: TypeAlias = Callable[[Sequence[Mitigation]], None]

_TOLD = frozenset(
    {MitigationState.APPLIED, MitigationState.RESTORED, MitigationState.ABANDONED, MitigationState.FAILED}
)


class Journal:
    """Rows by id. `commit` must hand every decision to `adopt`, these too."""

    def __init__(self, *, commit: Commit, notice: Notice, export: Export, clock: Clock) -> None:
        self._commit = commit
        self._notice = notice
        self._export = export
        self._clock = clock
        self._rows: dict[str, Mitigation] = {}
        self._said: set[str] = set()
        self.open: tuple[Mitigation, ...] = ()
        """Open rows, the oldest first."""
        self._copied: tuple[Mitigation, ...] | None = None

    def adopt(self, rows: Sequence[Mitigation], audit: Sequence[AuditEntry]) -> None:
        """Takes what was committed, and copies the open rows when they are others than before."""
        self._said |= {said.id for said in audit if said.action == "noted"}
        if rows:
            self.load(rows)

    def load(self, rows: Sequence[Mitigation]) -> None:
        """What the ledger holds. The copy is written even where nothing is open: a kill may have left an old one."""
        self._rows |= {row.id: row for row in rows}
        newest = sorted(self._rows.values(), key=lambda row: (not row.state.is_open, -row.planned_at))
        self._rows = {row.id: row for row in newest[: KEPT + len(self.open)]}
        self.open = tuple(row for row in reversed(newest) if row.state.is_open)
        if self.open != self._copied:
            try:
                self._export(self.open)
                self._copied = self.open
            except OSError as error:
                log.error("the copy of the journal cannot be written: %s", error)

    def rows(self) -> list[Mitigation]:
        """Open rows first, then ended ones, newest first."""
        return list(self._rows.values())

    def get(self, name: str) -> Mitigation | None:
        """The row of that id."""
        return self._rows.get(name)

    def find(self, name: str) -> list[Mitigation]:
        """The row of that id, or the rows of that name."""
        return [row for row in self._rows.values() if name in (row.id, row.name)]

    def is_said(self, said: AuditEntry) -> bool:
        """Whether an entry stands in the audit already."""
        return said.id in self._said

    def notices(self, old: Mitigation | None, new: Mitigation) -> tuple[Notification, ...]:
        """The messages that go with a change of a row."""
        frozen = new.held_by == OURSELVES and (old is None or old.held_by != OURSELVES)
        ended = new.state in _TOLD and (old is None or old.state is not new.state)
        asked = old is None and new.approve_until is not None
        noted = bool(new.note) and (old is None or old.note != new.note)
        return self._notice(new, self._clock.now()) if frozen or ended or asked or noted else ()

    async def record(self, new: Mitigation, actor: str = OURSELVES, action: str | None = None) -> Mitigation:
        """Commits a changed row with its messages and its audit; returns it. Raises `StoreFailure`."""
        now, old = self._clock.now(), self._rows.get(new.id)
        audit = (entry(new, actor, action or new.state.value, now),)
        await self._commit(Decision(mitigations=(new,), audit=audit, notifications=self.notices(old, new)))
        return new

    async def keep(self, row: Mitigation) -> Mitigation:
        """Commits a row of which only a figure or its owners changed."""
        await self._commit(Decision(mitigations=(row,)))
        return row

    async def note(self, row: Mitigation, words: str) -> Mitigation:
        """Commits a row with something that people should know, and tells them, once."""
        if row.note == words:
            return row
        return await self.record(replace(row, note=words), OURSELVES, "noted")

    async def say(self, said: AuditEntry) -> None:
        """Adds an entry to the audit, once."""
        if not self.is_said(said):
            await self._commit(Decision(audit=(said,)))
