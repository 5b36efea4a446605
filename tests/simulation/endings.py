"""What a book holds on to, counted without knowing how it is built."""

import gc
from collections import deque
from types import FunctionType, MethodType, ModuleType

_BEYOND = (type, FunctionType, MethodType, ModuleType)
_MEMORIES = frozenset({"_losses", "_known", "_met"})
"""Of fixed size, and meant to be kept."""


def held_by(thing: object) -> int:
    """How many objects it leads to; functions, and what they lead to, are not its own."""
    seen: dict[int, object] = {}
    waiting = deque([thing])
    while waiting:
        one = waiting.popleft()
        if id(one) not in seen and not isinstance(one, _BEYOND):
            seen[id(one)] = one
            waiting.extend(_inside(one))
    return len(seen)


def _inside(one: object) -> list[object]:
    """What an object with attributes leads to, without its memories; any other by what the collector knows."""
    if hasattr(one, "__dict__"):
        return [kept for name, kept in vars(one).items() if name not in _MEMORIES]
    return gc.get_referents(one)
