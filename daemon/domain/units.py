"""Durations, ratios and sizes as operators write them: `10m`, `5%`, `256MiB`. Units are mandatory."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_RATIO = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)")
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_duration(text: object) -> float:
    """Seconds out of `10m`, `1h30m`, `250ms`, `0s`."""
    if isinstance(text, float):
        return text
    if isinstance(text, str) and _DURATION.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    raise ValueError(f"{text!r} is not a duration; write a number with its unit, such as 30s, 10m, 1h or 7d")


def parse_ratio(text: object) -> float:
    """A share between 0 and 1 out of `5%`."""
    if isinstance(text, float):
        return text
    if isinstance(text, str) and (match := _RATIO.fullmatch(text)) and float(match[1]) <= 100:
        return float(match[1]) / 100
    raise ValueError(f"{text!r} is not a ratio; write a percentage from 0% to 100%, such as 5%")


def parse_size(text: object) -> int:
    """Bytes out of `256MiB`."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if isinstance(text, str) and (match := _SIZE.fullmatch(text)):
        return int(match[1]) * _BYTES[match[2]]
    raise ValueError(f"{text!r} is not a size; write a whole number with its unit, such as 256MiB")


def say_duration(seconds: float) -> str:
    """`600.0` as `10m`; the two largest units only."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if seconds else "0s"
    rest, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def say_ratio(ratio: float) -> str:
    """`0.052` as `5.2%`."""
    return f"{ratio * 100:.1f}".rstrip("0").rstrip(".") + "%"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$", "examples": ["30s", "10m"]}),
]
Ratio = Annotated[
    float,
    BeforeValidator(parse_ratio),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$", "examples": ["5%"]}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*(B|KiB|MiB|GiB)$", "examples": ["256MiB"]}),
]
