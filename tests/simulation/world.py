"""A simulated world: one seed makes a day of traffic and troubles, and the real engine lives through it."""

from collections import deque
from collections.abc import Sequence
from random import Random

from daemon.adapters.clock import SystemClock
from daemon.domain.errors import StoreFailure
from daemon.domain.event import Event
from daemon.engine.evaluate import GRACE_MS
from tests.fakes.event_store import MemoryEventStore
from tests.simulation.history import History
from tests.simulation.laws import Broken, Court
from tests.simulation.node import FragileLedger, Node, done
from tests.simulation.rules import MOODY, Mood, config_of, edited, some_rules
from tests.simulation.traffic import DAY_SECONDS, Worker, a_day
from tests.simulation.troubles import KINDS, Trouble, troubles
from tests.simulation.upstream import Killed, Meddling, Upstream, meddling

T0 = 1_795_514_400_000
QUIET_SECONDS = 5 * 3600
"""After the day, so that everything can come to its end."""
LONGEST_SKIP_SECONDS = 1800
STORE_MS = 1250


class SimulatedClock(SystemClock):
    """The real clock over hands of ours: the wall clock may be set; the other stands still while the host sleeps."""

    def __init__(self) -> None:
        self.instant = T0
        self.ran_ms = 0
        super().__init__(lambda: self.instant * 1_000_000, lambda: self.ran_ms / 1000)


class World:
    """`pieces` draws how events are delivered: other numbers deliver the same day in other pieces."""

    def __init__(self, seed: int, *, kinds: Sequence[str] = KINDS, punctual: bool = False, pieces: int = 0) -> None:
        random = Random(seed)
        self.seed, self._kinds = seed, kinds
        self._pieces = Random(f"{seed}/{pieces}")
        self.history = History(healthy=random.random() < 0.1)
        self.mood = Mood()
        self._all_rules = some_rules(random, self.mood)
        self._turns = a_day(random, healthy=self.history.healthy)
        self._troubles = troubles(random, kinds, [turn.at // 1000 for turn in self._turns[::10]])
        self._meddling = self._drawn_meddling()
        self._random = random
        self.history.rules = self._file = dict(self._all_rules)
        self.clock = SimulatedClock()
        self.court = Court(self.history)
        self.upstream = Upstream(self.clock, self.court)
        self.ledger = FragileLedger(self.court)
        self.events = MemoryEventStore()
        self.workers = [Worker(number, self._pieces, punctual=punctual) for number in range(2)]
        self.node: Node | None = None
        self.second = 0
        self._offset = 0
        self._next_turn = 0
        self._next_trouble = 0
        self._starts_at = 0
        self._unstored: list[Event] = []
        self._stored_at = 0
        self._ends: dict[str, int] = {}
        self._reload_waits = False
        self._dies = ""

    def run(self) -> "World":
        """The whole day. Raises `Broken`, with where it was."""
        try:
            self._live_until(DAY_SECONDS)
            self._leave_alone()
            self._live_until(self.second + QUIET_SECONDS)
            self.court.ended()
        except Broken as broken:
            hour, minute, second = self.second // 3600, self.second // 60 % 60, self.second % 60
            raise Broken(f"seed {self.seed} at {hour:02}:{minute:02}:{second:02} ({self.second} s): {broken}") from None
        return self

    def _live_until(self, second: int) -> None:
        while self.second < second:
            self._pass_to(self._next_second())
            self._strike()
            self._live()

    # ---- time ----------------------------------------------------------------------------------------------------

    @property
    def _at(self) -> int:
        """Real ms since the day began."""
        return self.second * 1000 + GRACE_MS

    def _next_second(self) -> int:
        """The next one in which something can happen."""
        if self.node is not None and self.node.is_active:
            return self.second + 1
        soon = [self.second + LONGEST_SKIP_SECONDS, *self._ends.values()]
        soon += [
            -(-(due - GRACE_MS) // 1000)
            for worker in self.workers
            if (due := worker.next_due) is not None and self.node
        ]
        soon += [self._starts_at] if self.node is None else []
        soon += [self._turns[self._next_turn].at // 1000 + 1] if self._next_turn < len(self._turns) else []
        soon += [self._troubles[self._next_trouble].second] if self._next_trouble < len(self._troubles) else []
        soon += [self._meddling[0].second] if self._meddling else []
        return max(self.second + 1, min(soon))

    def _pass_to(self, second: int, *, suspended: bool = False) -> None:
        before, self.second = self._at, second
        passed, so_far = self._at - before, before
        while self._next_turn < len(self._turns) and (turn := self._turns[self._next_turn]).at <= self._at:
            self._next_turn += 1
            if not suspended:
                self.clock.ran_ms += turn.at - so_far
                so_far, self.clock.instant = turn.at, T0 + turn.at + self._offset
                event = self.workers[turn.worker].emit(turn, self.clock.now())
                ran = self.history.ran + (turn.at - before if self.node else 0)
                self.history.emitted[event.event_id] = ran
        if not suspended:
            self.clock.ran_ms += self._at - so_far
            self.history.ran += passed if self.node else 0
        self._tell_the_time()

    def _tell_the_time(self) -> None:
        self.clock.instant = T0 + self._at + self._offset
        self.history.now = self.clock.now()

    # ---- life of the process -------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            if self._dies == "before the step":
                raise Killed
            self._start_if_due()
            if self.node is not None:
                self._deliver(self.node)
                self._step(self.node)
                self._store()
            if self._dies:
                raise Killed
        except Killed:
            self._die()

    def _start_if_due(self) -> None:
        if self.node is None and self.second >= self._starts_at:
            node = Node(self.ledger, self.events, self.clock, self.court, self.upstream)
            try:
                node.start(config_of(self._file))
            except StoreFailure:
                self._starts_at = self.second + 5
            else:
                self.node, self._reload_waits = node, False
                self.history.rules = self._file
                self.history.started()

    def _step(self, node: Node) -> None:
        self._reload(node)
        self.court.is_judging = True
        self.ledger.deadly = self._dies == "in the commit"
        try:
            node.step()
        except StoreFailure:
            self.history.ran_before = self.history.ran
        finally:
            self.ledger.deadly = self.court.is_judging = False

    def _deliver(self, node: Node) -> None:
        for worker in self._pieces.sample(self.workers, len(self.workers)):
            arrived = worker.arrived(self._at)
            while arrived:
                size = self._pieces.randint(1, len(arrived))
                events = [event for piece in arrived[:size] for event in piece.events]
                node.arrived(events, sum(piece.lost for piece in arrived[:size]))
                self._unstored += events
                del arrived[:size]

    def _store(self) -> None:
        waits = any(worker.read != worker.stored for worker in self.workers)
        if waits and not self.events.failing and self._at - self._stored_at >= STORE_MS:
            done(self.events.append(self._unstored, {}, self.clock.now()))
            self._unstored, self._stored_at = [], self._at
            for worker in self.workers:
                worker.stored = worker.read

    def _die(self) -> None:
        self.node, self._unstored, self._dies = None, [], ""
        for worker in self.workers:
            worker.read = worker.stored
        self.history.died()
        self.court.deeds.disturbed()

    # ---- troubles ------------------------------------------------------------------------------------------------

    def _strike(self) -> None:
        while self._next_trouble < len(self._troubles) and self._troubles[self._next_trouble].second <= self.second:
            self._next_trouble += 1
            self._begin(self._troubles[self._next_trouble - 1])
            self.court.deeds.disturbed()
        while self._meddling and self._meddling[0].second <= self.second:
            self._meddle(self._meddling.popleft())
        for kind in [kind for kind, second in self._ends.items() if second <= self.second]:
            del self._ends[kind]
            self._switch(kind, on=False)

    def _drawn_meddling(self) -> deque[Meddling]:
        """Only where there are troubles at all; drawn apart, so that the rest of the day is as it was without it."""
        busy = [turn.at // 1000 for turn in self._turns if turn.fault is not None]
        return deque(meddling(Random(f"{self.seed}/upstream"), busy) if "kill" in self._kinds else ())

    def _meddle(self, one: Meddling) -> None:
        self.court.deeds.disturbed()
        match one.kind:
            case "set":
                self.upstream.set_by_hand(one.value)
            case "mislead":
                self.upstream.answers.append(one.value)
            case "away" | "back":
                self.upstream.failure, self.court.deeds.is_away = one.value, one.value is not None
            case "die":
                self.upstream.die_in, self._starts_at = one.value, self.second + 1
            case _ if self.node is not None:
                try:
                    self.node.act(one.kind)
                except Killed:
                    self._die()

    def _leave_alone(self) -> None:
        """Nobody meddles any more, so that everything can come to its end."""
        self._meddle(Meddling(second=self.second, kind="back"))
        self.upstream.answers.clear()
        self.upstream.die_in = None
        releases = range(self.second, self.second + QUIET_SECONDS - 900, 600)
        self._meddling = deque(Meddling(second=second, kind="release") for second in releases)

    def _begin(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "kill":
                self._dies, self._starts_at = trouble.what, self.second + trouble.seconds
            case "clock":
                self._offset += trouble.seconds * 1000
                self._tell_the_time()
                self.history.doubt()
            case "suspend":
                self._pass_to(self.second + trouble.seconds, suspended=True)
                self.history.doubt()
            case "reload":
                self._file = edited(self._random, self._file, self._all_rules, trouble.what)
                self._reload_waits = True
            case kind:
                self._ends[kind] = max(self._ends.get(kind, 0), self.second + trouble.seconds)
                self._switch(kind, on=True)

    def _switch(self, kind: str, *, on: bool) -> None:
        match kind:
            case "store":
                self.ledger.failing = self.events.failing = self.court.deeds.store_fails = on
                self.court.deeds.disturbed()
            case "loss":
                for worker in self.workers:
                    worker.losing = on
            case "mood":
                self.mood.is_bad = on
                self.history.raising = {MOODY} if on else set()
                self.history.doubt()

    def _reload(self, node: Node) -> None:
        if self._reload_waits and not self.events.failing:
            self._reload_waits = False
            self.history.rules, self.history.rules_changed = self._file, True
            node.reload(config_of(self._file), self._unstored)
            self.history.doubt()
