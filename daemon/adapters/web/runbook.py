"""The runbook as a page: the links in messages lead to its sections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^#{1,2} (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What stands under one heading; `anchor` is what a link ends with."""

    anchor: str
    title: str
    text: str


def sections(path: Path) -> Iterator[Section]:
    """The sections of a Markdown file, as plain text; none where there is no such file."""
    text = path.read_text() if path.is_file() else ""
    parts = _HEADING.split(text)[1:]
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        yield Section(anchor=anchor(title), title=title, text=body.strip())


def anchor(title: str) -> str:
    """As the usual viewers make it of a heading: lower case, words joined by hyphens."""
    return re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-")
