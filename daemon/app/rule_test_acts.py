"""Acts of an example: what happens beside its traffic, to the upstream, to the process, and by the hand of people."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from operator import itemgetter

from daemon.app.playground import Playground
from daemon.app.rule_test_record import Record
from daemon.domain.credential import CredentialFile
from daemon.domain.errors import Conflict, Misuse
from daemon.domain.probe import ProbeResult
from daemon.domain.quota import QuotaReading
from daemon.domain.rule_test import Case, Change, Credential, QuotaSpan, VerdictSpan
from daemon.domain.units import say_duration
from daemon.engine.acknowledge import acknowledge
from daemon.logic.closed_hours import closed_hours

SOMEBODY = "human:operator"

Act = tuple[int, Callable[[], Awaitable[object] | None]]


class Acts:
    """Of a case that begins at an instant (epoch ms). `refused` is what could not be done, and why."""

    def __init__(self, ground: Playground, case: Case, begins_at: int, record: Record) -> None:
        self._ground = ground
        self._case = case
        self._begins_at = begins_at
        self._record = record
        self._hours = closed_hours(case.history, begins_at)
        self._lost = 0
        self.refused: list[tuple[str, str]] = []

    async def start(self) -> None:
        """The process, as it would start live."""
        await self._ground.stage.start()
        self._record.attach()
        evaluate = self._ground.stage.core.evaluate
        if self._hours:
            evaluate.learn(self._hours, self._begins_at)
        if self._lost:
            evaluate.lose(self._ground.clock.now(), self._lost)
            self._lost = 0

    def script(self) -> Iterator[Act]:
        """In order; what stands first in the file happens first."""
        acts: list[Act] = [(self._at(change.at), partial(self._change, change)) for change in self._case.changes]
        for restart in self._case.restart_at:
            acts.append((self._at(restart.at), self._stop))
            acts.append((self._at(restart.at + restart.for_), self.start))
        for span in self._case.verdicts:
            acts += self._verdicts(span)
        for quota in self._case.quota:
            acts += self._readings(quota)
        return iter(sorted(acts, key=itemgetter(0)))

    def _verdicts(self, span: VerdictSpan) -> Iterator[Act]:
        """One at each pace from its beginning to before its end."""
        for second in range(round(span.from_), round(span.to), round(span.every)):
            yield self._at(second), partial(self._tell, span, self._at(second))

    def _tell(self, span: VerdictSpan, at: int) -> None:
        """Where nothing runs, nobody hears it."""
        self._ground.stage.core.evaluate.observe(
            ProbeResult(
                probe=span.probe,
                subject=span.subject,
                outcome=span.outcome,
                value=span.value,
                reason=span.reason,
                emitted_at=at,
            )
        )

    def _readings(self, span: QuotaSpan) -> Iterator[Act]:
        """As those of verdicts."""
        for second in range(round(span.from_), round(span.to), round(span.every)):
            yield self._at(second), partial(self._read, span, second)

    def _read(self, span: QuotaSpan, second: int) -> None:
        if self._ground.stage.is_up:
            self._ground.stage.core.take_quota(
                [
                    QuotaReading(
                        provider_key=span.provider_key,
                        credential=span.credential,
                        model_id=span.model_id,
                        quota_exhausted=span.quota_exhausted,
                        usage_percentage=span.usage_percentage,
                        quota_reset_seconds=None if span.resets_at is None else max(0.0, span.resets_at - second),
                        observed_at=self._at(second),
                        source="test",
                    )
                ]
            )

    def _at(self, second: float) -> int:
        return self._begins_at + round(second * 1000)

    def _stop(self) -> None:
        self._ground.stage.stop()

    async def _change(self, change: Change) -> None:
        upstream = self._ground.upstream
        if change.upstream is not None:
            upstream.settings |= as_paths(change.upstream)
        if change.models is not None:
            upstream.served = change.models
        if change.reachable is not None:
            upstream.is_up = change.reachable
        if change.credentials is not None:
            upstream.files = as_files(change.credentials)
        if change.lost is not None:
            self._lose(change.lost)
        if change.operator is not None:
            await self._ask(change)

    def _lose(self, lost: int) -> None:
        """It is seen by whoever reads the spool next."""
        if self._ground.stage.is_up:
            self._ground.stage.core.evaluate.lose(self._ground.clock.now(), lost)
        else:
            self._lost += lost

    async def _ask(self, change: Change) -> None:
        what = f"at {say_duration(change.at)} the operator's {change.operator}"
        if not self._ground.stage.is_up:
            self.refused.append((what, "nothing ran then that could be asked"))
            return
        try:
            await self._asked(change)
        except (Conflict, Misuse) as refusal:
            self.refused.append((what, str(refusal)))

    async def _asked(self, change: Change) -> None:
        core, now = self._ground.stage.core, self._ground.clock.now()
        if change.operator == "ack":
            await acknowledge(core.evaluate, core.desk.commit, change.alert or "", SOMEBODY, now)
        elif change.operator == "silence":
            await core.silences.add(
                change.matchers or {}, starts_at=None, ends_at=None, seconds=change.for_, actor=SOMEBODY, comment=""
            )
        else:
            await core.mitigate.act(change.mitigation or "", change.operator or "", SOMEBODY)


def as_paths(settings: Mapping[str, object]) -> dict[str, object]:
    """`quota-exceeded.switch-project` as the management API has it."""
    return {name.replace(".", "/"): value for name, value in settings.items()}


def as_files(credentials: Iterable[Credential]) -> list[CredentialFile]:
    """The auth files of the upstream."""
    return [
        CredentialFile(auth_index=one.auth_index, name=one.name, provider_key=one.provider_key) for one in credentials
    ]
