"""Silences: what people do not want to hear of, kept in the ledger; whoever tells or shows alerts sees through them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.audit import AuditEntry
from daemon.domain.decision import Decision
from daemon.domain.errors import Conflict, Misuse
from daemon.domain.silence import Silence
from daemon.logic.muting import muted
from daemon.logic.silencing import known_labels, mistake_in, new_silence
from daemon.ports import Clock, Ledger


class Silences:
    """`alerts` gives the present ones as they were judged. Nothing counts before it is committed."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        commit: Callable[[Decision], Awaitable[None]],
        alerts: Callable[[], Sequence[Alert]],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._commit = commit
        self._judged = alerts
        self._config = AlertsConfig()
        self._rows: dict[str, Silence] = {}

    def configure(self, config: AlertsConfig) -> None:
        """At boot and at each reload."""
        self._config = config

    async def load(self) -> None:
        """Takes up what the ledger holds. Raises `StoreFailure`."""
        self._rows = {row.id: row for row in await self._ledger.silences(self._clock.now())}

    def adopt(self, decision: Decision) -> None:
        """Called after every commit, ours included."""
        if decision.silences:
            rows = self._rows | {row.id: row for row in decision.silences}
            self._rows = {id_: row for id_, row in rows.items() if row.ends_at > self._clock.now()}

    def alerts(self) -> list[Alert]:
        """The present alerts, each with whether nobody hears of it now, and why."""
        return muted(self._judged(), self._rows.values(), self._config, self._clock.now())

    def rows(self) -> list[Silence]:
        """Those that have not ended; the one that ends first comes first."""
        now = self._clock.now()
        return sorted((row for row in self._rows.values() if row.ends_at > now), key=lambda row: (row.ends_at, row.id))

    async def add(
        self,
        matchers: Mapping[str, str],
        *,
        starts_at: int | None,
        ends_at: int | None,
        seconds: float | None,
        actor: str,
        comment: str,
    ) -> Silence:
        """From now unless said, until an instant (epoch ms) or for so long. Raises `Misuse`."""
        now = self._clock.now()
        begin = now if starts_at is None else starts_at
        if (ends_at is None) is (seconds is None):
            raise Misuse("say when it ends, either by `for`, such as 2h, or by `ends_at`")
        end = begin + round(seconds * 1000) if seconds is not None else ends_at
        assert end is not None
        row = new_silence(matchers, starts_at=begin, ends_at=end, author=_name(actor), comment=comment, at=now)
        if mistake := mistake_in(row, known_labels(self._config.rules, self._judged()), now):
            raise Misuse(mistake)
        await self._commit(Decision(silences=(row,), audit=(_entry(row, "silence", actor, now, row.comment),)))
        return row

    async def expire(self, id_: str, actor: str) -> Silence:
        """Ends it now. Raises `Conflict` when there is none of that id, or it has ended."""
        now, row = self._clock.now(), self._rows.get(id_)
        if row is None or row.ends_at <= now:
            raise Conflict(f"there is no silence {id_[:60]} that has not ended")
        ended = replace(row, ends_at=now)
        await self._commit(Decision(silences=(ended,), audit=(_entry(ended, "expire", actor, now),)))
        return ended


def _name(actor: str) -> str:
    return actor.removeprefix("human:")


def _entry(row: Silence, action: str, actor: str, at: int, reason: str = "") -> AuditEntry:
    return AuditEntry(
        id=f"{row.id}-{action}-{at}",
        at=at,
        actor=actor,
        subject=f"silence:{row.id}",
        action=action,
        after={"matchers": dict(row.matchers), "starts_at": row.starts_at, "ends_at": row.ends_at},
        reason=reason,
    )
