"""A mitigator in memory that is watched: each commit and each write is judged as it happens, and it can be killed."""

from collections import deque
from typing import Any

from daemon.domain.credential import CredentialFile
from daemon.domain.decision import Decision
from daemon.domain.mitigation import Call, Mitigation, MitigationState, Mode
from daemon.logic.journal import OURSELVES
from tests.engine.mitigating import Mitigating
from tests.fakes.management import PATHS, changed

S = MitigationState
HOUR_MS = 3_600_000
WRITES_PER_HOUR = 6

SETTINGS = {"upstream:debug": "debug", "upstream:quota-exceeded.switch-project": "quota-exceeded/switch-project"}
CREDENTIAL = "codex-1.json"
PRIORITY = f"credential_priority:{CREDENTIAL}"
TARGETS = (*SETTINGS, PRIORITY)

FOLLOWS = {
    S.PLANNED: {S.WRITING, S.APPLIED, S.NOT_NEEDED, S.FAILED},
    S.WRITING: {S.APPLIED, S.NOT_NEEDED, S.ABANDONED, S.FAILED},
    S.APPLIED: {S.RESTORING, S.RESTORED, S.ABANDONED, S.FAILED},
    S.RESTORING: {S.RESTORED, S.ABANDONED, S.FAILED},
}
"""Which states a row may come to, by the mitigation table; what has ended stays as it is."""
BEGINNINGS = {S.PLANNED, S.NOT_NEEDED, S.FAILED}


class Killed(BaseException):
    """The process is gone: nothing in it hears of this."""


class Watched(Mitigating):
    """`upstream:…` settings are what they were or what a human set; `die_in` counts commits, reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.upstream.files = tuple(
            CredentialFile(auth_index=str(number), name=f"codex-{number}.json", provider_key="codex", disabled=False)
            for number in (1, 2, 3)
        )
        self.failing = (CREDENTIAL,)
        self.die_in: int | None = None
        self.by_human = False
        """A human asked for what is done just now."""
        self.may_be: dict[str, set[Any]] = {target: {self.actual(target)} for target in TARGETS}
        """What each target may be once nobody wants anything: the old value, or a human's."""
        self.moved: set[str] = set()
        """Targets whose last write changed other settings as well."""
        self.written: deque[tuple[str, int]] = deque()
        self.before_commit, self.after_commit = self._judge_commit, lambda _: self._survive()
        self._read, self._send = self.upstream.read, self.upstream.send
        self.upstream.read, self.upstream.send = self._watched_read, self._watched_send  # type: ignore[method-assign]

    # ---- what is true outside ------------------------------------------------------------------------------------

    def actual(self, target: str) -> Any:
        """Its value by now, with what was late."""
        now, late = self.clock.monotonic(), self.upstream._late
        for call in [call for at, call in late if at <= now]:
            self.upstream._take(call)
        late[:] = [one for one in late if one[0] > now]
        if target in SETTINGS:
            return self.upstream.settings[SETTINGS[target]]
        return next(file.priority or 0 for file in self.upstream.files if file.name == CREDENTIAL)

    def open_rows(self, target: str) -> list[Mitigation]:
        return [row for row in self.rows(target) if row.state.is_open]

    def set_by_hand(self, target: str, value: Any) -> None:
        """A human sets it. What cannot be told from what we set may be taken for ours."""
        if self.actual(target) == value or (target == PRIORITY and target in self._on_its_way()):
            return  # a third value, and then our own write comes late: nobody can tell whose it is
        begun = [row for row in self.open_rows(target) if row.state is not S.PLANNED]
        if any(value == row.value_wanted for row in begun) or target in self._on_its_way():
            self.may_be[target] |= {value, *(row.value_before for row in begun)}
        else:
            self.may_be[target] = {value}
        if target in SETTINGS:
            self.upstream.settings[SETTINGS[target]] = value
        else:
            call = Call(method="PATCH", path="auth-files/fields", body={"name": CREDENTIAL, "priority": value})
            self.upstream.files = changed(self.upstream.files, call)

    def _on_its_way(self) -> set[str]:
        return {self._target(call) for _, call in self.upstream._late}

    def _target(self, call: Call) -> str:
        return next((name for name, path in SETTINGS.items() if path == call.path), PRIORITY)

    # ---- what is judged ------------------------------------------------------------------------------------------

    def _judge_commit(self, decision: Decision) -> None:
        for row in decision.mitigations:
            old = self.ledger.mitigation_rows.get(row.id)
            self._judge_step(old, row)
            told = {entry.subject for entry in decision.audit if entry.action != "noted"}
            assert (old is not None and old.state is row.state) or row.target in told or old is None, "audited"
        self._survive()

    def _judge_step(self, old: Mitigation | None, new: Mitigation) -> None:
        if old is None:
            assert new.state in BEGINNINGS, new
        elif old.state is not new.state:
            assert new.state in FOLLOWS.get(old.state, set()), (old.state, new.state)
            assert self.by_human or not self._is_held(old), "nothing changes while a human holds it"
            self._judge_other_settings(old, new)
        elif old.state is S.WRITING:
            assert new.value_before == old.value_before, "what was read before the first write is what it was"
        elif old.state is S.RESTORING and new.attempts > old.attempts:
            self.moved.discard(new.target)  # it is written back again, and looked at anew
        else:
            assert new.attempts >= old.attempts

    def _judge_other_settings(self, old: Mitigation, new: Mitigation) -> None:
        verified = new.state in (S.APPLIED, S.RESTORED) or (old.state is S.RESTORING and new.state is S.FAILED)
        assert new.target not in self.moved or not verified or new.held_by == OURSELVES, "seen and frozen"
        self.moved.discard(new.target)

    def _is_held(self, row: Mitigation) -> bool:
        over = row.hold_expires_at is not None and row.hold_expires_at <= self.clock.now()
        return row.held_by not in (None, OURSELVES) and row.state in (S.PLANNED, S.APPLIED) and not over

    async def _watched_read(self, path: str) -> Any:
        answer = await self._read(path)
        self._survive()
        return answer

    async def _watched_send(self, call: Call) -> None:
        self._judge_write(call)
        before = dict(self.upstream.config)
        try:
            await self._send(call)
        finally:
            if self.upstream.config != before:
                self.moved.add(self._target(call))
            self._survive()

    def _judge_write(self, call: Call) -> None:
        target = self._target(call)
        value = call.body["priority"] if call.path in PATHS else call.body["value"]
        rows = [row for row in self.open_rows(target) if row.state in (S.WRITING, S.RESTORING)]
        assert len(rows) == 1, "a write has its committed row"
        (row,) = rows
        assert not self.ledger.failing, "without its journal nothing is written"
        assert row.mode is Mode.AUTO
        old, new = row.value_before, row.value_wanted
        was, becomes = (old, new) if row.state is S.WRITING else (new, old)
        assert (self.actual(target), value) == (was, becomes), "nothing is written over a human's value"
        self._judge_pace(target)

    def _judge_pace(self, target: str) -> None:
        now = self.clock.now()
        while self.written and self.written[0][1] <= now - HOUR_MS:
            self.written.popleft()
        self.written.append((target, now))
        if not self.by_human:
            assert sum(one == target for one, _ in self.written) <= WRITES_PER_HOUR
            assert not any(row.held_by == OURSELVES for row in self.ledger.mitigation_rows.values()), "frozen"

    def _survive(self) -> None:
        if self.die_in is not None:
            self.die_in -= 1
            if self.die_in <= 0:
                self.die_in = None
                raise Killed
