"""Endings: why an open row shall not be in force any more, whoever or whatever says so."""

from collections.abc import Callable, Sequence

from daemon.domain.alert import Alert
from daemon.domain.mitigation import Mitigation, MitigationState
from daemon.engine.mitigate_journal import Journal
from daemon.engine.mitigate_proofs import Proofs
from daemon.logic.choosing import has_other
from daemon.logic.journal import OVERRULED, over
from daemon.logic.owning import choices, overruling
from daemon.logic.proof import NOTHING_HEALTHY
from daemon.logic.situation import Situation
from daemon.logic.wishes import FALLBACK, HUMAN, reaches
from daemon.ports import Clock


class Endings:
    """Reads only, and is not asked about what a human holds."""

    def __init__(self, *, journal: Journal, proofs: Proofs, situation: Callable[[], Situation], clock: Clock) -> None:
        self._journal = journal
        self._proofs = proofs
        self._situation = situation
        self._clock = clock

    def of(self, row: Mitigation, firing: Sequence[Alert] | None, *, owned: bool) -> str | None:
        """None while it shall stay. `firing` is None as long as nobody knows which alerts do."""
        if row.state is MitigationState.PLANNED and self._is_second(row):
            return "another row has this target"
        if why := self._unwanted(row, firing) or self._unhelpful(row):
            return why
        return over(row, owned=owned, now=self._clock.now())

    def _unwanted(self, row: Mitigation, firing: Sequence[Alert] | None) -> str | None:
        """What the alerts file says, and who outranks its owners."""
        if firing is None or any(owner.startswith(HUMAN) for owner in row.owners):
            return None
        config = self._situation().config
        if not reaches(config, {*config.mitigations, FALLBACK}, row.kind, row.target):
            return "the alerts file does not have it any more"
        above = overruling(config, row, firing)
        return None if above is None else f"{OVERRULED}: {above.alert}"

    def _unhelpful(self, row: Mitigation) -> str | None:
        """What the figures say."""
        if (why := self._proofs.failure(row)) is not None:
            return why
        if not self._proofs.is_as_bad(row):
            return None
        situation = self._situation()
        if has_other(situation, row, choices(situation.config, [row.name], row)):
            return None
        return f"{NOTHING_HEALTHY}: {row.value_wanted} is no better, {self._proofs.lately(row)}"

    def _is_second(self, row: Mitigation) -> bool:
        return next(one for one in self._journal.open if one.target == row.target).id != row.id
