"""Explain: gathers what is stored and known about an alert around an instant, and has it explained."""

from collections.abc import Callable, Collection, Sequence

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.errors import Misuse
from daemon.domain.explanation import Explanation, Look
from daemon.domain.known import Known
from daemon.logic.explaining import explain
from daemon.ports import Clock, Ledger

MOST_ROWS = 1000
"""Of each listing: more than the days around an instant hold."""


class Explain:
    """`alerts` gives the present rows, `look` what a rule says now, `rules` those in force and the names of those that
    are off."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        alerts: Callable[[], Sequence[Alert]],
        look: Callable[[str], Sequence[Look]],
        rules: Callable[[], tuple[AlertsConfig, Collection[str]]],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._alerts = alerts
        self._look = look
        self._rules = rules

    async def at(self, alert: str, at: int | None) -> Explanation:
        """At an instant (epoch ms) that has been, or now. Raises `Misuse` and `StoreFailure`."""
        now = self._clock.now()
        if at is not None and at > now:
            raise Misuse("at: that instant is still to come")
        when, ledger = now if at is None else at, self._ledger
        config, off = self._rules()
        return explain(
            Known(
                alert=alert,
                at=when,
                config=config,
                off=off,
                rows=await ledger.transitions(alert, when, MOST_ROWS),
                present=None if at is not None else [row for row in self._alerts() if row.alert == alert],
                looks=() if at is not None else self._look(alert),
                notifications=await ledger.notifications(MOST_ROWS, when),
                mitigations=await ledger.mitigations(MOST_ROWS, when),
                audit=await ledger.audit(MOST_ROWS, when),
                silences=await ledger.silences(when),
            )
        )
