"""Limits: how many requests of a sort are under way in this worker, and who waits for a place."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from daemon.domain.soft_routing import SoftRoute


class Place:
    """One request's, in all limits that it is under. Whoever has one gives it back, once, with `Limits.leave`."""

    __slots__ = ("go_on", "is_taken", "limits", "refuse", "timer")

    def __init__(self, limits: Sequence[SoftRoute], go_on: Callable[[], None], refuse: Callable[[], None]) -> None:
        self.limits = [limit.mitigation_id for limit in limits]
        self.go_on = go_on
        self.refuse = refuse
        self.is_taken = False
        self.timer: asyncio.TimerHandle | None = None


class Limits:
    """Of one worker, which lets its share through."""

    def __init__(self, workers: int, look: Callable[[], object]) -> None:
        """`look` tells, with `obey`, what stands now: it is asked before somebody has waited for nothing."""
        self._workers = workers
        self._look = look
        self._shares: dict[str, int] = {}
        self._taken: Counter[str] = Counter()
        self._waiting: list[Place] = []

    def obey(self, limits: Iterable[SoftRoute]) -> None:
        """Takes the limits that stand now; who waits only for those that do not may go on."""
        self._shares = {one.mitigation_id: max(1, one.limit // self._workers) for one in limits}
        self._admit()

    def enter(self, limits: Sequence[SoftRoute], go_on: Callable[[], None], refuse: Callable[[], None]) -> Place | None:
        """A place: taken at once, or waiting until one of both is called. None: nobody else may wait either."""
        place = Place(limits, go_on, refuse)
        if self._has_room(place):
            self._take(place)
            return place
        if any(not self._is_open(one.mitigation_id) and self._is_long(one) for one in limits):
            return None
        seconds = min(one.wait_seconds for one in limits)
        place.timer = asyncio.get_running_loop().call_later(seconds, self._give_up, place)
        self._waiting.append(place)
        return place

    def leave(self, place: Place) -> None:
        """It has come to its end, wherever it was."""
        if place.is_taken:
            place.is_taken = False
            self._taken -= Counter(place.limits)
            self._admit()
        elif place in self._waiting:
            self._dequeue(place)

    def _has_room(self, place: Place) -> bool:
        return all(map(self._is_open, place.limits))

    def _is_open(self, limit: str) -> bool:
        return limit not in self._shares or self._taken[limit] < self._shares[limit]

    def _is_long(self, limit: SoftRoute) -> bool:
        """The worker's share of the queue, rounded up."""
        return sum(limit.mitigation_id in one.limits for one in self._waiting) >= -(-limit.queue // self._workers)

    def _take(self, place: Place) -> None:
        place.is_taken = True
        self._taken.update(place.limits)

    def _admit(self) -> None:
        """In the order in which they came; each goes on in a turn of the loop of its own."""
        for place in list(self._waiting):
            if self._has_room(place):
                self._dequeue(place)
                self._take(place)
                asyncio.get_running_loop().call_soon(place.go_on)

    def _give_up(self, place: Place) -> None:
        self._look()
        if place in self._waiting:
            self._dequeue(place)
            place.refuse()

    def _dequeue(self, place: Place) -> None:
        self._waiting.remove(place)
        if place.timer is not None:
            place.timer.cancel()
