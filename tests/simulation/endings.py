"""What a book holds on to, counted without knowing how it is built."""

import gc
from collections import deque
from types import FunctionType, MethodType, ModuleType

_BEYOND = (type, FunctionType, MethodType, ModuleType)
_MEMORIES = frozenset({"_losses", "_known"})
"""Of fixed size, and meant to be kept."""


def held_by(thing: object) -> int:
    """How many objects it leads to; functions, and what they lead to, are not its own."""
    seen: dict[int, object] = {}
    waiting = deque([thing])
    while waiting:
        one = waiting.popleft()
        if id(one) not in seen and not isinstance(one, _BEYOND):
            seen[id(one)] = one
            inside = (
                {name: kept for name, kept in one.items() if name not in _MEMORIES} if isinstance(one, dict) else one
            )
            waiting.extend(gc.get_referents(inside))
    return len(seen)
