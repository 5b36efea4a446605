"""A clock that moves when told to."""


class FakeClock:
    def __init__(self, now: int = 1_790_000_000_000) -> None:
        self.instant = now

    def now(self) -> int:
        return self.instant

    def monotonic(self) -> float:
        return self.instant / 1000

    def advance(self, seconds: float) -> None:
        self.instant += round(seconds * 1000)
