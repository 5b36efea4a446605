"""What the doors may ask, with only those parts behind it that a test has; none of the others may be touched."""

from inspect import Parameter, signature
from typing import Any

from daemon.engine.operate import Operate

PARTS = [name for name, one in signature(Operate).parameters.items() if one.default is Parameter.empty]


def an_operate(**parts: Any) -> Operate:
    """The parts that are not given are nobody."""
    return Operate(**{**dict.fromkeys(PARTS), "describe": dict, "missing": list, **parts})
