"""The page of one rule kind, made from its file: what it is, an example, its options and those of its levels."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from inspect import cleandoc
from textwrap import fill

from pydantic import BaseModel

from daemon.app.rule_fields import FieldTold, fields, level_of
from daemon.domain.alerts_config import Level, Rule

WIDTH = 120


def kind_page(kind: str, model: type[Rule]) -> str:
    """As Markdown."""
    level = level_of(model)
    return joined(
        f"## {kind}",
        wrapped(says(model)),
        wrapped(told(model)),
        f"```yaml\n{example(model)}```",
        field_table(options(model)),
        wrapped(f"**Levels.** {told(level)}"),
        field_table(level_options(model)),
    )


def options(model: type[Rule]) -> list[FieldTold]:
    """What a kind adds to the fields of every rule; what it needs comes first."""
    return sorted(fields(model, but=Rule), key=lambda field: not field.is_needed)


def level_options(model: type[Rule]) -> list[FieldTold]:
    """What it adds to the fields of every level."""
    return list(fields(level_of(model), but=Level))


def says(model: type[BaseModel]) -> str:
    """What a kind is, in the words of its module."""
    text = _flowing(import_module(model.__module__).__doc__ or "")
    sentence = text.partition(": ")[2] if text.startswith("`") else text
    return sentence[:1].upper() + sentence[1:]


def told(model: type[BaseModel]) -> str:
    """What a rule or level says of itself, in paragraphs; what it inherits is told elsewhere."""
    return "\n\n".join(map(_flowing, cleandoc(vars(model).get("__doc__") or "").split("\n\n")))


def example(model: type[Rule]) -> str:
    """As it could stand in a file."""
    text: str = import_module(model.__module__).EXAMPLE
    return text


def field_table(told: Iterable[FieldTold]) -> str:
    """Empty where there are none."""
    rows = [(f"`{one.name}`", one.type, _unless_said(one), one.meaning) for one in told]
    return table(("field", "is", "unless said", "meaning"), rows) if rows else ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """All columns but the last are as wide as their widest cell, so that it can be read as text too."""
    cells = [[cell.replace("|", r"\|") for cell in row] for row in (header, *rows)]
    widths = [*(max(map(len, column)) for column in list(zip(*cells, strict=True))[:-1]), 0]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    rule = " | ".join("-" * (width or 3) for width in widths)
    return "\n".join(f"| {line.rstrip()} |" for line in (lines[0], rule, *lines[1:]))


def wrapped(text: str, indent: str = "") -> str:
    """Its paragraphs in lines that fit."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        fill(one, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) for one in paragraphs
    )


def joined(*parts: str) -> str:
    """Parts with an empty line between them; empty ones are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _flowing(text: str) -> str:
    return " ".join(text.split())


def _unless_said(field: FieldTold) -> str:
    return "*needed*" if field.is_needed else f"`{field.default}`" if field.default else ""
