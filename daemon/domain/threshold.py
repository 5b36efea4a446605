"""Thresholds: a number, in whatever unit the field has that it is compared with, or a share such as `10%`."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from daemon.domain.units import parse_ratio

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def parse_threshold(value: object) -> float:
    """A number, as a number or as text; a share between 0 and 1 out of `10%`. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    try:
        return parse_ratio(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a number; write one such as 90, or a share such as 10%") from None


Threshold = Annotated[
    float,
    BeforeValidator(parse_threshold),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$", "examples": ["10%"]}]}
    ),
]
