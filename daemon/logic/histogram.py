"""A sparse histogram with cells that grow by 6 %: any quantile is right within 3 %, at the cost of one logarithm."""

from collections.abc import Iterator
from math import log

GROWTH = 1.06
PER_CELL = 1 / log(GROWTH)


class Histogram:
    """Counts of finite values at or above 0. Cell 0 holds what is below 1, cell n what is below `GROWTH**n`."""

    __slots__ = ("_cells",)

    def __init__(self) -> None:
        self._cells: dict[int, int] = {}

    def add(self, value: float, n: int = 1) -> None:
        """Counts a value n times."""
        cell = int(log(value) * PER_CELL) + 1 if value >= 1 else 0
        self._cells[cell] = self._cells.get(cell, 0) + n

    def merge(self, other: "Histogram") -> None:
        """Counts everything that the other has counted; the order of merging does not matter."""
        for cell, n in other._cells.items():
            self._cells[cell] = self._cells.get(cell, 0) + n

    @property
    def count(self) -> int:
        """How many values were added."""
        return sum(self._cells.values())

    def quantile(self, share: float) -> float | None:
        """The middle of the cell that the quantile (0 to 1) falls into, in the unit of the values; None when empty."""
        rank, seen = share * self.count, 0
        for cell in sorted(self._cells):
            seen += self._cells[cell]
            if seen >= rank:
                return _middle(cell)
        return None

    def above(self, threshold: float) -> int:
        """How many values are larger, each taken for the middle of its cell."""
        return sum(n for cell, n in self._cells.items() if _middle(cell) > threshold)

    def mean(self) -> float | None:
        """Of the middles of the cells, in the unit of the values; None when empty."""
        count = self.count
        return sum(_middle(cell) * n for cell, n in self._cells.items()) / count if count else None

    def variance(self) -> float:
        """Of the middles of the cells around their mean; 0 when empty."""
        mean = self.mean()
        if mean is None:
            return 0.0
        return sum((_middle(cell) - mean) ** 2 * n for cell, n in self._cells.items()) / self.count

    def encode(self) -> bytes:
        """As pairs of varints: the distance from the cell before, and its count. Equal histograms give equal bytes."""
        written, before = bytearray(), 0
        for cell in sorted(self._cells):
            _write(written, cell - before)
            _write(written, self._cells[cell])
            before = cell
        return bytes(written)

    @classmethod
    def decode(cls, encoded: bytes) -> "Histogram":
        """What `encode` wrote. Raises ValueError for bytes that end too early."""
        whole, cell = cls(), 0
        numbers = _numbers(encoded)
        for distance, n in zip(numbers, numbers, strict=True):
            cell += distance
            whole._cells[cell] = n
        return whole

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self._cells == other._cells

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Histogram({self._cells})"


def _middle(cell: int) -> float:
    return GROWTH ** (cell - 0.5) if cell else 0.0


def _write(written: bytearray, number: int) -> None:
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)


def _numbers(encoded: bytes) -> Iterator[int]:
    number, shift = 0, 0
    for byte in encoded:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number, shift = 0, 0
    if shift:
        raise ValueError("a histogram ends in the middle of a number")
